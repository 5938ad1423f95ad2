package dataset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tarn/index"
	"tarn/internal/check/rows"
	"tarn/internal/drift"
)

// ChangedOptions say since when, and how much has to have changed.
type ChangedOptions struct {
	Since    string   // a revision
	Names    []string // datasets, or directories with some; none: all of HEAD and of Since
	Remote   string   // where bytes that are not here come from; empty: that of each dataset
	NoRows   bool     // no table is read
	MinRows  int64    // fewer rows are no change; a file that is no table counts as one row
	MinShare float64  // a smaller share of the data is no change; from 0 to 1
	Drift    bool     // what drifted is a change, however little it is
}

// DatasetChanged is what happened to a dataset.
type DatasetChanged struct {
	DatasetDiff
	Changed bool
	Tables  int64          // that differ
	Unread  int64          // of them those whose rows are not known
	Rows    rows.Counts    // of tables that differ
	Others  int64          // entries that differ and are no tables
	Share   float64        // of the data that changed, by bytes: of a table that differs the share of its rows, of another file all
	Drift   drift.Status   // the worst of its tables; empty if nobody asked, or nothing differs
	Drifted []DriftedValue // what failed

	changed float64 // bytes
	grown   int64   // bytes that only the old side has
	gone    int64   // entries that only the old side has
}

// Units is what MinRows is about.
func (d *DatasetChanged) Units() int64 { return d.Rows.Differing() + d.Others }

// ChangedResult says for each dataset whether it changed.
type ChangedResult struct {
	Since, To string // commits
	Datasets  []*DatasetChanged
	Notes     []Problem // tables that can't be read, and count as changed
	Problems  []Problem
}

// Changed says that a dataset did.
func (res *ChangedResult) Changed() bool {
	for _, d := range res.Datasets {
		if d.Changed {
			return true
		}
	}
	return false
}

// Changed says which datasets of HEAD have other data than at a revision. It reads manifests and, of tables that differ, rows, or for Drift their values.
func (r *Repo) Changed(ctx context.Context, o ChangedOptions) (*ChangedResult, error) {
	if err := r.knownRemote(o.Remote); err != nil {
		return nil, err
	}
	switch {
	case o.NoRows && o.MinRows > 0:
		return nil, fmt.Errorf("%w: rows are not counted without reading tables", ErrUsage)
	case o.NoRows && o.Drift:
		return nil, fmt.Errorf("%w: drift is not known without reading tables", ErrUsage)
	}
	head, _, err := r.git.Head(ctx)
	if err != nil {
		return nil, err
	}
	if head == "" {
		return nil, fmt.Errorf("%w: there is no commit yet", ErrUsage)
	}
	res := &ChangedResult{}
	diff := &DiffResult{}
	d := r.rowDiffer(RowSettings{noCells: true}, o.Remote, diff)
	defer d.close()
	found := map[string]*DatasetChanged{}
	each := func(c DiffChange) error {
		ds := found[c.Dataset]
		if ds == nil {
			ds = &DatasetChanged{}
			found[c.Dataset] = ds
		}
		return ds.add(ctx, d, &c, o.NoRows, res)
	}
	args := append([]string{o.Since, head}, o.Names...)
	_, err = r.diff(ctx, DiffOptions{Args: args, Dash: 2, RenameLimit: DefaultRenameLimit, Each: each}, diff)
	if err != nil && !errors.Is(err, ErrIncomplete) && !errors.Is(err, ErrCorrupt) {
		return nil, err
	}
	res.Since, res.To, res.Problems = diff.From, diff.To, append(diff.Problems, d.problems...)
	if err := r.sumChanged(ctx, o, diff, found, res); err != nil {
		return nil, err
	}
	if o.Drift {
		if err := r.drifts(ctx, o, res); err != nil {
			return nil, err
		}
	}
	return res, outcome(nil, res.Problems)
}

