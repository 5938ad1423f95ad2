// Package table reads tables: CSV and TSV, JSON lines, Parquet. A file becomes tasks that many goroutines can do at once, and each task batches
// of columns. It says what is wrong with a file, and where, and never what should be in it.
package table
