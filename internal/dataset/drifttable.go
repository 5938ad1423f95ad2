package dataset

import (
	"context"
	"slices"

	"tarn/internal/check/contract"
	"tarn/internal/check/report"
	"tarn/internal/drift"
	"tarn/internal/profile"
	"tarn/internal/profile/compare"
)

// tablePair is a table of both sides, of which one may lack it.
type tablePair struct {
	d        *drifting
	sides    [2]*profileSide
	files    [2]*tableFiles
	t        *TableDrift
	contract *contract.Contract
}

func (p *tablePair) compare(ctx context.Context, rep *report.Result) error {
	t := p.t
	if sameFiles(p.files[0], p.files[1]) {
		t.Unchanged = true
		p.d.res.Tables = append(p.d.res.Tables, t)
		rep.Checks = append(rep.Checks, report.Check{Key: t.Name + ".unchanged", Kind: "unchanged", Object: t.Name, Severity: "error", Text: "both versions have the same bytes", Status: report.Passed})
		rep.Files += int64(len(p.files[1].files))
		return nil
	}
	var profiles [2]*TableProfile
	for i, f := range p.files {
		if f == nil {
			continue
		}
		tp, problems, err := p.sides[i].table(ctx, f, p.d.rep)
		if err != nil {
			return err
		}
		if len(problems) > 0 {
			p.d.res.Problems = append(p.d.res.Problems, problems...)
			return nil
		}
		profiles[i] = tp
		rep.Files += tp.Files
		rep.Rows += tp.Rows
	}
	t.Ref, t.Cur = profiles[0], profiles[1]
	p.d.res.Tables = append(p.d.res.Tables, t)
	if t.Ref == nil || t.Cur == nil {
		c := report.Check{Key: t.Name + ".table", Kind: "table", Code: "drift", Object: t.Name, Severity: "error", Text: "the table stays", Status: report.Failed, Note: "the table is no more"}
		if t.Ref == nil {
			c.Severity, c.Note = "warning", "the table is new"
		}
		rep.Checks = append(rep.Checks, c)
		return nil
	}
	if err := p.columns(ctx); err != nil {
		return err
	}
	for _, c := range t.Columns {
		if p.d.o.NoValues {
			c.Hide()
		}
		rep.Checks = append(rep.Checks, c.Checks(t.Name, p.line(c.Column))...)
	}
	return nil
}

// driftValues is up to how many values a column is compared by all of them, and driftHeld how many are held at once, both sides together. Of more than driftFiles
// files all are opened only for what the profiles leave undecided.
const (
	driftValues = 2_000_000
	driftHeld   = 24_000_000
	driftFiles  = 1000
)

// columns compares all columns; those whose values are to be read, some at a time.
func (p *tablePair) columns(ctx context.Context) error {
	ref, cur := p.t.Ref.Profile, p.t.Cur.Profile
	names := union(ref, cur)
	results := map[string]*compare.Result{}
	exact := p.exactColumns(names)
	for len(exact) > 0 {
		var some []string
		held := int64(0)
		for _, n := range exact {
			if held += ref.Column(n).Values() + cur.Column(n).Values(); held > driftHeld && len(some) > 0 {
				break
			}
			some = append(some, n)
		}
		exact = exact[len(some):]
		var values [2]map[string]*profile.Values
		for i, s := range p.sides {
			var err error
			if values[i], err = s.collect(ctx, p.files[i], some); err != nil {
				return err
			}
		}
		for _, n := range some {
			results[n] = compare.Columns(n, compare.Side{Column: ref.Column(n), Values: values[0][n]}, compare.Side{Column: cur.Column(n), Values: values[1][n]}, p.rules(n))
		}
	}
	for _, n := range names {
		c := results[n]
		if c == nil {
			c = compare.Columns(n, compare.Side{Column: ref.Column(n)}, compare.Side{Column: cur.Column(n)}, p.rules(n))
		}
		p.t.Columns = append(p.t.Columns, c)
	}
	compare.Adjust(p.t.Columns)
	return nil
}

// exactColumns are those that a profile alone would leave a band for, and whose values can be read: they are here and few enough, or the user asked for it.
func (p *tablePair) exactColumns(names []string) (exact []string) {
	if p.files[0].media != "" || p.files[1].media != "" {
		return nil // a value is a file that would have to be decoded
	}
	for _, n := range names {
		ref, cur := p.t.Ref.Column(n), p.t.Cur.Column(n)
		if ref == nil || cur == nil || ref.Kind() != cur.Kind() || p.rules(n).Exclude {
			continue
		}
		if f := compare.FormOf(ref, cur); f == compare.Categories || f == compare.Nothing {
			continue
		}
		if ref.Dist().Sketch.Eps()+cur.Dist().Sketch.Eps() == 0 {
			continue
		}
		if p.d.o.Exact || max(ref.Values(), cur.Values()) <= driftValues {
			exact = append(exact, n)
		}
	}
	if p.d.o.Exact {
		return exact
	}
	if max(len(p.files[0].files), len(p.files[1].files)) > driftFiles {
		exact = slices.DeleteFunc(exact, func(n string) bool { return !p.undecided(n) })
	}
	if len(exact) == 0 {
		return nil
	}
	for i, s := range p.sides {
		for _, e := range p.files[i].files {
			if s.version != nil && !s.version.here(e) {
				return nil
			}
		}
	}
	return exact
}

// undecided says that profiles alone leave it open whether a column drifted.
func (p *tablePair) undecided(name string) bool {
	c := compare.Columns(name, compare.Side{Column: p.t.Ref.Column(name)}, compare.Side{Column: p.t.Cur.Column(name)}, p.rules(name))
	return slices.ContainsFunc(c.Measures, func(m compare.Measured) bool { return m.Status == drift.Undecided })
}

// collect reads all values of some columns.
func (s *profileSide) collect(ctx context.Context, t *tableFiles, names []string) (map[string]*profile.Values, error) {
	vs := map[string]*profile.Values{}
	for _, n := range names {
		vs[n] = &profile.Values{}
	}
	for _, e := range t.files {
		f, err := s.src.Open(ctx, e)
		if err != nil {
			return nil, err
		}
		err = profile.Collect(ctx, e.Path, f, t.o, vs)
		f.Close()
		if err != nil {
			return nil, err
		}
	}
	return vs, nil
}

// rules are the limits of a column: those of tarn, where the contract has others for the table these, and where it has for the column those.
func (p *tablePair) rules(name string) compare.Rules {
	r := compare.Defaults(p.d.o.Compat)
	with := func(d *contract.Drift) {
		if d == nil {
			return
		}
		for m, l := range d.Limits {
			r = r.With(compare.Metric(m), drift.Limits{Warn: l.Warn, Fail: l.Fail})
		}
		r.Exclude = r.Exclude || d.Exclude
	}
	o := p.files[1].object
	if o == nil {
		return r
	}
	with(o.Drift)
	if c := o.Column(name); c != nil && c.Drift != nil {
		with(c.Drift)
		r.Given = len(c.Drift.Limits) > 0
	}
	return r
}

// line is where the contract has the limits of a column, else the column; 0: nowhere.
func (p *tablePair) line(name string) int {
	o := p.files[1].object
	if o == nil {
		return 0
	}
	c := o.Column(name)
	switch {
	case c != nil && c.Drift != nil:
		return c.Drift.Line
	case o.Drift != nil:
		return o.Drift.Line
	case c != nil:
		return c.Line
	}
	return o.Line
}
