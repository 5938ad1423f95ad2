package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tarn/index"
	"tarn/internal/dataset"
)

type diffResult struct {
	From     string        `json:"from"`
	To       string        `json:"to"`
	Datasets []datasetDiff `json:"datasets"`
	Total    counts        `json:"total"`
	Skipped  bool          `json:"renames_skipped"`
	Problems []problem     `json:"problems"`
	names    bool          // nothing but names is printed
	stat     bool
	limit    int
}

type datasetDiff struct {
	Dataset jsonPath `json:"dataset"`
	From    jsonPath `json:"from,omitempty"`
	Status  string   `json:"status"`
	counts
	Absent int64 `json:"not_checked_out"`
	Moved  int64 `json:"stale"`
}

type counts struct {
	Added    int64 `json:"added"`
	Removed  int64 `json:"removed"`
	Modified int64 `json:"modified"`
	Renamed  int64 `json:"renamed"`

	BytesAdded   int64 `json:"bytes_added"`
	BytesRemoved int64 `json:"bytes_removed"`
	BytesBefore  int64 `json:"bytes_before"`
	BytesAfter   int64 `json:"bytes_after"`
}

// diffRow is one change.
type diffRow struct {
	Dataset     jsonPath   `json:"dataset"`
	Path        jsonPath   `json:"path"`
	Change      string     `json:"change"`
	FromDataset jsonPath   `json:"from_dataset,omitempty"`
	From        jsonPath   `json:"from,omitempty"`
	Old         *entryView `json:"old,omitempty"`
	New         *entryView `json:"new,omitempty"`
}

type entryView struct {
	Kind   string   `json:"kind"`
	Size   int64    `json:"size"`
	Digest string   `json:"digest,omitempty"`
	Target jsonPath `json:"target,omitempty"`
}

func (a *app) diffCommand() *cobra.Command {
	var o dataset.DiffOptions
	var rows rowsOptions
	var stat, nameOnly, nameStatus, null, code bool
	var cmd *cobra.Command
	cmd = verb{
		use: "diff [REV [REV]] [--] [PATH…]", group: "data",
		short: "Show what two versions do not have in common",
		long: `Without REV it compares HEAD with the workspace, with one REV that commit with
the workspace, with two REV (or A..B) both; A...B begins where B left A. PATH is
a dataset, a part of one, or a directory with datasets. Of a large dataset it
reads only the pages that differ, from the remote where the cache lacks them;
files that did not change are not read. What was removed here and added there
with the same bytes was renamed.

With --rows it shows which rows and cells of tables differ: CSV, TSV, JSON lines
and Parquet, also compressed. Rows belong together by --key, else by what the
contract of the dataset calls the primary key; without either, all cells count,
and a row is only added or removed. With --no-index, and outside of Git, the
arguments are two files. docs/rows.md has more.`,
		example: "  tarn diff\n  tarn diff v1.0 data/2024\n  tarn diff --stat main feature\n  tarn diff --exit-code origin/main...HEAD\n  tarn diff --rows --key id HEAD~1 HEAD\n  tarn diff --rows --no-index --key id old.csv new.parquet",
		codes:   []int{exitDiffers, exitIncomplete, exitCorrupt},
		means:   map[int]string{exitFailed: "could not: disk, network, permission, a table that can't be read"},
	}.command(func(ctx context.Context, args []string) error {
		o.Args, o.Dash = args, cmd.ArgsLenAtDash()
		if err := rows.prepare(a, cmd); err != nil {
			return err
		}
		if null && !nameOnly && !nameStatus {
			return fmt.Errorf("%w: -z is for --name-only and --name-status", dataset.ErrUsage)
		}
		if rows.on {
			rows.stat, rows.code = stat, code
			return a.diffRows(ctx, o, &rows)
		}
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		out := a.stream("diff", "changes")
		if !stat {
			o.Each = func(c dataset.DiffChange) error {
				return out.row(diffView(&c), func(p *printer) { p.change(&c, nameOnly, nameStatus, null) })
			}
		}
		res, err := r.Diff(ctx, o)
		if res == nil {
			return err
		}
		a.tell(res.Problems)
		v := diffResultView(res)
		v.names, v.stat, v.limit = nameOnly || nameStatus, stat, o.RenameLimit
		if serr := out.end(v); err == nil {
			err = serr
		}
		if err == nil && code && res.Differs() {
			err = dataset.ErrDiffers
		}
		return err
	})
	f := cmd.Flags()
	f.BoolVar(&stat, "stat", false, "totals of each dataset, no paths")
	f.BoolVar(&nameOnly, "name-only", false, "paths only")
	f.BoolVar(&nameStatus, "name-status", false, "a letter and the path: A, D, M, T, R")
	f.BoolVarP(&null, "null", "z", false, "with these two: NUL after each path, and no quoting")
	f.BoolVar(&code, "exit-code", false, "exit with 1 if anything differs")
	f.IntVar(&o.RenameLimit, "rename-limit", dataset.DefaultRenameLimit, "no renames if more than `N` changes")
	rows.flags(cmd)
	cmd.MarkFlagsMutuallyExclusive("stat", "name-only", "name-status")
	cmd.MarkFlagsMutuallyExclusive("rows", "name-only", "name-status")
	return cmd
}

func diffResultView(res *dataset.DiffResult) *diffResult {
	v := &diffResult{From: res.From, To: res.To, Datasets: []datasetDiff{}, Total: countsView(res.Total()), Skipped: res.RenamesSkipped, Problems: problems(res.Problems)}
	for _, d := range res.Datasets {
		v.Datasets = append(v.Datasets, datasetDiff{jsonPath(d.Dataset), jsonPath(d.From), d.Status, countsView(d.Counts), d.Absent, d.Moved})
	}
	return v
}

