package compare

import (
	"fmt"
	"math"
	"strings"

	"tarn/internal/check/report"
	"tarn/internal/drift"
)

// Checks are the verdicts in the form in which checks are reported; line is that of the limits in the contract.
func (r *Result) Checks(table string, line int) (cs []report.Check) {
	for _, m := range r.Measures {
		if !m.Judged {
			continue
		}
		c := report.Check{Key: table + "." + r.Column + "." + string(m.Metric), Kind: string(m.Metric), Code: "drift", Object: table, Columns: []string{r.Column}, Severity: "error",
			Text: m.text(r.Column), Note: m.Found(), Line: line, Status: report.Passed}
		switch m.Status {
		case drift.Warning:
			c.Severity, c.Status = "warning", report.Failed
		case drift.Drifted:
			c.Status = report.Failed
		case drift.Insufficient:
			c.Status = report.Skipped
			c.Note = fmt.Sprintf("there are too few values: chance alone reaches %s; %s", short(m.Noise), m.Found())
		case drift.Undecided:
			c.Status = report.Errored
			c.Note = "the profiles leave it open, --exact reads the values: " + m.Found()
		}
		cs = append(cs, c)
	}
	return cs
}

// text is what must hold.
func (m *Measured) text(column string) string {
	var limits []string
	for _, x := range []struct {
		name  string
		limit float64
	}{{"warns", m.Limits.Warn}, {"fails", m.Limits.Fail}} {
		switch {
		case math.IsNaN(x.limit) || x.limit == 0:
		case x.limit == anything:
			limits = append(limits, x.name+" above 0")
		default:
			limits = append(limits, fmt.Sprintf("%s from %v on", x.name, x.limit))
		}
	}
	if m.Metric == Presence || m.Metric == KindOf {
		return string(m.Metric) + " of " + column + " stays"
	}
	return fmt.Sprintf("%s of %s %s", m.Metric, column, strings.Join(limits, ", "))
}

// Found is the value with what goes with it.
func (m *Measured) Found() string {
	if m.Metric == Presence || m.Metric == KindOf {
		return m.Note
	}
	s := short(m.Value)
	if m.Lo != m.Hi {
		s += fmt.Sprintf(" (%s to %s)", short(m.Lo), short(m.Hi))
	}
	if m.Note != "" {
		s += ": " + m.Note
	}
	return s
}

func short(f float64) string {
	if f != 0 && math.Abs(f) < .00005 {
		return fmt.Sprintf("%.1e", f)
	}
	return fmt.Sprintf("%.4f", f)
}
