package vcs

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestHooksDir(t *testing.T) {
	s := newScratch(t)
	s.write("f", "x")
	s.commit()
	side := filepath.Join(filepath.Dir(s.dir), "side")
	s.git("worktree", "add", "-q", side)
	for _, dir := range []string{s.dir, side} {
		if got, outside, err := s.open(dir).HooksDir(t.Context()); err != nil || outside || got != filepath.Join(s.dir, ".git", "hooks") {
			t.Errorf("%s: %s, %t, %v", dir, got, outside, err)
		}
	}
	s.git("config", "core.hooksPath", ".hooks")
	if got, outside, err := s.open(side).HooksDir(t.Context()); err != nil || outside || got != filepath.Join(side, ".hooks") {
		t.Errorf("%s, %t, %v", got, outside, err)
	}
	s.git("config", "core.hooksPath", filepath.Dir(s.dir))
	if _, outside, err := s.open(s.dir).HooksDir(t.Context()); err != nil || !outside {
		t.Errorf("%t, %v", outside, err)
	}
}

func TestRebaseLeft(t *testing.T) {
	s := newScratch(t)
	s.write("f", "x")
	s.commit()
	r := s.open(s.dir)
	if r.RebaseLeft() {
		t.Error("no rebase")
	}
	todo := filepath.Join(".git", "rebase-merge", "git-rebase-todo")
	for text, want := range map[string]bool{"": false, "noop\n": false, "# pick 1\n\n": false, "pick 123 x\n": true} {
		if s.write(todo, text); r.RebaseLeft() != want {
			t.Errorf("%q: %t", text, !want)
		}
	}
	if err := os.Remove(filepath.Join(s.dir, todo)); err != nil || !r.RebaseLeft() {
		t.Error("without a list")
	}
}

// TestIntroduced: in root commits, merges that made something of their own, branches that a merge passed over, under odd names; not deletions, links, or what is known.
func TestIntroduced(t *testing.T) {
	s := newScratch(t)
	s.write("d.tarn", "0\n")
	s.write("s/odd \"\n\xe9.tarn", "0\n")
	s.write("s/.tarn", "no\n")
	os.Symlink("d.tarn", filepath.Join(s.dir, "l.tarn"))
	first := s.commit()
	base := s.commitAll("d.tarn", "0a\n")
	s.git("checkout", "-q", "-b", "side")
	side := s.commitAll("d.tarn", "side\n")
	s.git("checkout", "-q", "main")
	main := s.commitAll("d.tarn", "main\n")
	s.fails("merge", "side")
	merge := s.commitAll("d.tarn", "merged\n")
	s.git("checkout", "-q", "-b", "lost", base)
	lost := s.commitAll("d.tarn", "lost\n")
	s.git("checkout", "-q", "main")
	s.git("merge", "-q", "-s", "ours", "-m", "x", "lost")
	s.git("rm", "-q", "d.tarn")
	head := s.commit()
	s.git("tag", "-a", "-m", "x", "v1")
	s.git("update-ref", "refs/remotes/origin/main", base)
	blob := s.git("rev-parse", first+":d.tarn")
	for name, c := range map[string]struct {
		tips, known []string
		remote      string
		want        []string
	}{
		"all":              {[]string{head}, nil, "", []string{first + " d.tarn", first + " s/odd \"\n\xe9.tarn", base + " d.tarn", side + " d.tarn", main + " d.tarn", merge + " d.tarn", lost + " d.tarn"}},
		"known":            {[]string{"v1"}, []string{main, "1234567890123456789012345678901234567890"}, "", []string{side + " d.tarn", merge + " d.tarn", lost + " d.tarn"}},
		"seen":             {[]string{main, side}, nil, "origin", []string{side + " d.tarn", main + " d.tarn"}},
		"an odd remote":    {[]string{main}, []string{base}, "http://x/*?", []string{main + " d.tarn"}},
		"no commit":        {[]string{blob}, nil, "", nil},
		"nothing":          {nil, nil, "", nil},
		"no longer needed": {[]string{base}, []string{head}, "", nil},
	} {
		var got []string
		err := s.open(s.dir).Introduced(t.Context(), c.tips, c.known, c.remote, func(i Introduced) {
			got = append(got, i.Commit+" "+i.Path)
			if i.Object != s.git("rev-parse", i.Commit+":"+i.Path) || i.Mode != "100644" {
				t.Errorf("%s: %+v", name, i)
			}
		})
		slices.Sort(got)
		slices.Sort(c.want)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
}

func (s *scratch) commitAll(name, text string) string {
	s.t.Helper()
	s.write(name, text)
	return s.commit()
}
