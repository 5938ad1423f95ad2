//go:build unix

package main

import (
	"os"
	"runtime"
	"syscall"
)

// peak is the memory, in bytes, of the largest process that the command waited for.
func peak(s *os.ProcessState) int64 {
	most := s.SysUsage().(*syscall.Rusage).Maxrss
	if runtime.GOOS == "darwin" { // bytes there, KiB elsewhere
		return int64(most)
	}
	return int64(most) << 10
}
