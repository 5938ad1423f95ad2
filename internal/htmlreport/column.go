package htmlreport

import (
	"fmt"
	"math"
	"strings"

	"tarn/internal/drift"
	"tarn/internal/profile"
	"tarn/internal/profile/compare"
)

// column is one of a table, as the page shows it.
type column struct {
	*compare.Result
	table  *section
	ID     string // anchor; empty where its line is all there is
	Open   bool
	Main   string // the measure that the status is of, or the first
	Nulls  string
	excess float64 // how many times its limit a measure is, at most
}

func newColumn(t *section, r *compare.Result) *column {
	c := &column{Result: r, table: t, Open: r.Status != drift.OK}
	worst := -1
	for i := range r.Measures {
		m := &r.Measures[i]
		if m.Metric == compare.Nulls {
			c.Nulls = effect(m.Value)
		}
		if worst < 0 || drift.Worse(m.Status, r.Measures[worst].Status) || m.Status == r.Measures[worst].Status && weight(m) > weight(&r.Measures[worst]) {
			worst = i
		}
	}
	if worst >= 0 {
		m := &r.Measures[worst]
		c.Main, c.excess = string(m.Metric)+" "+effect(m.Value), weight(m)
		if m.Metric == compare.Presence || m.Metric == compare.KindOf {
			c.Main = m.Note
		}
	}
	return c
}

// Word is the status, as the terminal has it: nothing is ok that nobody judged.
func (c *column) Word() string {
	if c.Unjudged() {
		return "measured"
	}
	return string(c.Status)
}

// weight orders measures of one status: how many times the limit they are.
func weight(m *compare.Measured) float64 {
	for _, l := range []float64{m.Limits.Fail, m.Limits.Warn} {
		if l > 0 {
			return math.Min(1e6, m.Value/l)
		}
	}
	return 0
}

// measure is a line of the table of measures.
type measure struct {
	Metric, Value, Warn, Fail, Noise, Status, Note string
}

// Lines are the measures.
func (c *column) Lines() (ms []measure) {
	for i := range c.Measures {
		m := &c.Measures[i]
		l := measure{Metric: string(m.Metric), Value: effect(m.Value), Warn: limit(m.Limits.Warn), Fail: limit(m.Limits.Fail), Status: string(m.Status), Note: cut(m.Note, 200)}
		if m.Lo != m.Hi {
			l.Value = fmt.Sprintf("%s to %s", effect(m.Lo), effect(m.Hi))
		}
		if m.Noise > 0 {
			l.Noise = effect(m.Noise)
		}
		if !m.Judged {
			l.Status = "measured"
		}
		if m.Metric == compare.Presence || m.Metric == compare.KindOf {
			l.Value, l.Warn, l.Fail = "", "", ""
		}
		ms = append(ms, l)
	}
	return ms
}

func limit(f float64) string {
	switch {
	case math.IsNaN(f) || f == 0:
		return ""
	case f == math.SmallestNonzeroFloat64:
		return "above 0"
	}
	return fmt.Sprint(f)
}

// PText is the p-value of the test.
func (c *column) PText() string { return chance(c.P) }

// QText is that over all columns of the table.
func (c *column) QText() string { return chance(c.Q) }

// Chance says what the test found.
func (c *column) Chance() string {
	if c.Test == "" {
		return ""
	}
	return fmt.Sprintf("%s: p %s, q %s over the columns of the table.", c.Test, chance(c.P), chance(c.Q))
}

// How says as what the column was compared, and how exactly.
func (c *column) How() string {
	s := "Compared as " + string(c.Form)
	if c.Form == compare.Nothing {
		s = "Values were not compared"
	}
	if !c.Exact {
		s += ", by sketches: values have a band"
	}
	if c.Binning != "" {
		s += "; bins of psi: " + c.Binning
	}
	return s + "."
}

// Chart are histograms of numbers, times and lengths.
func (c *column) Chart() *chart {
	if c.Form == compare.Categories {
		return nil
	}
	return chartOf(c.Ref, c.Cur, c.table.hide)
}

// Unit says what the axis of the chart is.
func (c *column) Unit() string {
	for _, x := range []*profile.Column{c.Ref, c.Cur} {
		if x != nil && x.Kind() == profile.Text {
			return "length of the texts in characters"
		}
	}
	return ""
}

