//go:build unix

package check

import (
	"syscall"
	"testing"
)

// cpu is the processor time of the process, in seconds; less noisy than the clock on a machine that others use.
func cpu(tb testing.TB) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}
