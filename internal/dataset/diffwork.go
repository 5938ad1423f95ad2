package dataset

import (
	"context"
	"iter"

	"tarn/index"
)

// work compares a manifest with what is in the workspace.
func (d *differ) work(ctx context.Context, p pair, old *version) error {
	ds := d.entry(p.name)
	if p.old.Path == "" && p.new.Path != "" && d.res.From != "" { // Git sees no change, or does not track it yet
		var err error
		if old, err = d.r.headManifest(ctx, d.res.From, p.name); err != nil {
			return err
		}
	}
	now, err := d.r.readManifest(p.name)
	if err != nil {
		return err
	}
	if now == nil && p.old.Path == "" { // a sparse checkout leaves it out
		return nil
	}
	ds.stand(p, old, now)
	if now == nil {
		return d.versions(ctx, p, old, nil)
	}
	for _, t := range p.parts {
		if err := d.workPart(ctx, p, t, old); err != nil {
			return err
		}
	}
	return nil
}

func (d *differ) workPart(ctx context.Context, p pair, t Target, old *version) error {
	l := &looking{r: d.r, verb: "diff", t: t, store: d.store, src: d.sources(t.Dataset)}
	var err error
	if l.s, err = d.r.newSurvey(t); err != nil {
		return err
	}
	defer l.s.close()
	ds := d.entry(p.name)
	if l.neverHere() {
		ds.Absent, _ = index.Totals(l.s.v.manifest())
		return d.versions(ctx, p, old, l.s.v)
	}
	p.parts = []Target{t}
	side, stop := d.oldSide(ctx, old, l)
	defer stop()
	l.visit = func(it *item, state State) error {
		if err := side.until(it.path, func(e *index.Entry) error { return d.put(p, e.Path, e, nil) }); err != nil {
			return err
		}
		was, err := side.at(it)
		if err != nil {
			return err
		}
		now := it.entry
		switch {
		case it.err != nil:
			return nil
		case state == NotCheckedOut:
			ds.Absent++
			now = it.m
		case state == Stale || state == Diverged:
			ds.Moved++
		}
		return d.put(p, it.path, was, now)
	}
	if err := l.againstWorkspace(ctx); err != nil {
		return err
	}
	d.res.Problems = append(d.res.Problems, l.problems...)
	return side.until("", func(e *index.Entry) error { return d.put(p, e.Path, e, nil) })
}

// oldSide gives the entries of the old version beside those of the manifest in the work tree: of the two only what differs is read.
type oldSide struct {
	changed func() (index.Change, error, bool)
	cur     index.Change
	err     error
	ok      bool
}

func (d *differ) oldSide(ctx context.Context, old *version, l *looking) (*oldSide, func()) {
	next, stop := iter.Pull2(index.Diff(ctx, old.manifest(), l.s.v.manifest(), l.src, l.src))
	s := &oldSide{changed: next}
	s.step()
	return s, stop
}

func (s *oldSide) step() { s.cur, s.err, s.ok = s.changed() }

// until hands over the old entries before path that the work tree's manifest does not have; an empty path is the end.
func (s *oldSide) until(path string, each func(*index.Entry) error) error {
	for ; s.ok && (path == "" || s.cur.Path < path || s.err != nil); s.step() {
		if s.err != nil {
			return s.err
		}
		if s.cur.Old != nil {
			if err := each(s.cur.Old); err != nil {
				return err
			}
		}
	}
	return nil
}

// at is the old entry at an item's path, once until has come there.
func (s *oldSide) at(it *item) (*index.Entry, error) {
	if !s.ok || s.cur.Path != it.path {
		return it.m, nil
	}
	was := s.cur.Old
	s.step()
	return was, nil
}
