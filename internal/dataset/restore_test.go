package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tarn/index"
	"tarn/store/digest"
)

func restore(from string, force bool, paths ...string) func(r *Repo) error {
	return func(r *Repo) error {
		res, err := r.Restore(bg, RestoreOptions{From: from, Paths: paths, Force: force})
		if err != nil && res != nil {
			for _, p := range res.Problems {
				err = fmt.Errorf("%w; %s: %w", err, p, p.Err)
			}
		}
		return err
	}
}

// committed adds each tree as data and commits it; the tags are v0, v1, ….
func (s *scratch) committed(repo string, trees ...tree) {
	s.t.Helper()
	s.repo(repo)
	for i, tr := range trees {
		tr.write(s.t, filepath.Join(repo, "data"))
		s.do(repo, add("data"))
		s.commit(repo, fmt.Sprint(i))
		s.git(repo, "tag", fmt.Sprint("v", i))
	}
}

// unchanged fails if do changes manifest or workspace.
func (s *scratch) unchanged(repo string, do func()) {
	s.t.Helper()
	raw, work := s.manifest(repo), readTree(s.t, filepath.Join(repo, "data"))
	do()
	if !bytes.Equal(raw, s.manifest(repo)) {
		s.t.Error("the manifest changed")
	}
	if d := readTree(s.t, filepath.Join(repo, "data")).differs(work); d != "" {
		s.t.Errorf("the workspace changed: %s", d)
	}
}

// TestRestoreAnything restores random parts of random versions: the part is as it was, the rest as it is, and the manifest that of these files.
func TestRestoreAnything(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	for seed := range 12 {
		m := &model{scratch: s, r: rand.New(rand.NewPCG(uint64(seed), 3)), top: s.path(fmt.Sprint("top", seed))}
		repo := filepath.Join(m.top, "repo")
		trees := []tree{firstTree(), firstTree()}
		for range 1 + m.r.IntN(20) {
			m.edit(trees[1])
		}
		s.committed(repo, trees...)
		for range 4 {
			part, now := m.part(trees[0]), readTree(t, filepath.Join(repo, "data"))
			want, blocked := tree{}, false
			for p, v := range now {
				blocked = blocked || v != "d" && p != part && under(part, p)
				if !under(p, part) && !under(part, p) {
					want[p] = v
				}
			}
			for p, v := range trees[0] {
				if under(p, part) {
					want[p] = v
				}
			}
			err := s.with(repo, Options{}, restore("v0", false, path.Join("data", part)))
			if blocked {
				if !errors.Is(err, ErrUsage) {
					t.Errorf("seed %d, %q below a file: %v", seed, part, err)
				}
				continue
			}
			if d := readTree(t, filepath.Join(repo, "data")).differs(want); d != "" || err != nil {
				t.Fatalf("seed %d, part %q: %v, %s", seed, part, err, d)
			}
			m.sameManifest(repo, part)
		}
		must(t, s.with(repo, Options{}, restore("v0", false, "data")))
		if d := readTree(t, filepath.Join(repo, "data")).differs(trees[0]); d != "" || !bytes.Equal(s.manifest(repo), []byte(s.git(repo, "show", "v0:data.tarn")+"\n")) {
			t.Errorf("seed %d: all of it: %s", seed, d)
		}
	}
}

// part is a path of a tree, or one above such a path.
func (m *model) part(tr tree) string {
	some := slices.Sorted(maps.Keys(tr))
	p := some[m.r.IntN(len(some))]
	if d := path.Dir(p); d != "." && m.r.IntN(2) == 0 {
		return d
	}
	return p
}

// sameManifest: status finds nothing to do, and adding the same files without an index makes the same manifest.
func (m *model) sameManifest(repo, part string) {
	m.t.Helper()
	raw := m.manifest(repo)
	m.do(repo, func(r *Repo) error {
		res, err := r.Status(bg, StatusOptions{})
		if d := &res.Datasets[0]; err == nil && len(d.Work)+int(d.Absent+d.Missing) > 0 {
			err = fmt.Errorf("after restoring %q status says %+v", part, d)
		}
		return err
	})
	must(m.t, os.RemoveAll(filepath.Join(repo, ".git", "tarn", "index")))
	must(m.t, os.Remove(filepath.Join(repo, "data.tarn")))
	m.do(repo, add("data"))
	if !bytes.Equal(m.manifest(repo), raw) {
		m.t.Errorf("after restoring %q the manifest is not that of the files", part)
	}
}

// TestRestoreRefuses: what would be lost stays, and so does all else of the dataset.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	repo := s.path("top", "repo")
	s.committed(repo, firstTree(), secondTree())
	for name, v := range map[string]string{"a.txt": "fedited", "sub/two": "funtracked, and in the way", "more.bin": "fedited, and to be removed", "link": "lsub/two"} {
		writeOver(t, filepath.Join(repo, "data", name), v)
		s.unchanged(repo, func() {
			if err := s.with(repo, Options{}, restore("v0", false, "data")); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "data/"+name) {
				t.Errorf("%s: %v", name, err)
			}
		})
		must(t, s.with(repo, Options{}, restore("v0", true, "data")))
		if d := readTree(t, filepath.Join(repo, "data")).differs(firstTree()); d != "" {
			t.Errorf("%s: with force: %s", name, d)
		}
		must(t, s.with(repo, Options{}, restore("v1", false, "data")))
	}
	writeOver(t, filepath.Join(repo, "data", "mine"), "funtracked, and in nobody's way")
	must(t, s.with(repo, Options{}, restore("v0", false, "data")))
	if got := readTree(t, filepath.Join(repo, "data"))["mine"]; got != "funtracked, and in nobody's way" {
		t.Errorf("an untracked file is %q", got)
	}
	// An edit elsewhere than in the part that is restored is nobody's business.
	writeOver(t, filepath.Join(repo, "data", "a.txt"), "fedited")
	must(t, s.with(repo, Options{}, restore("v1", false, "data/sub")))
	if got := readTree(t, filepath.Join(repo, "data"))["a.txt"]; got != "fedited" {
		t.Errorf("a.txt is %q", got)
	}
}

