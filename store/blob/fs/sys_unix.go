//go:build unix

package fs

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

var (
	noSpace  = []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG}
	readOnly = []error{syscall.EROFS}
	notDir   = []error{syscall.ENOTDIR}
	noLocks  = []error{syscall.ENOLCK, syscall.ENOSYS, syscall.ENOTSUP, syscall.EOPNOTSUPP, syscall.EINVAL}
)

// etagKept: a rename changes nothing of it.
const etagKept = true

// etag: see the package comment.
func etag(_ *os.File, info fs.FileInfo) (string, error) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", errors.ErrUnsupported
	}
	return etagOf(uint64(s.Ino), info), nil
}
