package dataset

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"tarn/index"
	"tarn/index/vcs"
)

// LogOptions say which history to show.
type LogOptions struct {
	Args        []string // revisions and ranges, then paths
	Dash        int      // how many of Args stand before "--"; negative: there was none
	Max         int      // most commits; 0: all
	FirstParent bool     // follow the first parent of merges only, and show what each brought
	Each        func(LogEntry) error
}

// LogEntry is a commit that made another version of a dataset.
type LogEntry struct {
	Commit        string
	Author, Email string
	Date          string // of the author, RFC 3339
	Subject       string

	Dataset string
	From    string // its name before, where its manifest was renamed
	Status  string // of the manifest: "added", "removed", "renamed", "modified"
	Version string // id of the version that the commit made; empty where it removed the dataset
	Files   int64  // of that version
	Bytes   int64
	Counts        // against the version before; all zero where Err is set
	Err     error // why what changed is not known
}

// LogResult is what log did.
type LogResult struct {
	Commits  int
	Problems []Problem
}

// errCut is no fault: what a commit changed can't be told without the one before it.
var errCut = &Hinted{errors.New("a shallow clone cuts history off here"), "git fetch --unshallow"}

// Log hands the versions of datasets to o.Each, newest first: each against the one in the first parent. A merge is among them where it made a version that no
// parent has. A dataset whose manifest was renamed is followed under its former name. What changed in a version whose pages are nowhere is not known; the others
// go on, and the error then wraps ErrIncomplete.
func (r *Repo) Log(ctx context.Context, o LogOptions) (*LogResult, error) {
	revs, args, err := r.splitArgs(ctx, o.Args, o.Dash)
	if err != nil {
		return nil, err
	}
	l := &logging{r: r, o: o, res: &LogResult{}, sources: r.sources()}
	if l.picks, err = r.picks(args); err != nil {
		return nil, err
	}
	if _, err = r.openCache(); err != nil {
		return nil, err
	}
	if l.cut, err = r.git.Boundary(); err != nil {
		return nil, err
	}
	if len(revs) == 0 {
		if _, ok, err := r.git.Head(ctx); err != nil || !ok {
			return l.res, err
		}
	}
	lo := vcs.LogOptions{FirstParent: o.FirstParent}
	for _, rev := range revs {
		lo.Revs = append(lo.Revs, rev.String())
	}
	for c, err := range r.git.Log(ctx, lo) {
		if err == nil {
			err = l.commit(ctx, c)
		}
		if err != nil {
			return l.res, err
		}
		if o.Max > 0 && l.res.Commits == o.Max {
			break
		}
	}
	return l.res, outcome(ctx.Err(), l.res.Problems)
}

// logging is one Log.
type logging struct {
	r       *Repo
	o       LogOptions
	res     *LogResult
	picks   picks // with the former names of what was renamed, as far as history was followed
	cut     map[string]bool
	sources func(dataset string) index.Source
}

func (l *logging) commit(ctx context.Context, c vcs.Commit) error {
	shown := false
	for _, m := range c.Manifests {
		p := newPair(m)
		if p.parts = p.picked(l.picks); len(p.parts) == 0 {
			continue
		}
		l.follow(p)
		e := LogEntry{Commit: c.ID, Author: c.Author, Email: c.Email, Date: c.Date, Subject: c.Subject, Dataset: p.name}
		if err := l.compare(ctx, p, &e); err != nil {
			return err
		}
		if e.Err == nil && p.parts[0].Prefix != "" && !e.Any() {
			continue // the part that is asked for did not change
		}
		shown = true
		if err := l.o.Each(e); err != nil {
			return err
		}
	}
	if shown {
		l.res.Commits++
	}
	return nil
}

// follow adds the former name of what is picked, for the commits before.
func (l *logging) follow(p pair) {
	if p.from == p.name || len(l.picks) == 0 {
		return
	}
	for _, t := range l.picks.of(p.name) {
		l.picks = append(l.picks, Target{p.from, t.Prefix}.String())
	}
}

// compare finds out what changed; only a failure that ends the run is returned.
func (l *logging) compare(ctx context.Context, p pair, e *LogEntry) error {
	l.r.report.Phase("log "+p.name, -1, -1)
	d := &differ{r: l.r, res: &DiffResult{}, sources: l.sources}
	ds := d.entry(p.name)
	d.renames = renames{limit: DefaultRenameLimit, emit: func(c DiffChange) error { ds.count(&c); return nil }}
	err := d.logged(ctx, p, ds, e, l.cut[e.Commit])
	if ctx.Err() != nil {
		return ctx.Err()
	}
	e.From, e.Status = ds.From, ds.Status
	if err == nil {
		e.Counts = ds.Counts
		return nil
	}
	if e.Err = err; !errors.Is(err, errCut) {
		problem := l.r.pageProblem(p.name, err)
		e.Err = problem.Err
		problem.Err = fmt.Errorf("commit %.10s: %w", e.Commit, problem.Err)
		l.res.Problems = append(l.res.Problems, problem)
	}
	return nil
}

// logged compares the two versions of a commit. A dataset that came or went as a whole is counted without its pages.
func (d *differ) logged(ctx context.Context, p pair, ds *DatasetDiff, e *LogEntry, cut bool) error {
	old, err := d.read(ctx, p.old)
	if err != nil {
		return err
	}
	new, err := d.read(ctx, p.new)
	if err != nil {
		return err
	}
	if new != nil {
		e.Version = new.id.String()
		e.Files, e.Bytes = index.Totals(new.Manifest)
	}
	ds.stand(p, old, new)
	whole := p.parts[0].Prefix == ""
	switch {
	case cut:
		ds.Status = ""
		return errCut
	case old == nil && whole:
		ds.Added, ds.BytesAdded = index.Totals(new.manifest())
		return nil
	case new == nil && whole:
		ds.Removed, ds.BytesRemoved = index.Totals(old.manifest())
		return nil
	}
	return cmp.Or(d.versions(ctx, p, old, new), d.renames.flush())
}
