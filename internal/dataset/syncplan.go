package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"tarn/index"
	"tarn/store/blob"
	"tarn/store/digest"
	"tarn/store/pack"
	"tarn/store/remote"
)

// syncName names a root or page.
type syncName struct {
	kind remote.Kind
	id   digest.Digest
}

// syncNode is a root or page that a version needs, and what it names itself. Where b has one of its own, that counts: its locations may be others.
type syncNode struct {
	syncName
	size     int64 // bytes of the object
	packs    []remote.PackRef
	children []syncName
	upper    bool // a page of pages
	paged    bool // a root of pages: its pack table is made of those of its pages, and packs is that of b's
	fromB    bool // what b has is relied on
	replaces bool // b has one that is broken, or names packs that it lacks
	writes   bool // b lacks it, or has another one
	err      error
	side     *conn // of err
	counted  bool
}

// syncPack is a pack that a version needs.
type syncPack struct {
	remote.PackRef
	there   bool // b has it, whole
	done    bool // it was copied, or could not be
	counted bool
	err     error
	side    *conn // of err
}

// plan finds out what versions need, and what of it b has.
func (s *syncing) plan(ctx context.Context, vs []*syncVersion) (err error) {
	if s.doomed = new(remote.Condemned); s.b != nil {
		if s.doomed, err = s.b.rem.Condemned(ctx); err != nil {
			return onRemote(s.b.name, err)
		}
	}
	roots := make([]syncName, len(vs))
	for i, v := range vs {
		roots[i] = syncName{remote.KindRoot, v.id}
	}
	for {
		if err := s.load(ctx, roots); err != nil {
			return err
		}
		again, err := s.look(ctx)
		if err != nil || !again {
			return err
		}
	}
}

// load reads what is not known of roots and of all that they name, level by level.
func (s *syncing) load(ctx context.Context, level []syncName) error {
	seen := map[digest.Digest]bool{}
	for len(level) > 0 {
		var fresh []syncName
		for _, w := range level {
			if s.nodes[w.id] == nil {
				fresh = append(fresh, w)
			}
		}
		if err := s.read(ctx, fresh); err != nil {
			return err
		}
		var next []syncName
		for _, w := range level {
			for _, c := range s.nodes[w.id].children {
				if !seen[c.id] {
					seen[c.id] = true
					next = append(next, c)
				}
			}
		}
		level = next
	}
	return nil
}

