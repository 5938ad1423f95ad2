package dataset

import (
	"context"
	"errors"
	"time"

	"tarn/index"
	"tarn/store/blob"
	"tarn/store/cache"
	"tarn/store/digest"
	"tarn/store/remote"
)

// PruneOptions say what to drop from the cache.
type PruneOptions struct {
	Remote string // where to look; empty: at that of each dataset
	All    bool   // also what the work trees are at
	DryRun bool   // only count
	Force  bool   // also where a repository that shares the cache can't be read
}

// PruneResult is what prune did.
type PruneResult struct {
	cache.Pruned
	Verified   int // versions that were looked at, and are complete on their remote
	Incomplete int // that are not
	Local      int // that no branch of Git's remote has: what they need stays
	Seconds    float64
	DryRun     bool
}

// Prune drops from the cache what it has just seen on a remote: each page and pack of versions that were pushed, and that others know from Git. What another
// version needs, the work trees are at, or a file of theirs is a link to, stays, and so does what no version names.
func (r *Repo) Prune(ctx context.Context, o PruneOptions) (*PruneResult, error) {
	start := time.Now()
	if err := r.checkPruneRemotes(o.Remote); err != nil {
		return nil, err
	}
	store, err := r.openCache()
	if err != nil {
		return nil, err
	}
	mine, err := r.kin(ctx)
	if err != nil {
		return nil, err
	}
	defer mine.close()
	others, err := r.sharers(ctx, store, o.Force)
	for _, k := range others {
		defer k.close()
	}
	if err != nil {
		return nil, err
	}
	p := &pruning{r: r, o: o, store: store, mine: mine, others: others, res: &PruneResult{DryRun: o.DryRun},
		current: map[digest.Digest]bool{}, verified: map[digest.Digest]bool{}}
	if err = p.verify(ctx); err == nil {
		err = p.drop(ctx)
	}
	p.res.Seconds = time.Since(start).Seconds()
	return p.res, err
}

// checkPruneRemotes says whether there is a remote to look at.
func (r *Repo) checkPruneRemotes(asked string) error {
	if asked != "" {
		_, err := r.Remote(asked)
		return err
	}
	if len(r.Remotes()) == 0 {
		_, err := r.remoteFor("", "")
		return err
	}
	return nil
}

// pruning is one run. Leaves are roots with entries, or pages of level 0, by their digests.
type pruning struct {
	r      *Repo
	o      PruneOptions
	store  *cache.Cache
	mine   *kin
	others []*kin
	res    *PruneResult

	current  map[digest.Digest]bool // leaves of what the work trees are at
	verified map[digest.Digest]bool // leaves of versions that are complete on their remote
}

// verify looks at the remotes, before the cache is locked: that may take long. It asks only about versions of which the cache has something to drop.
func (p *pruning) verify(ctx context.Context) error {
	p.r.report.Phase("look at versions", -1, -1)
	if !p.o.All {
		for _, t := range p.mine.trees {
			err := t.current(ctx, func(n named) error {
				return p.leaves(ctx, n, func(l leaf) error { p.current[l.id] = true; return nil })
			})
			if err != nil {
				return err
			}
		}
	}
	public, err := p.public(ctx)
	if err != nil {
		return err
	}
	v := &verifier{p: p, remotes: map[string]*seenRemote{}}
	seen := map[digest.Digest]bool{}
	return p.mine.versions(ctx, func(n named) error {
		p.r.report.Add(1, 0)
		id := digest.Sum(n.raw)
		if seen[id] {
			return nil
		}
		seen[id] = true
		worth, err := p.worth(ctx, n)
		if err != nil || !worth {
			return err
		}
		if !public(id) {
			p.res.Local++
			return nil
		}
		return v.version(ctx, n)
	})
}

// public says which versions are in a branch of Git's remote: gc keeps those, whoever runs it. Without such branches all are.
func (p *pruning) public(ctx context.Context) (func(digest.Digest) bool, error) {
	shared, err := p.mine.git.HasRemoteBranches(ctx)
	if err != nil || !shared {
		return func(digest.Digest) bool { return true }, err
	}
	known := map[digest.Digest]bool{}
	err = p.mine.history(ctx, func(n named) error { known[digest.Sum(n.raw)] = true; return nil }, "--remotes")
	return func(d digest.Digest) bool { return known[d] }, err
}

// leaves calls do with the leaves of a version whose pages the cache has.
func (p *pruning) leaves(ctx context.Context, n named, do func(leaf) error) error {
	v, err := parseVersion(n.raw)
	if err != nil {
		return nil // it names nothing
	}
	for l, err := range leaves(ctx, v, p.r.local(), "") {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			continue // of a version that was never here as a whole; what of it is here is safe under others
		}
		if err := do(l); err != nil {
			return err
		}
	}
	return nil
}

