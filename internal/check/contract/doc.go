// Package contract reads data contracts: files of the Open Data Contract Standard v3.1 (Bitol, Linux Foundation) and Table Schemas of
// Frictionless v2. What it gives is a list of checks, each with its place in the file. It never looks at data.
package contract
