//go:build linux || darwin

package cache

import (
	"io/fs"
	"syscall"
)

// inode is what a file is known by beside size and mtime.
type inode struct {
	dev, ino, links uint64
	ctime           int64 // ns
}

func inodeOf(info fs.FileInfo) (inode, bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return inode{}, false
	}
	return inode{uint64(s.Dev), uint64(s.Ino), uint64(s.Nlink), ctimeOf(s)}, true
}
