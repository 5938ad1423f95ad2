package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"tarn/index/scan"
	"tarn/internal/durable/simdisk"
	"tarn/store/digest"
)

// errPower is what a dead disk says; a remote does not try again after it.
var errPower = fmt.Errorf("the power is gone: %w", syscall.ENOSPC)

// crashCase is a verb with the state that it begins from.
type crashCase struct {
	name    string
	prepare func(s *scratch, repo string)
	verb    func(force bool) func(r *Repo) error
	cached  bool // every version in the work tree is in the cache at any time
	moves   bool // the verb changes the workspace
	direct  bool // every version in the work tree is on the remote at any time, and the cache keeps none
}

func unprotect(r *Repo) error {
	_, err := r.Unprotect(bg, []string{"data"})
	return err
}

func plain(verb func(r *Repo) error) func(bool) func(*Repo) error {
	return func(bool) func(*Repo) error { return verb }
}

func crashCases() []crashCase {
	first := func(s *scratch, repo string) {
		s.repo(repo)
		firstTree().write(s.t, filepath.Join(repo, "data"))
	}
	added := func(s *scratch, repo string) {
		first(s, repo)
		s.do(repo, add("data"))
		s.commit(repo, "one")
	}
	edited := func(s *scratch, repo string) {
		added(s, repo)
		secondTree().write(s.t, filepath.Join(repo, "data"))
	}
	absent := func(s *scratch, repo string) {
		added(s, repo)
		must(s.t, os.RemoveAll(filepath.Join(repo, "data")))
		must(s.t, os.RemoveAll(filepath.Join(repo, ".git", "tarn", "index")))
	}
	switched := func(s *scratch, repo string) {
		edited(s, repo)
		s.do(repo, add("data"))
		s.commit(repo, "two")
		second, err := os.ReadFile(filepath.Join(repo, "data.tarn"))
		must(s.t, err)
		s.git(repo, "checkout", "-q", "HEAD~1", "--", "data.tarn")
		s.do(repo, checkoutAll(false))
		must(s.t, os.WriteFile(filepath.Join(repo, "data.tarn"), second, 0o666))
	}
	pushed := func(s *scratch, repo string) {
		added(s, repo)
		s.do(repo, pushAll)
		secondTree().write(s.t, filepath.Join(repo, "data"))
		s.do(repo, add("data"))
		s.commit(repo, "two")
	}
	lost := func(s *scratch, repo string) {
		pushed(s, repo)
		s.do(repo, pushAll)
		must(s.t, os.RemoveAll(filepath.Join(repo, ".git", "tarn", "cache")))
		must(s.t, os.RemoveAll(filepath.Join(repo, ".git", "tarn", "remote")))
	}
	linked := func(s *scratch, repo string) {
		added(s, repo)
		must(s.t, os.RemoveAll(filepath.Join(repo, "data")))
		must(s.t, os.WriteFile(filepath.Join(repo, ".git", "tarn", "config"), []byte("[cache]\n\tlink = symlink\n"), 0o666))
		s.do(repo, checkoutAll(false))
	}
	restored := func(s *scratch, repo string) {
		edited(s, repo)
		s.do(repo, add("data"))
		s.commit(repo, "two")
	}
	refetched := func(s *scratch, repo string) {
		lost(s, repo)
		s.do(repo, pullAll)
	}
	restore := func(paths ...string) func(bool) func(*Repo) error {
		return func(force bool) func(*Repo) error {
			return func(r *Repo) error {
				_, err := r.Restore(bg, RestoreOptions{From: "HEAD~1", Paths: paths, Force: force})
				return err
			}
		}
	}
	sent := func(s *scratch, repo string) {
		first(s, repo)
		s.do(repo, addDirect("data"))
		s.commit(repo, "one")
		secondTree().write(s.t, filepath.Join(repo, "data"))
	}
	never := func(s *scratch, repo string) {
		lost(s, repo)
		must(s.t, os.RemoveAll(filepath.Join(repo, "data")))
		must(s.t, os.RemoveAll(filepath.Join(repo, ".git", "tarn", "index")))
	}
	resent := func(s *scratch, repo string) {
		sent(s, repo)
		s.do(repo, add("data"))
		s.commit(repo, "two")
	}
	moved := func(s *scratch, repo string) {
		resent(s, repo)
		s.git(repo, "checkout", "-q", "HEAD~1", "--", "data.tarn")
	}
	return []crashCase{
		{"restore", restored, restore("data"), true, true, false},
		{"restore a part", restored, restore("data/sub"), true, true, false},
		{"restore and fetch", refetched, restore("data"), true, true, false},
		{"add first", first, plain(add("data")), true, false, false},
		{"add second", edited, plain(add("data")), true, false, false},
		{"add a part", edited, plain(add("data/sub")), true, false, false},
		{"checkout fresh", absent, checkoutAll, true, true, false},
		{"checkout switch", switched, checkoutAll, true, true, false},
		{"unprotect", linked, plain(unprotect), true, true, false},
		{"push first", added, plain(pushAll), true, false, false},
		{"push second", pushed, plain(pushAll), true, false, false},
		{"fetch", lost, plain(fetchAll), false, false, false},
		{"add to remote", sent, plain(add("data")), false, false, true},
		{"pull past the cache", never, pullDirect, false, true, true},
		{"pull switch", moved, pullDirect, false, true, true},
		{"restore past the cache", resent, restore("data"), false, true, true},
	}
}

