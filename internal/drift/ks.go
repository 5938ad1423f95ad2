package drift

import "math"

// KS is the two-sample Kolmogorov–Smirnov test, two-sided, as scipy.stats.ks_2samp with method "auto" has it.
type KS struct {
	D      float64 // the largest distance between the two distribution functions
	Band   float64 // D is wrong by at most this, where a side is a sketch
	At     float64 // the value where it is
	P      float64 // of D or more, if both come from one distribution; NaN without values
	Method string  // how P was found: exact, asymptotic; upper bound: that of the least D which the band allows
	// Noise is the D that two samples of this size from one distribution exceed once in 20 times.
	Noise float64
}

// exactMax is up to how many values a side P is exact.
const exactMax = 10_000

// KolmogorovSmirnov compares a with b.
func KolmogorovSmirnov(a, b Sample) KS {
	n, m := a.N(), b.N()
	if n == 0 || m == 0 {
		return KS{D: math.NaN(), P: math.NaN(), At: math.NaN(), Method: "none", Noise: math.NaN()}
	}
	var up, down, upAt, downAt float64
	first := true
	walk(a, b, func(x float64, na, nb int64) {
		d := float64(na)/float64(n) - float64(nb)/float64(m)
		if first || d > up {
			up, upAt = d, x
		}
		if first || d < down {
			down, downAt = d, x
		}
		first = false
	})
	k := KS{D: math.Max(up, 0), At: upAt, Band: a.Eps + b.Eps, Noise: ksNoise(n, m)}
	if -down > up {
		k.D, k.At = -down, downAt
	}
	if max(n, m) <= exactMax && k.Band == 0 {
		k.Method = "exact"
		k.D, k.P = ksExact(n, m, k.D)
		return k
	}
	k.Method, k.P = "asymptotic", ksAsymptotic(n, m, k.D)
	if k.Band > 0 {
		k.Method, k.P = "upper bound", ksAsymptotic(n, m, math.Max(0, k.D-k.Band))
	}
	return k
}

func ksNoise(n, m int64) float64 {
	return math.Min(1, math.Sqrt(-math.Log(.05/2)/2*(1/float64(n)+1/float64(m))))
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// ksExact counts lattice paths (Hodges 1957). D is a multiple of 1/lcm(n, m), and is given back as one.
func ksExact(n, m int64, d float64) (float64, float64) {
	g := gcd(n, m)
	lcm := n / g * m
	h := int64(math.RoundToEven(d * float64(lcm)))
	d = float64(h) / float64(lcm)
	switch {
	case h == 0:
		return d, 1
	case n == m:
		return d, clip(outsideSquare(n, h))
	}
	return d, clip(outside(max(n, m), min(n, m), g, h))
}

func clip(p float64) float64 { return math.Min(1, math.Max(0, p)) }

// outsideSquare is the share of paths from (0, 0) to (n, n) that touch |i−j| ≥ h.
func outsideSquare(n, h int64) float64 {
	p := 0.0
	for k := n / h; k >= 0; k-- {
		t := 1.0
		for j := range h {
			t = float64(n-k*h-j) * t / float64(n+k*h+j+1)
		}
		p = t * (1 - p)
	}
	return 2 * p
}

// outside is the share of paths from (0, 0) to (m, n), m > n, that touch |i·n/g − j·m/g| ≥ h, by a recursion over the share itself, in the band where it is not 1
// (Viehmann, Numerically more stable computation of the p-values for the two-sample Kolmogorov–Smirnov test, 2021).
func outside(m, n, g, h int64) float64 {
	mg, ng := m/g, n/g
	row := make([]float64, n+1) // by j
	lo, hi := int64(0), int64(-1)
	for i := range m + 1 {
		// j is within while |i·ng − j·mg| < h.
		from, to := (i*ng-h)/mg+1, (i*ng+h-1)/mg
		if i*ng-h < 0 {
			from = 0
		}
		to = min(to, n)
		for j := hi + 1; j <= to; j++ {
			row[j] = 1 // in the last row it was outside
		}
		for j := from; j <= to; j++ {
			switch {
			case i == 0 && j == 0:
				row[0] = 0
			case i == 0:
				row[j] = row[j-1]
			case j == 0:
				// as in the row before, where it was within
			default:
				left := row[j-1]
				if j-1 < from {
					left = 1
				}
				row[j] = (float64(i)*row[j] + float64(j)*left) / float64(i+j)
			}
		}
		lo, hi = from, to
	}
	if n < lo || n > hi {
		return 1
	}
	return row[n]
}

// ksAsymptotic is the law of one sample of the size that two have together, for a finite size.
func ksAsymptotic(n, m int64, d float64) float64 {
	a, b := float64(max(n, m)), float64(min(n, m))
	en := math.RoundToEven(a * b / (a + b))
	if en < 1 {
		_, p := ksExact(n, m, d)
		return p
	}
	return clip(kolmogorovSF(int(en), d))
}
