package dataset

import (
	"context"
	"errors"
	"iter"

	"tarn/index"
)

// gap is a run of a version's entries whose page is not here: only a part of the dataset was pulled, and nobody asked for these.
type gap struct {
	first, end string // paths from first up to, not including, end; "" is the end of the dataset
	entries    int64
	seen       int64 // of those, entries that the index knows
}

// gapped is a version with gaps.
type gapped struct {
	there []index.Ref // pages of level 0 that are here
	gaps  []gap
}

// findGaps looks which pages are here. Where none of them is missing there are no gaps.
func (s *survey) findGaps(ctx context.Context) (*gapped, error) {
	g := &gapped{}
	if s.v == nil || len(s.v.Pages) == 0 {
		return g, nil
	}
	return g, s.gapsIn(ctx, g, s.v.Pages, "", -1)
}

// gapsIn goes through one list of pages, of a level that is -1 until a page was read.
func (s *survey) gapsIn(ctx context.Context, g *gapped, refs []index.Ref, end string, level int) error {
	store, err := s.r.openCache()
	if err != nil {
		return err
	}
	for i, ref := range refs {
		next := end
		if i+1 < len(refs) {
			next = refs[i+1].First
		}
		if !store.Has(ref.Digest) {
			g.gaps = append(g.gaps, gap{first: ref.First, end: next, entries: ref.Entries})
			continue
		}
		if level == 0 {
			g.there = append(g.there, ref)
			continue
		}
		b, err := s.r.local().Page(ctx, ref.Digest)
		if err != nil {
			return err
		}
		p, err := index.ParsePage(b)
		if err != nil {
			return err
		}
		if level = p.Level; level == 0 {
			g.there = append(g.there, ref)
			continue
		}
		if err := s.gapsIn(ctx, g, p.Refs, next, level-1); err != nil {
			return err
		}
	}
	return nil
}

// rowsHere is rows of the part of the manifest that the target is about. Where pages come from the cache only, and the index is of this very version, it
// does without those that are not there: in a gap an entry that was checked out is what it was then, and the gap counts it.
func (s *survey) rowsHere(ctx context.Context, src index.Source) (iter.Seq2[row, error], *gapped, error) {
	g := &gapped{}
	if p := s.manifestPrefix(); p != "" {
		rows, err := s.rowsUnder(ctx, src, p)
		return rows, g, err
	}
	local, ok := src.(*pageSource)
	if base, _ := s.base(); ok && local.remote == nil && s.v != nil && base == s.v.id {
		found, err := s.findGaps(ctx)
		if err != nil && !errors.Is(err, errNoPage) {
			return nil, g, err
		}
		if err == nil {
			g = found
		}
	}
	if len(g.gaps) == 0 {
		rows, err := s.rows(ctx, src)
		return rows, g, err
	}
	rows, err := s.rowsOf(ctx, index.Walk(ctx, &index.Manifest{Form: s.v.Form, Pages: g.there}, src, ""))
	return g.fill(rows), g, err
}

// fill gives rows in gaps the manifest's entry that the index remembers.
func (g *gapped) fill(rows iter.Seq2[row, error]) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		at := 0
		for r, err := range rows {
			for at < len(g.gaps) && g.gaps[at].end != "" && r.path >= g.gaps[at].end {
				at++
			}
			if err == nil && r.m == nil && at < len(g.gaps) && r.path >= g.gaps[at].first {
				if r.m = baseOf(r.r); r.m != nil {
					g.gaps[at].seen++
				}
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// unseen is how many entries of gaps the index does not know: they were never here.
func (g *gapped) unseen() (n int64) {
	for _, x := range g.gaps {
		n += x.entries - x.seen
	}
	return n
}

// manifestPrefix is the part of the manifest that the target is about; a dataset that is one file has no parts.
func (s *survey) manifestPrefix() string {
	if s.v == nil || s.v.Form == index.FormFile {
		return ""
	}
	return s.t.Prefix
}

// restWhole says whether all that the target does not cover is checked out, as far as the index knows.
func (s *survey) restWhole() bool {
	base, whole := s.base()
	return s.t.Prefix == "" || whole && s.v != nil && base == s.v.id
}

// emptyAbove says that the manifest has a directory above the target as empty, which its part that was read does not show.
func (c *checkout) emptyAbove(ctx context.Context, d string) bool {
	if c.t.Prefix == "" || under(d, c.t.Prefix) {
		return false
	}
	_, ok, err := index.Lookup(ctx, c.s.v.Manifest, c.pages(), d+"/")
	return ok || err != nil
}