// TestCrash lets the power go at each operation of each verb, and then looks at what is promised.
func TestCrash(t *testing.T) {
	for _, c := range crashCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			newCrash(t, c).all()
		})
	}
}

// crash is one case with what may be there after a fault: the state before and the state after a run without one.
type crash struct {
	*scratch
	c        crashCase
	template string
	ops      int
	old, new state
	versions map[string]tree // by root
}

type state struct {
	manifest []byte // nil: none
	work     tree
	roots    map[string][]byte
}

func newCrash(t *testing.T, c crashCase) *crash {
	s := newScratch(t)
	x := &crash{scratch: s, c: c, template: s.path("template"), versions: map[string]tree{}}
	must(t, os.Mkdir(x.template, 0o777))
	c.prepare(s, filepath.Join(x.template, "repo"))
	x.old = x.state(x.template)
	clean := s.path("clean")
	s.copy(x.template, clean)
	sim := simdisk.New(clean)
	must(t, s.with(filepath.Join(clean, "repo"), Options{Disk: sim.Disk()}, c.verb(false)))
	x.ops = len(sim.Ops())
	x.new = x.state(clean)
	for _, raw := range [][]byte{x.old.manifest, x.new.manifest} {
		if raw == nil {
			continue
		}
		dir, err := filepath.Join(clean, "repo"), error(nil)
		if c.direct {
			dir, err = s.freshFetch(clean, raw)
			must(t, err)
		}
		must(t, s.with(dir, Options{}, func(r *Repo) error {
			tr, err := manifestTree(r, raw)
			x.versions[id(raw)] = tr
			return err
		}))
	}
	return x
}

// whole says whether a version is where it has to be.
func (x *crash) whole(top string, raw []byte) error {
	switch {
	case x.c.direct && bytes.Equal(raw, x.old.manifest):
		return nil // it was there before, and nothing is ever deleted from a remote
	case x.c.direct:
		return x.checkPinned(top, x.versions, id(raw))
	}
	return x.holds(filepath.Join(top, "repo"), raw, x.versions[id(raw)])
}

func (x *crash) state(top string) state {
	raw, err := os.ReadFile(filepath.Join(top, "repo", "data.tarn"))
	if err != nil {
		raw = nil
	}
	roots, err := pinned(keys(x.t, filepath.Join(top, "remote")))
	must(x.t, err)
	return state{raw, readTree(x.t, filepath.Join(top, "repo", "data")), roots}
}

// points are the operations at which the power goes: all, or of very many a sample.
func (x *crash) points() []int {
	const all, ends = 400, 50
	var ns []int
	r := rand.New(rand.NewPCG(1, uint64(x.ops)))
	for n := 1; n <= x.ops; n++ {
		if x.ops <= all || n <= ends || n > x.ops-ends || r.IntN(x.ops) < all-2*ends {
			ns = append(ns, n)
		}
	}
	return ns
}

