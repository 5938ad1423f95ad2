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
)

// rowsOptions are the flags of diff --rows.
type rowsOptions struct {
	dataset.RowSettings
	on, noIndex bool
	stat, code  bool
	remote      string
	reports     []string
}

// rowFlags are those that mean something with --rows only.
var rowFlags = []string{"key", "max", "no-values", "no-index", "report", "remote"}

func (o *rowsOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.on, "rows", false, "rows and cells of tables")
	f.StringSliceVar(&o.Key, "key", nil, "`COL[,COL]` that tell rows apart")
	f.IntVar(&o.Shown, "max", 5, "rows to show of each kind and table, `N`")
	f.BoolVar(&o.NoValues, "no-values", false, "show no value of the data")
	f.BoolVar(&o.noIndex, "no-index", false, "compare two files, not versions")
	f.StringArrayVar(&o.reports, "report", nil, "also write a report, `FORM[=FILE]`")
	f.StringVarP(&o.remote, "remote", "r", "", "`NAME` of the remote to read from")
}

// rowReports are the forms of reports about what changed.
var rowReports = []string{"github", "markdown"}

func (o *rowsOptions) prepare(a *app, cmd *cobra.Command) error {
	if !o.on {
		for _, name := range rowFlags {
			if cmd.Flags().Changed(name) {
				return usageError(cmd, fmt.Errorf("--%s is for diff --rows", name))
			}
		}
		return nil
	}
	if o.Shown < 0 || o.Shown > 10_000 {
		return fmt.Errorf("%w: --max is a number from 0 to 10,000", dataset.ErrUsage)
	}
	for i, k := range o.Key {
		if k == "" || slices.Contains(o.Key[:i], k) {
			return fmt.Errorf("%w: --key wants different names of columns", dataset.ErrUsage)
		}
	}
	return a.checkReports(o.reports, rowReports)
}

func (a *app) diffRows(ctx context.Context, d dataset.DiffOptions, o *rowsOptions) error {
	if o.stat {
		o.Shown = 0
	}
	out := a.stream("diff-rows", "tables")
	var md rowsMarkdown
	each := func(t dataset.TableDiff) error {
		v := tableView(&t)
		if len(o.reports) > 0 {
			md.table(v)
		}
		return out.row(v, v.text)
	}
	res, err := a.rowDiff(ctx, d, o, each)
	if res == nil {
		return err
	}
	a.tell(res.Problems)
	v := rowsView(res)
	if serr := out.end(v); err == nil {
		err = serr
	}
	if ended(ctx, err) || errors.Is(err, dataset.ErrNotCompared) {
		err = errors.Join(err, a.reportChange(o.reports, md.end(v), "rows", v.sentence(), v.outputs()))
	}
	if err == nil && o.code && res.Differs() {
		err = dataset.ErrDiffers
	}
	return err
}

// rowDiff compares versions, or with --no-index and outside of a repository two files.
func (a *app) rowDiff(ctx context.Context, d dataset.DiffOptions, o *rowsOptions, each func(dataset.TableDiff) error) (*dataset.RowDiffResult, error) {
	var r *dataset.Repo
	if !o.noIndex {
		var err error
		if r, err = a.open(ctx); err != nil && (!errors.Is(err, dataset.ErrNoRepo) || len(d.Args) != 2) {
			return nil, err
		}
	}
	if r == nil {
		if len(d.Args) != 2 {
			return nil, fmt.Errorf("%w: --no-index compares two files", dataset.ErrUsage)
		}
		return dataset.RowDiffFiles(ctx, a.dir, d.Args[0], d.Args[1], o.RowSettings, each)
	}
	return r.RowDiff(ctx, dataset.RowDiffOptions{Args: d.Args, Dash: d.Dash, RenameLimit: d.RenameLimit, Remote: o.remote, Each: each, RowSettings: o.RowSettings})
}

// reportChange writes what changed as Markdown, as variables, or for GitHub as a notice.
func (a *app) reportChange(reports []string, markdown, title, sentence, outputs string) error {
	return a.writeReports(reports, func(form string) ([]byte, error) {
		switch form {
		case "github":
			return []byte(report.Notice(title, sentence)), nil
		case "dotenv":
			return []byte(dotenv(outputs)), nil
		}
		return []byte(markdown), nil
	}, func() string { return outputs })
}

// dotenv are outputs as variables, TARN_NAME=value. GitLab takes at most 5 KB of them: a list that is too long is left out.
func dotenv(outputs string) string {
	var b strings.Builder
	for line := range strings.Lines(outputs) {
		if name, value, _ := strings.Cut(line, "="); len(value) <= 4096 {
			b.WriteString("TARN_" + strings.ToUpper(name) + "=" + value)
		}
	}
	return b.String()
}
