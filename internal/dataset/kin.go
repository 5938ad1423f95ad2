package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tarn/index"
	"tarn/index/scan"
	"tarn/index/vcs"
	"tarn/store/cache"
	"tarn/store/digest"
)

// kin is a repository with all its work trees: what one cache serves, together with those that it is shared with.
type kin struct {
	git   *vcs.Repo // of any of them
	trees []*Repo
	mine  bool // this repository
}

// named is a version that a repository names somewhere.
type named struct {
	dataset string
	raw     []byte
	current bool // in a work tree, in its index in Git, or in its HEAD
}

// kin of this repository. Others are opened only to look at.
func (r *Repo) kin(ctx context.Context) (*kin, error) {
	k := &kin{git: r.git, trees: []*Repo{r}, mine: true}
	tops, err := r.git.Worktrees(ctx)
	if err != nil {
		return nil, err
	}
	return k, k.open(ctx, r, tops)
}

// kinAt is the repository at a path that the cache has of it.
func (r *Repo) kinAt(ctx context.Context, path string) (*kin, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	g, err := vcs.Open(ctx, path, vcs.Options{Env: r.freeEnv()})
	if err != nil {
		return nil, err
	}
	k := &kin{git: g}
	tops, err := g.Worktrees(ctx)
	if err == nil {
		err = k.open(ctx, r, tops)
	}
	if err != nil {
		return nil, errors.Join(err, k.close())
	}
	return k, nil
}

func (k *kin) open(ctx context.Context, r *Repo, tops []string) error {
	for _, top := range tops {
		if real, err := filepath.EvalSymlinks(top); err == nil && real == r.root {
			continue
		}
		o := r.o
		o.Dir, o.Env, o.Report, o.peek = top, r.freeEnv(), Silent{}, true
		t, err := Open(ctx, o)
		if err != nil {
			return fmt.Errorf("open %s: %w", top, err)
		}
		k.trees = append(k.trees, t)
	}
	return nil
}

// freeEnv is the environment for git in other repositories: without what leads it to this one.
func (r *Repo) freeEnv() []string {
	return slices.DeleteFunc(slices.Clone(r.o.Env), func(s string) bool {
		name, _, _ := strings.Cut(s, "=")
		return slices.Contains([]string{"GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"}, name)
	})
}

// close closes all but this repository's own.
func (k *kin) close() (err error) {
	for i, t := range k.trees {
		if i > 0 || !k.mine {
			err = errors.Join(err, t.Close())
		}
	}
	if !k.mine {
		err = errors.Join(err, k.git.Close())
	}
	return err
}

// sharers are the other repositories that use the cache. One that can't be read is refused, for nobody knows what it needs; with force it is left out.
func (r *Repo) sharers(ctx context.Context, store *cache.Cache, force bool) (kins []*kin, err error) {
	users, err := r.cacheUsers(store)
	if err != nil {
		return nil, err
	}
	for _, u := range users {
		k, kerr := r.kinAt(ctx, u.Path)
		if ctx.Err() != nil {
			return kins, ctx.Err()
		}
		switch {
		case kerr == nil:
			kins = append(kins, k)
		case force:
			r.report.Warn(u.Path, "uses the cache and can't be read: "+kerr.Error())
		default:
			hint := "--force, to leave it out of account"
			if u.File != "" {
				hint = fmt.Sprintf("rm %s, if it is gone for good, or %s", u.File, hint)
			}
			return kins, &Hinted{fmt.Errorf("%w: the cache is shared with %s, which can't be read: %w", ErrRefused, u.Path, kerr), hint}
		}
	}
	return kins, nil
}

// cacheUsers are the other repositories of the cache: those that registered, and the one in whose directory it is.
func (r *Repo) cacheUsers(store *cache.Cache) ([]cache.User, error) {
	users, err := store.Users()
	if err != nil {
		return nil, fmt.Errorf("list users of the cache: %w", err)
	}
	if owner, ok := strings.CutSuffix(filepath.ToSlash(store.Dir()), "/tarn/cache"); ok {
		if _, err := os.Stat(filepath.Join(owner, "HEAD")); err == nil {
			users = append(users, cache.User{Path: filepath.FromSlash(owner)})
		}
	}
	users = slices.DeleteFunc(users, func(u cache.User) bool { return sameDir(u.Path, r.git.CommonDir) })
	slices.SortFunc(users, func(a, b cache.User) int { return strings.Compare(a.Path, b.Path) })
	return users, nil
}

func sameDir(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return a == b || err1 == nil && err2 == nil && os.SameFile(x, y)
}

// versions calls each with every version that the repository names, the current ones first; the same one may come several times. What is no manifest that can
// be read names nothing.
func (k *kin) versions(ctx context.Context, each func(named) error) error {
	for _, t := range k.trees {
		if err := t.current(ctx, each); err != nil {
			return err
		}
	}
	return k.history(ctx, each, "--all", "--reflog")
}

// history is the versions in commits that the arguments of git log lead to.
func (k *kin) history(ctx context.Context, each func(named) error, from ...string) error {
	seen := map[vcs.TreeFile]bool{}
	if err := k.git.History(ctx, func(f vcs.TreeFile) { seen[f] = true }, from...); err != nil {
		return fmt.Errorf("list versions in Git: %w", err)
	}
	for f := range seen {
		if err := k.read(ctx, f, false, each); err != nil {
			return err
		}
	}
	return nil
}

func (k *kin) read(ctx context.Context, f vcs.TreeFile, current bool, each func(named) error) error {
	raw, err := k.git.Contents(ctx, f.Object, index.MaxRoot)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if isNotFound(err) { // a shallow clone, an expired reflog
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s from git: %w", f.Path, err)
	}
	return each(named{strings.TrimSuffix(f.Path, ManifestSuffix), raw, current})
}

// current is what the work tree is at: its manifests, those in Git's index, those of HEAD.
func (r *Repo) current(ctx context.Context, each func(named) error) error {
	k := &kin{git: r.git}
	head, ok, err := r.git.Head(ctx)
	if err != nil {
		return err
	}
	var files []vcs.TreeFile
	if ok {
		if files, err = r.git.ManifestsAt(ctx, head); err != nil {
			return err
		}
	}
	staged, err := r.git.Staged(ctx)
	if err != nil {
		return err
	}
	for _, f := range append(files, staged...) {
		if err := k.read(ctx, f, true, each); err != nil {
			return err
		}
	}
	names, err := r.datasets(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		raw, err := readBounded(r.abs(name+ManifestSuffix), index.MaxRoot)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = each(named{name, raw, true})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// linked calls each with the objects that files of the work tree are symbolic links to.
func (r *Repo) linked(ctx context.Context, each func(digest.Digest) error) error {
	names, err := r.datasets(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if f, ok := r.cacheLink(name); ok {
			if err := eachLink(f, each); err != nil {
				return err
			}
			continue
		}
		for f, err := range scan.Walk(ctx, scan.Options{Root: r.abs(name), Name: name}) {
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, scan.ErrSymlink) || errors.Is(err, scan.ErrKind) {
				continue
			}
			if err == nil {
				err = eachLink(f, each)
			}
			if err != nil {
				return fmt.Errorf("look for links in %s: %w", name, err)
			}
		}
	}
	return nil
}

func eachLink(f scan.File, each func(digest.Digest) error) error {
	if f.Kind != index.Link {
		return nil
	}
	if d, ok := objectAt(f.Target); ok {
		return each(d)
	}
	return nil
}
