package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"tarn/index"
	"tarn/internal/dataset"
)

type resolveResult struct {
	Datasets []resolved `json:"datasets"`
	Seconds  float64    `json:"seconds"`
	Problems []problem  `json:"problems"`
}

type resolved struct {
	Dataset   jsonPath   `json:"dataset"`
	Verb      string     `json:"merging"`
	Merged    bool       `json:"merged"`
	Changed   bool       `json:"changed"`
	Removed   bool       `json:"removed"`
	Added     int64      `json:"added"`
	Modified  int64      `json:"modified"`
	Deleted   int64      `json:"deleted"`
	Decided   int64      `json:"decided"`
	Open      int64      `json:"open"`
	Conflicts []conflict `json:"conflicts"`
	nothing   bool
}

type conflict struct {
	Path   jsonPath   `json:"path"`
	Kind   string     `json:"kind"`
	Base   *entryView `json:"base,omitempty"`
	Ours   *entryView `json:"ours,omitempty"`
	Theirs *entryView `json:"theirs,omitempty"`
	sides  string     // both in words; "" where they are versions of the dataset
}

func (a *app) resolveCommand() *cobra.Command {
	var o dataset.ResolveOptions
	var ours, theirs, both bool
	cmd := verb{
		use: "resolve [PATH…]", group: "data",
		short: "Merge manifests that Git could not merge",
		long: `Merges path by path what two branches did to a dataset: in a merge, rebase,
cherry-pick, revert or stash pop that stopped, or where a merge was committed
that broke a manifest. Where both changed the same path it lists what each side
has, and leaves the manifest as it is. --ours, --theirs and --both decide: for
the conflicts at and below PATH, or for all; the longest PATH counts. --both
keeps ours, and theirs beside it as NAME.theirs. Ours and theirs are what Git
calls so: in a rebase, ours is the branch that you rebase onto.`,
		example: "  git merge feature || tarn resolve\n  tarn resolve --theirs data/labels",
		codes:   []int{exitIncomplete, exitRefused, exitCorrupt},
	}.command(func(ctx context.Context, args []string) error {
		o.Paths = args
		switch {
		case ours:
			o.Take = dataset.TakeOurs
		case theirs:
			o.Take = dataset.TakeTheirs
		case both:
			o.Take = dataset.TakeBoth
		}
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		res, err := r.Resolve(ctx, o)
		if res == nil {
			return err
		}
		a.tell(res.Problems)
		if serr := a.show("resolve", resolveView(res)); err == nil {
			err = serr
		}
		return err
	})
	f := cmd.Flags()
	f.BoolVar(&ours, "ours", false, "take our side where both changed a path")
	f.BoolVar(&theirs, "theirs", false, "take their side")
	f.BoolVar(&both, "both", false, "keep both, theirs under a name of its own")
	f.BoolVarP(&o.Force, "force", "f", false, "also where the manifest was changed after the merge")
	cmd.MarkFlagsMutuallyExclusive("ours", "theirs", "both")
	return cmd
}

func resolveView(res *dataset.ResolveResult) *resolveResult {
	v := &resolveResult{Datasets: []resolved{}, Seconds: res.Seconds, Problems: problems(res.Problems)}
	for _, d := range res.Datasets {
		v.Datasets = append(v.Datasets, resolved{jsonPath(d.Dataset), d.Verb, d.Merged, d.Changed, d.Removed, d.Added, d.Modified, d.Deleted, d.Decided, d.Open,
			conflictViews(d.Conflicts), d.Nothing})
	}
	return v
}

func conflictViews(cs []dataset.Conflict) []conflict {
	out := make([]conflict, len(cs))
	for i, c := range cs {
		out[i] = conflict{Path: jsonPath(c.Path), Kind: c.Kind(), Base: viewEntry(c.Base), Ours: viewEntry(c.Ours), Theirs: viewEntry(c.Theirs)}
		if c.Whole == "" {
			out[i].sides = "ours " + sideText(c.Ours, c.OursDir) + ", theirs " + sideText(c.Theirs, c.TheirsDir)
		}
	}
	return out
}

// Rows are the datasets.
func (r *resolveResult) Rows(yield func(any) bool) {
	for _, d := range r.Datasets {
		if !yield(d) {
			return
		}
	}
}

// Text says what was merged, what is to be decided, and what to type next.
func (r *resolveResult) Text(p *printer) {
	if len(r.Datasets)+len(r.Problems) == 0 {
		p.f("Nothing to resolve.\n")
	}
	for i := range r.Datasets {
		r.Datasets[i].text(p)
	}
}

func (d *resolved) text(p *printer) {
	name := p.paint(bold, p.path(string(d.Dataset)))
	if d.nothing {
		p.f("%s  nothing to resolve\n", name)
		return
	}
	var parts []string
	if d.Merged || d.Added+d.Modified+d.Deleted > 0 {
		parts = append(parts, count(d.Added)+" added, "+count(d.Modified)+" modified, "+count(d.Deleted)+" deleted by theirs")
	}
	if d.Decided > 0 {
		parts = append(parts, many(d.Decided, "conflict")+" decided")
	}
	if d.Open > 0 {
		parts = append(parts, many(d.Open, "conflict")+" to decide:")
	}
	p.f("%s  %s\n", name, strings.Join(parts, "; "))
	listConflicts(p, string(d.Dataset), d.Conflicts, d.Open)
	if d.Open > 0 && d.Verb == "rebase" {
		p.f("  In a rebase ours is the branch that you rebase onto, theirs are your commits.\n")
	}
	manifest := p.path(string(d.Dataset) + dataset.ManifestSuffix)
	switch {
	case d.Removed:
		p.f("  Next: git rm -q --cached %s\n", manifest)
	case d.Merged:
		p.f("  Next: git add %s && tarn checkout %s\n", manifest, p.path(string(d.Dataset)))
	}
}

func listConflicts(p *printer, name string, cs []conflict, open int64) {
	for i, c := range cs {
		if i == shownPaths {
			break
		}
		at := name
		if c.Path != "" && c.Path != "." {
			at += "/" + string(c.Path)
		}
		p.f("    %s\n", p.paint(red, c.Kind+": "+p.path(at)))
		if c.sides != "" {
			p.f("      %s\n", c.sides)
		}
	}
	if open > int64(min(len(cs), shownPaths)) {
		p.f("    … and %s more\n", count(open-int64(min(len(cs), shownPaths))))
	}
}

// sideText is a few words about what a side has.
func sideText(e *index.Entry, dir bool) string {
	switch {
	case dir:
		return "a directory"
	case e == nil:
		return "deleted"
	case e.Kind == index.Link:
		return "symlink to " + index.Quote(e.Target)
	case e.Kind == index.Dir:
		return "an empty directory"
	}
	return e.Kind.String() + " " + e.Digest.Short() + ", " + size(e.Size)
}
