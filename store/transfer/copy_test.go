package transfer

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"tarn/store/blob"
	"tarn/store/digest"
	"tarn/store/remote"
)

// measured counts the bytes of packs that are read and not yet put.
type measured struct {
	*bucket
	now, most atomic.Int64
}

func (m *measured) GetPack(ctx context.Context, name digest.Digest, off, n int64) (io.ReadCloser, error) {
	now := m.now.Add(n)
	for most := m.most.Load(); now > most && !m.most.CompareAndSwap(most, now); most = m.most.Load() {
	}
	return m.bucket.GetPack(ctx, name, off, n)
}

// leaving takes packs and lets m forget them.
type leaving struct {
	*bucket
	m *measured
}

func (l leaving) PutPack(ctx context.Context, name digest.Digest, body []byte) error {
	l.m.now.Add(-int64(len(body)))
	return l.bucket.PutPack(ctx, name, body)
}

func packsOf(bodies ...[]byte) (*bucket, []remote.PackRef) {
	b := &bucket{packs: map[digest.Digest][]byte{}}
	var refs []remote.PackRef
	for _, body := range bodies {
		d := digest.Sum(body)
		b.packs[d] = body
		refs = append(refs, remote.PackRef{Name: d, Size: int64(len(body))})
	}
	return b, refs
}

func TestCopy(t *testing.T) {
	src, refs := packsOf([]byte("good"), []byte("wrong"), []byte("short"), []byte("gone"), []byte("forbidden"), []byte("fine"))
	src.packs[refs[1].Name] = []byte("WRONG")
	refs[2].Size++
	src.packs[refs[2].Name] = []byte("short\x00")
	delete(src.packs, refs[3].Name)
	forbidden := errors.New("forbidden")
	allow := func(body []byte) error {
		if string(body) == "forbidden" {
			return forbidden
		}
		return nil
	}
	want := []error{nil, digest.ErrMismatch, digest.ErrMismatch, blob.ErrNotFound, forbidden, nil}
	got, mu := make([]error, len(refs)), sync.Mutex{}
	dst, _ := packsOf()
	err := Copy(context.Background(), src, dst, refs, 2, allow, func(i int, err error) error {
		mu.Lock()
		defer mu.Unlock()
		got[i] = err
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range refs {
		if (got[i] == nil) != (want[i] == nil) || !errors.Is(got[i], want[i]) || (dst.packs[refs[i].Name] != nil) != (want[i] == nil) {
			t.Errorf("pack %d: %v, want %v", i, got[i], want[i])
		}
	}
}

// What the receiver says, or done, ends it.
func TestCopyEnds(t *testing.T) {
	for range 3 {
		src, refs := packsOf([]byte("a"), []byte("b"), []byte("c"), []byte("d"))
		dst, _ := packsOf()
		full := errors.New("full")
		dst.fail = func(digest.Digest) error { return full }
		if err := Copy(context.Background(), src, dst, refs, 1, nil, func(int, error) error { return nil }); !errors.Is(err, full) || src.gets != 1 {
			t.Errorf("%v after %d", err, src.gets)
		}
		clear(src.packs)
		src.gets = 0
		if err := Copy(context.Background(), src, dst, refs, 1, nil, func(_ int, err error) error { return err }); !errors.Is(err, blob.ErrNotFound) || src.gets != 1 {
			t.Errorf("%v after %d", err, src.gets)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := Copy(ctx, src, dst, refs, 1, nil, func(int, error) error { t.Error("done is called"); return nil }); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

// Packs that are larger than those of tarn's own share the memory that these would take.
func TestCopyMemory(t *testing.T) {
	src, refs := packsOf(make([]byte, packMost+1), make([]byte, packMost+2))
	m := &measured{bucket: src}
	dst, _ := packsOf()
	if err := Copy(context.Background(), m, leaving{dst, m}, refs, 2, nil, func(_ int, err error) error { return err }); err != nil {
		t.Fatal(err)
	}
	if len(dst.packs) != 2 || m.most.Load() > 2*packMost {
		t.Errorf("%d packs, at most %d bytes at once", len(dst.packs), m.most.Load())
	}
}
