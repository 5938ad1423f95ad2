package dataset

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"tarn/index"
	"tarn/store/blob"
	"tarn/store/digest"
	"tarn/store/remote"
	"tarn/store/transfer"
)

// builder finds out, for one version, where each of its bytes is on the remote, sends those that are not there, and writes down its roots and pages in the
// ledger, from where they are published.
type builder struct {
	p    *push
	up   *transfer.Upload
	v    *published
	mu   sync.Mutex // v is filled by two goroutines
	hits int        // of asking the remote for pages that this clone has never seen
	miss int
}

// located is where one file's bytes are: pieces, or pages of chunks with the packs that these need.
type located struct {
	pieces []transfer.WantPiece
	pages  []remote.ChunkPage
	packs  []remote.PackRef
}

// building is a leaf whose files are on their way.
type building struct {
	leaf
	files []located
	left  int
	bad   bool
}

const probeMisses = 8

// version goes through the leaves; upper pages and the root of a paged version have no locations of their own.
func (b *builder) version(ctx context.Context) error {
	err := b.leaves(ctx)
	if err != nil && ctx.Err() == nil && (errors.Is(err, errNoPage) || isCorrupt(err)) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.p.missingHere(b.v, "", err)
		return nil
	}
	return err
}

func (b *builder) leaves(ctx context.Context) error {
	src := b.p.r.anywhere(b.v.Dataset)
	for l, err := range leaves(ctx, b.v.version, src, "") {
		if err != nil {
			return err
		}
		if err := b.leaf(ctx, l); err != nil {
			return err
		}
	}
	for ref, err := range index.Refs(ctx, b.v.Manifest, src) {
		if err != nil {
			return err
		}
		if ref.Level > 0 {
			if err := b.upper(ctx, src, ref.Digest); err != nil {
				return err
			}
		}
	}
	// Parents were visited before children; they are published after them.
	b.mu.Lock()
	defer b.mu.Unlock()
	slices.Reverse(b.v.uppers)
	return nil
}

// upper writes down a page of pages.
func (b *builder) upper(ctx context.Context, src index.Source, d digest.Digest) error {
	text, err := src.Page(ctx, d)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.v.uppers = append(b.v.uppers, d)
	return b.p.c.ledger.Keep(&remote.Object{Kind: remote.KindPage, Subject: text})
}

func (b *builder) leaf(ctx context.Context, l leaf) error {
	o, err := b.seen(ctx, l)
	if err != nil {
		return err
	}
	if o != nil {
		return b.reuse(ctx, l, o)
	}
	bl, send, err := b.plan(ctx, l)
	if err != nil {
		return err
	}
	bl.left = len(send)
	if bl.left == 0 {
		return b.finish(bl)
	}
	slot := slots(l.entries)
	kept := b.p.r.keeps(b.v.Dataset, KeepAsSet)
	if !kept { // all of them, before the first is read: one may have the bytes of another
		for _, i := range send {
			b.p.work.expect(l.entries[i].Digest, b.workFile(&l.entries[i]))
		}
	}
	for _, i := range send {
		e := &l.entries[i]
		done := func(pl transfer.Placement) {
			if !kept {
				b.p.work.drop(e.Digest, b.workFile(e))
			}
			b.placed(bl, e, slot[i], pl)
		}
		if err := b.up.File(remote.File{Digest: e.Digest, Size: e.Size}, done); err != nil {
			return err
		}
	}
	return nil
}

// workFile is where the workspace has an entry, for bytes that the cache does not keep.
func (b *builder) workFile(e *index.Entry) workFile {
	return workFile{b.p.r.entryPath(b.v.Dataset, e.Path), e.Size}
}

// plan finds where the files of a leaf are on the remote; send are the entries that are not there.
func (b *builder) plan(ctx context.Context, l leaf) (bl *building, send []int, err error) {
	bl = &building{leaf: l}
	for i := range l.entries {
		e := &l.entries[i]
		if !hasBytes(e) {
			continue
		}
		loc, ok := b.known(ctx, e)
		if !ok {
			send = append(send, i)
		}
		bl.files = append(bl.files, loc)
	}
	send, err = b.findLost(ctx, bl, send)
	return bl, send, err
}

