//go:build unix

package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"tarn/store/cache"
	"tarn/store/digest"
)

// user is somebody who runs tarn as a process of its own, and git.
type user struct {
	t    *testing.T
	env  []string
	cred *syscall.Credential // nil: as the test
	self string              // the test's binary, which is tarn when called so
}

// newUser has a home in dir. With an id it is another user than the test's, in group gid.
func newUser(t *testing.T, dir string, uid, gid uint32) *user {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	self, err := os.Executable()
	check(t, err)
	u := &user{t: t, self: self}
	home := filepath.Join(dir, fmt.Sprint("home", uid))
	check(t, os.Mkdir(home, 0o777))
	if uid != 0 {
		u.cred = &syscall.Credential{Uid: uid, Gid: gid}
		check(t, os.Chown(home, int(uid), int(gid)))
		u.self = filepath.Join(dir, "tarn-binary") // that of go test is in a private directory
		if _, err := os.Stat(u.self); err != nil {
			b, err := os.ReadFile(self)
			check(t, err)
			check(t, os.WriteFile(u.self, b, 0o755))
			check(t, os.Chmod(u.self, 0o755))
		}
	}
	check(t, os.WriteFile(filepath.Join(home, "gitconfig"), []byte(gitconfig+"[safe]\n\tdirectory = *\n"), 0o644))
	check(t, os.Chmod(filepath.Join(home, "gitconfig"), 0o644))
	u.env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + filepath.Join(home, "gitconfig"), "LC_ALL=C",
		"NO_COLOR=1", "TARN_CONFIG_SYSTEM=" + filepath.Join(home, "system")}
	return u
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// try runs a command in dir with umask 077; code is its exit code.
func (u *user) try(dir, name string, args ...string) (out string, code int) {
	path := name
	if name == "tarn" {
		path = u.self
	}
	cmd := exec.Command("sh", append([]string{"-c", `umask 077; exec "$@"`, "sh", path}, args...)...)
	if name == "tarn" {
		// exec in sh passes the path on as the name, and by that name the binary is tarn
		link := filepath.Join(strings.TrimPrefix(u.env[0], "HOME="), "tarn")
		if _, err := os.Lstat(link); err != nil {
			check(u.t, os.Symlink(u.self, link))
		}
		cmd.Args[4] = link
	}
	cmd.Dir, cmd.Env = dir, u.env
	if u.cred != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: u.cred}
	}
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		u.t.Errorf("%s %v: %v", name, args, err)
	}
	return both.String(), cmd.ProcessState.ExitCode()
}

// run is try that has to succeed.
func (u *user) run(dir, name string, args ...string) string {
	u.t.Helper()
	out, code := u.try(dir, name, args...)
	if code != 0 {
		u.t.Errorf("%s %v in %s: exit code %d: %s", name, args, dir, code, out)
	}
	return out
}

// fails runs what has to fail with exit code 3 and that message.
func (u *user) fails(dir, message, name string, args ...string) {
	u.t.Helper()
	if out, code := u.try(dir, name, args...); code != exitFailed || !strings.Contains(out, message) || strings.Count(out, "\n") > 4 {
		u.t.Errorf("%s %v: exit code %d: %s", name, args, code, out)
	}
}

// repo makes a repository that uses a cache.
func (u *user) repo(dir, cache string) {
	check(u.t, os.Mkdir(dir, 0o777))
	if u.cred != nil {
		check(u.t, os.Chown(dir, int(u.cred.Uid), int(u.cred.Gid)))
	}
	u.run(dir, "git", "init", "-q")
	u.run(dir, "tarn", "init")
	u.use(dir, cache)
}

func (u *user) use(dir, cache string) {
	u.run(dir, "mkdir", "-p", ".git/tarn")
	u.run(dir, "git", "config", "-f", ".git/tarn/config", "cache.dir", cache)
}

func (u *user) commit(dir string) {
	u.run(dir, "git", "add", "-A")
	u.run(dir, "git", "commit", "-q", "-m", "x")
}

// files writes n files of a dataset, half of them the same for each seed.
func (u *user) files(dir string, n int, seed uint64) {
	for i := range n {
		r := rand.New(rand.NewPCG(seed*uint64(i%2), uint64(i)))
		b := make([]byte, []int{100, 5000, 140 << 10}[i%3])
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		u.write(filepath.Join(dir, fmt.Sprint(i%4), fmt.Sprint(i)), b)
	}
}

