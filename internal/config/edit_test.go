package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tarn/internal/durable"
)

func parsed(t testing.TB, src string) *File {
	t.Helper()
	f, err := Parse([]byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestEdit(t *testing.T) {
	set := func(section, sub, key, value string) func(*File) error {
		return func(f *File) error { return f.Set(section, sub, key, value) }
	}
	unset := func(section, sub, key string) func(*File) error {
		return func(f *File) error { return f.Unset(section, sub, key) }
	}
	rename := func(f *File) error { return f.RenameSection("remote", "a", `b "\`) }
	remove := func(f *File) error { return f.RemoveSection("remote", "a") }
	tests := []struct {
		name, src, want string
		edit            func(*File) error
	}{
		{"empty", "", "[core]\n\tremote = x\n", set("core", "", "remote", "x")},
		{"replaces, keeps comment and case", "# top\n[Core]\n  ReMote=old   ; why\n\n[x]\n", "# top\n[Core]\n  ReMote = new   ; why\n\n[x]\n", set("core", "", "remote", "new")},
		{"the last of two", "[core]\nid=1\nid=2\n", "[core]\nid=1\nid = 3\n", set("core", "", "id", "3")},
		{"bare", "[core]\nflag\n", "[core]\nflag = on\n", set("core", "", "flag", "on")},
		{"many lines", "[core]\nid = a\\\n b # c\nx=1\n", "[core]\nid = z # c\nx=1\n", set("core", "", "id", "z")},
		{"into a section, before its closing comment", "[core]\n\tid = 1\n# next\n[x]\n", "[core]\n\tid = 1\n\tremote = r\n# next\n[x]\n", set("core", "", "remote", "r")},
		{"into an empty section", "[core] # c\n[x]\n", "[core] # c\n\tremote = r\n[x]\n", set("core", "", "remote", "r")},
		{"two headers on a line", "[core] [x] y=1\n", "[core]\n\tremote = r\n [x] y=1\n", set("core", "", "remote", "r")},
		{"value on the header's line", "[core] id=1\n", "[core] id=1\n\tremote = r\n", set("core", "", "remote", "r")},
		{"no line end", "[core]\n\tid = 1", "[core]\n\tid = 1\n\tremote = r\n", set("core", "", "remote", "r")},
		{"header at the end", "[core]", "[core]\n\tremote = r\n", set("core", "", "remote", "r")},
		{"comment at the end", "[core]\n# c", "[core]\n\tremote = r\n# c", set("core", "", "remote", "r")},
		{"new section after a comment", "# c", "# c\n[core]\n\tremote = r\n", set("core", "", "remote", "r")},
		{"open backslash", "[core]\nid = 1\\", "[core]\nid = 1\\\n\n\tremote = r\n", set("core", "", "remote", "r")},
		{"open backslash and line end, new section", "[core]\nid = 1\\\n", "[core]\nid = 1\\\n\n[x]\n\ty = r\n", set("x", "", "y", "r")},
		{"CRLF", "[core]\r\nid=1\r\n", "[core]\r\nid=1\r\n\tremote = r\n", set("core", "", "remote", "r")},
		{"dotted section", "[remote.a]\nurl=x\n", "[remote.a]\nurl = y\n", set("remote", "a", "url", "y")},
		{"subsections have a case", "[remote \"A\"]\nurl=x\n", "[remote \"A\"]\nurl=x\n[remote \"a\"]\n\turl = y\n", set("remote", "a", "url", "y")},
		{"quotes", "", "[a \"b\\\\\\\"]\"]\n\tk = \" # \\\"\\n\\t\\\\\"\n", set("a", `b\"]`, "k", " # \"\n\t\\")},
		{"unset every one", "[a]\nk=1\n# stays\nK = 2 # goes\nl=3\n", "[a]\n# stays\nl=3\n", unset("A", "", "k")},
		{"unset on the header's line", "[a] k=1 # c\n", "[a]  # c\n", unset("a", "", "k")},
		{"unset many lines", "[a]\nk=1\\\n2\\\n3\nl=1", "[a]\nl=1", unset("a", "", "k")},
		{"rename all", "[remote \"a\"] # c\nurl=1\n[x]\n[Remote.a]\n", "[remote \"b \\\"\\\\\"] # c\nurl=1\n[x]\n[remote \"b \\\"\\\\\"]\n", rename},
		{"remove all", "[x]\n[remote \"a\"]\n# in\nurl=1\n# after\n[y]\n[remote \"a\"]", "[x]\n# after\n[y]\n", remove},
		{"remove beside another", "[remote \"a\"] [x] y=1\n", " [x] y=1\n", remove},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := parsed(t, tt.src)
			if err := tt.edit(f); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, string(f.Bytes())); d != "" {
				t.Error(d)
			}
			agree(t, f.Bytes())
		})
	}
}

