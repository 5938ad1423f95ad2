package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"tarn/internal/dataset"
)

// gitMergeCommand is the merge driver that Git calls, with merge.tarn.driver = tarn git-merge %O %A %B %P. Git takes exit code 1 for a conflict.
func (a *app) gitMergeCommand() *cobra.Command {
	cmd := verb{
		use: "git-merge BASE OURS THEIRS PATH", args: cobra.ExactArgs(4),
		short: "Merge a manifest, for Git",
		long: `Git calls it where .gitattributes says merge=tarn. BASE, OURS and THEIRS are
files; OURS takes the result. Exit code 1: there are conflicts, or it could not
merge; OURS has conflict markers then, and "tarn resolve" goes on from there.`,
		example: "  git config merge.tarn.driver 'tarn git-merge %O %A %B %P'",
		codes:   []int{exitDiffers},
	}.command(func(ctx context.Context, args []string) error {
		for i := range 3 {
			var err error
			if args[i], err = filepath.Abs(args[i]); err != nil {
				return err
			}
		}
		o := dataset.GitMergeOptions{Base: args[0], Ours: args[1], Theirs: args[2], Path: args[3]}
		r, err := a.open(ctx)
		if err != nil {
			err = errors.Join(err, dataset.LeaveConflict(o))
			a.reportError(err)
			return dataset.ErrDiffers
		}
		res, err := r.GitMerge(ctx, o)
		a.endProgress()
		if err == nil || ctx.Err() != nil {
			return err
		}
		if !errors.Is(err, dataset.ErrDiffers) {
			a.reportError(err)
			fmt.Fprintf(a.Err, "  then: tarn resolve %s\n", a.rel(res.Dataset))
			return dataset.ErrDiffers
		}
		p := &printer{w: a.Err, app: a}
		p.f("%s  %s to decide:\n", p.path(res.Dataset), many(res.Open, "conflict"))
		listConflicts(p, res.Dataset, conflictViews(res.Conflicts), res.Open)
		p.f("  Next: tarn resolve %s\n", p.path(res.Dataset))
		return err
	})
	cmd.Hidden = true
	return cmd
}
