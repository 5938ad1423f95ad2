// Package check holds data against a contract: files by their names, sizes and digests, tables row by row. It knows entries that can be opened,
// and neither datasets nor Git nor remotes.
package check
