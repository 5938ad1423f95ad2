//go:build unix

package drift

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkKS is the test of 1,000,000 against 1,000,000 values as drift does it, from values in any order; bench/drift.py puts scipy's beside it.
func BenchmarkKS(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	var from, to [2][]float64
	for i := range from {
		for range 1_000_000 {
			from[i] = append(from[i], r.NormFloat64()*(1+.001*float64(i)))
		}
		to[i] = slices.Clone(from[i])
	}
	cpu := func() time.Duration {
		var u unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	start := cpu()
	for b.Loop() {
		for i := range from {
			copy(to[i], from[i])
		}
		KolmogorovSmirnov(NewSample(to[0]), NewSample(to[1]))
	}
	b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op")
}