// worth says whether all pages of a version are here, and the cache has something of it that could be dropped.
func (p *pruning) worth(ctx context.Context, n named) (worth bool, err error) {
	v, err := parseVersion(n.raw)
	if err != nil {
		return false, nil
	}
	for l, err := range leaves(ctx, v, p.r.local(), "") {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err != nil {
			return false, nil
		}
		if worth || p.current[l.id] || p.verified[l.id] {
			continue
		}
		for i := range l.entries {
			if hasBytes(&l.entries[i]) && p.store.Has(l.entries[i].Digest) {
				worth = true
				break
			}
		}
	}
	return worth, nil
}

// drop marks and drops, with the cache locked: nobody relies on it meanwhile, and what came since verify looked stays.
func (p *pruning) drop(ctx context.Context) (err error) {
	p.r.report.Phase("wait for the cache", -1, -1)
	lock, err := p.store.Lock(ctx, p.o.DryRun)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	p.r.report.Phase("prune", -1, -1)
	m := p.store.NewPruning()
	defer func() { err = errors.Join(err, m.Close()) }()
	if err := p.mark(ctx, m, p.mine); err != nil {
		return err
	}
	for _, k := range p.others {
		if err := p.mark(ctx, m, k); err != nil {
			return err
		}
	}
	p.res.Pruned, err = m.Run(ctx, p.o.DryRun)
	return err
}

// mark says what goes, of this repository's versions, and what stays.
func (p *pruning) mark(ctx context.Context, m *cache.Pruning, k *kin) error {
	type done struct {
		id   digest.Digest
		keep bool
	}
	seen := map[done]bool{}
	trusts := k.mine || p.related(k)
	err := k.versions(ctx, func(n named) error {
		return p.leaves(ctx, n, func(l leaf) error {
			keep := n.current && !(k.mine && p.o.All) || !trusts || !p.verified[l.id]
			if seen[done{l.id, keep}] {
				return nil
			}
			seen[done{l.id, keep}] = true
			switch {
			case keep:
				return eachFile(l, m.Keep)
			case k.mine:
				return eachFile(l, m.Drop)
			}
			return nil
		})
	})
	for _, t := range k.trees {
		if err == nil {
			err = t.linked(ctx, m.Keep)
		}
	}
	return err
}

// related says that a repository is another clone of this one: its data are on the same remotes.
func (p *pruning) related(k *kin) bool {
	id, _, ok := p.r.cfg.Get("core", "", "id")
	for _, t := range k.trees {
		other, _, _ := t.cfg.Get("core", "", "id")
		ok = ok && other == id
	}
	return ok && len(k.trees) > 0
}

func eachFile(l leaf, do func(digest.Digest) error) error {
	for i := range l.entries {
		if hasBytes(&l.entries[i]) {
			if err := do(l.entries[i].Digest); err != nil {
				return err
			}
		}
	}
	return nil
}

// verifier looks whether versions are complete on their remotes; each object once in a run.
type verifier struct {
	p       *pruning
	remotes map[string]*seenRemote
}

// seenRemote is what is known of one remote by now.
type seenRemote struct {
	c      *conn // nil: nothing was pushed there
	doomed *remote.Condemned
	leaves map[digest.Digest]bool // read, with all that they need confirmed
	packs  map[digest.Digest]bool
	uppers map[digest.Digest]bool
}

// version adds the leaves of a version to the verified ones if it is complete.
func (v *verifier) version(ctx context.Context, n named) error {
	s, err := v.remote(ctx, n.dataset)
	if err != nil {
		return err
	}
	ok := false
	if s.c != nil {
		if ok, err = v.complete(ctx, s, n); err != nil {
			return err
		}
	}
	if !ok {
		v.p.res.Incomplete++
		return nil
	}
	v.p.res.Verified++
	return v.p.leaves(ctx, n, func(l leaf) error { v.p.verified[l.id] = true; return nil })
}

func (v *verifier) remote(ctx context.Context, dataset string) (*seenRemote, error) {
	r := v.p.r
	name, err := r.remoteFor(dataset, v.p.o.Remote)
	if err != nil {
		return nil, err
	}
	if s := v.remotes[name]; s != nil {
		return s, nil
	}
	s := &seenRemote{leaves: map[digest.Digest]bool{}, packs: map[digest.Digest]bool{}, uppers: map[digest.Digest]bool{}}
	v.remotes[name] = s
	s.c, err = r.connectFor(ctx, dataset, v.p.o.Remote, false)
	if errors.Is(err, remote.ErrNoRemote) {
		s.c = nil
		return s, nil
	}
	if err == nil {
		s.doomed, err = s.c.rem.Condemned(ctx)
		err = onRemote(name, err)
	}
	return s, err
}

