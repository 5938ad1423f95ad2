package dataset

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tarn/store/blob"
	"tarn/store/blob/wrap"
)

// counting hears of each request to a remote.
func counting(seen *[]string) func(blob.Bucket) blob.Bucket {
	return func(b blob.Bucket) blob.Bucket {
		return wrap.NewFault(b, func(_ int, verb, key string) wrap.Outcome {
			*seen = append(*seen, verb+" "+key)
			return wrap.OK
		})
	}
}

// TestPartReadsItsPages: a part of a large dataset is pulled, and checked out, with the pages that can hold it.
func TestPartReadsItsPages(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	want := bigTree()
	s.bigPushed(top, want)
	for _, part := range []string{"d0/f0000", "d4/f0500", "d7/f0749", "d3"} {
		clone := filepath.Join(top, "clone")
		s.git(top, "clone", "-q", "repo", "clone")
		var seen []string
		err := s.with(clone, Options{wrapBucket: counting(&seen)}, func(r *Repo) error {
			_, err := r.Pull(bg, FetchOptions{Selection: Selection{Paths: []string{"data/" + part}}}, CheckoutOptions{Paths: []string{"data/" + part}})
			return err
		})
		must(t, err)
		most := 4
		if part == "d3" {
			most = 6 // of ten pages, two or three, and their packs
		}
		if len(seen) > most {
			t.Errorf("%s: %d requests: %v", part, len(seen), seen)
		}
		got := readTree(t, filepath.Join(clone, "data"))
		for p, v := range want {
			if under(p, part) && got[p] != v {
				t.Errorf("%s: %s is not there", part, p)
			}
		}
		if n := len(got); part != "d3" && n != 1 {
			t.Errorf("%s: %d files", part, n)
		}
		// Status works without the other pages, and says how much was never here.
		must(t, s.with(clone, Options{wrapBucket: counting(&seen)}, func(r *Repo) error {
			before := len(seen)
			for _, paths := range [][]string{nil, {"data"}, {"data/" + part}} {
				st, err := r.Status(bg, StatusOptions{Paths: paths})
				if err != nil {
					return err
				}
				d := st.Datasets[0]
				wantAbsent := int64(len(want) - len(got))
				if len(paths) > 0 && paths[0] != "data" {
					wantAbsent = 0
				}
				if len(d.Work) > 0 || d.Absent != wantAbsent || len(seen) != before {
					t.Errorf("%s: status %v: %v, %d not checked out, want %d", part, paths, d.Work, d.Absent, wantAbsent)
				}
			}
			return nil
		}))
		edited := filepath.Join(clone, "data", slices.Sorted(maps.Keys(got))[0])
		must(t, os.WriteFile(edited, []byte("edited"), 0o666))
		must(t, os.WriteFile(filepath.Join(clone, "data", "new"), nil, 0o666))
		s.do(clone, func(r *Repo) error {
			st, err := r.Status(bg, StatusOptions{})
			if err == nil && (len(st.Datasets[0].Work) != 2 || st.Datasets[0].Work[0].State != Modified || st.Datasets[0].Work[1].State != New) {
				t.Errorf("%s: %+v", part, st.Datasets[0])
			}
			return err
		})
		must(t, os.Remove(filepath.Join(clone, "data", "new")))
		must(t, os.Remove(edited))
		// The rest comes later, and then all of it is as if it had come at once.
		must(t, s.with(clone, Options{}, pullAll))
		if d := want.differs(readTree(t, filepath.Join(clone, "data"))); d != "" {
			t.Errorf("%s, then all: %s", part, d)
		}
		must(t, os.RemoveAll(clone))
	}
}

// TestPartOfOne: below a dataset that is one file there is nothing; the file stays.
func TestPartOfOne(t *testing.T) {
	s := newScratch(t)
	repo := s.path("repo")
	s.repo(repo)
	tree{"one": "f1"}.write(t, filepath.Join(repo, "sub"))
	s.do(repo, add("sub/one"))
	s.do(repo, func(r *Repo) error {
		_, err := r.Checkout(bg, CheckoutOptions{Paths: []string{"sub/one/below"}})
		if err != nil && !strings.Contains(fmt.Sprint(err), "missing") {
			return err
		}
		return nil
	})
	if got := readTree(t, filepath.Join(repo, "sub")); got["one"] != "f1" {
		t.Errorf("the file is gone: %v", got)
	}
}

// TestPartBelowEmpty: a checkout of a part leaves the directory above it that the manifest has as empty.
func TestPartBelowEmpty(t *testing.T) {
	s := newScratch(t)
	repo := s.path("repo")
	s.repo(repo)
	tree{"p/q/file": "f1", "x": "fx"}.write(t, filepath.Join(repo, "data"))
	s.do(repo, add("data"))
	s.commit(repo, "full")
	tree{"p": "d", "x": "fx"}.write(t, filepath.Join(repo, "data"))
	s.do(repo, add("data"))
	s.commit(repo, "empty")
	s.git(repo, "checkout", "-q", "HEAD~1")
	s.do(repo, checkoutAll(false))
	s.git(repo, "checkout", "-q", "-")
	s.do(repo, func(r *Repo) error {
		_, err := r.Checkout(bg, CheckoutOptions{Paths: []string{"data/p/q"}})
		return err
	})
	if got := readTree(t, filepath.Join(repo, "data")); got["p"] != "d" || len(got) != 2 {
		t.Errorf("%v", got)
	}
}

// TestPagesAhead: the pages of a large dataset are asked for several at once, each once, also where the remote has none of them.
func TestPagesAhead(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	raw := s.bigPushed(top, bigTree())
	v, err := parseVersion(raw)
	must(t, err)
	for _, gone := range []bool{false, true} {
		clone := filepath.Join(top, fmt.Sprint("clone", gone))
		s.git(top, "clone", "-q", "repo", clone)
		asked := map[string]int{}
		var mu sync.Mutex
		var now, most int
		err := s.with(clone, Options{wrapBucket: func(b blob.Bucket) blob.Bucket {
			return slowPages{b, func(key string) {
				mu.Lock()
				defer mu.Unlock()
				asked[key]++
				now++
				most = max(most, now)
			}, func() {
				mu.Lock()
				defer mu.Unlock()
				now--
			}, gone}
		}}, fetchAll)
		if (err != nil) != gone {
			t.Errorf("gone %v: %v", gone, err)
		}
		if len(asked) != len(v.Pages) || most < 2 {
			t.Errorf("gone %v: %d pages of %d asked for, %d at once", gone, len(asked), len(v.Pages), most)
		}
		for key, n := range asked {
			if n != 1 {
				t.Errorf("gone %v: %s was asked for %d times", gone, key, n)
			}
		}
	}
}

// slowPages hears of gets of pages.
type slowPages struct {
	blob.Bucket
	begin func(string)
	end   func()
	gone  bool
}

func (s slowPages) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, blob.Info, error) {
	if strings.HasPrefix(key, "page/") {
		s.begin(key)
		defer s.end()
		time.Sleep(10 * time.Millisecond)
		if s.gone {
			return nil, blob.Info{}, fmt.Errorf("get %s: %w", key, blob.ErrNotFound)
		}
	}
	return s.Bucket.Get(ctx, key, off, n)
}