func countsView(c dataset.Counts) counts {
	return counts{c.Added, c.Removed, c.Modified, c.Renamed, c.BytesAdded, c.BytesRemoved, c.BytesBefore, c.BytesAfter}
}

func diffView(c *dataset.DiffChange) diffRow {
	return diffRow{jsonPath(c.Dataset), jsonPath(c.Path), c.Kind().String(), jsonPath(c.FromDataset), jsonPath(c.FromPath), viewEntry(c.Old), viewEntry(c.New)}
}

func viewEntry(e *index.Entry) *entryView {
	if e == nil {
		return nil
	}
	v := &entryView{Kind: e.Kind.String(), Size: e.Size, Target: jsonPath(e.Target)}
	if !e.Digest.IsZero() {
		v.Digest = e.Digest.String()
	}
	return v
}

// change prints one change.
func (p *printer) change(c *dataset.DiffChange, nameOnly, nameStatus, null bool) {
	kind, name := c.Kind(), p.path(c.Name())
	from := ""
	if null {
		if nameStatus {
			p.f("%s\x00", kind.Letter())
		}
		if nameStatus && kind == dataset.ChangeRenamed {
			p.f("%s\x00", p.rawPath(c.FromName()))
		}
		p.f("%s\x00", p.rawPath(c.Name()))
		return
	}
	if kind == dataset.ChangeRenamed {
		from = p.path(c.FromName())
	}
	switch {
	case nameOnly:
		p.f("%s\n", name)
	case nameStatus && from != "":
		p.f("%s\t%s\t%s\n", kind.Letter(), from, name)
	case nameStatus:
		p.f("%s\t%s\n", kind.Letter(), name)
	default:
		if from != "" {
			name = from + " → " + name
		}
		color := map[dataset.ChangeKind]string{dataset.ChangeAdded: green, dataset.ChangeRemoved: red}[kind]
		if color == "" {
			color = yellow
		}
		p.f("%s %s\n", p.paint(color, pad(kind.String()+":", 14)+name), p.paint(dim, "("+detail(c)+")"))
	}
}

// detail is what a change did.
func detail(c *dataset.DiffChange) string {
	switch {
	case c.Old == nil:
		return contentOf(c.New)
	case c.New == nil:
		return contentOf(c.Old)
	case c.Old.Kind != c.New.Kind:
		return c.Old.Kind.String() + " → " + c.New.Kind.String()
	case contentOf(c.Old) == contentOf(c.New):
		return contentOf(c.New)
	}
	return contentOf(c.Old) + " → " + contentOf(c.New)
}

func contentOf(e *index.Entry) string {
	switch e.Kind {
	case index.Link:
		return "symlink to " + index.Quote(e.Target)
	case index.Dir:
		return "empty directory"
	}
	return size(e.Size)
}

// text is "1 added (10 B), 2 modified (4 KiB → 5 KiB)".
func (c *counts) text() string {
	var parts []string
	part := func(n int64, what, bytes string) {
		if n > 0 {
			parts = append(parts, count(n)+" "+what+bytes)
		}
	}
	part(c.Added, "added", " ("+size(c.BytesAdded)+")")
	part(c.Removed, "removed", " ("+size(c.BytesRemoved)+")")
	part(c.Modified, "modified", " ("+size(c.BytesBefore)+" → "+size(c.BytesAfter)+")")
	part(c.Renamed, "renamed", "")
	if len(parts) == 0 {
		return "no entry differs"
	}
	return strings.Join(parts, ", ")
}

// Text is what comes after the changes.
func (r *diffResult) Text(p *printer) {
	if r.names {
		return
	}
	if r.stat {
		r.statText(p)
	} else if r.Total != (counts{}) {
		p.f("\n")
	}
	for _, d := range r.Datasets {
		switch name := p.path(string(d.Dataset)); d.Status {
		case "added", "removed":
			p.f("The dataset %s was %s.\n", name, d.Status)
		case "renamed":
			p.f("The dataset %s was %s.\n", name, p.path(string(d.From)))
		}
	}
	if !r.stat && len(r.Problems) == 0 || r.Total != (counts{}) && !(r.stat && len(r.Datasets) == 1) {
		p.f("%s\n", sentence(r.Total.text()))
	}
	r.notes(p)
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] + "." }

func (r *diffResult) statText(p *printer) {
	width := 0
	for _, d := range r.Datasets {
		width = max(width, len([]rune(p.path(string(d.Dataset)))))
	}
	for _, d := range r.Datasets {
		name := p.path(string(d.Dataset))
		p.f("%s%s  %s\n", p.paint(bold, name), strings.Repeat(" ", width-len([]rune(name))), d.text())
	}
}

func theirs(n int64) string {
	if n == 1 {
		return "1 entry that is"
	}
	return many(n, "entry") + " that are"
}

// notes say what the numbers don't.
func (r *diffResult) notes(p *printer) {
	for _, d := range r.Datasets {
		name := p.path(string(d.Dataset))
		if d.Moved > 0 {
			p.f("%s: Git moved the manifest of %s here. Next: tarn checkout %s\n", name, theirs(d.Moved), name)
		}
		if d.Absent > 0 {
			p.f("%s: %s not checked out, counted as the manifest here has them\n", name, many(d.Absent, "entry"))
		}
	}
	if r.Skipped {
		p.f("No renames were looked for: there are more than %s changes (--rename-limit).\n", count(int64(r.limit)))
	}
}
