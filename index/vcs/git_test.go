package vcs

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// scratch is a repository with one commit; git is the real one.
type scratch struct {
	t   *testing.T
	dir string
	env []string
}

func newScratch(t *testing.T, initArgs ...string) *scratch {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &scratch{t: t, dir: dir}
	s.env = append(os.Environ(), "HOME="+dir, "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
	s.dir = filepath.Join(dir, "repo")
	os.Mkdir(s.dir, 0o777)
	s.git(append([]string{"init", "-q", "-b", "main"}, initArgs...)...)
	return s
}

func (s *scratch) git(args ...string) string {
	s.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (s *scratch) write(name, text string) {
	s.t.Helper()
	p := filepath.Join(s.dir, name)
	os.MkdirAll(filepath.Dir(p), 0o777)
	if err := os.WriteFile(p, []byte(text), 0o666); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scratch) commit() string {
	s.t.Helper()
	s.git("add", "-A")
	s.git("commit", "-q", "-m", "x")
	return s.git("rev-parse", "HEAD")
}

func (s *scratch) open(dir string) *Repo {
	s.t.Helper()
	r, err := Open(s.t.Context(), dir, Options{Env: s.env})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { r.Close() })
	return r
}

func TestOpenFindsTheWorkTree(t *testing.T) {
	s := newScratch(t)
	s.write("a/b/file", "x")
	s.commit()
	r := s.open(filepath.Join(s.dir, "a", "b"))
	if r.Root != s.dir || r.GitDir != filepath.Join(s.dir, ".git") || r.CommonDir != r.GitDir || r.Bare || r.Shallow {
		t.Errorf("%+v", r)
	}
	if _, err := Open(t.Context(), filepath.Dir(filepath.Dir(s.dir)), Options{Env: s.env}); !errors.Is(err, ErrNotRepo) {
		t.Errorf("outside: %v", err)
	}
}

func TestOpenWorktreeShallowBareSubmodule(t *testing.T) {
	s := newScratch(t)
	s.write("f", "1")
	s.commit()
	s.write("f", "2")
	s.commit()
	side := filepath.Join(filepath.Dir(s.dir), "side")
	s.git("worktree", "add", "-q", side)
	if r := s.open(side); r.Root != side || r.CommonDir != filepath.Join(s.dir, ".git") || r.GitDir == r.CommonDir {
		t.Errorf("worktree: %+v", r)
	}
	shallow := filepath.Join(filepath.Dir(s.dir), "shallow")
	s.git("clone", "-q", "--depth", "1", "file://"+s.dir, shallow)
	r := s.open(shallow)
	if !r.Shallow {
		t.Error("shallow clone not seen")
	}
	head, ok, err := r.Head(t.Context())
	if err != nil || !ok {
		t.Fatal(err)
	}
	if ps, err := r.Parents(t.Context(), head); err != nil || len(ps) != 1 {
		t.Errorf("parents that are cut off: %v, %v", ps, err)
	}
	bare := filepath.Join(filepath.Dir(s.dir), "bare.git")
	s.git("clone", "-q", "--bare", s.dir, bare)
	if r := s.open(bare); r.Root != "" || !r.Bare || r.GitDir != bare {
		t.Errorf("bare: %+v", r)
	}
	inside := filepath.Join(s.dir, "inside.git")
	s.git("clone", "-q", "--bare", s.dir, inside)
	if r := s.open(filepath.Join(inside, "refs", "heads")); r.Root != "" || !r.Bare || r.GitDir != inside {
		t.Errorf("bare, in a work tree: %+v", r)
	}
	s.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", s.dir, "sub")
	if r := s.open(filepath.Join(s.dir, "sub")); r.Root != filepath.Join(s.dir, "sub") || !strings.HasSuffix(r.GitDir, filepath.Join(".git", "modules", "sub")) {
		t.Errorf("submodule: %+v", r)
	}
}

func TestSteeredByEnvironment(t *testing.T) {
	s := newScratch(t)
	s.write("f", "1")
	s.commit()
	elsewhere := t.TempDir()
	r, err := Open(t.Context(), elsewhere, Options{Env: append(s.env, "GIT_DIR="+filepath.Join(s.dir, ".git"), "GIT_WORK_TREE="+s.dir)})
	if err != nil || r.Root != s.dir {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestManifests(t *testing.T) {
	s := newScratch(t)
	odd := "odd\n\"\xff name"
	for _, n := range []string{"a.tarn", "dir/b.tarn", odd + ".tarn", "gone.tarn", "other.txt", ".tarn/config", "dir/.tarn/x"} {
		s.write(n, n)
	}
	head := s.commit()
	s.write("new.tarn", "untracked")
	s.write("ignored/c.tarn", "")
	s.write(".gitignore", "/ignored\n")
	os.Remove(filepath.Join(s.dir, "gone.tarn"))
	r := s.open(s.dir)
	got, err := r.Manifests(t.Context())
	want := []string{"a.tarn", "dir/b.tarn", "gone.tarn", "new.tarn", odd + ".tarn"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	tree, err := r.ManifestsAt(t.Context(), head)
	var paths []string
	for _, f := range tree {
		paths = append(paths, f.Path)
	}
	if want = []string{"a.tarn", "dir/b.tarn", "gone.tarn", odd + ".tarn"}; err != nil || !slices.Equal(paths, want) {
		t.Errorf("%q, %v; want %q", paths, err, want)
	}
	b, err := r.Contents(t.Context(), "HEAD:"+odd+".tarn", 100)
	if err != nil || string(b) != odd+".tarn" {
		t.Errorf("contents of an odd name: %q, %v", b, err)
	}
}

func TestContents(t *testing.T) {
	for _, format := range []string{"sha1", "sha256"} {
		s := newScratch(t, "--object-format="+format)
		s.write("f", "hello")
		s.write("d/g", "")
		s.commit()
		r := s.open(s.dir)
		for range 3 { // the process lives on after each kind of answer
			if b, err := r.Contents(t.Context(), "HEAD:f", 5); err != nil || string(b) != "hello" {
				t.Errorf("%s: %q, %v", format, b, err)
			}
			if _, err := r.Contents(t.Context(), "HEAD:none", 5); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: missing: %v", format, err)
			}
			if _, err := r.Contents(t.Context(), "HEAD:d", 500); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: a tree: %v", format, err)
			}
			if _, err := r.Contents(t.Context(), "HEAD:f", 4); err == nil || errors.Is(err, ErrNotFound) {
				t.Errorf("%s: too large: %v", format, err)
			}
		}
	}
}

func TestRevs(t *testing.T) {
	s := newScratch(t)
	r := s.open(s.dir)
	if _, ok, err := r.Head(t.Context()); ok || err != nil {
		t.Errorf("unborn: %v, %v", ok, err)
	}
	s.write("f", "1")
	c1 := s.commit()
	s.git("tag", "-a", "-m", "x", "v1")
	s.git("branch", "side")
	s.write("f", "2")
	c2 := s.commit()
	for rev, want := range map[string]string{"HEAD": c2, "v1": c1, "HEAD~1": c1, "side": c1} {
		if got, err := r.ReadRev(t.Context(), rev); err != nil || got != want {
			t.Errorf("%s: %s, %v", rev, got, err)
		}
	}
	for _, rev := range []string{"none", "--help", "-q", "HEAD:f", ""} {
		if _, err := r.ReadRev(t.Context(), rev); !errors.Is(err, ErrRev) {
			t.Errorf("%q: %v", rev, err)
		}
	}
	branches, err := r.Branches(t.Context())
	if err != nil || len(branches) != 2 || branches[0] != (Ref{"refs/heads/main", c2}) {
		t.Errorf("%v, %v", branches, err)
	}
	tags, err := r.Tags(t.Context())
	if err != nil || len(tags) != 1 || tags[0] != (Ref{"refs/tags/v1", c1}) {
		t.Errorf("%v, %v", tags, err)
	}
	if ps, err := r.Parents(t.Context(), c2); err != nil || !slices.Equal(ps, []string{c1}) {
		t.Errorf("%v, %v", ps, err)
	}
}

func TestIgnoredAndTracked(t *testing.T) {
	s := newScratch(t)
	s.write("tracked/f", "1")
	s.write("*.tarn", "1") // a name that is a pattern
	s.commit()
	s.write(".gitignore", "*.log\n/data\n")
	r := s.open(s.dir)
	got, err := r.Ignored(t.Context(), []string{"x.log", "a/data", "data", "plain", "*.tarn"})
	if err != nil || !got["x.log"] || !got["data"] || got["a/data"] || got["plain"] || got["*.tarn"] {
		t.Errorf("%v, %v", got, err)
	}
	if none, err := r.Ignored(t.Context(), []string{"plain"}); err != nil || len(none) != 0 {
		t.Errorf("%v, %v", none, err)
	}
	tracked, err := r.Tracked(t.Context(), []string{"tracked", "other", "*", "tracked/f"})
	if err != nil || !slices.Equal(tracked, []string{"tracked", "tracked/f"}) {
		t.Errorf("%v, %v", tracked, err)
	}
}

func TestOriginURL(t *testing.T) {
	s := newScratch(t)
	r := s.open(s.dir)
	if _, ok, err := r.OriginURL(t.Context()); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	s.git("remote", "add", "origin", "https://Host/a.git")
	if u, ok, err := r.OriginURL(t.Context()); u != "https://Host/a.git" || !ok || err != nil {
		t.Errorf("%q, %v", u, err)
	}
}

func TestCancelled(t *testing.T) {
	s := newScratch(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.open(s.dir).Manifests(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestNormalURL(t *testing.T) {
	plain := func(p string) (string, error) { return p, nil }
	for _, same := range [][]string{
		{"https://Host.org/a/b.git", "https://host.org/a/b", "https://user:secret@HOST.org:443/a/b/", "ssh://git@host.org/a/b.git", "ssh://git@host.org:22/a/b", "git@host.org:a/b.git", "host.org:a/b", "git://host.org/a/b"},
		{"ssh://git@host.org:2222/a/b", "ssh://me@HOST.org:2222/a/b.git/"},
		{"git@host.org:~me/b.git", "ssh://host.org/~me/b"},
		{"/srv/a", "/srv/a/", "/srv/a/.git", "/srv/a.git", "file:///srv/a", "/srv/x/../a"},
	} {
		want := NormalURL(same[0], "m1", plain)
		for _, u := range same {
			if got := NormalURL(u, "m1", plain); got != want {
				t.Errorf("%s is %q, %s is %q", u, got, same[0], want)
			}
			if got := NormalURL(u, "m1", plain); strings.Contains(got, "secret") {
				t.Errorf("%q shows a secret", got)
			}
		}
	}
	differ := []string{"https://h/a/b", "https://h/a/c", "https://h:8443/a/b", "https://g/a/b", "git@h:~me/a", "/a/b"}
	seen := map[string]string{}
	for _, u := range differ {
		n := NormalURL(u, "m1", plain)
		if other, ok := seen[n]; ok {
			t.Errorf("%s and %s are both %q", u, other, n)
		}
		seen[n] = u
	}
	if NormalURL("/a/b", "m1", plain) == NormalURL("/a/b", "m2", plain) {
		t.Error("a local path is the same on two machines")
	}
	link := func(p string) (string, error) { return strings.Replace(p, "/link", "/real", 1), nil }
	if NormalURL("/link/r", "m", link) != NormalURL("/real/r", "m", link) {
		t.Error("symlinks are not resolved")
	}
}
