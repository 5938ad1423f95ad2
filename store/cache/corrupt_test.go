package cache

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tarn/store/digest"
	"tarn/store/pack"
	"tarn/store/table"
)

// spoil changes a file at off (from its end, if negative) without a trace in size and mtime.
func spoil(t testing.TB, path string, off int64) {
	t.Helper()
	must(t, os.Chmod(path, 0o600))
	info, err := os.Stat(path)
	must(t, err)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	if off < 0 {
		off += info.Size()
	}
	var b [1]byte
	_, err = f.ReadAt(b[:], off)
	must(t, err)
	b[0]++
	_, err = f.WriteAt(b[:], off)
	must(t, err)
	must(t, os.Chtimes(path, time.Time{}, info.ModTime()))
}

var reads = map[string]func(c *Cache, ws workspace, d digest.Digest, size int) error{
	"bytes": func(c *Cache, _ workspace, d digest.Digest, _ int) error {
		_, err := c.Bytes(d, 1<<30)
		return err
	},
	"open": func(c *Cache, _ workspace, d digest.Digest, _ int) error {
		r, err := c.Open(d)
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = io.Copy(io.Discard, r)
		return err
	},
	"range": func(c *Cache, _ workspace, d digest.Digest, size int) error {
		_, err := c.OpenRange(d, int64(size), 1, 3) // elsewhere than what is wrong
		return err
	},
	"all as a range": func(c *Cache, _ workspace, d digest.Digest, size int) error {
		_, err := c.OpenRange(d, int64(size), 0, int64(size))
		return err
	},
	"checkout": func(c *Cache, ws workspace, d digest.Digest, size int) error {
		return second(c.Checkout(d, int64(size), false, ws.Root, "f"))
	},
	"executable": func(c *Cache, ws workspace, d digest.Digest, size int) error {
		return second(c.Checkout(d, int64(size), true, ws.Root, "f"))
	},
}

func TestCorruptObject(t *testing.T) {
	damages := map[string]func(t testing.TB, path string){
		"flipped": func(t testing.TB, path string) { spoil(t, path, 77) },
		"cut":     func(t testing.TB, path string) { must(t, os.Chmod(path, 0o600)); must(t, os.Truncate(path, 99)) },
		"empty":   func(t testing.TB, path string) { must(t, os.Chmod(path, 0o600)); must(t, os.Truncate(path, 0)) },
		"longer": func(t testing.TB, path string) {
			must(t, os.Chmod(path, 0o600))
			must(t, os.Truncate(path, 3*ownMin))
		},
	}
	for _, links := range []string{"copy", "hardlink", "symlink", "reflink"} {
		for damage, spoil := range damages {
			for how, read := range reads {
				t.Run(links+" "+damage+" "+how, func(t *testing.T) {
					c, ws := newCache(t, links), newWorkspace(t)
					b := content(ownMin+100, 1)
					d := digest.Sum(b)
					store(t, c, b, content(ownMin, 2))
					spoil(t, c.ownPath(d))
					bad, err := os.ReadFile(c.ownPath(d))
					must(t, err)
					err = read(c, ws, d, len(b))
					var corrupt *CorruptError
					if !errors.As(err, &corrupt) || corrupt.Digest != d || !errors.Is(err, digest.ErrMismatch) {
						t.Fatalf("error %v", err)
					}
					if kept, err := os.ReadFile(corrupt.Path); err != nil || !bytes.Equal(kept, bad) {
						t.Errorf("kept as %s: %v", corrupt.Path, err)
					}
					if n := ws.names(t); len(n) > 0 {
						t.Errorf("in the workspace: %v", n)
					}
					missing(t, c, d)
					store(t, c, b)
					readable(t, c, b)
					readable(t, c, content(ownMin, 2))
				})
			}
		}
	}
}

// A second corrupt object of the same digest has a place beside the first.
func TestCorruptTwice(t *testing.T) {
	c := newCache(t)
	b := content(ownMin, 1)
	for range 3 {
		store(t, c, b)
		spoil(t, c.ownPath(digest.Sum(b)), 0)
		if _, err := c.Bytes(digest.Sum(b), 1<<20); !errors.Is(err, digest.ErrMismatch) {
			t.Fatal(err)
		}
	}
	if tot, err := c.Totals(); err != nil || tot.Corrupt != 3 {
		t.Error(tot, err)
	}
}

