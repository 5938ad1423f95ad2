package dataset

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tarn/store/digest"
)

func pruneAll(r *Repo) error {
	_, err := r.Prune(bg, PruneOptions{All: true})
	return err
}

// all are the versions of data in the history of a repository, by id.
func (s *scratch) all(repo string) map[string][]byte {
	s.t.Helper()
	raws := map[string][]byte{}
	for _, commit := range strings.Fields(s.git(repo, "rev-list", "--all")) {
		if raw, err := s.tryGit(repo, "cat-file", "blob", commit+":data.tarn"); err == nil {
			raws[digest.Sum([]byte(raw+"\n")).String()] = []byte(raw + "\n")
		}
	}
	return raws
}

// restores fetches each version, and says whether the cache has all of it then.
func (s *scratch) restores(repo string, raws map[string][]byte, versions map[string]tree) error {
	s.t.Helper()
	must(s.t, os.RemoveAll(filepath.Join(repo, ".git", "tarn", "remote"))) // what it remembers of the remote
	for id, raw := range raws {
		must(s.t, os.WriteFile(filepath.Join(repo, "data.tarn"), raw, 0o666))
		ferr := s.with(repo, Options{}, fetchAll)
		if err := s.holds(repo, raw, versions[id]); err != nil {
			return fmt.Errorf("version %s: %w (fetch said %w)", id[:12], err, ferr)
		}
	}
	return nil
}

// TestPruneDamagedRemote: whatever is missing from a remote, or broken there, no byte is lost: prune keeps what it could not see there.
func TestPruneDamagedRemote(t *testing.T) {
	for name, more := range map[string]int{"inline": 0, "pages": 4200} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScratch(t)
			template := s.path("template")
			repo := filepath.Join(template, "repo")
			s.repo(repo)
			versions := map[string]tree{}
			for i, tr := range []tree{firstTree(), secondTree()} {
				for n := range more {
					tr[fmt.Sprintf("many/%04d", n)] = fmt.Sprintf("f%d of %d", n/(100+i), i)
				}
				tr["large"] = "f" + randomBytes(uint64(7+i), 3<<20) // several chunks
				tr.write(t, filepath.Join(repo, "data"))
				s.do(repo, add("data"))
				s.commit(repo, fmt.Sprint(i))
				versions[id(s.manifest(repo))] = tr
				s.do(repo, pushAll)
			}
			raws := s.all(repo)
			if len(raws) != 2 {
				t.Fatalf("%d versions", len(raws))
			}
			dropped := 0
			for key, b := range keys(t, filepath.Join(template, "remote")) {
				kind, _, _ := strings.Cut(key, "/")
				damages := map[string][]byte{"gone": nil, "cut": b[:len(b)-1]}
				switch kind {
				case "pin", "recent", "claim", "tarn.json":
					continue
				case "root", "page":
					flipped := append([]byte{}, b...)
					flipped[len(b)-2] ^= 1
					damages["flipped"] = flipped
				}
				for how, damage := range damages {
					if more > 0 && how == "cut" && kind != "pack" {
						continue
					}
					dropped += s.pruneDamaged(template, key, how, damage, raws, versions)
				}
			}
			if dropped == 0 {
				t.Error("nothing was ever dropped")
			}
		})
	}
}

func (s *scratch) pruneDamaged(template, key, how string, damage []byte, raws map[string][]byte, versions map[string]tree) (dropped int) {
	s.t.Helper()
	top := s.path("run")
	defer os.RemoveAll(top)
	s.copy(template, top)
	repo, file := filepath.Join(top, "repo"), filepath.Join(top, "remote", filepath.FromSlash(key))
	must(s.t, os.Remove(file))
	if damage != nil {
		must(s.t, os.WriteFile(file, damage, 0o444))
	}
	var res *PruneResult
	err := s.with(repo, Options{}, func(r *Repo) (err error) { res, err = r.Prune(bg, PruneOptions{All: true}); return err })
	must(s.t, err)
	if res.Incomplete == 0 {
		s.t.Errorf("%s %s: all versions count as complete", key, how)
	}
	if err := s.restores(repo, raws, versions); err != nil {
		s.t.Errorf("%s %s: %v", key, how, err)
	}
	return int(res.Objects + res.Blobs)
}

// TestPruneWhole: what is dropped can be fetched again, and it is all that was pushed.
func TestPruneWhole(t *testing.T) {
	s := newScratch(t)
	top := s.path("top")
	versions := s.twoVersions(top, false)
	repo := filepath.Join(top, "repo")
	s.do(repo, pushAll)
	s.do(repo, pruneAll)
	s.do(repo, func(r *Repo) error {
		store, err := r.openCache()
		if err != nil {
			return err
		}
		for o, err := range store.Objects {
			b, rerr := store.Bytes(o.Digest, o.Size)
			if err != nil || rerr != nil || !strings.HasPrefix(string(b), "tarn 1 ") {
				t.Errorf("an object of %d bytes is left (%v, %v)", o.Size, err, rerr)
			}
		}
		return nil
	})
	if err := s.restores(repo, s.all(repo), versions); err != nil {
		t.Error(err)
	}
}

