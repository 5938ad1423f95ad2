package vcs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSplitRev(t *testing.T) {
	there := map[string]bool{"/srv/repo": true, "/srv/a@b": true, "/srv/a@b/repo": true, "rel": true, "/srv/x@y@z": true, "/srv/x": true, "/srv/sp ace": true}
	for arg, want := range map[string][2]string{
		"https://h/a/b":                  {"https://h/a/b", ""},
		"https://h/a/b.git@v1":           {"https://h/a/b.git", "v1"},
		"https://h/a/b@feature/x":        {"https://h/a/b", "feature/x"},
		"https://h/a/b@pkg@1.2":          {"https://h/a/b", "pkg@1.2"},
		"https://u:p@h/a/b":              {"https://u:p@h/a/b", ""},
		"https://u:p@h:1/a/b@v1":         {"https://u:p@h:1/a/b", "v1"},
		"https://h/@scope/b@v1":          {"https://h/@scope/b", "v1"},
		"https://h@v1":                   {"https://h@v1", ""},
		"https://h/a@":                   {"https://h/a@", ""},
		"ssh://git@h/a/b":                {"ssh://git@h/a/b", ""},
		"ssh://git@h:22/~u/b@HEAD~2":     {"ssh://git@h:22/~u/b", "HEAD~2"},
		"git@h:a/b.git":                  {"git@h:a/b.git", ""},
		"git@h:a/b.git@v1":               {"git@h:a/b.git", "v1"},
		"git@h:b@feature/x":              {"git@h:b", "feature/x"},
		"h:b@v1":                         {"h:b", "v1"},
		"git@[::1]:a/b@v1":               {"git@[::1]:a/b", "v1"},
		"[git@h:22]:a/b@v1":              {"[git@h:22]:a/b", "v1"},
		"/srv/repo":                      {"/srv/repo", ""},
		"/srv/repo@v1":                   {"/srv/repo", "v1"},
		"/srv/a@b/repo":                  {"/srv/a@b/repo", ""},
		"/srv/a@b/repo@pkg@1":            {"/srv/a@b/repo", "pkg@1"},
		"/srv/x@y@z":                     {"/srv/x@y@z", ""},
		"/srv/x@y":                       {"/srv/x", "y"},
		"/srv/none@v1":                   {"/srv/none@v1", ""},
		"rel@v1":                         {"rel", "v1"},
		"file:///srv/repo@v1":            {"file:///srv/repo", "v1"},
		"file://localhost/srv/repo@v1":   {"file://localhost/srv/repo", "v1"},
		"file:///srv/sp%20ace@v1":        {"file:///srv/sp%20ace", "v1"},
		"file:///srv/a@b/repo@feature/x": {"file:///srv/a@b/repo", "feature/x"},
		"@v1":                            {"@v1", ""},
		"":                               {"", ""},
	} {
		if url, rev := SplitRev(arg, func(p string) bool { return there[filepath.ToSlash(p)] }); url != want[0] || rev != want[1] {
			t.Errorf("%q is %q at %q, want %q", arg, url, rev, want)
		}
	}
}

func FuzzSplitRev(f *testing.F) {
	for _, s := range []string{"https://u@h/a@v", "git@h:a@v", "/a@b@c", "file:///a@b", "@", "://@", "[@]:@"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		url, rev := SplitRev(s, func(p string) bool { return len(p)%3 == 0 })
		if rev == "" && url != s || rev != "" && url+"@"+rev != s || s != "" && url == "" {
			t.Errorf("%q is %q and %q", s, url, rev)
		}
	})
}

// origin is a repository to clone: three commits with a file of its own each, tags, a branch.
func newOrigin(t *testing.T) (s *scratch, commits []string) {
	s = newScratch(t)
	for i, text := range []string{"one", "two", "three"} {
		s.write("f", text)
		s.write(text, strings.Repeat(text, 100))
		commits = append(commits, s.commit())
		s.git("tag", "v"+string(rune('1'+i)))
	}
	s.git("tag", "-a", "-m", "x", "pkg@1.0", "v2")
	s.git("branch", "feature/x", "v1")
	return s, commits
}

func (s *scratch) clone(url, rev string) (*Repo, string, error) {
	env := append(s.env, "GIT_DIR=/nowhere", "GIT_INDEX_FILE=/nowhere", "GIT_WORK_TREE=/nowhere")
	r, commit, err := Clone(s.t.Context(), url, rev, s.t.TempDir(), "f", Options{Env: env})
	if err == nil {
		s.t.Cleanup(func() { r.Close() })
	}
	return r, commit, err
}

