package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Disk is where files are changed. The nil *Disk is the real disk; tests hook another one. Safe for concurrent use.
type Disk struct{ hook Hook }

// Hooked returns a disk that asks h before each operation that changes files or makes them durable.
func Hooked(h Hook) *Disk { return &Disk{h} }

// real says that no hook watches, which is checked first so that the real disk pays for nothing else.
func (d *Disk) real() bool { return d == nil || d.hook == nil }

// do runs apply as the operation op; the caller has checked that d is hooked, or doesn't mind the cost of op.
func (d *Disk) do(op Op, apply func() error) error {
	if d.real() {
		return apply()
	}
	before := d.hook.Before(op)
	if fault, ok := errors.AsType[*Fault](before); before != nil && !(ok && fault.Applied) {
		return op.fail(before)
	}
	if err := apply(); err != nil {
		return err
	}
	d.hook.After(op)
	if before != nil {
		return op.fail(before)
	}
	return nil
}

// op describes an operation on path for the hook; on the real disk, where nobody looks, it does not make the path absolute.
func (d *Disk) op(kind OpKind, path, to string) Op {
	if d.real() {
		return Op{kind, path, to}
	}
	return Op{kind, abs(path), abs(to)}
}

func abs(path string) string {
	if path == "" {
		return ""
	}
	if a, err := filepath.Abs(path); err == nil {
		return a
	}
	return path
}

// WriteFile replaces path by a file that holds data: after a crash path is either as it was or whole. perm is subject to the umask.
func (d *Disk) WriteFile(path string, data []byte, perm fs.FileMode) error {
	f, err := d.CreateTempMode(filepath.Dir(path), perm)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Commit(path, perm, true); err != nil {
		return err
	}
	return d.SyncDir(filepath.Dir(path))
}

// MkdirAll makes dir and the parents that it lacks, each durable in its parent. A directory that is there already costs one stat,
// and is taken to be durable. fs.ErrNotExist where another process removed a part of it meanwhile.
func (d *Disk) MkdirAll(dir string, perm fs.FileMode) error {
	switch info, err := os.Stat(dir); {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return &fs.PathError{Op: "mkdir", Path: dir, Err: errNotDir}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := d.MkdirAll(parent, perm); err != nil {
			return err
		}
	}
	// Another process may be quicker. Its directory need not be durable yet, so the parent is synced all the same.
	if err := d.mkdir(dir, perm); err != nil {
		switch info, gone := os.Stat(dir); {
		case gone == nil && info.IsDir():
		case errors.Is(err, fs.ErrExist) && errors.Is(gone, fs.ErrNotExist):
			return gone
		default:
			return err
		}
	}
	return d.SyncDir(parent)
}

func (d *Disk) mkdir(dir string, perm fs.FileMode) error {
	return d.do(d.op(OpMkdir, dir, ""), func() error { return os.Mkdir(dir, perm) })
}

// Rename moves old over new, on one file system; the caller syncs the directories.
func (d *Disk) Rename(old, new string) error {
	return d.do(d.op(OpRename, old, new), func() error { return rename(old, new) })
}

// Link makes the hard link new to the file old; fs.ErrExist where new exists. The caller syncs the directory.
func (d *Disk) Link(old, new string) error {
	return d.do(d.op(OpLink, old, new), func() error { return os.Link(old, new) })
}

// Remove deletes a file or an empty directory; the caller syncs the directory where that matters.
func (d *Disk) Remove(path string) error {
	return d.do(d.op(OpRemove, path, ""), func() error { return os.Remove(path) })
}

// RemoveStale deletes the files of dir whose names satisfy is and that were not written to for age: what killed processes left. One that can't be deleted
// stays until the next time.
func (d *Disk) RemoveStale(dir string, age time.Duration, is func(name string) bool) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if !is(e.Name()) {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > age {
			_ = d.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

// RemoveAll deletes path and what is below it; a path that is not there is no error.
func (d *Disk) RemoveAll(path string) error {
	if d.real() {
		return os.RemoveAll(path)
	}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		entries, err := os.ReadDir(path)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := d.RemoveAll(filepath.Join(path, e.Name())); err != nil {
				return err
			}
		}
	}
	return d.Remove(path)
}

// Chmod sets the mode of a file or directory exactly, whatever the umask.
func (d *Disk) Chmod(path string, perm fs.FileMode) error {
	return d.do(d.op(OpChmod, path, ""), func() error { return os.Chmod(path, perm) })
}

// SyncDir makes the names in dir durable: what was created, renamed and removed. No-op on Windows and on file systems that can't.
func (d *Disk) SyncDir(dir string) error {
	return d.do(d.op(OpSyncDir, dir, ""), func() error { return syncDir(dir) })
}

// SyncFS makes durable all that was written so far to the file system that holds path, with one system call on Linux. Elsewhere it
// asks for as much as the system has; there RootFile.Commit has synced each file.
func (d *Disk) SyncFS(path string) error {
	return d.do(d.op(OpSyncFS, path, ""), func() error { return syncFS(path) })
}

// FreeSpace is how many bytes we may still write to the file system of path, or of its nearest parent that exists;
// errors.ErrUnsupported where the system can't say.
func FreeSpace(path string) (int64, error) {
	path = abs(path)
	for {
		n, err := freeSpace(path)
		parent := filepath.Dir(path)
		if !errors.Is(err, fs.ErrNotExist) || parent == path {
			return n, err
		}
		path = parent
	}
}

// OpenRegular opens a regular file for reading. It follows symlinks and never blocks on a FIFO; what is no regular file is an error.
func OpenRegular(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|openNonblock, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: ErrNotRegular}
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}
