package cli

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"tarn/internal/dataset"
)

type restoreResult struct {
	Commit   string     `json:"commit"`
	Datasets []restored `json:"datasets"`
	Seconds  float64    `json:"seconds"`
	Problems []problem  `json:"problems"`
}

type restored struct {
	Dataset  jsonPath `json:"dataset"`
	Part     jsonPath `json:"part,omitempty"`
	Manifest jsonPath `json:"manifest"`
	Changed  bool     `json:"changed"`
	Fetched  int64    `json:"files_fetched"`
	Received int64    `json:"bytes_fetched"`
	Written  int64    `json:"written"`
	Bytes    int64    `json:"bytes_written"`
	Removed  int64    `json:"removed"`
	Same     int64    `json:"unchanged"`
	Kept     int64    `json:"untracked_kept"`
}

func (a *app) restoreCommand() *cobra.Command {
	var o dataset.RestoreOptions
	cmd := verb{
		use: "restore --from REV PATH…", group: "data",
		short: "Roll datasets back to a revision",
		long: `Makes datasets, or the parts of them that PATH names, what they were in the
revision: the manifest, which is then to be committed, and the workspace. What
is not in the cache is fetched. A dataset whose bytes can't all be had, or whose
workspace has something that would be lost, stays as it is, unless --force is
given. Untracked files stay. A dataset that was removed since comes back.`,
		example: "  tarn restore --from HEAD~1 data\n  tarn restore --from v1.2 data/2024/june.csv\n  tarn restore --from main --force data",
		codes:   []int{exitIncomplete, exitRefused, exitCorrupt},
	}.command(func(ctx context.Context, args []string) error {
		o.Paths = args
		if o.From == "" {
			return &dataset.Hinted{Err: fmt.Errorf("%w: from which revision?", dataset.ErrUsage), Hint: "tarn restore --from HEAD " + strings.Join(args, " ")}
		}
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		res, err := r.Restore(ctx, o)
		if res == nil {
			return err
		}
		a.tell(res.Problems)
		if serr := a.show("restore", restoreView(res)); err == nil {
			err = serr
		}
		return err
	})
	f := cmd.Flags()
	f.StringVar(&o.From, "from", "", "the revision `REV`: a commit, branch or tag")
	f.StringVarP(&o.Remote, "remote", "r", "", "`NAME` of the remote (default: the dataset's, or yours)")
	f.IntVarP(&a.jobs, "jobs", "j", 0, "transfers at once (default: transfer.jobs, or 6)")
	f.BoolVarP(&o.Force, "force", "f", false, "overwrite and remove also what is not in the cache")
	return cmd
}

func restoreView(res *dataset.RestoreResult) *restoreResult {
	v := &restoreResult{Commit: res.Commit, Datasets: []restored{}, Seconds: res.Seconds, Problems: problems(res.Problems)}
	for _, d := range res.Datasets {
		v.Datasets = append(v.Datasets, restored{
			jsonPath(d.Dataset), jsonPath(d.Prefix), jsonPath(d.Manifest), d.Changed, d.Fetched, d.Received, d.Written, d.Bytes, d.Removed, d.Same, d.Kept,
		})
	}
	return v
}

// Rows are the datasets.
func (r *restoreResult) Rows(yield func(any) bool) {
	for _, d := range r.Datasets {
		if !yield(d) {
			return
		}
	}
}

// Text is a line a dataset, and what to type next.
func (r *restoreResult) Text(p *printer) {
	var stage []string
	for _, d := range r.Datasets {
		name := p.paint(bold, p.path(path.Join(string(d.Dataset), string(d.Part))))
		switch {
		case d.Written+d.Removed > 0:
			p.f("%s  %s written (%s), %s removed, %s unchanged\n", name, count(d.Written), size(d.Bytes), count(d.Removed), count(d.Same))
		case d.Changed:
			p.f("%s  the manifest was restored; the files were as they should be\n", name)
		default:
			p.f("%s  as in %.12s\n", name, r.Commit)
		}
		if d.Fetched > 0 {
			p.f("  %s fetched, %s\n", many(d.Fetched, "file"), size(d.Received))
		}
		if d.Kept > 0 {
			p.f("  %s untracked kept\n", many(d.Kept, "path"))
		}
		if d.Changed {
			stage = append(stage, p.path(string(d.Manifest)))
		}
	}
	if len(stage) > 0 && len(stage) <= 8 {
		p.f("\nNext: git add %s && git commit\n", strings.Join(stage, " "))
	}
}
