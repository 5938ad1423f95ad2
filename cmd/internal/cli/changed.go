package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tarn/internal/check/report"
	"tarn/internal/dataset"
	"tarn/internal/drift"
	"tarn/internal/profile"
	"tarn/internal/profile/compare"
)

type changedResult struct {
	Since    string            `json:"since"`
	To       string            `json:"to"`
	Changed  bool              `json:"changed"`
	Datasets []*changedDataset `json:"datasets"`
	Notes    []problem         `json:"not_read"`
	Problems []problem         `json:"problems"`
	asked    string            // the revision as it was asked for
	drift    bool              // it was asked for
}

type changedDataset struct {
	Dataset jsonPath `json:"dataset"`
	From    jsonPath `json:"from,omitempty"`
	Status  string   `json:"status"`
	Changed bool     `json:"changed"`
	counts
	Tables int64 `json:"tables"`
	Unread int64 `json:"not_compared"`
	Others int64 `json:"other_entries"`
	changedRows
	Share   float64        `json:"share"`
	Drift   string         `json:"drift,omitempty"`
	Drifted []driftedValue `json:"drifted,omitempty"`
}

// driftedValue is what drifted beyond its limit.
type driftedValue struct {
	Table  string `json:"table"`
	Column string `json:"column,omitempty"`
	Metric string `json:"metric"`
	Value  any    `json:"value,omitempty"`
}

// changedReports are the forms of reports of changed.
var changedReports = append(slices.Clone(rowReports), "dotenv")

// changedRows are counts of rows in tables that differ.
type changedRows struct {
	Added   int64 `json:"rows_added"`
	Removed int64 `json:"rows_removed"`
	Changed int64 `json:"rows_changed"`
}

func (a *app) changedCommand() *cobra.Command {
	var o dataset.ChangedOptions
	var share string
	var code bool
	var reports []string
	cmd := verb{
		use: "changed --since REV [NAME…]", group: "data",
		short: "Say which datasets changed since a revision",
		long: `Compares datasets of HEAD with those of REV: files, bytes and, where files are
tables, rows. It reads pages of manifests and tables that differ, from the
workspace where they are unchanged there, else from the cache, else from the
remote. NAME is a dataset, or a directory with datasets. With --min-rows and
--min-share less is no change; a file that is no table counts as one row. Rows
are told apart by the primary key of the contract, else by all their cells.
With --drift a dataset also changed if values of its tables drifted beyond the
limits of the contract, however few rows that are. Reports are github, markdown
and dotenv. docs/rows.md has more.`,
		example: "  tarn changed --since v1.0\n  tarn changed --since model-7 --min-share 1% --drift --exit-code data/train\n  tarn changed --since origin/main --report github",
		codes:   []int{exitDiffers, exitIncomplete, exitCorrupt},
		means:   map[int]string{exitDiffers: "a dataset changed, and --exit-code asked"},
	}.command(func(ctx context.Context, args []string) error {
		o.Names = args
		if o.Since == "" {
			return &dataset.Hinted{Err: fmt.Errorf("%w: changed since when? name a revision with --since", dataset.ErrUsage), Hint: "tarn changed --help"}
		}
		if o.MinRows < 0 {
			return fmt.Errorf("%w: --min-rows is not below 0", dataset.ErrUsage)
		}
		var err error
		if share != "" {
			o.MinShare, err = dataset.ParseShare(share)
		}
		if err != nil {
			return err
		}
		if err := a.checkReports(reports, changedReports); err != nil {
			return err
		}
		return a.changed(ctx, o, reports, code)
	})
	f := cmd.Flags()
	f.StringVar(&o.Since, "since", "", "`REV` to compare HEAD with")
	f.BoolVar(&o.NoRows, "no-rows", false, "read no table, only manifests")
	f.Int64Var(&o.MinRows, "min-rows", 0, "fewer than `N` rows are no change")
	f.StringVar(&share, "min-share", "", "less than `P` of the data is no change: 1%")
	f.BoolVar(&o.Drift, "drift", false, "what drifted is a change, see tarn drift")
	f.BoolVar(&code, "exit-code", false, "exit with 1 if a dataset changed")
	f.StringArrayVar(&reports, "report", nil, "also write a report, `FORM[=FILE]`")
	f.StringVarP(&o.Remote, "remote", "r", "", "`NAME` of the remote to read from")
	return cmd
}

