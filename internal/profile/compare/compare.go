package compare

import (
	"fmt"
	"math"
	"strings"

	"tarn/internal/drift"
	"tarn/internal/profile"
)

// Side is a column of one of the two versions.
type Side struct {
	*profile.Column                 // nil: it has none of that name
	Values          *profile.Values // all values; nil: the profile has to do
}

func (s Side) sample(k profile.Kind) drift.Sample {
	if s.Values != nil {
		return s.Values.Of(k)
	}
	switch k {
	case profile.Number:
		return s.Numbers.Sketch.Sample()
	case profile.Time:
		return s.Times.Sketch.Sample()
	}
	return s.Lengths.Sketch.Sample()
}

// Form is as what a column is compared.
type Form string

// The forms.
const (
	Numbers    Form = "numbers"
	Times      Form = "times"
	Lengths    Form = "lengths of texts"
	Categories Form = "categories"
	Keys       Form = "keys"
	Nothing    Form = "nothing"
)

// Measured is a metric with its verdict.
type Measured struct {
	Metric   Metric
	Value    float64
	Lo, Hi   float64 // where it is, if profiles leave that open; else Value
	Noise    float64 // what chance can reach; 0: not known, or nothing
	Limits   drift.Limits
	Status   drift.Status
	Judged   bool // it has limits
	Note     string
	NoteList []string // of new and vanished categories, the largest
}

// Bin is a part of the values with how many each side has.
type Bin struct {
	Label    string
	Ref, Cur int64
}

// Result is how a column differs.
type Result struct {
	Column   string
	Form     Form
	Status   drift.Status
	Exact    bool // no sketch had a part in it
	Measures []Measured
	Test     string  // that P is of: ks exact, ks asymptotic, chi-square; empty: none
	P, Q     float64 // Q is P after Benjamini and Hochberg, over the columns; NaN without a test
	Binning  string
	Bins     []Bin
	Ref, Cur *profile.Column // one may be nil
	Note     string
	Hidden   bool // Hide took values of the data out
}

// Columns compares two columns of one name.
func Columns(name string, ref, cur Side, rules Rules) *Result {
	r := &Result{Column: name, Form: Nothing, Status: drift.OK, Exact: true, P: math.NaN(), Q: math.NaN(), Ref: ref.Column, Cur: cur.Column}
	if rules.Exclude {
		r.Note = "excluded by the contract"
		return r
	}
	switch {
	case ref.Column == nil:
		r.put(Measured{Metric: Presence, Value: 1, Status: drift.Warning, Judged: true, Note: "the column is new"})
		return r
	case cur.Column == nil:
		r.put(Measured{Metric: Presence, Value: 1, Status: drift.Drifted, Judged: true, Note: "the column is no more"})
		return r
	}
	r.nulls(rules)
	rk, ck := ref.Kind(), cur.Kind()
	if rk == profile.Empty || ck == profile.Empty {
		return r
	}
	if rk != ck {
		r.put(Measured{Metric: KindOf, Value: 1, Status: drift.Drifted, Judged: true, Note: fmt.Sprintf("%s became %s", rk, ck)})
		return r
	}
	r.Form = FormOf(ref.Column, cur.Column)
	switch r.Form {
	case Categories:
		r.categories(rules)
	case Keys:
		if !rules.Given {
			rules = measureOnly(rules)
			r.Note = "each value is there once: measured, not judged"
		}
		r.numbers(ref.sample(rk), cur.sample(rk), rules, rk)
	case Times:
		if !rules.Given {
			rules = measureOnly(rules)
			r.Note = "times go on: measured, not judged"
		}
		r.numbers(ref.sample(rk), cur.sample(rk), rules, rk)
	default:
		r.numbers(ref.sample(rk), cur.sample(rk), rules, rk)
	}
	return r
}

// Unjudged says that the distribution was measured and not judged, as Note says, and that nothing else was found.
func (r *Result) Unjudged() bool {
	return r.Status == drift.OK && (r.Form == Keys || r.Form == Times) && r.Note != ""
}

// measureOnly takes the limits of distributions away.
func measureOnly(r Rules) Rules {
	for _, m := range []Metric{PSI, KS, JS, Wasserstein} {
		r = r.With(m, drift.None)
	}
	return r
}

// A column of numbers is one of categories with at most fewValues in the reference, one of texts with at most manyTexts, or a 20th of the values.
const (
	fewValues = 20
	manyTexts = 50
)

