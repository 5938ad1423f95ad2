package drift

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// reference is what scipy finds: testdata/make_reference.py.
type reference struct {
	KS []struct {
		A, B               []float64
		D, At, Exact, Auto float64
		Asymp              *float64
	}
	KSPower []struct {
		N, M        int
		Exponent, P float64
		D           float64
	}
	KSTwo       [][3]float64
	Wasserstein []struct {
		A, B []float64
		W    float64
	}
	Chi2 []struct {
		Ref, Cur []int64
		Stat, P  float64
		DOF      int
	}
	Chi2PPF [][3]float64
	JS      []struct {
		Ref, Cur []int64
		D        float64
	}
	BH []struct{ P, Q []float64 }
}

func scipy(t *testing.T) (r reference) {
	t.Helper()
	b, err := os.ReadFile("testdata/scipy-1.17.1.json")
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(r.KS) == 0 || len(r.KSPower) == 0 || len(r.KSTwo) == 0 || len(r.Wasserstein) == 0 || len(r.Chi2) == 0 || len(r.Chi2PPF) == 0 || len(r.JS) == 0 || len(r.BH) == 0 {
		t.Fatal("there are no reference values")
	}
	return r
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > tolerance {
		t.Errorf("%s = %.17g, want %.17g", what, got, want)
	}
}

func sample(values ...float64) Sample { return NewSample(values) }

func power2(n int, e float64) Sample {
	s := Sample{Values: make([]float64, n)}
	for i := range s.Values {
		s.Values[i] = math.Pow((float64(i)+.5)/float64(n), e)
	}
	return s
}

func TestKSAsScipy(t *testing.T) {
	r := scipy(t)
	for i, c := range r.KS {
		a, b := sample(c.A...), sample(c.B...)
		k := KolmogorovSmirnov(a, b)
		if math.Abs(k.D-c.D) > 1e-15 || k.At != c.At || k.Method != "exact" {
			t.Errorf("%d: %+v, want D %v at %v", i, k, c.D, c.At)
		}
		near(t, "exact p", k.P, c.Auto, 1e-12)
		near(t, "exact p", k.P, c.Exact, 1e-12)
		if c.Asymp != nil {
			near(t, "asymptotic p", ksAsymptotic(a.N(), b.N(), c.D), *c.Asymp, 1e-10)
		}
	}
	for _, c := range r.KSPower {
		if testing.Short() && c.N > 500_000 {
			continue
		}
		k := KolmogorovSmirnov(power2(c.N, 1), power2(c.M, c.Exponent))
		near(t, "D", k.D, c.D, 1e-12)
		near(t, "p", k.P, c.P, 1e-10)
	}
	for _, c := range r.KSTwo {
		if testing.Short() && c[0] > 200_000 {
			continue
		}
		near(t, "kstwo.sf", kolmogorovSF(int(c[0]), c[1]), c[2], 1e-10)
	}
}

// One value a side has no asymptotic p in scipy: it is exact here. The size of the one sample is rounded half to even.
func TestKSEdges(t *testing.T) {
	near(t, "p of 1 and 1", ksAsymptotic(1, 1, 1), 1, 0)
	near(t, "p of 5 and 5", ksAsymptotic(5, 5, .6), .32, 1e-12)
	inf := math.Inf(1)
	k := KolmogorovSmirnov(sample(-inf, 1, inf, math.NaN()), sample(1, inf, inf))
	near(t, "D", k.D, 1./3, 1e-15)
	if k := KolmogorovSmirnov(sample(), sample(1)); !math.IsNaN(k.D) || !math.IsNaN(k.P) {
		t.Errorf("without values: %+v", k)
	}
}

// A sketch's counts stand for the same values written out.
func TestSampleWithCounts(t *testing.T) {
	long := sample(1, 1, 1, 2, 5, 5, 9)
	short := Sample{Values: []float64{1, 2, 5, 9}, Cum: []int64{3, 4, 6, 7}}
	other := sample(0, 1, 2, 2, 7, 8, 8)
	if a, b := KolmogorovSmirnov(long, other), KolmogorovSmirnov(short, other); a != b {
		t.Errorf("%+v, %+v", a, b)
	}
	if a, b := WassersteinDistance(long, other), WassersteinDistance(short, other); math.Abs(a.Value-b.Value)+math.Abs(a.Scale-b.Scale)+math.Abs(a.Noise-b.Noise) > 1e-12 {
		t.Errorf("%+v, %+v", a, b)
	}
	for _, q := range []float64{0, .1, .3, .5, .77, 1} {
		near(t, "quantile", short.Quantile(q), long.Quantile(q), 0)
	}
}

