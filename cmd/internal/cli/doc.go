// Package cli is the coat over internal/dataset: flags in, result out. It knows the terminal, the environment and exit codes; what a verb does it
// does not know.
//
// Data goes to stdout, talk to stderr. A verb is one file: options, a command, a run function, and a result that renders as text or JSON.
package cli
