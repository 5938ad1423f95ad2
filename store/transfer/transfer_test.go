package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"sync"
	"testing"

	"tarn/store/blob"
	"tarn/store/digest"
	"tarn/store/pack"
	"tarn/store/remote"
)

// plain compresses nothing.
var plain, _ = pack.NewEncoder(pack.LevelStored)

// place keeps packs in memory and can fail.
type bucket struct {
	mu    sync.Mutex
	packs map[digest.Digest][]byte
	gets  int
	fail  func(name digest.Digest) error
}

func (b *bucket) PutPack(_ context.Context, name digest.Digest, body []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		if err := b.fail(name); err != nil {
			return err
		}
	}
	if digest.Sum(body) != name {
		return fmt.Errorf("pack has the wrong name")
	}
	b.packs[name] = bytes.Clone(body)
	return nil
}

func (b *bucket) GetPack(_ context.Context, name digest.Digest, off, n int64) (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gets++
	body, ok := b.packs[name]
	if !ok {
		return nil, blob.ErrNotFound
	}
	return io.NopCloser(bytes.NewReader(body[off : off+n])), nil
}

// local is a source and a sink.
type local struct {
	mu    sync.Mutex
	blobs map[digest.Digest][]byte
}

func (l *local) get(d digest.Digest) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.blobs[d]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return b, nil
}

func (l *local) Open(d digest.Digest) (io.ReadCloser, error) {
	b, err := l.get(d)
	return io.NopCloser(bytes.NewReader(b)), err
}

func (l *local) Bytes(d digest.Digest, _ int64) ([]byte, error) { return l.get(d) }

func (l *local) AddVerified(want digest.Digest, size int64, r io.Reader) error {
	b, err := io.ReadAll(digest.NewReader(r, want, size))
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.blobs[want] = b
	return nil
}

// memory is a ledger.
type memory struct {
	mu    sync.Mutex
	known map[digest.Digest]remote.Place
}

func (m *memory) Locate(d digest.Digest) (remote.Place, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.known[d]
	return p, ok
}

func (m *memory) LearnPack(p remote.PackRef, recs []pack.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range recs {
		m.known[r.Digest] = remote.Place{Pack: p, Offset: r.Offset, Stored: r.Stored, Raw: r.Raw, Scheme: r.Scheme}
	}
	return nil
}

type world struct {
	bucket bucket
	local  local
	known  memory
	files  []remote.File
	enc    *pack.Encoder
}

func newWorld(t *testing.T, sizes ...int) *world {
	t.Helper()
	w := &world{bucket: bucket{packs: map[digest.Digest][]byte{}}, local: local{blobs: map[digest.Digest][]byte{}}, known: memory{known: map[digest.Digest]remote.Place{}}, enc: plain}
	r := rand.NewChaCha8([32]byte{1})
	for _, n := range sizes {
		b := make([]byte, n)
		r.Read(b)
		d := digest.Sum(b)
		w.local.blobs[d] = b
		w.files = append(w.files, remote.File{Digest: d, Size: int64(n)})
	}
	return w
}

// push uploads all files and returns where they are.
func (w *world) push(t *testing.T) ([]Placement, Stats, error) {
	t.Helper()
	u := NewUpload(t.Context(), &w.local, &w.bucket, &w.known, w.enc, 3, func(int64, int64) {})
	out := make([]Placement, len(w.files))
	calls := 0
	var err error
	for i, f := range w.files {
		if err = u.File(f, func(p Placement) {
			if calls != i {
				t.Errorf("done for file %d as number %d", i, calls)
			}
			calls++
			out[i] = p
		}); err != nil {
			break
		}
	}
	if err == nil {
		err = u.Flush()
	}
	stats := u.Close()
	if err == nil && calls != len(w.files) {
		t.Errorf("done was called for %d of %d files", calls, len(w.files))
	}
	return out, stats, err
}

func wants(files []remote.File, ps []Placement) []Want {
	ws := make([]Want, len(files))
	for i, f := range files {
		ws[i] = Want{Digest: f.Digest, Size: f.Size}
		for _, p := range ps[i].Pieces {
			ws[i].Pieces = append(ws[i].Pieces, WantPiece{p.Digest, remote.Place{Pack: p.Pack.Ref, Offset: p.Offset, Stored: p.Stored, Raw: p.Raw, Scheme: p.Scheme}})
		}
	}
	return ws
}

