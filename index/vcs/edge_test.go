package vcs

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestNestedTag: a tag of a tag leads to a commit too, and what it needs must be kept.
func TestNestedTag(t *testing.T) {
	s := newScratch(t)
	s.write("f", "1")
	c := s.commit()
	s.git("tag", "-a", "-m", "x", "one")
	s.git("tag", "-a", "-m", "x", "two", "one")
	s.git("tag", "blob", "HEAD:f")
	tags, err := s.open(s.dir).Tags(t.Context())
	if want := []Ref{{"refs/tags/one", c}, {"refs/tags/two", c}}; err != nil || !slices.Equal(tags, want) {
		t.Errorf("%v, %v", tags, err)
	}
}

// TestBrokenRef: git would leave it out with a warning; who deletes by what refs need must hear of it.
func TestBrokenRef(t *testing.T) {
	s := newScratch(t)
	s.write("f", "1")
	s.commit()
	s.write(".git/refs/heads/broken", "garbage\n")
	if refs, err := s.open(s.dir).Branches(t.Context()); err == nil || !strings.Contains(err.Error(), "refs/heads/broken") {
		t.Errorf("%v, %v", refs, err)
	}
	s.write(".git/refs/heads/broken", "ref: refs/heads/none\n") // a dangling symref is normal
	if refs, err := s.open(s.dir).Branches(t.Context()); err != nil || len(refs) != 1 {
		t.Errorf("%v, %v", refs, err)
	}
}

func TestRevThatIsNoCommit(t *testing.T) {
	s := newScratch(t)
	s.write("f", "1")
	s.commit()
	r := s.open(s.dir)
	for _, rev := range []string{"^HEAD", "HEAD..HEAD", "HEAD@{7}", "a\nb", "a\x00b", ":/none"} {
		if got, err := r.ReadRev(t.Context(), rev); !errors.Is(err, ErrRev) {
			t.Errorf("%q is %q, %v", rev, got, err)
		}
	}
}

// TestIgnoredOddNames: names that git would take for pathspec magic.
func TestIgnoredOddNames(t *testing.T) {
	s := newScratch(t)
	s.write(".gitignore", "odd*\n:*\n/a b\n")
	odd := []string{":odd", ":(top)odd", ":!x", ":/y", "a b", "odd\nname", "odd\xff"}
	got, err := s.open(s.dir).Ignored(t.Context(), append(odd, "plain", "!plain"))
	if err != nil || len(got) != len(odd) {
		t.Fatalf("%v, %v", got, err)
	}
	for _, p := range odd {
		if !got[p] {
			t.Errorf("%q is not ignored", p)
		}
	}
	if none, err := s.open(s.dir).Ignored(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("%v, %v", none, err)
	}
}

// TestSteeredRelative: GIT_DIR as hooks set it, relative to where the user stands and not to the root.
func TestSteeredRelative(t *testing.T) {
	s := newScratch(t)
	s.write("sub/a.tarn", "1")
	head := s.commit()
	r, err := Open(t.Context(), filepath.Join(s.dir, "sub"), Options{Env: append(s.env, "GIT_DIR=../.git", "GIT_WORK_TREE=..")})
	if err != nil {
		t.Fatal(err)
	}
	if got, ok, err := r.Head(t.Context()); got != head || !ok || err != nil {
		t.Errorf("%s, %v, %v", got, ok, err)
	}
	if got, err := r.Manifests(t.Context()); err != nil || !slices.Equal(got, []string{"sub/a.tarn"}) {
		t.Errorf("%q, %v", got, err)
	}
}

// TestOpenSaysWhy: git's reason is kept where it is another one than "no repository".
func TestOpenSaysWhy(t *testing.T) {
	s := newScratch(t)
	s.write(".git/config", "[core\n")
	if _, err := Open(t.Context(), s.dir, Options{Env: append(s.env, "GIT_DIR="+filepath.Join(s.dir, ".git"))}); err == nil || errors.Is(err, ErrNotRepo) || !strings.Contains(err.Error(), "config") {
		t.Errorf("%v", err)
	}
}

func TestOpenOddDirectory(t *testing.T) {
	s := newScratch(t)
	s.write("f", "1")
	s.commit()
	bare := filepath.Join(filepath.Dir(s.dir), "new\nline \xff.git")
	s.git("clone", "-q", "--bare", s.dir, bare)
	if r := s.open(bare); !r.Bare || r.GitDir != bare || r.CommonDir != bare {
		t.Errorf("%+v", r)
	}
}

