//go:build unix

package durable

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// openNonblock keeps an open from waiting for the writer of a FIFO; it also spares the runtime four system calls a file.
const openNonblock = syscall.O_NONBLOCK

var errNotDir error = syscall.ENOTDIR

// umask is read when the program starts, for reading sets it, and no file may be created in between.
var umask = readUmask()

func readUmask() fs.FileMode {
	mask := syscall.Umask(0o077)
	syscall.Umask(mask)
	return fs.FileMode(mask) & fs.ModePerm
}

func rename(old, new string) error { return os.Rename(old, new) }

func syncDir(dir string) error {
	f, err := os.OpenFile(dir, os.O_RDONLY|openNonblock|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !isNoCall(err) {
		return err
	}
	return nil
}

// isNoCall: the file system does not know this operation. Some network and FUSE file systems have no fsync of a directory, for
// example; their names are as durable as they make them.
func isNoCall(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported)
}

// isNoLink: FAT and some network file systems have no hard links, and say so in different ways.
func isNoLink(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EMLINK)
}

func renameNewError(old, new string, err error) error {
	if err == nil {
		return nil
	}
	if isNoCall(err) {
		err = errors.Join(errors.ErrUnsupported, err)
	}
	return &os.LinkError{Op: "rename", Old: old, New: new, Err: err}
}

func (r *Root) dirFile() (*os.File, error) {
	r.once.Do(func() { r.dir, r.err = r.root.OpenFile(".", os.O_RDONLY|openNonblock, 0) })
	return r.dir, r.err
}

func (r *Root) openFile(base string, flags int, perm fs.FileMode) (*os.File, error) {
	dir, err := r.dirFile()
	if err != nil {
		return nil, err
	}
	f, err := openAt(dir, r.path(base), base, flags, perm)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: r.path(base), Err: err}
	}
	return f, nil
}

// openAt opens base in dir; os.Root would follow a symlink in the last element.
func openAt(dir *os.File, name, base string, flags int, perm fs.FileMode) (*os.File, error) {
	for {
		fd, err := unix.Openat(int(dir.Fd()), base, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, uint32(perm.Perm()))
		if err == nil {
			return os.NewFile(uintptr(fd), name), nil
		}
		if err != unix.EINTR {
			return nil, err
		}
	}
}

// renameAt is one system call; os.Root would first look at new.
func (r *Root) renameAt(old, new string) error {
	dir, err := r.dirFile()
	if err == nil {
		err = unix.Renameat(int(dir.Fd()), old, int(dir.Fd()), new)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: r.path(old), New: r.path(new), Err: err}
	}
	return nil
}

// setTime sets access and modification time.
func (r *Root) setTime(base string, ns int64) error {
	dir, err := r.dirFile()
	if err != nil {
		return err
	}
	t := unix.NsecToTimespec(ns)
	return unix.UtimesNanoAt(int(dir.Fd()), base, []unix.Timespec{t, t}, unix.AT_SYMLINK_NOFOLLOW)
}

func (r *Root) linkAt(old, base string) error {
	dir, err := r.dirFile()
	if err == nil {
		err = unix.Linkat(unix.AT_FDCWD, old, int(dir.Fd()), base, 0)
	}
	if err != nil {
		return &os.LinkError{Op: "link", Old: old, New: r.path(base), Err: err}
	}
	return nil
}
