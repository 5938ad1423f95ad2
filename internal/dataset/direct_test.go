package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"tarn/internal/durable"
	"tarn/store/blob"
	"tarn/store/blob/fs"
	"tarn/store/blob/wrap"
)

func addDirect(paths ...string) func(r *Repo) error {
	return func(r *Repo) error {
		res, err := r.Add(bg, AddOptions{Paths: paths, Keep: KeepNot})
		if res != nil {
			err = withProblems(err, res.Problems)
		}
		return err
	}
}

func withProblems(err error, ps []Problem) error {
	for _, p := range ps {
		err = fmt.Errorf("%w; %s (%s): %w", err, p, p.Side, p.Err)
	}
	return err
}

func pullDirect(force bool) func(r *Repo) error {
	return func(r *Repo) error {
		_, err := pullCounted(bg, r, CheckoutOptions{Force: force})
		return err
	}
}

func pullCounted(ctx context.Context, r *Repo, o CheckoutOptions) (*TransferResult, error) {
	res, err := r.Pull(ctx, FetchOptions{Keep: KeepNot}, o)
	if res == nil {
		return nil, err
	}
	if res.Checkout != nil {
		err = withProblems(err, append(res.Fetch.Problems, res.Checkout.Problems...))
	}
	return res.Fetch, err
}

// keptNothing says whether the cache of a repository has no bytes of a tree's files.
func (s *scratch) keptNothing(repo string, tr tree) error {
	for key, b := range keys(s.t, filepath.Join(repo, ".git", "tarn", "cache")) {
		for p, v := range tr {
			if len(v) > 8 && v[1:] != p && bytes.Contains(b, []byte(v[1:])) {
				return fmt.Errorf("the cache has %s, in %s", p, key)
			}
		}
	}
	return nil
}

// clone makes an empty clone of top/repo with its manifest.
func (s *scratch) clone(top, name string) string {
	dir := filepath.Join(top, name)
	s.git(top, "clone", "--template=", "-q", filepath.Join(top, "repo"), dir)
	return dir
}

// A tree comes and goes past the cache, in batches of any size, with and without pages, and takes no more requests than it has to.
func TestDirect(t *testing.T) {
	for name, c := range map[string]struct {
		first, second tree
		batch         int
	}{
		"inline":        {firstTree(), secondTree(), 0},
		"small batches": {firstTree(), secondTree(), 2},
		"pages":         {bigTree(), tree{"d3/f0001": "fnew", "d5": "fa file now", "large": "f" + randomBytes(3, 3<<20), "large2": "f" + randomBytes(3, 3<<20)}, 700},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScratch(t)
			top := s.path("top")
			repo := filepath.Join(top, "repo")
			s.repo(repo)
			var dir string
			for i, tr := range []tree{c.first, c.second, c.first} {
				tr.write(t, filepath.Join(repo, "data"))
				s.do(repo, addDirect("data"))
				must(t, s.keptNothing(repo, tr))
				s.commit(repo, fmt.Sprint(i))
				if dir == "" {
					dir = s.clone(top, "clone")
				}
				s.git(dir, "pull", "-q")
				must(t, s.with(dir, Options{batch: c.batch}, pullDirect(false)))
				if d := readTree(t, filepath.Join(dir, "data")).differs(tr); d != "" {
					t.Fatalf("version %d: %s", i, d)
				}
				must(t, s.keptNothing(dir, tr))
				must(t, s.with(dir, Options{}, func(r *Repo) error {
					res, err := r.Status(bg, StatusOptions{})
					if err == nil && !res.Datasets[0].Clean() {
						err = fmt.Errorf("status says %+v", res.Datasets[0])
					}
					return err
				}))
				must(t, s.with(dir, Options{}, func(r *Repo) error {
					got, err := pullCounted(bg, r, CheckoutOptions{})
					if err == nil && (got.Files > 0 || got.Requests > 0 || got.UpToDate != 1) {
						err = fmt.Errorf("a second pull: %+v", got)
					}
					return err
				}))
			}
		})
	}
}

