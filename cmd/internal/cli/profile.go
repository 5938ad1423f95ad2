package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"tarn/internal/dataset"
)

func (a *app) profileCommand() *cobra.Command {
	var o dataset.ProfileOptions
	var contract, schema string
	cmd := verb{
		use: "profile [[REV:]DATASET… | FILE…]", group: "data",
		short: "Show what the columns of tables hold",
		long: `Counts rows, nulls and different values, and shows minimum, mean, maximum, the
spread and the most frequent values of each column of CSV, JSON lines and
Parquet. Files with the same ending in one directory are one table, unless the
contract beside the manifest says otherwise. A version comes from the workspace
where that is unchanged, else from the cache, else from the remote; other files
are read as they stand. A profile is kept: the same bytes are never read twice.
docs/drift.md says how values are read and how exact the numbers are.`,
		example: "  tarn profile\n  tarn profile data v1.2:data/train.csv\n  tarn profile new.csv --json",
		codes:   []int{exitIncomplete, exitCorrupt},
	}.command(func(ctx context.Context, args []string) error {
		o.Targets, o.Contract = args, firstOf(contract, schema)
		res, err := a.profiled(ctx, o)
		if res == nil {
			return err
		}
		a.tell(res.Problems)
		v := profileView(res)
		v.media = o.Media
		if serr := a.show("profile", v); err == nil {
			err = serr
		}
		return err
	})
	f := cmd.Flags()
	f.StringVar(&contract, "contract", "", "`FILE` of the contract")
	f.StringVar(&schema, "schema", "", "`FILE` with a Table Schema")
	f.BoolVar(&o.Media, "media", false, "pictures and text files, too: each is a row")
	f.StringVarP(&o.Remote, "remote", "r", "", "`NAME` of the remote to read from")
	cmd.MarkFlagsMutuallyExclusive("contract", "schema")
	return cmd
}

func (a *app) profiled(ctx context.Context, o dataset.ProfileOptions) (*dataset.ProfileResult, error) {
	r, files, err := a.openFor(ctx, o.Targets)
	switch {
	case err != nil:
		return nil, err
	case files:
		return dataset.ProfileFiles(ctx, a.dir, o, r, a.reporter())
	}
	return r.Profile(ctx, o)
}

// openFor opens the repository for arguments that need one; files says that all are on the disk, where r may be nil.
func (a *app) openFor(ctx context.Context, args []string) (r *dataset.Repo, files bool, err error) {
	r, err = a.open(ctx)
	if err != nil {
		if !errors.Is(err, dataset.ErrNoRepo) || !r.Files(ctx, a.dir, args) {
			return nil, false, err
		}
		return nil, true, nil
	}
	return r, r.Files(ctx, a.dir, args), nil
}