// pull downloads wants into an empty store.
func (w *world) pull(t *testing.T, ws []Want) (*local, map[int]error) {
	t.Helper()
	to, errs := &local{blobs: map[digest.Digest][]byte{}}, map[int]error{}
	var mu sync.Mutex
	_, err := Download(t.Context(), &w.bucket, to, ws, 3, func(i int, err error) {
		mu.Lock()
		defer mu.Unlock()
		if _, twice := errs[i]; twice {
			t.Errorf("want %d is done twice", i)
		}
		errs[i] = err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(errs) != len(ws) {
		t.Errorf("done for %d of %d wants", len(errs), len(ws))
	}
	return to, errs
}

func sizes() []int {
	var ns []int
	for i := range 3000 {
		ns = append(ns, 1+i%5000)
	}
	return append(ns, 3<<20, 700, 40<<20, 1<<20, 1<<20-1)
}

func TestRoundTrip(t *testing.T) {
	w := newWorld(t, sizes()...)
	ps, stats, err := w.push(t)
	if err != nil {
		t.Fatal(err)
	}
	if stats.Files != int64(len(w.files)) || stats.Packs < 3 {
		t.Errorf("%+v", stats)
	}
	to, errs := w.pull(t, wants(w.files, ps))
	for i, f := range w.files {
		if errs[i] != nil || !bytes.Equal(to.blobs[f.Digest], w.local.blobs[f.Digest]) {
			t.Fatalf("file %d of %d bytes: %v", i, f.Size, errs[i])
		}
	}
	if w.bucket.gets > 20 {
		t.Errorf("%d requests for %d packs", w.bucket.gets, len(w.bucket.packs))
	}
}

// What compresses is sent compressed, what does not is not, and both come back.
func TestCompressed(t *testing.T) {
	w := newWorld(t, 100, 3<<20, 50_000)
	for _, n := range []int{30, 5000, 300_000, 9 << 20} {
		b := make([]byte, 0, n+30)
		for i := 0; len(b) < n; i++ {
			b = fmt.Appendf(b, "%d,user %d,%d\n", i, i*i%1009, i%7)
		}
		b = b[:n]
		f := remote.File{Digest: digest.Sum(b), Size: int64(n)}
		w.local.blobs[f.Digest] = b
		w.files = append(w.files, f)
	}
	var err error
	if w.enc, err = pack.NewEncoder(pack.LevelDefault); err != nil {
		t.Fatal(err)
	}
	ps, stats, err := w.push(t)
	if err != nil {
		t.Fatal(err)
	}
	var raw int64
	for i, p := range ps {
		raw += w.files[i].Size
		for _, x := range p.Pieces {
			if text := i > 3; text != (x.Scheme == pack.Zstd) {
				t.Errorf("file %d, of %d bytes: a blob of %d bytes has the scheme %d", i, w.files[i].Size, x.Raw, x.Scheme)
			}
		}
	}
	if stats.Raw != raw || stats.Sent > 3<<20+50_000+(9<<20)/2 {
		t.Errorf("%d bytes: %+v", raw, stats)
	}
	to, errs := w.pull(t, wants(w.files, ps))
	for i, f := range w.files {
		if errs[i] != nil || !bytes.Equal(to.blobs[f.Digest], w.local.blobs[f.Digest]) {
			t.Errorf("file %d of %d bytes: %v", i, f.Size, errs[i])
		}
	}
}

func TestSecondPushSendsNothing(t *testing.T) {
	w := newWorld(t, sizes()...)
	if _, _, err := w.push(t); err != nil {
		t.Fatal(err)
	}
	packs := len(w.bucket.packs)
	_, stats, err := w.push(t)
	if err != nil || stats.Packs != 0 || len(w.bucket.packs) != packs {
		t.Errorf("second push sent %+v, %v", stats, err)
	}
}

func TestSameBlobOnce(t *testing.T) {
	w := newWorld(t, 1000, 3<<20)
	w.files = append(w.files, w.files...)
	_, stats, err := w.push(t)
	if err != nil || stats.Sent > 3<<20+10000 || stats.Files != 2 || stats.Bytes != 3<<20+1000 || stats.Reused != 0 {
		t.Errorf("%+v, %v", stats, err)
	}
}

func TestMissingFileSpoilsNoOther(t *testing.T) {
	w := newWorld(t, 10, 20, 2<<20, 30)
	delete(w.local.blobs, w.files[1].Digest)
	delete(w.local.blobs, w.files[2].Digest)
	ps, _, err := w.push(t)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range ps {
		if gone := i == 1 || i == 2; gone != errors.Is(p.Err, fs.ErrNotExist) {
			t.Errorf("file %d: %v", i, p.Err)
		}
	}
}

func TestUploadFails(t *testing.T) {
	w := newWorld(t, sizes()...)
	boom := errors.New("boom")
	n := 0
	w.bucket.fail = func(digest.Digest) error {
		if n++; n == 2 {
			return boom
		}
		return nil
	}
	if _, _, err := w.push(t); !errors.Is(err, boom) {
		t.Errorf("%v", err)
	}
	// What had arrived is not sent again.
	had := len(w.known.known)
	w.bucket.fail = nil
	if _, _, err := w.push(t); err != nil || had == 0 {
		t.Errorf("%d blobs known, then %v", had, err)
	}
}

func TestCancel(t *testing.T) {
	w := newWorld(t, sizes()...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	u := NewUpload(ctx, &w.local, &w.bucket, &w.known, plain, 1, func(int64, int64) {})
	for i, f := range w.files {
		if i == 100 {
			cancel()
		}
		if err := u.File(f, func(Placement) {}); err != nil {
			break
		}
	}
	if err := u.Flush(); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	u.Close()
}

// TestReader reads files, and some of their pieces, without a store.
func TestReader(t *testing.T) {
	w := newWorld(t, 1000, 3<<20, 40<<20)
	ps, _, err := w.push(t)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range wants(w.files, ps) {
		all := w.local.blobs[want.Digest]
		off := 0
		for n, p := range want.Pieces {
			r := NewReader(t.Context(), &w.bucket, want.Pieces[n:], 3)
			head := make([]byte, min(len(all)-off, 100))
			if _, err := io.ReadFull(r, head); err != nil || !bytes.Equal(head, all[off:off+len(head)]) {
				t.Fatalf("file %d from piece %d: %v", i, n, err)
			}
			r.Close() // before its end
			if off += int(p.Raw); n > 3 {
				break
			}
		}
		r := NewReader(t.Context(), &w.bucket, want.Pieces, 3)
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || !bytes.Equal(got, all) {
			t.Errorf("file %d: %d bytes of %d, %v", i, len(got), len(all), err)
		}
	}
	large := wants(w.files, ps)[1]
	bad := large.Pieces[2]
	w.bucket.packs[bad.Pack.Name][bad.Offset+5] ^= 1
	w.bucket.gets = 0
	for n, ok := range map[int]bool{1: true, 2: false} {
		r := NewReader(t.Context(), &w.bucket, large.Pieces[n:n+1], 3)
		got, err := io.ReadAll(r)
		if r.Close(); ok != (err == nil) || !ok && (len(got) > 0 || !errors.Is(err, digest.ErrMismatch)) {
			t.Errorf("piece %d: %d bytes, %v", n, len(got), err)
		}
	}
	if w.bucket.gets != 2 {
		t.Errorf("%d requests for two pieces", w.bucket.gets)
	}
}

func TestBrokenPack(t *testing.T) {
	w := newWorld(t, 1000, 2000, 3<<20)
	ps, _, err := w.push(t)
	if err != nil {
		t.Fatal(err)
	}
	ws := wants(w.files, ps)
	for name := range w.bucket.packs {
		w.bucket.packs[name][ws[1].Pieces[0].Offset+7] ^= 1
		w.bucket.packs[name][ws[2].Pieces[3].Offset+7] ^= 1
	}
	to, errs := w.pull(t, ws)
	if errs[0] != nil || !errors.Is(errs[1], digest.ErrMismatch) || !errors.Is(errs[2], digest.ErrMismatch) || len(to.blobs) != 1 {
		t.Errorf("%v, %d stored", errs, len(to.blobs))
	}
	clear(w.bucket.packs)
	if _, errs = w.pull(t, ws); !errors.Is(errs[0], blob.ErrNotFound) || !errors.Is(errs[2], blob.ErrNotFound) {
		t.Errorf("%v", errs)
	}
}
