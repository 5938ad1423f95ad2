package fs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"tarn/internal/durable"
	"tarn/store/blob"
)

// putTries bounds how often a Put starts again because others removed its directory, which they do when it is empty.
const putTries = 20

// errAgain: the directory went, or another way to commit is needed; start again.
var errAgain = errors.New("the directory is being removed")

// Put implements blob.Bucket. The object is written as a file in tmp; then it gets its name by link (Absent: exactly one of those who
// race wins) or, under the bucket's lock, by rename.
func (b *Bucket) Put(ctx context.Context, key string, body []byte, cond blob.Condition) (blob.Info, error) {
	path, err := b.path(ctx, "put", key)
	if err != nil {
		return blob.Info{}, err
	}
	for range putTries {
		var info blob.Info
		if info, err = b.put(ctx, key, path, body, cond); !errors.Is(err, errAgain) {
			return info, b.fail("put", key, err)
		}
	}
	return blob.Info{}, b.fail("put", key, err)
}

func (b *Bucket) put(ctx context.Context, key, path string, body []byte, cond blob.Condition) (blob.Info, error) {
	if err := holds(path, cond); err != nil { // looked at early, to spare the write; and again when it counts
		return blob.Info{}, err
	}
	f, err := b.write(body)
	if err != nil {
		return blob.Info{}, err
	}
	defer f.Abort()
	w, err := b.written(key, path, f)
	if err != nil {
		return blob.Info{}, err
	}
	if err := b.disk.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		return blob.Info{}, again(err)
	}
	if err := ctx.Err(); err != nil {
		return blob.Info{}, err
	}
	if err := b.commit(ctx, f, w, cond); err != nil {
		return blob.Info{}, err
	}
	return w.info, b.syncUp(filepath.Dir(path))
}

// written is a new version of an object on its way.
type written struct {
	path string
	info blob.Info
}

// written describes the synced temp file f, which is to be at path.
func (b *Bucket) written(key, path string, f *durable.File) (*written, error) {
	stat, err := f.OS().Stat() // after the sync, which on NFS is what sets the server's time
	if err != nil {
		return nil, err
	}
	b.clock.saw(stat.ModTime())
	w := &written{path, b.info(key, stat)}
	w.info.ETag, err = etag(f.OS(), stat)
	return w, err
}

// settle sees to the ETag where the name is a part of it, or closing the file.
func (w *written) settle() error {
	if etagKept {
		return nil
	}
	f, stat, err := durable.OpenRegular(w.path)
	if err != nil {
		return err
	}
	defer f.Close()
	w.info.ETag, err = etag(f, stat)
	return err
}

// write makes a temp file that holds body, synced.
func (b *Bucket) write(body []byte) (*durable.File, error) {
	f, err := b.disk.CreateTempMode(b.tmp, fileMode)
	if errors.Is(err, fs.ErrNotExist) {
		if err := b.disk.MkdirAll(b.tmp, dirMode); err != nil {
			return nil, err
		}
		f, err = b.disk.CreateTempMode(b.tmp, fileMode)
	}
	if err != nil {
		return nil, err
	}
	if _, err = f.Write(body); err == nil {
		err = f.Sync()
	}
	if err != nil {
		f.Abort()
		return nil, err
	}
	return f, nil
}

func (b *Bucket) commit(ctx context.Context, f *durable.File, w *written, cond blob.Condition) error {
	if cond.Absent && !b.noLink.Load() {
		return b.commitNew(f, w, cond)
	}
	return b.locked(ctx, cond != blob.Condition{}, func() error {
		if err := holds(w.path, cond); err != nil {
			return err
		}
		if err := b.release(ctx, w.path); err != nil {
			return err
		}
		if err := f.Commit(w.path, fileMode, true); err != nil {
			return again(err)
		}
		return w.settle()
	})
}

func (b *Bucket) commitNew(f *durable.File, w *written, cond blob.Condition) error {
	if cond.Match != "" {
		return blob.ErrPrecondition // absent and yet with an ETag
	}
	err := f.CommitNew(w.path, fileMode)
	switch {
	case err == nil:
		return w.settle()
	case errors.Is(err, fs.ErrExist):
		return blob.ErrPrecondition
	case errors.Is(err, errors.ErrUnsupported):
		b.noLink.Store(true)
		return errAgain
	}
	return again(err)
}

// again says that a directory went between its making and its use.
func again(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", errAgain, err)
	}
	return err
}

// holds says whether the object at path is as cond wants it, else ErrPrecondition.
func holds(path string, cond blob.Condition) error {
	if cond == (blob.Condition{}) {
		return nil
	}
	f, info, err := durable.OpenRegular(path)
	if err != nil {
		switch {
		case !isMissing(err):
			return err
		case cond.Match != "":
			return blob.ErrPrecondition
		}
		return nil
	}
	defer f.Close()
	tag, err := etag(f, info)
	if err == nil && (cond.Absent || tag != cond.Match) {
		err = blob.ErrPrecondition
	}
	return err
}

// release waits until the inode at path may be freed: see ETag in the package comment.
func (b *Bucket) release(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if isMissing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return b.clock.pass(ctx, info.ModTime())
}

// locked runs do while no other process replaces or deletes objects. Where the file system has no locks, do runs without, unless it
// needs one.
func (b *Bucket) locked(ctx context.Context, needed bool, do func() error) error {
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-b.turn }()
	lock, err := b.disk.Lock(ctx, filepath.Join(b.tmp, lockName), false)
	if err != nil {
		// A full disk has no room for the lock file; then it isn't there, and nobody holds it. A Delete makes room.
		if !isAny(err, noLocks) && (needed || !isAny(err, noSpace)) {
			return err
		}
		if needed {
			return fmt.Errorf("%w: the file system has no locks: %w", blob.ErrUnsupported, err)
		}
		return do()
	}
	defer lock.Unlock()
	return do()
}

// syncUp makes the names in dir and in its parents up to the bucket durable. The parents too: whoever made dir may not have got to it.
func (b *Bucket) syncUp(dir string) error {
	for {
		// Gone is in order: another one deleted what we wrote, and the directory with it.
		if err := b.disk.SyncDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if dir == filepath.Clean(b.dir) {
			return nil
		}
		dir = filepath.Dir(dir)
	}
}

// Delete implements blob.Bucket; it is durable too, so that what is deleted later can't be gone alone after a crash. Directories that
// become empty go with the object.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	path, err := b.path(ctx, "delete", key)
	if err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if isMissing(err) || err == nil && info.IsDir() {
		return nil
	}
	if err == nil {
		err = b.disk.MkdirAll(b.tmp, dirMode) // for the lock
	}
	if err != nil {
		return b.fail("delete", key, err)
	}
	dir := filepath.Dir(path)
	err = b.locked(ctx, false, func() error {
		if err := b.release(ctx, path); err != nil {
			return err
		}
		if err := b.disk.Remove(path); err != nil && !isMissing(err) {
			return err
		}
		for dir != filepath.Clean(b.dir) && b.disk.Remove(dir) == nil { // fails where it is not empty
			dir = filepath.Dir(dir)
		}
		return nil
	})
	if err == nil {
		err = b.syncUp(dir)
	}
	return b.fail("delete", key, err)
}
