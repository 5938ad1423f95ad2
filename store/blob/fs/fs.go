// Package fs is a directory as a bucket, for shared disks, NFS and USB drives. It knows paths, locks and what a file system promises;
// it must not know what the objects are. An object's key is its path, its bytes are the file's, so that other tools (b3sum, rsync, a
// static web server) can use the directory. What tarn needs beside the objects is in its subdirectory tmp.
//
// ETag: inode, modification time and size. A new version is written as a new file while the old one still has its inode, so two
// versions that follow each other differ by inode. An inode number that was freed may come back; therefore no object is replaced or
// deleted before the file system's clock has passed its modification time (a wait of a clock tick, for an object that is younger than
// that), and a later file with the same inode has a later time. So an ETag never returns, also when the same bytes are written twice
// in a tick, unless the clock is set back. Where inode numbers are made up (FAT, some FUSE), it may change without a write; that fails
// a Match which would hold, never the other way round.
//
// Clock: Modified is the file system's time, on NFS the server's. So is Now: it is measured on files that this bucket writes (a small
// one each minute, if there is need), and is this machine's time only where nothing can be written.
//
// On NFS other machines see a new name when their attribute cache says so; mount with lookupcache=none and actimeo=0 where pushes and gc
// run on several machines at once. Keys that differ in case only need a file system that tells them apart.
package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"tarn/internal/durable"
	"tarn/store/blob"
)

// tempDir is a name at the top that no key may have.
const (
	tempDir  = "tmp"
	lockName = "lock"
)

// Objects and directories have these modes, less the umask.
const (
	fileMode fs.FileMode = 0o666
	dirMode  fs.FileMode = 0o777
)

// Bucket implements blob.Bucket.
type Bucket struct {
	disk   *durable.Disk
	dir    string
	tmp    string
	clock  clock
	turn   chan struct{} // one of this process at a time waits for the lock file
	noLink atomic.Bool   // the file system has neither hard links nor an exclusive rename
}

// New is the bucket in dir, which need not exist: then nothing is in it, and the first Put makes it.
func New(disk *durable.Disk, dir string) *Bucket {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	tmp := filepath.Join(dir, tempDir)
	return &Bucket{disk: disk, dir: dir, tmp: tmp, clock: clock{disk: disk, tmp: tmp}, turn: make(chan struct{}, 1)}
}

func (b *Bucket) String() string { return b.dir }

// path is where key is; it fails if there can't be such an object.
func (b *Bucket) path(ctx context.Context, verb, key string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("%s %s in %s: %w", verb, key, b.dir, err)
	}
	if err := blob.CheckKey(key); err != nil {
		return "", fmt.Errorf("%s in %s: %w", verb, b.dir, err)
	}
	if reserved(key) {
		return "", fmt.Errorf("%s %s in %s: %w: %s/ is for temporary files", verb, key, b.dir, blob.ErrKey, tempDir)
	}
	return filepath.Join(b.dir, filepath.FromSlash(key)), nil
}

func reserved(key string) bool { return key == tempDir || strings.HasPrefix(key, tempDir+"/") }

// fail translates an error of the operating system, once.
func (b *Bucket) fail(verb, key string, err error) error {
	if err == nil {
		return nil
	}
	sentinel := sentinelOf(err)
	if sentinel == nil || errors.Is(err, sentinel) {
		return fmt.Errorf("%s %s in %s: %w", verb, key, b.dir, err)
	}
	return fmt.Errorf("%s %s in %s: %w: %w", verb, key, b.dir, sentinel, err)
}

func sentinelOf(err error) error {
	switch {
	case isAny(err, noSpace):
		return blob.ErrNoSpace
	case isAny(err, readOnly):
		return blob.ErrReadOnly
	case errors.Is(err, fs.ErrPermission):
		return blob.ErrAccess
	case errors.Is(err, errors.ErrUnsupported):
		return blob.ErrUnsupported
	}
	return nil
}

func isAny(err error, list []error) bool {
	for _, e := range list {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// isMissing: there is no such file, or a name on the way to it is no directory, or the name itself is one.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, durable.ErrNotRegular) || isAny(err, notDir)
}

// open opens an object. It also makes NFS look at the server's attributes, which a stat does not.
func (b *Bucket) open(ctx context.Context, verb, key string) (*os.File, blob.Info, error) {
	path, err := b.path(ctx, verb, key)
	if err != nil {
		return nil, blob.Info{}, err
	}
	f, stat, err := durable.OpenRegular(path)
	if err != nil && isMissing(err) {
		return nil, blob.Info{}, fmt.Errorf("%s %s in %s: %w", verb, key, b.dir, blob.ErrNotFound)
	}
	if err != nil {
		return nil, blob.Info{}, b.fail(verb, key, err)
	}
	info := b.info(key, stat)
	if info.ETag, err = etag(f, stat); err != nil {
		f.Close()
		return nil, blob.Info{}, b.fail(verb, key, err)
	}
	return f, info, nil
}

// info describes an object but for its ETag.
func (b *Bucket) info(key string, info fs.FileInfo) blob.Info {
	return blob.Info{Key: key, Size: info.Size(), Modified: info.ModTime(), Now: b.clock.now()}
}

func etagOf(inode uint64, info fs.FileInfo) string {
	return fmt.Sprintf("%x-%x-%x", inode, info.ModTime().UnixNano(), info.Size())
}

// Get implements blob.Bucket.
func (b *Bucket) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, blob.Info, error) {
	if off < 0 {
		return nil, blob.Info{}, fmt.Errorf("get %s in %s: %w: offset %d", key, b.dir, blob.ErrRange, off)
	}
	f, info, err := b.open(ctx, "get", key)
	if err != nil {
		return nil, blob.Info{}, err
	}
	left := max(info.Size-off, 0)
	if n >= 0 {
		left = min(left, n)
	}
	return &reader{ctx, io.NewSectionReader(f, off, left), f}, info, nil
}

// reader reads a part of a file until ctx is done.
type reader struct {
	ctx  context.Context
	part *io.SectionReader
	f    *os.File
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.part.Read(p)
}

func (r *reader) Close() error { return r.f.Close() }

// Stat implements blob.Bucket.
func (b *Bucket) Stat(ctx context.Context, key string) (blob.Info, error) {
	f, info, err := b.open(ctx, "stat", key)
	if err != nil {
		return blob.Info{}, err
	}
	return info, f.Close()
}
