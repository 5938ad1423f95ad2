package dataset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tarn/index"
	"tarn/index/vcs"
)

// unresolved is a dataset that has to be merged.
type unresolved struct {
	dataset  string
	prefixes []string // the parts of it that the user named; "" is all
	sides    *sides
}

// unresolved finds the datasets that Git could not merge, or merged wrongly, at or above or below the paths. What is named and needs nothing is a result.
func (r *Repo) unresolved(ctx context.Context, args []string, res *ResolveResult) ([]unresolved, error) {
	stages, err := r.git.Unmerged(ctx)
	if err != nil {
		return nil, fmt.Errorf("list manifests: %w", err)
	}
	asked, err := r.named(ctx, args, stages)
	if err != nil {
		return nil, err
	}
	head, _, err := r.git.Head(ctx)
	if err != nil {
		return nil, err
	}
	var todo []unresolved
	for _, d := range sortedKeys(asked) {
		u := unresolved{dataset: d, prefixes: asked[d]}
		if st, ok := stages[d+ManifestSuffix]; ok {
			u.sides, err = r.stagedSides(ctx, d, st)
		} else {
			u.sides, err = r.brokenSides(ctx, d, len(args) > 0)
		}
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			res.Problems = append(res.Problems, Problem{Dataset: d, Side: "git", Err: err})
		case u.sides != nil:
			u.sides.head = head
			todo = append(todo, u)
		case len(args) > 0:
			res.Datasets = append(res.Datasets, Resolved{Dataset: d, Nothing: true})
		}
	}
	return todo, nil
}

// named are the datasets that the user means, with the parts of them.
func (r *Repo) named(ctx context.Context, args []string, stages map[string]vcs.Stages) (map[string][]string, error) {
	names, err := r.datasets(ctx)
	if err != nil {
		return nil, err
	}
	for p := range stages {
		names = append(names, strings.TrimSuffix(p, ManifestSuffix))
	}
	asked := map[string][]string{}
	if len(args) == 0 {
		for _, d := range names {
			asked[d] = []string{""}
		}
	}
	for _, arg := range args {
		p, err := r.rel(arg)
		if err != nil {
			return nil, err
		}
		p, found := strings.TrimSuffix(p, ManifestSuffix), false
		for _, d := range names {
			prefix := ""
			if !under(d, p) {
				if !under(p, d) {
					continue
				}
				prefix = p[len(d)+1:]
			}
			if found = true; !slices.Contains(asked[d], prefix) {
				asked[d] = append(asked[d], prefix)
			}
		}
		if !found {
			return nil, fmt.Errorf("%w: %s is not in a dataset and there is none below it", ErrUsage, arg)
		}
	}
	return asked, nil
}

// brokenSides are the sides of a manifest that Git takes for merged and that is not: it has conflict markers, a path twice, or a file below a file. nil: it is
// good. That no two of its pages are at odds is looked at only where the user names it.
func (r *Repo) brokenSides(ctx context.Context, dataset string, isNamed bool) (*sides, error) {
	v, err := r.readManifest(dataset)
	if err == nil && v != nil && isNamed {
		err = r.checkPages(ctx, dataset, v)
	}
	switch {
	case err == nil, !isNamed && !isMergeError(err):
		return nil, nil
	case !isMergeError(err) && !errors.Is(err, index.ErrPage):
		return nil, err
	}
	s, serr := r.committedSides(ctx, dataset)
	if errors.Is(serr, errNotMerging) {
		s, serr = r.markedSides(dataset)
	}
	if errors.Is(serr, errNotMerging) {
		m := dataset + ManifestSuffix
		return nil, &Hinted{fmt.Errorf("%w, and %w", err, serr), fmt.Sprintf("git log -- %s, then git checkout COMMIT -- %s", m, m)}
	}
	return s, serr
}

// checkPages walks a manifest of pages that a merge may have put together.
func (r *Repo) checkPages(ctx context.Context, dataset string, v *version) error {
	if len(v.Pages) == 0 {
		return nil
	}
	if _, ok, err := r.git.Merging(ctx, dataset+ManifestSuffix); err != nil || !ok {
		return err
	}
	for _, err := range index.Walk(ctx, v.Manifest, r.anywhere(dataset), "") {
		if err != nil {
			return err
		}
	}
	return nil
}
