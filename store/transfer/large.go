package transfer

import (
	"context"
	"io"
	"sync"

	"tarn/store/digest"
)

// largeRange is what one request of a large file asks for, and largeRaw what that may become, in bytes; jobs of them are in memory.
const (
	largeRange = 8 << 20
	largeRaw   = 8 << 20
)

// large fetches one file of many pieces: ranges are requested ahead, in parallel, and written in order.
func (d *download) large(ctx context.Context, i int) {
	ctx, cancel := context.WithCancel(ctx)
	w := &d.wants[i]
	r := &aheadReader{ctx: ctx, d: d}
	defer r.running.Wait()
	defer cancel()
	from := func(n int) io.Reader {
		r.left = w.Pieces[n:]
		r.fill()
		return r
	}
	if keeper, ok := d.dst.(Resumer); ok && w.Size >= resumeFrom {
		d.finish(i, keeper.AddResumed(w.Digest, w.Size, len(w.Pieces), func(n int) (digest.Digest, int64) {
			return w.Pieces[n].Digest, int64(w.Pieces[n].Raw)
		}, from))
		return
	}
	d.finish(i, d.dst.AddVerified(w.Digest, w.Size, from(0)))
}

// Reader gives the bytes of pieces, in order.
type Reader struct {
	aheadReader
	cancel context.CancelFunc
}

// NewReader reads pieces from src; none of a piece's bytes is given out before all were checked against its digest. Neighbours are read by one
// range request, and so many requests run ahead. The caller closes it. Errors are those of a want of Download.
func NewReader(ctx context.Context, src Packs, pieces []WantPiece, jobs int) *Reader {
	ctx, cancel := context.WithCancel(ctx)
	r := &Reader{aheadReader{ctx: ctx, d: &download{src: src, jobs: max(jobs, 1)}, left: pieces}, cancel}
	r.fill()
	return r
}

// Close ends the requests that are under way.
func (r *Reader) Close() error {
	r.cancel()
	r.running.Wait()
	return nil
}

// aheadReader gives the bytes of a file while the ranges after them are on their way.
type aheadReader struct {
	ctx   context.Context
	d     *download
	left  []WantPiece
	ahead []chan piecesResult
	now   [][]byte

	running sync.WaitGroup
}

type piecesResult struct {
	raw [][]byte
	err error
}

func (r *aheadReader) fill() {
	for len(r.ahead) < r.d.jobs && len(r.left) > 0 {
		n := stretch(r.left)
		part := r.left[:n]
		r.left = r.left[n:]
		c := make(chan piecesResult, 1)
		r.running.Go(func() {
			raw, err := r.d.pieces(r.ctx, part)
			c <- piecesResult{raw, err}
		})
		r.ahead = append(r.ahead, c)
	}
}

// stretch is how many pieces from the first on one range request covers: neighbours in one pack.
func stretch(ps []WantPiece) int {
	first, end, raw := ps[0], ps[0].Offset+ps[0].Stored, ps[0].Raw
	for n := 1; n < len(ps); n++ {
		p := ps[n]
		if p.Pack.Name != first.Pack.Name || p.Offset < end || p.Offset-end > gapMost || p.Offset+p.Stored-first.Offset > largeRange {
			return n
		}
		if raw += p.Raw; raw > largeRaw {
			return n
		}
		end = p.Offset + p.Stored
	}
	return len(ps)
}

func (d *download) pieces(ctx context.Context, ps []WantPiece) ([][]byte, error) {
	start, last := int64(ps[0].Offset), ps[len(ps)-1]
	n := int64(last.Offset) + int64(last.Stored) - start
	body, err := d.src.GetPack(ctx, ps[0].Pack.Name, start, n)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	stored := make([]byte, n)
	if _, err := io.ReadFull(body, stored); err != nil {
		return nil, short(err)
	}
	d.count(0, 0, 0, n)
	raw := make([][]byte, len(ps))
	for i, p := range ps {
		off := int64(p.Offset) - start
		if raw[i], err = decode(p, stored[off:off+int64(p.Stored)]); err != nil {
			return nil, err
		}
		d.count(0, 0, int64(p.Raw), 0)
	}
	return raw, nil
}

func (r *aheadReader) Read(b []byte) (int, error) {
	for len(r.now) == 0 || len(r.now[0]) == 0 {
		if len(r.now) > 0 {
			r.now = r.now[1:]
			continue
		}
		if len(r.ahead) == 0 {
			return 0, io.EOF
		}
		res := <-r.ahead[0]
		r.ahead = r.ahead[1:]
		if res.err != nil {
			return 0, res.err
		}
		r.now = res.raw
		r.fill()
	}
	n := copy(b, r.now[0])
	r.now[0] = r.now[0][n:]
	return n, nil
}

// Check is for callers that plan wants: the pieces of w are whole, so many bytes.
func (w *Want) Check() bool {
	var n int64
	for _, p := range w.Pieces {
		n += int64(p.Raw)
	}
	return n == w.Size && (len(w.Pieces) != 1 || w.Pieces[0].Digest == w.Digest) && w.Digest != digest.Digest{}
}
