package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tarn/store/blob"
	"tarn/store/blob/wrap"
	"tarn/store/digest"
)

// get runs Get from dir, and checks that it left nothing behind.
func (s *scratch) get(dir string, o Options, g GetOptions) (*GetResult, error) {
	s.t.Helper()
	must(s.t, os.MkdirAll(dir, 0o777))
	g.Temp = s.path("temp")
	must(s.t, os.MkdirAll(g.Temp, 0o777))
	o.Dir, o.Env, o.Machine, o.Jobs = dir, append(s.env, "GIT_CEILING_DIRECTORIES="+s.dir), "test", 2
	res, err := Get(bg, o, g)
	if left, _ := os.ReadDir(g.Temp); len(left) > 0 {
		s.t.Errorf("get left %v", left)
	}
	if err != nil && res != nil {
		for _, p := range res.Problems {
			err = fmt.Errorf("%w; %s: %w", err, p, p.Err)
		}
	}
	return res, err
}

// part is what stands below a path of a tree.
func (tr tree) below(dir string) tree {
	out := tree{}
	for p, v := range tr {
		if rel, ok := strings.CutPrefix(p, dir+"/"); ok {
			out[rel] = v
		}
	}
	return out
}

// TestGet gets all, parts, and files of versions, outside of a repository and in one.
func TestGet(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	repo := filepath.Join(top, "repo")
	first, second := firstTree(), secondTree()
	first["large"], second["copy of large"] = "f"+randomBytes(7, 5<<20), "x"+randomBytes(7, 5<<20)
	second["large"] = first["large"]
	s.committed(repo, first, second)
	tree{"f": "fsingle"}.write(t, filepath.Join(repo, "one"))
	s.do(repo, add("one/f"))
	s.commit(repo, "one")
	s.do(repo, func(r *Repo) error {
		_, err := r.Push(bg, PushOptions{Selection: Selection{AllTags: true, AllBranches: true}})
		return err
	})
	s.git(top, "clone", "-q", "--bare", "repo", "bare.git")
	here := s.path("here")
	s.repo(here)
	for i, dir := range []string{s.path("out"), here} {
		for name, c := range map[string]struct {
			g    GetOptions
			want tree
		}{
			"all":           {GetOptions{URL: "../top/repo", Path: "data"}, second},
			"a manifest":    {GetOptions{URL: "../top/repo", Path: "data.tarn"}, second},
			"a version":     {GetOptions{URL: "../top/repo@v0", Path: "./data/"}, first},
			"by id":         {GetOptions{URL: "../top/repo", Rev: s.git(repo, "rev-parse", "v0"), Path: "data"}, first},
			"a URL":         {GetOptions{URL: "file://" + repo + "@v0", Path: "data"}, first},
			"bare":          {GetOptions{URL: top + "/bare.git", Path: "data"}, second},
			"its .git":      {GetOptions{URL: top + "/repo/.git", Path: "data"}, second},
			"a directory":   {GetOptions{URL: "../top/repo", Path: "data/sub"}, second.below("sub")},
			"deep":          {GetOptions{URL: "../top/repo", Path: "data/sub/deep"}, second.below("sub/deep")},
			"empty":         {GetOptions{URL: "../top/repo@v0", Path: "data/empty"}, tree{}},
			"named remote":  {GetOptions{URL: "../top/repo", Path: "data", Remote: "origin"}, second},
			"remote's path": {GetOptions{URL: "../top/repo", Path: "data", Remote: "../top/remote"}, second},
			"remote's URL":  {GetOptions{URL: "../top/repo", Path: "data", Remote: "file://" + top + "/remote"}, second},
		} {
			c.g.Out = fmt.Sprint(i, name)
			res, err := s.get(dir, Options{}, c.g)
			got := readTree(t, filepath.Join(dir, c.g.Out))
			delete(got, ".")
			if d := got.differs(c.want); err != nil || d != "" || res.To != filepath.Join(dir, c.g.Out) {
				t.Errorf("%d, %s: %v, %s", i, name, err, d)
			}
		}
		for name, c := range map[string]struct {
			g        GetOptions
			to, want string
		}{
			"a file":           {GetOptions{URL: "../top/repo", Path: "data/sub/new"}, "new", "fnew"},
			"an executable":    {GetOptions{URL: "../top/repo@v0", Path: "data/run.sh"}, "run.sh", "x#!/bin/sh\n"},
			"a link":           {GetOptions{URL: "../top/repo@v0", Path: "data/link"}, "link", "fone"},
			"a file as":        {GetOptions{URL: "../top/repo", Path: "data/sub/new", Out: "as"}, "as", "fnew"},
			"into a directory": {GetOptions{URL: "../top/repo", Path: "data/sub/new", Out: "."}, "new", "fnew"},
			"into a new one":   {GetOptions{URL: "../top/repo", Path: "data/large", Out: "d/"}, "d/large", first["large"]},
			"a dataset":        {GetOptions{URL: "../top/repo", Path: "one/f", Out: "single"}, "single", "fsingle"},
			"no bytes":         {GetOptions{URL: "../top/repo@v0", Path: "data/zero"}, "zero", "f"},
		} {
			if _, err := s.get(dir, Options{}, c.g); err != nil || readEntry(t, filepath.Join(dir, c.to)) != c.want {
				t.Errorf("%d, %s: %v", i, name, err)
			}
		}
	}
	if n := len(keys(t, filepath.Join(here, ".git", "tarn", "cache", "b3"))); n > 0 {
		t.Errorf("get left %d objects in the cache", n)
	}
}

