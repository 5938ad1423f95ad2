package dataset

import (
	"context"
	"errors"
	"fmt"

	"tarn/index"
	"tarn/store/blob"
)

// LsOptions say what to list.
type LsOptions struct {
	Paths     []string // [REV:]PATH; none: all datasets of the work tree
	Recursive bool     // what is in directories and datasets, not their names alone
	Remote    string   // for pages that are not in the cache; empty: that of each dataset
}

// Listed is a dataset, or an entry of one.
type Listed struct {
	Rev     string // as the user wrote it; "" where he wrote none
	Dataset string
	Version string       // of a dataset: its id
	Files   int64        // of a dataset: entries
	Bytes   int64        // of a dataset: of all its files
	Entry   *index.Entry // nil for a dataset; a directory that is not gone into is a Dir, empty or not
}

// Ls tells each about datasets and entries of any version, in the order of their paths, while it reads: memory does not grow with them. What can't be
// read is a Problem, and the error wraps ErrIncomplete or ErrCorrupt. An error of each ends it.
func (r *Repo) Ls(ctx context.Context, o LsOptions, each func(Listed) error) ([]Problem, error) {
	if err := r.knownRemote(o.Remote); err != nil {
		return nil, err
	}
	paths := []revPath{{}}
	if len(o.Paths) > 0 {
		paths = nil
	} else if err := r.bareHead(ctx, &paths[0]); err != nil {
		return nil, err
	}
	for _, arg := range o.Paths {
		p, err := r.revPath(ctx, arg)
		if err != nil {
			return nil, err
		}
		paths = append(paths, p)
	}
	l := &listing{r: r, o: o, each: each}
	r.report.Phase("ls", -1, -1)
	for _, p := range paths {
		if err := l.path(ctx, p); err != nil {
			return l.problems, err
		}
	}
	return l.problems, outcome(nil, l.problems)
}

// bareHead makes the root of the work tree that of HEAD, where there is no work tree. Before the first commit that is an empty one.
func (r *Repo) bareHead(ctx context.Context, p *revPath) error {
	if r.root != "" {
		return nil
	}
	head, ok, err := r.git.Head(ctx)
	if ok {
		p.commit = head
	}
	return err
}

// listing is one run of Ls.
type listing struct {
	r        *Repo
	o        LsOptions
	each     func(Listed) error
	problems []Problem
}

func (l *listing) path(ctx context.Context, p revPath) error {
	t, v, err := l.r.ownerAt(ctx, p.commit, p.path)
	switch {
	case err != nil:
		return l.problem(ctx, t, err)
	case v != nil:
		return l.entries(ctx, p, t, v)
	}
	names, err := l.r.datasetsAt(ctx, p.commit, p.path)
	if err != nil {
		return err
	}
	if len(names) == 0 && p.path != "" {
		return p.noDataset()
	}
	for _, d := range names {
		if err := l.dataset(ctx, p, d); err != nil {
			return err
		}
	}
	return nil
}

// dataset lists one that was found below a directory.
func (l *listing) dataset(ctx context.Context, p revPath, d string) error {
	v, err := l.r.versionAt(ctx, p.commit, d)
	if err != nil || v == nil { // nil: its manifest was deleted, and Git's index still has it
		return l.problem(ctx, Target{Dataset: d}, err)
	}
	if l.o.Recursive {
		return l.entries(ctx, p, Target{Dataset: d}, v)
	}
	row := Listed{Rev: p.rev, Dataset: d, Version: v.id.String()}
	row.Files, row.Bytes = index.Totals(v.Manifest)
	return l.each(row)
}

// entries lists what is in a dataset at its prefix.
func (l *listing) entries(ctx context.Context, p revPath, t Target, v *version) error {
	list := index.List
	if l.o.Recursive {
		list = index.Walk
	}
	found := t.Prefix == ""
	for e, err := range list(ctx, v.Manifest, l.r.from(t.Dataset, l.o.Remote), t.Prefix) {
		if err != nil {
			return l.problem(ctx, t, err)
		}
		found = true
		if err := l.each(Listed{Rev: p.rev, Dataset: t.Dataset, Entry: &e}); err != nil {
			return err
		}
		l.r.report.Add(1, 0)
	}
	if !found {
		return p.noPath(t)
	}
	return nil
}

// problem notes what concerns one dataset; an interruption ends the run.
func (l *listing) problem(ctx context.Context, t Target, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		l.problems = append(l.problems, Problem{Dataset: t.Dataset, Path: t.Prefix, Err: missingPages(err)})
	}
	return nil
}

// missingPages says in one sentence why the pages of a manifest can't be had.
func missingPages(err error) error {
	var h *Hinted
	switch {
	case errors.Is(err, errNoPage) && errors.As(err, &h):
		return fmt.Errorf("%w from the cache: pages of its manifest: %w", ErrIncomplete, h)
	case errors.Is(err, blob.ErrNotFound):
		return fmt.Errorf("%w from the cache and the remote: pages of its manifest; nobody has pushed them", ErrIncomplete)
	}
	return sorted(err)
}
