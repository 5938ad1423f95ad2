package credentials

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Error says why there are no keys. It never holds a secret.
type Error struct {
	Text      string
	Temporary bool  // asking again may help
	Nowhere   bool  // no place has any
	Err       error // what ended it, where that is the context; else nil
}

func (e *Error) Error() string { return e.Text }
func (e *Error) Unwrap() error { return e.Err }

// absent says that a place has nothing to offer, so that the next one is asked.
type absent struct{ why string }

func (a absent) Error() string { return a.why }

func none(format string, args ...any) error { return absent{fmt.Sprintf(format, args...)} }

// failed is a place that should have had keys.
func failed(format string, args ...any) error { return &Error{Text: fmt.Sprintf(format, args...)} }

// passing is a failure that may pass.
func passing(ctx context.Context, format string, args ...any) error {
	return &Error{Text: fmt.Sprintf(format, args...), Temporary: true, Err: ctx.Err()}
}

func (e *Error) within(where string) error {
	w := *e
	w.Text = where + ": " + e.Text
	return &w
}

// needed makes a place that has nothing a failure: somebody named it.
func needed(err error) error {
	var a absent
	if errors.As(err, &a) {
		return failed("%s", a.why)
	}
	return err
}

// within says where a failure happened.
func within(where string, err error) error {
	var e *Error
	if err == nil {
		return nil
	}
	if errors.As(err, &e) {
		return e.within(where)
	}
	return fmt.Errorf("%s: %w", where, err)
}

// printable is text of a server as it fits into a message.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.TrimSpace(s))
	if r := []rune(s); len(r) > 200 {
		return string(r[:200]) + "…"
	}
	return s
}