// With a band p is that of the least D in it.
func TestKSBand(t *testing.T) {
	a, b := power2(3000, 1), power2(3000, 1.05)
	exact := KolmogorovSmirnov(a, b)
	a.Eps, b.Eps = .003, .002
	k := KolmogorovSmirnov(a, b)
	near(t, "band", k.Band, .005, 1e-15)
	near(t, "p", k.P, ksAsymptotic(3000, 3000, exact.D-.005), 1e-12)
	if a.Eps = 1; KolmogorovSmirnov(a, b).P != 1 {
		t.Error("a band of everything, and p is not 1")
	}
}

func upTo100() (ref, cur Sample) {
	for i := 1; i <= 100; i++ {
		ref.Values = append(ref.Values, float64(i))
		cur.Values = append(cur.Values, 1.1*float64(i)+5)
	}
	return ref, cur
}

func TestNumericPSI(t *testing.T) {
	ref, cur := upTo100()
	far := Sample{}
	for i := 201; i <= 250; i++ {
		far.Values = append(far.Values, float64(i))
	}
	few, new6 := Sample{}, Sample{}
	for i := range 100 {
		few.Values = append(few.Values, float64(1+i/20))
	}
	for i, n := range []int{10, 20, 20, 20, 20, 10} {
		for range n {
			new6.Values = append(new6.Values, float64(i+1))
		}
	}
	for _, c := range []struct {
		ref, cur Sample
		compat   Compat
		want     float64
		tol      float64
		bins     int
	}{
		{ref, cur, Own, .15136, 5e-6, 10}, {ref, cur, Evidently, .8972658101937168, 1e-12, 9}, {ref, cur, Soda3, 1.07783, 5e-6, 10},
		{ref, far, Evidently, 16.362314103553643, 1e-12, 9}, {few, new6, Evidently, .7593994704263101, 1e-12, 1},
	} {
		p, ok := NumericPSI(c.ref, c.cur, c.compat)
		if !ok || p.Binning.Bins() != c.bins || p.Lo != p.Value || p.Hi != p.Value {
			t.Errorf("%s: %+v", c.compat, p)
		}
		near(t, "psi "+string(c.compat), p.Value, c.want, c.tol)
	}
	if _, ok := NumericPSI(ref, cur, Deepchecks); ok {
		t.Error("deepchecks has a PSI of numbers")
	}
	if _, ok := NumericPSI(ref, Sample{}, Own); ok {
		t.Error("a PSI of nothing")
	}
}

func categories(ref, cur []int64) (cs []Category) {
	for i := range ref {
		cs = append(cs, Category{string(rune('a' + i)), ref[i], cur[i]})
	}
	return cs
}

func TestCategories(t *testing.T) {
	for _, c := range []struct {
		name                  string
		ref, cur              []int64
		evidently, deepchecks float64
		p                     float64
	}{
		{"Q1", []int64{50, 30, 20}, []int64{40, 35, 25}, .041179066688494366, math.NaN(), .3585665413731905},
		{"Q2", []int64{50, 30, 20, 0}, []int64{45, 25, 20, 10}, .7044688559929045, .2216167619920532, .01335453048736979},
		{"Q3", []int64{50, 30, 20}, []int64{60, 40, 0}, 1.5664207645870358, .6161894948998318, 1.4107116538983095e-05},
		{"Q4", []int64{19999, 1}, []int64{10000, 0}, 3.465985909049935e-05, math.NaN(), math.NaN()},
		{"Q5", []int64{60, 40}, []int64{45, 55}, .0909203705355473, math.NaN(), .033672068856345896},
	} {
		cs := categories(c.ref, c.cur)
		near(t, c.name, CategoryPSI(cs, Evidently).Value, c.evidently, 1e-14)
		if !math.IsNaN(c.deepchecks) {
			near(t, c.name, CategoryPSI(cs, Deepchecks).Value, c.deepchecks, 1e-14)
		}
		if !math.IsNaN(c.p) {
			near(t, c.name, Contingency(cs).P, c.p, 1e-12)
		}
	}
	near(t, "JS of Q2", CategoryJS(categories([]int64{50, 30, 20, 0}, []int64{45, 25, 20, 10})).Distance, .22932787009976513, 1e-14)
	near(t, "JS of nothing common", CategoryJS(categories([]int64{5, 0}, []int64{0, 9})).Distance, 1, 1e-15)
	// Of 1000 rows one is new: no reason for alarm.
	x := Contingency(categories([]int64{600, 400, 0}, []int64{600, 399, 1}))
	if x.P < .5 || x.Merged != 2 {
		t.Errorf("%+v", x)
	}
	cs := Join(map[string]int64{"a": 1, "b": 3}, map[string]int64{"b": 2, "c": 4})
	if len(cs) != 3 || cs[0] != (Category{"b", 3, 2}) || cs[1] != (Category{"a", 1, 0}) || cs[2] != (Category{"c", 0, 4}) {
		t.Errorf("%v", cs)
	}
}

