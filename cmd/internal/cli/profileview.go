package cli

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"tarn/internal/check/report"
	"tarn/internal/dataset"
	"tarn/internal/human"
	"tarn/internal/profile"
)

type profileResult struct {
	Tables   []profiledTable `json:"tables"`
	Others   int64           `json:"other_files"`
	Problems []problem       `json:"problems"`
	media    bool
}

type profiledTable struct {
	Subject string           `json:"subject"`
	Table   string           `json:"table"`
	Files   int64            `json:"files"`
	Known   int64            `json:"files_known"`
	Rows    int64            `json:"rows"`
	Problem string           `json:"problem,omitempty"`
	Columns []profiledColumn `json:"columns"`
}

type profiledColumn struct {
	Column    string          `json:"column"`
	Kind      string          `json:"kind"`
	Rows      int64           `json:"rows"`
	Nulls     int64           `json:"nulls"`
	Numbers   int64           `json:"numbers"`
	Times     int64           `json:"times"`
	Texts     int64           `json:"texts"`
	NaN       int64           `json:"nan"`
	Infinite  int64           `json:"infinite"`
	Distinct  int64           `json:"distinct"`
	Exact     bool            `json:"distinct_exact"`
	Min       any             `json:"min"`
	Max       any             `json:"max"`
	Mean      any             `json:"mean"`
	Deviation any             `json:"deviation"`
	Quantiles []quantile      `json:"quantiles"`
	Band      float64         `json:"quantile_error"`
	Histogram *histogram      `json:"histogram,omitempty"`
	Top       []profiledValue `json:"top"`
	Missed    int64           `json:"top_missed"`
	c         *profile.Column
}

type quantile struct {
	Share float64 `json:"share"`
	Value any     `json:"value"`
}

type histogram struct {
	From   any     `json:"from"`
	To     any     `json:"to"`
	Counts []int64 `json:"counts"`
}

type profiledValue struct {
	Value any   `json:"value"`
	Count int64 `json:"count"`
}

// shownValues is how many values of a column JSON has; the profile may have more.
const shownValues = 20

func profileView(res *dataset.ProfileResult) *profileResult {
	v := &profileResult{Tables: []profiledTable{}, Others: res.Others, Problems: problems(res.Problems)}
	for _, t := range res.Tables {
		pt := profiledTable{Subject: t.Subject, Table: t.Name, Files: t.Files, Known: t.Known, Rows: t.Rows, Problem: t.Problem, Columns: []profiledColumn{}}
		for _, c := range t.Columns {
			pt.Columns = append(pt.Columns, columnView(c))
		}
		v.Tables = append(v.Tables, pt)
	}
	return v
}

func columnView(c *profile.Column) profiledColumn {
	kind, d := c.Kind(), c.Dist()
	v := profiledColumn{Column: c.Name, Kind: string(kind), Rows: c.Rows, Nulls: c.Nulls, Numbers: c.Numbers.N + c.Numbers.NaN, Times: c.Times.N, Texts: c.Lengths.N, NaN: c.Numbers.NaN,
		Infinite: c.Numbers.Inf, Band: d.Sketch.Eps(), Quantiles: []quantile{}, Top: []profiledValue{}, Missed: c.Top.Missed, c: c}
	v.Distinct, v.Exact = c.Distinct()
	if d.N > 0 {
		v.Min, v.Max, v.Mean, v.Deviation = valueOf(kind, d.Min), valueOf(kind, d.Max), valueOf(kind, d.Mean), valueOf(profile.Number, math.Sqrt(d.Variance()))
		if d.N == d.Inf {
			v.Mean = nil
		}
		s := d.Sketch.Sample()
		for _, q := range []float64{.01, .05, .1, .25, .5, .75, .9, .95, .99} {
			v.Quantiles = append(v.Quantiles, quantile{q, valueOf(kind, s.Quantile(q))})
		}
		if h := profile.HistogramOf(s, d.Min, d.Max, 20); h != nil {
			v.Histogram = &histogram{valueOf(kind, h.Lo), valueOf(kind, h.Hi), h.Counts}
		}
	}
	for i, t := range c.Top.Values() {
		if i == shownValues {
			break
		}
		if t.IsNumber {
			v.Top = append(v.Top, profiledValue{valueOf(profile.Number, t.Number), t.N})
		} else {
			v.Top = append(v.Top, profiledValue{strings.ToValidUTF8(t.Text, "\uFFFD"), t.N})
		}
	}
	return v
}

// valueOf is a number in JSON, and a time as text. What JSON has no number for is text, and NaN nothing.
func valueOf(kind profile.Kind, f float64) any {
	switch {
	case math.IsNaN(f):
		return nil
	case math.IsInf(f, 1):
		return "INF"
	case math.IsInf(f, -1):
		return "-INF"
	case kind == profile.Time:
		return profile.Instant(f)
	}
	return f
}

