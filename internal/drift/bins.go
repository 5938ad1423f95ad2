package drift

import (
	"fmt"
	"math"
	"slices"
)

// Binning is how values became counts: it is half of the meaning of a PSI.
type Binning struct {
	Name  string    // deciles of the reference, categories, …
	Edges []float64 // between bins, ascending; the outer bins have no end. Nil for categories
	Left  bool      // a bin has its lower edge, else its upper one
	Floor string    // what became of empty bins
}

// Deciles are the bins (-∞, q₁], (q₁, q₂], … of the reference's quantiles; equal ones are merged.
func Deciles(ref Sample) Binning {
	b := Binning{Name: "deciles of the reference"}
	for i := 1; i < 10; i++ {
		if q := ref.Quantile(float64(i) / 10); len(b.Edges) == 0 || q > b.Edges[len(b.Edges)-1] {
			b.Edges = append(b.Edges, q)
		}
	}
	// Nothing is above the last edge where that is the reference's largest value: still new values can be.
	return b
}

// Counts are the values of s by bin.
func (b Binning) Counts(s Sample) []int64 {
	counts := make([]int64, 0, len(b.Edges)+1)
	before := int64(0)
	for _, e := range b.Edges {
		at := s.upTo(e)
		if b.Left {
			at = s.below(e)
		}
		counts = append(counts, at-before)
		before = at
	}
	return append(counts, s.N()-before)
}

// Bins is how many there are.
func (b Binning) Bins() int { return len(b.Edges) + 1 }

// equalWidth are n bins from lo to hi, each with its lower edge, the last one closed.
func equalWidth(name string, lo, hi float64, n int) Binning {
	b := Binning{Name: name, Left: true}
	step := (hi - lo) / float64(n)
	for i := 1; i < n; i++ {
		b.Edges = append(b.Edges, lo+float64(i)*step)
	}
	return b
}

// sturges are numpy's bins of that name over both samples.
func sturges(a, b Sample) Binning {
	lo, hi := math.Min(a.Values[0], b.Values[0]), math.Max(a.Values[len(a.Values)-1], b.Values[len(b.Values)-1])
	n := 1
	if hi > lo {
		width := (hi - lo) / (math.Log2(float64(a.N()+b.N())) + 1)
		n = int(math.Ceil((hi - lo) / width))
	}
	return equalWidth(fmt.Sprintf("%d equal widths over both (sturges)", n), lo, hi, n)
}

// Category is a value with how often both sides have it.
type Category struct {
	Name     string
	Ref, Cur int64
}

// Join puts counts of two sides together, by name.
func Join(ref, cur map[string]int64) []Category {
	var cs []Category
	for name, n := range ref {
		cs = append(cs, Category{name, n, cur[name]})
	}
	for name, n := range cur {
		if _, both := ref[name]; !both {
			cs = append(cs, Category{name, 0, n})
		}
	}
	slices.SortFunc(cs, func(a, b Category) int {
		switch {
		case a.Ref != b.Ref:
			return int(min(1, max(-1, b.Ref-a.Ref)))
		case a.Cur != b.Cur:
			return int(min(1, max(-1, b.Cur-a.Cur)))
		case a.Name < b.Name:
			return -1
		}
		return 1
	})
	return cs
}

// split gives the counts of both sides.
func split(cs []Category) (ref, cur []int64) {
	for _, c := range cs {
		ref, cur = append(ref, c.Ref), append(cur, c.Cur)
	}
	return ref, cur
}

func sum(counts []int64) (n int64) {
	for _, c := range counts {
		n += c
	}
	return n
}