func TestEditRefuses(t *testing.T) {
	src := "[remote \"a\"]\nurl=x\n[remote \"b\"]\nurl=y\n"
	tests := []struct {
		name   string
		notSet bool
		edit   func(*File) error
	}{
		{"unset a key", true, func(f *File) error { return f.Unset("remote", "A", "url") }},
		{"rename to one that is there", false, func(f *File) error { return f.RenameSection("remote", "a", "b") }},
		{"rename one that is not", true, func(f *File) error { return f.RenameSection("remote", "c", "d") }},
		{"remove one that is not", true, func(f *File) error { return f.RemoveSection("remote", "c") }},
		{"key with a dot", false, func(f *File) error { return f.Set("a", "", "b.c", "1") }},
		{"key with a digit first", false, func(f *File) error { return f.Set("a", "", "1b", "1") }},
		{"empty key", false, func(f *File) error { return f.Set("a", "", "", "1") }},
		{"section with a bracket", false, func(f *File) error { return f.Set("a]", "", "b", "1") }},
		{"subsection with a line feed", false, func(f *File) error { return f.Set("a", "x\ny", "b", "1") }},
		{"NUL", false, func(f *File) error { return f.Set("a", "", "b", "1\x002") }},
		{"too large", false, func(f *File) error { return f.Set("a", "", "b", strings.Repeat("x", MaxSize)) }},
	}
	for _, tt := range tests {
		f := parsed(t, src)
		err := tt.edit(f)
		if err == nil || !errors.Is(err, ErrInvalid) || errors.Is(err, ErrNotSet) != tt.notSet {
			t.Errorf("%s: %v", tt.name, err)
		}
		if string(f.Bytes()) != src {
			t.Errorf("%s changed the file: %q", tt.name, f.Bytes())
		}
	}
}

// TestSetKeepsTheRest sets and unsets in any file of the corpus: the value is read back by us and by Git, and no other entry changes.
func TestSetKeepsTheRest(t *testing.T) {
	var valid []string
	for _, s := range corpus {
		if _, err := Parse([]byte(s)); err == nil {
			valid = append(valid, s)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		src := rapid.SampledFrom(valid).Draw(t, "src") + rapid.SampledFrom(append(valid, "\n")).Draw(t, "more")
		f, err := Parse([]byte(src))
		if err != nil {
			t.Skip()
		}
		section := rapid.SampledFrom([]string{"a", "core", "remote", "new"}).Draw(t, "section")
		sub := rapid.SampledFrom([]string{"", "C", "sub", " \"\\]", "\xff"}).Draw(t, "sub")
		key := rapid.SampledFrom([]string{"k", "url", "K"}).Draw(t, "key")
		value := rapid.StringOf(rapid.SampledFrom([]rune("ab \t\n\r\b\"\\#;=[]é"))).Draw(t, "value")
		before := f.Entries()
		if err := f.Set(section, sub, key, value); err != nil {
			t.Fatalf("%q: %v", src, err)
		}
		checkSet(t, src, before, f, Entry{Section: section, Sub: sub, Key: strings.ToLower(key), Value: value})
		if err := f.Unset(section, sub, key); err != nil || f.last(section, sub, strings.ToLower(key)) >= 0 {
			t.Fatalf("unset in %q: %v", f.Bytes(), err)
		}
	})
}

