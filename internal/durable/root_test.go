package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// openRoot is a root "in" beside a directory "out" with a file "secret"; "in" has a file, a directory, and links out and across.
func openRoot(t testing.TB, d *Disk) (*Root, string) {
	t.Helper()
	top := t.TempDir()
	for _, dir := range []string{"in/dir", "in/other", "out"} {
		must(t, os.MkdirAll(filepath.Join(top, dir), 0o755))
	}
	must(t, os.WriteFile(filepath.Join(top, "out/secret"), []byte("secret"), 0o644))
	must(t, os.WriteFile(filepath.Join(top, "in/file"), []byte("file"), 0o644))
	must(t, os.Symlink("../out", filepath.Join(top, "in/escape")))
	must(t, os.Symlink("dir", filepath.Join(top, "in/across")))
	must(t, os.Symlink("file", filepath.Join(top, "in/link")))
	must(t, os.Symlink(filepath.Join(top, "out/secret"), filepath.Join(top, "in/abs")))
	r, err := d.OpenRoot(filepath.Join(top, "in"))
	must(t, err)
	t.Cleanup(func() { r.Close() })
	return r, top
}

func commit(r *Root, dir, name, body string, perm fs.FileMode) error {
	f, err := r.CreateTemp(dir)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write([]byte(body)); err != nil {
		return err
	}
	return f.Commit(name, perm)
}

func TestHostileNames(t *testing.T) {
	r, top := openRoot(t, nil)
	before := snapshot(t, filepath.Join(top, "out"))
	for _, name := range []string{
		"", "..", ".", "/", "../out/x", "../x", "/etc/x", "dir/../../out/x", "dir/..", "escape/x", "escape/secret", "across/x", "dir//x", "dir/",
		filepath.Join(top, "out/x"), "abs/x", "file/x", "link/x", "escape/../x", "dir/\x00", "a\x00b",
	} {
		for verb, do := range map[string]func() error{
			"commit":   func() error { return commit(r, ".", name, "x", 0o644) },
			"mkdir":    func() error { return r.Mkdir(name, 0o755) },
			"symlink":  func() error { return r.Symlink("file", name) },
			"link":     func() error { return r.LinkFrom(filepath.Join(top, "out/secret"), name) },
			"rename":   func() error { return r.Rename("file", name) },
			"renameOf": func() error { return r.Rename(name, "stolen") },
			"remove":   func() error { return r.Remove(name) },
			"open":     func() error { return closing(r.Open(name)) },
		} {
			if name == "." && verb == "open" {
				continue
			}
			if err := do(); err == nil {
				t.Errorf("%s %q works", verb, name)
			}
		}
		if name != "." && name != "" {
			if _, err := r.CreateTemp(name); err == nil {
				t.Errorf("create a temp file in %q works", name)
			}
			if s, err := r.Sub(name); err == nil {
				s.Close()
				if name != "dir/" {
					t.Errorf("sub %q works", name)
				}
			}
		}
	}
	if after := snapshot(t, filepath.Join(top, "out")); after != before {
		t.Errorf("outside was\n%s\nis\n%s", before, after)
	}
	if got := names(t, r.Name()); got != "abs across dir escape file link other" {
		t.Errorf("inside: %s", got)
	}
	if got := names(t, filepath.Join(top, "in/dir")); got != "" {
		t.Errorf("through a link: %s", got)
	}
}

func closing(f *os.File, err error) error {
	if err == nil {
		f.Close()
	}
	return err
}

func snapshot(t testing.TB, dir string) (all string) {
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		must(t, err)
		info, err := e.Info()
		must(t, err)
		all += fmt.Sprintln(path, info.Mode(), info.ModTime().UnixNano(), info.Size())
		return nil
	}))
	return all
}

func TestSymlinksAreNotFollowed(t *testing.T) {
	r, _ := openRoot(t, nil)
	for _, name := range []string{"link", "escape", "abs", "across"} {
		if err := closing(r.Open(name)); err == nil {
			t.Errorf("open %s follows", name)
		}
		if err := r.Chmod(name, 0o600); err == nil {
			t.Errorf("chmod %s follows", name)
		}
		info, err := r.Lstat(name)
		must(t, err)
		if info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("lstat %s follows", name)
		}
		must(t, commit(r, ".", name, "now a file", 0o644)) // replaces the link itself
		if info, _ := r.Lstat(name); !info.Mode().IsRegular() {
			t.Errorf("%s is %v", name, info.Mode())
		}
	}
}

