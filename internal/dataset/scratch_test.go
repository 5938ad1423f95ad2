package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tarn/index"
	"tarn/internal/config"
	"tarn/store/blob"
	"tarn/store/digest"
	"tarn/store/remote"
)

var bg = context.Background()

// scratch is a directory for repositories, with a HOME of its own.
type scratch struct {
	t   testing.TB
	dir string
	env []string
}

// newScratch takes memory where there is some: the tests sync very often.
func newScratch(t testing.TB) *scratch {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	if m, err := os.MkdirTemp("/dev/shm", "tarn-test-"); err == nil {
		t.Cleanup(func() { os.RemoveAll(m) })
		dir = m
	}
	home := filepath.Join(dir, "home")
	must(t, os.Mkdir(home, 0o777))
	env := []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "LC_ALL=C",
		"GIT_TERMINAL_PROMPT=0", "GIT_MERGE_AUTOEDIT=no"}
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		env = append(env, "GIT_"+who+"_NAME=t", "GIT_"+who+"_EMAIL=t@example.com", "GIT_"+who+"_DATE=2026-01-02T03:04:05Z")
	}
	return &scratch{t, dir, env}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *scratch) path(names ...string) string {
	return filepath.Join(append([]string{s.dir}, names...)...)
}

func (s *scratch) tryGit(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", append([]string{"-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always"}, args...)...)
	cmd.Dir, cmd.Env = dir, s.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("git %v: %w: %s", args, err, out)
	}
	return strings.TrimSpace(string(out)), err
}

func (s *scratch) git(dir string, args ...string) string {
	s.t.Helper()
	out, err := s.tryGit(dir, args...)
	must(s.t, err)
	return out
}

// with opens the repository in dir, does something, and closes it.
func (s *scratch) with(dir string, o Options, do func(r *Repo) error) error {
	o.Dir, o.Env, o.Machine, o.Jobs = dir, s.env, "test", 2
	r, err := Open(bg, o)
	if err != nil {
		return err
	}
	return errors.Join(do(r), r.Close())
}

func (s *scratch) do(dir string, do func(r *Repo) error) {
	s.t.Helper()
	must(s.t, s.with(dir, Options{}, do))
}

// repo makes a repository that is ready for datasets, with a remote beside it.
func (s *scratch) repo(dir string) {
	s.t.Helper()
	must(s.t, os.MkdirAll(dir, 0o777))
	s.git(dir, "init", "--template=", "-q")
	s.git(dir, "remote", "add", "origin", "https://example.com/x.git")
	s.do(dir, func(r *Repo) error {
		if _, err := r.Init(bg); err != nil {
			return err
		}
		_, err := r.AddRemote("origin", "../remote", config.Repository, true)
		return err
	})
	s.commit(dir, "start")
}

func (s *scratch) commit(dir, message string) {
	s.t.Helper()
	s.git(dir, "add", "-A")
	s.git(dir, "commit", "-q", "--allow-empty", "-m", message)
}

func add(paths ...string) func(r *Repo) error {
	return func(r *Repo) error {
		_, err := r.Add(bg, AddOptions{Paths: paths})
		return err
	}
}

func pushAll(r *Repo) error {
	_, err := r.Push(bg, PushOptions{})
	return err
}

func fetchAll(r *Repo) error {
	_, err := r.Fetch(bg, FetchOptions{})
	return err
}

func pullAll(r *Repo) error {
	res, err := r.Pull(bg, FetchOptions{}, CheckoutOptions{})
	if err != nil && res != nil && res.Checkout != nil {
		for _, p := range append(res.Fetch.Problems, res.Checkout.Problems...) {
			err = fmt.Errorf("%w; %s: %w", err, p, p.Err)
		}
	}
	return err
}

func checkoutAll(force bool) func(r *Repo) error {
	return func(r *Repo) error {
		res, err := r.Checkout(bg, CheckoutOptions{Force: force})
		if err != nil && res != nil {
			for _, p := range res.Problems {
				err = fmt.Errorf("%w; %s: %w", err, p, p.Err)
			}
		}
		return err
	}
}

// tree is the files of a directory: path to kind and content, as f…, x…, l… (target) and d, which stands for an empty directory.
type tree map[string]string

