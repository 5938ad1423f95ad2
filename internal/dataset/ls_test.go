package dataset

import (
	"bytes"
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"tarn/internal/durable"
	"tarn/store/blob"
	"tarn/store/blob/wrap"
)

// ls is the paths that Ls lists.
func (s *scratch) ls(dir string, o LsOptions, wrapped func(blob.Bucket) blob.Bucket) ([]string, error) {
	var paths []string
	err := s.with(dir, Options{wrapBucket: wrapped}, func(r *Repo) error {
		_, err := r.Ls(bg, o, func(l Listed) error {
			p := l.Dataset
			if l.Entry != nil {
				if p = path.Join(p, l.Entry.Path); strings.HasSuffix(l.Entry.Path, "/") {
					p += "/"
				}
			}
			paths = append(paths, p)
			return nil
		})
		return err
	})
	return paths, err
}

// TestLs lists a version in a clone that has nothing else of it, and reads only the pages that it needs, which the next run has in the cache.
func TestLs(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	s.bigPushed(top, bigTree())
	var all, some []string
	for p := range bigTree() {
		if all = append(all, "data/"+p); strings.HasPrefix(p, "d3/") {
			some = append(some, "data/"+p)
		}
	}
	slices.Sort(all)
	slices.Sort(some)
	for i, c := range []struct {
		o    LsOptions
		want []string
		gets int64 // tarn.json and pages
	}{
		{LsOptions{}, []string{"data"}, 0},
		{LsOptions{Paths: []string{"."}}, []string{"data"}, 0},
		{LsOptions{Paths: []string{"HEAD:data/d3"}}, some, 3},
		{LsOptions{Paths: []string{"data/d3/f0007"}}, []string{"data/d3/f0007"}, 2},
		{LsOptions{Paths: []string{"data.tarn"}}, []string{"data/d0/", "data/d1/", "data/d2/", "data/d3/", "data/d4/", "data/d5/", "data/d6/", "data/d7/"}, 20},
		{LsOptions{Recursive: true}, all, 20},
	} {
		clone := s.freshClone(top, "clone")
		for run := range 2 {
			var m *wrap.Meter
			got, err := s.ls(clone, c.o, counted(&m))
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%d: %d paths of %d, %v", i, len(got), len(c.want), err)
			}
			n := int64(0)
			if m != nil {
				n = m.Snapshot().Requests()
			}
			if run == 0 && n > c.gets || run == 1 && n > 0 {
				t.Errorf("%d, run %d: %d requests, want at most %d", i, run, n, c.gets)
			}
		}
		must(t, os.RemoveAll(clone))
	}
}

// TestLsProblems: one dataset that can't be read spoils no other.
func TestLsProblems(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	s.bigPushed(top, bigTree())
	repo := filepath.Join(top, "repo")
	tree{"a": "fa"}.write(t, filepath.Join(repo, "fine"))
	s.do(repo, add("fine"))
	must(t, os.WriteFile(filepath.Join(repo, "broken.tarn"), []byte("tarn 1 dir\n<<<<<<< HEAD\n"), 0o666))
	s.commit(repo, "two")
	clone := s.freshClone(top, "clone")
	if got, err := s.ls(clone, LsOptions{}, nil); !errors.Is(err, ErrIncomplete) || !slices.Equal(got, []string{"data", "fine"}) {
		t.Errorf("%q, %v", got, err)
	}
	pages, _ := filepath.Glob(filepath.Join(top, "remote", "page", "*"))
	for _, p := range pages {
		b, err := os.ReadFile(p)
		must(t, err)
		must(t, os.WriteFile(p, flipped(b, 100), 0o666))
	}
	if got, err := s.ls(clone, LsOptions{Recursive: true}, nil); !errors.Is(err, ErrCorrupt) || !slices.Equal(got, []string{"fine/a"}) {
		t.Errorf("%q, %v", got, err)
	}
	for _, p := range pages {
		must(t, os.Remove(p))
	}
	if got, err := s.ls(clone, LsOptions{Paths: []string{"data"}}, nil); !errors.Is(err, ErrIncomplete) || len(got) > 0 {
		t.Errorf("%q, %v", got, err)
	}
	stop := errors.New("stop")
	s.do(clone, func(r *Repo) error {
		if _, err := r.Ls(bg, LsOptions{}, func(Listed) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("%v", err)
		}
		return nil
	})
}

// readOnly is a disk that lets nothing be changed.
type readOnly struct{}

func (readOnly) Before(durable.Op) error { return syscall.EROFS }
func (readOnly) After(durable.Op)        {}

// TestReadOnlyRepository: ls and cat need not write, as in a bare repository of another user.
func TestReadOnlyRepository(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	tr := bigTree()
	tr["large"] = "f" + randomBytes(7, 3<<20)
	s.bigPushed(top, tr)
	s.git(top, "clone", "-q", "--bare", "repo", "bare.git")
	must(t, s.with(filepath.Join(top, "bare.git"), Options{Disk: durable.Hooked(readOnly{})}, func(r *Repo) error {
		n := 0
		if _, err := r.Ls(bg, LsOptions{Paths: []string{"HEAD:data"}, Recursive: true}, func(Listed) error { n++; return nil }); err != nil || n != len(tr) {
			t.Errorf("ls: %d entries of %d, %v", n, len(tr), err)
		}
		for _, p := range []string{"large", "d3/f0007"} {
			var out bytes.Buffer
			if err := r.Cat(bg, CatOptions{Path: "data/" + p}, &out); err != nil || out.String() != tr[p][1:] {
				t.Errorf("cat %s: %d bytes, %v", p, out.Len(), err)
			}
		}
		return nil
	}))
	if _, err := os.Stat(filepath.Join(top, "bare.git", "tarn")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
}