// Categories are the bars of categories.
func (c *column) Categories() []category {
	if c.Form != compare.Categories {
		return nil
	}
	return categoriesOf(c.Bins)
}

// list is a list of categories that came or went.
type list struct {
	Head  string
	Names []string
	More  int
}

// shownNames is how many new or vanished categories are named.
const shownNames = 20

// Lists are the categories that only one side has.
func (c *column) Lists() (ls []list) {
	for i := range c.Measures {
		m := &c.Measures[i]
		head := map[compare.Metric]string{compare.New: "New categories", compare.Vanished: "Vanished categories"}[m.Metric]
		if head == "" || len(m.NoteList) == 0 {
			continue
		}
		head += fmt.Sprintf(" (%s, %.3g %% of the values)", count(int64(len(m.NoteList))), 100*m.Value)
		if c.table.hide {
			ls = append(ls, list{Head: head})
			continue
		}
		n := min(len(m.NoteList), shownNames)
		ls = append(ls, list{head, m.NoteList[:n], len(m.NoteList) - n})
	}
	return ls
}

// manyValues is how many values a mean must be of to say nothing of any.
const manyValues = 20

// statistic is a line of the table of both versions.
type statistic struct{ Name, Ref, Cur string }

// Statistics are counts and quantiles of both versions.
func (c *column) Statistics() (ss []statistic) {
	add := func(name string, f func(*profile.Column) string) {
		var text [2]string
		for i, x := range []*profile.Column{c.Ref, c.Cur} {
			if x != nil {
				text[i] = f(x)
			}
		}
		if rare := name == "NaN" || name == "infinite"; strings.Trim(text[0]+text[1], "0") != "" || !rare && text[0]+text[1] != "" {
			ss = append(ss, statistic{name, text[0], text[1]})
		}
	}
	add("values", func(x *profile.Column) string { return count(x.Values()) })
	add("nulls", func(x *profile.Column) string {
		if x.Nulls == 0 {
			return "0"
		}
		return fmt.Sprintf("%s (%s)", count(x.Nulls), share(x.Nulls, x.Rows))
	})
	add("NaN", func(x *profile.Column) string { return count(x.Numbers.NaN) })
	add("infinite", func(x *profile.Column) string { return count(x.Numbers.Inf) })
	add("different values", func(x *profile.Column) string {
		n, exact := x.Distinct()
		if !exact {
			return "~" + count(n)
		}
		return count(n)
	})
	add("kind", func(x *profile.Column) string { return string(x.Kind()) })
	of := func(f func(profile.Kind, *profile.Dist) string) func(*profile.Column) string {
		return func(x *profile.Column) string {
			if d := x.Dist(); d.N > 0 && !(x.Kind() == profile.Text && c.Form == compare.Categories) {
				return f(x.Kind(), d)
			}
			return ""
		}
	}
	what := ""
	if c.Unit() != "" {
		what = " of lengths"
	}
	if !c.table.hide {
		add("minimum"+what, of(func(k profile.Kind, d *profile.Dist) string { return figure(k, d.Min) }))
		for _, q := range []struct {
			name string
			at   float64
		}{{"5 % quantile", .05}, {"25 % quantile", .25}, {"median", .5}, {"75 % quantile", .75}, {"95 % quantile", .95}} {
			add(q.name+what, of(func(k profile.Kind, d *profile.Dist) string { return figure(k, d.Sketch.Sample().Quantile(q.at)) }))
		}
		add("maximum"+what, of(func(k profile.Kind, d *profile.Dist) string { return figure(k, d.Max) }))
	}
	add("mean"+what, of(func(k profile.Kind, d *profile.Dist) string {
		if d.N == d.Inf || c.table.hide && (d.N < manyValues || d.Min == d.Max) { // such a mean is a value, or nearly
			return ""
		}
		return figure(k, d.Mean)
	}))
	add("standard deviation"+what, of(func(k profile.Kind, d *profile.Dist) string {
		if k == profile.Time {
			return fmt.Sprintf("%.4g days", math.Sqrt(d.Variance())/86400)
		}
		return figure(profile.Number, math.Sqrt(d.Variance()))
	}))
	return ss
}