// findLost looks under other versions for files that this clone does not have: one that holds a part of a dataset pushes the whole version.
func (b *builder) findLost(ctx context.Context, bl *building, send []int) ([]int, error) {
	c, slot := b.p.c, slots(bl.entries)
	lost := func(i int) bool { return !c.store.Has(bl.entries[i].Digest) && !b.p.hashed(&bl.entries[i]) }
	if !slices.ContainsFunc(send, lost) {
		return send, nil
	}
	look := func() bool {
		c.ledger.Flush()
		send = slices.DeleteFunc(send, func(i int) bool {
			loc, ok := b.known(ctx, &bl.entries[i])
			if ok {
				bl.files[slot[i]] = loc
			}
			return ok
		})
		return !slices.ContainsFunc(send, lost)
	}
	if err := c.search(ctx, b.v.Dataset, "", look); err != nil && !isCorrupt(err) {
		return nil, err
	}
	look()
	return send, nil
}

// slots maps an entry to the number of its record.
func slots(entries []index.Entry) []int {
	out, n := make([]int, len(entries)), 0
	for i := range entries {
		out[i] = n
		if hasBytes(&entries[i]) {
			n++
		}
	}
	return out
}

// seen is the object of a leaf as it is on the remote, as far as that is known or cheap to find out.
func (b *builder) seen(ctx context.Context, l leaf) (*remote.Object, error) {
	c := b.p.c
	if b.p.heal[l.id] {
		return nil, nil
	}
	if !b.p.o.Verify {
		if o, ok := c.ledger.Object(l.kind, l.id); ok {
			return o, nil
		}
	}
	if b.miss-b.hits > probeMisses && !b.p.o.Verify {
		return nil, nil
	}
	o, err := c.object(ctx, l.kind, l.id, true)
	switch {
	case errors.Is(err, blob.ErrNotFound):
		b.miss++
		return nil, nil
	case errors.Is(err, remote.ErrObject):
		b.p.heal[l.id] = true // broken there: written anew
		return nil, nil
	case err != nil:
		return nil, err
	}
	b.hits++
	return o, nil
}

