package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"tarn/internal/dataset"
)

type logResult struct {
	Commits  int       `json:"commits"`
	Problems []problem `json:"problems"`
}

// logRow is one version of a dataset.
type logRow struct {
	Commit  string   `json:"commit"`
	Date    string   `json:"date"`
	Author  string   `json:"author"`
	Email   string   `json:"email"`
	Subject string   `json:"subject"`
	Dataset jsonPath `json:"dataset"`
	From    jsonPath `json:"from,omitempty"`
	Status  string   `json:"status"`
	Version string   `json:"version"`
	Files   int64    `json:"files"`
	Bytes   int64    `json:"bytes"`
	counts
	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"`
}

func (a *app) logCommand() *cobra.Command {
	var o dataset.LogOptions
	var oneline bool
	var cmd *cobra.Command
	cmd = verb{
		use: "log [REV…] [--] [PATH…]", group: "data",
		short: "Show the versions of datasets in Git's history",
		long: `Lists the commits that changed a dataset, newest first, with what they changed
against their first parent. REV is a commit or a range, as for "git log"; PATH a
dataset, a part of one, or a directory with datasets. A dataset is followed
under its former names. A merge is shown where it made a version that none of
its parents has. Pages that the cache lacks come from the remote; where they are
nowhere, the row says so.`,
		example: "  tarn log\n  tarn log -n 5 data/2024\n  tarn log --oneline v1.0..HEAD -- data",
		codes:   []int{exitIncomplete, exitCorrupt},
	}.command(func(ctx context.Context, args []string) error {
		o.Args, o.Dash = args, cmd.ArgsLenAtDash()
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		out := a.stream("log", "versions")
		last := ""
		o.Each = func(e dataset.LogEntry) error {
			row := logView(&e)
			err := out.row(row, func(p *printer) { row.text(p, oneline, &last) })
			if ferr := out.flush(); err == nil {
				err = ferr
			}
			return err
		}
		res, err := r.Log(ctx, o)
		if res == nil {
			return err
		}
		a.tell(res.Problems)
		if serr := out.end(&logResult{res.Commits, problems(res.Problems)}); err == nil {
			err = serr
		}
		return err
	})
	f := cmd.Flags()
	f.IntVarP(&o.Max, "max-count", "n", 0, "`N` commits at most")
	f.BoolVar(&oneline, "oneline", false, "a line a version")
	f.BoolVar(&o.FirstParent, "first-parent", false, "follow the first parent, show what merges brought")
	return cmd
}

func logView(e *dataset.LogEntry) *logRow {
	row := &logRow{e.Commit, e.Date, e.Author, e.Email, e.Subject, jsonPath(e.Dataset), jsonPath(e.From), e.Status, e.Version, e.Files, e.Bytes, countsView(e.Counts), "", ""}
	if e.Err != nil {
		row.Error, row.Hint = errorText(e.Err), hintOf(e.Err)
	}
	return row
}

// text prints a version, below its commit where that is another one than the last.
func (r *logRow) text(p *printer, oneline bool, last *string) {
	name := p.path(string(r.Dataset))
	if oneline {
		p.f("%s %s %s %s\n", p.paint(yellow, r.Commit[:10]), p.paint(bold, name), r.short(), r.Subject)
		return
	}
	if r.Commit != *last {
		if *last != "" {
			p.f("\n")
		}
		*last = r.Commit
		p.f("%s  %s  %s\n    %s\n", p.paint(yellow, "commit "+r.Commit[:10]), minute(r.Date), r.Author, r.Subject)
	}
	p.f("  %s", p.paint(bold, name))
	if r.Version != "" {
		p.f("  %s, %s", many(r.Files, "file"), size(r.Bytes))
	}
	p.f("\n    %s\n", r.what(p))
}

// minute is the date and the minute of a time as RFC 3339 has it.
func minute(t string) string { return strings.Replace(t[:min(len(t), 16)], "T", " ", 1) }

func (r *logRow) what(p *printer) string {
	text := r.counts.text()
	if r.Error != "" {
		text = "what changed is not known: " + r.Error
	}
	switch r.Status {
	case "added":
		return "the first version"
	case "renamed":
		return "was " + p.path(string(r.From)) + "; " + text
	case "removed":
		return "removed; " + text
	}
	return text
}

// short is "+1 -2 ~3".
func (r *logRow) short() string {
	if r.Error != "" {
		return "?"
	}
	parts := []string{"+" + count(r.Added), "-" + count(r.Removed), "~" + count(r.Modified)}
	if r.Renamed > 0 {
		parts = append(parts, ">"+count(r.Renamed))
	}
	return strings.Join(parts, " ")
}

// Text says where there is nothing.
func (r *logResult) Text(p *printer) {
	if r.Commits == 0 && len(r.Problems) == 0 {
		p.f("No version of a dataset in these commits.\n")
	}
}
