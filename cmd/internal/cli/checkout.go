package cli

import (
	"context"

	"github.com/spf13/cobra"

	"tarn/internal/dataset"
)

type checkoutResult struct {
	Datasets []checkedOut `json:"datasets"`
	Seconds  float64      `json:"seconds"`
	Problems []problem    `json:"problems"`
}

type checkedOut struct {
	Dataset jsonPath `json:"dataset"`
	Written int64    `json:"written"`
	Bytes   int64    `json:"bytes_written"`
	Removed int64    `json:"removed"`
	Same    int64    `json:"unchanged"`
	Kept    int64    `json:"untracked_kept"`
}

func (a *app) checkoutCommand() *cobra.Command {
	var o dataset.CheckoutOptions
	cmd := verb{
		use: "checkout [PATH…]", group: "data",
		short: "Make the workspace match the manifests",
		long: `Brings files out of the cache. Only what differs is touched. Untracked files
stay, unless --clean is given. What is not in the cache is never lost: such
files are named and left alone, unless --force is given.`,
		example: "  git switch experiment && tarn checkout\n  tarn checkout data/2024",
		codes:   []int{exitIncomplete, exitRefused, exitCorrupt},
	}.command(func(ctx context.Context, args []string) error {
		o.Paths = args
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		res, err := r.Checkout(ctx, o)
		if res == nil {
			return err
		}
		a.tell(res.Problems)
		if serr := a.show("checkout", checkoutView(res)); err == nil {
			err = serr
		}
		return err
	})
	addCheckoutFlags(cmd, &o)
	return cmd
}

func addCheckoutFlags(cmd *cobra.Command, o *dataset.CheckoutOptions) {
	cmd.Flags().BoolVar(&o.Clean, "clean", false, "remove untracked files, too")
	cmd.Flags().BoolVarP(&o.Force, "force", "f", false, "overwrite and remove also what is not in the cache")
}

func checkoutView(res *dataset.CheckoutResult) *checkoutResult {
	v := &checkoutResult{Datasets: []checkedOut{}, Seconds: res.Seconds, Problems: problems(res.Problems)}
	for _, d := range res.Datasets {
		v.Datasets = append(v.Datasets, checkedOut{jsonPath(d.Dataset), d.Written, d.Bytes, d.Removed, d.Same, d.Kept})
	}
	return v
}

// Rows are the datasets.
func (r *checkoutResult) Rows(yield func(any) bool) {
	for _, d := range r.Datasets {
		if !yield(d) {
			return
		}
	}
}

// Text is a line a dataset that was touched.
func (r *checkoutResult) Text(p *printer) {
	var bytes int64
	for _, d := range r.Datasets {
		bytes += d.Bytes
		name := p.paint(bold, p.path(string(d.Dataset)))
		switch {
		case d.Written+d.Removed > 0:
			p.f("%s  %s written (%s), %s removed, %s unchanged\n", name, count(d.Written), size(d.Bytes), count(d.Removed), count(d.Same))
		case len(r.Problems) == 0:
			p.f("%s  up to date\n", name)
		}
		if d.Kept > 0 {
			p.f("  %s untracked kept\n", many(d.Kept, "path"))
		}
	}
	if bytes > 0 {
		p.f("%s\n", p.paint(dim, size(bytes)+" written in "+seconds(r.Seconds)+rate(bytes, r.Seconds)))
	}
}
