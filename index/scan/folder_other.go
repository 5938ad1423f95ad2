//go:build !linux

package scan

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A folder is a directory, by its path. For concurrent use.
type folder struct{ path string }

// openFolder checks that path is a directory and no symlink.
func openFolder(path string) (folder, error) {
	info, err := os.Lstat(path)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "open", Path: path, Err: errNotDirectory}
	}
	return folder{path}, err
}

var errNotDirectory = errors.New("not a directory")

func (f folder) at(name string) string { return filepath.Join(f.path, name) }

// sub opens a directory in f.
func (f folder) sub(name string) (folder, error) { return openFolder(f.at(name)) }

func (f folder) close() {}

// stat describes name itself, not what it links to; "" is the folder.
func (f folder) stat(name string) (Stat, error) {
	info, err := os.Lstat(f.at(name))
	if err != nil {
		return Stat{}, err
	}
	return infoStat(info), nil
}

// readlink is the target of a symlink, with '/' between names.
func (f folder) readlink(name string) (string, error) {
	target, err := os.Readlink(f.at(name))
	return filepath.ToSlash(target), err
}

// open opens a file for reading, if it is a regular one.
func (f folder) open(name string) (*os.File, error) {
	info, err := os.Lstat(f.at(name))
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if err != nil {
		return nil, err
	}
	return os.Open(f.at(name))
}

// list calls visit for each name, in no order; name is valid during the call only.
func (f folder) list(visit func(name []byte, isDir bool) error) error {
	dir, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		entries, err := dir.ReadDir(1024)
		for _, e := range entries {
			if err := visit([]byte(e.Name()), e.IsDir()); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
