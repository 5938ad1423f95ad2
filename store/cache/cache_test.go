package cache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"

	"tarn/internal/durable"
	"tarn/store/digest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func second[T any](_ T, err error) error { return err }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openAt(t testing.TB, dir string, links ...string) *Cache {
	t.Helper()
	c, err := Open(nil, dir, Options{Links: links})
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}

func newCache(t testing.TB, links ...string) *Cache {
	t.Helper()
	return openAt(t, filepath.Join(memoryDir(t), "cache"), links...)
}

// content is size bytes that depend on seed.
func content(size int, seed uint64) []byte {
	b := make([]byte, size)
	var key [32]byte
	key[0], key[1], key[2] = byte(seed), byte(seed>>8), byte(seed>>16)
	rand.NewChaCha8(key).Read(b)
	return b
}

func fileOf(t testing.TB, b []byte) *os.File {
	t.Helper()
	path := filepath.Join(memoryDir(t), "file")
	must(t, os.WriteFile(path, b, 0o600))
	f, err := os.Open(path)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// store adds contents and flushes.
func store(t testing.TB, c *Cache, contents ...[]byte) {
	t.Helper()
	w := c.NewWriter()
	for _, b := range contents {
		if _, _, err := w.AddBytes(b); err != nil {
			t.Fatal(err)
		}
	}
	must(t, w.Close())
}

type workspace struct {
	*durable.Root
	dir string
}

func newWorkspace(t testing.TB) workspace {
	t.Helper()
	dir := memoryDir(t)
	var d *durable.Disk
	r, err := d.OpenRoot(dir)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	return workspace{r, dir}
}

func (ws workspace) names(t testing.TB) []string {
	t.Helper()
	all, err := os.ReadDir(ws.dir)
	must(t, err)
	names := []string{}
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names
}

// readable checks every way to read d.
func readable(t testing.TB, c *Cache, want []byte) {
	t.Helper()
	d := digest.Sum(want)
	if !c.Has(d) || !c.HasAll([]digest.Digest{d})[0] {
		t.Errorf("object of %d bytes is not there", len(want))
		return
	}
	got, err := c.Bytes(d, int64(len(want)))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("bytes of %d: %v", len(want), err)
	}
	r, err := c.Open(d)
	if err == nil {
		defer r.Close()
		got, err = io.ReadAll(r)
	}
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("open of %d: %v", len(want), err)
	}
	readableRanges(t, c, want)
	ws := newWorkspace(t)
	must(t, ws.Mkdir("dir", 0o777))
	for name, exec := range map[string]bool{"dir/f": false, "x": true} {
		if _, err := c.Checkout(d, int64(len(want)), exec, ws.Root, name); err != nil {
			t.Errorf("check out %d: %v", len(want), err)
			continue
		}
		got, err := os.ReadFile(filepath.Join(ws.dir, name))
		must(t, err)
		info, err := os.Stat(filepath.Join(ws.dir, name))
		must(t, err)
		if !bytes.Equal(got, want) || runtime.GOOS != "windows" && exec != (info.Mode()&0o100 != 0) {
			t.Errorf("check out %d as %s: %d bytes, %v", len(want), name, len(got), info.Mode())
		}
	}
	if n := ws.names(t); len(n) != 2 {
		t.Errorf("workspace has %v", n)
	}
}

func readableRanges(t testing.TB, c *Cache, want []byte) {
	t.Helper()
	d, size := digest.Sum(want), int64(len(want))
	for _, at := range [][2]int64{{0, size}, {size, 0}, {0, size / 2}, {size / 3, size - size/3}, {size / 2, size / 4}} {
		r, err := c.OpenRange(d, size, at[0], at[1])
		if err != nil {
			t.Errorf("open %d of %d: %v", at, size, err)
			continue
		}
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || !bytes.Equal(got, want[at[0]:at[0]+at[1]]) {
			t.Errorf("range %d of %d: %d bytes, %v", at, size, len(got), err)
		}
	}
	for _, at := range [][2]int64{{0, size + 1}, {size + 1, 0}, {-1, 1}, {1, -1}, {1, size}} {
		if r, err := c.OpenRange(d, size, at[0], at[1]); err == nil {
			t.Errorf("range %d of %d is read", at, size)
			r.Close()
		}
	}
	if r, err := c.OpenRange(d, size+1, 0, 1); err == nil {
		t.Errorf("a range of %d is read with another size", size)
		r.Close()
	}
}

// missing checks that d is not there in any way.
func missing(t testing.TB, c *Cache, d digest.Digest) {
	t.Helper()
	if c.Has(d) {
		t.Error("it is there")
	}
	if _, err := c.Bytes(d, 1<<30); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("bytes: %v", err)
	}
	if _, err := c.Open(d); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open: %v", err)
	}
	if _, err := c.Checkout(d, 1, false, newWorkspace(t).Root, "f"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("checkout: %v", err)
	}
}