func writeOver(t *testing.T, path, v string) {
	t.Helper()
	must(t, os.RemoveAll(path))
	writeEntry(t, path, v)
}

// TestRestoreAllOrNothing: where a byte can't be had, nothing of the dataset changes, and the others are restored.
func TestRestoreAllOrNothing(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	repo := filepath.Join(top, "repo")
	s.committed(repo, firstTree(), secondTree())
	tree{"f": "f1"}.write(t, filepath.Join(repo, "other"))
	s.do(repo, add("other"))
	s.commit(repo, "other, one")
	tree{"f": "f2"}.write(t, filepath.Join(repo, "other"))
	s.do(repo, add("other"))
	s.commit(repo, "other, two")
	s.do(repo, pushAll)
	s.do(repo, func(r *Repo) error {
		_, err := r.Push(bg, PushOptions{Selection: Selection{Revs: []string{"HEAD~1"}}})
		return err
	})
	clone := s.freshClone(top, "clone")
	s.do(clone, pullAll)
	s.unchanged(clone, func() {
		// Nobody has pushed v0 of data: what it shares with v1 is there, the rest is not.
		if err := s.with(clone, Options{}, restore("v0", false, "data")); !errors.Is(err, ErrIncomplete) || errors.Is(err, ErrUsage) {
			t.Errorf("%v", err)
		}
	})
	s.unchanged(clone, func() {
		if err := s.with(clone, Options{}, restore("HEAD~1", false, "other")); err != nil {
			t.Error(err)
		}
	})
	if got := readTree(t, filepath.Join(clone, "other")).differs(tree{"f": "f1"}); got != "" {
		t.Error(got)
	}
	s.do(repo, func(r *Repo) error {
		_, err := r.Push(bg, PushOptions{Selection: Selection{Revs: []string{"v0"}}})
		return err
	})
	for key, b := range keys(t, filepath.Join(top, "remote")) {
		if at := bytes.Index(b, []byte("two")); strings.HasPrefix(key, "pack/") && at >= 0 {
			must(t, os.WriteFile(filepath.Join(top, "remote", key), flipped(b, at), 0o666))
		}
	}
	must(t, os.RemoveAll(clone))
	clone = s.freshClone(top, "clone")
	s.git(clone, "checkout", "-q", "v0")
	s.git(clone, "reset", "-q", "--soft", "v1")
	err := s.with(clone, Options{}, restore("v1", false, "data"))
	if !errors.Is(err, ErrCorrupt) {
		t.Errorf("a flipped byte: %v", err)
	}
	if want := s.git(clone, "show", "v0:data.tarn"); string(s.manifest(clone)) != want+"\n" {
		t.Error("a flipped byte: the manifest changed")
	}
	s.git(clone, "remote", "remove", "origin")
	s.do(clone, func(r *Repo) error { return r.RemoveRemote("origin") })
	if err := s.with(clone, Options{}, restore("v1", false, "data")); !errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), "no remote is set up") {
		t.Errorf("without a remote: %v", err)
	}
}

// TestRestoreRemoved brings a dataset back that is gone, with the line in .gitignore.
func TestRestoreRemoved(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	repo := s.path("top", "repo")
	s.committed(repo, firstTree())
	must(t, os.RemoveAll(filepath.Join(repo, "data")))
	must(t, os.Remove(filepath.Join(repo, "data.tarn")))
	must(t, os.Remove(filepath.Join(repo, ".gitignore")))
	s.commit(repo, "removed")
	must(t, s.with(repo, Options{}, restore("v0", false, "data/sub")))
	if d := readTree(t, filepath.Join(repo, "data")).differs(tree{"sub/one": "f1", "sub/two": "f2", "sub/deep/three": "f3"}); d != "" {
		t.Error(d)
	}
	must(t, s.with(repo, Options{}, restore("v0", false, ".")))
	if d := readTree(t, filepath.Join(repo, "data")).differs(firstTree()); d != "" {
		t.Error(d)
	}
	if got := s.git(repo, "status", "--porcelain"); strings.Contains(got, " data/") {
		t.Errorf("git sees the data: %s", got)
	}
}

// TestRestoreMakesCanonical: a manifest that Git merged, and that no add has made canonical since, comes back as the one that an add writes.
func TestRestoreMakesCanonical(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	repo, tr := s.path("top", "repo"), bigTree()
	s.committed(repo, tr)
	canonical := s.manifest(repo)
	var m index.Manifest
	for _, p := range slices.Sorted(maps.Keys(tr)) {
		b := []byte(tr[p][1:])
		m.Entries = append(m.Entries, index.Entry{Path: p, Kind: index.File, Digest: digest.Sum(b), Size: int64(len(b))})
	}
	must(t, os.WriteFile(filepath.Join(repo, "data.tarn"), m.Encode(), 0o666))
	s.commit(repo, "merged")
	must(t, s.with(repo, Options{}, restore("HEAD", false, "data")))
	if !bytes.Equal(s.manifest(repo), canonical) {
		t.Errorf("a manifest of %d bytes", len(s.manifest(repo)))
	}
}
