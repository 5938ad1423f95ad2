//go:build unix

package fs

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"tarn/store/blob"
)

func TestStrangersInTheDirectory(t *testing.T) {
	dir := t.TempDir()
	b := New(nil, dir)
	put(t, b, "a/x", "x")
	for _, name := range []string{"lost+found/y", ".Trash-1000/z", "a/.DS_Store", "a/with space", "tmp/tmp-0123456789abcdef", "System Volume Information/q"} {
		must(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("stranger"), 0o644))
	}
	must(t, os.Chmod(filepath.Join(dir, "lost+found"), 0))
	t.Cleanup(func() { os.Chmod(filepath.Join(dir, "lost+found"), 0o755) })
	must(t, os.Symlink("/nowhere", filepath.Join(dir, "a/dangling")))
	must(t, syscall.Mkfifo(filepath.Join(dir, "a/fifo"), 0o644))
	elsewhere := t.TempDir()
	must(t, os.WriteFile(filepath.Join(elsewhere, "moved"), []byte("moved"), 0o644))
	must(t, os.Symlink(elsewhere, filepath.Join(dir, "a-disk")))
	if got := keys(t, b, ""); !slices.Equal(got, []string{"a-disk/moved", "a/x"}) {
		t.Errorf("list: %v", got)
	}
	if _, err := b.Stat(ctx, "a/fifo"); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("fifo: %v", err)
	}
}