// complete reads the root and each leaf of a version from the remote, whatever this clone knows of them, and looks at the packs and pages that they name.
func (v *verifier) complete(ctx context.Context, s *seenRemote, n named) (bool, error) {
	ver, err := parseVersion(n.raw)
	if err != nil {
		return false, nil
	}
	need := needs{packs: map[digest.Digest]int64{}, uppers: map[digest.Digest]bool{}}
	root, ok, err := s.read(ctx, remote.KindRoot, ver.id)
	if err != nil || !ok {
		return false, err
	}
	need.add(root)
	var read []digest.Digest
	for l, err := range leaves(ctx, ver, v.p.r.local(), "") {
		if err == nil && !s.leaves[l.id] {
			read = append(read, l.id)
			ok, err = s.leaf(ctx, l, root, &need)
		}
		if err != nil || !ok {
			return false, err
		}
	}
	for ref, err := range index.Refs(ctx, ver.Manifest, v.p.r.local()) {
		if err != nil {
			return false, err
		}
		if ref.Level > 0 {
			need.uppers[ref.Digest] = true
		}
	}
	if ok, err = s.confirm(ctx, need); ok { // only now: what another version shares with this one is not read again
		for _, d := range read {
			s.leaves[d] = true
		}
	}
	return ok, err
}

// needs are the objects whose existence is to be confirmed: packs with their sizes, and pages of higher levels.
type needs struct {
	packs  map[digest.Digest]int64
	uppers map[digest.Digest]bool
}

func (n *needs) add(o *remote.Object) {
	for _, p := range o.Packs {
		n.packs[p.Name] = p.Size
	}
}

// read reads an object as it is there now; one that is absent, broken or condemned is not ok.
func (s *seenRemote) read(ctx context.Context, kind remote.Kind, d digest.Digest) (*remote.Object, bool, error) {
	if s.doomed.Doomed(kind, d) {
		return nil, false, nil
	}
	o, err := s.c.object(ctx, kind, d, true)
	if errors.Is(err, blob.ErrNotFound) || isCorrupt(err) {
		return nil, false, nil
	}
	return o, err == nil, err
}

// leaf looks whether each file of a leaf has locations that make it up, and notes the packs of these.
func (s *seenRemote) leaf(ctx context.Context, l leaf, root *remote.Object, need *needs) (bool, error) {
	o, ok := root, true
	if l.kind != remote.KindRoot {
		var err error
		if o, ok, err = s.read(ctx, l.kind, l.id); err != nil || !ok {
			return false, err
		}
		need.add(o)
	}
	record := 0
	for i := range l.entries {
		e := &l.entries[i]
		if !hasBytes(e) {
			continue
		}
		if record >= len(o.Records) {
			return false, nil
		}
		rec := &o.Records[record]
		record++
		for _, cp := range rec.Pages {
			if s.doomed.Doomed(remote.KindChunks, cp.Digest) {
				return false, nil
			}
		}
		ps, err := s.c.pieces(ctx, spot{o: o, rec: *rec}, e, true)
		if errors.Is(err, blob.ErrNotFound) || isCorrupt(err) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		for _, p := range ps {
			need.packs[p.Pack.Name] = p.Pack.Size
		}
	}
	return true, nil
}

// confirm looks at what was not looked at yet.
func (s *seenRemote) confirm(ctx context.Context, need needs) (bool, error) {
	var rel remote.Relied
	for d, size := range need.packs {
		if _, known := s.packs[d]; !known {
			rel.Packs = append(rel.Packs, remote.PackRef{Name: d, Size: size})
		}
	}
	for d := range need.uppers {
		if _, known := s.uppers[d]; !known {
			rel.Pages = append(rel.Pages, d)
		}
	}
	missing, err := s.c.rem.Confirm(ctx, rel, s.c.r.jobs())
	if err != nil {
		return false, onRemote(s.c.name, err)
	}
	for _, p := range rel.Packs {
		s.packs[p.Name] = !missing.Packs[p.Name] && !s.doomed.Pack(p.Name)
	}
	for _, d := range rel.Pages {
		s.uppers[d] = !missing.Pages[d] && !s.doomed.Doomed(remote.KindPage, d)
	}
	for d := range need.packs {
		if !s.packs[d] {
			return false, nil
		}
	}
	for d := range need.uppers {
		if !s.uppers[d] {
			return false, nil
		}
	}
	return true, nil
}
