package htmlreport

import (
	"slices"

	"tarn/internal/check/report"
)

// found is a run of a contract.
type found struct {
	*report.Result
	Counts report.Counts
	Lines  piece
}

// check is a check that does not hold, or of which that is not known.
type check struct {
	*report.Check
	Level string
}

// Says is what was found, in a line.
func (c check) Says() string { return cut(c.Message(), 400) }

// Places are the violations that are shown.
func (c check) Places() (places []string) {
	for i := range c.Violations {
		places = append(places, cut(c.Violations[i].String(), 200))
	}
	return places
}

// More is how many violations are not.
func (c check) More() int64 {
	if len(c.Violations) == 0 {
		return 0
	}
	return c.Count - int64(len(c.Violations))
}

func (p *page) checks() error {
	var runs []*found
	left := violationsMax
	for _, r := range p.Checks {
		var cs []check
		all := slices.Clone(r.Checks)
		slices.SortStableFunc(all, report.Worst)
		for i := range all {
			switch c := &all[i]; c.Status {
			case report.Failed:
				cs = append(cs, check{c, c.Severity})
			case report.Errored:
				cs = append(cs, check{c, "undecided"})
			}
		}
		got, err := lines("check", left, cs)
		if err != nil {
			return err
		}
		left -= len(got.HTML)
		runs = append(runs, &found{r, r.Count(), got})
	}
	var err error
	p.Found, err = lines("run", checksMax, runs)
	return err
}