// requests counts what a bucket is asked for, and lets see do something before each.
func requests(dir string, see func(n int, verb, key string)) func(blob.Bucket) blob.Bucket {
	return keepBucket(wrap.NewFault(fs.New(nil, dir), func(n int, verb, key string) wrap.Outcome {
		see(n, verb, key)
		return wrap.OK
	}))
}

// A file that changes after it was hashed: nothing names it, nothing wrong is published, and the next add goes on.
func TestChangedWhileSent(t *testing.T) {
	for name, c := range map[string]struct{ file, now string }{
		"small":         {"data/a.txt", "two"},
		"another size":  {"data/a.txt", "longer"},
		"large":         {"data/large", randomBytes(9, 3<<20)},
		"large, longer": {"data/large", randomBytes(9, 3<<20+1)},
		"gone":          {"data/run.sh", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScratch(t)
			top := s.path("top")
			repo := filepath.Join(top, "repo")
			s.repo(repo)
			tr := firstTree()
			tr["large"] = "f" + randomBytes(8, 3<<20)
			delete(tr, "dup") // has the bytes of a.txt
			tr.write(t, filepath.Join(repo, "data"))
			file := filepath.Join(repo, c.file)
			see := requests(filepath.Join(top, "remote"), func(_ int, verb, key string) {
				if verb != "list" && !strings.HasPrefix(key, "pin/") {
					return
				}
				var err error
				if c.now == "" {
					err = os.Remove(file)
				} else {
					err = os.WriteFile(file, []byte(c.now), 0o666)
				}
				if err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Error(err)
				}
			})
			err := s.with(repo, Options{wrapBucket: see}, addDirect("data"))
			if !errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), c.file+" (workspace)") || c.now != "" && !errors.Is(err, errChanged) {
				t.Errorf("the error is %v", err)
			}
			if _, err := os.Stat(filepath.Join(repo, "data.tarn")); err == nil {
				t.Error("there is a manifest")
			}
			must(t, s.checkPinned(top, nil))
			must(t, checkObjects(t, "", filepath.Join(top, "remote")))
			s.do(repo, addDirect("data"))
			raw := s.manifest(repo)
			must(t, s.checkPinned(top, map[string]tree{id(raw): readTree(t, filepath.Join(repo, "data"))}, id(raw)))
		})
	}
}

// The bytes of two files: if one changes, they come from the other.
func TestChangedDuplicate(t *testing.T) {
	s := newScratch(t)
	top := s.path("top")
	repo := filepath.Join(top, "repo")
	s.repo(repo)
	large := func(seed uint64, size int) tree {
		return tree{"a": "f" + randomBytes(seed, size), "b": "f" + randomBytes(seed, size)}
	}
	now := []string{"other", "shorter", randomBytes(3, 2<<20), randomBytes(4, 2<<20+1)}
	for i, tr := range []tree{{"a": "fsame", "b": "fsame", "c": "fsame"}, large(1, 2<<20), large(2, 2<<20), large(5, 2<<20)} {
		tr.write(t, filepath.Join(repo, "data"))
		var once sync.Once
		see := requests(filepath.Join(top, "remote"), func(_ int, verb, key string) {
			if verb == "list" {
				once.Do(func() { os.WriteFile(filepath.Join(repo, "data", "a"), []byte(now[i]), 0o666) })
			}
		})
		must(t, s.with(repo, Options{wrapBucket: see}, addDirect("data")))
		raw := s.manifest(repo)
		must(t, s.checkPinned(top, map[string]tree{id(raw): tr}, id(raw)))
		s.do(repo, func(r *Repo) error {
			res, err := r.Status(bg, StatusOptions{})
			if err == nil && len(res.Datasets[0].Work) != 1 {
				err = fmt.Errorf("status says %v", res.Datasets[0].Work)
			}
			return err
		})
	}
}

