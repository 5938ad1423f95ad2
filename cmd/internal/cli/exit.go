package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tarn/internal/config"
	"tarn/internal/dataset"
)

// The exit codes; docs/exit-codes.md.
const (
	exitOK          = 0
	exitDiffers     = 1
	exitUsage       = 2
	exitFailed      = 3
	exitIncomplete  = 4
	exitRefused     = 5
	exitCorrupt     = 6
	exitInterrupted = 130
)

var exitMeaning = map[int]string{
	exitOK:          "done",
	exitDiffers:     "there is a difference, and --exit-code asked",
	exitUsage:       "wrong arguments or configuration; nothing was done",
	exitFailed:      "could not: disk, network, permission",
	exitIncomplete:  "done in part; what is missing is named",
	exitRefused:     "would lose something; --force does it",
	exitCorrupt:     "corrupt bytes were found",
	exitInterrupted: "interrupted",
}

var exitKind = map[int]string{
	exitDiffers: "differs", exitUsage: "usage", exitFailed: "failed", exitIncomplete: "incomplete", exitRefused: "refused", exitCorrupt: "corrupt", exitInterrupted: "interrupted",
}

// errInterrupted is what a signal made of a run. A context that something else cancelled is no interruption.
var errInterrupted = errors.New("interrupted")

// exitCode is the only place where errors become exit codes.
func exitCode(err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.Is(err, dataset.ErrCorrupt):
		return exitCorrupt
	case errors.Is(err, dataset.ErrRefused):
		return exitRefused
	case errors.Is(err, dataset.ErrIncomplete):
		return exitIncomplete
	case errors.Is(err, dataset.ErrUsage), errors.Is(err, config.ErrInvalid):
		return exitUsage
	case errors.Is(err, dataset.ErrDiffers):
		return exitDiffers
	}
	return exitFailed
}

// ended says that a run came to its end, though parts may be missing or corrupt: a report of less would look as if all was well.
func ended(ctx context.Context, err error) bool {
	return ctx.Err() == nil && slices.Contains([]int{exitOK, exitIncomplete, exitRefused, exitCorrupt}, exitCode(err))
}

// reportError tells why a run failed: one sentence and, where there is one, a command to type next.
func (a *app) reportError(err error) {
	code := exitCode(err)
	if err == nil || code == exitDiffers {
		return
	}
	text, hint := errorText(err), hintOf(err)
	if a.json || a.jsonl {
		a.talkJSON(errorDoc{"tarn.error/1", code, exitKind[code], text, hint})
		return
	}
	fmt.Fprintf(a.Err, "%s %s\n", a.paint(a.ErrTTY, red, "tarn:"), clean(text))
	if hint != "" {
		fmt.Fprintf(a.Err, "  try: %s\n", clean(hint))
	}
}

// talkJSON prints one document on stderr; there is nobody left to tell where that fails.
func (a *app) talkJSON(doc any) {
	if b, err := marshal(doc); err == nil {
		fmt.Fprintf(a.Err, "%s\n", b)
	}
}

type errorDoc struct {
	Schema string `json:"schema"`
	Code   int    `json:"code"`
	Kind   string `json:"kind"`
	Error  string `json:"error"`
	Hint   string `json:"hint,omitempty"`
}

// errorText is the message without the word that the exit code says already.
func errorText(err error) string { return dataset.Plain(err.Error()) }

// hintOf is what an error says to type next.
func hintOf(err error) string {
	var h *dataset.Hinted
	if errors.As(err, &h) {
		return h.Hint
	}
	var c interface{ Hint() string }
	if errors.As(err, &c) {
		return c.Hint()
	}
	return ""
}
