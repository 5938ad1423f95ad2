package cli

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tarn/internal/dataset"
)

type addResult struct {
	Datasets   []addedDataset `json:"datasets"`
	Read       int64          `json:"bytes_read"`
	Sent       int64          `json:"bytes_transferred,omitempty"`
	Remembered []jsonPath     `json:"remembered,omitempty"`
	Seconds    float64        `json:"seconds"`
	Problems   []problem      `json:"problems"`
	keep       dataset.Keeping
}

type addedDataset struct {
	Dataset  jsonPath `json:"dataset"`
	Part     jsonPath `json:"part,omitempty"`
	Manifest jsonPath `json:"manifest"`
	Remote   string   `json:"remote,omitempty"`
	Changed  bool     `json:"changed"`
	Files    int64    `json:"files"`
	Bytes    int64    `json:"bytes"`
	NewFiles int64    `json:"new_files"`
	NewBytes int64    `json:"new_bytes"`
	Reused   int64    `json:"reused_files"`
	Kept     int64    `json:"unread_files"`
	Added    int64    `json:"added"`
	Modified int64    `json:"modified"`
	Deleted  int64    `json:"deleted"`
}

func (a *app) addCommand() *cobra.Command {
	var o dataset.AddOptions
	var toRemote notKept
	cmd := verb{
		use: "add PATH…", group: "data",
		short: "Record files or directories as datasets",
		long: `Hashes PATH into the cache and writes its manifest PATH.tarn, which Git tracks;
PATH itself is ignored by Git from then on. A PATH inside a dataset updates
only that part, and needs none of the other files here. Files that did not
change are not read. Nothing is staged in Git.

--to-remote is for data that must not be kept twice: what the remote lacks goes
there out of the workspace, and not into the cache. It is remembered for the
dataset, here; --to-remote=false undoes it.`,
		example: "  tarn add data\n  tarn add data/2024/june.csv\n  tarn add --update\n  tarn add --to-remote data",
		codes:   []int{exitIncomplete, exitRefused},
	}.command(func(ctx context.Context, args []string) error {
		o.Paths, o.Keep = args, toRemote.keep
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		res, err := r.Add(ctx, o)
		if res == nil {
			return err
		}
		a.tell(res.Problems)
		if serr := a.show("add", addView(res, o.Keep)); err == nil {
			err = serr
		}
		return err
	})
	cmd.Flags().BoolVarP(&o.Update, "update", "u", false, "every tracked dataset that changed")
	cmd.Flags().BoolVarP(&o.Force, "force", "f", false, "also where the manifest moved on meanwhile")
	toRemote.flag(cmd, "to-remote", "the bytes go to the remote only")
	a.selectionFlags(cmd, nil, &o.Remote)
	return cmd
}

func addView(res *dataset.AddResult, keep dataset.Keeping) *addResult {
	v := &addResult{Datasets: []addedDataset{}, Read: res.Read, Sent: res.Sent, Remembered: jsonPaths(res.Remembered), Seconds: res.Seconds, Problems: problems(res.Problems), keep: keep}
	for _, d := range res.Datasets {
		v.Datasets = append(v.Datasets, addedDataset{
			jsonPath(d.Dataset), jsonPath(d.Prefix), jsonPath(d.Manifest), d.Remote, d.Changed, d.Files, d.Bytes, d.NewFiles, d.NewBytes, d.Reused, d.Kept,
			d.Counts[dataset.New], d.Counts[dataset.Modified] + d.Counts[dataset.ModeChanged] + d.Counts[dataset.TypeChanged], d.Counts[dataset.Deleted],
		})
	}
	return v
}

// Rows are the datasets.
func (r *addResult) Rows(yield func(any) bool) {
	for _, d := range r.Datasets {
		if !yield(d) {
			return
		}
	}
}

// Text is a line a dataset, and what to type next.
func (r *addResult) Text(p *printer) {
	var stage, ignores []string
	for _, d := range r.Datasets {
		p.f("%s  %s, %s: ", p.paint(bold, p.path(string(d.Dataset))), many(d.Files, "file"), size(d.Bytes))
		d.text(p)
		if d.Changed {
			stage = append(stage, p.path(string(d.Manifest)))
			if i := p.path(path.Join(path.Dir(string(d.Manifest)), ".gitignore")); !slices.Contains(ignores, i) {
				ignores = append(ignores, i)
			}
		}
	}
	if len(r.Datasets) > 0 {
		p.f("%s\n", p.paint(dim, size(r.Read)+" read in "+seconds(r.Seconds)+rate(r.Read, r.Seconds)))
	}
	p.remembered(r.Remembered, r.keep, "tarn add --to-remote")
	if len(stage) > 0 && len(stage) <= 8 {
		p.f("\nNext: git add %s && git commit\n", strings.Join(append(ignores, stage...), " "))
	}
}

// text says what changed, and where the bytes went.
func (d *addedDataset) text(p *printer) {
	if d.Added+d.Modified+d.Deleted == 0 {
		p.f("unchanged")
	} else {
		p.f("%s new, %s changed, %s deleted", count(d.Added), count(d.Modified), count(d.Deleted))
	}
	switch {
	case d.Remote != "":
		p.f("; %s sent to %s", size(d.NewBytes), d.Remote)
	case d.Added+d.Modified+d.Deleted > 0 || d.NewBytes > 0:
		p.f("; %s stored", size(d.NewBytes))
		if d.Reused > 0 {
			p.f(", %s reused", many(d.Reused, "file"))
		}
	}
	p.f("\n")
}