// TestDirectFaults: whichever request of an add --to-remote fails, the manifest is the old one, or its version is whole on the remote; the next add completes it.
func TestDirectFaults(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	template := s.path("template")
	repo := filepath.Join(template, "repo")
	s.repo(repo)
	versions := map[string]tree{}
	firstTree().write(t, filepath.Join(repo, "data"))
	s.do(repo, addDirect("data"))
	versions[id(s.manifest(repo))] = firstTree()
	s.commit(repo, "one")
	secondTree().write(t, filepath.Join(repo, "data"))
	old, n := s.manifest(repo), 0
	for at := 0; at <= n; at++ { // the first time, nothing fails
		for _, o := range []wrap.Outcome{wrap.FailBefore, wrap.FailMidway, wrap.FailAfter} {
			top := s.path("run")
			s.copy(template, top)
			repo := filepath.Join(top, "repo")
			base := wrap.NewFault(fs.New(nil, filepath.Join(top, "remote")), nil)
			faulty := base.With(func(i int, _, _ string) wrap.Outcome {
				if n = max(n, i); i == at {
					return o
				}
				return wrap.OK
			})
			err := s.with(repo, Options{wrapBucket: keepBucket(faulty)}, add("data"))
			now := s.manifest(repo)
			if err != nil && !bytes.Equal(now, old) {
				t.Errorf("fault %d at %d: %v, and the manifest is another one", o, at, err)
			}
			if err == nil {
				versions[id(now)] = secondTree()
			}
			if err := s.checkPinned(top, versions, id(now)); err != nil {
				t.Errorf("fault %d at %d: %v", o, at, err)
			}
			must(t, s.with(repo, Options{wrapBucket: keepBucket(base)}, add("data")))
			if err := s.checkPinned(top, versions, id(s.manifest(repo))); err != nil {
				t.Errorf("after fault %d at %d: %v", o, at, err)
			}
			if v := base.Violations(); len(v) > 0 {
				t.Error(v)
			}
			must(t, os.RemoveAll(top))
		}
	}
	t.Logf("%d requests", n)
}

// A pull that is interrupted goes on with what is not there yet.
func TestDirectInterrupted(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	repo := filepath.Join(top, "repo")
	s.repo(repo)
	tr := tree{}
	for i := range 12 { // each is a request of its own
		tr[fmt.Sprintf("f%02d", i)] = "f" + randomBytes(uint64(i), 5<<20)
	}
	tr.write(t, filepath.Join(repo, "data"))
	s.do(repo, addDirect("data"))
	s.commit(repo, "one")
	for stop := 3; stop < 14; stop += 3 {
		dir := s.clone(top, fmt.Sprint("clone", stop))
		ctx, cancel := context.WithCancel(bg)
		see := requests(filepath.Join(top, "remote"), func(n int, _, _ string) {
			if n == stop {
				cancel()
			}
		})
		err := s.with(dir, Options{wrapBucket: see, batch: 5}, func(r *Repo) error {
			_, err := pullCounted(ctx, r, CheckoutOptions{})
			return err
		})
		if err == nil {
			t.Errorf("cancelled at request %d: no error", stop)
		}
		left, _ := filepath.Glob(filepath.Join(dir, "data", ".tarn-tmp-*"))
		if len(left) > 0 {
			t.Errorf("cancelled at request %d: it leaves %v", stop, left)
		}
		have := readTree(t, filepath.Join(dir, "data"))
		for p := range have {
			if have[p] != tr[p] && have[p] != "d" {
				t.Errorf("cancelled at request %d: %s is not whole", stop, p)
			}
		}
		delete(have, ".")
		// What a power failure leaves is removed.
		must(t, os.MkdirAll(filepath.Join(dir, "data"), 0o777))
		must(t, os.WriteFile(filepath.Join(dir, "data", ".tarn-tmp-0123456789abcdef"), []byte("half"), 0o666))
		must(t, s.with(dir, Options{}, func(r *Repo) error {
			got, err := pullCounted(bg, r, CheckoutOptions{})
			if err == nil && got.Files != int64(len(tr)-len(have)) {
				err = fmt.Errorf("%d files were there, and %d are fetched", len(have), got.Files)
			}
			return err
		}))
		if d := readTree(t, filepath.Join(dir, "data")).differs(tr); d != "" {
			t.Error(d)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "data", ".tarn-tmp-*")); len(left) > 0 {
			t.Errorf("it leaves %v", left)
		}
		must(t, os.RemoveAll(dir))
	}
}