// An object that is cut (by a crash of the machine, say) is replaced when it is added again, though nobody has read it.
func TestCutObjectHealsByAdd(t *testing.T) {
	c := newCache(t)
	b := content(ownMin, 1)
	store(t, c, b)
	path := c.ownPath(digest.Sum(b))
	must(t, os.Chmod(path, 0o600))
	must(t, os.Truncate(path, 0))
	w := c.NewWriter()
	if _, isNew, err := w.AddBytes(b); err != nil || !isNew {
		t.Error(isNew, err)
	}
	must(t, w.Close())
	readable(t, c, b)
}

func packPaths(t testing.TB, c *Cache) []string {
	t.Helper()
	paths, err := filepath.Glob(c.path(packDir, "??", "*"))
	must(t, err)
	return paths
}

func TestCorruptBlob(t *testing.T) {
	for how, read := range reads {
		t.Run(how, func(t *testing.T) {
			c, ws := newCache(t), newWorkspace(t)
			b, other := content(1000, 1), content(900, 2)
			d := digest.Sum(b)
			store(t, c, b, other)
			first := packPaths(t, c)[0]
			spoil(t, first, pack.HeaderSize+5)
			err := read(c, ws, d, len(b))
			var corrupt *CorruptError
			if !errors.As(err, &corrupt) || corrupt.Digest != d || corrupt.Path != first {
				t.Fatalf("error %v", err)
			}
			if n := ws.names(t); len(n) > 0 {
				t.Errorf("in the workspace: %v", n)
			}
			missing(t, c, d)
			again := openAt(t, c.dir)
			missing(t, again, d)
			readable(t, again, other)
			store(t, again, b)
			readable(t, again, b)
			readable(t, openAt(t, c.dir), b)
			must(t, c.Refresh())
			readable(t, c, b)
		})
	}
}

// Of two copies of a blob the good one is served.
func TestSecondCopy(t *testing.T) {
	dir := filepath.Join(memoryDir(t), "cache")
	a, b := openAt(t, dir), openAt(t, dir)
	blob := content(1000, 1)
	wa, wb := a.NewWriter(), b.NewWriter()
	for _, w := range []*Writer{wa, wb} {
		if _, _, err := w.AddBytes(blob); err != nil {
			t.Fatal(err)
		}
	}
	must(t, wa.Close())
	must(t, wb.Close())
	paths := packPaths(t, a)
	if len(paths) != 2 {
		t.Fatal(paths)
	}
	c := openAt(t, dir)
	e, _ := c.packed(digest.Sum(blob))
	spoil(t, c.packPath(e.pack), pack.HeaderSize)
	readable(t, c, blob)
	e, _ = c.packed(digest.Sum(blob))
	must(t, os.Remove(c.packPath(e.pack)))
	c = openAt(t, dir)
	missing(t, c, digest.Sum(blob))
}

func TestPackIsGone(t *testing.T) {
	c := newCache(t)
	b := content(100, 1)
	store(t, c, b)
	must(t, os.Remove(packPaths(t, c)[0]))
	if _, err := c.Bytes(digest.Sum(b), 100); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	missing(t, c, digest.Sum(b))
	store(t, c, b)
	readable(t, c, b)
}

func TestCutPack(t *testing.T) {
	c := newCache(t)
	a, b := content(100, 1), content(1000, 2)
	store(t, c, a, b)
	path := packPaths(t, c)[0]
	must(t, os.Chmod(path, 0o600))
	must(t, os.Truncate(path, 500))
	readable(t, c, a)
	if _, err := c.Bytes(digest.Sum(b), 1000); !errors.Is(err, digest.ErrMismatch) {
		t.Error(err)
	}
	missing(t, c, digest.Sum(b))
}

// What a table says wrongly does not make a good blob a bad one.
func TestTableLies(t *testing.T) {
	c := newCache(t)
	a, b := content(100, 1), content(1000, 2)
	store(t, c, a, b)
	p, _ := c.packed(digest.Sum(b))
	p.rec.Offset, p.rec.Stored, p.rec.Raw = 30, 50, 50
	must(t, c.set.Add([]digest.Digest{p.pack}, []table.Entry{entryOf(p.pack, p.rec)}))
	readable(t, c, b)
	if tot, _ := c.Totals(); tot.Corrupt != 0 {
		t.Error("taken for corrupt")
	}
}
