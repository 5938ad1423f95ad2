package profile

import "math"

// Dist is how numbers are spread: those of a column, its times, or the lengths of its texts.
type Dist struct {
	N        int64 // with infinities, without NaN
	NaN, Inf int64
	Min, Max float64 // with infinities; 0 without values
	Mean, M2 float64 // of finite values: M2 is the sum of squares of their distances from Mean
	Sketch   Sketch
}

// Variance is that of the finite values themselves, not an estimate for more; NaN where there is none.
func (d *Dist) Variance() float64 {
	if d.N == d.Inf {
		return math.NaN()
	}
	return d.M2 / float64(d.N-d.Inf)
}

// moments takes in n finite values of a mean and an M2 (Chan, Golub and LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample Variances, 1979).
func (d *Dist) moments(n int64, mean, m2 float64) {
	have := d.N - d.Inf
	if n == 0 {
		return
	}
	if have == 0 {
		d.Mean, d.M2 = mean, m2
		return
	}
	all := float64(have + n)
	by := mean - d.Mean
	d.Mean += by * float64(n) / all
	d.M2 += m2 + by*by*float64(have)/all*float64(n)
	if math.IsNaN(d.M2) {
		d.M2 = math.Inf(1)
	}
}

// bounds takes in n values from lo to hi.
func (d *Dist) bounds(n int64, lo, hi float64) {
	switch {
	case n == 0:
	case d.N == 0:
		d.Min, d.Max = lo, hi
	default:
		d.Min, d.Max = math.Min(d.Min, lo), math.Max(d.Max, hi)
	}
}

// addSorted takes values in, ascending, which it spoils.
func (d *Dist) addSorted(v []float64) {
	n := int64(len(v))
	if n == 0 {
		return
	}
	lo, hi := 0, len(v)
	for lo < hi && math.IsInf(v[lo], -1) {
		lo++
	}
	for hi > lo && math.IsInf(v[hi-1], 1) {
		hi--
	}
	finite := v[lo:hi]
	mean, m2 := momentsOf(finite)
	d.bounds(n, v[0], v[len(v)-1])
	d.moments(int64(len(finite)), mean, m2)
	d.N += n
	d.Inf += n - int64(len(finite))
	d.Sketch.addSorted(v)
}

// momentsOf are those of finite values.
func momentsOf(v []float64) (mean, m2 float64) {
	if len(v) == 0 {
		return 0, 0
	}
	n := float64(len(v))
	for _, x := range v {
		mean += x
	}
	if mean /= n; math.IsInf(mean, 0) || math.IsNaN(mean) { // the sum is too large for a number, the mean is not
		mean = 0
		for _, x := range v {
			mean += x / n
		}
	}
	off := 0.0 // what rounding left in the mean
	for _, x := range v {
		d := x - mean
		off += d
		m2 += d * d
	}
	if !math.IsInf(m2, 0) && !math.IsNaN(m2) {
		mean, m2 = mean+off/n, math.Max(0, m2-off*off/n)
	}
	return mean, m2
}

// addTimes takes a finite value in n times.
func (d *Dist) addTimes(x float64, n int64) {
	d.bounds(n, x, x)
	d.moments(n, x, 0)
	d.N += n
	d.Sketch.addTimes(x, n)
}

func (d *Dist) merge(o *Dist) {
	d.bounds(o.N, o.Min, o.Max)
	d.moments(o.N-o.Inf, o.Mean, o.M2)
	d.N, d.NaN, d.Inf = d.N+o.N, d.NaN+o.NaN, d.Inf+o.Inf
	d.Sketch.merge(&o.Sketch)
}
