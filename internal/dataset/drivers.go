package dataset

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Drivers are settings in the clone's Git configuration, by key.
type Drivers struct {
	Set  []string // that were made
	Kept []string // that say something else, and were left alone
}

// attributeLine keeps Git from rewriting manifests, and names the drivers that installDrivers sets up. A clone or a forge without them does as Git does
// for any text.
const attributeLine = "*.tarn -text diff=tarn merge=tarn"

// drivers are what the attributes call. Each falls back to what Git does itself, so that Git goes on working where tarn is not installed any more, is not
// on the PATH of a graphical client, or is too old to know the command. See docs/adr/0004-git-drivers.md.
var drivers = [...]struct{ key, value string }{
	{"diff.tarn.command", `f() { tarn git-diff -- "$@" 2>/dev/null || test $# -lt 5 || git --no-pager diff --no-index --no-ext-diff --no-textconv -- "$2" "$5"; :; }; f`},
	{"diff.tarn.textconv", `f() { tarn git-textconv -- "$1" 2>/dev/null || cat -- "$1"; }; f`},
	{"diff.tarn.xfuncname", "^tarn .*"}, // above a hunk; else it is an entry, with its digest
	{"merge.tarn.name", "tarn, by path"},
	{"merge.tarn.driver", `f() { if tarn help git-merge >/dev/null 2>&1; then tarn git-merge -- "$@"; else git merge-file -L ours -L base -L theirs "$2" "$1" "$3"; fi; }; f %O %A %B %P`},
}

// installDrivers sets up in this clone what the attributes of manifests name. What Git's configuration has already stays.
func (r *Repo) installDrivers(ctx context.Context) (Drivers, error) {
	var done Drivers
	have, err := r.git.Config(ctx, `^(diff|merge)\.tarn\.`)
	if err != nil {
		return done, fmt.Errorf("read Git's configuration: %w", err)
	}
	for _, d := range drivers {
		switch value, ok := have[d.key]; {
		case ok && value != d.value:
			done.Kept = append(done.Kept, d.key)
		case !ok:
			if err := r.git.SetConfig(ctx, d.key, d.value); err != nil {
				return done, fmt.Errorf("set %s in Git's configuration: %w", d.key, err)
			}
			done.Set = append(done.Set, d.key)
		}
	}
	return done, nil
}

// withAttributes makes sure that the text of .gitattributes has attributeLine. A line that sets -text already, as earlier versions wrote it, gets what it
// lacks in place, unless some line for *.tarn says otherwise.
func withAttributes(old string, _ bool) string {
	lines := strings.SplitAfter(old, "\n")
	at, missing := -1, []string{"diff=tarn", "merge=tarn"}
	for i, line := range lines {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != "*.tarn" {
			continue
		}
		for _, attr := range f[1:] {
			name, _, _ := strings.Cut(strings.TrimLeft(attr, "-!"), "=")
			switch name {
			case "binary":
				return old
			case "text":
				if at < 0 && attr == "-text" {
					at = i
				}
			case "diff", "merge":
				missing = slices.DeleteFunc(missing, func(m string) bool { return m == name+"=tarn" })
			}
		}
	}
	switch {
	case at < 0 && old != "" && !strings.HasSuffix(old, "\n"):
		return old + "\n" + attributeLine + "\n"
	case at < 0:
		return old + attributeLine + "\n"
	case len(missing) > 0:
		body := strings.TrimRight(lines[at], " \t\r\n")
		lines[at] = body + " " + strings.Join(missing, " ") + lines[at][len(body):]
	}
	return strings.Join(lines, "")
}
