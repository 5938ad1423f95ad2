package cli

import (
	"context"

	"github.com/spf13/cobra"

	"tarn/internal/dataset"
)

type pruneResult struct {
	Objects     int64   `json:"objects"`
	ObjectBytes int64   `json:"object_bytes"`
	Blobs       int64   `json:"blobs"`
	BlobBytes   int64   `json:"blob_bytes"`
	Packs       int64   `json:"packs_removed"`
	Rewritten   int64   `json:"packs_rewritten"`
	Freed       int64   `json:"freed_bytes"`
	Linked      int64   `json:"linked_objects"`
	LinkedBytes int64   `json:"linked_bytes"`
	Waste       int64   `json:"unneeded_bytes"`
	Verified    int     `json:"versions_verified"`
	Incomplete  int     `json:"versions_incomplete"`
	Local       int     `json:"versions_local"`
	DryRun      bool    `json:"dry_run"`
	Seconds     float64 `json:"seconds"`
	all         bool
}

func (a *app) cachePruneCommand() *cobra.Command {
	var o dataset.PruneOptions
	cmd := verb{
		use: "prune", args: cobra.NoArgs,
		short: "Drop what was just seen on a remote",
		long: `Looks at the versions in Git's history. Of one that a branch of Git's remote has
and that is complete on its remote for data (each page and pack is looked at)
the bytes are dropped from the cache. What another version needs stays, and so
does what the work trees are at, unless --all is given; what files are links to;
and what no version names. Others that use the cache wait meanwhile.`,
		example: "  tarn cache prune --dry-run\n  tarn cache prune --all -r origin",
		codes:   []int{exitRefused},
	}.command(func(ctx context.Context, _ []string) error {
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		res, err := r.Prune(ctx, o)
		if res == nil {
			return err
		}
		if serr := a.show("cache-prune", pruneView(res, o.All)); err == nil {
			err = serr
		}
		return err
	})
	f := cmd.Flags()
	f.BoolVarP(&o.DryRun, "dry-run", "n", false, "only say what would be dropped")
	f.BoolVarP(&o.All, "all", "a", false, "also what the work trees are at")
	f.StringVarP(&o.Remote, "remote", "r", "", "`NAME` of the remote to look at")
	f.BoolVarP(&o.Force, "force", "f", false, "also where one that shares the cache can't be read")
	return cmd
}

func pruneView(res *dataset.PruneResult, all bool) *pruneResult {
	return &pruneResult{
		res.Objects, res.ObjectBytes, res.Blobs, res.BlobBytes, res.Packs, res.Rewritten, res.Freed, res.Linked, res.LinkedBytes, res.Waste,
		res.Verified, res.Incomplete, res.Local, res.DryRun, res.Seconds, all,
	}
}

// Text says what went, and why the rest stays.
func (r *pruneResult) Text(p *printer) {
	did, what := "dropped", "freed"
	if r.DryRun {
		did, what = "would be dropped", "would be freed"
	}
	if n := r.Objects + r.Blobs; n > 0 {
		p.f("%s %s, %s %s\n", many(n, "object"), did, size(r.Freed), what)
	} else {
		p.f("Nothing to drop\n")
	}
	if r.Incomplete > 0 {
		p.f("  %s not complete on the remote: what they need stays\n", many(int64(r.Incomplete), "version"))
	}
	if r.Local > 0 {
		p.f("  %s in no branch of Git's remote: what they need stays\n", many(int64(r.Local), "version"))
	}
	if r.Linked > 0 {
		p.f("  %s stay, for files are links to them (%s)\n", many(r.Linked, "object"), size(r.LinkedBytes))
	}
	if r.Waste > 0 {
		p.f("  %s stay in packs that are mostly needed\n", size(r.Waste))
	}
	if r.Objects+r.Blobs == 0 && !r.all {
		p.f("  What the work trees are at stays; --all drops that, too\n")
	}
}
