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
	leaf, record, err := c.leaf(ctx)
	if err != nil {
		return nil, err
	}
	r := &remoteRange{ctx: ctx, c: conn, w: c.w, leaf: leaf, record: record, e: c.e, at: c.off, end: c.off + c.n}
	if err := r.find(false); err != nil {
		return nil, err
	}
	if c.n < c.e.Size {
		return r, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{digest.NewReader(r, c.e.Digest, c.e.Size), r}, nil
}

// leaf finds the object that tells where the file is, and the number of its record.
func (c *cat) leaf(ctx context.Context) (leaf, int, error) {
	for l, err := range leaves(ctx, c.w.version, c.src, c.w.Prefix) {
		if err != nil {
			return leaf{}, 0, err
		}
		record := 0
		for i := range l.entries {
			if l.entries[i].Path == c.e.Path {
				return l, record, nil
			}
			if hasBytes(&l.entries[i]) {
				record++
			}
		}
	}
	return leaf{}, 0, errNoPath
}

// remoteRange reads bytes at to end of a file from the packs of a remote. Each chunk is checked before any byte of it is given out. Where a pack is gone, or
// is not what this clone saw, the remote is asked once more, and reading goes on where it was.
type remoteRange struct {
	ctx     context.Context
	c       *conn
	w       wanted
	leaf    leaf
	record  int
	e       *index.Entry
	at, end int64

	spot  spot
	next  func() (part, error, bool) // parts that are not read yet
	stop  func()
	now   part
	body  *transfer.Reader // of now
	fresh bool
}

// find looks up where the bytes are; fresh asks the remote and not what this clone remembers.
func (r *remoteRange) find(fresh bool) error {
	s, err := r.c.spot(r.ctx, r.w, r.leaf, r.record, r.e, fresh)
	if isCorrupt(err) && !fresh {
		fresh = true
		if err = r.c.ledger.Forget(nil, map[digest.Digest]bool{r.leaf.id: true}); err == nil {
			s, err = r.c.spot(r.ctx, r.w, r.leaf, r.record, r.e, fresh)
		}
	}
	if err != nil {
		return err
	}
	r.spot, r.fresh = s, fresh
	r.next, r.stop = iter.Pull2(r.c.parts(r.ctx, s, r.e, r.at, r.end, fresh))
	return nil
}

func (r *remoteRange) Read(p []byte) (int, error) {
	for r.at < r.end {
		n, err := r.read(p)
		r.at += int64(n)
		switch {
		case n > 0:
			return n, nil // an error comes again
		case err == nil:
		case r.fresh || r.ctx.Err() != nil || !errors.Is(err, blob.ErrNotFound) && !isCorrupt(err):
			return 0, onRemote(r.c.name, err)
		default:
			if err := r.again(); err != nil {
				return 0, err
			}
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
	return n, err
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
		return fmt.Errorf("locations of %s: %w", r.e.Digest.Short(), remote.ErrObject)
	}
	return err
}

// again looks once more for what is left, and takes nothing for known that led here.
func (r *remoteRange) again() error {
	r.Close()
	packs, objects := map[digest.Digest]bool{}, map[digest.Digest]bool{r.leaf.id: true}
	for _, p := range r.now.pieces {
		packs[p.Pack.Name] = true
	}
	if r.spot.o != nil {
		objects[r.spot.o.Digest()] = true
	}
	clear(r.c.searched)
	if err := r.c.ledger.Forget(packs, objects); err != nil {
		return err
	}
	return r.find(true)
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
	look := func() bool {
		c.ledger.Flush()
		if !ok {
			s, ok = c.rememberedSpot(e)
		}
		return ok
	}
	if !look() {
		err = c.search(ctx, w.Dataset, w.Prefix, look)
	}
	if err == nil && !look() {
		err = fmt.Errorf("%w on remote %s: nobody has pushed it", ErrIncomplete, c.name)
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
			var cs []remote.Chunk
			if err == nil {
				cs, err = o.ChunkList()
			}
			if err == nil && size(cs) != cp.Bytes {
				err = fmt.Errorf("page of chunks %s: %w", cp.Digest.Short(), remote.ErrObject)
			}
			if err != nil {
				yield(part{}, err)
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