// TestGetRequests: of a large dataset only what is needed is asked for.
func TestGetRequests(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	s.bigPushed(top, bigTree())
	var m *wrap.Meter
	if _, err := s.get(s.path("out"), Options{wrapBucket: counted(&m)}, GetOptions{URL: "../top/repo", Path: "data/d3"}); err != nil {
		t.Fatal(err)
	}
	if d := readTree(t, s.path("out", "d3")).differs(bigTree().below("d3")); d != "" {
		t.Error(d)
	}
	if n := m.Snapshot(); n.Requests() > 8 { // tarn.json, two or three pages, each once for its text and once for its places, a pack
		t.Errorf("%+v", n)
	}
}

// TestGetKeeps: what is there stays, unless it is the same or is to be replaced.
func TestGetKeeps(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	repo, out := s.path("top", "repo"), s.path("out")
	s.committed(repo, firstTree())
	s.do(repo, pushAll)
	g := GetOptions{URL: repo, Path: "data"}
	mine := tree{"a.txt": "fmine", "link": "lmine", "sub": "fa file", "mine": "fmine", "zero": "d", "run.sh": "f#!/bin/sh\n"}
	mine.write(t, filepath.Join(out, "data"))
	res, err := s.get(out, Options{}, g)
	if !errors.Is(err, ErrRefused) || len(res.Problems) != 7 { // a.txt, link, run.sh, zero, and three in sub
		t.Errorf("%v", err)
	}
	want := firstTree()
	maps.DeleteFunc(want, func(p, _ string) bool { return under(p, "sub") })
	maps.Copy(want, mine)
	if d := readTree(t, filepath.Join(out, "data")).differs(want); d != "" {
		t.Error(d)
	}
	must(t, os.Remove(filepath.Join(out, "data", "sub")))
	must(t, os.Remove(filepath.Join(out, "data", "zero")))
	g.Force = true
	if _, err = s.get(out, Options{}, g); err != nil {
		t.Error(err)
	}
	want = firstTree()
	want["mine"] = "fmine"
	if d := readTree(t, filepath.Join(out, "data")).differs(want); d != "" {
		t.Error(d)
	}
	g.Force = false
	if res, err = s.get(out, Options{}, g); err != nil || res.Written != 0 || res.Same != int64(len(firstTree())) || res.Received != 0 {
		t.Errorf("again: %+v, %v", res, err)
	}
	one := GetOptions{URL: repo, Path: "data/a.txt"}
	tree{"a.txt": "fmine", "d": "d"}.write(t, filepath.Join(out, "one"))
	if _, err := s.get(filepath.Join(out, "one"), Options{}, one); !errors.Is(err, ErrRefused) || readEntry(t, filepath.Join(out, "one", "a.txt")) != "fmine" {
		t.Errorf("a file: %v", err)
	}
	must(t, os.Symlink("nowhere", filepath.Join(out, "one", "d", "a.txt")))
	one.Out = "d"
	if _, err := s.get(filepath.Join(out, "one"), Options{}, one); !errors.Is(err, ErrRefused) {
		t.Errorf("a dangling link: %v", err)
	}
	if _, err := s.get(out, Options{}, GetOptions{URL: repo, Path: "data", Out: "one/a.txt"}); !errors.Is(err, ErrUsage) {
		t.Errorf("a directory as a file that is there: %v", err)
	}
}

