package check

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"testing"
)

// listed is a Source of so many files, whose digests are known; nothing can be read.
type listed struct {
	files
	n int
}

func (l listed) Entries(context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for i := range l.n {
			split := "train"
			if i%10 == 0 {
				split = "test"
			}
			e := Entry{Path: fmt.Sprintf("%s/%07d.jpg", split, i), Size: 1000}
			binary.LittleEndian.PutUint64(e.Digest[:], uint64(i%(l.n-5)+1)*0x9e3779b97f4a7c15) // the last five are copies
			if !yield(e, nil) {
				return
			}
		}
	}
}

// BenchmarkLeakage compares a million files by content; no byte of them is read.
func BenchmarkLeakage(b *testing.B) {
	in := testInput(b, tableContract("", custom("check: leakage, by: file, splits: {train: train, test: test}")), listed{n: 1_000_000})
	start := cpu(b)
	for b.Loop() {
		res, err := Run(b.Context(), in)
		if err != nil {
			b.Fatal(err)
		}
		if c := res.Checks[0]; c.Count == 0 || c.Total != 1_000_000 {
			b.Fatal(outcome(res))
		}
	}
	b.ReportMetric((cpu(b)-start)/float64(b.N), "cpu-s/op")
}