// Rows are the columns, with what they are of.
func (v *profileResult) Rows(yield func(any) bool) {
	for _, t := range v.Tables {
		for _, c := range t.Columns {
			if !yield(struct {
				Subject string `json:"subject"`
				Table   string `json:"table"`
				profiledColumn
			}{t.Subject, t.Table, c}) {
				return
			}
		}
	}
}

func (v *profileResult) Text(p *printer) {
	for i := range v.Tables {
		if i > 0 {
			p.f("\n")
		}
		v.Tables[i].text(p)
	}
	if v.Others > 0 {
		hint := "; --media measures pictures and texts"
		if v.media {
			hint = ""
		}
		p.f("%s no table%s.\n", theirsAre(v.Others), hint)
	}
}

func theirsAre(n int64) string {
	if n == 1 {
		return "1 file is"
	}
	return count(n) + " files are"
}

func (t *profiledTable) text(p *printer) {
	name := report.Clean(t.Subject)
	if t.Table != "table" {
		name += "  " + report.Clean(t.Table)
	}
	known := ""
	if t.Known > 0 {
		known = p.paint(dim, fmt.Sprintf(" (%s known)", count(t.Known)))
	}
	p.f("%s  %s in %s%s\n", p.paint(bold, name), many(t.Rows, "row"), many(t.Files, "file"), known)
	if t.Problem != "" {
		p.f("  %s %s\n", p.paint(yellow, "not read whole:"), report.Clean(t.Problem))
	}
	rows := [][]string{{"column", "kind", "nulls", "distinct", "min", "mean", "max", ""}}
	for i := range t.Columns {
		rows = append(rows, t.Columns[i].row())
	}
	p.columns(rows)
}

// columns prints rows with their cells below each other; the first row is a head.
func (p *printer) columns(rows [][]string) {
	width := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, c := range r {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	for n, r := range rows {
		var b strings.Builder
		for i, c := range r {
			b.WriteString("  " + c + strings.Repeat(" ", width[i]-utf8.RuneCountInString(c)))
		}
		line := strings.TrimRight(b.String(), " ")
		if n == 0 {
			line = p.paint(dim, line)
		}
		p.f("%s\n", line)
	}
}

func (v *profiledColumn) row() []string {
	distinct := count(v.Distinct)
	if !v.Exact {
		distinct = "~" + distinct
	}
	row := []string{shorten(v.Column, 30), v.Kind, portion(v.Nulls, v.Rows), distinct, "", "", "", ""}
	kind, d := v.c.Kind(), v.c.Dist()
	switch {
	case d.N == 0:
	case kind == profile.Text:
		row[7] = v.topText()
	default:
		for i, f := range []float64{d.Min, d.Mean, d.Max} {
			row[4+i] = figure(kind, f)
		}
		row[7] = bars(d)
	}
	return row
}

// topText lists the most frequent texts; where none is, how long texts are.
func (v *profiledColumn) topText() string {
	var parts []string
	for i, t := range v.Top {
		if i == 3 || t.Count < 2 {
			break
		}
		parts = append(parts, fmt.Sprintf("%s %s", shorten(fmt.Sprint(t.Value), 20), portion(t.Count, v.Rows-v.Nulls)))
	}
	if len(parts) == 0 {
		return fmt.Sprintf("%v to %v characters", v.Min, v.Max)
	}
	return strings.Join(parts, ", ")
}

// shorten makes a text one that fits and has nothing a terminal would obey.
func shorten(s string, most int) string {
	s = report.Clean(strings.ToValidUTF8(s, "\uFFFD"))
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// portion is a part of all in percent.
func portion(n, of int64) string {
	switch {
	case n == 0:
		return "0"
	case of == 0:
		return count(n)
	}
	return human.Percent(n, of)
}

// figure is a number of 6 digits, or a time.
func figure(kind profile.Kind, f float64) string {
	if kind == profile.Time {
		t := profile.Instant(f)
		if at := strings.IndexByte(t, '.'); at > 0 {
			t = t[:at] + "Z"
		}
		return t
	}
	if f == math.Trunc(f) && math.Abs(f) < 1e9 || math.Abs(f) >= 1e6 && math.Abs(f) < 1e15 {
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprintf("%.6g", f)
}

// bars draws the spread of the middle 98 % of the values.
func bars(d *profile.Dist) string {
	s := d.Sketch.Sample()
	h := profile.HistogramOf(s, s.Quantile(.01), s.Quantile(.99), 12)
	if h == nil {
		return ""
	}
	largest := int64(1)
	for _, n := range h.Counts {
		largest = max(largest, n)
	}
	levels := []rune(" ▁▂▃▄▅▆▇█")
	var b strings.Builder
	for _, n := range h.Counts {
		i := int(math.Ceil(float64(n) / float64(largest) * 8))
		b.WriteRune(levels[i])
	}
	return b.String()
}
