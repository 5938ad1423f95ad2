// Package htmlreport writes what was compared or checked as one HTML page that needs nothing else: no script, no style sheet, no picture, no font. It is a
// function from results to bytes; it reads no data and no clock.
package htmlreport