func noTemps(t testing.TB, c *Cache) {
	t.Helper()
	if names, _ := readNames(c.path(tmpDir)); len(names) > 0 {
		t.Errorf("temp files are left: %v", names)
	}
}

var sizes = []int{0, 1, 100, ownMinLinked - 1, ownMinLinked, ownMin - 1, ownMin, ownMin + 1, streamBuffer, streamBuffer + 1, 5*streamBuffer + 5, copyStep + 1}

func TestEveryWayInAndOut(t *testing.T) {
	for _, links := range [][]string{nil, {"hardlink"}, {"symlink", "copy"}} {
		for way := range 3 {
			t.Run(fmt.Sprint(links, way), func(t *testing.T) {
				c := newCache(t, links...)
				w := c.NewWriter()
				var all [][]byte
				for i, size := range sizes {
					b := content(size, uint64(i))
					all = append(all, b)
					for round := range 2 {
						var isNew bool
						var d digest.Digest
						var err error
						switch way {
						case 0:
							var n int64
							d, n, isNew, err = w.AddFile(fileOf(t, b), int64(size))
							if n != int64(size) {
								t.Errorf("read %d of %d bytes", n, size)
							}
						case 1:
							d, isNew, err = w.AddBytes(b)
						case 2:
							d, isNew = digest.Sum(b), round == 0 && size > 0
							err = w.AddVerified(d, int64(size), bytes.NewReader(b))
						}
						if err != nil || d != digest.Sum(b) || isNew != (round == 0 && size > 0) {
							t.Fatalf("%d bytes, round %d: new %v, %v", size, round, isNew, err)
						}
					}
				}
				must(t, w.Flush())
				for _, b := range all {
					readable(t, c, b)
				}
				if _, isNew, err := w.AddBytes(all[3]); isNew || err != nil {
					t.Errorf("new after flush: %v %v", isNew, err)
				}
				must(t, w.Close())
				noTemps(t, c)
				again := openAt(t, c.dir, links...)
				for _, b := range all {
					readable(t, again, b)
				}
			})
		}
	}
}

func TestWriterAfterClose(t *testing.T) {
	c := newCache(t)
	w := c.NewWriter()
	must(t, w.Close())
	must(t, w.Close())
	if _, _, err := w.AddBytes([]byte("a")); !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
	if _, _, _, err := w.AddFile(nil, 1); !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
	if err := w.AddVerified(digest.Empty, 0, nil); !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
	if err := w.Flush(); !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
	if _, err := os.Stat(c.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a cache that nothing was added to was made")
	}
}

func TestNothingThere(t *testing.T) {
	c := newCache(t)
	missing(t, c, digest.Digest{1})
	if !c.Has(digest.Empty) {
		t.Error("the empty object is always there")
	}
	readable(t, c, nil)
	if got := c.HasAll(make([]digest.Digest, bulk)); len(got) != bulk || got[0] {
		t.Error("has all")
	}
	if tot, err := c.Totals(); err != nil || tot != (Totals{}) {
		t.Error(tot, err)
	}
	for range c.Objects {
		t.Error("an object")
	}
	if _, err := Open(nil, memoryDir(t), Options{Links: []string{"copy", "teleport"}}); err == nil || !strings.Contains(err.Error(), "teleport") {
		t.Error("unknown link:", err)
	}
}

func TestFileChanges(t *testing.T) {
	c := newCache(t)
	w := c.NewWriter()
	for _, is := range []int{0, 10, ownMin - 1, ownMin, ownMin + 1, 5 * streamBuffer, 5*streamBuffer + 1} {
		for _, said := range []int{-1, 0, 9, 11, ownMin - 1, ownMin, ownMin + 1, 3 * streamBuffer, 6 * streamBuffer} {
			if is == said {
				continue
			}
			if _, _, isNew, err := w.AddFile(fileOf(t, content(is, 1)), int64(said)); !errors.Is(err, ErrChanged) || isNew {
				t.Errorf("%d bytes, said %d: %v", is, said, err)
			}
		}
	}
	must(t, w.Close())
	noTemps(t, c)
	for o := range c.Objects {
		t.Error("stored", o)
	}
	w = c.NewWriter()
	if _, _, _, err := w.AddFile(fileOf(t, nil), 0); err != nil {
		t.Error(err)
	}
	dir, err := os.Open(memoryDir(t))
	must(t, err)
	defer dir.Close()
	for _, size := range []int64{10, ownMin} {
		if _, _, _, err := w.AddFile(dir, size); err == nil || errors.Is(err, ErrChanged) {
			t.Errorf("a directory: %v", err)
		}
	}
	must(t, w.Close())
}

