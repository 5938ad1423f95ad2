package durable

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// syncsFS: SyncFS makes all files durable at once, so that a RootFile need not be synced by itself.
const syncsFS = true

func syncFS(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|openNonblock, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return &os.PathError{Op: "syncfs", Path: path, Err: err}
	}
	return nil
}

func clone(t *temp, src *os.File) error {
	err := unix.IoctlFileClone(int(t.f.Fd()), int(src.Fd()))
	for _, no := range []error{unix.EOPNOTSUPP, unix.EXDEV, unix.EINVAL, unix.ENOTTY, unix.ENOSYS, unix.EPERM} {
		if errors.Is(err, no) {
			return ErrNoReflink
		}
	}
	if err != nil {
		return &os.PathError{Op: "clone", Path: t.path, Err: err}
	}
	return nil
}

// copies are the file systems on which the kernel copies through its page cache, or shares blocks as a reflink does. On others, over a network, in user space or
// with clones of their own, a copy by this call has been known to differ from what a read gives.
var copies = []int64{unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, unix.TMPFS_MAGIC}

func copyRange(t *temp, src *os.File, n int) (int, error) {
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(t.f.Fd()), &s); err != nil || !slices.Contains(copies, int64(s.Type)) {
		return 0, ErrNoCopy
	}
	for {
		n, err := unix.CopyFileRange(int(src.Fd()), nil, int(t.f.Fd()), nil, n, 0)
		switch err {
		case nil:
			return n, nil
		case unix.EINTR:
		case unix.EXDEV, unix.ENOSYS, unix.EOPNOTSUPP, unix.EINVAL, unix.EPERM, unix.EIO:
			return 0, &os.PathError{Op: "copy", Path: t.path, Err: fmt.Errorf("%w: %w", ErrNoCopy, err)}
		default:
			return 0, &os.PathError{Op: "copy", Path: t.path, Err: err}
		}
	}
}

func startSync(f *os.File, off, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), off, n, unix.SYNC_FILE_RANGE_WRITE)
}

func renameNew(old, new string) error {
	err := unix.Renameat2(unix.AT_FDCWD, old, unix.AT_FDCWD, new, unix.RENAME_NOREPLACE)
	return renameNewError(old, new, err)
}

func freeSpace(path string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}
