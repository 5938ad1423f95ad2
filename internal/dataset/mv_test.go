package dataset

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tarn/index/scan"
	"tarn/internal/durable"
	"tarn/internal/durable/simdisk"
)

// moveCase is a repository with a dataset, and where that goes.
type moveCase struct {
	name, from, to string
	prepare        func(s *scratch, repo string)
}

func moveCases() []moveCase {
	dir := func(s *scratch, repo string) {
		s.repo(repo)
		firstTree().write(s.t, filepath.Join(repo, "data"))
		must(s.t, os.MkdirAll(filepath.Join(repo, "sub"), 0o777))
		must(s.t, os.WriteFile(filepath.Join(repo, "sub", ".gitignore"), []byte("*.tmp\n"), 0o666))
		s.do(repo, add("data"))
		s.commit(repo, "one")
	}
	file := func(s *scratch, repo string) {
		dir(s, repo)
		must(s.t, os.WriteFile(filepath.Join(repo, "one.bin"), []byte("one"), 0o666))
		s.do(repo, add("one.bin"))
	}
	return []moveCase{
		{"directory", "data", "images", dir},
		{"directory elsewhere", "data", "sub/images", dir},
		{"file", "one.bin", "two.bin", file},
		{"file elsewhere", "one.bin", "sub/one.bin", file},
		{"not checked out", "data", "sub/images", func(s *scratch, repo string) {
			dir(s, repo)
			must(s.t, os.RemoveAll(filepath.Join(repo, "data")))
			must(s.t, os.RemoveAll(filepath.Join(repo, ".git", "tarn", "index")))
		}},
		{"partly checked out", "data", "sub/images", func(s *scratch, repo string) {
			dir(s, repo)
			must(s.t, os.RemoveAll(filepath.Join(repo, "data")))
			must(s.t, os.RemoveAll(filepath.Join(repo, ".git", "tarn", "index")))
			s.do(repo, func(r *Repo) error {
				_, err := r.Checkout(bg, CheckoutOptions{Paths: []string{"data/sub"}})
				return err
			})
		}},
		{"configured", "data", "images", func(s *scratch, repo string) {
			dir(s, repo)
			appendTo(s.t, filepath.Join(repo, ".tarn", "config"), "[dataset \"data\"]\n\tpush = false\n")
			appendTo(s.t, filepath.Join(repo, ".git", "tarn", "config"), "[dataset \"data\"]\n\tremote = origin\n")
		}},
	}
}

func appendTo(t testing.TB, path, text string) {
	old, err := os.ReadFile(path)
	if !os.IsNotExist(err) {
		must(t, err)
	}
	must(t, os.WriteFile(path, append(old, text...), 0o666))
}

// placed is all that a move changes, but for times: the work tree, configuration and, of the index, the paths with their bases.
func (s *scratch) placed(repo string) string {
	s.t.Helper()
	var b strings.Builder
	work := readTree(s.t, repo)
	for _, p := range slices.Sorted(maps.Keys(work)) {
		if !strings.HasPrefix(p, ".git/") && !durable.IsTemp(filepath.Base(p)) {
			fmt.Fprintf(&b, "%s %.80q\n", p, work[p])
		}
	}
	local, _ := os.ReadFile(filepath.Join(repo, ".git", "tarn", "config"))
	fmt.Fprintf(&b, "config %q\n", local)
	files, _ := os.ReadDir(filepath.Join(repo, ".git", "tarn", "index"))
	for _, f := range files {
		if strings.HasPrefix(f.Name(), "tmp-") {
			continue
		}
		idx, err := scan.Open(filepath.Join(repo, ".git", "tarn", "index", f.Name()))
		must(s.t, err)
		base, whole := idx.Base()
		fmt.Fprintf(&b, "index %s (%t) of %s: %s %t\n", f.Name(), f.Name() == datasetID(idx.Dataset()), idx.Dataset(), base, whole)
		for r := range idx.Records("") {
			fmt.Fprintf(&b, "  %s %c %s %c %s\n", r.Path, r.Kind, r.Digest, r.BaseKind, r.BaseDigest)
		}
		idx.Close()
	}
	return b.String()
}

func move(from, to string) func(*Repo) error {
	return func(r *Repo) error { _, err := r.Move(bg, from, to); return err }
}

func look(r *Repo) error { _, err := r.Status(bg, StatusOptions{}); return err }