// TestGetGoesOn: after an interruption the next run fetches the rest.
func TestGetGoesOn(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	repo, out := s.path("top", "repo"), s.path("out")
	tr := tree{}
	for i := range 40 {
		tr[fmt.Sprintf("f%02d", i)] = "f" + randomBytes(uint64(i), 1<<20)
	}
	s.committed(repo, tr)
	s.do(repo, pushAll)
	g := GetOptions{URL: repo, Path: "data"}
	faulty := func(b blob.Bucket) blob.Bucket {
		packs := 0
		return wrap.NewFault(b, func(_ int, verb, key string) wrap.Outcome {
			if strings.HasPrefix(key, "pack/") {
				packs++
			}
			if packs > 1 {
				return wrap.FailBefore
			}
			return wrap.OK
		})
	}
	res, err := s.get(out, Options{wrapBucket: faulty}, g)
	if !errors.Is(err, ErrIncomplete) || res.Written == 0 || res.Written == 40 || len(res.Problems) != 40-int(res.Written) {
		t.Fatalf("%+v, %v", res, err)
	}
	got := readTree(t, filepath.Join(out, "data"))
	for p, v := range got {
		if tr[p] != v {
			t.Errorf("%s is not whole", p)
		}
	}
	again, err := s.get(out, Options{}, g)
	if d := readTree(t, filepath.Join(out, "data")).differs(tr); err != nil || d != "" || again.Same != res.Written || again.Written != 40-res.Written {
		t.Errorf("%+v after %d, %v, %s", again, res.Written, err, d)
	}
}

// TestGetBroken: a flipped byte on the remote, or in the cache of the repository that one stands in, never gets a name.
func TestGetBroken(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top, out := s.path("top"), s.path("out")
	repo := filepath.Join(top, "repo")
	tr := firstTree()
	tr["large"] = "f" + randomBytes(7, 3<<20)
	s.committed(repo, tr)
	s.do(repo, pushAll)
	for key, b := range keys(t, filepath.Join(top, "remote")) {
		if kind, _, _ := strings.Cut(key, "/"); kind != "root" && kind != "pack" {
			continue
		}
		path := filepath.Join(top, "remote", key)
		for i := range 8 {
			must(t, os.WriteFile(path, flipped(b, i*(len(b)-1)/7), 0o666))
			_, err := s.get(out, Options{}, GetOptions{URL: repo, Path: "data"})
			got := readTree(t, filepath.Join(out, "data"))
			delete(got, ".")
			for p, v := range got {
				if tr[p] != v && v != "d" {
					t.Errorf("%s flipped: %s is wrong", key, p)
				}
			}
			if err == nil && got.differs(tr) != "" || err != nil && !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s flipped: %v, %s", key, err, got.differs(tr))
			}
			must(t, os.RemoveAll(out))
		}
		must(t, os.WriteFile(path, b, 0o666))
	}
	// The repository's own cache is used from inside of it.
	cacheDir := filepath.Join(repo, ".git", "tarn", "cache")
	for key, b := range keys(t, cacheDir) {
		at := bytes.Index(b, []byte("one"))
		if strings.HasPrefix(key, "b3/") {
			at = 0
		}
		if at >= 0 && (strings.HasPrefix(key, "b3/") || strings.HasPrefix(key, "pack/")) {
			must(t, os.Chmod(filepath.Join(cacheDir, key), 0o644))
			must(t, os.WriteFile(filepath.Join(cacheDir, key), flipped(b, at), 0o644))
		}
	}
	res, err := s.get(repo, Options{}, GetOptions{URL: ".", Path: "data", Out: "copy"})
	if d := readTree(t, filepath.Join(repo, "copy")).differs(tr); err != nil || d != "" || res.Received == 0 {
		t.Errorf("from a broken cache: %v, %s", err, d)
	}
	must(t, os.RemoveAll(filepath.Join(repo, "copy")))
	must(t, os.RemoveAll(filepath.Join(top, "remote", "pack")))
	if _, err := s.get(repo, Options{}, GetOptions{URL: ".", Path: "data", Out: "copy"}); !errors.Is(err, ErrIncomplete) {
		t.Errorf("without a remote: %v", err)
	}
	for p, v := range readTree(t, filepath.Join(repo, "copy")) {
		if tr[p] != v {
			t.Errorf("%s is wrong", p)
		}
	}
}

