package contract

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLoad reads testdata/*: what each gives is in FILE.want, one check or error a line.
func TestLoad(t *testing.T) {
	files, err := filepath.Glob("testdata/*")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, f := range files {
		if strings.HasSuffix(f, ".want") {
			continue
		}
		seen++
		t.Run(filepath.Base(f), func(t *testing.T) {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			got := describe(Load(filepath.Base(f), b))
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(f+".want", []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(f + ".want")
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Error(d)
			}
		})
	}
	if seen < 10 {
		t.Errorf("only %d contracts", seen)
	}
}

func describe(c *Contract, err error) string {
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var b strings.Builder
	for _, k := range c.Checks {
		b.WriteString(strings.Join([]string{k.Key, k.Severity.String(), k.Code, k.Text}, " | "))
		b.WriteString(" @" + strings.TrimPrefix((&Error{"", k.Line, k.Col, ""}).Error(), ":") + "\n")
	}
	for _, n := range c.NotRun {
		b.WriteString("not run: " + n.What + "\n")
	}
	return b.String()
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		glob, yes, no string
	}{
		{"*.csv", "a.csv", "d/a.csv"}, {"**/*.csv", "a.csv", "a.csvx"}, {"**/*.csv", "d/e/a.csv", "a.txt"}, {"train", "train/a/b", "trainx/a"}, {"train/", "train/a", "a/train"},
		{"a/**", "a/b/c", "b/a"}, {"{a,b}/*.jpg", "b/x.jpg", "c/x.jpg"}, {"[!a]?", "bc", "ab"}, {"é*", "é1", "e1"}, {"a.b", "a.b", "axb"}, {"x+y", "x+y", "xxy"},
	} {
		g, err := NewGlob(c.glob)
		if err != nil {
			t.Fatal(err)
		}
		if !g.Match(c.yes) || g.Match(c.no) {
			t.Errorf("%s: %q %t, %q %t", c.glob, c.yes, g.Match(c.yes), c.no, g.Match(c.no))
		}
	}
	for _, bad := range []string{"[a", "{a,b", "[]"} {
		if _, err := NewGlob(bad); err == nil {
			t.Errorf("%q is a glob", bad)
		}
	}
}

func FuzzLoad(f *testing.F) {
	files, _ := filepath.Glob("testdata/*")
	for _, name := range files {
		if b, err := os.ReadFile(name); err == nil && !strings.HasSuffix(name, ".want") {
			f.Add(strings.HasSuffix(name, ".json"), b)
		}
	}
	f.Fuzz(func(t *testing.T, js bool, b []byte) {
		name := "x.yaml"
		if js {
			name = "x.json"
		}
		c, err := Load(name, b)
		if err == nil && len(c.Checks) == 0 {
			t.Error("a contract without checks was read")
		}
	})
}
