package dataset

import (
	"context"
	"io"
	"sort"
	"sync"

	"tarn/index"
	"tarn/store/transfer"
)

// ranged is a file on a remote that is read at any place, by many goroutines: each read fetches the blobs that it touches, and verifies them. A few runs of
// them are kept.
type ranged struct {
	remoteFile
	failed func(error) // hears of what could not be read

	mu     sync.Mutex
	ahead  int64 // bytes of a run at most; one blob is always read
	pieces []transfer.WantPiece
	starts []int64    // of the pieces
	round  int        // how often they were located
	kept   []*blobRun // newest first
}

// blobRun is blobs side by side that were fetched, or are being fetched.
type blobRun struct {
	round      int
	start, end int64
	pieces     []transfer.WantPiece
	once       sync.Once
	raw        []byte
	err        error
}

// rangedKept is how many runs of a file are kept, and rangedAhead how long they are where it is read from begin to end, in bytes.
const (
	rangedKept  = 8
	rangedAhead = 4 << 20
)

// openRemote opens an entry of a version on its remote, wherever its bytes are there. failed may be called later, from many goroutines.
func (r *Repo) openRemote(ctx context.Context, w wanted, e *index.Entry, remoteName string, failed func(error)) (*ranged, error) {
	c, err := r.connectFor(ctx, w.Dataset, remoteName, false)
	if err != nil {
		return nil, err
	}
	f := &ranged{remoteFile: remoteFile{ctx: ctx, c: c, w: w, src: r.from(w.Dataset, remoteName), e: e}, failed: failed}
	err = f.locate(f.find)
	if f.stale(err) {
		err = f.locate(func() error { return f.again(nil) })
	}
	return f, err
}

// locate lists the blobs of the file where find finds them.
func (f *ranged) locate(find func() error) error {
	if err := find(); err != nil {
		return err
	}
	ps, err := f.c.pieces(f.ctx, f.spot, f.e, f.fresh)
	if err != nil {
		return err
	}
	f.pieces, f.starts, f.kept = ps, make([]int64, len(ps)), nil
	f.round++
	at := int64(0)
	for i := range ps {
		f.starts[i] = at
		at += int64(ps[i].Raw)
	}
	return nil
}

// Size is the file's size in bytes.
func (f *ranged) Size() int64 { return f.e.Size }

// Close drops what was kept.
func (f *ranged) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept = nil
	return nil
}

// Sequential says that the file will be read from begin to end.
func (f *ranged) Sequential() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ahead = rangedAhead
}

// ReadAt reads from the blobs that hold the range.
func (f *ranged) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) && off < f.e.Size {
		k := f.run(off)
		if k.err != nil {
			if err := f.anew(k); err != nil {
				f.failed(err)
				return n, err
			}
			continue
		}
		m := copy(p[n:], k.raw[off-k.start:])
		n, off = n+m, off+int64(m)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// run is the blobs that hold the byte at off, and some behind it; several readers of one wait for the same request.
func (f *ranged) run(off int64) *blobRun {
	k := f.pick(off)
	k.once.Do(func() {
		body := transfer.NewReader(f.ctx, f.c.rem, k.pieces, 1)
		defer body.Close()
		k.raw = make([]byte, k.end-k.start)
		_, err := io.ReadFull(body, k.raw)
		k.err = onRemote(f.c.name, err)
	})
	return k
}

// pick is a run that is kept, or a new one.
func (f *ranged) pick(off int64) *blobRun {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, k := range f.kept {
		if k.start <= off && off < k.end {
			copy(f.kept[1:i+1], f.kept[:i])
			f.kept[0] = k
			return k
		}
	}
	i := sort.Search(len(f.starts), func(i int) bool { return f.starts[i] > off }) - 1
	k := &blobRun{round: f.round, start: f.starts[i], end: f.starts[i]}
	for n := i; n == i || n < len(f.pieces) && k.end-k.start+int64(f.pieces[n].Raw) <= f.ahead; n++ {
		k.end += int64(f.pieces[n].Raw)
		k.pieces = f.pieces[i : n+1]
	}
	most := rangedKept
	if f.ahead > 0 {
		most = 2
	}
	f.kept = append([]*blobRun{k}, f.kept[:min(len(f.kept), most-1)]...)
	return k
}

// anew looks for the blobs again where some could not be had, unless another reader did meanwhile.
func (f *ranged) anew(k *blobRun) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case k.round != f.round:
		return nil
	case !f.stale(k.err):
		return k.err
	}
	return f.locate(func() error { return f.again(f.pieces) })
}
