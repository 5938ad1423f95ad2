package dataset

import (
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// told is what a Reporter heard of phases.
type told struct {
	Silent
	mu     sync.Mutex
	phases []string
	totals []amount // of "fetch"
	done   amount   // of the last phase
}

func (r *told) Phase(name string, files, bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phases, r.done = append(r.phases, name), amount{}
	if name == "fetch" {
		r.totals = append(r.totals, amount{files, bytes})
	}
}

func (r *told) Total(files, bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.totals = append(r.totals, amount{files, bytes})
}

func (r *told) Add(files, bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done.add(amount{files, bytes}, 1)
}

// TestFetchIsOneProgress: planned in many batches, a fetch is one progress, whose totals are those of the manifest where all is missing, and come down to what
// is missing where some is here.
func TestFetchIsOneProgress(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	tr := bigTree()
	s.bigPushed(top, tr)
	size := func(tr tree) (a amount) {
		for _, v := range tr {
			a.add(amount{1, int64(len(v) - 1)}, 1)
		}
		return a
	}
	all, part := size(tr), size(tr.below("d3"))
	unknown := amount{-1, -1}
	rest := all
	rest.add(part, -1)
	dir := s.clone(top, "fresh")
	fetch := func(dir string, paths ...string) *told {
		t.Helper()
		rep := &told{}
		must(t, s.with(dir, Options{batch: 500, Report: rep}, func(r *Repo) error {
			_, err := r.Fetch(bg, FetchOptions{Selection: Selection{Paths: paths}})
			return err
		}))
		if !slices.Equal(rep.phases, []string{"fetch"}) {
			t.Errorf("phases: %q", rep.phases)
		}
		return rep
	}
	first := fetch(dir, "data/d3") // one page or two
	if last := first.totals[len(first.totals)-1]; last != part || first.done != part || len(first.totals) > 1 && first.totals[0] != unknown {
		t.Errorf("a part: %v, done %v, want %v", first.totals, first.done, part)
	}
	second := fetch(dir)
	for i, a := range second.totals {
		if i > 0 && (a.files > second.totals[i-1].files || a.bytes > second.totals[i-1].bytes) || a.files < rest.files || a.files > all.files {
			t.Errorf("the rest, total %d: %v, want %v", i, a, rest)
		}
	}
	if n := len(second.totals); n < 4 || second.totals[n-1] != rest || second.done != rest {
		t.Errorf("the rest: %v, done %v, want %v", second.totals, second.done, rest)
	}
	whole := fetch(s.clone(top, "whole"))
	for i, a := range whole.totals {
		if a != all {
			t.Errorf("all, total %d: %v, want %v", i, a, all)
		}
	}
	if len(whole.totals) < 4 || whole.done != all {
		t.Errorf("all: done %v, want %v", whole.done, all)
	}
	// Of two versions, which share most, the totals are known once all is planned.
	repo := filepath.Join(top, "repo")
	s.git(repo, "tag", "v0")
	tr["d0/new"] = "fnew"
	tr.write(t, filepath.Join(repo, "data"))
	s.do(repo, add("data"))
	s.commit(repo, "second")
	s.do(repo, pushAll)
	rep, two := &told{}, s.clone(top, "two")
	must(t, s.with(two, Options{batch: 500, Report: rep}, func(r *Repo) error {
		_, err := r.Fetch(bg, FetchOptions{Selection: Selection{Revs: []string{"v0", "HEAD"}}})
		return err
	}))
	n := len(rep.totals)
	if want := size(tr); len(rep.phases) != 1 || rep.totals[0] != unknown || rep.totals[n-1] != want || rep.done != want {
		t.Errorf("two versions: %q, %v, done %v, want %v", rep.phases, rep.totals, rep.done, want)
	}
}
