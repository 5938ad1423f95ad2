//go:build unix

package table

import (
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// readAll maps f: what is not looked at is not read, and what is stays in the kernel's cache.
func readAll(f *os.File) ([]byte, func([]byte), error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	size := info.Size()
	if !info.Mode().IsRegular() || size < headerSize || size > math.MaxInt {
		return nil, nil, fmt.Errorf("%w: it has %d bytes", errFormat, size)
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	return data, func(b []byte) { unix.Munmap(b) }, err
}
