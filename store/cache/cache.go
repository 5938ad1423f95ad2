// Package cache is the local object store: bytes by their digest. Large ones are files of their own, small ones stand in local packs.
// It verifies all that it gives out, and may be shared by many processes and users. It knows no names, no manifests and no remotes.
//
// A cache directory holds
//
//	b3/ab/cdef…     own objects, read-only: 128 KiB or more (4 KiB where files are hard- or symlinked first)
//	pack/ab/abcd…   local packs of smaller blobs, not compressed, about 64 MiB each
//	pack-index/     tables of what is in the packs; made again from them where they lack
//	verified/       tables of own objects that need not be read again before they are linked
//	corrupt/        own objects and marks of blobs whose bytes were wrong: never served; a mark goes with its pack
//	repo/           the repositories that use it, see Options.Repository
//	tmp/            temp files
//	lock            see Cache.Lock
package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"tarn/internal/durable"
	"tarn/store/digest"
	"tarn/store/table"
)

// Options say how a cache is used.
type Options struct {
	Links []string // how files come into the workspace: reflink, hardlink, symlink, copy, tried in this order; empty: reflink, copy
	Group bool     // what is created can be used by the group of the directory, whatever the umask

	Repository string // path of the repository that uses the cache, to be known to those who delete; empty: it need not be
}

// The least size in bytes of an own object, and of one where links come first.
const (
	ownMin       = 128 << 10
	ownMinLinked = 4 << 10
)

// Cache is an open cache directory. Its methods may be called at once, and many processes may use one directory at once.
type Cache struct {
	disk   *durable.Disk
	dir    string // absolute
	links  []string
	group  bool
	ownMin int64

	repository string

	set      *table.Set // of packs
	scanOnce sync.Once
	scanErr  error
	packs    packFiles
	own      ownList
	bad      corruptList
	verified verifiedList

	mu       sync.Mutex
	dirs     map[string]bool // made or seen
	anchored map[string]bool // directories whose own names are known to be durable
	noClone  map[uint64]bool // devices that the cache shares no blocks with

	probeOnce sync.Once
	probed    bool        // reflinks work within the cache
	cloned    atomic.Bool // a reflink worked: linking is worth a record
}

// Open opens the cache in dir. It need not exist; what is written first makes it. One that can only be read is good for reading.
// Unknown Links are an error.
func Open(disk *durable.Disk, dir string, o Options) (*Cache, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	c := &Cache{disk: disk, dir: dir, links: o.Links, group: o.Group, ownMin: ownMin, repository: o.Repository}
	c.dirs, c.anchored, c.noClone = map[string]bool{}, map[string]bool{}, map[uint64]bool{}
	if err := c.setLinks(o.Links); err != nil {
		return nil, err
	}
	if c.set, err = c.openTables(packIndexDir); err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	if err := c.bad.load(c.path(corruptDir)); err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	return c, nil
}

// GroupShared says that the directory belongs to a group whose members may write to it and to what is made in it: one who does not use the cache with Options.Group
// would leave there what the others can't read.
func GroupShared(dir string) bool {
	const shared = fs.ModeSetgid | 0o070
	info, err := os.Stat(dir)
	return err == nil && info.Mode()&shared == shared
}

func (c *Cache) openTables(name string) (*table.Set, error) {
	if c.group {
		return table.OpenGroup(c.disk, c.path(name))
	}
	return table.Open(c.disk, c.path(name))
}

func (c *Cache) setLinks(links []string) error {
	if len(links) == 0 {
		c.links = []string{linkReflink, linkCopy}
		return nil
	}
	for _, l := range links {
		switch l {
		case linkReflink, linkHard, linkSym, linkCopy:
		default:
			return fmt.Errorf("open cache: unknown kind of link %q, want reflink, hardlink, symlink or copy", l)
		}
	}
	if links[0] == linkHard || links[0] == linkSym {
		c.ownMin = ownMinLinked
	}
	return nil
}

// Close writes down which objects were verified, and releases files. Writers must be closed before.
func (c *Cache) Close() error {
	err := c.verified.close(c)
	c.packs.close()
	return errors.Join(err, c.set.Close())
}

// Dir is the directory, an absolute path.
func (c *Cache) Dir() string { return c.dir }

// The names in a cache directory.
const (
	ownDir       = "b3"
	packDir      = "pack"
	packIndexDir = "pack-index"
	verifiedDir  = "verified"
	corruptDir   = "corrupt"
	tmpDir       = "tmp"
	lockName     = "lock"
)

func (c *Cache) path(elem ...string) string {
	return filepath.Join(append([]string{c.dir}, elem...)...)
}

// ownPath is one string operation: it is asked for with every lookup.
func (c *Cache) ownPath(d digest.Digest) string {
	const sep = string(filepath.Separator)
	s := d.String()
	return c.dir + sep + ownDir + sep + s[:2] + sep + s[2:]
}

func (c *Cache) packPath(name digest.Digest) string {
	s := name.String()
	return c.path(packDir, s[:2], s)
}

// Lock is a hold on the cache.
type Lock struct{ l *durable.Lock }

// Unlock gives it up; a second call does nothing.
func (l *Lock) Unlock() error {
	if l == nil || l.l == nil {
		return nil
	}
	return l.l.Unlock()
}

// Lock holds the cache against gc: shared while objects are relied on that no manifest names yet, alone to delete. It waits until ctx is
// done. The shared lock of a cache that can only be read holds nothing, for nobody deletes there.
func (c *Cache) Lock(ctx context.Context, shared bool) (*Lock, error) {
	err := c.makeDir(c.dir)
	if err == nil {
		var l *durable.Lock
		if l, err = c.disk.Lock(ctx, c.path(lockName), shared); err == nil {
			c.share(c.path(lockName), 0o664)
			if err = errors.Join(c.register(), c.look()); err == nil {
				return &Lock{l}, nil
			}
			l.Unlock()
		}
	}
	if shared && isReadOnly(err) {
		return &Lock{}, nil
	}
	return nil, fmt.Errorf("lock cache: %w", err)
}

// look forgets what was seen before the lock was held: it may have been deleted since.
func (c *Cache) look() error {
	c.packs.forgetSeen()
	c.own.forget()
	return c.set.Refresh()
}

func isReadOnly(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// share gives the group its rights; only the owner can, and has done it before.
func (c *Cache) share(path string, perm fs.FileMode) {
	if !c.group {
		return
	}
	if info, err := os.Stat(path); err == nil && info.Mode()&(perm|fs.ModeSetgid) != perm {
		c.disk.Chmod(path, perm)
	}
}

// makeDir makes a directory in the cache, durably, or the cache itself.
func (c *Cache) makeDir(dir string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.makeDirLocked(dir)
}

func (c *Cache) makeDirLocked(dir string) error {
	if c.dirs[dir] {
		return nil
	}
	if dir != c.dir {
		if err := c.makeDirLocked(filepath.Dir(dir)); err != nil {
			return err
		}
	}
	if err := c.disk.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	c.share(dir, fs.ModeSetgid|0o775)
	c.dirs[dir] = true
	return nil
}

// fileMode is that of objects and packs: nobody writes to them again.
func (c *Cache) fileMode() fs.FileMode {
	if c.group {
		return 0o444
	}
	return 0o444 & durable.WorkMode(false)
}

// noteNoClone remembers that no blocks are shared with that device, so that it is not tried for every file.
func (c *Cache) noteNoClone(dev uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noClone[dev] = true
}

func (c *Cache) mayClone(dev uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.noClone[dev]
}
