package cache

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"tarn/store/digest"
)

func TestLock(t *testing.T) {
	c := newCache(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	a, err := c.Lock(ctx, true)
	must(t, err)
	b, err := c.Lock(ctx, true)
	must(t, err)
	if _, err := c.Lock(ctx, false); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	must(t, a.Unlock())
	must(t, b.Unlock())
	alone, err := c.Lock(context.Background(), false)
	must(t, err)
	must(t, alone.Unlock())
	must(t, alone.Unlock())
	must(t, (*Lock)(nil).Unlock())
}

func TestLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("symlinks need a privilege")
	}
	b, small := content(ownMinLinked, 1), content(ownMinLinked-1, 2)
	d := digest.Sum(b)
	for _, links := range [][]string{{"hardlink", "copy"}, {"symlink"}, {"copy"}, {"reflink", "symlink"}} {
		c, ws := newCache(t, links...), newWorkspace(t)
		store(t, c, b, small, content(ownMin, 3))
		out := func(name string, b []byte, exec bool) fs.FileInfo {
			must(t, second(c.Checkout(digest.Sum(b), int64(len(b)), exec, ws.Root, name)))
			info, err := os.Lstat(filepath.Join(ws.dir, name))
			must(t, err)
			return info
		}
		own, linked := c.statOwn(d)
		if linked != (links[0] == "hardlink" || links[0] == "symlink") {
			t.Errorf("%v: own object: %v", links, linked)
		}
		if info := out("small", small, false); !info.Mode().IsRegular() {
			t.Error("a blob is linked")
		}
		if info := out("exec", b, true); !info.Mode().IsRegular() || linked && os.SameFile(info, own) {
			t.Error("an executable is linked")
		}
		out("file", b, false)
		info := out("file", b, false) // over itself
		switch links[0] {
		case "hardlink":
			if !os.SameFile(info, own) || info.Mode().Perm()&0o222 != 0 {
				t.Errorf("no hard link: %v", info.Mode())
			}
		case "symlink":
			if to, err := os.Readlink(filepath.Join(ws.dir, "file")); err != nil || to != c.ownPath(d) {
				t.Errorf("no symlink: %s %v", to, err)
			}
		default:
			if !info.Mode().IsRegular() {
				t.Errorf("%v", info.Mode())
			}
		}
		if links[0] == "reflink" && !c.Reflinks(ws.dir) {
			if info := out("large", content(ownMin, 3), false); info.Mode()&fs.ModeSymlink == 0 {
				t.Error("the second kind of link is not tried")
			}
		}
		if len(ws.names(t)) > 5 {
			t.Error(ws.names(t))
		}
	}
}

// A link is refused when the object was changed through another link, and is made without reading where nothing shows a change.
func TestVerifiedLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no inodes")
	}
	ws := newWorkspace(t)
	b := content(ownMin, 1)
	d := digest.Sum(b)
	prepare := func() *Cache {
		c := newCache(t, "hardlink")
		store(t, c, b)
		time.Sleep(2 * verifiedGrain)
		must(t, second(c.Checkout(d, ownMin, false, ws.Root, "a")))
		must(t, c.Close())
		return openAt(t, c.dir, "hardlink")
	}
	t.Run("changed through a link", func(t *testing.T) {
		c := prepare()
		must(t, os.Chmod(filepath.Join(ws.dir, "a"), 0o600))
		f, err := os.OpenFile(filepath.Join(ws.dir, "a"), os.O_WRONLY, 0)
		must(t, err)
		_, err = f.WriteAt([]byte("changed"), 10)
		must(t, err)
		must(t, f.Close())
		if _, err := c.Checkout(d, ownMin, false, ws.Root, "b"); !errors.Is(err, digest.ErrMismatch) {
			t.Error(err)
		}
		missing(t, c, d)
	})
	t.Run("changed without a trace but the ctime", func(t *testing.T) {
		c := prepare()
		must(t, os.Remove(filepath.Join(ws.dir, "a"))) // one link again, as it was when it was verified
		spoil(t, c.ownPath(d), 10)
		if _, err := c.Checkout(d, ownMin, false, ws.Root, "b"); !errors.Is(err, digest.ErrMismatch) {
			t.Error(err)
		}
	})
	t.Run("not read again", func(t *testing.T) {
		c := prepare()
		spoil(t, c.ownPath(d), 10) // the second link explains the ctime, the mtime was put back: nothing shows it
		must(t, second(c.Checkout(d, ownMin, false, ws.Root, "b")))
		if _, err := c.Bytes(d, ownMin); !errors.Is(err, digest.ErrMismatch) {
			t.Error("what is copied is read:", err)
		}
	})
}

func TestReflink(t *testing.T) {
	c, ws := openAt(t, filepath.Join(t.TempDir(), "cache")), newWorkspace(t)
	if c.Reflinks(ws.dir) {
		t.Error("of a cache that is not there")
	}
	b := content(5*streamBuffer, 1)
	d := digest.Sum(b)
	src := fileOf(t, b)
	w := c.NewWriter()
	_, _, isNew, err := w.AddFile(src, int64(len(b)))
	must(t, err)
	must(t, w.Close())
	if !isNew {
		t.Error("not new")
	}
	readable(t, c, b)
	must(t, second(c.Checkout(d, int64(len(b)), false, ws.Root, "f")))
	if c.Reflinks(ws.dir) != c.cloned.Load() {
		t.Errorf("reflinks %v, cloned %v", c.Reflinks(ws.dir), c.cloned.Load())
	}
	if newCache(t, "copy").Reflinks(ws.dir) {
		t.Error("of a cache that copies")
	}
	if !c.cloned.Load() {
		t.Skip("no reflinks here")
	}
	must(t, os.WriteFile(filepath.Join(ws.dir, "f"), []byte("changed"), 0o600))
	readable(t, c, b)
}
