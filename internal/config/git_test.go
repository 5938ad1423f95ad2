package config

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// gitList is what Git reads in a file: "name\nvalue" with blanks inside values as single spaces, since Git before 2.45 wrote any of them so; ok is false
// where it refuses the file.
func gitList(t testing.TB, src []byte) (entries []string, ok bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, src, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("git", "config", "--file", path, "--list", "-z")
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "HOME="+t.TempDir(), "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		return nil, false
	}
	for e := range strings.SplitSeq(string(out), "\x00") {
		if e != "" {
			entries = append(entries, e)
		}
	}
	return entries, true
}

// ourList is the same for File.
func ourList(f *File) []string {
	var out []string
	for _, e := range f.Entries() {
		s := e.Name()
		if !e.Bare {
			s += "\n" + e.Value
		}
		out = append(out, s)
	}
	return out
}

var oneBlank = strings.NewReplacer("\t", " ", "\r", " ")

func sameLists(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if oneBlank.Replace(a[i]) != oneBlank.Replace(b[i]) {
			return false
		}
	}
	return true
}

// stricter says that the file is one of those that Parse refuses on purpose.
func stricter(src []byte, err error) bool {
	if bytes.IndexByte(src, 0) >= 0 {
		return true
	}
	msg := err.Error()
	return strings.Contains(msg, "before the first [section]") || strings.Contains(msg, "need a name")
}

func agree(t testing.TB, src []byte) {
	t.Helper()
	f, err := Parse(src)
	if err != nil && stricter(src, err) {
		return
	}
	want, ok := gitList(t, src)
	switch {
	case err == nil && !ok:
		t.Fatalf("Git refuses what we read: %q", src)
	case err != nil && ok:
		t.Fatalf("Git reads %q, we refuse: %q: %v", want, src, err)
	case err == nil && !sameLists(ourList(f), want):
		t.Fatalf("%q\nwe  %q\ngit %q", src, ourList(f), want)
	}
}

var corpus = []string{
	"", "\n", "[core]", "[core]\n", "[core]\nremote = x\n", "[core]remote=x", "[core] remote = x ; c\n", "[CORE]\nReMote = X\n",
	"[remote \"Or\\\"ig\\\\in\"]\n\turl = s3://b/p\n", "[remote \"a\"\n]", "[remote.Sub]\nurl = x", "[a.b \"C\"]\nk = v", "[remote \"\"]\nk=v", "[a.]\nk=v",
	"[a] k", "[a]\nk ;c", "[a]\nk=\n", "[a]\nk = \"x y \" z  # c\n", "[a]\nk = a\\\nb\\\n  c\n", "[a]\nk = a\\", "[a]\nk = a \\\n", "[a]\nk = \"a\n\"",
	"[a]\nk = \"a\\\nb\"\n", "[a]\nk = \\x", "[a]\nk = \\t\\b\\n\\\\\\\"", "\xef\xbb\xbf[a]\nk=v", "[a]\r\nk = v\r\n", "[a]\nk = v\rw\n", "[a]\nk\r = v", "[a] [b] k = 1",
	"[a\nk=v", "[]\nk=v", "k=v", "[a]\n1k=v", "[a]\nk-1=v", "[a]\nk_1=v", "[a]\nk v", "[a b]", "[a \"b\" ]", "[a  \t\"b\"]\nk=1", "; only\n# comments", "[a]\nk=v#x\n;y\nk=w",
	"[a]\nk=\xff\xfe\n", "[a]\nk=a\fb\v\n", "[a]\nk = \" \"\n", "[a]\nk = x \"\" \n", "[a]\nk = # none\n", "[a]\nk = x   # c \\\nl=2\n", "[a]\nk = \"#\"",
}

func TestParseAsGit(t *testing.T) {
	for _, s := range corpus {
		agree(t, []byte(s))
	}
}

// TestParseAsGitRandom mixes pieces of the syntax; the seed is fixed, so a failure repeats.
func TestParseAsGitRandom(t *testing.T) {
	pieces := []string{"[", "]", "[a]", "[b \"", "\"]", "\"", "\\", "\\n", "\\\n", "\n", "\r\n", "\r", " ", "\t", "=", " = ", "k", "Key", "x-1", "v", "#", ";", ".", "é", "\xff", "9", "_", "\\\""}
	n := 800
	if testing.Short() {
		n = 100
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range n {
		var b strings.Builder
		for b.WriteString("[a]\nk = "); b.Len() < 60 && r.IntN(14) > 0; {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		agree(t, []byte(b.String()))
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range corpus {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		g, err := Parse(src)
		if err != nil {
			return
		}
		for _, e := range g.entries {
			if e.start >= e.keyEnd || e.keyEnd > e.valEnd || e.valEnd > e.end || e.end > len(src) {
				t.Fatalf("offsets of %+v in %q", e, src)
			}
		}
		if len(src) < 200 {
			agree(t, src)
		}
	})
}
