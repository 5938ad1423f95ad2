package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"tarn/index/scan"
	"tarn/internal/durable"
	"tarn/store/cache"
	"tarn/store/remote"
)

// keepsExec says that the system knows executable bits.
const keepsExec = runtime.GOOS != "windows"

// lowSpace is from how few free bytes on doctor warns.
const lowSpace = 1 << 30

// slowClock is by how much the clock of a file system may differ from ours.
const slowClock = 2 * time.Second

// remoteTimeout bounds the wait for one remote.
const remoteTimeout = 20 * time.Second

func (d *doctor) cache(ctx context.Context) error {
	r := d.r
	store, err := r.openCache()
	if err != nil {
		d.fails("cache", err)
		return nil
	}
	d.say("cache", Fine, "", "%s", store.Dir())
	if n, err := store.Corrupt(); err != nil {
		d.fails("cache", err)
	} else if n > 0 {
		d.say("cache", Warning, "tarn pull", "%s found broken and put aside", plural(n, "object"))
	}
	if shown, err := r.visible(ctx, store.Dir()); err != nil {
		return err
	} else if shown && r.root != "" {
		d.say("cache", Warning, "echo /"+filepath.ToSlash(relTo(r.root, store.Dir()))+" >> .gitignore", "it stands in the work tree, and Git does not ignore it")
	}
	d.space("cache", store.Dir())
	d.shared(store)
	return d.links(store)
}

func relTo(base, path string) string {
	if rel, err := filepath.Rel(base, path); err == nil {
		return rel
	}
	return path
}

func (d *doctor) space(area, dir string) {
	free, err := durable.FreeSpace(dir)
	if err == nil && free < lowSpace {
		d.say(area, Warning, "df -h "+dir, "%d MiB are free there", free>>20)
	}
}

// shared looks at what several users or repositories need.
func (d *doctor) shared(store *cache.Cache) {
	if shared, _, _ := d.r.cfg.Get("cache", "", "shared"); shared == "group" {
		want := fs.ModeSetgid | 0o770
		if info, err := os.Stat(store.Dir()); err == nil && info.Mode()&want != want {
			d.say("cache", Warning, "chmod g+rwxs "+store.Dir(), "cache.shared is group, and the group can't write there")
		}
	}
	users, err := d.r.cacheUsers(store)
	if err != nil {
		d.fails("cache", err)
		return
	}
	for _, u := range users {
		if _, err := os.Stat(u.Path); errors.Is(err, fs.ErrNotExist) {
			d.say("cache", Warning, "rm "+u.File, "%s uses it, and is not there: if it is gone for good, forget it", u.Path)
		}
	}
}

// links says which kinds of links work, and whether the configured ones do.
func (d *doctor) links(store *cache.Cache) error {
	if d.r.root == "" {
		return nil
	}
	works, err := d.r.probeLinks(store)
	if err != nil {
		d.fails("links", err)
		return nil
	}
	if works == nil {
		d.say("links", Warning, "ls -ld "+store.Dir()+" "+d.r.root, "the cache or the work tree can't be written to")
		return nil
	}
	var good []string
	for _, kind := range cache.LinkKinds() {
		if works[kind] {
			good = append(good, kind)
		}
	}
	links := store.Links()
	_, origin, set := d.r.cfg.Get("cache", "", "link")
	used := "copy"
	if i := slices.IndexFunc(links, func(l string) bool { return works[l] }); i >= 0 {
		used = links[i]
	}
	if set && used != links[0] {
		d.say("links", Warning, "tarn cache dir", "%s asks for %s, which does not work from the cache to the work tree: files come by %s", origin, links[0], used)
		return nil
	}
	d.say("links", Fine, "", "files come by %s; what works here: %s", used, strings.Join(good, ", "))
	return nil
}

// workTree tries what the file system of the work tree does, in a directory that it removes.
func (d *doctor) workTree(context.Context) error {
	r := d.r
	if r.root == "" {
		return nil
	}
	d.space("work tree", r.root)
	root, err := r.disk.OpenRoot(r.root)
	if err != nil {
		return err
	}
	defer root.Close()
	dir, err := probeDir(root)
	if err != nil {
		d.say("work tree", Failing, "ls -ld "+r.root, "%s can't be written to: %s", r.root, err)
		return nil
	}
	defer root.Remove(filepath.Base(dir.Name()))
	defer dir.Close()
	before := len(d.out.Findings)
	for _, probe := range []func(*durable.Root) error{d.probeNames, d.probeExec, d.probeLink, d.probeTimes} {
		if err := probe(dir); err != nil {
			d.say("work tree", Failing, "", "a probe failed: %s", err)
		}
	}
	if len(d.out.Findings) == before {
		d.say("work tree", Fine, "", "names, executable bits, links and times are kept")
	}
	return nil
}

// probeDir makes a directory with the name of a temp file.
func probeDir(root *durable.Root) (*durable.Root, error) {
	f, err := root.CreateTemp(".")
	if err != nil {
		return nil, err
	}
	f.Abort()
	if err := root.Mkdir(f.Name(), 0o777); err != nil {
		return nil, err
	}
	return root.Sub(f.Name())
}

