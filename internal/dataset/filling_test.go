package dataset

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tarn/internal/durable"
)

var errKilled = errors.New("killed")

// killer lets one write below a directory write a few bytes, and nothing after it anything: what a process leaves that is killed there.
type killer struct {
	dir     string
	write   int // which one
	short   int // bytes of it
	seen    int
	stopped atomic.Bool
}

func (k *killer) Before(op durable.Op) error {
	if k.stopped.Load() {
		return errKilled
	}
	if op.Kind != durable.OpWrite || !strings.HasPrefix(op.Path, k.dir) {
		return nil
	}
	if k.seen++; k.seen == k.write {
		k.stopped.Store(true)
		return &durable.Fault{Err: errKilled, Short: k.short}
	}
	return nil
}

func (k *killer) After(durable.Op) {}

// What a killed checkout cut short is nothing to each verb, and the next checkout goes on without a question.
func TestKilledCheckout(t *testing.T) {
	const content = "many words, and not one of them too much"
	files := tree{"a/one": "f" + content, "a/two": "f" + content + "!", "b/three": "f" + content + "?"}
	for _, short := range []int{0, 1, len(content) - 1} {
		for write := 1; write <= 3; write++ {
			s := newScratch(t)
			repo := s.path("repo")
			s.repo(repo)
			data := filepath.Join(repo, "data")
			files.write(t, data)
			s.do(repo, add("data"))
			s.commit(repo, "one")
			manifest := s.manifest(repo)
			must(t, os.RemoveAll(data))
			must(t, os.RemoveAll(filepath.Join(repo, ".git", "tarn", "index")))

			k := &killer{dir: data + string(filepath.Separator), write: write, short: short}
			if err := s.with(repo, Options{Disk: durable.Hooked(k)}, checkoutAll(false)); err == nil {
				t.Fatal("the checkout was not stopped")
			}
			cut := ""
			for p, v := range readTree(t, data) {
				if v != files[p] && v != "d" {
					cut = p
				}
			}
			if cut == "" {
				t.Fatalf("write %d: nothing was cut short", write)
			}
			s.do(repo, func(r *Repo) error {
				res, err := r.Status(bg, StatusOptions{})
				must(t, err)
				if d := res.Datasets[0]; len(d.Work) > 0 || d.Absent == 0 {
					t.Errorf("status: %v, and %d are not checked out", d.Work, d.Absent)
				}
				return nil
			})
			s.do(repo, add("data"))
			if got := s.manifest(repo); string(got) != string(manifest) {
				t.Errorf("add made it %s", got)
			}
			s.do(repo, checkoutAll(false))
			if d := readTree(t, data).differs(files); d != "" {
				t.Errorf("after the second checkout: %s", d)
			}
			// Now a start of what was there is an edit, as it always is.
			must(t, os.WriteFile(filepath.Join(data, cut), []byte(content[:3]), 0o666))
			s.do(repo, func(r *Repo) error {
				res, err := r.Status(bg, StatusOptions{})
				must(t, err)
				if len(res.Datasets[0].Work) != 1 {
					t.Errorf("an edit shows as %v", res.Datasets[0].Work)
				}
				return nil
			})
		}
	}
}

// A part that is checked out does not end the care for the rest, and the mark goes with the dataset.
func TestMarkOfKilledCheckout(t *testing.T) {
	s := newScratch(t)
	repo := s.path("repo")
	s.repo(repo)
	data := filepath.Join(repo, "data")
	files := tree{"a/one": "fthe first", "b/two": "fthe second"}
	files.write(t, data)
	s.do(repo, add("data"))
	s.commit(repo, "one")
	must(t, os.WriteFile(filepath.Join(data, "a", "one"), []byte("the"), 0o666))
	must(t, os.RemoveAll(filepath.Join(repo, ".git", "tarn", "index")))
	there := func(dataset string) (is bool) {
		s.do(repo, func(r *Repo) error { is = r.filling(dataset); return nil })
		return is
	}
	s.do(repo, func(r *Repo) error {
		must(t, os.MkdirAll(filepath.Dir(r.fillingPath("data")), 0o777))
		return r.markFilling("data")
	})
	part := func(r *Repo) error {
		_, err := r.Checkout(bg, CheckoutOptions{Paths: []string{"data/b"}})
		return err
	}
	s.do(repo, part)
	if !there("data") {
		t.Error("the mark is gone after the checkout of a part")
	}
	s.do(repo, func(r *Repo) error { _, err := r.Move(bg, "data", "moved"); return err })
	if there("data") || !there("moved") {
		t.Error("the mark did not move along")
	}
	s.do(repo, checkoutAll(false))
	if there("moved") {
		t.Error("the mark is there after the checkout of all")
	}
	if d := readTree(t, filepath.Join(repo, "moved")).differs(files); d != "" {
		t.Error(d)
	}
}

// What killed processes left beside the index goes after a day, and no sooner.
func TestSweep(t *testing.T) {
	s := newScratch(t)
	repo := s.path("repo")
	s.repo(repo)
	firstTree().write(t, filepath.Join(repo, "data"))
	dir := filepath.Join(repo, ".git", "tarn", "index")
	must(t, os.MkdirAll(dir, 0o777))
	old := time.Now().Add(-2 * staleIndex)
	stale := []string{"tmp-0123456789abcdef", "0123.status-17"}
	for _, name := range append(stale, "tmp-fedcba9876543210", "old") {
		must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o666))
		if name != "tmp-fedcba9876543210" {
			must(t, os.Chtimes(filepath.Join(dir, name), old, old))
		}
	}
	s.do(repo, add("data"))
	for name, want := range map[string]bool{stale[0]: false, stale[1]: false, "tmp-fedcba9876543210": true, "old": true} {
		if _, err := os.Lstat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
