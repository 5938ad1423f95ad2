package htmlreport

import (
	"bytes"
	"fmt"
	"html/template"
	"slices"

	"tarn/internal/check/report"
	"tarn/internal/drift"
	"tarn/internal/profile"
)

// tally counts columns, or tables, by status.
type tally struct {
	Drift, Undecided, Warning, Insufficient, OK int
}

func (t *tally) add(s drift.Status) {
	switch s {
	case drift.Drifted:
		t.Drift++
	case drift.Undecided:
		t.Undecided++
	case drift.Warning:
		t.Warning++
	case drift.Insufficient:
		t.Insufficient++
	default:
		t.OK++
	}
}

func (t *tally) plus(o tally) {
	t.Drift, t.Undecided, t.Warning, t.Insufficient, t.OK = t.Drift+o.Drift, t.Undecided+o.Undecided, t.Warning+o.Warning, t.Insufficient+o.Insufficient, t.OK+o.OK
}

// All is how many there are.
func (t tally) All() int { return t.Drift + t.Undecided + t.Warning + t.Insufficient + t.OK }

// section is a table.
type section struct {
	*Table
	ID     string
	Status drift.Status
	Change string // what became of the table as a whole
	Counts tally
	Linked bool // it has a part of the page of its own
	Left   int  // columns without a line
	Bare   int  // columns with a line only
	hide   bool
	cols   []*column
	lines  bytes.Buffer // of the table of columns
	fulls  bytes.Buffer // columns with their histograms
}

// Lines are those of the table of columns.
func (s *section) Lines() template.HTML { return template.HTML(s.lines.String()) }

// Fulls are the columns with their histograms.
func (s *section) Fulls() template.HTML { return template.HTML(s.fulls.String()) }

// Rows says how many rows there were and are.
func (s *section) Rows() string {
	n := func(p *profile.Profile) string {
		if p == nil {
			return "–"
		}
		return count(p.Rows)
	}
	if s.Ref == nil && s.Cur == nil {
		return "–"
	}
	return n(s.Ref) + " → " + n(s.Cur)
}

// Partly says what of the table could not be read.
func (s *section) Partly() (texts []string) {
	for _, p := range []*profile.Profile{s.Ref, s.Cur} {
		if p != nil && p.Problem != "" {
			texts = append(texts, cut(p.Problem, 300))
		}
	}
	return texts
}

func newSection(t *Table, hide bool) *section {
	s := &section{Table: t, Status: drift.OK, hide: hide}
	switch {
	case t.Unchanged:
		s.Change = "Both versions have the same bytes."
	case t.Ref == nil:
		s.Change, s.Status = "The table is new.", drift.Warning
	case t.Cur == nil:
		s.Change, s.Status = "The table is no more.", drift.Drifted
	}
	for _, c := range t.Columns {
		s.cols = append(s.cols, newColumn(s, c))
		s.Counts.add(c.Status)
		if drift.Worse(c.Status, s.Status) {
			s.Status = c.Status
		}
	}
	slices.SortStableFunc(s.cols, worstColumn)
	return s
}

func worst(a, b drift.Status) int {
	switch {
	case drift.Worse(a, b):
		return -1
	case drift.Worse(b, a):
		return 1
	}
	return 0
}

func worstColumn(a, b *column) int {
	if w := worst(a.Status, b.Status); w != 0 {
		return w
	}
	switch {
	case a.excess > b.excess:
		return -1
	case a.excess < b.excess:
		return 1
	}
	return 0
}