// Wrong bytes on the remote: none gets a name in the workspace, each file that lacks is named once, with the side, and the others come.
func TestDirectCorrupt(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	repo := filepath.Join(top, "repo")
	s.repo(repo)
	tr := secondTree()
	tr["large"], tr["large2"] = "f"+randomBytes(8, 3<<20), "f"+randomBytes(8, 3<<20)
	tr.write(t, filepath.Join(repo, "data"))
	s.do(repo, addDirect("data"))
	s.commit(repo, "one")
	for key, b := range keys(t, filepath.Join(top, "remote")) {
		kind, _, _ := strings.Cut(key, "/")
		if kind != "pack" && kind != "root" {
			continue
		}
		for name, bad := range map[string][]byte{
			"start": flipped(b, 30), "middle": flipped(b, len(b)/2), "third": flipped(b, len(b)/3), "half": b[:len(b)/2], "zeros": make([]byte, len(b)), "gone": nil,
		} {
			path := filepath.Join(top, "remote", key)
			must(t, os.Remove(path))
			if bad != nil {
				must(t, os.WriteFile(path, bad, 0o666))
			}
			dir := s.clone(top, "clone")
			got, err := TransferResult{}, error(nil)
			must(t, s.with(dir, Options{}, func(r *Repo) error {
				var res *TransferResult
				if res, err = pullCounted(bg, r, CheckoutOptions{}); res != nil {
					got = *res
				}
				return nil
			}))
			want := ErrCorrupt
			if bad == nil {
				want = ErrIncomplete
			}
			if !errors.Is(err, want) {
				t.Errorf("%s, %s: %v", key, name, err)
			}
			s.checkNamed(fmt.Sprintf("%s, %s", key, name), readTree(t, filepath.Join(dir, "data")), tr, got.Problems)
			must(t, os.WriteFile(path, b, 0o666))
			s.do(dir, pullDirect(false))
			if d := readTree(t, filepath.Join(dir, "data")).differs(tr); d != "" {
				t.Errorf("%s, %s, put right: %s", key, name, d)
			}
			must(t, os.RemoveAll(dir))
		}
	}
}

func (s *scratch) checkNamed(where string, have, want tree, ps []Problem) {
	named := map[string]int{}
	for _, p := range ps {
		if named[p.Path]++; p.Side != "remote origin" || named[p.Path] > 1 {
			s.t.Errorf("%s: %s of side %q is named %d times", where, p.Path, p.Side, named[p.Path])
		}
	}
	for p, v := range want {
		switch got, ok := have[p]; {
		case ok && got != v:
			s.t.Errorf("%s: %s has %.20q", where, p, got)
		case !ok && v[0] != 'd' && named[p] == 0 && named[""] == 0:
			s.t.Errorf("%s: %s is not there, and was not named", where, p)
		case ok && named[p] > 0:
			s.t.Errorf("%s: %s is there, and was named", where, p)
		}
	}
}

// What the workspace does not take is a problem of the workspace, for that path alone.
func TestDirectUnwritable(t *testing.T) {
	s := newScratch(t)
	top := s.path("top")
	repo := filepath.Join(top, "repo")
	s.repo(repo)
	tr := tree{"a/x": "fsame bytes", "b/x": "fsame bytes", "c": "f" + randomBytes(1, 2<<20), "d/c": "f" + randomBytes(1, 2<<20)}
	tr.write(t, filepath.Join(repo, "data"))
	s.do(repo, addDirect("data"))
	s.commit(repo, "one")
	dir := s.clone(top, "clone")
	must(t, os.MkdirAll(filepath.Join(dir, "data"), 0o777))
	must(t, os.Symlink("..", filepath.Join(dir, "data", "a"))) // a stranger's, so it stays, and is not followed
	err := s.with(dir, Options{}, pullDirect(false))
	if !errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), "data/a/x (workspace)") || strings.Contains(err.Error(), "b/x") {
		t.Errorf("the error is %v", err)
	}
	have := readTree(t, filepath.Join(dir, "data"))
	delete(tr, "a/x")
	tr["a"] = "l.."
	if d := have.differs(tr); d != "" {
		t.Error(d)
	}
	if _, err := os.Lstat(filepath.Join(dir, "x")); err == nil {
		t.Error("the link was followed")
	}
}

