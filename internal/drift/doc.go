// Package drift has the statistics that compare two samples of a column. It does no I/O and knows neither files nor columns. Each result carries how it was
// binned and how much of it is noise.
package drift
