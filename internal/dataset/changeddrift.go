package dataset

import (
	"context"
	"fmt"
	"slices"

	"tarn/internal/check/report"
	"tarn/internal/drift"
	"tarn/internal/profile/compare"
)

// DriftedValue is a measure of a column that is beyond the limit at which it fails. The metrics table, column and kind have no value: it is gone, or of another kind.
type DriftedValue struct {
	Table, Column, Metric string
	Value                 float64
}

// drifts holds the tables of datasets that differ against the limits of Drift. What drifted changed, however little it is; so did what nobody can tell of.
func (r *Repo) drifts(ctx context.Context, o ChangedOptions, res *ChangedResult) error {
	ps, err := r.picks(o.Names)
	if err != nil {
		return err
	}
	for _, ds := range res.Datasets {
		if !ds.Any() {
			continue
		}
		for _, t := range ps.of(ds.Dataset) {
			if err := r.driftOf(ctx, ds, t, o.Remote, res); err != nil {
				return err
			}
		}
	}
	return nil
}

// driftOf compares the part of a dataset that is asked for.
func (r *Repo) driftOf(ctx context.Context, ds *DatasetChanged, t Target, remote string, res *ChangedResult) error {
	was := t
	if ds.From != "" {
		was.Dataset = ds.From
	}
	ref, err := r.driftSide(ctx, res.Since, was, remote)
	if err != nil {
		return err
	}
	cur, err := r.driftSide(ctx, res.To, t, remote)
	if err != nil {
		return err
	}
	if cur != nil {
		if err := r.sideContracts(ctx, res.To, []*profileSide{cur}, ""); err != nil {
			return err
		}
	}
	d := &drifting{res: &DriftResult{}, rep: r.report}
	err = d.pair(ctx, ref, cur, t.String())
	for _, p := range d.res.Problems {
		if !slices.ContainsFunc(res.Problems, func(q Problem) bool { return q.Dataset == p.Dataset && q.Path == p.Path }) {
			res.Problems = append(res.Problems, p)
		}
	}
	ds.drifted(d.res, res)
	return err
}

// driftSide is a part of a dataset in a commit; nil where there is no such dataset.
func (r *Repo) driftSide(ctx context.Context, commit string, t Target, remote string) (*profileSide, error) {
	v, err := r.headManifest(ctx, commit, t.Dataset)
	if v == nil || err != nil {
		return nil, err
	}
	return r.versionSide(wanted{t, v, commit}, commit, remote), nil
}

// drifted takes in what the verb found.
func (ds *DatasetChanged) drifted(found *DriftResult, res *ChangedResult) {
	for _, t := range found.Tables {
		switch {
		case t.Unchanged:
			ds.worse(drift.OK)
		case t.Ref == nil:
			ds.worse(drift.Warning)
		case t.Cur == nil:
			ds.worse(drift.Drifted)
			ds.Drifted = append(ds.Drifted, DriftedValue{Table: t.Name, Metric: "table"})
		}
		for _, c := range t.Columns {
			ds.worse(c.Status)
			ds.beyond(t.Name, c)
		}
	}
	open := 0
	for _, rep := range found.Reports {
		for _, c := range rep.Checks {
			if c.Status == report.Errored {
				open++
			}
		}
	}
	if open > 0 {
		err := fmt.Errorf("profiles leave open whether %s passed a limit; tarn drift --exact reads the values", plural(open, "value"))
		res.Notes = append(res.Notes, problemAt(ds.Dataset, "", "", err))
	}
	ds.Changed = ds.Changed || ds.Drift == drift.Drifted || ds.Drift == drift.Undecided
}

func (ds *DatasetChanged) worse(s drift.Status) {
	if ds.Drift == "" || drift.Worse(s, ds.Drift) {
		ds.Drift = s
	}
}

// beyond lists what failed in a column.
func (ds *DatasetChanged) beyond(table string, c *compare.Result) {
	for _, m := range c.Measures {
		if m.Status == drift.Drifted && m.Judged {
			ds.Drifted = append(ds.Drifted, DriftedValue{table, c.Column, string(m.Metric), m.Value})
		}
	}
}
