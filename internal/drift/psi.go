package drift

import (
	"fmt"
	"math"
	"slices"
)

// PSI is the population stability index, Σ (r − c)·ln(r/c) over the shares r and c of bins.
type PSI struct {
	Value    float64
	Lo, Hi   float64 // where it can be, if a side is a sketch
	Binning  Binning
	Ref, Cur []int64 // by bin
	// Noise is what two samples of this size from one distribution have on average, (B−1)·(1/n+1/m), and Critical what they exceed once in 20 times.
	Noise, Critical float64
}

// Compat names other tools whose binning can be had.
type Compat string

// The tools.
const (
	Own        Compat = ""
	Evidently  Compat = "evidently"
	Soda3      Compat = "soda3"
	Deepchecks Compat = "deepchecks"
)

// Compats are the names that can be asked for.
var Compats = []string{string(Evidently), string(Soda3), string(Deepchecks)}

// floor is the share that an empty bin counts as.
const floor = 1e-4

// NumericPSI compares numbers. Deepchecks has none of numbers: ok is false.
func NumericPSI(ref, cur Sample, c Compat) (p PSI, ok bool) {
	if ref.N() == 0 || cur.N() == 0 {
		return PSI{}, false
	}
	switch c {
	case Deepchecks:
		return PSI{}, false
	case Evidently, Soda3:
		if ref, cur = ref.finite(), cur.finite(); ref.N() == 0 || cur.N() == 0 {
			return PSI{}, false
		}
	}
	switch c {
	case Evidently:
		if ref.distinct(20) <= 20 {
			p = CategoryPSI(perValue(ref, cur), c)
			p.Binning.Name = "each value (evidently)"
			return p, true
		}
		p.Binning = sturges(ref, cur)
	case Soda3:
		lo, hi := math.Min(ref.Values[0], cur.Values[0]), math.Max(ref.Values[len(ref.Values)-1], cur.Values[len(cur.Values)-1])
		p.Binning = equalWidth("10 equal widths over both (soda3)", lo, hi, 10)
	default:
		p.Binning = Deciles(ref)
	}
	p.Ref, p.Cur = p.Binning.Counts(ref), p.Binning.Counts(cur)
	p.compute(c, ref.Eps, cur.Eps)
	return p, true
}

// perValue takes each number for a category.
func perValue(ref, cur Sample) (cs []Category) {
	var r, c int64
	walk(ref, cur, func(x float64, nr, nc int64) {
		cs = append(cs, Category{fmt.Sprint(x), nr - r, nc - c})
		r, c = nr, nc
	})
	return cs
}

// CategoryPSI compares classes.
func CategoryPSI(cs []Category, c Compat) PSI {
	p := PSI{Binning: Binning{Name: "each category"}}
	if c == Deepchecks {
		cs = rareToOther(cs)
		p.Binning.Name = "each category with 1 % of the reference, and the rest (deepchecks)"
	}
	p.Ref, p.Cur = split(cs)
	p.compute(c, 0, 0)
	return p
}

// rareToOther puts what has less than 1 % of the reference together.
func rareToOther(cs []Category) (kept []Category) {
	ref, _ := split(cs)
	n := float64(sum(ref))
	other := Category{Name: "Other"}
	for _, c := range cs {
		if float64(c.Ref) < .01*n {
			other.Ref, other.Cur = other.Ref+c.Ref, other.Cur+c.Cur
			continue
		}
		kept = append(kept, c)
	}
	if other.Ref+other.Cur > 0 {
		kept = append(kept, other)
	}
	return kept
}

// shares are counts over their sum, with empty bins as the tool has them.
func shares(counts []int64, c Compat) ([]float64, string) {
	n := float64(sum(counts))
	s := make([]float64, len(counts))
	least := math.Inf(1)
	for i, k := range counts {
		if s[i] = float64(k) / n; k > 0 {
			least = math.Min(least, s[i])
		}
	}
	fill, note := floor, "a share has at least 0.0001"
	apply := func(x float64) float64 { return math.Max(x, fill) }
	switch c {
	case Evidently:
		note = "an empty bin counts as 0.0001"
		if least <= floor {
			fill, note = least/1e6, "an empty bin counts as a millionth of the smallest share"
		}
		apply = func(x float64) float64 {
			if x == 0 {
				return fill
			}
			return x
		}
	case Soda3:
		note = "an empty bin counts as 0.00001"
		apply = func(x float64) float64 {
			if x == 0 {
				return 1e-5
			}
			return x
		}
	case Deepchecks:
		fill, note = .01, "a share has at least 0.01"
	}
	for i := range s {
		s[i] = apply(s[i])
	}
	return s, note
}

func (p *PSI) compute(c Compat, epsRef, epsCur float64) {
	ref, note := shares(p.Ref, c)
	cur, _ := shares(p.Cur, c)
	p.Binning.Floor = note
	for i := range ref {
		p.Value += (ref[i] - cur[i]) * math.Log(ref[i]/cur[i])
	}
	p.Lo, p.Hi = p.Value, p.Value
	if epsRef+epsCur > 0 {
		p.Lo, p.Hi = band(ref, cur, epsRef, epsCur, func(r, c float64) float64 { return (r - c) * math.Log(r/c) })
	}
	p.Noise, p.Critical = noise(p.Ref, p.Cur)
}

// noise is what PSI is by chance, which goes as (1/n+1/m)·χ² with B−1 degrees of freedom (Yurdakul and Naranjo, 2020).
func noise(ref, cur []int64) (mean, critical float64) {
	by := 1/float64(sum(ref)) + 1/float64(sum(cur))
	dof := float64(len(ref) - 1)
	if dof < 1 {
		return 0, 0
	}
	return dof * by, chi2Quantile(.95, dof) * by
}

// band bounds a sum of f(r, c) over bins, where f is convex and 0 for equal shares: the share of a bin, which is a difference of two values of a distribution
// function, is wrong by at most 2·eps.
func band(ref, cur []float64, epsRef, epsCur float64, f func(r, c float64) float64) (lo, hi float64) {
	for i := range ref {
		er, ec := 2*epsRef, 2*epsCur
		if i == 0 || i == len(ref)-1 {
			er, ec = epsRef, epsCur
		}
		r := [2]float64{math.Max(floor, ref[i]-er), math.Min(1, ref[i]+er)}
		c := [2]float64{math.Max(floor, cur[i]-ec), math.Min(1, cur[i]+ec)}
		hi += max(f(r[0], c[0]), f(r[0], c[1]), f(r[1], c[0]), f(r[1], c[1]))
		switch {
		case r[0] > c[1]:
			lo += f(r[0], c[1])
		case c[0] > r[1]:
			lo += f(r[1], c[0])
		}
	}
	return lo, hi
}

// IsCompat says that a name is one of Compats.
func IsCompat(name string) bool { return slices.Contains(Compats, name) }
