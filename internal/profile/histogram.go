package profile

import (
	"math"

	"tarn/internal/drift"
)

// Histogram is how many values there are in bins of equal width; the last one has its upper end.
type Histogram struct {
	Lo, Hi float64
	Counts []int64
}

// HistogramOf cuts what lies from lo to hi into bins; nil where there is nothing, or no width.
func HistogramOf(s drift.Sample, lo, hi float64, bins int) *Histogram {
	if s.N() == 0 || !(hi > lo) || math.IsInf(hi-lo, 0) {
		return nil
	}
	h := &Histogram{Lo: lo, Hi: hi}
	b := drift.Binning{Left: true, Edges: []float64{lo}}
	for i := 1; i < bins; i++ {
		b.Edges = append(b.Edges, lo+(hi-lo)*float64(i)/float64(bins))
	}
	b.Edges = append(b.Edges, math.Nextafter(hi, math.Inf(1)))
	counts := b.Counts(s)
	h.Counts = counts[1 : len(counts)-1]
	return h
}
