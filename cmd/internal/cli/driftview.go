package cli

import (
	"fmt"
	"math"
	"strings"

	"tarn/internal/check/report"
	"tarn/internal/dataset"
	"tarn/internal/drift"
	"tarn/internal/profile"
	"tarn/internal/profile/compare"
)

type driftResult struct {
	From     string           `json:"from"`
	To       string           `json:"to"`
	Status   string           `json:"status"`
	Tables   []driftedTable   `json:"tables"`
	Checks   []checkedSubject `json:"checks,omitempty"`
	Problems []problem        `json:"problems"`
	all      bool
}

type driftedTable struct {
	Subject string          `json:"subject"`
	Table   string          `json:"table"`
	Status  string          `json:"status"`
	Change  string          `json:"change,omitempty"`
	Ref     *driftedSide    `json:"reference,omitempty"`
	Cur     *driftedSide    `json:"current,omitempty"`
	Columns []driftedColumn `json:"columns"`
}

type driftedSide struct {
	Files   int64  `json:"files"`
	Known   int64  `json:"files_known"`
	Rows    int64  `json:"rows"`
	Problem string `json:"problem,omitempty"`
}

type driftedColumn struct {
	Column  string          `json:"column"`
	As      string          `json:"as"`
	Status  string          `json:"status"`
	Exact   bool            `json:"exact"`
	Ref     int64           `json:"reference_values"`
	Cur     int64           `json:"current_values"`
	Metrics []driftedMetric `json:"metrics"`
	Test    string          `json:"test,omitempty"`
	P       any             `json:"p"`
	Q       any             `json:"q"`
	Binning string          `json:"binning,omitempty"`
	Bins    []driftedBin    `json:"bins"`
	Note    string          `json:"note,omitempty"`
	r       *compare.Result
}

type driftedMetric struct {
	Metric string `json:"metric"`
	Value  any    `json:"value"`
	Lo     any    `json:"lo"`
	Hi     any    `json:"hi"`
	Noise  any    `json:"noise"`
	Warn   any    `json:"warn"`
	Fail   any    `json:"fail"`
	Status string `json:"status"`
	Note   string `json:"note,omitempty"`
}

type driftedBin struct {
	Bin string `json:"bin"`
	Ref int64  `json:"reference"`
	Cur int64  `json:"current"`
}

// shownBins is how many bins JSON has of a column.
const shownBins = 50

func driftView(res *dataset.DriftResult) *driftResult {
	v := &driftResult{From: res.From, To: res.To, Status: string(drift.OK), Tables: []driftedTable{}, Problems: problems(res.Problems)}
	worst := func(s *string, by drift.Status) {
		if drift.Worse(by, drift.Status(*s)) {
			*s = string(by)
		}
	}
	for _, t := range res.Tables {
		dt := driftedTable{Subject: t.Subject, Table: t.Name, Status: string(drift.OK), Ref: sideView(t.Ref), Cur: sideView(t.Cur), Columns: []driftedColumn{}}
		switch {
		case t.Unchanged:
			dt.Change = "unchanged"
		case t.Ref == nil:
			dt.Change, dt.Status = "new", string(drift.Warning)
		case t.Cur == nil:
			dt.Change, dt.Status = "gone", string(drift.Drifted)
		}
		for _, c := range t.Columns {
			worst(&dt.Status, c.Status)
			dt.Columns = append(dt.Columns, driftedColumnView(c))
		}
		worst(&v.Status, drift.Status(dt.Status))
		v.Tables = append(v.Tables, dt)
	}
	if res.Checks != nil {
		v.Checks = checkView(res.Checks).Results
	}
	return v
}

func sideView(t *dataset.TableProfile) *driftedSide {
	if t == nil {
		return nil
	}
	return &driftedSide{t.Files, t.Known, t.Rows, t.Problem}
}

func driftedColumnView(c *compare.Result) driftedColumn {
	f := func(x float64) any { return valueOf(profile.Number, x) }
	v := driftedColumn{Column: c.Column, As: string(c.Form), Status: string(c.Status), Exact: c.Exact, Test: c.Test, P: f(c.P), Q: f(c.Q), Binning: c.Binning, Note: c.Note, Metrics: []driftedMetric{}, Bins: []driftedBin{}, r: c}
	if c.Ref != nil {
		v.Ref = c.Ref.Values()
	}
	if c.Cur != nil {
		v.Cur = c.Cur.Values()
	}
	limit := func(x float64) any {
		if x == 0 || x == math.SmallestNonzeroFloat64 {
			x = 0
		}
		return f(x)
	}
	for _, m := range c.Measures {
		l := m.Limits
		if !m.Judged || m.Metric == compare.Presence || m.Metric == compare.KindOf {
			l = drift.None
		}
		v.Metrics = append(v.Metrics, driftedMetric{string(m.Metric), f(m.Value), f(m.Lo), f(m.Hi), f(m.Noise), limit(l.Warn), limit(l.Fail), string(m.Status), m.Note})
	}
	for i, b := range c.Bins {
		if i == shownBins {
			break
		}
		v.Bins = append(v.Bins, driftedBin{strings.ToValidUTF8(b.Label, "\uFFFD"), b.Ref, b.Cur})
	}
	return v
}

