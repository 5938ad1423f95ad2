package dataset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tarn/store/blob"
	"tarn/store/digest"
	"tarn/store/remote"
)

// SyncOptions say which remote gets what another one has.
type SyncOptions struct {
	From, To string // names of remotes
	DryRun   bool   // only count
	Verify   bool   // look at each page and pack also of versions that are pinned there already, and heal what is missing
}

// Amount is a number of objects, and their bytes.
type Amount struct{ Objects, Bytes int64 }

func (a *Amount) add(bytes int64) {
	a.Objects++
	a.Bytes += bytes
}

// SyncResult is what a sync did.
type SyncResult struct {
	From, To string
	Versions int // that are pinned on From
	UpToDate int // of those, that To has pins of, too
	LeftOut  int // that could not be brought to To

	Packs, Pages, Roots, Pins Amount // written to To, or with a dry run to be written

	There    Amount // packs, pages and roots of the other versions that To had
	Requests int64
	Seconds  float64
	DryRun   bool
	Problems []Problem
}

// Copied is all that was written.
func (r *SyncResult) Copied() Amount {
	var sum Amount
	for _, a := range []Amount{r.Packs, r.Pages, r.Roots, r.Pins} {
		sum.Objects += a.Objects
		sum.Bytes += a.Bytes
	}
	return sum
}

// Sync brings to one remote what is pinned on another one and missing there: packs, pages, roots, and last the pins, in the order and with the checks of a
// push (docs/protocol.md). An object that is broken or gone is a Problem, and the versions that need it are left out.
func (r *Repo) Sync(ctx context.Context, o SyncOptions) (*SyncResult, error) {
	start := time.Now()
	s, err := r.openSync(ctx, o)
	if err != nil {
		return nil, err
	}
	err = s.run(ctx)
	s.tellFailed()
	s.res.Requests, s.res.Seconds = r.requests(), time.Since(start).Seconds()
	return s.res, s.outcome(err)
}

// syncing is one run of Sync.
type syncing struct {
	r    *Repo
	o    SyncOptions
	res  *SyncResult
	a, b *conn // from, to; b is nil in a dry run to where nothing is yet

	doomed *remote.Condemned // on b
	nodes  map[digest.Digest]*syncNode
	packs  map[digest.Digest]*syncPack
	reread map[digest.Digest]bool // objects of b whose copy here named packs that b lacks
	heal   map[digest.Digest]bool // objects of b that are broken, or name packs that it lacks

	copied  map[digest.Digest]bool     // packs
	failed  map[string]*syncFailure    // by the names of objects
	pinned  map[digest.Digest]bool     // roots that b has pins of
	recents map[string][]digest.Digest // lists of a, by repository
}

// syncVersion is a version that a has, with its pins that b lacks: the newest of each origin.
type syncVersion struct {
	id     digest.Digest
	pins   []remote.PinRef
	newest time.Time

	texts    []remote.Pin // what the pins say, once they were read
	unwanted bool         // it lost all of its pins meanwhile, or they are broken
}

// openSync opens both remotes, and creates the second one.
func (r *Repo) openSync(ctx context.Context, o SyncOptions) (*syncing, error) {
	for _, name := range []string{o.From, o.To} {
		if _, err := r.Remote(name); err != nil {
			return nil, err
		}
	}
	if o.From == o.To {
		return nil, fmt.Errorf("%w: %s can't be brought to itself", ErrUsage, o.From)
	}
	if raw, _, _ := r.cfg.Get("remote", o.To, "url"); isWeb(raw) {
		return nil, &Hinted{fmt.Errorf("%w: sync to remote %s, a web server: %w", ErrUsage, o.To, blob.ErrReadOnly), "tarn remote list"}
	}
	if raw, _, _ := r.cfg.Get("remote", o.From, "url"); isWeb(raw) {
		return nil, cantList(o)
	}
	a, err := r.connectFor(ctx, "", o.From, false)
	if err != nil {
		return nil, newerFormat(err)
	}
	b, err := r.syncTarget(ctx, a, o)
	if err != nil {
		return nil, newerFormat(err)
	}
	return &syncing{
		r: r, o: o, a: a, b: b, res: &SyncResult{From: o.From, To: o.To, DryRun: o.DryRun},
		nodes: map[digest.Digest]*syncNode{}, packs: map[digest.Digest]*syncPack{}, reread: map[digest.Digest]bool{}, heal: map[digest.Digest]bool{},
		copied: map[digest.Digest]bool{}, failed: map[string]*syncFailure{}, pinned: map[digest.Digest]bool{}, recents: map[string][]digest.Digest{},
	}, nil
}

// cantList says that nobody can tell what is on a web server, and how to bring it elsewhere all the same.
func cantList(o SyncOptions) error {
	err := fmt.Errorf("%w: remote %s can't be listed, so nobody can tell what it has: %w", ErrUsage, o.From, blob.ErrUnsupported)
	return &Hinted{err, fmt.Sprintf("tarn fetch --all-branches --all-tags -r %s && tarn push --all-branches --all-tags -r %s", o.From, o.To)}
}

// newerFormat is a matter of which tarn is used.
func newerFormat(err error) error {
	if errors.Is(err, remote.ErrFormat) {
		return fmt.Errorf("%w: %w", ErrUsage, err)
	}
	return err
}

