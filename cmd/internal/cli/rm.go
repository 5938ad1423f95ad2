package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tarn/internal/dataset"
)

type rmResult struct {
	Datasets []removedDataset `json:"datasets"`
	Seconds  float64          `json:"seconds"`
	Problems []problem        `json:"problems"`
	delete   bool
}

type removedDataset struct {
	Dataset   jsonPath   `json:"dataset"`
	Stage     []jsonPath `json:"stage"`
	Files     int64      `json:"files_deleted"`
	Bytes     int64      `json:"bytes_deleted"`
	Left      int64      `json:"untracked_kept"`
	Untracked []jsonPath `json:"untracked"`
	stays     bool
}

func (a *app) rmCommand() *cobra.Command {
	var o dataset.RemoveOptions
	cmd := verb{
		use: "rm PATH…", group: "data", args: cobra.MinimumNArgs(1),
		short: "Stop tracking datasets",
		long: `Removes the manifest of each dataset and its line in .gitignore. The files stay
where they are, unless --delete is given: then those that the manifest names are
deleted, if none is modified or missing from the cache. Untracked files are kept
and named. Older versions stay in Git's history, in the cache and on remotes.
Nothing is staged in Git.`,
		example: "  tarn rm data\n  tarn rm --delete data/2019",
		codes:   []int{exitIncomplete, exitRefused},
	}.command(func(ctx context.Context, args []string) error {
		o.Paths = args
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		res, err := r.Remove(ctx, o)
		if res == nil {
			return err
		}
		a.tell(res.Problems)
		v := rmView(res)
		v.delete = o.Delete
		if serr := a.show("rm", v); err == nil {
			err = serr
		}
		return err
	})
	cmd.Flags().BoolVar(&o.Delete, "delete", false, "delete the files in the workspace, too")
	cmd.Flags().BoolVarP(&o.Force, "force", "f", false, "with --delete: also what is modified or not in the cache")
	return cmd
}

func rmView(res *dataset.RemoveResult) *rmResult {
	v := &rmResult{Datasets: []removedDataset{}, Seconds: res.Seconds, Problems: problems(res.Problems)}
	for _, d := range res.Datasets {
		v.Datasets = append(v.Datasets, removedDataset{jsonPath(d.Dataset), jsonPaths(d.Stage), d.Files, d.Bytes, d.Left, jsonPaths(d.Untracked), d.Stays})
	}
	return v
}

func jsonPaths(names []string) []jsonPath {
	out := make([]jsonPath, len(names))
	for i, n := range names {
		out[i] = jsonPath(n)
	}
	return out
}

// Rows are the datasets.
func (r *rmResult) Rows(yield func(any) bool) {
	for _, d := range r.Datasets {
		if !yield(d) {
			return
		}
	}
}

// Text is a line a dataset, and what to type next.
func (r *rmResult) Text(p *printer) {
	var stage []string
	for i := range r.Datasets {
		d := &r.Datasets[i]
		p.f("%s  no longer tracked; ", p.paint(bold, p.path(string(d.Dataset))))
		switch {
		case r.delete:
			p.f("%s deleted (%s)\n", many(d.Files, "path"), size(d.Bytes))
		case d.stays:
			p.f("its files stay, and Git no longer ignores them\n")
		default:
			p.f("it was not checked out\n")
		}
		d.untracked(p)
		for _, s := range d.Stage {
			stage = append(stage, p.path(string(s)))
		}
	}
	slices.Sort(stage)
	if stage = slices.Compact(stage); len(stage) > 0 && len(stage) <= 16 {
		p.f("\nNext: git add -u %s && git commit\n", strings.Join(stage, " "))
	}
}

func (d *removedDataset) untracked(p *printer) {
	for i, u := range d.Untracked {
		if i == shownPaths {
			break
		}
		p.f("  kept: %s, which is not tracked\n", p.path(string(d.Dataset)+"/"+string(u)))
	}
	if more := d.Left - int64(min(len(d.Untracked), shownPaths)); more > 0 {
		p.f("  … and %s more\n", count(more))
	}
}
