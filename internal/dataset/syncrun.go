package dataset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"tarn/store/blob"
	"tarn/store/digest"
	"tarn/store/remote"
	"tarn/store/transfer"
)

// A batch of versions gets its pins together: what an interrupted sync has pinned is done.
const (
	batchVersions = 64      // their roots are in memory
	batchCopied   = 4 << 30 // bytes of packs to copy
)

// batches brings the versions to b, some at once.
func (s *syncing) batches(ctx context.Context, todo []*syncVersion) error {
	var good []*syncVersion
	var total int64
	sizes, seen := map[digest.Digest]int64{}, map[digest.Digest]bool{}
	for _, v := range todo {
		if !s.whole(v) {
			continue
		}
		good = append(good, v)
		for _, p := range s.absent(v) {
			if !seen[p.Name] {
				seen[p.Name] = true
				sizes[v.id] += p.Size
			}
		}
		total += sizes[v.id]
	}
	s.r.report.Phase("sync", -1, total)
	for len(good) > 0 {
		n, sum := 0, int64(0)
		for n < len(good) && n < batchVersions && (n == 0 || sum+sizes[good[n].id] <= batchCopied) {
			sum += sizes[good[n].id]
			n++
		}
		if err := s.batch(ctx, good[:n]); err != nil {
			return err
		}
		good = good[n:]
	}
	return nil
}

// absent are the packs that a version needs and b lacks, each once.
func (s *syncing) absent(v *syncVersion) (out []*syncPack) {
	seen := map[digest.Digest]bool{}
	s.walk(v, func(n *syncNode) {
		for _, ref := range n.needs() {
			if p := s.packs[ref.Name]; !p.there && !p.done && !seen[p.Name] {
				seen[p.Name] = true
				out = append(out, p)
			}
		}
	})
	return out
}

// batch copies packs and publishes versions; where a gc or another client was in the way it begins again.
func (s *syncing) batch(ctx context.Context, vs []*syncVersion) error {
	for range claimTries {
		if err := s.copyPacks(ctx, vs); err != nil {
			return err
		}
		if err := s.readPins(ctx, vs); err != nil {
			return err
		}
		vs = slices.DeleteFunc(vs, func(v *syncVersion) bool { return !s.whole(v) || v.unwanted })
		if len(vs) == 0 {
			return nil
		}
		again, err := s.publish(ctx, vs)
		if err != nil || !again {
			return err
		}
		s.forget(vs)
		if err := s.plan(ctx, vs); err != nil {
			return err
		}
		vs = slices.DeleteFunc(vs, func(v *syncVersion) bool { return !s.whole(v) })
	}
	return fmt.Errorf("sync to %s: gone while it was brought, %d times; is a gc running?", s.b.rem, claimTries)
}

// forget drops what is known of versions.
func (s *syncing) forget(vs []*syncVersion) {
	var nodes []*syncNode
	for _, v := range vs {
		s.walk(v, func(n *syncNode) { nodes = append(nodes, n) })
	}
	for _, n := range nodes {
		for _, p := range n.needs() {
			delete(s.packs, p.Name)
		}
		delete(s.nodes, n.id)
	}
}

// copyPacks brings the packs of versions that b lacks.
func (s *syncing) copyPacks(ctx context.Context, vs []*syncVersion) error {
	var todo []*syncPack
	var refs []remote.PackRef
	for _, v := range vs {
		for _, p := range s.absent(v) {
			p.done = true
			todo, refs = append(todo, p), append(refs, p.PackRef)
		}
	}
	var allow func([]byte) error
	if s.doomed.HasPurged() {
		allow = s.allow
	}
	var mu sync.Mutex
	return transfer.Copy(ctx, s.a.rem, onto{s.b}, refs, s.r.jobs(), allow, func(i int, err error) error {
		mu.Lock()
		defer mu.Unlock()
		p := todo[i]
		switch {
		case err == nil:
			p.there, s.copied[p.Name] = true, true
			s.res.Packs.add(p.Size)
			s.r.report.Add(0, p.Size)
		case errors.Is(err, blob.ErrNotFound):
			p.err, p.side = fmt.Errorf("%w: it is not there", ErrIncomplete), s.a
		case isCorrupt(err):
			p.err, p.side = err, s.a
		case errors.Is(err, ErrRefused):
			p.err, p.side = err, s.b
		default:
			return onRemote(s.a.name, err)
		}
		return nil
	})
}

