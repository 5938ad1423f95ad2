package drift

import "math"

// kolmogorovSF is P(D ≥ x) of the one-sample statistic of n values (Simard and L'Ecuyer, Computing the Two-Sided Kolmogorov–Smirnov Distribution, 2011).
func kolmogorovSF(n int, x float64) float64 {
	nf := float64(n)
	t := nf * x
	z2 := t * x
	switch {
	case x >= 1:
		return 0
	case t <= .5:
		return 1
	case t <= 1:
		lf, _ := math.Lgamma(nf + 1)
		return 1 - math.Exp(lf-nf*math.Log(nf)+nf*math.Log(2*t-1))
	case t >= nf-1:
		return 2 * math.Pow(1-x, nf)
	case x >= .5:
		return 2 * smirnovSF(n, x)
	case n <= 140 && z2 <= 4:
		return 1 - durbin(n, x)
	case n <= 140:
		return 2 * smirnovSF(n, x)
	case z2 >= 370:
		return 0
	case z2 >= 2.2:
		return math.Min(1, 2*smirnovSF(n, x))
	case n <= 100_000 && nf*math.Pow(x, 1.5) <= 1.4:
		return 1 - durbin(n, x)
	}
	return 1 - pelzGood(nf, x)
}

// smirnovSF is P(D⁺ ≥ x) of n values (Smirnov, Birnbaum and Tingey). The terms are binomial probabilities, so that no logarithms of large factorials cancel.
// Above a million values it is the approximation of Maag and Dicaire, as in scipy. Of many values every so many terms do for all: as a function of j the term is
// smooth, and with n·x² from 2.2 on it and its derivatives are 0 at both ends, so that the trapezoidal rule has no error that a double would show.
func smirnovSF(n int, x float64) float64 {
	nf := float64(n)
	if n > 1_000_000 {
		e := 6*nf*x + 1
		return math.Exp(-e * e / (18 * nf))
	}
	sum, step := 0.0, max(1, n/smirnovTerms)
	for j := 0; j <= int(nf*(1-x)); j += step {
		p := x + float64(j)/nf
		if p >= 1 {
			break
		}
		sum += binomial(float64(j), nf, p) / p
	}
	return x * sum * float64(step)
}

// smirnovTerms is about how many terms are added up, at most twice as many.
const smirnovTerms = 8192

// binomial is the probability of j of n at p (Loader, Fast and Accurate Computation of Binomial Probabilities, 2000).
func binomial(j, n, p float64) float64 {
	q := 1 - p
	switch j {
	case 0:
		return math.Exp(n * math.Log1p(-p))
	case n:
		return math.Exp(n * math.Log(p))
	}
	dev := deviance(j, n*p) + deviance(n-j, n*q)
	if dev > 750 {
		return 0
	}
	lc := stirlingError(n) - stirlingError(j) - stirlingError(n-j) - dev
	return math.Exp(lc) * math.Sqrt(n/(2*math.Pi*j*(n-j)))
}

// deviance is x·ln(x/m) + m − x, without the loss where x is near m.
func deviance(x, m float64) float64 {
	if math.Abs(x-m) >= .1*(x+m) {
		return x*math.Log(x/m) + m - x
	}
	v := (x - m) / (x + m)
	s, term := (x-m)*v, 2*x*v
	for k := 3.0; ; k += 2 {
		term *= v * v
		next := s + term/k
		if next == s {
			return s
		}
		s = next
	}
}

// stirlingErrors are ln(n!) less Stirling's formula, up to 15.
var stirlingErrors = func() (t [16]float64) {
	for n := 1; n < len(t); n++ {
		f := float64(n)
		lf, _ := math.Lgamma(f + 1)
		t[n] = lf - (f+.5)*math.Log(f) + f - .5*math.Log(2*math.Pi)
	}
	return t
}()

func stirlingError(n float64) float64 {
	if n < 16 {
		return stirlingErrors[int(n)]
	}
	n2 := n * n
	return (1./12 - (1./360-(1./1260-(1./1680-1./1188/n2)/n2)/n2)/n2) / n
}