func (u *user) write(path string, b []byte) {
	check(u.t, os.MkdirAll(filepath.Dir(path), 0o777))
	check(u.t, os.WriteFile(path, b, 0o666))
}

// own makes what is in dir the user's.
func (u *user) own(dir string) {
	if u.cred == nil {
		return
	}
	check(u.t, filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(p, int(u.cred.Uid), int(u.cred.Gid)))
	}))
}

// sameTrees compares two directories.
func sameTrees(t *testing.T, a, b string) {
	t.Helper()
	x, err := tree(a)
	check(t, err)
	y, err := tree(b)
	check(t, err)
	if !maps.Equal(x, y) {
		t.Errorf("%s and %s differ", a, b)
	}
}

// soundCache: each object has the bytes of its name, no temp file is left, and so many repositories are registered.
func soundCache(t *testing.T, dir string, repositories int) {
	t.Helper()
	check(t, filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		top, rest, _ := strings.Cut(rel, "/")
		name := strings.Replace(rest, "/", "", 1)
		if top == "pack" {
			name = filepath.Base(rest)
		}
		if strings.HasPrefix(filepath.Base(p), "tmp-") || top == "corrupt" {
			t.Errorf("%s is left", rel)
		}
		if top == "b3" || top == "pack" {
			b, err := os.ReadFile(p)
			if digest.Sum(b).String() != name {
				t.Errorf("%s has wrong bytes", rel)
			}
			return err
		}
		return nil
	}))
	c, err := cache.Open(nil, dir, cache.Options{})
	check(t, err)
	defer c.Close()
	if rs, err := c.Users(); err != nil || len(rs) != repositories {
		t.Errorf("registered are %v, %v", rs, err)
	}
}

// Two repositories with four processes each, on one cache, adding, checking out and pulling much of the same at once.
func TestSharedCacheTogether(t *testing.T) {
	top := t.TempDir()
	u := newUser(t, top, 0, 0)
	shared := filepath.Join(top, "cache")
	hub := filepath.Join(top, "hub")
	u.repo(hub, shared)
	for i := range 4 {
		u.files(filepath.Join(hub, fmt.Sprint("d", i)), 24, uint64(i))
		u.run(hub, "tarn", "add", fmt.Sprint("d", i))
	}
	u.run(hub, "tarn", "remote", "add", "origin", filepath.Join(top, "remote"))
	u.commit(hub)
	u.run(hub, "tarn", "push")
	check(t, os.RemoveAll(shared)) // all begin with nothing
	var all sync.WaitGroup
	for r := range 2 {
		repo := filepath.Join(top, fmt.Sprint("r", r))
		u.run(top, "git", "clone", "-q", hub, repo)
		u.use(repo, shared)
		for i := range 4 {
			all.Go(func() { u.busy(repo, fmt.Sprint("d", i), filepath.Join(hub, fmt.Sprint("d", i)), uint64(100*r)) })
		}
	}
	all.Wait()
	soundCache(t, shared, 2)
	for r := range 2 {
		repo := filepath.Join(top, fmt.Sprint("r", r))
		u.run(repo, "tarn", "status")
		check(t, os.RemoveAll(filepath.Join(repo, "d0")))
		u.run(repo, "tarn", "checkout")
		u.commit(repo)
		u.run(repo, "tarn", "status", "--exit-code")
		u.run(repo, "tarn", "push")
	}
	sameTrees(t, filepath.Join(top, "r0", "d0"), filepath.Join(top, "r1", "d0"))
}

// busy works on one dataset of a repository.
func (u *user) busy(repo, d, first string, seed uint64) {
	dir := filepath.Join(repo, d)
	u.run(repo, "tarn", "pull", d)
	sameTrees(u.t, dir, first)
	for round := range uint64(3) {
		u.files(filepath.Join(dir, "new"), 12, 7+round) // the same in all datasets and both repositories
		if d != "d0" {
			u.files(filepath.Join(dir, "own"), 6, seed+round)
		}
		u.run(repo, "tarn", "add", d)
		kept := repo + "-" + d
		check(u.t, os.Rename(dir, kept))
		u.run(repo, "tarn", "checkout", d)
		sameTrees(u.t, dir, kept)
		check(u.t, os.RemoveAll(kept))
		u.run(repo, "tarn", "pull", d)
	}
}