// syncTarget opens the second remote; nil in a dry run if it is not there. Files that are cut in different ways share nothing, and so the chunker has to be the same.
func (r *Repo) syncTarget(ctx context.Context, a *conn, o SyncOptions) (*conn, error) {
	b, err := r.connectFor(ctx, "", o.To, false)
	fresh := errors.Is(err, remote.ErrNoRemote)
	if err != nil && !fresh {
		return nil, err
	}
	chunker := remote.ChunkerID
	if !fresh {
		chunker = b.rem.Chunker()
	}
	switch {
	case !fresh && a.rem.ID() == b.rem.ID():
		return nil, fmt.Errorf("%w: %s and %s are the same remote, or one is a copy of the other's files: both have the id %s", ErrUsage, o.From, o.To, a.rem.ID())
	case chunker != a.rem.Chunker():
		return nil, fmt.Errorf("%w: files on %s are cut by %q, on %s by %q", ErrUsage, o.From, a.rem.Chunker(), o.To, chunker)
	case fresh && o.DryRun:
		return nil, nil
	case fresh:
		return r.connectFor(ctx, "", o.To, true)
	}
	return b, nil
}

func (s *syncing) run(ctx context.Context) error {
	s.r.report.Phase("compare", -1, -1)
	todo, err := s.lacking(ctx)
	if err != nil || len(todo) == 0 {
		return err
	}
	if err := s.plan(ctx, todo); err != nil {
		return err
	}
	if s.o.DryRun {
		return s.count(ctx, todo)
	}
	return s.batches(ctx, todo)
}

// lacking are the versions that have pins on a and no fresh ones on b, newest first. What is pinned on b is complete there.
func (s *syncing) lacking(ctx context.Context) ([]*syncVersion, error) {
	from, err := s.a.rem.Pins(ctx)
	if errors.Is(err, blob.ErrUnsupported) {
		return nil, cantList(s.o)
	}
	if err != nil {
		return nil, onRemote(s.a.name, err)
	}
	type key struct {
		origin string
		root   digest.Digest
	}
	have, newest, versions := map[key]bool{}, map[key]remote.PinRef{}, map[digest.Digest]*syncVersion{}
	if s.b != nil {
		to, err := s.b.rem.Pins(ctx)
		if err != nil {
			return nil, onRemote(s.b.name, err)
		}
		for _, p := range to {
			if p.Younger(keepWithin / 2) {
				have[key{p.Origin, p.Root}], s.pinned[p.Root] = true, true
			}
		}
	}
	for _, p := range from {
		if old, ok := newest[key{p.Origin, p.Root}]; !ok || old.Modified.Before(p.Modified) {
			newest[key{p.Origin, p.Root}] = p
		}
	}
	for k, p := range newest {
		v := versions[k.root]
		if v == nil {
			v = &syncVersion{id: k.root}
			versions[k.root] = v
		}
		if p.Modified.After(v.newest) {
			v.newest = p.Modified
		}
		if !have[k] {
			v.pins = append(v.pins, p)
		}
	}
	s.res.Versions = len(versions)
	return s.todo(versions), nil
}

func (s *syncing) todo(versions map[digest.Digest]*syncVersion) (todo []*syncVersion) {
	for _, v := range versions {
		if len(v.pins) == 0 {
			s.res.UpToDate++
		}
		if len(v.pins) > 0 || s.o.Verify {
			slices.SortFunc(v.pins, func(p, q remote.PinRef) int { return cmp.Compare(p.Origin, q.Origin) })
			todo = append(todo, v)
		}
	}
	slices.SortFunc(todo, func(v, w *syncVersion) int { return cmp.Or(w.newest.Compare(v.newest), v.id.Compare(w.id)) })
	return todo
}

// syncFailure is an object that could not be had, or may not be brought.
type syncFailure struct {
	side   string // name of a remote
	err    error
	needed map[digest.Digest]bool // versions
}

// fail notes that a version is left out, and why.
func (s *syncing) fail(v *syncVersion, key string, c *conn, err error) {
	f := s.failed[key]
	if f == nil {
		f = &syncFailure{c.name, err, map[digest.Digest]bool{}}
		s.failed[key] = f
	}
	f.needed[v.id] = true
}

// tellFailed makes the failures problems, one an object.
func (s *syncing) tellFailed() {
	out := map[digest.Digest]bool{}
	for _, key := range sortedKeys(s.failed) {
		f := s.failed[key]
		for d := range f.needed {
			out[d] = true
		}
		err := fmt.Errorf("%w; needed by %s", f.err, plural(len(f.needed), "version"))
		s.res.Problems = append(s.res.Problems, Problem{Path: key, Side: "remote " + f.side, Err: err})
	}
	s.res.LeftOut = len(out)
}

func (s *syncing) outcome(err error) error {
	if err != nil || len(s.res.Problems) == 0 {
		return err
	}
	kind := ErrIncomplete
	for _, p := range s.res.Problems {
		switch {
		case isCorrupt(p.Err):
			kind = ErrCorrupt
		case errors.Is(p.Err, ErrRefused) && kind == ErrIncomplete:
			kind = ErrRefused
		}
	}
	return fmt.Errorf("%w: %s left out", kind, plural(s.res.LeftOut, "version"))
}
