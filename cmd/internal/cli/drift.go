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
)

// driftOptions are the flags of drift.
type driftOptions struct {
	dataset.DriftOptions
	contract, schema string
	compat           string
	failOn           string
	reports          []string
	all              bool
}

func (a *app) driftCommand() *cobra.Command {
	var o driftOptions
	var cmd *cobra.Command
	cmd = verb{
		use: "drift [REV [REV]] [--] [NAME… | FILE FILE]", group: "data",
		short: "Find out whether the values of tables drifted",
		long: `Compares the columns of two versions, or of two files: the distributions of
numbers, the shares of categories, nulls, and what is new or gone. Without REV
it compares HEAD with the manifests of the work tree, with one REV that commit
with these, with two REV (or A..B) both; A...B begins where B left A. --against
merge-base begins where HEAD left the branch that it will be merged into. NAME
is a dataset or a part of one. The size of an effect decides, p-values inform;
limits are in the contract. Reports are github, gitlab, html, junit, markdown
and sarif. docs/drift.md has the definitions.`,
		example: "  tarn drift\n  tarn drift v1.0 data\n  tarn drift --against merge-base --report markdown\n  tarn drift v1.0 --report html=drift.html\n  tarn drift old.csv new.csv",
		codes:   []int{exitDiffers, exitIncomplete, exitCorrupt},
		means: map[int]string{exitDiffers: "something drifted", exitUsage: "wrong arguments or contract, or nothing to judge",
			exitFailed: "could not: disk, network; or profiles leave it open", exitIncomplete: "a table could not be had; others were compared"},
	}.command(func(ctx context.Context, args []string) error {
		o.Args, o.Dash = args, cmd.ArgsLenAtDash()
		return a.runDrift(ctx, &o)
	})
	f := cmd.Flags()
	f.StringVar(&o.Against, "against", "", "compare with `REV`, or merge-base")
	f.StringVar(&o.contract, "contract", "", "`FILE` of the contract")
	f.StringVar(&o.schema, "schema", "", "`FILE` with a Table Schema")
	f.BoolVar(&o.Exact, "exact", false, "read all values, wherever they are")
	f.StringVar(&o.compat, "compat", "", "PSI as `TOOL` has it: "+strings.Join(drift.Compats, ", "))
	f.StringVar(&o.failOn, "fail-on", "error", "`LEVEL`: error, warning, never")
	f.StringArrayVar(&o.reports, "report", nil, "also write a report, `FORM[=FILE]`")
	f.BoolVar(&o.Media, "media", false, "pictures and text files, too: each is a row")
	f.BoolVar(&o.Check, "check", false, "hold the new version against its contract, too")
	f.BoolVar(&o.NoValues, "no-values", false, "show no value of the data")
	f.BoolVarP(&o.all, "all", "a", false, "the bins of every column")
	f.StringVarP(&o.Remote, "remote", "r", "", "`NAME` of the remote to read from")
	cmd.MarkFlagsMutuallyExclusive("contract", "schema")
	return cmd
}

func (o *driftOptions) prepare(a *app) error {
	if err := wantFailOn(o.failOn); err != nil {
		return err
	}
	if err := o.prepareReports(a); err != nil {
		return err
	}
	if o.compat != "" && !drift.IsCompat(o.compat) {
		return fmt.Errorf("%w: --compat is one of %s, not %q", dataset.ErrUsage, strings.Join(drift.Compats, ", "), o.compat)
	}
	o.Compat, o.Contract = drift.Compat(o.compat), firstOf(o.contract, o.schema)
	// What runners say that a branch will be merged into, then what clones know.
	for _, env := range []string{"GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"} {
		if b := a.Getenv(env); b != "" {
			o.Targets = append(o.Targets, "origin/"+b, b)
		}
	}
	o.Targets = append(o.Targets, "origin/HEAD", "origin/main", "origin/master", "main", "master")
	return nil
}

func (a *app) runDrift(ctx context.Context, o *driftOptions) error {
	if err := o.prepare(a); err != nil {
		return err
	}
	res, err := a.drifted(ctx, o)
	if res == nil {
		return err
	}
	a.tell(res.Problems)
	v := driftView(res)
	v.all = o.all
	var checks []*report.Result
	if res.Checks != nil {
		checks = res.Checks.Results
	}
	verdict := o.verdict(res.Reports, checks)
	shown := a.show("drift", v)
	reported := a.report(o.reports, slices.Concat(res.Reports, checks), err, verdict, func() ([]byte, error) { return o.page(res) })
	if err = errors.Join(err, shown, reported); err != nil {
		return err
	}
	return verdict
}

func (a *app) drifted(ctx context.Context, o *driftOptions) (*dataset.DriftResult, error) {
	r, err := a.open(ctx)
	if err != nil {
		if !errors.Is(err, dataset.ErrNoRepo) {
			return nil, err
		}
		r = nil
	}
	if o.Dash < 0 && o.Against == "" && r.IsFilePair(ctx, a.dir, o.Args) {
		return dataset.DriftFiles(ctx, a.dir, o.DriftOptions, r, a.reporter())
	}
	if r == nil {
		return nil, err
	}
	return r.Drift(ctx, o.DriftOptions)
}

// verdict turns verdicts, and the results of checks, into the exit code.
func (o *driftOptions) verdict(rs, checks []*report.Result) error {
	n := report.Total(slices.Concat(rs, checks))
	switch err := allRan(checks); {
	case err != nil:
		return err
	case failed(n, o.failOn):
		return dataset.ErrDiffers
	case n.Broken > 0:
		return &dataset.Hinted{Err: fmt.Errorf("profiles leave open whether %s passed a limit", many(int64(n.Broken), "value")), Hint: "tarn drift --exact"}
	case n.Passed+n.Errors+n.Warnings == 0:
		return fmt.Errorf("%w: nothing was judged: no table, or too few values", dataset.ErrUsage)
	}
	return nil
}