// reuse relies on an object as it is.
func (b *builder) reuse(ctx context.Context, l leaf, o *remote.Object) error {
	var pages []remote.ChunkPage
	for _, r := range o.Records {
		pages = append(pages, r.Pages...)
	}
	for _, cp := range pages {
		if _, err := b.p.c.object(ctx, remote.KindChunks, cp.Digest, false); err != nil {
			if errors.Is(err, blob.ErrNotFound) || errors.Is(err, remote.ErrObject) {
				b.p.heal[l.id] = true
				return b.leaf(ctx, l)
			}
			return err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.v.rely(l.kind, l.id, o.Packs, pages)
	return nil
}

// known is where a file's bytes are on the remote under another version.
func (b *builder) known(ctx context.Context, e *index.Entry) (located, bool) {
	c := b.p.c
	s, ok := c.rememberedSpot(e)
	if !ok || s.rec.Pages == nil {
		ps, ok := c.remembered(ctx, e)
		return located{pieces: ps}, ok
	}
	loc := located{pages: s.rec.Pages}
	for _, cp := range s.rec.Pages {
		po, ok := c.ledger.Object(remote.KindChunks, cp.Digest)
		if !ok || slices.ContainsFunc(po.Packs, func(p remote.PackRef) bool { return c.ledger.Gone(p.Name) }) {
			return located{}, false
		}
		loc.packs = append(loc.packs, po.Packs...)
	}
	return loc, true
}

// placed hears where a file went; called by the upload's goroutine.
func (b *builder) placed(bl *building, e *index.Entry, slot int, pl transfer.Placement) {
	b.mu.Lock()
	err := pl.Err
	if err == nil {
		bl.files[slot], err = b.locate(pl)
	}
	if err != nil {
		bl.bad = true
		b.p.missingHere(b.v, e.Path, err)
	}
	bl.left--
	last := bl.left == 0
	b.mu.Unlock()
	if last && !bl.bad {
		if err := b.finish(bl); err != nil {
			b.mu.Lock()
			b.p.missingHere(b.v, e.Path, err)
			b.mu.Unlock()
		}
	}
}

// locate turns a placement into what a record says; a file of very many chunks gets pages of chunks.
func (b *builder) locate(pl transfer.Placement) (located, error) {
	ps := make([]transfer.WantPiece, len(pl.Pieces))
	for i, p := range pl.Pieces {
		ps[i] = transfer.WantPiece{Digest: p.Digest, Place: remote.Place{Pack: p.Pack.Ref, Offset: p.Offset, Stored: p.Stored, Raw: p.Raw, Scheme: p.Scheme}}
	}
	if len(ps) <= remote.MaxChunks {
		return located{pieces: ps}, nil
	}
	var loc located
	for len(ps) > 0 {
		n := chunkCut(ps)
		o := chunkObject(ps[:n])
		if err := b.p.c.ledger.LearnChunks(o); err != nil {
			return loc, err
		}
		var raw int64
		for _, p := range ps[:n] {
			raw += int64(p.Raw)
		}
		loc.pages = append(loc.pages, remote.ChunkPage{Digest: o.Digest(), Chunks: int64(n), Bytes: raw})
		loc.packs = append(loc.packs, o.Packs...)
		b.p.built[o.Digest()] = true
		ps = ps[n:]
	}
	return loc, nil
}

// chunkCut is how many chunks go into one page: the cut depends on a chunk's digest, so that an insert touches few pages.
func chunkCut(ps []transfer.WantPiece) int {
	for i := range min(len(ps), remote.MaxChunkPage) {
		if binary.LittleEndian.Uint32(ps[i].Digest[:])&0xfff == 0 {
			return i + 1
		}
	}
	return min(len(ps), remote.MaxChunkPage)
}

func chunkObject(ps []transfer.WantPiece) *remote.Object {
	t := newPackTable(pieceRefs(ps))
	cs := make([]remote.Chunk, len(ps))
	locs := make([]remote.Loc, len(ps))
	for i, p := range ps {
		locs[i] = t.loc(p.Place)
		cs[i] = remote.Chunk{Digest: p.Digest, Raw: p.Raw, Loc: locs[i]}
	}
	return &remote.Object{Kind: remote.KindChunks, Subject: remote.ChunkSubject(cs), Packs: t.refs, Locs: locs}
}

// finish writes down a leaf whose files are all on the remote.
func (b *builder) finish(bl *building) error {
	var refs []remote.PackRef
	var pages []remote.ChunkPage
	for _, f := range bl.files {
		refs = append(append(refs, pieceRefs(f.pieces)...), f.packs...)
		pages = append(pages, f.pages...)
	}
	t := newPackTable(refs)
	o := &remote.Object{Kind: bl.kind, Subject: bl.subject, Packs: t.refs, Records: make([]remote.Record, len(bl.files))}
	for i, f := range bl.files {
		o.Records[i] = t.record(f)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.p.built[bl.id] = true
	b.v.rely(bl.kind, bl.id, o.Packs, pages)
	return b.p.c.ledger.Learn(o, files(bl.entries))
}

// rely notes what the version needs.
func (v *published) rely(kind remote.Kind, id digest.Digest, packs []remote.PackRef, pages []remote.ChunkPage) {
	for _, p := range packs {
		v.packs[p.Name] = p.Size
	}
	for _, cp := range pages {
		v.add(remote.KindChunks, cp.Digest)
	}
	if kind != remote.KindRoot {
		v.add(kind, id)
	}
}

func (v *published) add(kind remote.Kind, d digest.Digest) {
	if _, ok := v.kinds[d]; !ok {
		v.kinds[d] = kind
		v.pages = append(v.pages, d)
	}
}

// packTable numbers packs.
type packTable struct {
	refs []remote.PackRef
	num  map[digest.Digest]uint32
}

func newPackTable(refs []remote.PackRef) *packTable {
	slices.SortFunc(refs, func(a, b remote.PackRef) int { return a.Name.Compare(b.Name) })
	t := &packTable{slices.CompactFunc(refs, func(a, b remote.PackRef) bool { return a.Name == b.Name }), map[digest.Digest]uint32{}}
	for i, r := range t.refs {
		t.num[r.Name] = uint32(i)
	}
	return t
}

func pieceRefs(ps []transfer.WantPiece) []remote.PackRef {
	refs := make([]remote.PackRef, 0, len(ps))
	for _, p := range ps {
		if n := len(refs); n == 0 || refs[n-1].Name != p.Pack.Name {
			refs = append(refs, p.Pack)
		}
	}
	return refs
}

func (t *packTable) loc(p remote.Place) remote.Loc {
	return remote.Loc{Pack: t.num[p.Pack.Name], Offset: p.Offset, Stored: p.Stored, Scheme: p.Scheme}
}

func (t *packTable) record(f located) remote.Record {
	switch {
	case f.pages != nil:
		return remote.Record{Pages: f.pages}
	case len(f.pieces) == 1:
		return remote.Record{Whole: t.loc(f.pieces[0].Place)}
	}
	cs := make([]remote.Chunk, len(f.pieces))
	for i, p := range f.pieces {
		cs[i] = remote.Chunk{Digest: p.Digest, Raw: p.Raw, Loc: t.loc(p.Place)}
	}
	return remote.Record{Chunks: cs}
}

// root is the root object of a version of pages: its bytes and all packs that it needs.
func (v *published) root() *remote.Object {
	refs := make([]remote.PackRef, 0, len(v.packs))
	for d, n := range v.packs {
		refs = append(refs, remote.PackRef{Name: d, Size: n})
	}
	return &remote.Object{Kind: remote.KindRoot, Subject: v.raw, Packs: newPackTable(refs).refs}
}

// object publishes one root or page. What is there already counts, unless it is known to be broken or this run built it without having seen it.
func (p *push) object(ctx context.Context, o *remote.Object, missing bool) (again bool, err error) {
	d := o.Digest()
	inline := o.Kind != remote.KindRoot || len(o.Records) > 0
	switch {
	case missing:
		err = p.c.rem.WriteObject(ctx, o, "")
	case p.broken(d) || !inline:
		return false, p.replace(ctx, o)
	case !p.made(d):
		return false, nil
	default:
		err = blob.ErrPrecondition // it came while this run built its own
	}
	if !errors.Is(err, blob.ErrPrecondition) {
		return false, err
	}
	there, _, err := p.c.rem.ReadObject(ctx, o.Kind, d)
	if errors.Is(err, remote.ErrObject) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.heal[d] = true
		return true, nil
	}
	if err != nil || string(there.Encode()) == string(o.Encode()) {
		return false, err
	}
	if !inline {
		return false, p.replace(ctx, o)
	}
	p.mu.Lock()
	delete(p.built, d)
	p.mu.Unlock()
	if err := p.c.ledger.Forget(nil, map[digest.Digest]bool{d: true}); err != nil {
		return false, err
	}
	if o.Kind == remote.KindChunks {
		return true, p.c.ledger.LearnChunks(there)
	}
	return true, p.c.learn(there)
}

// replace writes o over what is there, whatever that is.
func (p *push) replace(ctx context.Context, o *remote.Object) error {
	there, etag, err := p.c.rem.ReadObject(ctx, o.Kind, o.Digest())
	switch {
	case errors.Is(err, blob.ErrNotFound):
		return p.c.rem.WriteObject(ctx, o, "")
	case errors.Is(err, remote.ErrObject):
		if etag, err = p.c.rem.ETag(ctx, o.Kind, o.Digest()); err != nil {
			return err
		}
	case err != nil:
		return err
	case string(there.Encode()) == string(o.Encode()):
		return nil
	}
	if err := p.c.rem.WriteObject(ctx, o, etag); err != nil {
		return fmt.Errorf("replace locations: %w", err)
	}
	return nil
}