func TestOthersAsScipy(t *testing.T) {
	r := scipy(t)
	for _, c := range r.Wasserstein {
		near(t, "W1", WassersteinDistance(sample(c.A...), sample(c.B...)).Value, c.W, 1e-10)
	}
	for _, c := range r.Chi2 {
		x := Contingency(categories(c.Ref, c.Cur))
		near(t, "chi-square", x.Stat, c.Stat, 1e-9)
		near(t, "p", x.P, c.P, 1e-10)
		if x.DOF != c.DOF {
			t.Errorf("dof %d, want %d", x.DOF, c.DOF)
		}
	}
	for _, c := range r.Chi2PPF {
		near(t, "chi2.ppf", chi2Quantile(c[1], c[0]), c[2], 1e-9*(1+c[2]))
	}
	for _, c := range r.JS {
		near(t, "JS", CategoryJS(categories(c.Ref, c.Cur)).Distance, c.D, 1e-10)
	}
	for _, c := range r.BH {
		for i, q := range BenjaminiHochberg(c.P) {
			near(t, "q", q, c.Q[i], 1e-15)
		}
	}
	if q := BenjaminiHochberg([]float64{math.NaN(), .04}); !math.IsNaN(q[0]) || q[1] != .04 {
		t.Errorf("%v", q)
	}
}

func TestWasserstein(t *testing.T) {
	near(t, "W1", WassersteinDistance(sample(0, 1, 3), sample(5, 6, 8)).Value, 5, 1e-15)
	near(t, "W1", WassersteinDistance(sample(1, 2, 2, 7.5), sample(0, 3)).Value, 2.125, 1e-15)
	ref, cur := upTo100()
	w := WassersteinDistance(ref, cur)
	near(t, "W1", w.Value, 10.05, 1e-12)
	near(t, "normed W1", w.Normed, .34815962073760265, 1e-12)
	if w := WassersteinDistance(sample(5, 5), sample(5.01)); !math.IsNaN(w.Normed) {
		t.Errorf("of a constant: %+v", w)
	}
	if w := WassersteinDistance(sample(5, 5, math.Inf(1)), sample(5, math.Inf(-1))); w.Normed != 0 {
		t.Errorf("infinite values count: %+v", w)
	}
}

// The noise floors are those of the law: PSI of 339 values a side can say something about a threshold of 0.1, of 338 nothing.
func TestNoise(t *testing.T) {
	tenths := func(n int64) (c []int64) {
		for i := range int64(10) {
			c = append(c, n*(i+1)/10-n*i/10)
		}
		return c
	}
	l := Limits{.05, .1}
	for n, want := range map[int64]Status{338: Insufficient, 339: OK} {
		_, critical := noise(tenths(n), tenths(n))
		if s := l.Judge(.01, .01, critical); s != want {
			t.Errorf("%d values: %s", n, s)
		}
	}
	mean, critical := noise(tenths(1000), tenths(1000))
	near(t, "mean", mean, .018, 1e-12)
	near(t, "critical", critical, .0338, 1e-4)
	near(t, "ks", ksNoise(1000, 1000), .0604, 5e-4)
}

func TestJudge(t *testing.T) {
	l := Limits{.1, .25}
	for _, c := range []struct {
		lo, hi, critical float64
		want             Status
	}{
		{.05, .05, 0, OK}, {.1, .1, 0, Warning}, {.25, .25, 0, Drifted}, {.2, .3, 0, Undecided}, {.26, .3, 0, Drifted}, {.05, .12, 0, Undecided}, {.3, .3, .25, Insufficient}, {.15, .15, .2, OK},
		{math.NaN(), math.NaN(), 0, OK},
	} {
		if s := l.Judge(c.lo, c.hi, c.critical); s != c.want {
			t.Errorf("%+v: %s", c, s)
		}
	}
	if s := None.Judge(9, 9, 0); s != OK {
		t.Errorf("no limits: %s", s)
	}
}

// TestSmirnovTerms: some terms are as good as all.
func TestSmirnovTerms(t *testing.T) {
	for _, n := range []int{20_000, 100_001, 500_000} {
		for _, z2 := range []float64{2.2, 3, 10, 100, 340} {
			x := math.Sqrt(z2 / float64(n))
			sum := 0.0
			for j := range int(float64(n)*(1-x)) + 1 {
				p := x + float64(j)/float64(n)
				sum += binomial(float64(j), float64(n), p) / p
			}
			if got, want := smirnovSF(n, x), x*sum; math.Abs(got/want-1) > 1e-12 {
				t.Errorf("n %d, n·x² %g: %g, all terms make %g", n, z2, got, want)
			}
		}
	}
}