// Rows are the columns, with what they are of.
func (v *driftResult) Rows(yield func(any) bool) {
	for _, t := range v.Tables {
		for _, c := range t.Columns {
			if !yield(struct {
				Subject string `json:"subject"`
				Table   string `json:"table"`
				driftedColumn
			}{t.Subject, t.Table, c}) {
				return
			}
		}
	}
}

func (v *driftResult) Text(p *printer) {
	for i := range v.Tables {
		if i > 0 {
			p.f("\n")
		}
		v.Tables[i].text(p, v.all)
	}
	for i := range v.Checks {
		p.f("\n")
		v.Checks[i].text(p)
	}
}

var driftColors = map[string]string{"drift": red, "undecided": red, "warning": yellow, "insufficient": dim}

func (t *driftedTable) text(p *printer, all bool) {
	name := report.Clean(t.Subject)
	if t.Table != "table" {
		name += "  " + report.Clean(t.Table)
	}
	switch t.Change {
	case "unchanged":
		p.f("%s  the same bytes\n", p.paint(bold, name))
		return
	case "new", "gone":
		p.f("%s  %s\n", p.paint(bold, name), p.paint(driftColors[t.Status], map[string]string{"new": "the table is new", "gone": "the table is no more"}[t.Change]))
		return
	}
	p.f("%s  %s → %s\n", p.paint(bold, name), many(t.Ref.Rows, "row"), many(t.Cur.Rows, "row"))
	for _, s := range []*driftedSide{t.Ref, t.Cur} {
		if s.Problem != "" {
			p.f("  %s %s\n", p.paint(yellow, "not read whole:"), report.Clean(s.Problem))
		}
	}
	rows := [][]string{{"column", "status", "as", "psi", "ks D", "js", "w1/sd", "nulls", "q", "bins"}}
	for i := range t.Columns {
		rows = append(rows, t.Columns[i].row())
	}
	p.columns(rows)
	for i := range t.Columns {
		t.Columns[i].detail(p, all)
	}
}

func (v *driftedColumn) row() []string {
	status := v.Status
	if v.r.Unjudged() {
		status = "measured"
	}
	row := []string{shorten(v.Column, 30), status, v.As, "", "", "", "", "", "", ""}
	at := map[compare.Metric]int{compare.PSI: 3, compare.KS: 4, compare.JS: 5, compare.Wasserstein: 6, compare.Nulls: 7}
	for _, m := range v.r.Measures {
		if i := at[m.Metric]; i > 0 {
			row[i] = effect(m.Value)
			if m.Lo != m.Hi {
				row[i] += fmt.Sprintf("±%.2g", math.Max(m.Value-m.Lo, m.Hi-m.Value))
			}
		}
	}
	if !math.IsNaN(v.r.Q) {
		row[8] = fmt.Sprintf("%.2g", v.r.Q)
	}
	if n := len(v.r.Bins); n > 0 {
		name, _, _ := strings.Cut(v.Binning, ";")
		row[9] = fmt.Sprintf("%d: %s", n, name)
	}
	return row
}

func effect(f float64) string {
	switch {
	case math.IsNaN(f):
		return ""
	case math.IsInf(f, 0):
		return "∞"
	}
	return fmt.Sprintf("%.4f", f)
}

// detailBins is how many bins of a column are printed.
const detailBins = 12

// detail says what is not as it was, with the bins that it was found by.
func (v *driftedColumn) detail(p *printer, all bool) {
	if v.Status == string(drift.OK) && !all {
		return
	}
	p.f("\n  %s\n", p.paint(bold, report.Clean(v.Column)))
	for _, m := range v.r.Measures {
		if m.Status == drift.OK && !all {
			continue
		}
		p.f("    %s %s %s\n", p.paint(driftColors[string(m.Status)], pad(string(m.Status), 12)), m.Metric, report.Clean(m.Found())+limitsText(&m))
	}
	if v.Note != "" {
		p.f("    %s\n", report.Clean(v.Note))
	}
	if v.Test != "" {
		p.f("    %s p %.3g, q %.3g over all columns\n", v.Test, v.r.P, v.r.Q)
	}
	v.histograms(p)
	if len(v.r.Bins) == 0 {
		return
	}
	p.f("    %s\n", report.Clean(v.Binning))
	for i, b := range v.r.Bins {
		if i == detailBins {
			p.f("      … and %s more\n", count(int64(len(v.r.Bins)-i)))
			break
		}
		p.f("      %s %s → %s\n", padTo(shorten(b.Label, 28), 28), pad(portion(b.Ref, v.Ref), 7), v.bars(p, b))
	}
}

// limitsText says what a value was held against, and what chance reaches.
func limitsText(m *compare.Measured) string {
	if m.Metric == compare.Presence || m.Metric == compare.KindOf || !m.Judged {
		return ""
	}
	var parts []string
	for _, l := range []struct {
		name string
		at   float64
	}{{"warns", m.Limits.Warn}, {"fails", m.Limits.Fail}} {
		switch {
		case math.IsNaN(l.at):
		case l.at == math.SmallestNonzeroFloat64:
			parts = append(parts, l.name+" above 0")
		default:
			parts = append(parts, fmt.Sprintf("%s from %v on", l.name, l.at))
		}
	}
	if m.Noise > 0 {
		parts = append(parts, fmt.Sprintf("chance reaches %.2g", m.Noise))
	}
	return " (" + strings.Join(parts, ", ") + ")"
}