func randomBytes(seed uint64, n int) string {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

// firstTree and secondTree are two versions of a dataset with one of each kind of entry and of change.
func firstTree() tree {
	return tree{
		"a.txt": "fone", "dup": "fone", "big.bin": "f" + randomBytes(1, 300<<10), "run.sh": "x#!/bin/sh\n", "link": "la.txt", "empty": "d", "zero": "f",
		"sub/one": "f1", "sub/two": "f2", "sub/deep/three": "f3", "turn": "fa file", "back/in": "fa directory",
	}
}

func secondTree() tree {
	t := firstTree()
	maps.Copy(t, tree{
		"a.txt": "ftwo", "big.bin": t["big.bin"][:200<<10] + "x" + t["big.bin"][200<<10:], "run.sh": "f#!/bin/sh\n", "link": "lsub/one", "empty/now": "fnot empty",
		"sub/new": "fnew", "more.bin": "f" + randomBytes(2, 150<<10), "turn/inner": "fa directory now", "back": "fa file now", "zero": "fnot zero",
	})
	for _, p := range []string{"empty", "sub/two", "turn", "back/in"} {
		delete(t, p)
	}
	return t
}

// write makes dir what the tree says; files that are right are not touched.
func (tr tree) write(t testing.TB, dir string) {
	t.Helper()
	have := readTree(t, dir)
	for p, v := range have {
		if tr[p] != v {
			must(t, os.RemoveAll(filepath.Join(dir, p)))
		}
	}
	must(t, os.MkdirAll(dir, 0o777))
	pruneEmpty(dir)
	for _, p := range slices.Sorted(maps.Keys(tr)) {
		if v := tr[p]; have[p] != v || v == "d" {
			writeEntry(t, filepath.Join(dir, p), v)
		}
	}
}

// pruneEmpty removes directories that hold nothing, below dir.
func pruneEmpty(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if sub := filepath.Join(dir, e.Name()); e.IsDir() {
			pruneEmpty(sub)
			os.Remove(sub)
		}
	}
}

func writeEntry(t testing.TB, path, v string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o777))
	switch v[0] {
	case 'd':
		must(t, os.MkdirAll(path, 0o777))
	case 'l':
		must(t, os.Symlink(v[1:], path))
	case 'x':
		must(t, os.WriteFile(path, []byte(v[1:]), 0o777))
	default:
		must(t, os.WriteFile(path, []byte(v[1:]), 0o666))
	}
}

// readTree reads a directory, without temporary files; nothing there is an empty tree.
func readTree(t testing.TB, dir string) tree {
	t.Helper()
	tr := tree{}
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, p)
		switch {
		case p == dir && errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case p == dir || strings.HasPrefix(e.Name(), ".tarn-tmp-"):
			return nil
		case e.IsDir():
			tr[rel] = "d"
		case e.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			tr[rel] = "l" + target
			return errors.Join(err, tr.notEmpty(rel))
		default:
			tr[rel] = readEntry(t, p)
		}
		return tr.notEmpty(rel)
	})
	must(t, err)
	return tr
}

func (tr tree) notEmpty(rel string) error {
	delete(tr, filepath.Dir(rel))
	return nil
}

func readEntry(t testing.TB, path string) string {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	b, err := os.ReadFile(path)
	must(t, err)
	if info.Mode()&0o100 != 0 {
		return "x" + string(b)
	}
	return "f" + string(b)
}

// differs is a short list of the paths in which two trees differ.
func (tr tree) differs(o tree) string {
	var out []string
	for p := range tr {
		if v, ok := o[p]; !ok || v != tr[p] {
			out = append(out, fmt.Sprintf("%s: %.20q, not %.20q", p, tr[p], v))
		}
	}
	for p, v := range o {
		if _, ok := tr[p]; !ok {
			out = append(out, fmt.Sprintf("%s: nothing, not %.20q", p, v))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// manifestTree is a version as the cache of r has it, byte for byte.
func manifestTree(r *Repo, raw []byte) (tree, error) {
	v, err := parseVersion(raw)
	if err != nil {
		return nil, err
	}
	store, err := r.openCache()
	if err != nil {
		return nil, err
	}
	tr := tree{}
	for e, err := range index.Walk(bg, v.Manifest, r.local(), "") {
		if err != nil {
			return nil, err
		}
		switch e.Kind {
		case index.Link:
			tr[e.Path] = "l" + e.Target
		case index.Dir:
			tr[strings.TrimSuffix(e.Path, "/")] = "d"
		default:
			b, err := store.Bytes(e.Digest, 1<<30)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", e.Path, err)
			}
			if digest.Sum(b) != e.Digest || int64(len(b)) != e.Size {
				return nil, fmt.Errorf("%s: wrong bytes", e.Path)
			}
			tr[e.Path] = string(byte(e.Kind)) + string(b)
		}
	}
	return tr, nil
}

// freshFetch makes an empty clone beside the remote in top with a manifest, and fetches it.
func (s *scratch) freshFetch(top string, raw []byte) (dir string, err error) {
	s.t.Helper()
	dir, err = os.MkdirTemp(top, "fresh-")
	must(s.t, err)
	s.t.Cleanup(func() { os.RemoveAll(dir) })
	s.copy(filepath.Join(top, "repo", ".tarn"), filepath.Join(dir, ".tarn"))
	s.bareGit(dir)
	must(s.t, os.WriteFile(filepath.Join(dir, "data.tarn"), raw, 0o666))
	return dir, s.with(dir, Options{}, fetchAll)
}

// bareGit makes a directory a repository without a commit, as git init does, only faster.
func (s *scratch) bareGit(dir string) {
	git := filepath.Join(dir, ".git")
	for _, d := range []string{"objects", "refs/heads"} {
		must(s.t, os.MkdirAll(filepath.Join(git, d), 0o777))
	}
	must(s.t, os.WriteFile(filepath.Join(git, "HEAD"), []byte("ref: refs/heads/main\n"), 0o666))
	must(s.t, os.WriteFile(filepath.Join(git, "config"), []byte("[core]\n\trepositoryformatversion = 0\n[remote \"origin\"]\n\turl = https://example.com/x.git\n"), 0o666))
}

// copy copies a directory with modes and links.
func (s *scratch) copy(from, to string) {
	s.t.Helper()
	must(s.t, filepath.WalkDir(from, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, p)
		dst := filepath.Join(to, rel)
		info, err := e.Info()
		switch {
		case err != nil:
			return err
		case e.IsDir():
			return os.MkdirAll(dst, 0o777)
		case e.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			return errors.Join(err, os.Symlink(target, dst))
		}
		b, err := os.ReadFile(p)
		return errors.Join(err, os.WriteFile(dst, b, info.Mode().Perm()))
	}))
}

