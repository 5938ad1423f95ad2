package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"tarn/index"
	"tarn/store/blob"
	"tarn/store/digest"
	"tarn/store/remote"
	"tarn/store/transfer"
)

// spot is where the bytes of a file are on a remote: in one blob, or as a record of an object says.
type spot struct {
	whole *remote.Place
	o     *remote.Object
	rec   remote.Record
}

// part is a run of pieces of a file, the first of which starts at an offset of it.
type part struct {
	off    int64
	pieces []transfer.WantPiece
}

// fromRemote reads what is asked for from the remote, a whole file against its digest.
func (c *cat) fromRemote(ctx context.Context) (io.ReadCloser, error) {
	conn, err := c.r.connectFor(ctx, c.w.Dataset, c.o.Remote, false)
	if err != nil {
		return nil, fmt.Errorf("%w from the cache: %w", ErrIncomplete, err)
	}
	r := &remoteRange{remoteFile: remoteFile{ctx: ctx, c: conn, w: c.w, src: c.src, e: c.e}, at: c.off, end: c.off + c.n}
	if err := r.find(); err != nil {
		return nil, err
	}
	r.start()
	if c.n < c.e.Size {
		return r, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{digest.NewReader(r, c.e.Digest, c.e.Size), r}, nil
}

// remoteFile is a file on a remote. Where a pack is gone, or is not what this clone saw, again asks the remote once more.
type remoteFile struct {
	ctx   context.Context
	c     *conn
	w     wanted
	src   index.Source
	e     *index.Entry
	spot  spot
	leaf  digest.Digest // the object that told, or should have; zero: none was needed
	fresh bool
}

// find looks up where the bytes are: as this clone saw them, else in the object of the version.
func (f *remoteFile) find() error {
	f.c.r.locateMu.Lock()
	defer f.c.r.locateMu.Unlock()
	f.c.ledger.Flush() // what was learned from a neighbour's object
	var ok bool
	if f.spot, ok = f.c.rememberedSpot(f.e); ok {
		return nil
	}
	err := f.read()
	if !isCorrupt(err) {
		return err
	}
	if err := f.c.ledger.Forget(nil, map[digest.Digest]bool{f.leaf: true}); err != nil {
		return err
	}
	f.fresh = true
	return f.read()
}

// read takes the place from the object of the version; with fresh the remote is asked for it, and not what this clone remembers.
func (f *remoteFile) read() error {
	l, record, err := f.lookup()
	if err == nil {
		f.leaf = l.id
		f.spot, err = f.c.spot(f.ctx, f.w, l, record, f.e, f.fresh)
	}
	return err
}

// lookup finds the object that tells where the file is, and the number of its record.
func (f *remoteFile) lookup() (leaf, int, error) {
	for l, err := range leaves(f.ctx, f.w.version, f.src, f.e.Path) {
		if err != nil {
			return leaf{}, 0, err
		}
		record := 0
		for i := range l.entries {
			if l.entries[i].Path == f.e.Path {
				return l, record, nil
			}
			if hasBytes(&l.entries[i]) {
				record++
			}
		}
	}
	return leaf{}, 0, errNoPath
}

// stale says that an error may come from what this clone remembers, so that it is worth to look again.
func (f *remoteFile) stale(err error) bool {
	return !f.fresh && f.ctx.Err() == nil && (errors.Is(err, blob.ErrNotFound) || isCorrupt(err))
}

// again looks once more, and takes nothing for known that led to pieces.
func (f *remoteFile) again(pieces []transfer.WantPiece) error {
	f.c.r.locateMu.Lock()
	defer f.c.r.locateMu.Unlock()
	packs, objects := map[digest.Digest]bool{}, map[digest.Digest]bool{}
	for _, p := range pieces {
		packs[p.Pack.Name] = true
	}
	if f.leaf != (digest.Digest{}) {
		objects[f.leaf] = true
	}
	if f.spot.o != nil {
		objects[f.spot.o.Digest()] = true
	}
	clear(f.c.searched)
	if err := f.c.ledger.Forget(packs, objects); err != nil {
		return err
	}
	f.fresh = true
	return f.read()
}

// remoteRange reads bytes at to end of a file from the packs of a remote. Each chunk is checked before any byte of it is given out. Where the remote has to
// be asked again, reading goes on where it was.
type remoteRange struct {
	remoteFile
	at, end int64

	next func() (part, error, bool) // parts that are not read yet
	stop func()
	now  part
	body *transfer.Reader // of now
}

func (r *remoteRange) start() {
	r.next, r.stop = iter.Pull2(r.c.parts(r.ctx, r.spot, r.e, r.at, r.end, r.fresh))
}

func (r *remoteRange) Read(p []byte) (int, error) {
	for r.at < r.end {
		n, err := r.read(p)
		r.at += int64(n)
		switch {
		case n > 0:
			return n, nil // an error comes again
		case err == nil:
		case !r.stale(err):
			return 0, err
		default:
			r.Close()
			if err := r.again(r.now.pieces); err != nil {
				return 0, err
			}
			r.start()
		}
	}
	return 0, io.EOF
}

// read reads from the part that is open, or opens the next one.
func (r *remoteRange) read(p []byte) (int, error) {
	if r.body == nil {
		return 0, r.open()
	}
	n, err := r.body.Read(p[:min(int64(len(p)), r.end-r.at)])
	if err == io.EOF {
		r.body.Close()
		r.body, err = nil, nil
	}
	return n, onRemote(r.c.name, err)
}

func (r *remoteRange) open() error {
	pt, err, ok := r.next()
	if err != nil {
		return err
	}
	if ok {
		r.now, r.body = pt, transfer.NewReader(r.ctx, r.c.rem, pt.pieces, r.c.r.jobs())
		_, err = io.CopyN(io.Discard, r.body, r.at-pt.off)
	}
	if !ok || err == io.EOF {
		err = fmt.Errorf("locations of %s: %w", r.e.Digest.Short(), remote.ErrObject)
	}
	return onRemote(r.c.name, err)
}

// Close ends all requests.
func (r *remoteRange) Close() error {
	if r.body != nil {
		r.body.Close()
		r.body = nil
	}
	r.stop()
	return nil
}

// spot finds a file: in the object of its leaf, or where nobody pushed that under another version.
func (c *conn) spot(ctx context.Context, w wanted, l leaf, record int, e *index.Entry, fresh bool) (spot, error) {
	o, err := c.object(ctx, l.kind, l.id, fresh)
	switch {
	case errors.Is(err, blob.ErrNotFound):
		return c.spotElsewhere(ctx, w, e)
	case err != nil:
		return spot{}, err
	case record >= len(o.Records):
		return spot{}, onRemote(c.name, fmt.Errorf("%s: %w", remote.Name(o.Kind, l.id), remote.ErrObject))
	}
	return spot{o: o, rec: o.Records[record]}, nil
}

func (c *conn) spotElsewhere(ctx context.Context, w wanted, e *index.Entry) (s spot, err error) {
	var ok bool
	err = c.elsewhere(ctx, w, func() bool {
		if !ok {
			s, ok = c.rememberedSpot(e)
		}
		return ok
	})
	if err == nil && !ok {
		err = c.nowhere()
	}
	return s, err
}

// rememberedSpot is where the ledger saw the bytes of e, under whatever version.
func (c *conn) rememberedSpot(e *index.Entry) (spot, bool) {
	if p, ok := c.ledger.Locate(e.Digest); ok && int64(p.Raw) == e.Size {
		return spot{whole: &p}, true
	}
	o, rec, ok := c.ledger.LocateFile(e.Digest)
	return spot{o: o, rec: rec}, ok
}

// parts yields the pieces that hold the bytes from at up to end. A page of chunks is read when its turn comes, and only if it holds some of them.
func (c *conn) parts(ctx context.Context, s spot, e *index.Entry, at, end int64, fresh bool) iter.Seq2[part, error] {
	return func(yield func(part, error) bool) {
		switch {
		case s.whole != nil:
			yield(part{pieces: []transfer.WantPiece{{Digest: e.Digest, Place: *s.whole}}}, nil)
		case s.rec.Pages != nil:
			c.pageParts(ctx, s.rec.Pages, at, end, fresh, yield)
		case s.rec.Chunks != nil:
			yield(cut(s.o, s.rec.Chunks, 0, at, end), nil)
		default:
			yield(part{pieces: []transfer.WantPiece{{Digest: e.Digest, Place: place(s.o, s.rec.Whole, uint32(e.Size))}}}, nil)
		}
	}
}

func (c *conn) pageParts(ctx context.Context, pages []remote.ChunkPage, at, end int64, fresh bool, yield func(part, error) bool) {
	start := int64(0)
	for _, cp := range pages {
		if start >= end {
			return
		}
		if start+cp.Bytes > at {
			o, err := c.object(ctx, remote.KindChunks, cp.Digest, fresh)
			if err != nil {
				yield(part{}, err)
				return
			}
			cs, err := o.ChunkList()
			if err == nil && size(cs) != cp.Bytes {
				err = fmt.Errorf("page of chunks %s: %w", cp.Digest.Short(), remote.ErrObject)
			}
			if err != nil {
				yield(part{}, onRemote(c.name, err))
				return
			}
			if !yield(cut(o, cs, start, at, end), nil) {
				return
			}
		}
		start += cp.Bytes
	}
}

// size is how many bytes chunks have.
func size(cs []remote.Chunk) (n int64) {
	for _, c := range cs {
		n += int64(c.Raw)
	}
	return n
}

// cut takes those of the chunks, the first of which starts at start, that hold bytes from at up to end.
func cut(o *remote.Object, cs []remote.Chunk, start, at, end int64) part {
	for len(cs) > 0 && start+int64(cs[0].Raw) <= at {
		start += int64(cs[0].Raw)
		cs = cs[1:]
	}
	n, next := 0, start
	for ; n < len(cs) && next < end; n++ {
		next += int64(cs[n].Raw)
	}
	return part{start, appendChunks(nil, o, cs[:n])}
}
