// Package config reads and edits tarn's configuration: files in the syntax of git-config, at four levels, of which the later wins.
// It knows the syntax, the table of keys and which values are secrets. It must not know where the files lie (callers pass paths), what a key does,
// or Git itself; it starts no process and reads no environment.
package config

import "errors"

// MaxSize bounds a configuration file, in bytes.
const MaxSize = 1 << 20

// Every error of this package that is not one of the file system wraps ErrInvalid.
var (
	ErrInvalid = errors.New("invalid configuration")
	ErrNotSet  = &Error{Msg: "not set"} // Unset, RenameSection, RemoveSection: there is no such key or section
)

// Error is a fault of a configuration file or of a value for one. It never holds the value of a secret.
type Error struct {
	Path string // the file; may be empty
	Line int    // from 1; 0 where unknown
	Name string // the key or section, as JoinName writes it; may be empty
	Msg  string
	Try  string // a command or a short sentence that helps; may be empty
}

func (e *Error) Error() string {
	s := e.Msg
	if e.Name != "" {
		s = e.Name + ": " + s
	}
	return e.where() + s
}

func (e *Error) where() string {
	at := Origin{Path: e.Path, Line: e.Line}.String()
	if at == "" {
		return ""
	}
	return at + ": "
}

// Unwrap makes every Error an ErrInvalid.
func (e *Error) Unwrap() error { return ErrInvalid }

// Is makes an Error that says ErrNotSet about a name be ErrNotSet.
func (e *Error) Is(target error) bool { return target == ErrNotSet && e.Msg == ErrNotSet.Msg }

// Hint is what the user can type next, or "".
func (e *Error) Hint() string { return e.Try }