func checkSet(t *rapid.T, src string, before []Entry, f *File, want Entry) {
	same := func(e Entry) bool { return e.Section == want.Section && e.Sub == want.Sub && e.Key == want.Key }
	others := func(es []Entry) (out []string) {
		for _, e := range es {
			if !same(e) {
				out = append(out, e.Name()+"\n"+e.Value)
			}
		}
		return out
	}
	after := f.Entries()
	if d := cmp.Diff(others(before), others(after)); d != "" {
		t.Fatalf("%q became %q: %s", src, f.Bytes(), d)
	}
	mine := slices.DeleteFunc(after, func(e Entry) bool { return !same(e) })
	if len(mine) == 0 || mine[len(mine)-1].Value != want.Value {
		t.Fatalf("%q became %q", src, f.Bytes())
	}
}

func TestEditor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "config")
	e := Editor{Path: path, Level: Local}
	if err := e.Set("remote", "origin", "url", "s3://b/p"); err != nil {
		t.Fatal(err)
	}
	wantMode(t, path, 0o600)
	if err := e.Set("remote", "origin", "ulr", "x"); err == nil || !strings.Contains(err.Error(), "did you mean remote.origin.url?") {
		t.Errorf("unknown key: %v", err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := e.Set("core", "", "remote", "origin"); err != nil {
		t.Fatal(err)
	}
	wantMode(t, path, 0o644)
	if err := e.Set("remote", "origin", "url", "https://u:hunter2@h/p"); err != nil {
		t.Fatal(err)
	}
	wantMode(t, path, 0o600)
	if err := e.RenameSection("remote", "origin", "main"); err != nil {
		t.Fatal(err)
	}
	if err := e.Unset("core", "", "remote"); err != nil {
		t.Fatal(err)
	}
	if got := readFile(t, path); got != "[remote \"main\"]\n\turl = https://u:hunter2@h/p\n[core]\n" {
		t.Errorf("%q", got)
	}
	if err := e.RemoveSection("remote", "gone"); !errors.Is(err, ErrNotSet) || !strings.HasPrefix(err.Error(), path+": ") {
		t.Errorf("not set: %v", err)
	}
}

// TestEditorRefusesSecrets: what Git tracks gets no secret, and the error does not show it.
func TestEditorRefusesSecrets(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".tarn", "config")
	err := Editor{Path: path, Level: Repository}.Set("remote", "origin", "url", "https://u:hunter2@h/p")
	var fault *Error
	if !errors.As(err, &fault) || fault.Hint() != "tarn config --local remote.origin.url VALUE" || strings.Contains(err.Error()+fault.Hint(), "hunter2") {
		t.Errorf("%v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file was written: %v", err)
	}
}

func TestEditorSymlinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("symlinks need a privilege")
	}
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "config")
	if err := errors.Join(os.WriteFile(real, []byte("[core]\n"), 0o644), os.Symlink("real", link)); err != nil {
		t.Fatal(err)
	}
	if err := (Editor{Path: link, Level: User}).Set("core", "", "remote", "x"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 || readFile(t, real) != "[core]\n\tremote = x\n" {
		t.Errorf("the link was replaced, or %q", readFile(t, real))
	}
	if err := (Editor{Path: link, Level: Repository}).Set("core", "", "remote", "y"); !errors.Is(err, ErrInvalid) {
		t.Errorf("a tracked symlink was followed: %v", err)
	}
}

// TestEditorAtomic makes the rename fail: the old file is still there, whole.
func TestEditorAtomic(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte("[core]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("disk is gone")
	err := Editor{Disk: durable.Hooked(failRename{broken}), Path: path, Level: Local}.Set("core", "", "remote", "x")
	if !errors.Is(err, broken) || readFile(t, path) != "[core]\n" {
		t.Errorf("%v, %q", err, readFile(t, path))
	}
	if names, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(names) != 1 {
		t.Errorf("left behind: %q", names)
	}
}

type failRename struct{ err error }

func (h failRename) Before(op durable.Op) error {
	if op.Kind == durable.OpRename {
		return h.err
	}
	return nil
}

func (failRename) After(durable.Op) {}

func wantMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != want {
		t.Errorf("mode %v, want %v (%v)", info.Mode(), want, err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
