package cache

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"tarn/store/digest"
)

const pieceSize = 100_000

// pieced is an object in pieces, whose reader may break.
type pieced struct {
	body  []byte
	read  int // bytes given out
	fails int // after so many; 0: never
}

var errBroke = errors.New("the network broke")

func (p *pieced) piece(i int) (digest.Digest, int64) {
	b := p.body[i*pieceSize : min((i+1)*pieceSize, len(p.body))]
	return digest.Sum(b), int64(len(b))
}

func (p *pieced) rest(from int) io.Reader {
	r := io.Reader(bytes.NewReader(p.body[min(from*pieceSize, len(p.body)):]))
	if p.fails > 0 {
		r = io.MultiReader(io.LimitReader(r, int64(p.fails)), brokenReader{})
	}
	return &counted{r, &p.read}
}

func (p *pieced) add(w *Writer) error {
	return w.AddResumed(digest.Sum(p.body), int64(len(p.body)), (len(p.body)+pieceSize-1)/pieceSize, p.piece, p.rest)
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errBroke }

type counted struct {
	r io.Reader
	n *int
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	*c.n += n
	return n, err
}

func someBytes(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{7})
	r.Read(b)
	return b
}

// TestResume breaks at several places; the next try reads what is missing, and the rest of a piece.
func TestResume(t *testing.T) {
	for _, fails := range []int{1, pieceSize - 1, pieceSize, 5*pieceSize + 17, 1_234_567} {
		c := newCache(t)
		p := &pieced{body: someBytes(1_234_567), fails: fails}
		w := c.NewWriter()
		if err := p.add(w); !errors.Is(err, errBroke) {
			t.Fatal(err)
		}
		if c.Has(digest.Sum(p.body)) {
			t.Error("a part of it is there")
		}
		must(t, w.Close())
		p.fails, p.read = 0, 0
		w = c.NewWriter()
		must(t, p.add(w))
		must(t, w.Close())
		want := len(p.body) - fails/pieceSize*pieceSize
		if fails == len(p.body) {
			want = 0
		}
		if p.read != want {
			t.Errorf("after %d bytes: read %d, want %d", fails, p.read, want)
		}
		got, err := c.Bytes(digest.Sum(p.body), 1<<30)
		if err != nil || !bytes.Equal(got, p.body) {
			t.Errorf("after %d bytes: %v", fails, err)
		}
		for _, dir := range []string{tmpDir, partialDir} {
			for _, name := range namesIn(t, c.path(dir)) {
				if len(name) > len("lock-00") {
					t.Errorf("%s/%s is left", dir, name)
				}
			}
		}
	}
}

// TestResumeIsChecked: what was left is used only as far as its bytes are right.
func TestResumeIsChecked(t *testing.T) {
	body := someBytes(1_000_000)
	for name, harm := range map[string]func(t *testing.T, tmp string){
		"byte": func(t *testing.T, tmp string) {
			b, err := os.ReadFile(tmp)
			must(t, err)
			b[250_000] ^= 1
			must(t, os.WriteFile(tmp, b, 0o600))
		},
		"longer":  func(t *testing.T, tmp string) { must(t, os.WriteFile(tmp, make([]byte, 2_000_000), 0o600)) },
		"gone":    func(t *testing.T, tmp string) { must(t, os.Remove(tmp)) },
		"a link":  func(t *testing.T, tmp string) { must(t, os.Remove(tmp)); must(t, os.Symlink("/etc/passwd", tmp)) },
		"nothing": func(t *testing.T, tmp string) { must(t, os.Truncate(tmp, 0)) },
	} {
		c := newCache(t)
		p := &pieced{body: body, fails: 600_000}
		w := c.NewWriter()
		if err := p.add(w); !errors.Is(err, errBroke) {
			t.Fatal(err)
		}
		must(t, w.Close())
		harm(t, c.path(tmpDir, namesIn(t, c.path(tmpDir))[0]))
		p.fails, p.read = 0, 0
		w = c.NewWriter()
		must(t, p.add(w))
		must(t, w.Close())
		want := len(body)
		if name == "byte" {
			want -= 2 * pieceSize
		}
		if got, err := c.Bytes(digest.Sum(body), 1<<30); err != nil || !bytes.Equal(got, body) || p.read != want {
			t.Errorf("%s: %v, read %d, want %d", name, err, p.read, want)
		}
	}
}

// TestResumeAtOnce: of two who add the same object one goes on with what was left; both succeed.
func TestResumeAtOnce(t *testing.T) {
	c := newCache(t)
	body := someBytes(3_000_000)
	w := c.NewWriter()
	errs := make(chan error)
	for range 4 {
		go func() { errs <- (&pieced{body: body}).add(w) }()
	}
	for range 4 {
		must(t, <-errs)
	}
	must(t, w.Close())
	if got, err := c.Bytes(digest.Sum(body), 1<<30); err != nil || !bytes.Equal(got, body) {
		t.Error(err)
	}
	if left := namesIn(t, c.path(tmpDir)); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestResumeWrongWhole: pieces that are right and make another object than promised leave nothing behind.
func TestResumeWrongWhole(t *testing.T) {
	c := newCache(t)
	p := &pieced{body: someBytes(500_000)}
	w := c.NewWriter()
	err := w.AddResumed(digest.Sum([]byte("other")), int64(len(p.body)), 5, p.piece, p.rest)
	if !errors.Is(err, digest.ErrMismatch) {
		t.Error(err)
	}
	must(t, w.Close())
	if left := namesIn(t, c.path(tmpDir)); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
