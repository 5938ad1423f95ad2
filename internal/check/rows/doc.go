// Package rows says which rows and cells two versions of a table do not have in common. It knows files that can be read, and nothing of datasets or of
// where versions come from.
package rows
