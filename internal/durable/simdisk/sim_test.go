package simdisk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"tarn/internal/durable"
)

var errPower = errors.New("power cut")

// start is a directory with a file "f" that holds "old" and a subdirectory "d", under simulation.
func start(t *testing.T) (dir string, s *Sim, d *durable.Disk) {
	t.Helper()
	dir = t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "f"), []byte("old"), 0o644))
	must(t, os.Mkdir(filepath.Join(dir, "d"), 0o755))
	s = New(dir)
	return dir, s, s.Disk()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func crash(t *testing.T, how func(dst string) error) string {
	t.Helper()
	dst := filepath.Join(t.TempDir(), "after")
	must(t, how(dst))
	return dst
}

// read is the content of a file, or "-" if there is none.
func read(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if errors.Is(err, fs.ErrNotExist) {
		return "-"
	}
	must(t, err)
	return string(b)
}

// crashes are all the ways in which the power can go now.
func crashes(s *Sim) map[string]func(string) error {
	all := map[string]func(string) error{"worst": s.Crash, "best": s.CrashKeep}
	for seed := range uint64(8) {
		all[fmt.Sprint("some ", seed)] = func(dst string) error { return s.CrashSome(dst, seed) }
	}
	return all
}

func TestWriteFileSurvives(t *testing.T) {
	_, s, d := start(t)
	must(t, d.WriteFile(filepath.Join(s.root, "f"), []byte("new"), 0o644))
	total := len(s.Ops())
	if total < 5 { // create, write, sync, rename, sync directory
		t.Fatalf("operations: %v", s.Ops())
	}
	for name, arm := range map[string]func(*Sim, int){
		"at":          func(s *Sim, n int) { s.FailAt(n, errPower) },
		"after":       func(s *Sim, n int) { s.FailAfter(n, errPower) },
		"once":        func(s *Sim, n int) { s.FailOnce(n, errPower, false) },
		"onceApplied": func(s *Sim, n int) { s.FailOnce(n, errPower, true) },
	} {
		for n := 1; n <= total+1; n++ {
			t.Run(fmt.Sprint(name, n), func(t *testing.T) {
				dir, s, d := start(t)
				arm(s, n)
				err := d.WriteFile(filepath.Join(dir, "f"), []byte("new"), 0o644)
				if (err != nil) != (n <= total) || err != nil && !errors.Is(err, errPower) {
					t.Fatalf("error %v at operation %d of %d", err, n, total)
				}
				for how, crashed := range crashes(s) {
					got := read(t, crash(t, crashed), "f")
					if got != "new" && (got != "old" || err == nil) {
						t.Errorf("%s: content %q, error %v", how, got, err)
					}
				}
			})
		}
	}
}

// Each wrong sequence lacks one step of WriteFile; the worst case must show it.
func TestLeftOutStepIsNoticed(t *testing.T) {
	type step = func(f *durable.File, d *durable.Disk, dir string) error
	write := func(f *durable.File, _ *durable.Disk, _ string) error { _, err := f.Write([]byte("new")); return err }
	sync := func(f *durable.File, _ *durable.Disk, _ string) error { return f.Sync() }
	rename := func(f *durable.File, d *durable.Disk, dir string) error {
		return d.Rename(f.Name(), filepath.Join(dir, "f"))
	}
	syncDir := func(_ *durable.File, d *durable.Disk, dir string) error { return d.SyncDir(dir) }
	for _, c := range []struct {
		name  string
		steps []step
		want  string
	}{
		{"right", []step{write, sync, rename, syncDir}, "new"},
		{"no fsync of the file", []step{write, rename, syncDir}, ""},
		{"fsync before the write", []step{sync, write, rename, syncDir}, ""},
		{"no fsync of the directory", []step{write, sync, rename}, "old"},
		{"fsync of the directory before the rename", []step{write, sync, syncDir, rename}, "old"},
		{"fsync of the file after all", []step{write, rename, syncDir, sync}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, s, d := start(t)
			f, err := d.CreateTemp(dir)
			must(t, err)
			defer f.OS().Close()
			for _, do := range c.steps {
				if err := do(f, d, dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
			}
			if got := read(t, crash(t, s.Crash), "f"); got != c.want {
				t.Errorf("worst case %q, want %q", got, c.want)
			}
			if got := read(t, crash(t, s.CrashKeep), "f"); got != "new" {
				t.Errorf("best case %q, want new", got)
			}
		})
	}
}

