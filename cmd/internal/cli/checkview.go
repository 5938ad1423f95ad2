package cli

import (
	"slices"
	"strings"

	"tarn/internal/check/report"
	"tarn/internal/dataset"
)

type checkResult struct {
	Results  []checkedSubject `json:"results"`
	Problems []problem        `json:"problems"`
}

type checkedSubject struct {
	Subject  string        `json:"subject"`
	Contract string        `json:"contract"`
	Passed   int           `json:"passed"`
	Failed   int           `json:"failed"`
	Warnings int           `json:"warnings"`
	Infos    int           `json:"infos"`
	Broken   int           `json:"errors"`
	Skipped  int           `json:"skipped"`
	Files    int64         `json:"files"`
	Rows     int64         `json:"rows"`
	Bytes    int64         `json:"bytes"`
	Spilled  int64         `json:"spilled_bytes"`
	NotAdded int           `json:"not_added"`
	Checks   []checkedRule `json:"checks"`
	NotRun   []checkNotRun `json:"not_run"`
}

type checkedRule struct {
	Check      string           `json:"check"`
	Kind       string           `json:"kind"`
	Status     string           `json:"status"`
	Severity   string           `json:"severity"`
	Text       string           `json:"text"`
	Note       string           `json:"note,omitempty"`
	Count      int64            `json:"count"`
	Total      int64            `json:"total"`
	Line       int              `json:"line"`
	Violations []checkViolation `json:"violations"`
	c          report.Check
}

type checkViolation struct {
	Code   string   `json:"code"`
	File   jsonPath `json:"file,omitempty"`
	Row    int64    `json:"row,omitempty"`
	Column string   `json:"column,omitempty"`
	Value  string   `json:"value,omitempty"`
	Note   string   `json:"note,omitempty"`
}

type checkNotRun struct {
	What string `json:"what"`
	Line int    `json:"line"`
}

func checkView(res *dataset.CheckResult) *checkResult {
	v := &checkResult{Results: []checkedSubject{}, Problems: problems(res.Problems)}
	for _, r := range res.Results {
		n := r.Count()
		s := checkedSubject{r.Subject, r.Contract, n.Passed, n.Errors, n.Warnings, n.Infos, n.Broken, n.Skipped, r.Files, r.Rows, r.Bytes, r.Spilled, res.NotAdded[r.Subject], []checkedRule{}, []checkNotRun{}}
		checks := slices.Clone(r.Checks)
		slices.SortStableFunc(checks, report.Worst)
		for _, c := range checks {
			k := checkedRule{c.Key, c.Kind, string(c.Status), c.Severity, c.Text, c.Note, c.Count, c.Total, c.Line, []checkViolation{}, c}
			for _, x := range c.Violations {
				k.Violations = append(k.Violations, checkViolation{x.Code, jsonPath(x.File), x.Row, x.Column, x.Value, x.Note})
			}
			s.Checks = append(s.Checks, k)
		}
		for _, x := range r.NotRun {
			s.NotRun = append(s.NotRun, checkNotRun{x.What, x.Line})
		}
		v.Results = append(v.Results, s)
	}
	return v
}

// Rows are the checks, with what they were about.
func (v *checkResult) Rows(yield func(any) bool) {
	for _, s := range v.Results {
		for _, c := range s.Checks {
			if !yield(struct {
				Subject string `json:"subject"`
				checkedRule
			}{s.Subject, c}) {
				return
			}
		}
	}
}

// Text shows what is not as it should be, worst first, and one line for the rest.
func (v *checkResult) Text(p *printer) {
	for i := range v.Results {
		v.Results[i].text(p)
	}
}

func (s *checkedSubject) text(p *printer) {
	p.f("%s  against %s\n", p.paint(bold, report.Clean(s.Subject)), report.Clean(s.Contract))
	for i := range s.Checks {
		s.Checks[i].text(p)
	}
	for _, n := range s.NotRun {
		p.f("  %s line %d: %s is for another engine\n", p.paint(dim, pad("not run", 8)), n.Line, report.Clean(n.What))
	}
	p.f("  %s\n", s.sum(p))
}

var checkColors = map[string]string{"error": red, "warning": yellow, "info": dim}

func (k *checkedRule) text(p *printer) {
	label, color := k.Severity, checkColors[k.Severity]
	switch report.Status(k.Status) {
	case report.Passed:
		return
	case report.Skipped:
		label, color = "skipped", dim
	case report.Errored:
		label, color = "broken", red
	}
	p.f("  %s %s  %s\n", p.paint(color, pad(label, 8)), report.Clean(k.Check), k.c.Message())
	for i := range k.c.Violations {
		p.f("    %s\n", k.c.Violations[i].String())
	}
	if more := k.Count - int64(len(k.Violations)); more > 0 && len(k.Violations) > 0 {
		p.f("    … and %s more\n", count(more))
	}
}

// sum is the last line: 12 passed, 1 failed; 8,000,000 rows in 1 file.
func (s *checkedSubject) sum(p *printer) string {
	var parts []string
	add := func(n int, what, color string) {
		if n > 0 {
			parts = append(parts, p.paint(color, count(int64(n))+" "+what))
		}
	}
	add(s.Passed, "passed", green)
	add(s.Failed, "failed", red)
	add(s.Warnings, "with a warning", yellow)
	add(s.Infos, "with a notice", dim)
	add(s.Broken, "could not be checked", red)
	add(s.Skipped, "skipped", dim)
	line := strings.Join(parts, ", ") + "; " + many(s.Files, "file")
	if s.Rows > 0 {
		line += ", " + many(s.Rows, "row")
	}
	if s.Bytes > 0 {
		line += ", " + size(s.Bytes)
	}
	if s.Spilled > 0 {
		line += "; " + size(s.Spilled) + " of keys in temporary files"
	}
	return line
}