func (a *app) changed(ctx context.Context, o dataset.ChangedOptions, reports []string, code bool) error {
	r, err := a.open(ctx)
	if err != nil {
		return err
	}
	res, err := r.Changed(ctx, o)
	if res == nil {
		return err
	}
	a.tell(res.Problems)
	v := changedView(res)
	v.asked, v.drift = o.Since, o.Drift
	shown := a.show("changed", v)
	err = errors.Join(err, shown, a.reportChange(reports, v.markdown(), "changed", v.sentence(), v.outputs()))
	if err == nil && code && res.Changed() {
		err = dataset.ErrDiffers
	}
	return err
}

func changedView(res *dataset.ChangedResult) *changedResult {
	v := &changedResult{Since: res.Since, To: res.To, Changed: res.Changed(), Datasets: []*changedDataset{}, Notes: problems(res.Notes), Problems: problems(res.Problems)}
	for _, d := range res.Datasets {
		c := &changedDataset{jsonPath(d.Dataset), jsonPath(d.From), d.Status, d.Changed, countsView(d.Counts), d.Tables, d.Unread, d.Others,
			changedRows{d.Rows.Added, d.Rows.Removed, d.Rows.Changed}, d.Share, string(d.Drift), nil}
		for _, x := range d.Drifted {
			c.Drifted = append(c.Drifted, driftedValueView(x))
		}
		v.Datasets = append(v.Datasets, c)
	}
	return v
}

func driftedValueView(x dataset.DriftedValue) driftedValue {
	v := driftedValue{Table: x.Table, Column: x.Column, Metric: x.Metric, Value: valueOf(profile.Number, x.Value)}
	if slices.Contains([]string{"table", string(compare.Presence), string(compare.KindOf)}, x.Metric) {
		v.Value = nil
	}
	return v
}

func (v *driftedValue) text() string {
	column := shorten(v.Column, 30)
	switch x := v.Value.(type) {
	case float64:
		return fmt.Sprintf("%s %s %.3g", column, v.Metric, x)
	case string:
		return fmt.Sprintf("%s %s ∞", column, v.Metric)
	}
	switch v.Metric {
	case "table":
		return shorten(v.Table, 30) + " is no more"
	case string(compare.Presence):
		return column + " is no more"
	}
	return column + " is of another kind"
}

// Rows are the datasets.
func (v *changedResult) Rows(yield func(any) bool) {
	for _, d := range v.Datasets {
		if !yield(d) {
			return
		}
	}
}

func (d *changedDataset) word() string {
	switch {
	case d.Changed:
		return "changed"
	case d.counts != (counts{}):
		return "too little"
	}
	return "the same"
}

// text is what changed: files, rows, share.
func (d *changedDataset) text() string {
	if d.counts == (counts{}) {
		switch d.Status {
		case "renamed":
			return "renamed, its data are the same"
		case "added", "removed":
			return d.Status + ", it is empty"
		}
		return ""
	}
	s := d.counts.text()
	if d.Status == "added" || d.Status == "removed" {
		s = "the dataset was " + d.Status + ": " + s
	}
	rows := rowCounts{Added: d.changedRows.Added, Removed: d.changedRows.Removed, Changed: d.changedRows.Changed}
	if d.Tables > d.Unread {
		s += "; " + rows.text()
	}
	if d.Unread > 0 {
		s += "; rows of " + many(d.Unread, "table") + " not known"
	}
	return s + fmt.Sprintf("; %.3g %%", 100*d.Share) + d.driftText()
}

// shownDrifts is how many values that drifted are named in a line.
const shownDrifts = 3

