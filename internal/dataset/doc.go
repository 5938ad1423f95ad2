// Package dataset has tarn's verbs as a library, one file a verb. It is the only place where names (index) and bytes (store) meet.
// It prints nothing, never exits, and does not know that there is a terminal: a verb returns a result, tells a Reporter how far it is, and fails with
// one of the errors of errors.go.
package dataset
