package profile

import (
	"bytes"
	"context"
	"flag"
	"os"
	"testing"

	"tarn/store/digest"
)

var benchCSV = flag.String("profile.csv", "", "table of the benchmark; empty: one is made")

func BenchmarkBuild(b *testing.B) {
	text := []byte(wide(100_000, 1))
	if *benchCSV != "" {
		var err error
		if text, err = os.ReadFile(*benchCSV); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		p, err := Build(context.Background(), "t.csv", bytes.NewReader(text), digest.Digest{}, Options{})
		if err != nil || p.Problem != "" {
			b.Fatal(p, err)
		}
		b.ReportMetric(float64(len(p.Encode(digest.Digest{}, digest.Digest{}))), "profile-B")
	}
}
