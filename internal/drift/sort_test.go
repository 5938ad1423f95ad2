package drift

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSort: by digits or not, the order is that of slices.Sort, and no zero has a sign.
func TestSort(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	var s Sorter
	for _, n := range []int{0, 1, digitsFrom - 1, digitsFrom, 5000, 300} {
		v := make([]float64, n)
		for i := range v {
			v[i] = []float64{r.NormFloat64(), float64(r.IntN(5)) - 2, math.Inf(1), math.Inf(-1), math.Copysign(0, -1), math.MaxFloat64, -math.SmallestNonzeroFloat64}[r.IntN(7)]
		}
		want := slices.Clone(v)
		slices.Sort(want)
		s.Sort(v)
		for i := range v {
			if v[i] != want[i] || math.Signbit(v[i]) && v[i] == 0 {
				t.Fatalf("%d: %v, want %v", i, v[i], want[i])
			}
		}
	}
}
