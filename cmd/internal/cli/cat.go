package cli

import (
	"context"

	"github.com/spf13/cobra"

	"tarn/internal/dataset"
)

func (a *app) catCommand() *cobra.Command {
	var o dataset.CatOptions
	cmd := verb{
		use: "cat [REV:]PATH", group: "data", args: cobra.ExactArgs(1),
		short: "Print a file of any version",
		long: `Writes the bytes of a file to stdout: from the cache, else from the remote, of
which only what is needed is asked for. They are checked before they are
written. PATH is read as by "tarn ls"; a symbolic link is followed inside of its
dataset. --range takes bytes as HTTP does: A-B with both ends, A- from A on, -N
the last N; what goes beyond the end is cut. With --json only errors are JSON.`,
		example: "  tarn cat data/readme.txt\n  tarn cat v1.2:data/log.csv\n  tarn cat data/big.bin --range 0-99",
		codes:   []int{exitIncomplete, exitCorrupt},
	}.command(func(ctx context.Context, args []string) error {
		o.Path = args[0]
		a.noProgress = a.noProgress || a.OutTTY
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		return r.Cat(ctx, o, a.Out)
	})
	cmd.Flags().StringVar(&o.Range, "range", "", "only the bytes `A-B`, A- or -N")
	cmd.Flags().StringVarP(&o.Remote, "remote", "r", "", "`NAME` of the remote (default: the dataset's, or yours)")
	return cmd
}
