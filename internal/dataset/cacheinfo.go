package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"tarn/internal/config"
	"tarn/internal/durable"
	"tarn/store/cache"
	"tarn/store/digest"
)

// CacheInfo says what a cache is and has.
type CacheInfo struct {
	Dir    string
	Origin string // where cache.dir is set, PATH:LINE; "" where it is not
	cache.Totals
	Free   int64           // bytes that may still be written there; negative where the system can't say
	Links  []string        // as configured, in order
	Works  map[string]bool // which kinds of links work from there to the work tree
	Users  []CacheUser
	Exists bool
}

// CacheUser is a repository that uses the cache.
type CacheUser struct {
	Path string
	Here bool // it is this one
	Gone bool // nothing is there
}

// CacheDir is where the cache is, an absolute path.
func (r *Repo) CacheDir() string { return r.cacheDir() }

// CacheInfo looks at the cache. It makes and removes probe files in the cache and at the top of the work tree.
func (r *Repo) CacheInfo() (*CacheInfo, error) {
	store, err := r.openCache()
	if err != nil {
		return nil, err
	}
	info := &CacheInfo{Dir: store.Dir(), Links: store.Links(), Free: -1}
	if _, origin, ok := r.cfg.Get("cache", "", "dir"); ok {
		info.Origin = origin.String()
	}
	_, err = os.Stat(store.Dir())
	info.Exists = err == nil
	if info.Totals, err = store.Totals(); err != nil {
		return nil, fmt.Errorf("look at the cache: %w", err)
	}
	if free, err := durable.FreeSpace(store.Dir()); err == nil {
		info.Free = free
	}
	if info.Works, err = r.probeLinks(store); err != nil {
		return nil, err
	}
	info.Users, err = r.users(store)
	return info, err
}

// probeLinks is nil where one of the two places can't be written to, or there is no work tree.
func (r *Repo) probeLinks(store *cache.Cache) (map[string]bool, error) {
	if r.root == "" {
		return nil, nil
	}
	root, err := r.disk.OpenRoot(r.root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	works, err := store.Probe(root)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return nil, nil
	}
	return works, err
}

// users are this repository, if the cache is its own or knows it, and the others.
func (r *Repo) users(store *cache.Cache) ([]CacheUser, error) {
	others, err := r.cacheUsers(store)
	if err != nil {
		return nil, err
	}
	users := []CacheUser{{Path: r.git.CommonDir, Here: true}}
	for _, u := range others {
		_, err := os.Stat(u.Path)
		users = append(users, CacheUser{Path: u.Path, Gone: errors.Is(err, fs.ErrNotExist)})
	}
	return users, nil
}

// CacheMoved is a cache directory that was configured.
type CacheMoved struct {
	Old, New   string
	OldObjects int   // own objects and packs that stay in the old one
	OldBytes   int64 // of these
	NewExists  bool
	Shared     bool // others use the old one
	Linked     bool // files of the work tree are symbolic links into a cache
	Visible    bool // the new one stands in the work tree, and Git does not ignore it
}

// SetCacheDir sets cache.dir for this clone. Nothing is moved or deleted.
func (r *Repo) SetCacheDir(ctx context.Context, dir string) (*CacheMoved, error) {
	dir, err := r.checkCacheDir(dir)
	if err != nil {
		return nil, err
	}
	m := &CacheMoved{New: dir}
	if err := m.lookAtOld(ctx, r); err != nil {
		return nil, err
	}
	_, err = os.Stat(dir)
	m.NewExists = err == nil
	if m.Visible, err = r.visible(ctx, dir); err != nil {
		return nil, err
	}
	e := r.editor(config.Local)
	if dir == r.ownCache() {
		if err := e.Unset("cache", "", "dir"); err != nil && !errors.Is(err, config.ErrNotSet) {
			return nil, err
		}
		if err := r.loadConfig(); err != nil {
			return nil, err
		}
	}
	if r.cacheDir() != dir {
		err = e.Set("cache", "", "dir", dir)
	} else {
		err = nil
	}
	if err == nil {
		err = r.loadConfig()
	}
	return m, err
}

func (m *CacheMoved) lookAtOld(ctx context.Context, r *Repo) error {
	old, err := r.openCache()
	if err != nil {
		return err
	}
	tot, err := old.Totals()
	if err != nil {
		return fmt.Errorf("look at the cache: %w", err)
	}
	users, err := r.cacheUsers(old)
	if err != nil {
		return err
	}
	m.Old, m.OldObjects, m.OldBytes, m.Shared = old.Dir(), tot.Objects+tot.Packs, tot.ObjectBytes+tot.PackBytes, len(users) > 0
	err = r.linked(ctx, func(digest.Digest) error { m.Linked = true; return errEnough })
	if errors.Is(err, errEnough) {
		err = nil
	}
	r.store = nil
	return errors.Join(err, old.Close())
}

// checkCacheDir makes what the user wrote absolute, and says why it can't be a cache.
func (r *Repo) checkCacheDir(dir string) (string, error) {
	dir = filepath.Clean(r.absHere(dir))
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return "", fmt.Errorf("%w: %s is not a directory", ErrUsage, dir)
	}
	if p, err := r.rel(dir); err == nil && !under(filepath.ToSlash(dir), filepath.ToSlash(r.git.CommonDir)) {
		if t, ok := r.owner(p); ok {
			return "", fmt.Errorf("%w: %s is in the dataset %s", ErrUsage, dir, t.Dataset)
		}
		if p == "" {
			return "", fmt.Errorf("%w: %s is the root of the repository", ErrUsage, dir)
		}
	}
	return dir, nil
}

// visible says that a directory is in the work tree, and Git does not ignore it.
func (r *Repo) visible(ctx context.Context, dir string) (bool, error) {
	p, err := r.rel(dir)
	if err != nil || p == "" || under(filepath.ToSlash(dir), filepath.ToSlash(r.git.CommonDir)) {
		return false, nil
	}
	ignored, err := r.git.Ignored(ctx, []string{p})
	return err == nil && !ignored[p], err
}