// all goes through the points. Failing before operation n+1 is nearly the same as failing after operation n, and the states between
// worst and best are many; so short runs take turns.
func (x *crash) all() {
	long := os.Getenv("TARN_LONG") != ""
	ns := x.points()
	x.t.Logf("%d operations, %d faults", x.ops, len(ns))
	for _, n := range ns {
		if testing.Short() && n%5 != 0 || !long && x.c.direct && n%3 != 0 { // under the race detector; a look at the remote takes long
			continue
		}
		for mode := range 2 {
			if !long && n%2 != mode {
				continue
			}
			x.fault(n, mode == 1, long)
		}
	}
}

func (x *crash) fault(n int, applied, long bool) {
	top := x.path("run")
	x.copy(x.template, top)
	defer os.RemoveAll(top)
	sim := simdisk.New(top)
	if applied {
		sim.FailAfter(n, errPower)
	} else {
		sim.FailAt(n, errPower)
	}
	err := x.with(filepath.Join(top, "repo"), Options{Disk: sim.Disk()}, x.c.verb(false))
	where := fmt.Sprintf("fault at %d of %d (applied %v)", n, x.ops, applied)
	if ops := sim.Ops(); n <= len(ops) {
		where += ": " + strings.ReplaceAll(ops[n-1].String(), top, "")
	}
	for kind, crash := range map[string]func(string) error{
		"worst": sim.Crash,
		"best":  sim.CrashKeep,
		"some":  func(dst string) error { return sim.CrashSome(dst, uint64(n)) },
	} {
		if !long && (kind == "best" && n%4 > 1 || kind == "some" && n%4 <= 1) {
			continue
		}
		dst := x.path("crash")
		must(x.t, crash(dst))
		if cerr := x.check(dst); cerr != nil {
			x.t.Errorf("%s, %s case, verb said %v: %v", where, kind, err, cerr)
		}
		must(x.t, os.RemoveAll(dst))
	}
}

// check looks at what a crash left, and runs the verb again.
func (x *crash) check(top string) error {
	repo := filepath.Join(top, "repo")
	if err := x.asPromised(top, repo); err != nil {
		return err
	}
	if err := x.noticed(repo); err != nil {
		return err
	}
	err := x.with(repo, Options{}, x.c.verb(false))
	if x.c.moves && errors.Is(err, ErrRefused) {
		err = x.with(repo, Options{}, x.c.verb(true))
	}
	if err != nil {
		return fmt.Errorf("the second run: %w", err)
	}
	return x.finished(top, repo)
}

func (x *crash) asPromised(top, repo string) error {
	raw, err := os.ReadFile(filepath.Join(repo, "data.tarn"))
	if err != nil {
		raw = nil
	}
	if !bytes.Equal(raw, x.old.manifest) && !bytes.Equal(raw, x.new.manifest) {
		return fmt.Errorf("the manifest is neither old nor new: %q", raw)
	}
	if err := checkObjects(x.t, filepath.Join(repo, ".git", "tarn", "cache"), filepath.Join(top, "remote")); err != nil {
		return err
	}
	if raw != nil && (x.c.cached || x.c.direct) {
		if err := x.whole(top, raw); err != nil {
			return err
		}
	}
	if err := x.checkWork(filepath.Join(repo, "data")); err != nil {
		return err
	}
	if err := x.checkIndex(repo); err != nil {
		return err
	}
	var before []string
	for root := range x.old.roots {
		before = append(before, root)
	}
	if !strings.HasPrefix(x.c.name, "push") {
		return nil
	}
	return x.checkPinned(top, x.versions, before...)
}

// checkWork: what has a final name has old bytes or new ones; or none, or the start of the new ones where there was nothing, if the verb writes there.
func (x *crash) checkWork(dir string) error {
	got := readTree(x.t, dir)
	if !x.c.moves {
		if d := got.differs(x.old.work); d != "" {
			return fmt.Errorf("the workspace changed: %s", d)
		}
		return nil
	}
	for p, v := range got {
		o, n := x.old.work[p], x.new.work[p]
		if v != o && v != n && v != "d" && (v != "f" && v != "x" || o == "" && n == "") && (o != "" || !strings.HasPrefix(n, v)) {
			return fmt.Errorf("the workspace has %s: %.20q", p, v)
		}
	}
	return nil
}