// TestContentsOfSubmodule: a commit in a tree is no file.
func TestContentsOfSubmodule(t *testing.T) {
	s := newScratch(t)
	s.write("f", "1")
	head := s.commit()
	s.git("update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat("1", len(head))+",sub.tarn")
	s.git("commit", "-q", "-m", "gitlink")
	r := s.open(s.dir)
	if b, err := r.Contents(t.Context(), "HEAD:sub.tarn", 100); !errors.Is(err, ErrNotFound) {
		t.Errorf("%q, %v", b, err)
	}
	if files, err := r.ManifestsAt(t.Context(), "HEAD"); err != nil || len(files) != 0 {
		t.Errorf("%v, %v", files, err)
	}
}

// TestContentsAfterDeath: a cat-file that died is started again.
func TestContentsAfterDeath(t *testing.T) {
	s := newScratch(t)
	s.write("f", "1")
	s.commit()
	r := s.open(s.dir)
	if _, err := r.Contents(t.Context(), "HEAD:f", 10); err != nil {
		t.Fatal(err)
	}
	r.cat.cmd.Process.Kill()
	r.cat.cmd.Process.Wait()
	r.Contents(t.Context(), "HEAD:f", 10) // may find the pipe broken
	if b, err := r.Contents(t.Context(), "HEAD:f", 10); err != nil || string(b) != "1" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestNoGit(t *testing.T) {
	s := newScratch(t)
	r := s.open(s.dir)
	t.Setenv("PATH", t.TempDir())
	if _, err := r.Manifests(t.Context()); !errors.Is(err, ErrNoGit) {
		t.Errorf("%v", err)
	}
	if _, err := r.Contents(t.Context(), "HEAD:f", 10); !errors.Is(err, ErrNoGit) {
		t.Errorf("%v", err)
	}
	if r, err := Open(t.Context(), s.dir, Options{Env: s.env}); err != nil || r.Root != s.dir {
		t.Errorf("a plain repository is found without git: %v", err)
	}
	if _, err := Open(t.Context(), os.TempDir(), Options{Env: s.env}); !errors.Is(err, ErrNotRepo) && !errors.Is(err, ErrNoGit) {
		t.Errorf("%v", err)
	}
}

// TestNormalURLKeepsUsersApart: a path below a user's home is another repository for another user.
func TestNormalURLKeepsUsersApart(t *testing.T) {
	plain := func(p string) (string, error) { return p, nil }
	for _, same := range [][]string{
		{"ssh://alice@h/~/r.git", "ssh://bob@h/~alice/r", "alice@h:~/r", "alice@h:r", "alice@H:r.git/"},
		{"git@h:a/b", "h:a/b", "git@h:/a/b", "https://h/a/b", "ssh://alice@h/a/b", "alice@h:/a/b"},
		{"git@[::1]:a/b", "ssh://git@[::1]/a/b", "https://[::1]:443/a/b.git"},
		{"[git@h:2222]:a/b", "ssh://git@h:2222/a/b"},
	} {
		for _, u := range same {
			if got, want := NormalURL(u, "m", plain), NormalURL(same[0], "m", plain); got != want {
				t.Errorf("%s is %q, %s is %q", u, got, same[0], want)
			}
		}
	}
	seen := map[string]string{}
	for _, u := range []string{"alice@h:r", "bob@h:r", "h:~/r", "h:r", "s3://h/r", "git@h:2222/r", "ssh://h:2222/r"} {
		n := NormalURL(u, "m", plain)
		if other, ok := seen[n]; ok {
			t.Errorf("%s and %s are both %q", u, other, n)
		}
		seen[n] = u
	}
}

func FuzzNormalURL(f *testing.F) {
	for _, u := range []string{"", "/", "a", "git@h:a/b.git", "ssh://alice:hunter2@h:22/~/x", "https://a:hunter2%zz@h/p", "[a@h:1]:x", "a@[::1]:x", "file:///srv/a%20b", "ext::x", "~", "h:~", "://", "]:"} {
		f.Add(u)
	}
	plain := func(p string) (string, error) { return p, nil }
	f.Fuzz(func(t *testing.T, u string) {
		n := NormalURL(u, "m", plain)
		if n != NormalURL(u, "m", plain) || n == "" {
			t.Errorf("%q is %q", u, n)
		}
		if n2 := NormalURL("https://alice:hunter2@h/"+u, "m", plain); strings.HasPrefix(n2, "alice") || strings.Contains(n2, "hunter2") && !strings.Contains(u, "hunter2") {
			t.Errorf("%q shows a secret: %q", u, n2)
		}
	})
}

func TestNested(t *testing.T) {
	s := newScratch(t)
	s.write("dir/f", "1")
	s.write("d*r/f", "1")
	head := s.commit()
	for _, sub := range []string{"mod", "dir/é[x]", ":m", "a*"} { // submodules that are not checked out
		s.git("update-index", "--add", "--cacheinfo", "160000,"+head+","+sub)
	}
	s.write("clone/.git/HEAD", "ref: refs/heads/main\n")
	r := s.open(s.dir)
	for name, want := range map[string]string{
		"mod": "mod", "mod/data": "mod", "mod/a/b": "mod", "dir/é[x]/data": "dir/é[x]", ":m/x": ":m", "a*/x": "a*", "clone/data": "clone", "clone": "clone",
		"modx": "", "dir": "", "dir/f": "", "dir/mod": "", "abc/x": "", ".": "", "d*r/x": "", "other/x": "",
	} {
		if got, ok, err := r.Nested(t.Context(), name); got != want || ok != (want != "") || err != nil {
			t.Errorf("%s: %q, %v, %v", name, got, ok, err)
		}
	}
}