// onto says where a pack could not be put.
type onto struct{ c *conn }

// PutPack implements transfer.Putter.
func (o onto) PutPack(ctx context.Context, name digest.Digest, body []byte) error {
	return onRemote(o.c.name, o.c.rem.PutPack(ctx, name, body))
}

// readPins gets what the pins say that versions are to get. A pin that went away meanwhile is none.
func (s *syncing) readPins(ctx context.Context, vs []*syncVersion) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.r.jobs())
	texts, errs := make([][]remote.Pin, len(vs)), make([][]error, len(vs))
	for i, v := range vs {
		texts[i], errs[i] = make([]remote.Pin, len(v.pins)), make([]error, len(v.pins))
		for j, ref := range v.pins {
			if v.texts != nil {
				texts[i][j] = v.texts[j]
				continue
			}
			g.Go(func() (err error) {
				texts[i][j], err = s.a.rem.ReadPin(gctx, ref)
				if errors.Is(err, blob.ErrNotFound) || isCorrupt(err) {
					errs[i][j], err = err, nil
				}
				return onRemote(s.a.name, err)
			})
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, v := range vs {
		var pins []remote.PinRef
		v.texts = []remote.Pin{}
		for j, ref := range v.pins {
			switch err := errs[i][j]; {
			case err == nil:
				pins, v.texts = append(pins, ref), append(v.texts, texts[i][j])
			case isCorrupt(err):
				s.fail(v, ref.Key, s.a, err)
			}
		}
		v.unwanted = len(pins) == 0 && len(v.pins) > 0
		v.pins = pins
	}
	return nil
}

// publish hands the versions to the protocol of a push: claim, confirm, pages, roots, pins.
func (s *syncing) publish(ctx context.Context, vs []*syncVersion) (again bool, err error) {
	p := &push{r: s.r, c: s.b, res: &TransferResult{}, heal: map[digest.Digest]bool{}, built: map[digest.Digest]bool{}, texts: textsOf{s.b}}
	p.pins = func(ctx context.Context, _ []*published) error { return s.pin(ctx, vs) }
	var pubs []*published
	for _, v := range vs {
		pub, err := s.published(ctx, v)
		if err != nil {
			return false, err
		}
		if err := s.hand(ctx, p, v); err != nil {
			return false, err
		}
		pubs = append(pubs, pub)
	}
	if err := s.b.ledger.Flush(); err != nil {
		return false, err
	}
	if again, err = p.publish(ctx, pubs); again || err != nil {
		return again, err
	}
	for i, v := range vs {
		s.tally(v, pubs[i])
	}
	return false, nil
}

// textsOf gives the pages of manifests as a remote has, or is about to get, them.
type textsOf struct{ c *conn }

// Page implements index.Source.
func (t textsOf) Page(ctx context.Context, d digest.Digest) ([]byte, error) {
	o, err := t.c.object(ctx, remote.KindPage, d, false)
	if err != nil {
		return nil, err
	}
	return o.Subject, nil
}

// published is a version as a push has it.
func (s *syncing) published(ctx context.Context, v *syncVersion) (*published, error) {
	c := s.a
	if s.nodes[v.id].fromB {
		c = s.b
	}
	root, err := c.object(ctx, remote.KindRoot, v.id, false)
	if err != nil {
		return nil, err
	}
	parsed, err := parseVersion(root.Subject)
	if err != nil {
		return nil, err
	}
	pub := &published{wanted: wanted{version: parsed}, packs: map[digest.Digest]int64{}, kinds: map[digest.Digest]remote.Kind{}}
	if len(v.texts) > 0 {
		pub.Dataset = v.texts[0].Dataset // for messages
	}
	s.walk(v, func(n *syncNode) {
		for _, p := range n.needs() {
			pub.packs[p.Name] = p.Size
		}
		switch {
		case n.upper:
			pub.uppers = append(pub.uppers, n.id)
		case n.kind != remote.KindRoot:
			pub.add(n.kind, n.id)
		}
	})
	return pub, nil
}

// hand puts the objects of a that a version needs into what this clone knows of b, from where the push takes them.
func (s *syncing) hand(ctx context.Context, p *push, v *syncVersion) (err error) {
	s.walk(v, func(n *syncNode) {
		if n.replaces && !n.fromB {
			p.heal[n.id] = true
		}
		if err != nil || n.fromB || n.paged || p.built[n.id] {
			return
		}
		p.built[n.id] = true
		var o *remote.Object
		if o, err = s.a.object(ctx, n.kind, n.id, false); err != nil {
			return
		}
		if !slices.Equal(o.Packs, n.packs) {
			err = onRemote(s.a.name, fmt.Errorf("%s changed while it was copied; sync again", remote.Name(n.kind, n.id)))
			return
		}
		if n.kind == remote.KindChunks {
			err = s.b.ledger.LearnChunks(o)
			return
		}
		err = s.b.learn(o)
	})
	return err
}

// pin gives each version its pins, then puts the roots into the lists of recent ones.
func (s *syncing) pin(ctx context.Context, vs []*syncVersion) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.r.jobs())
	for _, v := range vs {
		for i, ref := range v.pins {
			g.Go(func() error { return s.b.rem.PutPin(gctx, ref.Origin, v.id, v.texts[i]) })
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	repositories := map[string]bool{}
	for _, v := range vs {
		s.pinned[v.id] = true
		for _, t := range v.texts {
			repositories[t.Repository] = true
		}
	}
	for _, id := range sortedKeys(repositories) {
		if err := s.recent(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// recent brings the list of a repository, without the roots that b does not have.
func (s *syncing) recent(ctx context.Context, repository string) error {
	if blob.CheckKey("recent/"+repository) != nil {
		return nil // what a pin says is not checked, and this is a hint
	}
	list, ok := s.recents[repository]
	if !ok {
		var err error
		if list, err = s.a.rem.Recent(ctx, repository); err != nil {
			return onRemote(s.a.name, err)
		}
		s.recents[repository] = list
	}
	list = slices.DeleteFunc(slices.Clone(list), func(d digest.Digest) bool { return !s.pinned[d] })
	if len(list) == 0 {
		return nil
	}
	return s.b.rem.AddRecent(ctx, repository, list)
}

// tally counts what a version that was published brought, but for packs, which count as they come.
func (s *syncing) tally(v *syncVersion, pub *published) {
	s.walk(v, func(n *syncNode) {
		for _, ref := range n.needs() {
			if p := s.packs[ref.Name]; p.there && !s.copied[p.Name] && !p.counted {
				p.counted = true
				s.res.There.add(p.Size)
			}
		}
		if n.counted {
			return
		}
		n.counted = true
		if n.paged {
			o := pub.root()
			n.size, n.writes = int64(len(o.Encode())), n.writes || !slices.Equal(o.Packs, n.packs)
		}
		switch {
		case !n.writes:
			s.res.There.add(n.size)
		case n.kind == remote.KindRoot:
			s.res.Roots.add(n.size)
		default:
			s.res.Pages.add(n.size)
		}
	})
	for _, ref := range v.pins {
		s.res.Pins.add(ref.Size)
	}
}

// count is what a sync would write.
func (s *syncing) count(ctx context.Context, todo []*syncVersion) error {
	var rel remote.Relied
	var packs []*syncPack
	for _, v := range todo {
		for _, p := range s.absent(v) {
			if !p.counted {
				p.counted = true
				rel.Packs, packs = append(rel.Packs, p.PackRef), append(packs, p)
			}
		}
	}
	gone, err := s.confirm(ctx, s.a, rel)
	if err != nil {
		return err
	}
	for _, p := range packs {
		p.counted = false
		if gone.Packs[p.Name] {
			p.err, p.side = fmt.Errorf("%w: it is not there, or of another size", ErrIncomplete), s.a
		}
	}
	for _, v := range todo {
		if !s.whole(v) {
			continue
		}
		pub, err := s.published(ctx, v)
		if err != nil {
			return err
		}
		for _, p := range s.absent(v) {
			if !p.counted {
				p.counted = true
				s.res.Packs.add(p.Size)
			}
		}
		s.tally(v, pub)
	}
	return nil
}