// checkIndex: the index does not vouch for a new file of the same size with other bytes. (Its times are not those of the copy.)
func (x *crash) checkIndex(repo string) error {
	if !x.c.moves {
		return nil
	}
	idx, err := scan.Open(filepath.Join(repo, ".git", "tarn", "index", datasetID("data")))
	if err != nil {
		return nil // as good as none
	}
	defer idx.Close()
	for r := range idx.Records("") {
		path := filepath.Join(repo, "data", r.Path)
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() || info.Size() != r.Stat.Size {
			continue
		}
		b, err := os.ReadFile(path)
		must(x.t, err)
		if old := x.old.work[r.Path]; digest.Sum(b) != r.Digest && (old == "" || digest.Sum([]byte(old[1:])) != r.Digest) {
			return fmt.Errorf("the index takes %s for clean", r.Path)
		}
	}
	return nil
}

// noticed: status says so where the workspace is not what the manifest says.
func (x *crash) noticed(repo string) error {
	if !x.c.moves {
		return nil
	}
	want := x.new.work
	if raw := x.manifest(repo); !bytes.Equal(raw, x.new.manifest) {
		want = x.old.work
	}
	differs := readTree(x.t, filepath.Join(repo, "data")).differs(want)
	return x.with(repo, Options{}, func(r *Repo) error {
		res, err := r.Status(bg, StatusOptions{})
		if err != nil {
			return fmt.Errorf("status: %w", err)
		}
		d := res.Datasets[0]
		if said := len(d.Work) > 0 || d.Absent > 0; said != (differs != "") {
			return fmt.Errorf("status says %v and %d absent, but the workspace has: %s", d.Work, d.Absent, differs)
		}
		return nil
	})
}

// finished: after the second run all is as after a run without a fault.
func (x *crash) finished(top, repo string) error {
	now := x.state(top)
	if !bytes.Equal(now.manifest, x.new.manifest) {
		return fmt.Errorf("after the second run the manifest is %q", now.manifest)
	}
	if d := now.work.differs(x.new.work); d != "" {
		return fmt.Errorf("after the second run the workspace has %s", d)
	}
	if err := x.whole(top, x.new.manifest); err != nil {
		return fmt.Errorf("after the second run %w", err)
	}
	if strings.HasPrefix(x.c.name, "push") {
		if err := x.checkPinned(top, x.versions, id(x.new.manifest)); err != nil {
			return fmt.Errorf("after the second run: %w", err)
		}
	}
	if !x.c.moves {
		return nil
	}
	return x.with(repo, Options{}, func(r *Repo) error {
		res, err := r.Add(bg, AddOptions{Paths: []string{"data"}})
		if err == nil && (res.Datasets[0].Changed || len(res.Datasets[0].Counts) > 0) {
			err = fmt.Errorf("add after checkout finds changes: %+v", res.Datasets[0])
		}
		return err
	})
}

// A disk that fails once and then works again is an error of the verb or none, and costs nothing.
func TestOneFault(t *testing.T) {
	for _, c := range crashCases() {
		if !slices.Contains([]string{"add second", "checkout switch", "push second", "fetch", "add to remote", "pull switch"}, c.name) {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := newCrash(t, c)
			for n := 1; n <= x.ops; n += 5 {
				top := x.path("run")
				x.copy(x.template, top)
				sim := simdisk.New(top)
				sim.FailOnce(n, errPower, n%2 == 0)
				err := x.with(filepath.Join(top, "repo"), Options{Disk: sim.Disk()}, c.verb(false))
				if cerr := x.check(top); cerr != nil {
					t.Errorf("one fault at %d (%s), verb said %v: %v", n, sim.Ops()[min(n, len(sim.Ops()))-1], err, cerr)
				}
				must(t, os.RemoveAll(top))
			}
		})
	}
}
