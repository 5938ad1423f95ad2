package drift

import (
	"math"
	"slices"
)

// ChiSquare is Pearson's test of a 2×k contingency table, without Yates' correction.
type ChiSquare struct {
	Stat     float64
	DOF      int
	P        float64
	CramersV float64 // effect: √(χ²/n) of a table with two rows
	Merged   int     // categories that were put together since fewer than 5 were expected on a side
}

// expectedMin is how many values of a category are to be expected on each side.
const expectedMin = 5

// Contingency tests whether both sides have the categories in the same shares.
func Contingency(cs []Category) ChiSquare {
	ref, cur := split(cs)
	n, m := float64(sum(ref)), float64(sum(cur))
	if n == 0 || m == 0 {
		return ChiSquare{P: math.NaN(), Stat: math.NaN(), CramersV: math.NaN()}
	}
	expected := func(c Category) float64 { return float64(c.Ref+c.Cur) * math.Min(n, m) / (n + m) }
	sorted := slices.Clone(cs)
	slices.SortStableFunc(sorted, func(a, b Category) int { return int(min(1, max(-1, a.Ref+a.Cur-b.Ref-b.Cur))) })
	x := ChiSquare{}
	var kept []Category
	other := Category{}
	for _, c := range sorted {
		if expected(c) >= expectedMin && (x.Merged == 0 || expected(other) >= expectedMin) {
			kept = append(kept, c)
			continue
		}
		other.Ref, other.Cur = other.Ref+c.Ref, other.Cur+c.Cur
		x.Merged++
	}
	if x.Merged > 0 {
		kept = append(kept, other)
	}
	for _, c := range kept {
		for _, side := range [2][2]float64{{float64(c.Ref), n}, {float64(c.Cur), m}} {
			if e := float64(c.Ref+c.Cur) * side[1] / (n + m); e > 0 {
				x.Stat += (side[0] - e) * (side[0] - e) / e
			}
		}
	}
	x.DOF, x.P = len(kept)-1, 1
	if x.DOF > 0 {
		x.P = chi2SF(x.Stat, float64(x.DOF))
	}
	x.CramersV = math.Sqrt(x.Stat / (n + m))
	return x
}

// chi2SF is P(χ² ≥ x).
func chi2SF(x, dof float64) float64 {
	if x <= 0 {
		return 1
	}
	return gammaQ(dof/2, x/2)
}

// gammaQ is the upper regularized incomplete gamma function: a series below the bend, a continued fraction above it (Abramowitz and Stegun 6.5.29, 6.5.31).
func gammaQ(a, x float64) float64 {
	lg, _ := math.Lgamma(a)
	front := math.Exp(a*math.Log(x) - x - lg)
	if x < a+1 {
		term := 1 / a
		s := term
		for k := 1.0; term > s*1e-17; k++ {
			term *= x / (a + k)
			s += term
		}
		return 1 - front*s
	}
	const tiny = 1e-300
	b := x + 1 - a
	c, d := 1/tiny, 1/b
	h := d
	for i := 1.0; i < 1e6; i++ {
		an := -i * (i - a)
		b += 2
		if d = an*d + b; math.Abs(d) < tiny {
			d = tiny
		}
		if c = b + an/c; math.Abs(c) < tiny {
			c = tiny
		}
		d = 1 / d
		h *= d * c
		if math.Abs(d*c-1) < 1e-16 {
			break
		}
	}
	return front * h
}

// chi2Quantile is the x that χ² is below with probability q, by bisection.
func chi2Quantile(q, dof float64) float64 {
	lo, hi := 0.0, dof+1
	for chi2SF(hi, dof) > 1-q {
		hi *= 2
	}
	for range 200 {
		mid := (lo + hi) / 2
		if mid == lo || mid == hi {
			break
		}
		if chi2SF(mid, dof) > 1-q {
			lo = mid
		} else {
			hi = mid
		}
	}
	return (lo + hi) / 2
}
