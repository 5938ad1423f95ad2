package transfer

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"tarn/store/digest"
	"tarn/store/pack"
	"tarn/store/remote"
)

// Want is one file to fetch: its pieces in order. A file of one piece has the piece's digest.
type Want struct {
	Digest digest.Digest
	Size   int64
	Pieces []WantPiece
}

// WantPiece is a blob with its place.
type WantPiece struct {
	Digest digest.Digest
	remote.Place
}

// Download fetches wants into dst, in any order, with so many requests at once. Small files are grouped by pack, and neighbours read by one range
// request; a large file is read by several at once. done is called for each want, from many goroutines, with the reason if it could not be had; the others go on.
// Errors of a want: blob.ErrNotFound (a pack is gone), digest.ErrMismatch and pack.ErrBlob (wrong bytes), or of the remote and of dst. The error that is
// returned is that of ctx alone.
func Download(ctx context.Context, src Packs, dst Sink, wants []Want, jobs int, done func(i int, err error)) (Stats, error) {
	d := &download{src: src, dst: dst, wants: wants, done: done, jobs: max(jobs, 1)}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(d.jobs)
	for _, r := range d.plan() {
		g.Go(func() error { return d.run(gctx, r) })
	}
	g.Wait()
	for i := range wants {
		if len(wants[i].Pieces) > 1 && ctx.Err() == nil {
			d.large(ctx, i)
		}
	}
	return d.stats, ctx.Err()
}

type download struct {
	src   Packs
	dst   Sink
	wants []Want
	done  func(int, error)
	jobs  int

	mu    sync.Mutex
	stats Stats
}

// span is one range request in a pack, for wants in the order of their offsets.
type span struct {
	pack       digest.Digest
	start, end int64
	wants      []int
}

// plan groups the wants of one piece into spans.
func (d *download) plan() []span {
	var order []int
	for i, w := range d.wants {
		if len(w.Pieces) == 1 {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		p, q := &d.wants[a].Pieces[0], &d.wants[b].Pieces[0]
		if c := p.Pack.Name.Compare(q.Pack.Name); c != 0 {
			return c
		}
		return cmp.Compare(p.Offset, q.Offset)
	})
	var spans []span
	for _, i := range order {
		p := &d.wants[i].Pieces[0]
		start, end := int64(p.Offset), int64(p.Offset)+int64(p.Stored)
		if n := len(spans) - 1; n >= 0 && spans[n].takes(p.Pack.Name, start, end) {
			spans[n].end = max(spans[n].end, end)
			spans[n].wants = append(spans[n].wants, i)
			continue
		}
		spans = append(spans, span{p.Pack.Name, start, end, []int{i}})
	}
	return spans
}

func (s *span) takes(name digest.Digest, start, end int64) bool {
	return s.pack == name && start-s.end <= gapMost && end-s.start <= 2*rangeMost
}

func (d *download) run(ctx context.Context, s span) error {
	body, err := d.src.GetPack(ctx, s.pack, s.start, s.end-s.start)
	if err != nil {
		d.failAll(s.wants, err)
		return ctx.Err()
	}
	defer body.Close()
	d.count(0, 0, 0, s.end-s.start)
	r := &spanReader{r: bufio.NewReaderSize(body, 256<<10), at: s.start}
	for n, i := range s.wants {
		w := &d.wants[i]
		stored, err := r.blob(w.Pieces[0])
		if err != nil {
			d.failAll(s.wants[n:], fmt.Errorf("read pack %s: %w", s.pack.Short(), err))
			return ctx.Err()
		}
		d.count(0, 0, int64(w.Pieces[0].Raw), 0)
		d.finish(i, d.store(w, stored))
	}
	return ctx.Err()
}

func (d *download) store(w *Want, stored []byte) error {
	raw, err := decode(w.Pieces[0], stored)
	if err != nil {
		return err
	}
	if sink, ok := d.dst.(BlobSink); ok && w.Pieces[0].Digest == w.Digest && int64(len(raw)) == w.Size {
		return sink.AddChecked(w.Digest, raw)
	}
	return d.dst.AddVerified(w.Digest, w.Size, bytes.NewReader(raw))
}

func decode(p WantPiece, stored []byte) ([]byte, error) {
	raw, err := pack.Decode(pack.Record{Digest: p.Digest, Offset: p.Offset, Stored: p.Stored, Raw: p.Raw, Scheme: p.Scheme}, stored)
	if err != nil {
		return nil, fmt.Errorf("pack %s: %w", p.Pack.Name.Short(), err)
	}
	return raw, nil
}

// spanReader reads blobs at rising offsets, and again where two wants share one.
type spanReader struct {
	r    *bufio.Reader
	at   int64
	last []byte
	from uint32
}

func (s *spanReader) blob(p WantPiece) ([]byte, error) {
	if s.last != nil && p.Offset == s.from && int(p.Stored) == len(s.last) {
		return s.last, nil
	}
	skip := int64(p.Offset) - s.at
	if skip < 0 {
		return nil, fmt.Errorf("blobs overlap at %d: %w", p.Offset, remote.ErrObject)
	}
	if _, err := s.r.Discard(int(skip)); err != nil {
		return nil, short(err)
	}
	if cap(s.last) < int(p.Stored) {
		s.last = make([]byte, p.Stored)
	}
	s.last = s.last[:p.Stored]
	if _, err := io.ReadFull(s.r, s.last); err != nil {
		return nil, short(err)
	}
	s.from, s.at = p.Offset, int64(p.Offset)+int64(p.Stored)
	return s.last, nil
}

func short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %w", pack.ErrBlob, io.ErrUnexpectedEOF) // it has fewer bytes than its name promises
	}
	return err
}

func (d *download) failAll(wants []int, err error) {
	for _, i := range wants {
		d.done(i, err)
	}
}

func (d *download) finish(i int, err error) {
	if err == nil {
		d.count(1, d.wants[i].Size, 0, 0)
	}
	d.done(i, err)
}

func (d *download) count(files, bytes, raw, received int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stats.Files += files
	d.stats.Bytes += bytes
	d.stats.Raw += raw
	if received > 0 {
		d.stats.Sent += received
		d.stats.Packs++
	}
}
