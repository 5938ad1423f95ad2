package dataset

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGetGit: a directory of datasets and files of Git, as a clone without their contents and from a path.
func TestGetGit(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top, out := s.path("top"), s.path("out")
	repo := filepath.Join(top, "repo")
	s.repo(repo)
	want := tree{"a/x": "fax", "a/sub/y": "xay", "one": "fone", "void": "d", "README": "freadme", "bin/run": "xrun", "bin/to": "l../README", "zero": "f",
		"big": "f" + randomBytes(3, 1<<20), "l\u00e9n x": "fodd"}
	want.write(t, filepath.Join(repo, "m"))
	s.do(repo, add("m/a", "m/one", "m/void"))
	want[".gitignore"] = readEntry(t, filepath.Join(repo, "m", ".gitignore"))
	s.commit(repo, "files")
	s.git(repo, "update-index", "--add", "--cacheinfo", "160000,"+s.git(repo, "rev-parse", "HEAD")+",m/module")
	s.git(repo, "commit", "-q", "-m", "a submodule")
	s.do(repo, pushAll)
	s.git(repo, "config", "uploadpack.allowFilter", "true")
	for i, url := range []string{repo, "file://" + repo} {
		to := fmt.Sprint(i)
		res, err := s.get(out, Options{}, GetOptions{URL: url, Path: "m", Out: to})
		if d := readTree(t, filepath.Join(out, to)).differs(want); err != nil || d != "" || res.Dataset != "" || res.Path != "m" {
			t.Errorf("%s: %+v, %v, %s", url, res, err, d)
		}
		again, err := s.get(out, Options{}, GetOptions{URL: url, Path: "m", Out: to})
		if err != nil || again.Written != 0 || again.Same != res.Written {
			t.Errorf("%s: %+v after %+v, %v", url, again, res, err)
		}
		must(t, os.WriteFile(filepath.Join(out, to, "README"), []byte("mine"), 0o666))
		must(t, os.Remove(filepath.Join(out, to, "zero")))
		res, err = s.get(out, Options{}, GetOptions{URL: url, Path: "m", Out: to})
		if !errors.Is(err, ErrRefused) || res.Written != 1 || readEntry(t, filepath.Join(out, to, "README")) != "fmine" {
			t.Errorf("%s: %+v, %v", url, res, err)
		}
		if _, err = s.get(out, Options{}, GetOptions{URL: url, Path: "m", Out: to, Force: true}); err != nil || readTree(t, filepath.Join(out, to)).differs(want) != "" {
			t.Errorf("%s: %v", url, err)
		}
	}
	for path, kind := range map[string]error{"m/module": ErrUsage, "m/none": ErrUsage, "m/README/x": ErrUsage} {
		if _, err := s.get(out, Options{}, GetOptions{URL: repo, Path: path}); !errors.Is(err, kind) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestGetGitStaysInside: nothing that a tree of Git says leads out of the directory, and a manifest that can't be read is named.
func TestGetGitStaysInside(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	repo, out, outside := s.path("top", "repo"), s.path("out"), s.path("outside")
	s.committed(repo, tree{"a": "fa"})
	s.do(repo, pushAll)
	tree{"a": "fprecious"}.write(t, outside)
	blob := func(text string) string {
		p := s.path("blob")
		must(t, os.WriteFile(p, []byte(text), 0o666))
		return s.git(repo, "hash-object", "-w", p)
	}
	evil := blob("evil")
	index := func(mode, object, path string) {
		s.git(repo, "-c", "core.protectNTFS=false", "update-index", "--add", "--cacheinfo", mode+","+object+","+path)
	}
	index("100644", evil, "d/ok")
	index("100644", evil, "d/.tarn/config")
	index("100644", evil, "d/sub/GIT~1/config")
	index("100644", evil, "d/broken.tarn")
	index("120000", blob(outside), "d/abs")
	index("120000", blob("../../outside"), "d/link")
	index("100644", s.git(repo, "rev-parse", "HEAD:data.tarn"), "d/link.tarn")
	s.git(repo, "commit", "-q", "-m", "evil")
	res, err := s.get(out, Options{}, GetOptions{URL: repo, Path: "d"})
	if err == nil || len(res.Problems) != 4 {
		t.Errorf("%v", err)
	}
	if d := readTree(t, filepath.Join(out, "d")).differs(tree{"ok": "fevil", "link/a": "fa"}); d != "" {
		t.Error(d)
	}
	// A link that stands there already is not written through.
	must(t, os.RemoveAll(filepath.Join(out, "d")))
	must(t, os.MkdirAll(filepath.Join(out, "d"), 0o777))
	must(t, os.Symlink(outside, filepath.Join(out, "d", "link")))
	if _, err := s.get(out, Options{}, GetOptions{URL: repo, Path: "d", Force: true}); err == nil {
		t.Error("a link is followed")
	}
	if d := readTree(t, outside).differs(tree{"a": "fprecious"}); d != "" {
		t.Error(d)
	}
	// An object that is not what its id says.
	name := filepath.Join(repo, ".git", "objects", evil[:2], evil[2:])
	other := blob("live")
	must(t, os.Chmod(name, 0o666))
	must(t, os.Rename(filepath.Join(repo, ".git", "objects", other[:2], other[2:]), name))
	_, err = s.get(out, Options{}, GetOptions{URL: repo, Path: "d/ok"})
	if _, serr := os.Lstat(filepath.Join(out, "ok")); !errors.Is(err, ErrCorrupt) && !strings.Contains(fmt.Sprint(err), "object") || serr == nil {
		t.Errorf("another blob: %v", err)
	}
}
