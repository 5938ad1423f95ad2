//go:build !linux && !darwin

package scan

import (
	"io"
	"os"
)

// mapFile reads f: on Windows a file that is mapped, or open, can't be replaced.
func mapFile(f *os.File) (data []byte, unmap func() error, err error) {
	data, err = io.ReadAll(f)
	return data, func() error { return nil }, err
}
