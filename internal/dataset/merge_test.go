package dataset

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"tarn/internal/config"
)

// hub makes a bare repository in top and two clones of it that have one dataset, pushed.
func (s *scratch) hub(top string, first tree) (a, b string) {
	hub := filepath.Join(top, "hub.git")
	a, b = filepath.Join(top, "a"), filepath.Join(top, "b")
	must(s.t, os.MkdirAll(hub, 0o777))
	s.git(hub, "init", "--template=", "-q", "--bare", "-b", "main")
	s.git(top, "clone", "--template=", "-q", "file://"+hub, a)
	s.do(a, func(r *Repo) error {
		if _, err := r.Init(bg); err != nil {
			return err
		}
		_, err := r.AddRemote("origin", "../remote", config.Repository, true)
		return err
	})
	first.write(s.t, filepath.Join(a, "data"))
	s.do(a, add("data"))
	s.commit(a, "first")
	s.do(a, pushAll)
	s.git(a, "push", "-q", "-u", "origin", "HEAD:main")
	s.git(top, "clone", "--template=", "-q", "file://"+hub, b)
	s.do(b, pullAll)
	return a, b
}

// branch makes a version on a branch, pushed on both ways.
func (s *scratch) branch(repo, name string, tr tree) {
	s.git(repo, "checkout", "-q", "-b", name)
	tr.write(s.t, filepath.Join(repo, "data"))
	s.do(repo, add("data"))
	s.commit(repo, name)
	s.do(repo, pushAll)
	s.git(repo, "push", "-q", "origin", name)
}

// TestMergeNobodyPushed: a forge merges two branches, and a shallow clone of the merge, whose version no one has pushed, gets all of it.
func TestMergeNobodyPushed(t *testing.T) {
	inline := firstTree()
	for _, p := range []string{"m1", "m2", "m3", "m4", "m5", "m6"} {
		inline[p] = "f" + p
	}
	for name, c := range map[string]struct {
		first, left, right tree
		pages              int
	}{
		"inline": {inline, tree{"a.txt": "fleft", "big.bin": "f" + randomBytes(3, 200<<10)}, tree{"sub/two": "fright", "zero": "fright"}, 0},
		"paged":  {bigTree(), tree{"d0/f0001": "fleft", "d0/f0002x": "fnew"}, tree{"d7/f0700": "fright", "d7/f0701": "x"}, 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScratch(t)
			a, b := s.hub(s.path("top"), c.first)
			want := maps.Clone(c.first)
			for i, change := range []tree{c.left, c.right} {
				tr := maps.Clone(c.first)
				maps.Copy(tr, change)
				maps.Copy(want, change)
				s.branch([]string{a, b}[i], []string{"left", "right"}[i], tr)
			}
			hub := s.path("top", "hub.git")
			merged := s.git(hub, "merge-tree", "--write-tree", "left", "right")
			commit := s.git(hub, "commit-tree", merged, "-p", "left", "-p", "right", "-m", "merge")
			s.git(hub, "update-ref", "refs/heads/main", commit)
			for _, parts := range []bool{false, true} {
				dir := s.path("top", map[bool]string{false: "whole", true: "part"}[parts])
				s.git(s.path("top"), "clone", "--template=", "-q", "--depth", "1", "file://"+hub, dir)
				raw := s.manifest(dir)
				v, err := parseVersion(raw)
				must(t, err)
				if len(v.Pages) < c.pages {
					t.Fatalf("%d pages", len(v.Pages))
				}
				if parts {
					s.fetchPart(dir, want)
					continue
				}
				s.do(dir, fetchAll)
				must(t, s.holds(dir, raw, want))
				s.do(dir, pullAll)
				if d := readTree(t, filepath.Join(dir, "data")).differs(want); d != "" {
					t.Errorf("the workspace has %s", d)
				}
				s.do(dir, pushAll)
				versions := map[string]tree{id(raw): want}
				s.copy(filepath.Join(a, ".tarn"), s.path("top", "repo", ".tarn"))
				must(t, s.checkPinned(s.path("top"), versions, id(raw)))
			}
		})
	}
}

// fetchPart pulls one directory of a version that nobody pushed.
func (s *scratch) fetchPart(dir string, want tree) {
	part, some := "sub", tree{}
	if want["sub/one"] == "" {
		part = "d7"
	}
	for p, v := range want {
		if under(p, part) {
			some[p] = v
		}
	}
	paths := []string{"data/" + part}
	s.do(dir, func(r *Repo) error {
		_, err := r.Pull(bg, FetchOptions{Selection: Selection{Paths: paths}}, CheckoutOptions{Paths: paths})
		return err
	})
	if d := readTree(s.t, filepath.Join(dir, "data")).differs(some); d != "" {
		s.t.Errorf("of the part %s the workspace has %s", part, d)
	}
}
