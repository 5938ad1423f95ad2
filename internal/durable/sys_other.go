//go:build unix && !linux && !darwin

package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

const syncsFS = false

func syncFS(string) error {
	unix.Sync()
	return nil
}

func clone(*temp, *os.File) error { return ErrNoReflink }

func renameNew(old, new string) error { return renameNewError(old, new, unix.ENOSYS) }

func freeSpace(string) (int64, error) { return 0, errors.ErrUnsupported }

func copyRange(*temp, *os.File, int) (int, error) { return 0, ErrNoCopy }

func startSync(*os.File, int64, int64) {}
