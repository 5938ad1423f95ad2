package cli

import (
	"context"

	"github.com/spf13/cobra"

	"tarn/internal/dataset"
)

type checkIgnoreResult struct {
	Paths   []checkedPath `json:"paths"`
	verbose bool
}

type checkedPath struct {
	Path    jsonPath `json:"path"`
	Ignored bool     `json:"ignored"`
	File    jsonPath `json:"file,omitempty"`
	Line    int      `json:"line,omitempty"`
	Pattern jsonPath `json:"pattern,omitempty"`
	arg     string
}

func (a *app) checkIgnoreCommand() *cobra.Command {
	var verbose bool
	cmd := verb{
		use: "check-ignore PATH…", group: "other", args: cobra.MinimumNArgs(1),
		short: "Say which paths .tarnignore leaves out of datasets",
		long: `Like git check-ignore: prints those of the paths that are ignored, and with -v
the rule that decided, as FILE:LINE:PATTERN and the path; also one that starts
with "!", which keeps a path. Paths need not exist; one that ends in "/" is a
directory. Exit code 1 says that none is ignored.`,
		example: "  tarn check-ignore -v data/tmp/x.log",
		codes:   []int{exitDiffers},
	}.command(func(ctx context.Context, args []string) error {
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		checks, err := r.CheckIgnore(args)
		if err != nil {
			return err
		}
		v := &checkIgnoreResult{Paths: []checkedPath{}, verbose: verbose}
		err = dataset.ErrDiffers
		for _, c := range checks {
			v.Paths = append(v.Paths, checkedPath{jsonPath(c.Path), c.Ignored, jsonPath(c.Rule.File), c.Rule.Line, jsonPath(c.Rule.Pattern), c.Arg})
			if c.Ignored {
				err = nil
			}
		}
		if serr := a.show("check-ignore", v); serr != nil {
			return serr
		}
		return err
	})
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "say which rule decided")
	return cmd
}

// Rows are the paths.
func (r *checkIgnoreResult) Rows(yield func(any) bool) {
	for _, c := range r.Paths {
		if !yield(c) {
			return
		}
	}
}

// Text is as git check-ignore prints it.
func (r *checkIgnoreResult) Text(p *printer) {
	for _, c := range r.Paths {
		switch {
		case r.verbose && c.File != "":
			p.f("%s:%d:%s\t%s\n", c.File, c.Line, c.Pattern, c.arg)
		case r.verbose && c.Pattern != "":
			p.f("(built in):0:%s\t%s\n", c.Pattern, c.arg)
		case !r.verbose && c.Ignored:
			p.f("%s\n", c.arg)
		}
	}
}