// A dataset of one file that can't be written says why, once.
func TestDirectUnwritableFile(t *testing.T) {
	s := newScratch(t)
	top := s.path("top")
	repo := filepath.Join(top, "repo")
	s.repo(repo)
	must(t, os.WriteFile(filepath.Join(repo, "one"), []byte("content"), 0o666))
	s.do(repo, addDirect("one"))
	s.commit(repo, "one")
	dir := s.clone(top, "clone")
	full := durable.Hooked(fullDisk(filepath.Join(dir, ".tarn-tmp-")))
	must(t, s.with(dir, Options{Disk: full}, func(r *Repo) error {
		res, err := r.Pull(bg, FetchOptions{Keep: KeepNot}, CheckoutOptions{})
		if res == nil || len(res.Fetch.Problems) > 0 || len(res.Checkout.Problems) != 1 {
			return fmt.Errorf("%w: %+v", err, res)
		}
		if p := res.Checkout.Problems[0]; p.Side != "workspace" || !errors.Is(p.Err, syscall.ENOSPC) || !errors.Is(err, ErrIncomplete) {
			return fmt.Errorf("%w: the problem is %+v", err, p)
		}
		return nil
	}))
}

// fullDisk is a disk on which files whose paths begin so get no name.
type fullDisk string

func (f fullDisk) Before(op durable.Op) error {
	if op.Kind == durable.OpRename && strings.HasPrefix(op.Path, string(f)) {
		return syscall.ENOSPC
	}
	return nil
}

func (f fullDisk) After(durable.Op) {}

// A version that nobody pushed comes past the cache as well: from under others.
func TestDirectNobodyPushed(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	repo := filepath.Join(top, "repo")
	s.repo(repo)
	versions := []tree{firstTree(), secondTree()}
	for i, tr := range versions {
		tr.write(t, filepath.Join(repo, "data"))
		s.do(repo, addDirect("data"))
		s.commit(repo, fmt.Sprint(i))
	}
	mixed := secondTree()
	mixed["a.txt"], mixed["sub/two"] = "fone", "f2"
	mixed.write(t, filepath.Join(repo, "data"))
	s.do(repo, func(r *Repo) error {
		_, err := r.Add(bg, AddOptions{Paths: []string{"data"}, Keep: KeepInCache})
		return err
	})
	s.commit(repo, "not pushed")
	dir := s.clone(top, "clone")
	s.do(dir, pullDirect(false))
	if d := readTree(t, filepath.Join(dir, "data")).differs(mixed); d != "" {
		t.Error(d)
	}
	must(t, s.keptNothing(dir, mixed))
}

// A bucket whose bodies end early is read again, and nothing half is named.
type shortBucket struct {
	blob.Bucket
	mu   sync.Mutex
	cuts int
}

func (b *shortBucket) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, blob.Info, error) {
	body, info, err := b.Bucket.Get(ctx, key, off, n)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil && strings.HasPrefix(key, "pack/") && b.cuts > 0 {
		b.cuts--
		return struct {
			io.Reader
			io.Closer
		}{io.LimitReader(body, n/2), body}, info, nil
	}
	return body, info, err
}

func TestDirectShortReads(t *testing.T) {
	s := newScratch(t)
	top := s.path("top")
	repo := filepath.Join(top, "repo")
	s.repo(repo)
	tr := tree{"a": "fone", "b": "fone", "c/large": "f" + randomBytes(1, 3<<20), "c/same": "x" + randomBytes(1, 3<<20), "d": "fthree"}
	tr.write(t, filepath.Join(repo, "data"))
	s.do(repo, addDirect("data"))
	s.commit(repo, "one")
	dir := s.clone(top, "clone")
	short := &shortBucket{cuts: 2}
	must(t, s.with(dir, Options{wrapBucket: func(b blob.Bucket) blob.Bucket { short.Bucket = b; return short }}, pullDirect(false)))
	if d := readTree(t, filepath.Join(dir, "data")).differs(tr); d != "" || short.cuts > 0 {
		t.Error(short.cuts, d)
	}
}