// FormOf says as what two columns of one kind are compared.
func FormOf(ref, cur *profile.Column) Form {
	exact := ref.Top.Exact() && cur.Top.Exact()
	switch ref.Kind() {
	case profile.Empty:
		return Nothing
	case profile.Time:
		return Times
	case profile.Number:
		switch {
		case exact && ref.Top.Len() <= fewValues && cur.Top.Len() <= 5*fewValues:
			return Categories
		case isKey(ref) && isKey(cur):
			return Keys
		}
		return Numbers
	}
	if exact && ref.Top.Len() <= max(manyTexts, int(ref.Values()/20)) && cur.Top.Len() <= max(manyTexts, int(cur.Values()/20)) {
		return Categories
	}
	return Lengths
}

// isKey says that the values are whole numbers, nearly all of them different.
func isKey(c *profile.Column) bool {
	n, _ := c.Distinct()
	if c.Values() < 2*fewValues || float64(n) < .95*float64(c.Values()) {
		return false
	}
	for _, x := range c.Numbers.Sketch.Sample().Values {
		if x != math.Trunc(x) {
			return false
		}
	}
	return true
}

// put takes a measure in, and its status where it is worse.
func (r *Result) put(m Measured) {
	if m.Status == "" {
		m.Status = m.Limits.Judge(m.Lo, m.Hi, m.Noise)
		m.Judged = !math.IsNaN(m.Limits.Warn) || !math.IsNaN(m.Limits.Fail)
	}
	if drift.Worse(m.Status, r.Status) {
		r.Status = m.Status
	}
	r.Measures = append(r.Measures, m)
}

func (r *Result) nulls(rules Rules) {
	n, m := float64(r.Ref.Rows), float64(r.Cur.Rows)
	if n == 0 || m == 0 {
		return
	}
	a, b := float64(r.Ref.Nulls)/n, float64(r.Cur.Nulls)/m
	both := float64(r.Ref.Nulls+r.Cur.Nulls) / (n + m)
	d := math.Abs(a - b)
	r.put(Measured{Metric: Nulls, Value: d, Lo: d, Hi: d, Limits: rules.Limits[Nulls], Noise: 1.96 * math.Sqrt(both*(1-both)*(1/n+1/m)),
		Note: fmt.Sprintf("%.3g %% → %.3g %% of the rows", 100*a, 100*b)})
}

func (r *Result) numbers(ref, cur drift.Sample, rules Rules, k profile.Kind) {
	if ref.N() == 0 || cur.N() == 0 {
		return
	}
	r.Exact = ref.Eps == 0 && cur.Eps == 0
	ks := drift.KolmogorovSmirnov(ref, cur)
	r.P, r.Test = ks.P, "ks "+ks.Method
	r.put(Measured{Metric: KS, Value: ks.D, Lo: math.Max(0, ks.D-ks.Band), Hi: math.Min(1, ks.D+ks.Band), Noise: ks.Noise, Limits: rules.Limits[KS], Note: "largest at " + label(k, ks.At)})
	if p, ok := drift.NumericPSI(ref, cur, rules.Compat); ok {
		r.bins(p.Binning, p.Ref, p.Cur, k)
		r.put(Measured{Metric: PSI, Value: p.Value, Lo: p.Lo, Hi: p.Hi, Noise: p.Critical, Limits: rules.Limits[PSI], Note: fmt.Sprintf("%s; chance alone: %.2g on average", p.Binning.Name, p.Noise)})
	}
	js := drift.NumericJS(ref, cur)
	r.put(Measured{Metric: JS, Value: js.Distance, Lo: js.Lo, Hi: js.Hi, Noise: js.Critical, Limits: rules.Limits[JS], Note: js.Binning.Name})
	w := drift.WassersteinDistance(ref, cur)
	if math.IsNaN(w.Normed) && !math.IsNaN(w.Value) { // a constant moved
		w.Normed, w.Band = math.Inf(1), 0
	}
	r.put(Measured{Metric: Wasserstein, Value: w.Normed, Lo: math.Max(0, w.Normed-w.Band), Hi: w.Normed + w.Band, Noise: w.Noise, Limits: rules.Limits[Wasserstein],
		Note: fmt.Sprintf("%.4g in the column's unit, standard deviation %.4g", w.Value, w.Scale)})
}

