package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tarn/internal/durable"
	"tarn/store/digest"
	"tarn/store/pack"
)

func TestTablesAreMadeAgain(t *testing.T) {
	dir := filepath.Join(memoryDir(t), "cache")
	var all [][]byte
	for i := range 12 {
		c := openAt(t, dir)
		all = append(all, content(100+i, uint64(i)), content(ownMin+i, uint64(i)))
		store(t, c, all[len(all)-2:]...)
	}
	damages := map[string]func(path string){
		"lost":   func(path string) { must(t, os.Remove(path)) },
		"broken": func(path string) { spoil(t, path, 3) },
		"empty":  func(path string) { must(t, os.Chmod(path, 0o600)); must(t, os.Truncate(path, 0)) },
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			tables, err := filepath.Glob(filepath.Join(dir, packIndexDir, "*.table"))
			must(t, err)
			for _, path := range tables {
				damage(path)
			}
			must(t, os.MkdirAll(filepath.Join(dir, packDir, "00"), 0o777))
			must(t, os.WriteFile(filepath.Join(dir, packDir, "00", strings.Repeat("0", 64)), []byte("no pack"), 0o600))
			c := openAt(t, dir)
			for _, b := range all {
				readable(t, c, b)
			}
		})
	}
}

// After a scan of many packs only the directories that changed are listed again.
func TestScanRemembers(t *testing.T) {
	c := newCache(t, "copy")
	blob := func(i int) []byte { return []byte(fmt.Sprint("blob ", i)) }
	put := func(i int) string {
		var out bytes.Buffer
		w, err := pack.NewWriter(&out, [16]byte{byte(i), byte(i >> 8)})
		must(t, err)
		_, err = w.Add(digest.Sum(blob(i)), pack.Stored, uint32(len(blob(i))), blob(i))
		must(t, err)
		s, err := w.Close()
		must(t, err)
		must(t, os.MkdirAll(filepath.Dir(c.packPath(s.Name)), 0o777))
		must(t, os.WriteFile(c.packPath(s.Name), out.Bytes(), 0o444))
		return filepath.Dir(c.packPath(s.Name))
	}
	old := time.Now().Add(-time.Hour)
	for i := range manyNames + 100 {
		put(i)
	}
	subs, _ := filepath.Glob(c.path(packDir, "??"))
	for _, sub := range subs {
		must(t, os.Chtimes(sub, old, old))
	}
	for i := range manyNames + 100 {
		if got, err := c.Bytes(digest.Sum(blob(i)), 100); err != nil || !bytes.Equal(got, blob(i)) {
			t.Fatal(i, err)
		}
	}
	changed := put(1_000_000)
	must(t, os.Chtimes(changed, old, old)) // as if nothing had changed
	if openAt(t, c.dir).Has(digest.Sum(blob(1_000_000))) {
		t.Fatal("the directory was listed again")
	}
	must(t, os.Chtimes(changed, time.Time{}, time.Now()))
	if !openAt(t, c.dir).Has(digest.Sum(blob(1_000_000))) {
		t.Error("the change was not seen")
	}
	tables, _ := filepath.Glob(c.path(packIndexDir, "*.table"))
	for _, path := range tables {
		must(t, os.Remove(path))
	}
	if !openAt(t, c.dir).Has(digest.Sum(blob(5))) {
		t.Error("lost with the tables")
	}
}

// readOnly is a disk that nothing can be written to.
type readOnly struct{ t testing.TB }

func (readOnly) Before(durable.Op) error { return syscall.EROFS }

func (r readOnly) After(op durable.Op) { r.t.Error("written:", op) }

func TestReadOnlyCache(t *testing.T) {
	dir := filepath.Join(memoryDir(t), "cache")
	c := openAt(t, dir, "hardlink")
	small, large, bad := content(100, 1), content(ownMin, 2), content(ownMin, 3)
	badBlob := content(3000, 4)
	store(t, c, small, large, bad, badBlob)
	spoil(t, c.ownPath(digest.Sum(bad)), 5)
	for _, tables := range []bool{true, false} {
		if !tables {
			must(t, os.RemoveAll(c.path(packIndexDir)))
		}
		ro, err := Open(durable.Hooked(readOnly{t}), dir, Options{Links: []string{"hardlink"}})
		must(t, err)
		lock, err := ro.Lock(context.Background(), true)
		must(t, err)
		must(t, lock.Unlock())
		for _, b := range [][]byte{small, large, badBlob} {
			readable(t, ro, b)
		}
		if _, err := ro.Bytes(digest.Sum(bad), 1<<20); !errors.Is(err, digest.ErrMismatch) {
			t.Error(err)
		}
		missing(t, ro, digest.Sum(bad))
		w := ro.NewWriter()
		if _, _, err := w.AddBytes([]byte("new")); !errors.Is(err, syscall.EROFS) {
			t.Error(err)
		}
		if _, isNew, err := w.AddBytes(small); isNew || err != nil {
			t.Error("what is there need not be written:", err)
		}
		must(t, w.Close())
		must(t, ro.Close())
	}
	p, _ := c.packed(digest.Sum(badBlob))
	spoil(t, c.packPath(p.pack), int64(p.rec.Offset))
	ro, err := Open(durable.Hooked(readOnly{t}), dir, Options{})
	must(t, err)
	if _, err := ro.Bytes(digest.Sum(badBlob), 1<<20); !errors.Is(err, digest.ErrMismatch) {
		t.Error(err)
	}
	missing(t, ro, digest.Sum(badBlob))
	must(t, ro.Close())
}

func FuzzScanned(f *testing.F) {
	f.Add([]byte("tarn 1 scanned 0\nab 123\n"))
	f.Add([]byte("tarn 1 scanned x\nab"))
	dir := f.TempDir()
	c, err := Open(nil, dir, Options{})
	must(f, err)
	must(f, os.MkdirAll(c.path(packIndexDir), 0o777))
	f.Fuzz(func(t *testing.T, b []byte) {
		must(t, os.WriteFile(c.path(packIndexDir, scannedName), b, 0o600))
		if seen := c.readScanned(); len(seen) > len(b) {
			t.Fatal(seen)
		}
	})
}
