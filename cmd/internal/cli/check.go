package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tarn/internal/check/report"
	"tarn/internal/dataset"
)

// checkOptions are the flags of check.
type checkOptions struct {
	dataset.CheckOptions
	contract, schema string
	init, force      bool
	export           string
	failOn           string
	reports          []string
}

func (a *app) checkCommand() *cobra.Command {
	var o checkOptions
	cmd := verb{
		use: "check [[REV:]DATASET… | FILE…]", group: "data",
		short: "Hold data against a contract",
		long: `Checks a version of a dataset against DATASET.contract.yaml (Open Data Contract
Standard) or DATASET.schema.json (Table Schema) beside its manifest: files,
tables, rows. It reads what the manifest says, from the workspace where that is
unchanged, else from the cache, else from the remote, and there only the parts
that it needs. With --contract or --schema and without REV it reads files or
directories as they stand on the disk, tracked or not, also outside of Git.
Reports are github, gitlab, html, junit, markdown and sarif. docs/checks.md
lists the checks.`,
		example: "  tarn check\n  tarn check data HEAD~5:data\n  tarn check new.csv --schema data.schema.json\n  tarn check --report junit=check.xml --report github\n  tarn check --init data",
		codes:   []int{exitDiffers, exitRefused, exitCorrupt},
		means: map[int]string{exitDiffers: "a check failed", exitUsage: "wrong arguments or contract, or nothing to check", exitFailed: "could not check: disk, network, permission",
			exitRefused: "--init: a contract is there; --force replaces it"},
	}.command(func(ctx context.Context, args []string) error {
		o.Targets = args
		return a.runCheck(ctx, &o)
	})
	f := cmd.Flags()
	f.StringVar(&o.contract, "contract", "", "`FILE` of the contract")
	f.StringVar(&o.schema, "schema", "", "`FILE` with a Table Schema")
	f.BoolVar(&o.init, "init", false, "write a contract that fits the data")
	f.BoolVar(&o.force, "force", false, "--init replaces a contract that is there")
	f.StringVar(&o.export, "export", "", "print the contract as `FORM`: odcs, table-schema")
	f.StringVar(&o.failOn, "fail-on", "error", "`LEVEL`: error, warning, never")
	f.BoolVar(&o.NoValues, "no-values", false, "show no value of the data")
	f.IntVar(&o.Shown, "max", 5, "violations to show of each check, `N`")
	f.StringArrayVar(&o.reports, "report", nil, "also write a report, `FORM[=FILE]`")
	f.StringVarP(&o.Remote, "remote", "r", "", "`NAME` of the remote to read from")
	cmd.MarkFlagsMutuallyExclusive("contract", "schema")
	cmd.MarkFlagsMutuallyExclusive("init", "export")
	return cmd
}

func (o *checkOptions) prepare(a *app) error {
	if err := wantFailOn(o.failOn); err != nil {
		return err
	}
	if o.Shown < 0 || o.Shown > 10_000 {
		return fmt.Errorf("%w: --max is a number from 0 to 10,000", dataset.ErrUsage)
	}
	if o.Shown == 0 {
		o.Shown = -1
	}
	if err := a.checkReports(o.reports, resultForms); err != nil {
		return err
	}
	o.Contract, o.Now = firstOf(o.contract, o.schema), time.Now()
	return nil
}

func (a *app) runCheck(ctx context.Context, o *checkOptions) error {
	if err := o.prepare(a); err != nil {
		return err
	}
	switch {
	case o.init:
		return a.initContract(ctx, o)
	case o.export != "":
		return a.exportContract(ctx, o)
	}
	res, err := a.checked(ctx, o)
	if res == nil {
		return err
	}
	a.tell(res.Problems)
	verdict := o.verdict(res.Results)
	shown := a.show("check", checkView(res))
	reported := a.report(o.reports, res.Results, err, verdict, func() ([]byte, error) { return checkPage(res, o.NoValues) })
	if err = errors.Join(err, shown, reported); err != nil {
		return err
	}
	return verdict
}

// checked runs against files on the disk where a contract is named and no revision is, else against versions of datasets.
func (a *app) checked(ctx context.Context, o *checkOptions) (*dataset.CheckResult, error) {
	onDisk := o.Contract != "" && len(o.Targets) > 0
	for _, t := range o.Targets {
		if _, err := os.Stat(filepath.Join(a.dir, t)); err != nil && !filepath.IsAbs(t) {
			onDisk = onDisk && !strings.Contains(t, ":")
		}
	}
	if onDisk {
		var around *dataset.Repo
		if len(o.reports) > 0 {
			around, _ = a.open(ctx) // reports name the contract as the repository does; where there is none, or none that can be opened, as the user did
		}
		return dataset.CheckFiles(ctx, a.dir, o.Targets, o.Contract, o.CheckSettings, around, a.reporter())
	}
	r, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	return r.Check(ctx, o.CheckOptions)
}

// verdict turns results into the exit code.
func (o *checkOptions) verdict(rs []*report.Result) error {
	n := report.Total(rs)
	switch err := allRan(rs); {
	case err != nil:
		return err
	case failed(n, o.failOn):
		return dataset.ErrDiffers
	case n.Broken+n.Incomplete > 0:
		return fmt.Errorf("could not check: %s", many(int64(n.Broken+n.Incomplete), "check"))
	}
	return nil
}

// allRan is an error for a result that says nothing, as each of its checks was skipped: a name that is wrong in the contract must not pass.
func allRan(rs []*report.Result) error {
	for _, r := range rs {
		if r.Count().Ran() == 0 {
			return fmt.Errorf("%w: every check of %s was skipped, so nothing was checked", dataset.ErrUsage, r.Subject)
		}
	}
	return nil
}
