package vcs

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// contents are the texts that History finds, as PATH=TEXT, sorted, each once.
func (s *scratch) contents(r *Repo, from ...string) string {
	s.t.Helper()
	var all []string
	err := r.History(s.t.Context(), func(f TreeFile) {
		b, err := r.Contents(s.t.Context(), f.Object, 1000)
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, f.Path+"="+string(b))
	}, from...)
	if err != nil {
		s.t.Fatal(err)
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " ")
}

func TestHistory(t *testing.T) {
	s := newScratch(t)
	r := s.open(s.dir)
	if got := s.contents(r, "--all", "--reflog"); got != "" {
		t.Errorf("without a commit: %q", got)
	}
	s.git("config", "log.showRoot", "false")
	s.git("config", "diff.renames", "copies")
	s.write("a.tarn", "1")
	s.write("b c/d\nü.tarn", "x")
	s.write("not.txt", "n")
	s.write(".tarn", "n")
	s.commit()
	s.git("checkout", "-q", "-b", "side")
	s.write("a.tarn", "2")
	s.commit()
	s.write("a.tarn", "1") // a branch that comes to nothing
	s.commit()
	s.git("checkout", "-q", "main")
	s.write("a.tarn", "3")
	s.commit()
	s.git("merge", "-q", "-s", "ours", "--no-commit", "side")
	s.write("a.tarn", "4") // in neither parent
	s.commit()
	s.write("a.tarn", "5")
	s.commit()
	s.git("reset", "-q", "--hard", "HEAD~1")
	s.write("a.tarn", "6")
	s.git("stash", "-q")
	s.git("mv", "a.tarn", "moved.tarn")
	s.commit()
	s.git("worktree", "add", "-q", "--detach", filepath.Join(filepath.Dir(s.dir), "wt"))
	wt := &scratch{t: t, dir: filepath.Join(filepath.Dir(s.dir), "wt"), env: s.env}
	wt.write("w.tarn", "7")
	wt.commit()
	odd := "b c/d\nü.tarn=x"
	if got, want := s.contents(r, "--all"), "a.tarn=1 a.tarn=2 a.tarn=3 a.tarn=4 a.tarn=6 "+odd+" moved.tarn=4 w.tarn=7"; got != want {
		t.Errorf("%q\nnot\n%q", got, want)
	}
	if got, want := s.contents(r, "--all", "--reflog"), "a.tarn=1 a.tarn=2 a.tarn=3 a.tarn=4 a.tarn=5 a.tarn=6 "+odd+" moved.tarn=4 w.tarn=7"; got != want {
		t.Errorf("%q\nnot\n%q", got, want)
	}
	if got := s.contents(r, "--remotes"); got != "" {
		t.Errorf("of no remote: %q", got)
	}
	if ok, err := r.HasRemoteBranches(t.Context()); ok || err != nil {
		t.Error(ok, err)
	}
	s.git("update-ref", "refs/remotes/origin/main", "side")
	if got := s.contents(r, "--remotes"); got != "a.tarn=1 a.tarn=2 "+odd {
		t.Errorf("of the remote: %q", got)
	}
	if ok, err := r.HasRemoteBranches(t.Context()); !ok || err != nil {
		t.Error(ok, err)
	}
}

func TestStagedAndWorktrees(t *testing.T) {
	s := newScratch(t)
	r := s.open(s.dir)
	s.write("a.tarn", "1")
	s.commit()
	s.write("a.tarn", "2")
	s.write("sub/b.tarn", "3")
	s.git("add", "-A")
	s.write("a.tarn", "4")
	files, err := r.Staged(t.Context())
	if err != nil || len(files) != 2 || files[0].Path != "a.tarn" || files[1].Path != "sub/b.tarn" {
		t.Fatal(files, err)
	}
	if b, err := r.Contents(t.Context(), files[0].Object, 10); err != nil || string(b) != "2" {
		t.Errorf("%q %v", b, err)
	}
	s.git("stash", "-q")
	wt := filepath.Join(filepath.Dir(s.dir), "w t")
	s.git("worktree", "add", "-q", "--detach", wt)
	for _, from := range []string{s.dir, wt, filepath.Join(s.dir, ".git")} {
		tops, err := s.open(from).Worktrees(t.Context())
		if err != nil || !slices.Equal(tops, []string{s.dir, wt}) {
			t.Errorf("from %s: %q %v", from, tops, err)
		}
	}
	bare := filepath.Join(filepath.Dir(s.dir), "bare")
	s.git("clone", "-q", "--bare", s.dir, bare)
	if tops, err := s.open(bare).Worktrees(t.Context()); err != nil || len(tops) != 0 {
		t.Errorf("%q %v", tops, err)
	}
}
