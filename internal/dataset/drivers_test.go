package dataset

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestAttributes(t *testing.T) {
	for _, c := range []struct{ old, want string }{
		{"", attributeLine + "\n"},
		{"*.png binary", "*.png binary\n" + attributeLine + "\n"},
		{"*.tarn -text\n", attributeLine + "\n"},
		{"a b\n*.tarn  -text \r\n# c\n", "a b\n*.tarn  -text diff=tarn merge=tarn \r\n# c\n"},
		{"*.tarn -text linguist-generated", "*.tarn -text linguist-generated diff=tarn merge=tarn"},
		{"*.tarn -text -diff\n", "*.tarn -text -diff merge=tarn\n"},
		{"*.tarn -text merge=mine\n*.tarn diff\n", "*.tarn -text merge=mine\n*.tarn diff\n"},
		{"*.tarn binary\n", "*.tarn binary\n"},
		{"*.tarn text\n", "*.tarn text\n" + attributeLine + "\n"},
		{"#*.tarn -text\nx.tarn -text\n", "#*.tarn -text\nx.tarn -text\n" + attributeLine + "\n"},
	} {
		got := withAttributes(c.old, true)
		if got != c.want {
			t.Errorf("%q becomes %q, not %q", c.old, got, c.want)
		}
		if again := withAttributes(got, true); again != got {
			t.Errorf("%q becomes %q the second time", got, again)
		}
	}
}

// TestDriversWithoutTarn: a clone that was set up works on where there is no tarn any more.
func TestDriversWithoutTarn(t *testing.T) {
	s := newScratch(t)
	bin, repo := s.path("bin"), s.path("r")
	must(t, os.Mkdir(bin, 0o777))
	for _, name := range []string{"git", "cat"} {
		p, err := exec.LookPath(name)
		must(t, err)
		must(t, os.Symlink(p, filepath.Join(bin, name)))
	}
	s.repo(repo)
	s.env = append(s.env, "PATH="+bin)
	if _, err := exec.LookPath(filepath.Join(bin, "tarn")); err == nil {
		t.Fatal("there is a tarn")
	}
	file := filepath.Join(repo, "x.tarn")
	line := func(c, name string) string { return "f " + strings.Repeat(c, 64) + " 1 " + name + "\n" }
	write := func(lines ...string) {
		must(t, os.WriteFile(file, []byte("tarn 1 dir\n"+strings.Join(lines, "")), 0o666))
	}
	write(line("a", "1"), line("a", "2"), line("a", "3"), line("a", "4"), line("a", "5"))
	s.commit(repo, "base")
	s.git(repo, "checkout", "-q", "-b", "side")
	write(line("b", "1"), line("a", "2"), line("a", "3"), line("a", "4"), line("a", "5"))
	for _, args := range [][]string{{"diff"}, {"diff", "HEAD", "--", "x.tarn"}} {
		if out := s.git(repo, args...); !strings.Contains(out, "-"+line("a", "1")+"+"+line("b", "1")) {
			t.Errorf("git %v prints\n%s", args, out)
		}
	}
	s.commit(repo, "side")
	if out := s.git(repo, "log", "-p", "-1"); !strings.Contains(out, "+"+line("b", "1")) {
		t.Errorf("git log -p prints\n%s", out)
	}
	s.git(repo, "checkout", "-q", "main")
	write(line("a", "1"), line("a", "2"), line("a", "3"), line("a", "4"), line("c", "5"))
	s.commit(repo, "main")
	s.git(repo, "merge", "-q", "side")
	if b, _ := os.ReadFile(file); string(b) != "tarn 1 dir\n"+line("b", "1")+line("a", "2")+line("a", "3")+line("a", "4")+line("c", "5") {
		t.Errorf("merged to\n%s", b)
	}
	write(line("d", "1"), line("a", "2"), line("a", "3"), line("a", "4"), line("a", "5"))
	s.git(repo, "checkout", "-q", "-f", "side")
	write(line("d", "1"), line("a", "2"))
	s.commit(repo, "side again")
	_, err := s.tryGit(repo, "merge", "-q", "main")
	if b, _ := os.ReadFile(file); err == nil || !strings.Contains(string(b), "<<<<<<< ours\n") {
		t.Errorf("a conflict: %v\n%s", err, b)
	}
	if out := s.git(repo, "diff"); !strings.Contains(out, "diff --cc x.tarn") {
		t.Errorf("git diff in a conflict prints\n%s", out)
	}
}
