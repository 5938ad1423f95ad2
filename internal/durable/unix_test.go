//go:build unix

package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func withUmask(t *testing.T, mask fs.FileMode) {
	old, oldVar := syscall.Umask(int(mask)), umask
	umask = mask
	t.Cleanup(func() { syscall.Umask(old); umask = oldVar })
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	must(t, err)
	return info.Mode().Perm()
}

func TestModes(t *testing.T) {
	for _, mask := range []fs.FileMode{0o022, 0o002, 0o077, 0} {
		withUmask(t, mask)
		dir, log := t.TempDir(), &opLog{}
		d := Hooked(log)
		path := filepath.Join(dir, "x")
		must(t, d.WriteFile(path, nil, 0o644))
		if got := mode(t, path); got != 0o644&^mask {
			t.Errorf("umask %o: WriteFile gives %o", mask, got)
		}
		f, err := d.CreateTemp(dir)
		must(t, err)
		if got := mode(t, f.Name()); got != 0o600 {
			t.Errorf("umask %o: temp file %o", mask, got)
		}
		must(t, f.Commit(path, 0o444, false))
		if got := mode(t, path); got != 0o444&^mask {
			t.Errorf("umask %o: Commit gives %o", mask, got)
		}
		f, err = d.CreateTemp(dir)
		must(t, err)
		must(t, f.Chmod(0o664))
		must(t, f.Commit(path, 0o664, false))
		if got := mode(t, path); got != 0o664 {
			t.Errorf("umask %o: after Chmod %o", mask, got)
		}
		r, err := d.OpenRoot(dir)
		must(t, err)
		for perm, want := range map[fs.FileMode]fs.FileMode{0o644: 0o666 &^ mask, 0o755: 0o777 &^ mask} {
			must(t, commit(r, ".", "x", "", perm))
			if got := mode(t, path); got != want || got != WorkMode(perm&0o100 != 0) {
				t.Errorf("umask %o: workspace file %o has %o", mask, perm, got)
			}
			log.ops = nil
			f, err := r.CreateTempMode(".", perm)
			must(t, err)
			must(t, f.Commit("x", perm))
			if got := log.kinds(); got != "create, rename" && syncsFS {
				t.Errorf("operations %s", got)
			}
			if got := mode(t, path); got != want {
				t.Errorf("umask %o: workspace file made with %o has %o", mask, perm, got)
			}
		}
		r.Close()
	}
}

func TestReadUmask(t *testing.T) {
	withUmask(t, 0o027)
	if got := readUmask(); got != 0o027 {
		t.Errorf("read %o", got)
	}
	if got := readUmask(); got != 0o027 {
		t.Errorf("reading changed it to %o", got)
	}
}

func TestFIFONeverBlocks(t *testing.T) {
	r, top := openRoot(t, nil)
	must(t, syscall.Mkfifo(filepath.Join(top, "in/dir/fifo"), 0o600))
	done := make(chan struct{})
	go func() {
		defer close(done)
		f, err := r.Open("dir/fifo")
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		if info, err := f.Stat(); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
			t.Errorf("%v, %v", info, err)
		}
		if _, _, err := OpenRegular(filepath.Join(top, "in/dir/fifo")); !errors.Is(err, ErrNotRegular) {
			t.Errorf("OpenRegular: %v", err)
		}
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("blocked")
	}
}

func TestOpenSymlinkError(t *testing.T) {
	r, _ := openRoot(t, nil)
	if _, err := r.Open("link"); !errors.Is(err, syscall.ELOOP) && !errors.Is(err, syscall.EMLINK) {
		t.Errorf("%v", err)
	}
	if _, err := r.Sub("across"); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("%v", err)
	}
}
