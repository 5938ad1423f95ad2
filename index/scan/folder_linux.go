package scan

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// A folder is an open directory. Each call names at most one element of a path, so no rename or symlink above leads elsewhere.
// For concurrent use, except close.
type folder struct{ fd int }

// openFolder opens a directory by its path; its last element must not be a symlink.
func openFolder(path string) (folder, error) { return openAt(unix.AT_FDCWD, path) }

// sub opens a directory in f.
func (f folder) sub(name string) (folder, error) { return openAt(f.fd, name) }

func openAt(dir int, name string) (folder, error) {
	fd, err := retrying(func() (int, error) {
		return unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return folder{-1}, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return folder{fd}, nil
}

func (f folder) close() { unix.Close(f.fd) }

// stat describes name itself, not what it links to; "" is the folder.
func (f folder) stat(name string) (Stat, error) {
	var sys unix.Stat_t
	var err error
	for {
		if name == "" {
			err = unix.Fstat(f.fd, &sys)
		} else {
			err = unix.Fstatat(f.fd, name, &sys, unix.AT_SYMLINK_NOFOLLOW)
		}
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return Stat{}, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return unixStat(&sys), nil
}

// readlink is the target of a symlink.
func (f folder) readlink(name string) (string, error) {
	for size := 256; ; size *= 2 {
		buf := make([]byte, size)
		n, err := retrying(func() (int, error) { return unix.Readlinkat(f.fd, name, buf) })
		if err != nil {
			return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
		}
		if n < size {
			return string(buf[:n]), nil
		}
	}
}

// open opens a file for reading. It follows no symlink and never waits for a FIFO's other end.
func (f folder) open(name string) (*os.File, error) {
	fd, err := retrying(func() (int, error) {
		return unix.Openat(f.fd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

var direntBuffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// list calls visit for each name, in no order; name is valid during the call only.
func (f folder) list(visit func(name []byte, isDir bool) error) error {
	buf := direntBuffers.Get().(*[64 << 10]byte)
	defer direntBuffers.Put(buf)
	for {
		n, err := retrying(func() (int, error) { return unix.Getdents(f.fd, buf[:]) })
		if err != nil {
			return &fs.PathError{Op: "list", Path: ".", Err: err}
		}
		if n <= 0 {
			return nil
		}
		if err := f.visitDirents(buf[:n], visit); err != nil {
			return err
		}
	}
}

// visitDirents takes struct linux_dirent64 apart (getdents64(2)): inode 8 bytes, offset 8, length 2, type 1, name, NUL.
func (f folder) visitDirents(b []byte, visit func(name []byte, isDir bool) error) error {
	const typeAt, nameAt = 18, 19
	for len(b) > nameAt {
		size := int(binary.NativeEndian.Uint16(b[16:]))
		if size <= nameAt || size > len(b) {
			return &fs.PathError{Op: "list", Path: ".", Err: unix.EIO}
		}
		name, _, _ := bytes.Cut(b[nameAt:size], []byte{0})
		kind := b[typeAt]
		b = b[size:]
		if string(name) == "." || string(name) == ".." {
			continue
		}
		isDir := kind == unix.DT_DIR
		if kind == unix.DT_UNKNOWN {
			st, err := f.stat(string(name))
			isDir = err == nil && st.isDir() // an error comes again, and is told, when the entry is described
		}
		if err := visit(name, isDir); err != nil {
			return err
		}
	}
	return nil
}

func retrying(call func() (int, error)) (n int, err error) {
	for {
		if n, err = call(); err != unix.EINTR {
			return n, err
		}
	}
}