// read reads objects, several at once, from b where that has them.
func (s *syncing) read(ctx context.Context, names []syncName) error {
	var rel remote.Relied
	for _, w := range names {
		if w.kind == remote.KindRoot {
			rel.Roots = append(rel.Roots, w.id)
		} else {
			rel.Pages = append(rel.Pages, w.id)
		}
	}
	missing, err := s.confirm(ctx, s.b, rel)
	if err != nil {
		return err
	}
	nodes := make([]*syncNode, len(names))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.r.jobs())
	for i, w := range names {
		g.Go(func() (err error) {
			nodes[i], err = s.node(gctx, w, s.b != nil && !missing.Roots[w.id] && !missing.Pages[w.id])
			s.r.report.Add(1, 0)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, n := range nodes {
		s.nodes[n.id] = n
	}
	return nil
}

// confirm looks at objects of a remote; where nothing is yet, all are missing.
func (s *syncing) confirm(ctx context.Context, c *conn, rel remote.Relied) (*remote.Missing, error) {
	if c == nil {
		m := &remote.Missing{Packs: map[digest.Digest]bool{}}
		for _, p := range rel.Packs {
			m.Packs[p.Name] = true
		}
		return m, nil
	}
	m, err := c.rem.Confirm(ctx, rel, s.r.jobs())
	return m, onRemote(c.name, err)
}

// node reads one object: that of b if it can be relied on, else that of a.
func (s *syncing) node(ctx context.Context, w syncName, there bool) (*syncNode, error) {
	n := &syncNode{syncName: w, writes: true}
	var old *remote.Object
	if there {
		o, err := s.b.object(ctx, w.kind, w.id, s.o.Verify || s.reread[w.id])
		switch {
		case err == nil && !s.heal[w.id]:
			n.fromB, n.writes = true, false
			return n, n.take(o, s.purged(o), s.b)
		case err == nil:
			old = o
		case isCorrupt(err):
		case !errors.Is(err, blob.ErrNotFound):
			return nil, err
		}
		n.replaces = true
	}
	o, err := s.a.object(ctx, w.kind, w.id, true) // what is remembered may be old, and its packs gone
	switch {
	case errors.Is(err, blob.ErrNotFound):
		n.err, n.side = fmt.Errorf("%w: it is not there", ErrIncomplete), s.a
		return n, nil
	case isCorrupt(err):
		n.err, n.side = err, s.a
		return n, nil
	case err != nil:
		return nil, err
	}
	n.writes = old == nil || !bytes.Equal(old.Encode(), o.Encode())
	return n, n.take(o, s.purged(o), s.b)
}

// take notes what an object names; refused is why it may not be brought.
func (n *syncNode) take(o *remote.Object, refused error, by *conn) error {
	n.size, n.packs = int64(len(o.Encode())), slices.Clone(o.Packs)
	n.err, n.side = refused, by
	var refs []index.Ref
	switch n.kind {
	case remote.KindRoot:
		m, err := index.Parse(o.Subject)
		if err != nil {
			return err
		}
		refs, n.paged = m.Pages, len(m.Pages) > 0
	case remote.KindPage:
		p, err := index.ParsePage(o.Subject)
		if err != nil {
			return err
		}
		refs, n.upper = p.Refs, p.Level > 0
	}
	for _, ref := range refs {
		n.children = append(n.children, syncName{remote.KindPage, ref.Digest})
	}
	for _, rec := range o.Records {
		for _, cp := range rec.Pages {
			n.children = append(n.children, syncName{remote.KindChunks, cp.Digest})
		}
	}
	return nil
}

// needs are the packs of an object itself.
func (n *syncNode) needs() []remote.PackRef {
	if n.paged {
		return nil
	}
	return n.packs
}

// look asks b for the packs that are needed. again says that objects of b name packs that it lacks: they are read anew, and then those of a are taken.
func (s *syncing) look(ctx context.Context) (again bool, err error) {
	var ask remote.Relied
	for _, n := range s.nodes {
		for _, p := range n.needs() {
			if s.packs[p.Name] == nil {
				s.packs[p.Name] = &syncPack{PackRef: p}
				ask.Packs = append(ask.Packs, p)
			}
		}
	}
	missing, err := s.confirm(ctx, s.b, ask)
	if err != nil {
		return false, err
	}
	for _, p := range ask.Packs {
		s.packs[p.Name].there = !missing.Packs[p.Name]
	}
	for id, n := range s.nodes {
		if n.err != nil {
			continue
		}
		for _, ref := range n.needs() {
			p, doomed := s.packs[ref.Name], s.doomed.Pack(ref.Name)
			switch {
			case n.fromB && (!p.there || doomed || p.Size != ref.Size):
				again = true
				s.heal[id] = s.reread[id]
				s.reread[id] = true
				delete(s.nodes, id)
			case doomed:
				p.err, p.side = fmt.Errorf("%w: a gc is about to delete it there; sync again once that has ended", ErrIncomplete), s.b
			case p.Size != ref.Size:
				n.err, n.side = fmt.Errorf("%w: it gives pack %s another size than others do", remote.ErrObject, ref.Name.Short()), s.a
			}
			if s.nodes[id] == nil {
				break
			}
		}
	}
	return again, nil
}

// purged says that an object names what was deleted from b on purpose.
func (s *syncing) purged(o *remote.Object) error {
	if !s.doomed.HasPurged() {
		return nil
	}
	var names []digest.Digest
	if o.Kind == remote.KindChunks {
		cs, err := o.ChunkList()
		if err != nil {
			return err
		}
		for _, c := range cs {
			names = append(names, c.Digest)
		}
	} else {
		entries, err := subjectEntries(o)
		if err != nil {
			return err
		}
		for _, f := range files(entries) {
			names = append(names, f.Digest)
		}
	}
	for _, rec := range o.Records {
		for _, c := range rec.Chunks {
			names = append(names, c.Digest)
		}
	}
	if slices.ContainsFunc(names, s.doomed.Purged) {
		return errPurged
	}
	return nil
}

var errPurged = fmt.Errorf("%w: it has what was purged and may not be pushed again", ErrRefused)

// allow says whether b may get a pack.
func (s *syncing) allow(body []byte) error {
	p, err := pack.Open(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return fmt.Errorf("%w: %w", remote.ErrObject, err)
	}
	if slices.ContainsFunc(p.Records(), func(r pack.Record) bool { return s.doomed.Purged(r.Digest) }) {
		return errPurged
	}
	return nil
}

// walk calls visit with each object that a version needs, once, children before parents.
func (s *syncing) walk(v *syncVersion, visit func(*syncNode)) {
	seen := map[digest.Digest]bool{}
	var down func(d digest.Digest)
	down = func(d digest.Digest) {
		n := s.nodes[d]
		if n == nil || seen[d] {
			return
		}
		seen[d] = true
		for _, c := range n.children {
			down(c.id)
		}
		visit(n)
	}
	down(v.id)
}

// whole says that nothing that a version needs has failed, and notes what did.
func (s *syncing) whole(v *syncVersion) bool {
	ok := true
	s.walk(v, func(n *syncNode) {
		if n.err != nil {
			ok = false
			s.fail(v, remote.Name(n.kind, n.id), n.side, n.err)
		}
		for _, ref := range n.needs() {
			if p := s.packs[ref.Name]; p.err != nil {
				ok = false
				s.fail(v, remote.PackName(p.Name), p.side, p.err)
			}
		}
	})
	return ok
}