// TestPruneBesideAdd: while one process prunes over and over, another one adds. What the work tree's manifest names, which nobody has pushed, is in the cache
// after each add.
func TestPruneBesideAdd(t *testing.T) {
	s := newScratch(t)
	top := s.path("top")
	s.twoVersions(top, false)
	repo := filepath.Join(top, "repo")
	s.do(repo, pushAll)
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	var pruned atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			err := s.with(repo, Options{}, func(r *Repo) error {
				res, err := r.Prune(ctx, PruneOptions{All: true})
				if res != nil {
					pruned.Add(res.Objects + res.Blobs)
				}
				return err
			})
			if err != nil && ctx.Err() == nil {
				t.Error(err)
				break
			}
		}
	}()
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	for i := 0; i < rounds || pruned.Load() == 0 && i < 500; i++ {
		tr := []tree{firstTree(), secondTree()}[i%2]
		tr["round"] = fmt.Sprintf("f%d", i)
		tr.write(t, filepath.Join(repo, "data"))
		s.do(repo, add("data"))
		if err := s.holds(repo, s.manifest(repo), tr); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		if i%3 == 2 {
			s.commit(repo, fmt.Sprint("round ", i))
			s.do(repo, pushAll)
		}
	}
	cancel()
	<-done
	if pruned.Load() == 0 {
		t.Error("nothing was pruned")
	}
}

// TestPruneWaits: a prune waits for those who rely on the cache.
func TestPruneWaits(t *testing.T) {
	s := newScratch(t)
	top := s.path("top")
	s.twoVersions(top, false)
	repo := filepath.Join(top, "repo")
	s.do(repo, func(r *Repo) error {
		store, err := r.openCache()
		if err != nil {
			return err
		}
		lock, err := store.Lock(bg, true)
		if err != nil {
			return err
		}
		defer lock.Unlock()
		ctx, cancel := context.WithTimeout(bg, 300*time.Millisecond)
		defer cancel()
		err = s.with(repo, Options{}, func(r *Repo) error { _, err := r.Prune(ctx, PruneOptions{All: true}); return err })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it said %v", err)
		}
		return s.with(repo, Options{}, func(r *Repo) error { _, err := r.Prune(bg, PruneOptions{All: true, DryRun: true}); return err })
	})
}

// TestPruneShared: another repository that has the same bytes under versions that it did not push keeps them; another clone of this one does not.
func TestPruneShared(t *testing.T) {
	for _, related := range []bool{false, true} {
		s := newScratch(t)
		top := s.path("top")
		repo, other := filepath.Join(top, "repo"), filepath.Join(top, "other")
		use := func(dir string) {
			must(t, os.MkdirAll(filepath.Join(dir, ".git", "tarn"), 0o777))
			must(t, os.WriteFile(filepath.Join(dir, ".git", "tarn", "config"), []byte("[cache]\n\tdir = "+s.path("cache")+"\n"), 0o666))
		}
		s.repo(repo)
		use(repo)
		firstTree().write(t, filepath.Join(repo, "data"))
		s.do(repo, add("data"))
		s.commit(repo, "one")
		s.do(repo, pushAll)
		if related {
			s.git(top, "clone", "-q", repo, other)
		} else {
			s.repo(other)
		}
		use(other)
		firstTree().write(t, filepath.Join(other, "data"))
		s.do(other, add("data"))
		s.commit(other, "mine")
		raw := s.manifest(other)
		// The other one is at something else by now.
		must(t, os.RemoveAll(filepath.Join(other, "data")))
		secondTree().write(t, filepath.Join(other, "data"))
		s.do(other, add("data"))
		s.commit(other, "two")
		second := s.manifest(other)

		s.do(repo, pruneAll)
		err := s.holds(other, raw, firstTree())
		if related != (err != nil) {
			t.Errorf("related %t: the old version: %v", related, err)
		}
		if err := s.holds(other, second, secondTree()); err != nil {
			t.Errorf("related %t: what its work tree is at: %v", related, err)
		}
	}
}

// TestPrunePublic: what only this clone has in Git stays, although it was pushed: a gc that another clone runs may take it from the remote.
func TestPrunePublic(t *testing.T) {
	s := newScratch(t)
	top := s.path("top")
	versions := s.twoVersions(top, false)
	repo := filepath.Join(top, "repo")
	s.do(repo, pushAll)
	s.git(repo, "update-ref", "refs/remotes/origin/main", "HEAD~1")
	var res *PruneResult
	s.do(repo, func(r *Repo) (err error) { res, err = r.Prune(bg, PruneOptions{All: true}); return err })
	if res.Local != 1 || res.Verified != 1 || res.Objects == 0 {
		t.Errorf("%+v", res)
	}
	if err := s.holds(repo, s.manifest(repo), versions[id(s.manifest(repo))]); err != nil {
		t.Error(err)
	}
}
