package durable

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

const (
	openNonblock = 0
	syncsFS      = false // there is no such call for users; each file is flushed by itself
)

var errNotDir error = windows.ERROR_DIRECTORY

// umask: Windows has none.
const umask fs.FileMode = 0

// Scanners and indexers hold new files open for a moment; a rename over them or of them fails until they let go.
const (
	renameTries = 10
	renameDelay = 5 * time.Millisecond
)

func rename(old, new string) error { return patiently(func() error { return os.Rename(old, new) }) }

func patiently(try func() error) (err error) {
	for i := range renameTries {
		if err = try(); !errors.Is(err, windows.ERROR_ACCESS_DENIED) && !errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
			return err
		}
		time.Sleep(renameDelay << min(i, 4))
	}
	return err
}

func syncDir(string) error { return nil } // NTFS journals names; there is no call to wait for it

func syncFS(string) error { return nil }

func clone(*temp, *os.File) error { return ErrNoReflink }

func isNoLink(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, windows.ERROR_INVALID_FUNCTION)
}

func renameNew(old, new string) error {
	from, err := windows.UTF16PtrFromString(old)
	if err != nil {
		return err
	}
	to, err := windows.UTF16PtrFromString(new)
	if err != nil {
		return err
	}
	// Without MOVEFILE_REPLACE_EXISTING it is exclusive.
	if err := patiently(func() error { return windows.MoveFileEx(from, to, windows.MOVEFILE_WRITE_THROUGH) }); err != nil {
		return &os.LinkError{Op: "rename", Old: old, New: new, Err: err}
	}
	return nil
}

func freeSpace(path string) (int64, error) {
	p, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(p, &free, nil, nil); err != nil {
		return 0, &os.PathError{Op: "free space", Path: path, Err: err}
	}
	return int64(min(free, 1<<63-1)), nil
}

// openFile refuses symlinks and junctions by a look before, as there is no flag for that; a race stays inside the Root.
func (r *Root) openFile(base string, flags int, perm fs.FileMode) (*os.File, error) {
	if flags&os.O_EXCL == 0 {
		info, err := r.root.Lstat(base)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() && !info.Mode().IsRegular() {
			return nil, &fs.PathError{Op: "open", Path: r.path(base), Err: ErrNotRegular}
		}
	}
	return r.root.OpenFile(base, flags, perm)
}

func (r *Root) renameAt(old, new string) error {
	return patiently(func() error { return r.root.Rename(old, new) })
}

// setTime sets access and modification time.
func (r *Root) setTime(base string, ns int64) error {
	t := time.Unix(0, ns)
	return r.root.Chtimes(base, t, t)
}

func (r *Root) linkAt(old, base string) error { return os.Link(old, r.path(base)) }

func copyRange(*temp, *os.File, int) (int, error) { return 0, ErrNoCopy }

func startSync(*os.File, int64, int64) {}
