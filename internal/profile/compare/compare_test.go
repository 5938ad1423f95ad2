package compare

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"tarn/internal/check/report"
	"tarn/internal/drift"
	"tarn/internal/profile"
	"tarn/store/digest"
)

// side builds a column of one table.
func side(t *testing.T, cells []string, exact bool) Side {
	t.Helper()
	text := []byte("x,end\n" + strings.Join(cells, ",e\n") + ",e\n")
	p, err := profile.Build(context.Background(), "t.csv", bytes.NewReader(text), digest.Sum(text), profile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := Side{Column: p.Columns[0]}
	if exact {
		s.Values = &profile.Values{}
		if err := profile.Collect(context.Background(), "t.csv", bytes.NewReader(text), profile.Options{}, map[string]*profile.Values{"x": s.Values}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func repeat(pairs ...any) (cells []string) {
	for i := 0; i < len(pairs); i += 2 {
		for range pairs[i+1].(int) {
			cells = append(cells, fmt.Sprint(pairs[i]))
		}
	}
	return cells
}

func normal(n int, seed uint64, mean float64) (cells []string) {
	r := rand.New(rand.NewPCG(seed, 9))
	for range n {
		cells = append(cells, fmt.Sprintf("%.4f", r.NormFloat64()+mean))
	}
	return cells
}

func (r *Result) measure(t *testing.T, m Metric) Measured {
	t.Helper()
	for _, x := range r.Measures {
		if x.Metric == m {
			return x
		}
	}
	t.Fatalf("%s was not measured: %+v", m, r)
	return Measured{}
}

func TestForms(t *testing.T) {
	var ids, days, words, notes []string
	for i := range 3000 {
		ids, days = append(ids, fmt.Sprint(i*7)), append(days, fmt.Sprintf("2024-%02d-%02d", 1+i%12, 1+i%28))
		words, notes = append(words, []string{"a", "b", "c"}[i%3]), append(notes, fmt.Sprintf("note %d", i))
	}
	for _, c := range []struct {
		cells []string
		want  Form
	}{{ids, Keys}, {days, Times}, {words, Categories}, {notes, Lengths}, {normal(3000, 1, 0), Numbers}, {repeat(0, 700, 1, 300), Categories}, {repeat("", 5), Nothing}} {
		r := Columns("x", side(t, c.cells, false), side(t, c.cells, false), Defaults(""))
		if r.Form != c.want || r.Status != drift.OK {
			t.Errorf("%s: %+v", c.want, r)
		}
	}
}

func TestVerdicts(t *testing.T) {
	abc := repeat("a", 500, "b", 300, "c", 200)
	none := drift.None
	own := Defaults("").With(PSI, none)
	own.Given = true
	for _, c := range []struct {
		name     string
		ref, cur []string
		rules    Rules
		metric   Metric
		want     drift.Status
	}{
		{"same", abc, abc, Defaults(""), PSI, drift.OK},
		{"shift", abc, repeat("a", 350, "b", 400, "c", 250), Defaults(""), PSI, drift.OK},
		{"large shift", abc, repeat("a", 100, "b", 700, "c", 200), Defaults(""), PSI, drift.Drifted},
		{"one new row", abc, repeat("a", 500, "b", 300, "c", 199, "d", 1), Defaults(""), New, drift.Warning},
		{"new where values are rare", repeat("a", 990, "b", 1, "c", 1, "d", 1, "e", 1, "f", 1, "g", 1, "h", 4), repeat("a", 990, "z", 1), Defaults(""), New, drift.OK},
		{"gone", abc, repeat("a", 600, "b", 400), Defaults(""), Vanished, drift.Warning},
		{"gone by chance", repeat("a", 999, "b", 1), repeat("a", 1000), Defaults(""), Vanished, drift.OK},
		{"new is not allowed", abc, repeat("a", 500, "b", 300, "c", 199, "d", 1), Defaults("").With(New, drift.Limits{Warn: math.NaN(), Fail: 0}), New, drift.Drifted},
		{"nulls", repeat(1, 900, "", 100), repeat(1, 700, "", 300), Defaults(""), Nulls, drift.Drifted},
		{"numbers", normal(3000, 1, 0), normal(3000, 2, .1), Defaults(""), KS, drift.OK},
		{"moved", normal(3000, 1, 0), normal(3000, 2, .7), Defaults(""), KS, drift.Drifted},
		{"too few", normal(60, 1, 0), normal(60, 2, 0), Defaults(""), PSI, drift.Insufficient},
		{"another kind", repeat(1, 50), repeat("x", 50), Defaults(""), KindOf, drift.Drifted},
		{"moved in its unit", normal(3000, 1, 0), normal(3000, 2, .7), own.With(Wasserstein, drift.Limits{Warn: .1, Fail: .5}), Wasserstein, drift.Drifted},
		{"a constant moved", repeat(5, 100), repeat("5.5", 100), Defaults(""), New, drift.Warning},
	} {
		r := Columns("x", side(t, c.ref, true), side(t, c.cur, true), c.rules)
		if m := r.measure(t, c.metric); m.Status != c.want {
			t.Errorf("%s: %+v, want %s", c.name, m, c.want)
		}
	}
	if r := Columns("x", Side{}, side(t, abc, false), Defaults("")); r.Status != drift.Warning {
		t.Errorf("a new column: %+v", r)
	}
	if r := Columns("x", side(t, abc, false), Side{}, Defaults("")); r.Status != drift.Drifted {
		t.Errorf("a column less: %+v", r)
	}
	if r := Columns("x", side(t, abc, false), Side{}, Rules{Exclude: true}); r.Status != drift.OK || len(r.Measures) > 0 {
		t.Errorf("excluded: %+v", r)
	}
}

// Keys and times move: they are judged only if the contract asks for it.
func TestMeasuredOnly(t *testing.T) {
	var a, b []string
	for i := range 3000 {
		a, b = append(a, fmt.Sprint(i)), append(b, fmt.Sprint(i+3000))
	}
	rules := Defaults("")
	if r := Columns("x", side(t, a, false), side(t, b, false), rules); r.Status != drift.OK || r.measure(t, KS).Value != 1 {
		t.Errorf("%+v", r)
	}
	rules.Given = true
	if r := Columns("x", side(t, a, false), side(t, b, false), rules); r.Status != drift.Drifted {
		t.Errorf("%+v", r)
	}
}

// What profiles say holds the exact value; a limit between its ends is undecided, and the values decide.
func TestBandHoldsExact(t *testing.T) {
	for _, mean := range []float64{0, .05, .3, 1} {
		a, b := normal(20_000, 1, 0), normal(30_000, 2, mean)
		rules := Defaults("")
		sketch := Columns("x", side(t, a, false), side(t, b, false), rules)
		exact := Columns("x", side(t, a, true), side(t, b, true), rules)
		if sketch.Exact || !exact.Exact {
			t.Fatalf("%+v", sketch)
		}
		for _, m := range []Metric{KS, Wasserstein} { // PSI and JS have other bins: edges come from the sketch
			s, e := sketch.measure(t, m), exact.measure(t, m)
			if e.Lo != e.Value || e.Hi != e.Value || s.Lo > e.Value || s.Hi < e.Value || s.Hi-s.Lo > .3 {
				t.Errorf("mean %v: %s from %v to %v, is %v", mean, m, s.Lo, s.Hi, e.Value)
			}
		}
		if s, e := sketch.measure(t, PSI), exact.measure(t, PSI); s.Lo > e.Value+.01 || s.Hi < e.Value-.01 {
			t.Errorf("mean %v: psi from %v to %v, is about %v", mean, s.Lo, s.Hi, e.Value)
		}
		d := exact.measure(t, KS).Value
		rules = rules.With(KS, drift.Limits{Warn: math.NaN(), Fail: d + .001})
		if mean < .1 {
			continue // chance is too near
		}
		if r := Columns("x", side(t, a, false), side(t, b, false), rules); r.measure(t, KS).Status != drift.Undecided {
			t.Errorf("mean %v: %+v", mean, r.measure(t, KS))
		}
		if r := Columns("x", side(t, a, true), side(t, b, true), rules); r.measure(t, KS).Status != drift.OK {
			t.Errorf("mean %v: %+v", mean, r.measure(t, KS))
		}
	}
}

func TestChecks(t *testing.T) {
	r := Columns("x", side(t, normal(3000, 1, 0), true), side(t, append(normal(2500, 2, .7), repeat("", 500)...), true), Defaults("").With(JS, drift.Limits{Warn: .1, Fail: .9}))
	got := map[string]report.Status{}
	for _, c := range r.Checks("t", 7) {
		got[c.Key+" "+c.Severity] = c.Status
		if c.Line != 7 || c.Note == "" || c.Text == "" {
			t.Errorf("%+v", c)
		}
	}
	want := map[string]report.Status{"t.x.ks error": report.Failed, "t.x.psi error": report.Failed, "t.x.js warning": report.Failed, "t.x.nulls error": report.Failed}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	few := Columns("x", side(t, normal(60, 1, 0), true), side(t, normal(60, 2, 0), true), Defaults(""))
	for _, c := range few.Checks("t", 0) {
		if c.Kind == "psi" && (c.Status != report.Skipped || !strings.Contains(c.Note, "too few")) {
			t.Errorf("%+v", c)
		}
	}
}

func TestAdjust(t *testing.T) {
	rs := []*Result{{P: .01}, {P: math.NaN()}, {P: .04}}
	Adjust(rs)
	if rs[0].Q != .02 || !math.IsNaN(rs[1].Q) || rs[2].Q != .04 {
		t.Errorf("%v %v %v", rs[0].Q, rs[1].Q, rs[2].Q)
	}
}
