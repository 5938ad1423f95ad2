package dataset

import (
	"errors"
	"strings"
)

// The kinds of failure that a caller tells apart; errors wrap them. docs/exit-codes.md maps each to an exit code; any other error is "could not".
var (
	ErrDiffers    = errors.New("there are differences") // asked for with --exit-code, and there
	ErrUsage      = errors.New("usage")                 // arguments or configuration are wrong; nothing was done
	ErrIncomplete = errors.New("something is missing")  // done in part
	ErrRefused    = errors.New("refused")               // would lose something; --force does it
	ErrCorrupt    = errors.New("corrupt bytes")         // bytes that are not what their digest says
)

// Plain is a message without the word of ErrUsage, which an exit code says already, and nobody wants in the middle of a sentence.
func Plain(message string) string {
	word := ErrUsage.Error() + ": "
	return strings.ReplaceAll(strings.TrimPrefix(message, word), ": "+word, ": ")
}

// Hinted is an error with a command that the user can type next.
type Hinted struct {
	Err  error
	Hint string // one command or one short sentence
}

func (h *Hinted) Error() string { return h.Err.Error() }
func (h *Hinted) Unwrap() error { return h.Err }

// Problem is one path or object that a verb could not do, where it went on with the others.
type Problem struct {
	Dataset string // dataset path, relative to the repository root; may be empty
	Path    string // entry, relative to the dataset; may be empty
	Side    string // "workspace", "cache", "git", "remote NAME"
	Err     error
}

// problemAt is a Problem of an entry; the entry "." is the dataset itself.
func problemAt(dataset, entry, side string, err error) Problem {
	if entry == "." {
		entry = ""
	}
	return Problem{dataset, entry, side, err}
}
