package chunk

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"tarn/store/digest"
)

func random(n int, seed byte) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func split(t testing.TB, r io.Reader) (sizes []int, sums []digest.Digest) {
	t.Helper()
	for s := NewSplitter(r); ; {
		c, err := s.Next()
		if err == io.EOF {
			return sizes, sums
		}
		if err != nil {
			t.Fatal(err)
		}
		sizes, sums = append(sizes, len(c)), append(sums, digest.Sum(c))
	}
}

// The cuts of this chunker are part of the format: a change here needs a new ID.
func TestGolden(t *testing.T) {
	sizes, _ := split(t, bytes.NewReader(random(3<<20, 7)))
	got := digest.New()
	for _, n := range sizes {
		got.Write([]byte{byte(n), byte(n >> 8), byte(n >> 16)})
	}
	const want = "272a2ff1d1fb"
	if s := got.Sum().Short(); s != want {
		t.Errorf("cuts changed: %v, digest %s, want %s", sizes, s, want)
	}
}

func TestSplitIsWholeAndBounded(t *testing.T) {
	for _, n := range []int{0, 1, Min, Min + 1, Max, Max + 1, 5*Max + 12345} {
		data := random(n, 1)
		sizes, _ := split(t, iotest.HalfReader(bytes.NewReader(data)))
		sum := 0
		for i, s := range sizes {
			sum += s
			if s > Max || (s < Min && i != len(sizes)-1) {
				t.Errorf("%d bytes: chunk %d has %d", n, i, s)
			}
		}
		if sum != n {
			t.Errorf("%d bytes: chunks have %d", n, sum)
		}
	}
	// all zero: no content to cut by, so Max it is
	if sizes, _ := split(t, bytes.NewReader(make([]byte, 3*Max))); len(sizes) == 0 || sizes[0] > Max {
		t.Errorf("zeros: %v", sizes)
	}
}

func TestInsertKeepsOtherChunks(t *testing.T) {
	a := random(32<<20, 3)
	b := append(append(append([]byte{}, a[:10<<20]...), "seventeen bytes.."...), a[10<<20:]...)
	_, as := split(t, bytes.NewReader(a))
	_, bs := split(t, bytes.NewReader(b))
	known := map[digest.Digest]bool{}
	for _, d := range as {
		known[d] = true
	}
	fresh := 0
	for _, d := range bs {
		if !known[d] {
			fresh++
		}
	}
	if fresh > 3 {
		t.Errorf("an insert of 17 bytes made %d of %d chunks new", fresh, len(bs))
	}
}

func TestReadError(t *testing.T) {
	s := NewSplitter(io.MultiReader(bytes.NewReader(random(Max, 1)), iotest.ErrReader(io.ErrClosedPipe)))
	if _, err := s.Next(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkSplit(b *testing.B) {
	data := random(64<<20, 1)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		split(b, bytes.NewReader(data))
	}
}