// TestMoveCrash lets the power go, or one operation fail, at each step of a move. The next command finds, or makes, the old state or the new one.
func TestMoveCrash(t *testing.T) {
	for _, c := range moveCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newScratch(t)
			template := s.path("template")
			must(t, os.Mkdir(template, 0o777))
			c.prepare(s, filepath.Join(template, "repo"))
			old := s.placed(filepath.Join(template, "repo"))
			x := &moveCrash{scratch: s, c: c, template: template, old: old}
			clean, sim := x.start(func(*simdisk.Sim) {})
			must(t, s.with(clean, Options{Disk: sim.Disk()}, move(c.from, c.to)))
			x.new = s.placed(clean)
			if x.new == old || strings.Contains(x.new, "(false)") {
				t.Fatalf("after the move:\n%s", x.new)
			}
			must(t, os.RemoveAll(filepath.Dir(clean)))
			n := len(sim.Ops())
			t.Logf("%d operations", n)
			long := os.Getenv("TARN_LONG") != ""
			for i := 1; i <= n; i++ {
				if testing.Short() && i%4 != 0 { // under the race detector
					continue
				}
				if i%2 == 0 || long { // failing before an operation is nearly the same as failing after the one before
					x.power(i, func(s *simdisk.Sim) { s.FailAt(i, errPower) })
				}
				x.power(i, func(s *simdisk.Sim) { s.FailAfter(i, errPower) })
				x.once(i, i%2 == 0)
				if long {
					x.once(i, i%2 != 0)
				}
			}
		})
	}
}

type moveCrash struct {
	*scratch
	c        moveCase
	template string
	old, new string
}

func (x *moveCrash) start(arm func(*simdisk.Sim)) (repo string, sim *simdisk.Sim) {
	top := x.path("run")
	x.copy(x.template, top)
	sim = simdisk.New(top)
	arm(sim)
	return filepath.Join(top, "repo"), sim
}

func (x *moveCrash) power(n int, arm func(*simdisk.Sim)) {
	repo, sim := x.start(arm)
	defer os.RemoveAll(filepath.Dir(repo))
	err := x.with(repo, Options{Disk: sim.Disk()}, move(x.c.from, x.c.to))
	for kind, crash := range map[string]func(string) error{
		"worst": sim.Crash, "best": sim.CrashKeep, "some": func(dst string) error { return sim.CrashSome(dst, uint64(n)) },
	} {
		dst := x.path("crash")
		must(x.t, crash(dst))
		x.check(filepath.Join(dst, "repo"), fmt.Sprintf("%s crash at %d (%s)", kind, n, sim.Ops()[min(n, len(sim.Ops()))-1]), err)
		must(x.t, os.RemoveAll(dst))
	}
}

// once is a disk that fails once and works again: what the verb said is what is there.
func (x *moveCrash) once(n int, applied bool) {
	repo, sim := x.start(func(s *simdisk.Sim) { s.FailOnce(n, errPower, applied) })
	defer os.RemoveAll(filepath.Dir(repo))
	err := x.with(repo, Options{Disk: sim.Disk()}, move(x.c.from, x.c.to))
	x.check(repo, fmt.Sprintf("one fault at %d (%s), applied %t", n, sim.Ops()[min(n, len(sim.Ops()))-1], applied), err)
}

func (x *moveCrash) check(repo, where string, err error) {
	x.t.Helper()
	if lerr := x.with(repo, Options{}, func(*Repo) error { return nil }); lerr != nil {
		x.t.Fatalf("%s, mv said %v: open: %v", where, err, lerr)
	}
	now := x.placed(repo)
	if now != x.old && now != x.new || err == nil && now != x.new {
		x.t.Fatalf("%s, mv said %v: it is\n%s\nbut was\n%s\nand should be\n%s", where, err, now, x.old, x.new)
	}
	if _, serr := os.Stat(filepath.Join(repo, ".git", "tarn", "move")); serr == nil {
		x.t.Fatalf("%s: it is still under way", where)
	}
	must(x.t, x.with(repo, Options{}, look))
}

