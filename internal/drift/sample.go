package drift

import (
	"math"
	"slices"
	"sort"
)

// Sample is values in ascending order, none of them NaN; infinities are values.
type Sample struct {
	Values []float64
	Cum    []int64 // how many values there are up to and with Values[i], as a sketch has them; nil: each counts once
	Eps    float64 // of a sketch: most by which a share F(x) is wrong; 0: exact
}

// NewSample sorts values in their place and drops NaN.
func NewSample(values []float64) Sample {
	values = slices.DeleteFunc(values, math.IsNaN)
	new(Sorter).Sort(values)
	return Sample{Values: values}
}

// N is how many values the sample stands for.
func (s Sample) N() int64 {
	if s.Cum == nil {
		return int64(len(s.Values))
	}
	if len(s.Cum) == 0 {
		return 0
	}
	return s.Cum[len(s.Cum)-1]
}

// cum is how many values there are in front of position i.
func (s Sample) cum(i int) int64 {
	switch {
	case s.Cum == nil:
		return int64(i)
	case i == 0:
		return 0
	}
	return s.Cum[i-1]
}

// upTo is how many values are at most x.
func (s Sample) upTo(x float64) int64 {
	return s.cum(sort.Search(len(s.Values), func(i int) bool { return s.Values[i] > x }))
}

// below is how many values are less than x.
func (s Sample) below(x float64) int64 {
	return s.cum(sort.Search(len(s.Values), func(i int) bool { return s.Values[i] >= x }))
}

// at is the value of rank k, from 0.
func (s Sample) at(k int64) float64 {
	if s.Cum == nil {
		return s.Values[k]
	}
	return s.Values[sort.Search(len(s.Cum), func(i int) bool { return s.Cum[i] > k })]
}

// Quantile interpolates between order statistics, as numpy does by default.
func (s Sample) Quantile(q float64) float64 {
	n := s.N()
	if n == 0 {
		return math.NaN()
	}
	pos := q * float64(n-1)
	k := int64(pos)
	lo, hi := s.at(k), s.at(min(k+1, n-1))
	if f := pos - float64(k); f > 0 && lo != hi && !math.IsInf(lo, 0) {
		return lo + (hi-lo)*f
	}
	return lo
}

// finite is s without infinities.
func (s Sample) finite() Sample {
	lo := sort.Search(len(s.Values), func(i int) bool { return !math.IsInf(s.Values[i], -1) })
	hi := sort.Search(len(s.Values), func(i int) bool { return math.IsInf(s.Values[i], 1) })
	f := Sample{Values: s.Values[lo:hi], Eps: s.Eps}
	if s.Cum != nil {
		before := s.cum(lo)
		for _, c := range s.Cum[lo:hi] {
			f.Cum = append(f.Cum, c-before)
		}
	}
	return f
}

// Deviation is the standard deviation of all values, those that are infinite left out.
func (s Sample) Deviation() float64 {
	f := s.finite()
	n := float64(f.N())
	if n == 0 {
		return math.NaN()
	}
	var mean, m2, w float64
	for i, x := range f.Values {
		k := float64(f.cum(i+1) - f.cum(i))
		w += k
		d := x - mean
		mean += d * k / w
		m2 += k * d * (x - mean)
	}
	return math.Sqrt(m2 / n)
}

// distinct counts the different values, at most most+1.
func (s Sample) distinct(most int) (n int) {
	for i, x := range s.Values {
		if i == 0 || x != s.Values[i-1] {
			if n++; n > most {
				break
			}
		}
	}
	return n
}

// walk calls do with each different value of the two, ascending, and how many values of each are at most that.
func walk(a, b Sample, do func(x float64, na, nb int64)) {
	i, j := 0, 0
	for i < len(a.Values) || j < len(b.Values) {
		var x float64
		switch {
		case i == len(a.Values):
			x = b.Values[j]
		case j == len(b.Values):
			x = a.Values[i]
		default:
			x = min(a.Values[i], b.Values[j])
		}
		for i < len(a.Values) && a.Values[i] == x {
			i++
		}
		for j < len(b.Values) && b.Values[j] == x {
			j++
		}
		do(x, a.cum(i), b.cum(j))
	}
}
