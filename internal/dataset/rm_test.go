package dataset

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tarn/internal/durable/simdisk"
)

// TestRemoveCrash lets the power go at each operation of rm: what is gone from the work tree is in the cache, under a manifest that Git has; the manifest goes
// only after the files; and rm again ends it.
func TestRemoveCrash(t *testing.T) {
	for _, del := range []bool{false, true} {
		t.Run(fmt.Sprint("delete ", del), func(t *testing.T) {
			t.Parallel()
			s := newScratch(t)
			template := s.path("template")
			repo := filepath.Join(template, "repo")
			s.repo(repo)
			firstTree().write(t, filepath.Join(repo, "data"))
			s.do(repo, add("data"))
			s.commit(repo, "one")
			raw := s.manifest(repo)
			must(t, os.WriteFile(filepath.Join(repo, "data", "mine"), []byte("mine"), 0o666))
			rm := func(r *Repo) error {
				_, err := r.Remove(bg, RemoveOptions{Paths: []string{"data"}, Delete: del})
				return err
			}
			total := 0
			for n := 0; n <= total; n++ {
				top := s.path("run")
				s.copy(template, top)
				sim := simdisk.New(top)
				if n > 0 {
					[]func(int, error){sim.FailAt, sim.FailAfter}[n%2](n, errPower)
				}
				err := s.with(filepath.Join(top, "repo"), Options{Disk: sim.Disk()}, rm)
				if n == 0 {
					must(t, err)
					total = len(sim.Ops())
				}
				for name, crash := range map[string]func(string) error{
					"worst": sim.Crash, "best": sim.CrashKeep, "some": func(dst string) error { return sim.CrashSome(dst, uint64(n)) },
				} {
					dst := s.path("crash")
					must(t, crash(dst))
					if cerr := s.removed(filepath.Join(dst, "repo"), raw, del, rm); cerr != nil {
						t.Errorf("fault at %d of %d, %s case, rm said %v: %v", n, total, name, err, cerr)
					}
					must(t, os.RemoveAll(dst))
				}
				must(t, os.RemoveAll(top))
			}
			t.Logf("%d operations", total)
		})
	}
}

// removed looks at what a crash left, and runs rm again.
func (s *scratch) removed(repo string, raw []byte, del bool, rm func(*Repo) error) error {
	data := filepath.Join(repo, "data")
	if err := s.holds(repo, raw, firstTree()); err != nil {
		return err
	}
	want, got := firstTree(), readTree(s.t, data)
	want["mine"] = "fmine"
	if got["mine"] != want["mine"] {
		return errors.New("the untracked file is lost")
	}
	_, err := os.Lstat(filepath.Join(repo, "data.tarn"))
	gone := err != nil
	if gone && del {
		want = tree{"mine": "fmine"}
	}
	if d := got.differs(want); d != "" && (gone || !del) {
		return fmt.Errorf("the work tree has %s", d)
	}
	err = s.with(repo, Options{}, rm)
	if gone && del { // the files are gone, and there is nothing to go by
		err = s.with(repo, Options{}, func(r *Repo) error { _, err := r.Remove(bg, RemoveOptions{Paths: []string{"data"}}); return err })
	}
	if err != nil && !(gone && errors.Is(err, ErrUsage)) { // all was done
		return fmt.Errorf("the second run: %w", err)
	}
	ignore, _ := os.ReadFile(filepath.Join(repo, ".gitignore"))
	_, merr := os.Lstat(filepath.Join(repo, "data.tarn"))
	_, ierr := os.Lstat(filepath.Join(repo, ".git", "tarn", "index", datasetID("data")))
	if merr == nil || ierr == nil || strings.Contains(string(ignore), "data") {
		return fmt.Errorf("after the second run: manifest %v, index %v, .gitignore %q", merr, ierr, ignore)
	}
	if del {
		want = tree{"mine": "fmine"}
	}
	if d := readTree(s.t, data).differs(want); d != "" {
		return fmt.Errorf("after the second run the work tree has %s", d)
	}
	return nil
}