// add takes a change in.
func (ds *DatasetChanged) add(ctx context.Context, d *rowDiffer, c *DiffChange, noRows bool, res *ChangedResult) error {
	before, after := sizeOf(c.Old), sizeOf(c.New)
	if c.New == nil {
		ds.gone++
	}
	if c.Kind() == ChangeRenamed {
		before = after
	}
	ds.grown += max(before-after, 0)
	t, o, named, err := d.asTable(ctx, c)
	if err == nil && t != nil && !noRows {
		err = d.compareRows(ctx, t, o)
	}
	switch {
	case err != nil:
		return err
	case t == nil && named && c.Kind() == ChangeRenamed: // its rows are the same
	case t == nil && c.Kind() == ChangeMode:
	case t == nil:
		ds.Others++
		ds.changed += float64(max(before, after))
	case t.Err != nil || noRows:
		ds.Tables++
		ds.Unread++
		ds.changed += float64(max(before, after))
		var bad *rows.Error
		if errors.As(t.Err, &bad) {
			res.Notes = append(res.Notes, problemAt(t.Dataset, t.Path, "", t.Err))
		}
	default:
		ds.Tables++
		ds.Rows.Add(t.Counts)
		ds.changed += float64(max(before, after)) * t.Counts.Share()
	}
	return nil
}

// sumChanged lists all datasets that were asked for, and judges them.
func (r *Repo) sumChanged(ctx context.Context, o ChangedOptions, diff *DiffResult, found map[string]*DatasetChanged, res *ChangedResult) error {
	ps, err := r.picks(o.Names)
	if err != nil {
		return err
	}
	names, err := r.pickedAt(ctx, diff.To, ps)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, ds := range diff.Datasets {
		known[ds.Dataset] = true
		c := found[ds.Dataset]
		if c == nil {
			c = &DatasetChanged{}
		}
		c.DatasetDiff = *ds
		v, err := r.headManifest(ctx, diff.To, ds.Dataset)
		if err != nil {
			return err
		}
		c.judge(o, v)
		res.Datasets = append(res.Datasets, c)
	}
	for _, n := range names {
		if !known[n] {
			res.Datasets = append(res.Datasets, &DatasetChanged{DatasetDiff: DatasetDiff{Dataset: n}})
		}
	}
	slices.SortFunc(res.Datasets, func(a, b *DatasetChanged) int { return cmp.Compare(a.Dataset, b.Dataset) })
	return nil
}

// pickedAt are the datasets of a commit that are picked, by name.
func (r *Repo) pickedAt(ctx context.Context, commit string, ps picks) ([]string, error) {
	files, err := r.git.ManifestsAt(ctx, commit)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range files {
		if n := datasetOf(f.Path); len(ps.of(n)) > 0 {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names, nil
}

// judge says whether what was found is a change.
func (ds *DatasetChanged) judge(o ChangedOptions, now *version) {
	var m *index.Manifest
	if now != nil {
		m = now.Manifest
	}
	entries, bytes := index.Totals(m)
	switch all := bytes + ds.grown; {
	case all > 0:
		ds.Share = ds.changed / float64(all)
	case entries+ds.gone > 0:
		ds.Share = float64(ds.Others+ds.Tables) / float64(entries+ds.gone)
	}
	ds.Changed = ds.Any() || ds.Status == "added" || ds.Status == "removed"
	if ds.Unread > 0 && !o.NoRows { // nobody knows how much
		return
	}
	if ds.Units() < o.MinRows || ds.Share < o.MinShare {
		ds.Changed = false
	}
}

// ParseShare reads a share: 0.05 or 5%.
func ParseShare(s string) (float64, error) {
	num, percent := strings.CutSuffix(s, "%")
	f, err := strconv.ParseFloat(num, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %q is no share; write 0.05 or 5%%", ErrUsage, s)
	}
	if percent {
		f /= 100
	}
	if !(f >= 0 && f <= 1) {
		return 0, fmt.Errorf("%w: a share is from 0 to 1, or from 0%% to 100%%, not %s", ErrUsage, s)
	}
	return f, nil
}
