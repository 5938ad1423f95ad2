package durable

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// syncsFS: sync(2) only schedules the writes here, so each file is synced by itself.
const syncsFS = false

func syncFS(string) error {
	return unix.Sync()
}

// clone makes the clone under a second temporary name, since clonefile makes a new file, and moves it over the first.
func clone(t *temp, src *os.File) error {
	dir, base := unix.AT_FDCWD, t.path
	name := filepath.Join(filepath.Dir(t.path), tempName(tempPrefix))
	if t.root != nil {
		d, err := t.root.dirFile()
		if err != nil {
			return err
		}
		dir, base, name = int(d.Fd()), filepath.Base(t.path), tempName(rootTempPrefix)
	}
	err := unix.Fclonefileat(int(src.Fd()), dir, name, unix.CLONE_NOFOLLOW|unix.CLONE_NOOWNERCOPY)
	for _, no := range []error{unix.ENOTSUP, unix.EXDEV, unix.EINVAL, unix.ENOSYS, unix.EPERM} {
		if errors.Is(err, no) {
			return ErrNoReflink
		}
	}
	if err == nil {
		err = replaceByClone(t, dir, name, base)
	}
	if err != nil {
		return &os.PathError{Op: "clone", Path: t.path, Err: err}
	}
	return nil
}

// replaceByClone opens the clone for reading, as its source may be read-only, and gives it the temp file's mode, name and a time of now.
func replaceByClone(t *temp, dir int, name, base string) error {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == nil {
		now := unix.NsecToTimeval(time.Now().UnixNano())
		err = errors.Join(
			unix.Fchmod(fd, uint32((t.mode&^umask).Perm())),
			unix.Futimes(fd, []unix.Timeval{now, now}),
			unix.Renameat(dir, name, dir, base))
		if err == nil {
			t.f.Close()
			t.f = os.NewFile(uintptr(fd), t.path)
			return nil
		}
		unix.Close(fd)
	}
	_ = unix.Unlinkat(dir, name, 0)
	return err
}

func renameNew(old, new string) error {
	return renameNewError(old, new, unix.RenamexNp(old, new, unix.RENAME_EXCL))
}

func freeSpace(path string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}

func copyRange(*temp, *os.File, int) (int, error) { return 0, ErrNoCopy }

func startSync(*os.File, int64, int64) {}