func (d *changedDataset) driftText() string {
	var parts []string
	for i := range d.Drifted {
		if i == shownDrifts {
			parts = append(parts, many(int64(len(d.Drifted)-i), "other"))
			break
		}
		parts = append(parts, d.Drifted[i].text())
	}
	switch {
	case d.Drift == "":
		return ""
	case len(parts) > 0:
		return "; drift: " + strings.Join(parts, ", ")
	case d.Drift == string(drift.Undecided):
		return "; drift not known"
	}
	return "; no drift"
}

// Text is a line a dataset.
func (v *changedResult) Text(p *printer) {
	width := 0
	for _, d := range v.Datasets {
		width = max(width, len([]rune(p.path(string(d.Dataset)))))
	}
	for _, d := range v.Datasets {
		name, color := p.path(string(d.Dataset)), dim
		if d.Changed {
			color = yellow
		}
		line := fmt.Sprintf("%s%s  %s  %s", p.paint(bold, name), strings.Repeat(" ", width-len([]rune(name))), p.paint(color, pad(d.word(), 10)), d.text())
		p.f("%s\n", strings.TrimRight(line, " "))
	}
	for _, n := range v.Notes {
		p.f("  %s: %s; it counts as changed\n", p.path(string(n.Path)), report.Clean(n.Error))
	}
	p.f("%s\n", v.sentence())
}

// sentence sums up.
func (v *changedResult) sentence() string {
	n := int64(0)
	for _, d := range v.Datasets {
		if d.Changed {
			n++
		}
	}
	s := many(n, "dataset")
	if n == 0 {
		s = "No dataset"
	}
	return fmt.Sprintf("%s of %d changed since %s.", s, len(v.Datasets), report.Clean(v.asked))
}

func (v *changedResult) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## Changed data\n\n%s\n\n", report.Markdown(v.sentence()))
	if len(v.Datasets) > 0 {
		b.WriteString("| dataset | | what |\n| --- | --- | --- |\n")
	}
	for i, d := range v.Datasets {
		row := fmt.Sprintf("| %s | %s | %s |\n", report.Markdown(string(d.Dataset)), d.word(), report.Markdown(d.text()))
		if b.Len()+len(row) > report.SummaryMax {
			fmt.Fprintf(&b, "\n… and %s more\n", count(int64(len(v.Datasets)-i)))
			break
		}
		b.WriteString(row)
	}
	b.WriteByte('\n')
	return b.String()
}

// outputs are the lines for $GITHUB_OUTPUT; names of datasets stand in a list of JSON.
func (v *changedResult) outputs() string {
	var n counts
	var rows changedRows
	names, drifted := []jsonPath{}, []jsonPath{}
	for _, d := range v.Datasets {
		if d.Changed {
			names = append(names, d.Dataset)
		}
		if d.Drift == string(drift.Drifted) {
			drifted = append(drifted, d.Dataset)
		}
		n.Added, n.Removed, n.Modified, n.Renamed = n.Added+d.counts.Added, n.Removed+d.counts.Removed, n.Modified+d.counts.Modified, n.Renamed+d.counts.Renamed
		rows.Added, rows.Removed, rows.Changed = rows.Added+d.changedRows.Added, rows.Removed+d.changedRows.Removed, rows.Changed+d.changedRows.Changed
	}
	list := func(names []jsonPath) []byte {
		if b, err := marshal(names); err == nil {
			return b
		}
		return []byte("[]")
	}
	s := fmt.Sprintf("changed=%t\ndatasets=%s\nfiles_added=%d\nfiles_removed=%d\nfiles_modified=%d\nfiles_renamed=%d\nrows_added=%d\nrows_removed=%d\nrows_changed=%d\n",
		v.Changed, list(names), n.Added, n.Removed, n.Modified, n.Renamed, rows.Added, rows.Removed, rows.Changed)
	if v.drift {
		s += fmt.Sprintf("drifted=%s\n", list(drifted))
	}
	return s
}