// A cache that can only be read serves what it has, is not changed, and the rest is said.
func TestSharedCacheReadOnly(t *testing.T) {
	top := publicTemp(t)
	owner := newUser(t, top, 0, 0)
	reader, uid := owner, uint32(0)
	if os.Geteuid() == 0 {
		uid = 65534
		reader = newUser(t, top, uid, uid)
	}
	shared := filepath.Join(top, "cache")
	hub, repo := filepath.Join(top, "hub"), filepath.Join(top, "r")
	owner.repo(hub, shared)
	owner.files(filepath.Join(hub, "data"), 24, 1)
	owner.run(hub, "tarn", "add", "data")
	owner.run(hub, "tarn", "remote", "add", "origin", filepath.Join(top, "remote"))
	owner.commit(hub)
	owner.run(hub, "tarn", "push")
	owner.run(top, "chmod", "-R", "a+rX", hub, filepath.Join(top, "remote"))
	readOnly(t, shared)

	reader.run(top, "git", "clone", "-q", "--no-local", hub, repo)
	reader.use(repo, shared)
	reader.run(repo, "tarn", "pull")
	sameTrees(t, filepath.Join(repo, "data"), filepath.Join(hub, "data"))
	reader.run(repo, "tarn", "status", "--exit-code")
	check(t, os.RemoveAll(filepath.Join(repo, "data")))
	reader.run(repo, "tarn", "checkout")
	sameTrees(t, filepath.Join(repo, "data"), filepath.Join(hub, "data"))
	reader.run(repo, "tarn", "add", "data")
	reader.write(filepath.Join(repo, "data", "0", "new"), []byte("not in the cache"))
	reader.own(filepath.Join(repo, "data"))
	reader.fails(repo, "the cache can only be read", "tarn", "add", "data")
	owner.files(filepath.Join(hub, "data", "more"), 6, 3)
	writable(t, shared)
	owner.run(hub, "tarn", "add", "data")
	owner.run(hub, "tarn", "push")
	owner.commit(hub)
	check(t, os.RemoveAll(shared))
	owner.run(hub, "tarn", "add", "data/0")
	owner.run(top, "chmod", "-R", "a+rX", hub, filepath.Join(top, "remote"))
	readOnly(t, shared)
	before := stats(t, shared)
	check(t, os.Remove(filepath.Join(repo, "data", "0", "new")))
	reader.run(repo, "git", "pull", "-q")
	reader.fails(repo, "the cache can only be read", "tarn", "pull")
	reader.run(repo, "tarn", "pull", "--no-cache")
	sameTrees(t, filepath.Join(repo, "data"), filepath.Join(hub, "data"))
	reader.run(repo, "tarn", "status", "--exit-code")
	if now := stats(t, shared); !maps.Equal(before, now) {
		t.Error("the cache was changed")
	}
}

// publicTemp is a directory that every user may enter.
func publicTemp(t *testing.T) string {
	top, err := os.MkdirTemp("", "tarn-shared-")
	check(t, err)
	t.Cleanup(func() {
		filepath.WalkDir(top, func(p string, e fs.DirEntry, err error) error { // what was made read-only
			if e != nil && e.IsDir() {
				os.Chmod(p, 0o777)
			}
			return nil
		})
		os.RemoveAll(top)
	})
	check(t, os.Chmod(top, 0o777))
	return top
}

func readOnly(t *testing.T, dir string) {
	check(t, filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir():
			return os.Chmod(p, 0o555)
		}
		return os.Chmod(p, 0o444)
	}))
}

func writable(t *testing.T, dir string) {
	check(t, filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			err = os.Chmod(p, 0o777)
		}
		return err
	}))
}

// stats is what a directory holds: names, modes, sizes and times.
func stats(t *testing.T, dir string) map[string]string {
	all := map[string]string{}
	check(t, filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		all[p] = fmt.Sprint(info.Mode(), info.Size(), info.ModTime())
		return err
	}))
	return all
}

