package fs

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

var (
	noSpace  = []error{windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL, windows.ERROR_DISK_QUOTA_EXCEEDED}
	readOnly = []error{windows.ERROR_WRITE_PROTECT}
	notDir   = []error{windows.ERROR_DIRECTORY, windows.ERROR_PATH_NOT_FOUND}
	noLocks  = []error{windows.ERROR_NOT_SUPPORTED, windows.ERROR_INVALID_FUNCTION}
)

// etagKept: the time of writing is settled when the file is closed, and on FAT the index depends on the name.
const etagKept = false

// etag: see the package comment; the file index stands for the inode.
func etag(f *os.File, info fs.FileInfo) (string, error) {
	var id windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &id); err != nil {
		return "", os.NewSyscallError("file index", err)
	}
	return etagOf(uint64(id.FileIndexHigh)<<32|uint64(id.FileIndexLow), info), nil
}
