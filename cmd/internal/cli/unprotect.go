package cli

import (
	"context"

	"github.com/spf13/cobra"

	"tarn/internal/dataset"
)

type unprotectResult struct {
	Datasets []unprotected `json:"datasets"`
	Seconds  float64       `json:"seconds"`
	Problems []problem     `json:"problems"`
}

type unprotected struct {
	Dataset jsonPath `json:"dataset"`
	Part    jsonPath `json:"part,omitempty"`
	Files   int64    `json:"files"`
	Bytes   int64    `json:"bytes"`
	Private int64    `json:"private_files"`
}

func (a *app) unprotectCommand() *cobra.Command {
	return verb{
		use: "unprotect PATH…", group: "data", args: cobra.MinimumNArgs(1),
		short: "Replace links into the cache by files of their own",
		long: `Where cache.link is hardlink or symlink, files of the workspace are objects of
the cache and can't be written to. This replaces them by copies, at once and
whole, so that programs can edit them in place. Files that were reflinked or
copied are left as they are.`,
		example: "  tarn unprotect data\n  tarn unprotect data/2024/june.csv",
		codes:   []int{exitIncomplete, exitCorrupt},
	}.command(func(ctx context.Context, args []string) error {
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		res, err := r.Unprotect(ctx, args)
		if res == nil {
			return err
		}
		a.tell(res.Problems)
		if serr := a.show("unprotect", unprotectView(res)); err == nil {
			err = serr
		}
		return err
	})
}

func unprotectView(res *dataset.UnprotectResult) *unprotectResult {
	v := &unprotectResult{Datasets: []unprotected{}, Seconds: res.Seconds, Problems: problems(res.Problems)}
	for _, d := range res.Datasets {
		v.Datasets = append(v.Datasets, unprotected{jsonPath(d.Dataset), jsonPath(d.Prefix), d.Files, d.Bytes, d.Private})
	}
	return v
}

// Rows are the datasets.
func (r *unprotectResult) Rows(yield func(any) bool) {
	for _, d := range r.Datasets {
		if !yield(d) {
			return
		}
	}
}

// Text is a line a dataset.
func (r *unprotectResult) Text(p *printer) {
	for _, d := range r.Datasets {
		name := p.paint(bold, p.path(string(d.Dataset)+slashed(string(d.Part))))
		if d.Files == 0 {
			p.f("%s  no links into the cache\n", name)
			continue
		}
		p.f("%s  %s replaced by copies (%s), %s no links\n", name, many(d.Files, "link"), size(d.Bytes), count(d.Private))
	}
}

// slashed is a part as it follows its dataset.
func slashed(part string) string {
	if part == "" {
		return ""
	}
	return "/" + part
}