// TestGetStaysInside: nothing that a manifest says, and nothing that is in the directory, leads out of it.
func TestGetStaysInside(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	repo, out := s.path("top", "repo"), s.path("out")
	s.committed(repo, tree{"sub/a": "fa", "sub/deep/b": "fb", "sub/out": "l../top", "sub/in": "ldeep/b", "top": "ftop"})
	s.do(repo, pushAll)
	outside := s.path("outside")
	tree{"a": "fprecious"}.write(t, outside)
	untouched := func(what string) {
		t.Helper()
		if d := readTree(t, outside).differs(tree{"a": "fprecious"}); d != "" {
			t.Errorf("%s: %s", what, d)
		}
	}
	// A link of the dataset that leads out of the part.
	if _, err := s.get(out, Options{}, GetOptions{URL: repo, Path: "data/sub"}); !errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), "leads out of data/sub") {
		t.Errorf("%v", err)
	}
	if d := readTree(t, filepath.Join(out, "sub")).differs(tree{"a": "fa", "deep/b": "fb", "in": "ldeep/b"}); d != "" {
		t.Error(d)
	}
	// Links that are in the directory.
	must(t, os.MkdirAll(filepath.Join(out, "data"), 0o777))
	must(t, os.Symlink(outside, filepath.Join(out, "data", "sub")))
	must(t, os.Symlink(filepath.Join(outside, "a"), filepath.Join(out, "data", "top")))
	for _, force := range []bool{false, true} {
		if _, err := s.get(out, Options{}, GetOptions{URL: repo, Path: "data", Force: force}); err == nil {
			t.Error("a link is followed")
		}
		untouched(fmt.Sprintf("links in the directory, force %v", force))
	}
	// Manifests that nobody should write.
	line := func(path string) string {
		return fmt.Sprintf("f %s 1 %s\n", digest.Sum([]byte("x")), path)
	}
	for _, text := range []string{
		line("../../outside/a"), line("/" + outside + "/a"), line("a/../../../outside/a"), line(".git/hooks/post-checkout"), line(".tarn/config"),
		"l - \"" + outside + "\" link\n" + line("link/a"), "l - \"../outside\" link\n", "l - \"" + outside + "\" link\n",
	} {
		must(t, os.WriteFile(filepath.Join(repo, "bad.tarn"), []byte("tarn 1 dir\n"+text), 0o666))
		s.commit(repo, "bad")
		if _, err := s.get(out, Options{}, GetOptions{URL: repo, Path: "bad"}); err == nil {
			t.Errorf("%q is taken", text)
		}
		if _, err := os.Lstat(filepath.Join(out, "bad")); err == nil {
			t.Errorf("%q made something", text)
		}
		untouched(text)
	}
	// Configurations, too: a cache elsewhere is not used.
	must(t, os.WriteFile(filepath.Join(repo, ".tarn", "config"), fmt.Appendf(nil, "[cache]\n\tdir = %s\n[remote \"origin\"]\n\turl = ../remote\n", outside), 0o666))
	s.commit(repo, "bad configuration")
	if _, err := s.get(out, Options{}, GetOptions{URL: repo, Path: "data/top"}); err != nil {
		t.Error(err)
	}
	untouched("cache.dir")
}