// After a move no file is read again, also a file that is the dataset and got a new change time.
func TestMoveKeepsTrust(t *testing.T) {
	s := newScratch(t)
	repo := s.path("repo")
	s.repo(repo)
	firstTree().write(t, filepath.Join(repo, "data"))
	must(t, os.WriteFile(filepath.Join(repo, "one.bin"), []byte("one"), 0o666))
	must(t, os.Mkdir(filepath.Join(repo, "sub"), 0o777))
	time.Sleep(scan.RacyWindow + 100*time.Millisecond)
	s.do(repo, add("data", "one.bin"))
	for _, m := range [][2]string{{"data", "images"}, {"images", "sub"}, {"one.bin", "two.bin"}, {"two.bin", "sub"}, {"sub/two.bin", "three.bin"}} {
		s.do(repo, move(m[0], m[1]))
	}
	for _, name := range []string{"sub/images", "three.bin"} {
		s.do(repo, func(r *Repo) error {
			idx := r.openIndex(name)
			if idx == nil || idx.Len() == 0 {
				return fmt.Errorf("%s has no index", name)
			}
			defer idx.Close()
			for rec := range idx.Records("") {
				info, err := os.Lstat(filepath.Join(r.abs(name), rec.Path))
				if err != nil {
					return err
				}
				if info.Mode().IsRegular() && !rec.Trusted(scan.StatOf(info), scan.Trust{CTime: true}) {
					t.Errorf("%s %s would be read again", name, rec.Path)
				}
			}
			return nil
		})
	}
	// An edit after the move with the old size and mtime is noticed all the same.
	path := filepath.Join(repo, "three.bin")
	info, err := os.Stat(path)
	must(t, err)
	time.Sleep(20 * time.Millisecond)
	must(t, os.WriteFile(path, []byte("two"), 0o666))
	must(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
	s.do(repo, func(r *Repo) error {
		res, err := r.Status(bg, StatusOptions{Paths: []string{"three.bin"}})
		if err == nil && len(res.Datasets[0].Work) != 1 {
			t.Errorf("the edit was not noticed: %+v", res.Datasets[0])
		}
		return err
	})
}

// What a file says that is no journal of ours keeps nobody from working.
func TestMoveFile(t *testing.T) {
	for text, ok := range map[string]bool{
		"tarn 1 move\nfrom a\nto b/c\n": true, "tarn 1 move\nfrom \"a\\x0a\"\nto b\n": true,
		"": false, "tarn 1 move\nfrom a\nto b": false, "tarn 1 move\nfrom a\nto b\nx\n": false, "tarn 1 move\nfrom ../a\nto b\n": false,
		"tarn 1 move\nfrom a\nto .git/x\n": false, "tarn 2 move\nfrom a\nto b\n": false, "tarn 1 move\nto b\nfrom a\n": false, "tarn 1 move\nfrom a/\nto b\n": false, "tarn 1 move\nfrom a\nto a\n": false,
	} {
		if m, err := parseMove(text); (err == nil) != ok || ok && m.from == "" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestMoveStuck: what can't be finished is said, and keeps its two names from being changed, and nothing else.
func TestMoveStuck(t *testing.T) {
	s := newScratch(t)
	repo := s.path("repo")
	s.repo(repo)
	firstTree().write(t, filepath.Join(repo, "data"))
	firstTree().write(t, filepath.Join(repo, "other"))
	s.do(repo, add("data", "other"))
	s.commit(repo, "one")
	must(t, os.Rename(filepath.Join(repo, "data"), filepath.Join(repo, "images")))
	must(t, os.WriteFile(filepath.Join(repo, "images.tarn"), []byte("mine"), 0o666))
	must(t, os.WriteFile(filepath.Join(repo, ".git", "tarn", "move"), []byte("tarn 1 move\nfrom data\nto images\n"), 0o666))
	s.do(repo, add("other"))
	for _, verb := range []func(*Repo) error{checkoutAll(false), add("data/a.txt"), move("other", "another")} {
		if err := s.with(repo, Options{}, verb); err == nil || !strings.Contains(err.Error(), "something is there already") {
			t.Errorf("it said %v", err)
		}
	}
	must(t, os.Remove(filepath.Join(repo, "images.tarn")))
	s.do(repo, checkoutAll(false))
	if d := readTree(t, filepath.Join(repo, "images")).differs(firstTree()); d != "" {
		t.Error(d)
	}
	if _, err := os.Stat(filepath.Join(repo, "data")); err == nil {
		t.Error("data is there still")
	}
}

// TestMoveBesideOthers: one process moves a dataset to and fro, others look at it and check it out: nobody is stuck, and nothing is lost.
func TestMoveBesideOthers(t *testing.T) {
	s := newScratch(t)
	repo := s.path("repo")
	s.repo(repo)
	firstTree().write(t, filepath.Join(repo, "data"))
	s.do(repo, add("data"))
	s.commit(repo, "one")
	ctx, cancel := context.WithCancel(bg)
	var others sync.WaitGroup
	for _, verb := range []func(*Repo) error{look, checkoutAll(false)} {
		others.Go(func() {
			for ctx.Err() == nil {
				// A manifest that goes while it is looked at is something missing, and no more.
				if err := s.with(repo, Options{}, verb); err != nil && !errors.Is(err, ErrIncomplete) && !errors.Is(err, ErrUsage) {
					t.Error(err)
				}
			}
		})
	}
	names := []string{"data", "images"}
	for i := range 30 {
		s.do(repo, move(names[i%2], names[1-i%2]))
	}
	cancel()
	others.Wait()
	s.do(repo, checkoutAll(false))
	if d := readTree(t, filepath.Join(repo, "data")).differs(firstTree()); d != "" {
		t.Error(d)
	}
	if _, err := os.Lstat(filepath.Join(repo, "images")); err == nil {
		t.Error("images is there, too")
	}
}
