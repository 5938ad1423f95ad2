package dataset

import (
	"context"
	"slices"

	"tarn/index"
	"tarn/store/cache"
	"tarn/store/digest"
)

// manifestMerge is one merge of a dataset's manifests: of resolve, or of the merge driver.
type manifestMerge struct {
	r       *Repo
	dataset string
	sides   *sides
	choose  func(path string) Take // what is decided about a conflict
	named   []string               // paths in the dataset that are to have conflicts

	root                     []byte // of the merged version, once nothing is open; nil: there is none
	id                       digest.Digest
	added, modified, deleted int64
	decided, open            int64
	conflicts                []Conflict // open ones
	unmet                    []string   // of those named
}

// run merges. Pages that it makes are in the cache when it returns.
func (m *manifestMerge) run(ctx context.Context, store *cache.Cache) error {
	m.r.report.Phase("merge "+m.dataset, -1, -1)
	m.unmet = slices.Clone(m.named)
	if why := m.sides.whole(); why != "" {
		return m.takeWhole(why)
	}
	ours, theirs, bases := m.sides.ours.v, m.sides.theirs.v, m.sides.bases
	if len(bases) == 1 && bases[0] != nil {
		switch bases[0].id { // only one side changed
		case ours.id:
			m.root, m.id = theirs.raw, theirs.id
			return nil
		case theirs.id:
			m.root, m.id = ours.raw, ours.id
			return nil
		}
	}
	merge := m.sides.merge(m.r.anywhere(m.dataset))
	for c, err := range merge.Changes(ctx, m.conflict) {
		if err != nil {
			return err
		}
		m.count(c)
	}
	if m.open > 0 {
		return nil
	}
	var err error
	m.root, m.id, err = m.r.applyMerge(ctx, merge, store, func(c index.Conflict) index.Choice { return choices[m.choose(c.Path)] })
	return err
}

// conflict hears of one, and answers what was decided about it.
func (m *manifestMerge) conflict(c index.Conflict) index.Choice {
	take := m.decide(c.Path)
	if take == TakeNone && len(m.conflicts) < maxListed {
		m.conflicts = append(m.conflicts, Conflict{Conflict: c})
	}
	return choices[take]
}

func (m *manifestMerge) decide(path string) Take {
	m.unmet = slices.DeleteFunc(m.unmet, func(p string) bool { return under(path, p) })
	take := m.choose(path)
	if take == TakeNone {
		m.open++
	} else {
		m.decided++
	}
	return take
}

func (m *manifestMerge) count(c index.Change) {
	switch {
	case c.Old == nil:
		m.added++
	case c.New == nil:
		m.deleted++
	default:
		m.modified++
	}
}

// takeWhole is for versions that have no paths in common: one of them has to be taken. Both is what there is.
func (m *manifestMerge) takeWhole(why string) error {
	ours, theirs := m.sides.ours, m.sides.theirs
	take := m.decide("")
	if take == TakeBoth && theirs.v != nil && ours.v == nil {
		take = TakeTheirs
	}
	s := ours
	if take == TakeTheirs {
		s = theirs
	}
	switch {
	case take == TakeNone:
		m.conflicts = []Conflict{{Whole: why}}
	case s.err != nil:
		return s.err
	case s.v != nil:
		m.root, m.id = s.v.raw, s.v.id
	}
	return nil
}

// applyMerge makes the merged manifest, and its pages in the cache.
func (r *Repo) applyMerge(ctx context.Context, merge *index.Merge, store *cache.Cache, choose func(index.Conflict) index.Choice) (root []byte, id digest.Digest, err error) {
	w := store.NewWriter()
	root, id, err = index.Apply(ctx, merge.Ours, merge.Source, merge.Changes(ctx, choose), func(_ digest.Digest, page []byte) error {
		_, _, err := w.AddBytes(page)
		return err
	})
	if err == nil {
		_, _, err = w.AddBytes(root)
	}
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	return root, id, err
}