// tables makes the sections, worst first. Room goes to the worst columns, whatever table they are of.
func (p *page) tables() error {
	var all []*column
	for i := range p.Tables {
		p.Sections = append(p.Sections, newSection(&p.Tables[i], p.NoValues))
	}
	slices.SortStableFunc(p.Sections, func(a, b *section) int { // those without columns are short
		if (len(a.cols) == 0) != (len(b.cols) == 0) {
			return min(1, len(b.cols)) - min(1, len(a.cols))
		}
		if w := worst(a.Status, b.Status); w != 0 {
			return w
		}
		return b.Counts.Drift - a.Counts.Drift
	})
	for i, s := range p.Sections {
		s.ID = fmt.Sprintf("t%d", i+1)
		all = append(all, s.cols...)
		p.Counts.plus(s.Counts)
	}
	slices.SortStableFunc(all, worstColumn)
	used, err := fulls(all)
	if err != nil {
		return err
	}
	left := MaxSize - frameMax - sectionsMax - summaryMax - used - len(p.Files.HTML) - len(p.Found.HTML) - len(p.Lost.HTML)
	if err := rows(all, left); err != nil {
		return err
	}
	every := p.Sections
	if err := p.trim(); err != nil {
		return err
	}
	p.Summary, err = lines("table", summaryMax, every)
	return err
}

// fulls renders columns until their room is used up, and says how much of it is.
func fulls(all []*column) (used int, err error) {
	for i, c := range all {
		var b bytes.Buffer
		c.ID = fmt.Sprintf("%sc%d", c.table.ID, slices.Index(c.table.cols, c)+1)
		if err := pages().ExecuteTemplate(&b, "column", c); err != nil {
			return 0, err
		}
		if used+b.Len() > columnsMax {
			c.ID = ""
			for _, c := range all[i:] {
				c.table.Bare++
			}
			break
		}
		used += b.Len()
		c.table.fulls.Write(b.Bytes())
	}
	return used, nil
}

// rows renders the lines of the tables of columns until their room is used up.
func rows(all []*column, most int) error {
	used := 0
	for i, c := range all {
		var b bytes.Buffer
		if err := pages().ExecuteTemplate(&b, "row", c); err != nil {
			return err
		}
		if used += b.Len(); used > most {
			for _, c := range all[i:] {
				c.table.Left++
			}
			break
		}
		c.table.lines.Write(b.Bytes())
	}
	return nil
}

// trim leaves out tables of which the summary says all, and those without room for their heads.
func (p *page) trim() error {
	var kept []*section
	used := 0
	for _, s := range p.Sections {
		if len(s.cols)+len(s.Partly()) == 0 {
			continue
		}
		var b bytes.Buffer
		if err := pages().ExecuteTemplate(&b, "section", s); err != nil {
			return err
		}
		if used += b.Len() - s.lines.Len() - s.fulls.Len(); used > sectionsMax {
			p.More++
			continue
		}
		s.Linked = true
		kept = append(kept, s)
	}
	p.Sections = kept
	return nil
}

// judge says in a sentence what the page shows.
func (p *page) judge() {
	n := report.Total(p.Checks)
	p.Status = "ok"
	var tables tally
	for i := range p.Tables {
		tables.add(newSection(&p.Tables[i], p.NoValues).Status)
	}
	switch {
	case tables.Drift > 0:
		p.Status = string(drift.Drifted)
	case n.Errors > 0:
		p.Status = "failed"
	case n.Broken > 0:
		p.Status = "error"
	case tables.Undecided > 0:
		p.Status = string(drift.Undecided)
	case tables.Warning > 0 || n.Warnings > 0:
		p.Status = string(drift.Warning)
	case tables.Insufficient > 0:
		p.Status = string(drift.Insufficient)
	}
	if p.Compared {
		p.Verdict = fmt.Sprintf("%s of %s drifted", count(int64(p.Counts.Drift)), many(int64(p.Counts.All()), "column"))
		for _, x := range []struct {
			n    int
			what string
		}{{p.Counts.Undecided, "undecided"}, {p.Counts.Warning, "with a warning"}, {p.Counts.Insufficient, "with too few values"}} {
			if x.n > 0 {
				p.Verdict += fmt.Sprintf(", %s %s", count(int64(x.n)), x.what)
			}
		}
		p.Verdict += fmt.Sprintf("; %s.", many(int64(len(p.Tables)), "table"))
	}
	if p.Checks != nil {
		if p.Verdict != "" {
			p.Verdict += " "
		}
		p.Verdict += fmt.Sprintf("%d of %s failed.", n.Errors+n.Warnings, many(int64(n.Errors+n.Warnings+n.Passed+n.Broken), "check"))
	}
}