// TestGetElsewhere: a version that nobody pushed, and what can't be got.
func TestGetElsewhere(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top, out := s.path("top"), s.path("out")
	repo := filepath.Join(top, "repo")
	s.committed(repo, firstTree())
	s.do(repo, pushAll)
	tr := firstTree()
	delete(tr, "a.txt")
	tr["lost"], tr["lost too"] = "flost", "flost"
	tr.write(t, filepath.Join(repo, "data"))
	s.do(repo, add("data"))
	s.commit(repo, "not pushed")
	res, err := s.get(out, Options{}, GetOptions{URL: repo, Path: "data"})
	if !errors.Is(err, ErrIncomplete) || len(res.Problems) != 2 {
		t.Errorf("%v", err)
	}
	delete(tr, "lost")
	delete(tr, "lost too")
	if d := readTree(t, filepath.Join(out, "data")).differs(tr); d != "" {
		t.Error(d)
	}
	for _, g := range []GetOptions{
		{URL: repo, Path: "nothing"}, {URL: repo, Path: "data/nothing"}, {URL: repo, Path: "data/sub/nothing"}, {URL: repo, Path: ".."}, {URL: repo, Path: "/data"},
		{URL: repo, Path: ""}, {URL: repo, Path: "."}, {URL: repo, Path: "data/.."}, {URL: repo + "@none", Path: "data"}, {URL: repo, Rev: "none", Path: "data"}, {URL: "-u", Path: "data"}, {URL: "", Path: "data"},
		{URL: repo, Path: "data", Remote: "none"},
	} {
		if _, err := s.get(out, Options{}, g); !errors.Is(err, ErrUsage) {
			t.Errorf("%+v: %v", g, err)
		}
	}
	if _, err := s.get(out, Options{}, GetOptions{URL: repo, Path: "data", Remote: "../void"}); !errors.Is(err, ErrIncomplete) {
		t.Errorf("a remote that has nothing: %v", err)
	}
	if _, err := s.get(out, Options{}, GetOptions{URL: s.path("none"), Path: "data"}); err == nil || errors.Is(err, ErrUsage) {
		t.Errorf("no repository: %v", err)
	}
	s.do(repo, func(r *Repo) error { return r.RemoveRemote("origin") })
	s.commit(repo, "no remote")
	_, err = s.get(out, Options{}, GetOptions{URL: repo, Path: "data"})
	var h *Hinted
	if !errors.Is(err, ErrUsage) || !errors.As(err, &h) || !strings.Contains(h.Hint, "--remote") {
		t.Errorf("without a remote: %v", err)
	}
	if err := cloneError(errors.New("x"), "https://u:hunter2@h/x", "https://u:***@h/x"); strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}

// TestGetSameBytes: files of the same bytes are downloaded once.
func TestGetSameBytes(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	repo, out := s.path("top", "repo"), s.path("out")
	tr, b := tree{}, randomBytes(1, 2<<20)
	for i := range 10 {
		tr[fmt.Sprintf("d%d/f", i)] = string("fx"[i%2]) + b
	}
	s.committed(repo, tr)
	s.do(repo, pushAll)
	res, err := s.get(out, Options{}, GetOptions{URL: repo, Path: "data"})
	if d := readTree(t, filepath.Join(out, "data")).differs(tr); err != nil || d != "" || res.Received > 3<<20 || res.Written != 10 || res.Bytes != 20<<20 {
		t.Errorf("%+v, %v, %s", res, err, d)
	}
}