// makes makes an empty file, and calls look while it is there.
func makes(dir *durable.Root, name string, perm fs.FileMode, look func() error) error {
	f, err := dir.CreateTempMode(".", perm)
	if err != nil {
		return err
	}
	if err := f.Commit(name, perm); err != nil {
		return err
	}
	return errors.Join(look(), dir.Remove(name))
}

func (d *doctor) probeNames(dir *durable.Root) error {
	for _, pair := range []struct{ name, other, what string }{{"case-a", "case-A", "case"}, {"norm-\u00e9", "norm-e\u0301", "Unicode normalisation"}} {
		err := makes(dir, pair.name, 0o666, func() error {
			if _, err := dir.Lstat(pair.other); err == nil {
				d.say("work tree", Warning, "tarn status", "names that differ only in %s are one here: checkout names those that it can't make", pair.what)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if err := makes(dir, "byte-\xff", 0o666, func() error { return nil }); err != nil {
		d.say("work tree", Warning, "", "names that are not UTF-8 can't be made here")
	}
	return nil
}

func (d *doctor) probeExec(dir *durable.Root) error {
	for perm, want := range map[fs.FileMode]bool{0o666: false, 0o777: true} {
		err := makes(dir, "exec", perm, func() error {
			info, err := dir.Lstat("exec")
			if err == nil && keepsExec && (info.Mode()&0o100 != 0) != want {
				d.say("work tree", Warning, "", "executable bits are not kept: files show as changed in mode")
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *doctor) probeLink(dir *durable.Root) error {
	if err := dir.Symlink("target", "link"); err != nil {
		d.say("work tree", Warning, "", "symbolic links can't be made here: %s", err)
		return nil
	}
	return dir.Remove("link")
}

// probeTimes looks how finely times are kept, and whether the file system's clock is ours.
func (d *doctor) probeTimes(dir *durable.Root) error {
	var times []int64
	for range 4 {
		ns, err := scan.ProbeTime(dir, ".")
		if err != nil {
			return err
		}
		if skew := time.Since(time.Unix(0, ns)); skew.Abs() > slowClock {
			d.say("work tree", Warning, "date", "the clock of its file system differs from this machine's by %s", skew.Round(time.Second))
			break
		}
		times = append(times, ns)
		time.Sleep(3 * time.Millisecond)
	}
	if coarse(times) {
		d.say("work tree", Warning, "", "times are kept in whole seconds: a file that was just written is read once more")
	}
	return nil
}

func coarse(times []int64) bool {
	return len(times) > 1 && !slices.ContainsFunc(times, func(ns int64) bool { return ns%1e9 != 0 })
}

func (d *doctor) remotes(ctx context.Context) error {
	r := d.r
	names := r.cfg.Subsections("remote")
	if len(names) == 0 {
		d.say("remotes", Warning, "tarn remote add NAME URL", "none is set up: data are only here")
		return nil
	}
	for _, e := range r.cfg.All() {
		if e.Key == "remote" && (e.Section == "core" || e.Section == "dataset") && !slices.Contains(names, e.Value) {
			hint := "tarn remote default NAME"
			if e.Section == "dataset" {
				hint = "tarn config " + e.Name() + " NAME"
			}
			d.say("remotes", Failing, hint, "%s: %s names %q, and there is no such remote", e.Origin, e.Name(), e.Value)
		}
	}
	for _, name := range names {
		if err := d.remote(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// remote reads what a remote says about itself.
func (d *doctor) remote(ctx context.Context, name string) error {
	if dir, ok := d.directory(name); ok {
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			d.say("remotes", Warning, "ls -d "+dir, "%s: %s is not there: it is not mounted, or the first push makes it", name, dir)
			return nil
		case err == nil && !info.IsDir():
			d.say("remotes", Failing, "tarn remote show "+name, "%s: %s is not a directory", name, dir)
			return nil
		}
	}
	short, cancel := context.WithTimeout(ctx, remoteTimeout)
	defer cancel()
	d.r.report.Phase("look at remote "+name, -1, -1)
	_, err := d.r.connectFor(short, "", name, false)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		d.say("remotes", Fine, "", "%s can be read", name)
	case errors.Is(err, remote.ErrNoRemote):
		d.say("remotes", Fine, "", "%s can be read; nothing was pushed there yet", name)
	default:
		d.fails("remotes", fmt.Errorf("%s can't be read: %w", name, err))
	}
	return nil
}

// directory is that of a remote which is one.
func (d *doctor) directory(name string) (string, bool) {
	raw, _, ok := d.r.cfg.Get("remote", name, "url")
	if u, err := url.Parse(raw); !ok || err == nil && len(u.Scheme) > 1 && u.Scheme != "file" {
		return "", false
	}
	dir, err := d.r.localRemote(raw)
	return dir, err == nil
}
