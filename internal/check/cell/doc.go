// Package cell has the meaning of a single value of a table: the types of Frictionless Table Schema v2, read from text, and patterns.
// It knows neither tables nor contracts.
package cell