func TestAddVerifiedRefuses(t *testing.T) {
	c := newCache(t)
	w := c.NewWriter()
	for _, size := range []int{1, 5000, ownMin, 3*streamBuffer + 1} {
		b := content(size, 3)
		d := digest.Sum(b)
		for name, r := range map[string]io.Reader{
			"short": bytes.NewReader(b[:size-1]),
			"long":  io.MultiReader(bytes.NewReader(b), strings.NewReader("x")),
			"wrong": bytes.NewReader(content(size, 4)),
		} {
			if err := w.AddVerified(d, int64(size), r); !errors.Is(err, digest.ErrMismatch) {
				t.Errorf("%s of %d: %v", name, size, err)
			}
		}
		if err := w.AddVerified(d, int64(size), io.MultiReader(bytes.NewReader(b[:size/2]), iotest.ErrReader(iotest.ErrTimeout))); !errors.Is(err, iotest.ErrTimeout) {
			t.Errorf("read error of %d: %v", size, err)
		}
		if size <= 5000 {
			must(t, w.AddVerified(d, int64(size), iotest.OneByteReader(bytes.NewReader(b))))
		}
	}
	if err := w.AddVerified(digest.Empty, -1, strings.NewReader("")); !errors.Is(err, digest.ErrMismatch) {
		t.Error("negative size:", err)
	}
	must(t, w.Close())
	noTemps(t, c)
	for _, size := range []int{1, 5000} {
		readable(t, c, content(size, 3))
	}
	missing(t, c, digest.Sum(content(ownMin, 3)))
	missing(t, c, digest.Sum(content(5000, 4)))
}

// Many goroutines of two processes add the same and different objects; each object is new for one of each process at most.
func TestConcurrentAdds(t *testing.T) {
	dir := filepath.Join(memoryDir(t), "cache")
	var objects [][]byte
	for i := range 300 {
		objects = append(objects, content(1+i*37, uint64(i)))
	}
	for i := range 40 {
		objects = append(objects, content(ownMin+i, uint64(1000+i)))
	}
	var wg sync.WaitGroup
	for range 2 {
		c := openAt(t, dir)
		w := c.NewWriter()
		count := make([]atomic.Int32, len(objects))
		var adders sync.WaitGroup
		for g := range 4 {
			adders.Go(func() {
				for k := range objects {
					i := (k + g*17) % len(objects)
					_, isNew, err := w.AddBytes(objects[i])
					if err != nil {
						t.Error(err)
						return
					}
					if isNew && count[i].Add(1) > 1 {
						t.Errorf("object %d is new twice", i)
					}
					if k%100 == 99 {
						if err := w.Flush(); err != nil {
							t.Error(err)
						}
						// Also what another goroutine was just adding is there for everybody now.
						fresh := openAt(t, dir)
						for back := range 100 {
							if d := digest.Sum(objects[(k-back+g*17)%len(objects)]); !fresh.Has(d) {
								t.Errorf("object %s is not there after a flush", d.Short())
							}
						}
					}
				}
			})
		}
		wg.Go(func() {
			adders.Wait()
			if err := w.Close(); err != nil {
				t.Error(err)
			}
			for i, b := range objects {
				if got, err := c.Bytes(digest.Sum(b), 1<<20); err != nil || !bytes.Equal(got, b) {
					t.Errorf("object %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestSeesOtherProcesses(t *testing.T) {
	dir := filepath.Join(memoryDir(t), "cache")
	reader, writer := openAt(t, dir), openAt(t, dir)
	small, large := content(10, 1), content(ownMin, 2)
	missing(t, reader, digest.Sum(small))
	store(t, writer, small, large)
	if got, err := reader.Bytes(digest.Sum(small), 10); err != nil || !bytes.Equal(got, small) {
		t.Error(err)
	}
	readable(t, reader, large)
	more := content(11, 1)
	store(t, writer, more)
	must(t, reader.Refresh())
	readable(t, reader, more)
}

func TestTooLarge(t *testing.T) {
	c := newCache(t)
	for _, size := range []int{100, ownMin} {
		b := content(size, 1)
		store(t, c, b)
		if _, err := c.Bytes(digest.Sum(b), int64(size-1)); !errors.Is(err, ErrTooLarge) {
			t.Error(err)
		}
		buf := make([]byte, size)
		if got, err := c.ReadBlob(digest.Sum(b), buf, int64(size)); err != nil || &got[0] != &buf[0] {
			t.Errorf("the buffer is not used: %v", err)
		}
		if _, err := c.Checkout(digest.Sum(b), int64(size+1), false, newWorkspace(t).Root, "f"); err == nil {
			t.Error("a checkout with a wrong size")
		}
	}
}