// durbin is P(D < x) by a power of a matrix (Marsaglia, Tsang and Wang, Evaluating Kolmogorov's Distribution, 2003).
func durbin(n int, x float64) float64 {
	t := float64(n) * x
	k := int(t) + 1
	m := 2*k - 1
	h := float64(k) - t
	H := make([]float64, m*m)
	for i := range m {
		for j := range m {
			if i-j+1 >= 0 {
				H[i*m+j] = 1
			}
		}
	}
	for i := range m {
		H[i*m] -= math.Pow(h, float64(i+1))
		H[(m-1)*m+i] -= math.Pow(h, float64(m-i))
	}
	if 2*h-1 > 0 {
		H[(m-1)*m] += math.Pow(2*h-1, float64(m))
	}
	for i := range m {
		for j := range m {
			for g := 1; g <= i-j+1; g++ {
				H[i*m+j] /= float64(g)
			}
		}
	}
	Q, exp := power(H, m, n)
	s := Q[(k-1)*m+k-1]
	for i := 1; i <= n; i++ {
		if s = s * float64(i) / float64(n); s < 1e-140 {
			s, exp = s*1e140, exp-140
		}
	}
	return s * math.Pow(10, float64(exp))
}

// power is A^n · 10^exp.
func power(a []float64, m, n int) (v []float64, exp int) {
	if n == 1 {
		return a, 0
	}
	half, e := power(a, m, n/2)
	v, exp = multiply(half, half, m), 2*e
	if n%2 == 1 {
		v = multiply(a, v, m)
	}
	if v[(m/2)*m+m/2] > 1e140 {
		for i := range v {
			v[i] *= 1e-140
		}
		exp += 140
	}
	return v, exp
}

func multiply(a, b []float64, m int) []float64 {
	c := make([]float64, m*m)
	for i := range m {
		row := c[i*m : i*m+m]
		for k := range m {
			x := a[i*m+k]
			for j, y := range b[k*m : k*m+m] {
				row[j] += x * y
			}
		}
	}
	return c
}

// pelzGood is P(D ≤ x) by an expansion in 1/√n (Pelz and Good, Approximating the Lower Tail-areas of the Kolmogorov–Smirnov One-sample Statistic, 1976).
func pelzGood(n, x float64) float64 {
	const pi2 = math.Pi * math.Pi
	const pi4, pi6 = pi2 * pi2, pi2 * pi2 * pi2
	z := math.Sqrt(n) * x
	z2 := z * z
	z4, z6 := z2*z2, z2*z2*z2
	logq := -pi2 / 8 / z2
	if logq < -708 {
		return 0
	}
	root := math.Sqrt(2 * math.Pi)
	var k [4]float64
	most := int(math.Ceil(16 * z / math.Pi))
	for i := most; i > 0; i-- {
		m2 := float64(2*i-1) * float64(2*i-1)
		m4, m6 := m2*m2, m2*m2*m2
		qp := math.Exp(logq * m2)
		k[0] += qp
		k[1] += qp * (-z2 + pi2/4*m2)
		k[2] += qp * (6*z6 + 2*z4 + (2*z4-5*z2)*pi2/4*m2 + pi4*(1-2*z2)/16*m4)
		k[3] += qp * (-30*z6 - 90*z4*z4 + pi2*(135*z4-96*z6)/4*m2 + pi4*(-60*z2+212*z4)/16*m4 + pi6*(5-30*z2)/64*m6)
	}
	for i, by := range []float64{z, 6 * z4, 72 * z6 * z, 6480 * z6 * z4} {
		k[i] *= root / by
	}
	var extra2, extra3 float64
	for i := most; i > 0; i-- {
		i2 := float64(i) * float64(i)
		qp := i2 * math.Exp(-pi2/2/z2*i2)
		extra2 += qp
		extra3 += qp * (3*z2 - pi2*i2)
	}
	k[2] -= extra2 * pi2 * root / (36 * z2 * z)
	k[3] += extra3 * pi2 * root / (216 * z6)
	s := math.Sqrt(n)
	return k[0] + k[1]/s + k[2]/n + k[3]/(n*s)
}