// missing counts the objects that a partial clone leaves out, and the commits that it has.
func (s *scratch) missing(dir, commit string) (missing, commits int) {
	out := s.git("--git-dir="+dir, "rev-list", "--objects", "--missing=print", commit)
	return strings.Count("\n"+out, "\n?"), len(strings.Fields(s.git("--git-dir="+dir, "rev-list", commit)))
}

func TestClone(t *testing.T) {
	s, c := newOrigin(t)
	revs := map[string]string{"": c[2], "HEAD": c[2], "main": c[2], "v1": c[0], "refs/tags/v2": c[1], "pkg@1.0": c[1], "feature/x": c[0], c[1]: c[1],
		c[0][:10]: c[0], "HEAD~1": c[1], "main^{commit}": c[2], "v3~2": c[0]}
	config := func(pairs ...string) func() {
		return func() {
			for i := 0; i < len(pairs); i += 2 {
				s.git("config", "--replace-all", pairs[i], pairs[i+1])
			}
		}
	}
	for _, server := range []struct {
		name    string
		url     string
		setUp   func()
		partial bool
		env     []string
	}{
		{"a path", s.dir, config(), false, nil},
		{"no filter", "file://" + s.dir, config("uploadpack.allowFilter", "false"), false, nil},
		{"filter", "file://" + s.dir, config("uploadpack.allowFilter", "true"), true, nil},
		{"protocol 0", "file://" + s.dir, config("uploadpack.allowFilter", "false"), false, []string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=protocol.version", "GIT_CONFIG_VALUE_0=0"}},
		{"filter, but no ids", "file://" + s.dir, config("uploadpack.allowFilter", "true"), false, []string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=protocol.version", "GIT_CONFIG_VALUE_0=0"}},
		{"safe", "file://" + s.dir, config("uploadpack.allowFilter", "true"), true, []string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.bareRepository", "GIT_CONFIG_VALUE_0=explicit"}},
	} {
		server.setUp()
		plain := s.env
		s.env = append(s.env, server.env...)
		for rev, want := range revs {
			r, commit, err := s.clone(server.url, rev)
			if err != nil || commit != want {
				t.Errorf("%s, %q: %s, %v", server.name, rev, commit, err)
				continue
			}
			missing, _ := s.missing(r.GitDir, commit)
			if (missing > 0) != server.partial {
				t.Errorf("%s, %q: %d objects are missing", server.name, rev, missing)
			}
			if name := strings.Contains("HEAD main v1 feature/x", rev); name && server.url != s.dir && !r.Shallow {
				t.Errorf("%s, %q: it has history", server.name, rev)
			}
			if b, err := r.Contents(t.Context(), commit+":f", 100); err != nil || string(b) != map[string]string{c[0]: "one", c[1]: "two", c[2]: "three"}[want] {
				t.Errorf("%s, %q: %q, %v", server.name, rev, b, err)
			}
		}
		for _, rev := range []string{"none", "v9~1", "-u", "--upload-pack=touch /tmp/x", "+v1", "0123456789", "a b", "v1:f", ":/one", "^v1"} {
			if _, commit, err := s.clone(server.url, rev); !errors.Is(err, ErrRev) && rev != ":/one" {
				t.Errorf("%s, %q: %s, %v", server.name, rev, commit, err)
			}
		}
		s.env = plain
	}
}

func TestCloneRefuses(t *testing.T) {
	s, _ := newOrigin(t)
	mark := filepath.Join(t.TempDir(), "mark")
	for _, url := range []string{"", "-", "--upload-pack=touch " + mark, "-utouch " + mark, "ext::touch " + mark, "ssh://-oProxyCommand=touch%20" + mark + "/x", filepath.Join(s.dir, "none"), "file://" + s.dir + "/none"} {
		if _, _, err := s.clone(url, ""); err == nil || errors.Is(err, ErrRev) {
			t.Errorf("%q: %v", url, err)
		}
	}
	if _, err := os.Stat(mark); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a command ran: %v", err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	s.git("init", "-q", empty)
	for _, url := range []string{empty, "file://" + empty} {
		if _, _, err := s.clone(url, ""); !errors.Is(err, ErrRev) {
			t.Errorf("an empty repository: %v", err)
		}
	}
}
