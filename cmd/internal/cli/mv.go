package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"tarn/internal/dataset"
)

type mvResult struct {
	From  jsonPath   `json:"from"`
	To    jsonPath   `json:"to"`
	Data  bool       `json:"checked_out"`
	Stage []jsonPath `json:"stage"`
}

func (a *app) mvCommand() *cobra.Command {
	return verb{
		use: "mv SRC DST", group: "data", args: cobra.ExactArgs(2),
		short: "Give a dataset another name",
		long: `Moves the files, the manifest, the line in .gitignore and the configuration of a
dataset, together or not at all; nothing is read or copied. A DST that is a
directory is where the dataset goes. Nothing is staged in Git.`,
		example: "  tarn mv data images\n  tarn mv images archive/2024",
	}.command(func(ctx context.Context, args []string) error {
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		res, err := r.Move(ctx, args[0], args[1])
		if err != nil {
			return err
		}
		return a.show("mv", mvView(res))
	})
}

func mvView(res *dataset.Moved) *mvResult {
	return &mvResult{jsonPath(res.From), jsonPath(res.To), res.Data, jsonPaths(res.Stage)}
}

// Text says where it is now, and what to type next.
func (r *mvResult) Text(p *printer) {
	p.f("%s  is now %s", p.path(string(r.From)), p.paint(bold, p.path(string(r.To))))
	if !r.Data {
		p.f(", not checked out")
	}
	var stage []string
	for _, s := range r.Stage {
		stage = append(stage, p.path(string(s)))
	}
	p.f("\n\nNext: git add -A %s && git commit\n", strings.Join(stage, " "))
}