// Two users of a group, both with umask 077, add to one cache and use what the other added.
func TestSharedCacheGroup(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be two users")
	}
	top := publicTemp(t)
	const group = 54321
	users := []*user{newUser(t, top, 54001, group), newUser(t, top, 54002, group)}
	shared := filepath.Join(top, "cache")
	check(t, os.Mkdir(shared, 0o777))
	check(t, os.Chown(shared, 54001, group))
	check(t, os.Chmod(shared, fs.ModeSetgid|0o775))
	for round := range 2 {
		for i, u := range users {
			repo := filepath.Join(top, fmt.Sprint("r", i))
			if round == 0 {
				u.repo(repo, shared)
			}
			if round+i == 0 { // that the others share it, they see by its directory
				u.run(repo, "git", "config", "-f", ".git/tarn/config", "cache.shared", "group")
			}
			data := filepath.Join(repo, "data")
			u.files(data, 12, 5) // the same as the other's
			u.files(filepath.Join(data, "own"), 12, uint64(10+4*round+i))
			u.own(data)
			u.run(repo, "tarn", "add", "data")
			u.commit(repo)
			check(t, os.RemoveAll(data))
			u.run(repo, "tarn", "checkout")
			u.run(repo, "tarn", "status", "--exit-code")
		}
	}
	soundCache(t, shared, 2)
	// The second has nothing of the first's, and takes it out of the cache.
	users[0].run(top, "chmod", "-R", "a+rX", filepath.Join(top, "r0"))
	users[1].run(top, "git", "clone", "-q", "--no-local", filepath.Join(top, "r0"), filepath.Join(top, "c"))
	users[1].use(filepath.Join(top, "c"), shared)
	users[1].run(filepath.Join(top, "c"), "tarn", "checkout")
	sameTrees(t, filepath.Join(top, "c", "data"), filepath.Join(top, "r0", "data"))
	check(t, filepath.WalkDir(shared, func(p string, e fs.DirEntry, err error) error {
		check(t, err)
		info, err := e.Info()
		check(t, err)
		want := fs.FileMode(0o444)
		switch {
		case e.IsDir():
			want = fs.ModeDir | fs.ModeSetgid | 0o775
		case e.Name() == "lock", filepath.Base(filepath.Dir(p)) == "repo":
			want = 0o664
		}
		if st := info.Sys().(*syscall.Stat_t); info.Mode() != want || st.Gid != group {
			t.Errorf("%s: %v, group %d", p, info.Mode(), st.Gid)
		}
		return nil
	}))
}

// A cache on another file system than the workspace: nothing can be linked there, all kinds of links fall back to copies.
func TestSharedCacheOtherFileSystem(t *testing.T) {
	top := t.TempDir()
	shared, err := os.MkdirTemp("/dev/shm", "tarn-shared-")
	if err != nil {
		t.Skip("there is no second file system: ", err)
	}
	t.Cleanup(func() { os.RemoveAll(shared) })
	if device(t, top) == device(t, shared) {
		t.Skip("/dev/shm and the directory for temporary files are one file system")
	}
	u := newUser(t, top, 0, 0)
	for _, link := range []string{"", "reflink", "hardlink", "reflink,hardlink,copy", "symlink"} {
		repo := filepath.Join(top, "r"+link)
		u.repo(repo, shared)
		if link != "" {
			u.run(repo, "git", "config", "-f", ".git/tarn/config", "cache.link", link)
		}
		data := filepath.Join(repo, "data")
		u.files(data, 24, 1)
		u.run(repo, "tarn", "add", "data")
		kept := repo + "-kept"
		check(t, os.Rename(data, kept))
		u.run(repo, "tarn", "checkout")
		if link != "symlink" {
			sameTrees(t, data, kept)
		}
		u.commit(repo)
		u.run(repo, "tarn", "status", "--exit-code")
		u.run(repo, "tarn", "add", "data")
		u.run(repo, "git", "diff", "--exit-code")
	}
	soundCache(t, shared, 5)
}

func device(t *testing.T, dir string) uint64 {
	info, err := os.Stat(dir)
	check(t, err)
	return uint64(info.Sys().(*syscall.Stat_t).Dev)
}