// keys are the objects of a directory remote, sorted, and their bytes.
func keys(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	must(t, filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && p == dir {
			return nil
		}
		if err != nil || e.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		if strings.HasPrefix(rel, "tmp/") {
			return nil
		}
		b, err := os.ReadFile(p)
		all[filepath.ToSlash(rel)] = b
		return err
	}))
	return all
}

var pinKey = regexp.MustCompile(`^pin/[0-9a-f]{32}/([0-9a-f]{64})/[0-9a-f]+$`)

// pinned are the roots that a remote promises, with their manifests.
func pinned(all map[string][]byte) (roots map[string][]byte, err error) {
	roots = map[string][]byte{}
	for key := range all {
		m := pinKey.FindStringSubmatch(key)
		if m == nil {
			continue
		}
		d, err := digest.Parse(m[1])
		if err != nil {
			return nil, err
		}
		o, err := remote.Decode(all[remote.Name(remote.KindRoot, d)], remote.KindRoot, d)
		if err != nil {
			return nil, fmt.Errorf("a pinned root: %w", err)
		}
		roots[m[1]] = o.Subject
	}
	return roots, nil
}

// checkPinned fetches every pinned root into an empty clone and compares it byte for byte with the trees that may be there.
func (s *scratch) checkPinned(top string, versions map[string]tree, want ...string) error {
	all := keys(s.t, filepath.Join(top, "remote"))
	roots, err := pinned(all)
	if err != nil {
		return err
	}
	for _, w := range want {
		if roots[w] == nil {
			return fmt.Errorf("root %s has no pin", w[:12])
		}
	}
	for id, raw := range roots {
		dir, err := s.freshFetch(top, raw)
		if err != nil {
			return fmt.Errorf("fetch pinned root %s: %w", id[:12], err)
		}
		if err := s.holds(dir, raw, versions[id]); err != nil {
			return fmt.Errorf("pinned root %s: %w", id[:12], err)
		}
		os.RemoveAll(dir)
	}
	return nil
}

// holds says whether the cache of the repository in dir has all of a version, and that version is want (nil: whatever it is).
func (s *scratch) holds(dir string, raw []byte, want tree) error {
	return s.with(dir, Options{}, func(r *Repo) error {
		got, err := manifestTree(r, raw)
		if err != nil {
			return fmt.Errorf("the cache lacks something: %w", err)
		}
		if d := got.differs(want); want != nil && d != "" {
			return errors.New(d)
		}
		return nil
	})
}

func id(raw []byte) string { return digest.Sum(raw).String() }

// checkObjects says whether what has a final name in a cache and a remote has the bytes that the name promises.
func checkObjects(t testing.TB, cacheDir, remoteDir string) error {
	for key, b := range keys(t, cacheDir) {
		top, rest, _ := strings.Cut(key, "/")
		sub, name, _ := strings.Cut(rest, "/")
		if len(name) < 2*digest.Size {
			name = sub + name
		}
		if (top == "b3" || top == "pack") && digest.Sum(b).String() != name {
			return fmt.Errorf("cache: %s has wrong bytes", key)
		}
	}
	for key, b := range keys(t, remoteDir) {
		if err := checkRemoteObject(key, b); err != nil {
			return fmt.Errorf("remote: %s (%d bytes): %w", key, len(b), err)
		}
	}
	return nil
}

func checkRemoteObject(key string, b []byte) error {
	top, rest, _ := strings.Cut(key, "/")
	switch top {
	case "root", "page":
		d, err := digest.Parse(rest)
		if err != nil || len(b) < 6 {
			return errors.New("no object")
		}
		_, err = remote.Decode(b, remote.Kind(b[5]), d)
		return err
	case "pack":
		if !strings.HasSuffix(key, "/"+digest.Sum(b).String()) {
			return digest.ErrMismatch
		}
	case "pin", "claim", "recent", "tarn.json":
		if t := bytes.TrimSpace(b); len(t) < 2 || t[0] != '{' || t[len(t)-1] != '}' {
			return errors.New("not JSON")
		}
	default:
		return errors.New("a stranger")
	}
	return nil
}

// keepBucket is a wrapBucket that puts b in the place of the real bucket.
func keepBucket(b blob.Bucket) func(blob.Bucket) blob.Bucket {
	return func(blob.Bucket) blob.Bucket { return b }
}
