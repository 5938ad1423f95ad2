package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"

	"tarn/index"
	"tarn/store/blob"
	"tarn/store/pack"
	"tarn/store/transfer"
)

// ranged is a file on a remote that is read in parts: each read fetches the blobs that it touches, and verifies them. A few of them are kept.
type ranged struct {
	ctx    context.Context
	c      *conn
	size   int64
	pieces []transfer.WantPiece
	starts []int64 // of the pieces

	mu   sync.Mutex
	kept []*keptPiece // newest first
}

// keptPiece is a blob that was fetched, or is being fetched.
type keptPiece struct {
	n    int
	once sync.Once
	raw  []byte
	err  error
}

// rangedKept is how many blobs of a file are kept.
const rangedKept = 8

// openRemote opens an entry of a version on its remote, wherever its bytes are there.
func (r *Repo) openRemote(ctx context.Context, w wanted, e *index.Entry, remoteName string) (*ranged, error) {
	c, err := r.connectFor(ctx, w.Dataset, remoteName, false)
	if err != nil {
		return nil, err
	}
	r.locateMu.Lock()
	defer r.locateMu.Unlock()
	ps, err := r.locateEntry(ctx, c, w, e)
	if err != nil {
		return nil, err
	}
	f := &ranged{ctx: ctx, c: c, size: e.Size, pieces: ps, starts: make([]int64, len(ps))}
	at := int64(0)
	for i := range ps {
		f.starts[i] = at
		at += int64(ps[i].Raw)
	}
	return f, nil
}

// locateEntry finds the blobs of an entry: as this clone saw them, under this version, or under one that it came from.
func (r *Repo) locateEntry(ctx context.Context, c *conn, w wanted, e *index.Entry) ([]transfer.WantPiece, error) {
	if ps, ok := c.remembered(ctx, e); ok {
		return ps, nil
	}
	for l, err := range leaves(ctx, w.version, r.anywhere(w.Dataset), e.Path) {
		if err != nil {
			return nil, err
		}
		record := -1
		for i := range l.entries {
			if hasBytes(&l.entries[i]) {
				record++
			}
			if l.entries[i].Path != e.Path {
				continue
			}
			o, err := c.object(ctx, l.kind, l.id, false)
			if errors.Is(err, blob.ErrNotFound) {
				return r.locateElsewhere(ctx, c, w, e)
			}
			if err != nil {
				return nil, err
			}
			if record < 0 || record >= len(o.Records) {
				return nil, onRemote(c.name, fmt.Errorf("locations of %s: %w", e.Path, pack.ErrBlob))
			}
			return c.pieces(ctx, o, &o.Records[record], e, false)
		}
	}
	return r.locateElsewhere(ctx, c, w, e)
}

func (r *Repo) locateElsewhere(ctx context.Context, c *conn, w wanted, e *index.Entry) (ps []transfer.WantPiece, err error) {
	found := false
	err = c.search(ctx, w.Dataset, w.Prefix, func() bool {
		c.ledger.Flush()
		if !found {
			ps, found = c.remembered(ctx, e)
		}
		return found
	})
	if err != nil {
		return nil, err
	}
	c.ledger.Flush()
	if !found {
		ps, found = c.remembered(ctx, e)
	}
	if !found {
		return nil, fmt.Errorf("%w on remote %s: nobody has pushed it", ErrIncomplete, c.name)
	}
	return ps, nil
}

// Size is the file's size in bytes.
func (f *ranged) Size() int64 { return f.size }

// Close drops what was kept.
func (f *ranged) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept = nil
	return nil
}

// ReadAt reads from the blobs that hold the range.
func (f *ranged) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) && off < f.size {
		i := sort.Search(len(f.starts), func(i int) bool { return f.starts[i] > off }) - 1
		raw, err := f.piece(i)
		if err != nil {
			return n, err
		}
		k := copy(p[n:], raw[off-f.starts[i]:])
		n, off = n+k, off+int64(k)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// piece is a verified blob; several readers of one wait for the same request.
func (f *ranged) piece(n int) ([]byte, error) {
	f.mu.Lock()
	var k *keptPiece
	for i, old := range f.kept {
		if old.n == n {
			k = old
			copy(f.kept[1:i+1], f.kept[:i])
			f.kept[0] = k
			break
		}
	}
	if k == nil {
		k = &keptPiece{n: n}
		f.kept = append([]*keptPiece{k}, f.kept[:min(len(f.kept), rangedKept-1)]...)
	}
	f.mu.Unlock()
	k.once.Do(func() { k.raw, k.err = f.fetch(f.pieces[n]) })
	return k.raw, k.err
}

func (f *ranged) fetch(p transfer.WantPiece) ([]byte, error) {
	body, err := f.c.rem.GetPack(f.ctx, p.Pack.Name, int64(p.Offset), int64(p.Stored))
	if err != nil {
		return nil, onRemote(f.c.name, err)
	}
	defer body.Close()
	stored := make([]byte, p.Stored)
	if _, err := io.ReadFull(body, stored); err != nil {
		return nil, onRemote(f.c.name, fmt.Errorf("read pack %s: %w", p.Pack.Name.Short(), err))
	}
	raw, err := pack.Decode(pack.Record{Digest: p.Digest, Offset: p.Offset, Stored: p.Stored, Raw: p.Raw, Scheme: p.Scheme}, stored)
	if err != nil {
		return nil, onRemote(f.c.name, fmt.Errorf("pack %s: %w", p.Pack.Name.Short(), err))
	}

	return raw, nil
}
