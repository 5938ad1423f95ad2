package drift

import "math"

// JensenShannon is the distance of that name to base 2, the root of the divergence: 0 for equal shares, 1 where nothing is common.
type JensenShannon struct {
	Distance float64
	Lo, Hi   float64 // where it can be, if a side is a sketch
	Binning  Binning
	Critical float64 // what two samples of this size from one distribution exceed once in 20 times
}

// NumericJS compares numbers in the deciles of the reference.
func NumericJS(ref, cur Sample) JensenShannon {
	b := Deciles(ref)
	return jensenShannon(b, b.Counts(ref), b.Counts(cur), ref.Eps, cur.Eps)
}

// CategoryJS compares classes.
func CategoryJS(cs []Category) JensenShannon {
	ref, cur := split(cs)
	return jensenShannon(Binning{Name: "each category"}, ref, cur, 0, 0)
}

func jensenShannon(b Binning, ref, cur []int64, epsRef, epsCur float64) JensenShannon {
	n, m := float64(sum(ref)), float64(sum(cur))
	if n == 0 || m == 0 {
		return JensenShannon{math.NaN(), math.NaN(), math.NaN(), b, math.NaN()}
	}
	b.Floor = "empty bins stay empty"
	r, c := make([]float64, len(ref)), make([]float64, len(ref))
	sum := 0.0
	for i := range ref {
		r[i], c[i] = float64(ref[i])/n, float64(cur[i])/m
		sum += jsTerm(r[i], c[i])
	}
	root := func(x float64) float64 { return math.Sqrt(math.Min(1, math.Max(0, x))) }
	j := JensenShannon{Distance: root(sum), Binning: b}
	j.Lo, j.Hi = j.Distance, j.Distance
	if epsRef+epsCur > 0 {
		lo, hi := band(r, c, epsRef, epsCur, jsTerm)
		j.Lo, j.Hi = root(lo), root(hi)
	}
	// Near equality the divergence in nats is an eighth of PSI.
	_, critical := noise(ref, cur)
	j.Critical = root(critical / (8 * math.Ln2))
	return j
}

// jsTerm is a bin's part of the divergence.
func jsTerm(r, c float64) float64 {
	t := 0.0
	if r > 0 {
		t += r * math.Log2(2*r/(r+c))
	}
	if c > 0 {
		t += c * math.Log2(2*c/(r+c))
	}
	return t / 2
}