func TestSyncFSMakesAllDurable(t *testing.T) {
	dir, s, d := start(t)
	r, err := d.OpenRoot(dir)
	must(t, err)
	defer r.Close()
	must(t, r.Mkdir("d/e", 0o755))
	f, err := r.CreateTemp("d/e")
	must(t, err)
	_, err = f.Write([]byte("new"))
	must(t, err)
	must(t, f.Commit("d/e/x", 0o755))
	must(t, r.Symlink("x", "d/e/link"))
	after := crash(t, s.Crash)
	if read(t, after, "d/e/x") != "-" {
		t.Error("durable without any sync")
	}
	must(t, r.SyncFS())
	after = crash(t, s.Crash)
	if got := read(t, after, "d/e/link"); got != "new" {
		t.Errorf("after SyncFS %q through the link", got)
	}
	info, err := os.Stat(filepath.Join(after, "d/e/x"))
	must(t, err)
	if info.Mode().Perm() != durable.WorkMode(true) {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestInodesNotPaths(t *testing.T) {
	dir, s, d := start(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	must(t, d.Link(path("f"), path("d/g")))
	must(t, d.SyncDir(path("d")))
	must(t, d.Remove(path("f")))
	must(t, d.SyncDir(dir))
	if after := crash(t, s.Crash); read(t, after, "f") != "-" || read(t, after, "d/g") != "old" {
		t.Error("a link must keep the content of its inode")
	}
	// A name that was durable before the rename leads to the same inode, whose content is synced under the new name.
	f, err := d.CreateTemp(dir)
	must(t, err)
	_, err = f.Write([]byte("new"))
	must(t, err)
	must(t, d.SyncDir(dir))
	must(t, f.Commit(path("x"), 0o600, true))
	after := crash(t, s.Crash)
	if read(t, after, "x") != "-" || read(t, after, filepath.Base(f.Name())) != "new" {
		t.Error("without a sync of the directory the file has its old name and its content")
	}
	must(t, d.Link(path("x"), path("y")))
	must(t, d.Rename(path("x"), path("y"))) // one inode: POSIX says that this does nothing
	must(t, d.SyncDir(dir))
	after = crash(t, s.Crash)
	if read(t, after, "x") != "new" || read(t, after, "y") != "new" {
		t.Error("a rename between links of one inode leaves both")
	}
	a, _ := os.Stat(filepath.Join(after, "x"))
	b, _ := os.Stat(filepath.Join(after, "y"))
	if !os.SameFile(a, b) {
		t.Error("two names of one inode became two files")
	}
}

func TestMkdirAllAndRemoveAll(t *testing.T) {
	dir, s, d := start(t)
	must(t, d.MkdirAll(filepath.Join(dir, "a/b/c"), 0o755))
	must(t, d.WriteFile(filepath.Join(dir, "a/b/c/x"), []byte("new"), 0o644))
	if got := read(t, crash(t, s.Crash), "a/b/c/x"); got != "new" {
		t.Errorf("file in new directories: %q", got)
	}
	must(t, d.RemoveAll(filepath.Join(dir, "a")))
	if got := read(t, crash(t, s.Crash), "a/b/c/x"); got != "new" {
		t.Errorf("unsynced remove must be undone: %q", got)
	}
	must(t, d.SyncDir(dir))
	if _, err := os.Lstat(filepath.Join(crash(t, s.Crash), "a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("synced remove: %v", err)
	}
	must(t, d.RemoveAll(filepath.Join(dir, "a")))
}

func TestCrossDirectoryRename(t *testing.T) {
	dir, s, d := start(t)
	must(t, d.Rename(filepath.Join(dir, "f"), filepath.Join(dir, "d/f")))
	must(t, d.SyncDir(dir))
	if after := crash(t, s.Crash); read(t, after, "f") != "-" || read(t, after, "d/f") != "-" {
		t.Error("worst case: source synced first loses the file")
	}
	must(t, d.SyncDir(filepath.Join(dir, "d")))
	if read(t, crash(t, s.Crash), "d/f") != "old" {
		t.Error("both synced")
	}
}

// A directory that is renamed is in one of the two places, whole, whatever was synced.
func TestDirectoryHasOneName(t *testing.T) {
	for synced := range 3 {
		dir, s, d := start(t)
		must(t, d.WriteFile(filepath.Join(dir, "d", "in"), []byte("in"), 0o644))
		must(t, d.MkdirAll(filepath.Join(dir, "e"), 0o755))
		must(t, d.Rename(filepath.Join(dir, "d"), filepath.Join(dir, "e", "d")))
		switch synced {
		case 1:
			must(t, d.SyncDir(dir))
		case 2:
			must(t, d.SyncDir(filepath.Join(dir, "e")))
		}
		places := map[string]bool{}
		for name, how := range crashes(s) {
			after := crash(t, how)
			old, new := read(t, after, "d", "in"), read(t, after, "e", "d", "in")
			if (old == "in") == (new == "in") {
				t.Errorf("%s, synced %d: old %q, new %q", name, synced, old, new)
			}
			places[old] = true
		}
		if want := map[bool]int{true: 2, false: 1}[synced == 0]; len(places) != want {
			t.Errorf("synced %d: %d places, not %d", synced, len(places), want)
		}
	}
}

func TestCommitNewSurvives(t *testing.T) {
	run := func(d *durable.Disk, dir string) error {
		f, err := d.CreateTemp(dir)
		if err != nil {
			return err
		}
		defer f.Abort()
		if _, err := f.Write([]byte("new")); err != nil {
			return err
		}
		if err := f.CommitNew(filepath.Join(dir, "x"), 0o444); err != nil {
			return err
		}
		return d.SyncDir(dir)
	}
	dir, s, d := start(t)
	must(t, run(d, dir))
	for n := 1; n <= len(s.Ops())+1; n++ {
		dir, at, d := start(t)
		at.FailAt(n, errPower)
		err := run(d, dir)
		for how, crashed := range crashes(at) {
			after := crash(t, crashed)
			if got := read(t, after, "x"); got != "new" && (got != "-" || err == nil) {
				t.Errorf("%s at %d: %q, error %v", how, n, got, err)
			}
			entries, _ := os.ReadDir(after)
			for _, e := range entries {
				if !slices.Contains([]string{"f", "d", "x"}, e.Name()) && !durable.IsTemp(e.Name()) {
					t.Errorf("left behind: %s", e.Name())
				}
			}
		}
	}
}

func TestShortWriteThenAllWorks(t *testing.T) {
	dir, s, d := start(t)
	s.FailWrite(1, 2, syscall.ENOSPC)
	f, err := d.CreateTemp(dir)
	must(t, err)
	n, err := f.Write([]byte("abcdef"))
	if n != 2 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("wrote %d, %v", n, err)
	}
	if got := read(t, f.Name()); got != "ab" {
		t.Fatalf("on disk %q", got)
	}
	f.Abort()
	if _, err := os.Lstat(f.Name()); !errors.Is(err, fs.ErrNotExist) {
		t.Error("temp file still there")
	}
	must(t, d.WriteFile(filepath.Join(dir, "f"), []byte("new"), 0o644))
}

func TestConcurrentWriters(t *testing.T) {
	dir, s, d := start(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 10 {
				name := fmt.Sprintf("x%d-%d", i, j)
				if err := d.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 20 {
		after := crash(t, s.Crash)
		files, _ := filepath.Glob(filepath.Join(after, "x*"))
		for _, f := range files {
			if got := read(t, f); got != filepath.Base(f) {
				t.Errorf("%s holds %q in the middle of the writes", filepath.Base(f), got)
			}
		}
	}
	wg.Wait()
	after := crash(t, s.Crash)
	for i := range 8 {
		for j := range 10 {
			if name := fmt.Sprintf("x%d-%d", i, j); read(t, after, name) != name {
				t.Errorf("%s is lost", name)
			}
		}
	}
}

// Any sequence of operations: the best case is what is on the real disk, and after SyncFS so is the worst.
func TestModelFollowsDisk(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		must(t, err)
		root := filepath.Join(dir, "root")
		must(t, os.Mkdir(root, 0o755))
		s := New(root)
		d := s.Disk()
		names := rapid.SampledFrom([]string{"a", "b", "c/a", "c/b", "c", "c/d", "c/d/a"})
		at := func(label string) string { return filepath.Join(root, names.Draw(rt, label)) }
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			switch rapid.IntRange(0, 6).Draw(rt, "op") { // errors are part of the game: nothing is applied then
			case 0, 1:
				_ = d.WriteFile(at("write"), []byte(rapid.StringN(0, 4, 8).Draw(rt, "content")), 0o644)
			case 2:
				_ = d.MkdirAll(at("mkdir"), 0o755)
			case 3:
				_ = d.Rename(at("from"), at("to"))
			case 4:
				_ = d.Link(at("from"), at("to"))
			case 5:
				_ = d.RemoveAll(at("remove"))
			case 6:
				_ = d.Remove(at("remove"))
			}
		}
		want := tree(t, root)
		must(t, s.CrashKeep(filepath.Join(dir, "best")))
		if got := tree(t, filepath.Join(dir, "best")); got != want {
			rt.Fatalf("best case\n%s\nreal\n%s", got, want)
		}
		must(t, d.SyncFS(root))
		must(t, s.Crash(filepath.Join(dir, "worst")))
		if got := tree(t, filepath.Join(dir, "worst")); got != want {
			rt.Fatalf("worst case after a sync\n%s\nreal\n%s", got, want)
		}
	})
}

func tree(t *testing.T, root string) (text string) {
	t.Helper()
	must(t, filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		text += e.Type().String() + " " + rel
		if e.Type().IsRegular() {
			text += " " + read(t, path)
		}
		text += "\n"
		return nil
	}))
	return text
}