func TestRootVerbs(t *testing.T) {
	for name, d := range map[string]*Disk{"real": nil, "hooked": Hooked(&opLog{})} {
		t.Run(name, func(t *testing.T) {
			r, top := openRoot(t, d)
			path := func(name string) string { return filepath.Join(top, "in", name) }
			must(t, commit(r, "dir", "dir/a", "a", 0o644))
			must(t, commit(r, ".", "dir/b", "b", 0o755)) // across directories
			must(t, commit(r, "dir", "c", "c", 0o644))
			if read(t, path("dir/a")) != "a" || read(t, path("dir/b")) != "b" || read(t, path("c")) != "c" {
				t.Error("content")
			}
			must(t, r.Mkdir("dir/sub", 0o755))
			must(t, r.Rename("dir/a", "dir/sub/a"))
			must(t, r.Symlink("sub/a", "dir/b")) // replaces a file
			if target, err := r.Readlink("dir/b"); err != nil || target != "sub/a" {
				t.Errorf("target %q, %v", target, err)
			}
			if read(t, path("dir/b")) != "a" {
				t.Error("symlink content")
			}
			for range 2 { // the second time it is that very inode
				must(t, r.LinkFrom(filepath.Join(top, "out/secret"), "dir/b"))
			}
			a, _ := os.Stat(path("dir/b"))
			b, _ := os.Stat(filepath.Join(top, "out/secret"))
			if !os.SameFile(a, b) {
				t.Error("no hard link")
			}
			must(t, r.Chmod("c", 0o600))
			must(t, r.Remove("dir/sub/a"))
			must(t, r.Remove("dir/sub"))
			must(t, r.SyncFS())
			entries, err := r.ReadDir("dir")
			must(t, err)
			if len(entries) != 1 || entries[0].Name() != "b" {
				t.Errorf("left: %v", entries)
			}
			if info, err := entries[0].Info(); err != nil || info.Size() != 6 {
				t.Errorf("info %v, %v", info, err)
			}
			if _, err := r.ReadDir("escape"); err == nil {
				t.Error("ReadDir follows a link")
			}
			entries, err = r.ReadDir(".")
			must(t, err)
			if len(entries) != 8 || entries[0].Name() != "abs" || entries[7].Name() != "other" {
				t.Errorf("top: %v", entries)
			}
		})
	}
}

func TestSub(t *testing.T) {
	r, top := openRoot(t, nil)
	must(t, r.Mkdir("dir/sub", 0o755))
	s, err := r.Sub("dir/sub")
	must(t, err)
	defer s.Close()
	if s.Name() != filepath.Join(top, "in/dir/sub") {
		t.Errorf("name %s", s.Name())
	}
	must(t, commit(s, ".", "x", "x", 0o644))
	if read(t, filepath.Join(top, "in/dir/sub/x")) != "x" {
		t.Error("content")
	}
	// The directory is held, not its path.
	must(t, os.Rename(filepath.Join(top, "in/dir"), filepath.Join(top, "in/moved")))
	must(t, os.Symlink("../out", filepath.Join(top, "in/dir")))
	must(t, commit(s, ".", "y", "y", 0o644))
	if read(t, filepath.Join(top, "in/moved/sub/y")) != "y" {
		t.Error("after a move")
	}
}

func TestRootFileFailuresLeaveNothing(t *testing.T) {
	boom := errors.New("boom")
	for _, kind := range []OpKind{OpCreate, OpWrite, OpChmod, OpRename} {
		r, top := openRoot(t, Hooked(&opLog{fail: map[OpKind]error{kind: boom}}))
		if err := commit(r, "dir", "dir/x", "x", 0o755); !errors.Is(err, boom) {
			t.Errorf("%v: %v", kind, err)
		}
		if got := names(t, filepath.Join(top, "in/dir")); got != "" {
			t.Errorf("%v left %s", kind, got)
		}
	}
}