// label is an edge, or a value, for people.
func label(k profile.Kind, f float64) string {
	if k == profile.Time {
		return profile.Instant(f)
	}
	return fmt.Sprintf("%.6g", f)
}

func (r *Result) bins(b drift.Binning, ref, cur []int64, k profile.Kind) {
	r.Binning = b.Name + "; " + b.Floor
	for i := range ref {
		lo, hi := "", ""
		if i > 0 && i-1 < len(b.Edges) {
			lo = label(k, b.Edges[i-1])
		}
		if i < len(b.Edges) {
			hi = label(k, b.Edges[i])
		}
		var text string
		switch {
		case len(b.Edges) == 0:
			text = "all"
		case lo == "" && b.Left:
			text = "< " + hi
		case lo == "":
			text = "≤ " + hi
		case hi == "" && b.Left:
			text = "≥ " + lo
		case hi == "":
			text = "> " + lo
		case b.Left:
			text = "[" + lo + ", " + hi + ")"
		default:
			text = "(" + lo + ", " + hi + "]"
		}
		r.Bins = append(r.Bins, Bin{text, ref[i], cur[i]})
	}
}

func counts(c *profile.Column) map[string]int64 {
	m := map[string]int64{}
	for _, v := range c.Top.Values() {
		name := v.Text
		if v.IsNumber {
			name = fmt.Sprint(v.Number)
		}
		m[name] += v.N // the text "1" and the number 1 are one category
	}
	return m
}

func (r *Result) categories(rules Rules) {
	cs := drift.Join(counts(r.Ref), counts(r.Cur))
	x := drift.Contingency(cs)
	r.P, r.Test = x.P, "chi-square"
	p := drift.CategoryPSI(cs, rules.Compat)
	r.Binning = p.Binning.Name + "; " + p.Binning.Floor
	for _, c := range cs {
		r.Bins = append(r.Bins, Bin{c.Name, c.Ref, c.Cur})
	}
	note := p.Binning.Name + fmt.Sprintf("; chi-square %.4g with %d degrees of freedom, Cramér's V %.3g", x.Stat, x.DOF, x.CramersV)
	if x.Merged > 0 {
		note += fmt.Sprintf(", %d rare categories together", x.Merged)
	}
	r.put(Measured{Metric: PSI, Value: p.Value, Lo: p.Lo, Hi: p.Hi, Noise: p.Critical, Limits: rules.Limits[PSI], Note: note})
	js := drift.CategoryJS(cs)
	r.put(Measured{Metric: JS, Value: js.Distance, Lo: js.Lo, Hi: js.Hi, Noise: js.Critical, Limits: rules.Limits[JS], Note: js.Binning.Name})
	r.newAndGone(cs, rules)
}

// newAndGone are checks of their own: a new class says more than a shift, and none of the other metrics sees one of a few rows.
func (r *Result) newAndGone(cs []drift.Category, rules Rules) {
	var n, m, once float64
	for _, c := range cs {
		n, m = n+float64(c.Ref), m+float64(c.Cur)
		if c.Ref == 1 {
			once++
		}
	}
	fresh := Measured{Metric: New, Limits: rules.Limits[New], Noise: once / n} // Good and Turing's estimate of what was not seen yet
	gone := Measured{Metric: Vanished, Limits: rules.Limits[Vanished]}
	for _, c := range cs {
		switch {
		case c.Ref == 0:
			fresh.Value += float64(c.Cur) / m
			fresh.NoteList = append(fresh.NoteList, c.Name)
		case c.Cur == 0 && math.Pow(1-float64(c.Ref)/n, m) < .05: // rarer ones are missing by chance
			gone.Value += float64(c.Ref) / n
			gone.NoteList = append(gone.NoteList, c.Name)
		}
	}
	for _, x := range []*Measured{&fresh, &gone} {
		x.Lo, x.Hi = x.Value, x.Value
		x.Note = list(x.NoteList)
		if x.Value == 0 {
			x.Noise = 0
		}
		r.put(*x)
	}
}

func list(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s, … (%d)", strings.Join(names[:most], ", "), len(names))
	}
	return strings.Join(names, ", ")
}

// Adjust gives each result its Q.
func Adjust(rs []*Result) {
	p := make([]float64, len(rs))
	for i, r := range rs {
		p[i] = r.P
	}
	for i, q := range drift.BenjaminiHochberg(p) {
		rs[i].Q = q
	}
}
