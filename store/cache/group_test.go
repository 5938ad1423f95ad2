//go:build unix

package cache

import (
	"context"
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"
)

func TestGroup(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	dir := filepath.Join(t.TempDir(), "cache")
	c, err := Open(nil, dir, Options{Group: true})
	must(t, err)
	lock, err := c.Lock(context.Background(), true)
	must(t, err)
	must(t, lock.Unlock())
	store(t, c, content(10, 1), content(ownMin, 2))
	must(t, c.Close())
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		must(t, err)
		info, err := e.Info()
		must(t, err)
		want := fs.FileMode(0o444)
		switch {
		case e.IsDir():
			want = fs.ModeDir | fs.ModeSetgid | 0o775
		case e.Name() == lockName:
			want = 0o664
		}
		if info.Mode() != want {
			t.Errorf("%s: %v", path, info.Mode())
		}
		return nil
	})
	must(t, err)
}