func TestRootNamesAreTemp(t *testing.T) {
	r, _ := openRoot(t, nil)
	f, err := r.CreateTemp("dir")
	must(t, err)
	defer f.Abort()
	base, ok := strings.CutPrefix(f.Name(), "dir/")
	if !ok || !IsTemp(base) {
		t.Errorf("name %q", f.Name())
	}
}

func TestRootConcurrent(t *testing.T) {
	r, top := openRoot(t, nil)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 50 {
				name := fmt.Sprintf("dir/%d-%d", w, i)
				if err := commit(r, "dir", name, name, 0o644); err != nil {
					t.Error(err)
				}
				if err := commit(r, "dir", "dir/same", name, 0o644); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	entries, err := r.ReadDir("dir")
	must(t, err)
	if len(entries) != 8*50+1 {
		t.Errorf("%d entries", len(entries))
	}
	for _, e := range entries {
		if got := read(t, filepath.Join(top, "in/dir", e.Name())); got != "dir/"+e.Name() && e.Name() != "same" {
			t.Errorf("%s holds %q", e.Name(), got)
		}
	}
}

func BenchmarkCheckout(b *testing.B) {
	r, _ := openRoot(b, nil)
	s, err := r.Sub("dir")
	must(b, err)
	defer s.Close()
	body := make([]byte, 1000)
	for i := 0; b.Loop(); i++ {
		f, err := s.CreateTemp(".")
		must(b, err)
		_, err = f.Write(body)
		must(b, err)
		must(b, f.Commit(fmt.Sprint(i%10_000), 0o644))
	}
}

func BenchmarkPlain(b *testing.B) {
	dir := b.TempDir()
	body := make([]byte, 1000)
	for i := 0; b.Loop(); i++ {
		name := filepath.Join(dir, fmt.Sprint(i%10_000))
		must(b, os.WriteFile(name+".tmp", body, 0o644))
		must(b, os.Rename(name+".tmp", name))
	}
}

// What is written right after a commit shows in the modification time, even within one tick of the file system's clock.
func TestStamp(t *testing.T) {
	r, top := openRoot(t, nil)
	path := filepath.Join(top, "in", "f")
	mtime := func() int64 {
		info, err := os.Lstat(path)
		must(t, err)
		return info.ModTime().UnixNano()
	}
	kept := 0
	for range 500 {
		f, err := r.CreateTemp(".")
		must(t, err)
		_, err = f.Write([]byte("one"))
		must(t, err)
		stamp := f.Stamp()
		must(t, f.Commit("f", 0o644))
		if mtime() == stamp {
			kept++
		}
		must(t, os.WriteFile(path, []byte("two"), 0o644))
		if mtime() == stamp {
			t.Fatalf("a write left the time %d", stamp)
		}
	}
	if runtime.GOOS == "linux" && kept != 500 {
		t.Errorf("the file system kept %d of 500 times", kept)
	}
}

// A file has its name at once only in a directory that was made here, and replaces nothing then.
func TestCreateFor(t *testing.T) {
	var d *Disk
	root, err := d.OpenRoot(t.TempDir())
	must(t, err)
	defer root.Close()
	made, err := root.SubNew("made", 0o777)
	must(t, err)
	defer made.Close()
	if _, err := root.SubNew("made", 0o777); !errors.Is(err, fs.ErrExist) {
		t.Errorf("made a second time: %v", err)
	}
	again, err := root.Sub("made")
	must(t, err)
	defer again.Close()
	for _, c := range []struct {
		in     *Root
		name   string
		direct bool
	}{{made, "x", true}, {made, "x", false}, {again, "y", false}, {root, "made/z", false}, {root, "w", false}} {
		f, err := c.in.CreateFor(c.name, 0o777)
		must(t, err)
		if (f.Name() == c.name) != c.direct {
			t.Errorf("%s is made as %s", c.name, f.Name())
		}
		_, err = f.Write([]byte("new"))
		must(t, err)
		must(t, f.Commit(c.name, 0o777))
		path := filepath.Join(c.in.Name(), c.name)
		if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != WorkMode(true) || read(t, path) != "new" {
			t.Errorf("%s: %v, %v", c.name, info, err)
		}
	}
	f, err := made.CreateFor("gone", 0o666)
	must(t, err)
	f.Abort()
	if got := names(t, made.Name()); got != "x y z" {
		t.Errorf("there: %s", got)
	}
}
