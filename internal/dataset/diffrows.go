package dataset

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"tarn/index"
	"tarn/internal/check"
	"tarn/internal/check/contract"
	"tarn/internal/check/rows"
	"tarn/internal/check/spill"
	"tarn/internal/durable"
)

// RowSettings are those of every comparison of rows.
type RowSettings struct {
	Key      []string // columns that tell rows apart; none: those that the contract calls the primary key, else all
	Shown    int      // rows of each kind that are kept of each table
	NoValues bool     // nothing of the data in the result
	noCells  bool
}

// RowDiffOptions say which versions are compared row by row.
type RowDiffOptions struct {
	Args        []string // as in DiffOptions
	Dash        int
	RenameLimit int
	Remote      string                // where bytes that are not here come from; empty: that of each dataset
	Each        func(TableDiff) error // takes the tables; an error of it ends the run
	RowSettings
}

// TableDiff is a table that two sides don't have in common.
type TableDiff struct {
	Dataset, Path string
	FromDataset   string       // where the dataset has another name now
	Old, New      *index.Entry // nil: nothing
	Rows          *rows.Result // nil where it was added or removed, or Err is set
	Counts        rows.Counts  // of what was added or removed: all its rows
	Err           error        // why it could not be compared: it wraps a *rows.Error where the data are to blame
}

// Name is the path of the table from the root of the repository.
func (t *TableDiff) Name() string { return entryName(t.Dataset, t.Path) }

// RowDiffResult is what the tables of two sides do not have in common.
type RowDiffResult struct {
	*DiffResult
	Tables  int64 // that differ
	Unread  int64 // of them those that could not be compared
	Others  int64 // entries that differ and are no tables, or have the same bytes under another name
	Counts  rows.Counts
	Spilled int64 // bytes that went to temporary files

	both, keyless int64 // tables that both sides have; those of them that lack a column of the key that was asked for
}

func (res *RowDiffResult) count(t *TableDiff) {
	res.Tables++
	res.Counts.Add(t.Counts)
	if t.Err != nil {
		res.Unread++
	}
	if t.Old != nil && t.New != nil {
		res.both++
	}
	if errors.Is(t.Err, rows.ErrNoKey) {
		res.keyless++
	}
	if t.Rows != nil {
		res.Spilled += t.Rows.Spilled
	}
}

// ErrNotCompared says that the bytes of a table are not what a table is made of.
var ErrNotCompared = errors.New("could not compare")

// outcome is the error for tables that could not be compared.
func (res *RowDiffResult) outcome() error {
	switch {
	case res.keyless > 0 && res.keyless == res.both:
		return fmt.Errorf("%w: no table has all columns of the key", ErrUsage)
	case res.Unread > 0:
		return fmt.Errorf("%w %s", ErrNotCompared, plural(int(res.Unread), "table"))
	}
	return nil
}

// RowDiff is Diff for the rows of tables: of each file that both sides have under one name with different bytes it hands on what rows differ, of one that came or
// went how many there are. Nothing is read of what did not change.
func (r *Repo) RowDiff(ctx context.Context, o RowDiffOptions) (*RowDiffResult, error) {
	if err := r.knownRemote(o.Remote); err != nil {
		return nil, err
	}
	res := &RowDiffResult{DiffResult: &DiffResult{}}
	d := r.rowDiffer(o.RowSettings, o.Remote, res.DiffResult)
	defer d.close()
	each := func(c DiffChange) error {
		t, err := d.table(ctx, &c)
		if err != nil {
			return err
		}
		if t == nil {
			res.Others++
			return nil
		}
		res.count(t)
		return o.Each(*t)
	}
	_, err := r.diff(ctx, DiffOptions{Args: o.Args, Dash: o.Dash, RenameLimit: o.RenameLimit, Each: each}, res.DiffResult)
	if errors.Is(err, ErrUsage) {
		return nil, err
	}
	res.Problems = append(res.Problems, d.problems...)
	if err == nil || errors.Is(err, ErrIncomplete) {
		if err = outcome(nil, res.Problems); err == nil {
			err = res.outcome()
		}
	}
	return res, err
}

// rowDiffer compares tables of two sides.
type rowDiffer struct {
	r        *Repo
	set      RowSettings
	remote   string
	res      *DiffResult
	problems []Problem
	sources  map[versionKey]*versionSource
	objects  map[string][]*contract.Object
}

// versionKey names a version of a dataset.
type versionKey struct{ rev, dataset string }

func (r *Repo) rowDiffer(set RowSettings, remote string, res *DiffResult) *rowDiffer {
	return &rowDiffer{r: r, set: set, remote: remote, res: res, sources: map[versionKey]*versionSource{}, objects: map[string][]*contract.Object{}}
}

func (d *rowDiffer) close() {
	for _, s := range d.sources {
		s.close()
	}
}

// table compares the rows of a change; nil where it is none of a table's bytes.
func (d *rowDiffer) table(ctx context.Context, c *DiffChange) (*TableDiff, error) {
	t, o, _, err := d.asTable(ctx, c)
	if err != nil || t == nil {
		return nil, err
	}
	return t, d.compareRows(ctx, t, o)
}

// asTable is a change of a table's bytes, with what the contract says of it; nil where it is none. named says that the path is that of a table.
func (d *rowDiffer) asTable(ctx context.Context, c *DiffChange) (t *TableDiff, o *contract.Object, named bool, err error) {
	t = &TableDiff{Dataset: c.Dataset, Path: c.Path, Old: c.Old, New: c.New}
	if i, ok := slices.BinarySearchFunc(d.res.Datasets, c.Dataset, func(ds *DatasetDiff, n string) int { return cmp.Compare(ds.Dataset, n) }); ok {
		t.FromDataset = d.res.Datasets[i].From
	}
	named, o, err = d.object(ctx, t)
	if err != nil || !named || !isFile(c.Old) || !isFile(c.New) || c.Old != nil && c.New != nil && c.Old.Digest == c.New.Digest {
		return nil, o, named, err
	}
	return t, o, true, nil
}

// compareRows fills in what became of the rows; what prevents it is in t.
func (d *rowDiffer) compareRows(ctx context.Context, t *TableDiff, o *contract.Object) error {
	bytes := sizeOf(t.Old) + sizeOf(t.New)
	d.r.report.Phase("compare rows of "+t.Name(), 1, bytes)
	t.Err = d.compare(ctx, t, o)
	d.r.report.Add(1, bytes)
	var bad *rows.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case t.Err != nil && !errors.As(t.Err, &bad):
		d.problems = append(d.problems, problemAt(t.Dataset, t.Path, "", t.Err))
	}
	return nil
}

func sizeOf(e *index.Entry) int64 {
	if e == nil {
		return 0
	}
	return e.Size
}

func isFile(e *index.Entry) bool { return e == nil || e.Kind == index.File || e.Kind == index.Exec }

// tableName is the path of an entry as contracts see it: of a dataset that is one file, the file's name.
func tableName(dataset, entry string) string {
	if entry == "." {
		return path.Base(dataset)
	}
	return entry
}

// object is what the contract beside the dataset says of a file, if there is one, and whether the file is a table.
func (d *rowDiffer) object(ctx context.Context, t *TableDiff) (is bool, o *contract.Object, err error) {
	name := tableName(t.Dataset, t.Path)
	objects, known := d.objects[t.Dataset]
	if !known {
		c, _, err := d.r.findContract(ctx, d.res.To, wanted{Target: Target{Dataset: t.Dataset}, commit: d.res.To}, "")
		switch {
		case err == nil:
			objects = c.Objects
		case !errors.Is(err, ErrNoContract):
			return false, nil, err
		}
		d.objects[t.Dataset] = objects
	}
	for _, o := range objects {
		if o.IsTable() && (o.Files.Match(name) && !o.Files.Everything() || t.Path == "." || o.Files.Everything() && rows.IsTable(name)) {
			return o.Format != "" || rows.IsTable(name), o, nil
		}
	}
	return rows.IsTable(name), nil, nil
}

func (d *rowDiffer) compare(ctx context.Context, t *TableDiff, o *contract.Object) error {
	var sides [2]rows.Side
	for i, e := range []*index.Entry{t.Old, t.New} {
		if e == nil {
			continue
		}
		f, err := d.open(ctx, t, e, i == 1)
		if err != nil {
			return err
		}
		defer f.Close()
		sides[i] = rows.Side{Name: tableName(t.Dataset, t.Path), File: f}
		if o != nil {
			sides[i].Options = check.TableOptions(o)
		}
	}
	return d.set.compare(ctx, t, sides, o, d.r.checkTemp)
}

// compare fills in what became of the rows.
func (set *RowSettings) compare(ctx context.Context, t *TableDiff, sides [2]rows.Side, o *contract.Object, temp func() (spill.Temp, error)) (err error) {
	switch {
	case t.Old == nil:
		t.Counts.Added, err = rows.Count(ctx, sides[1])
		return err
	case t.New == nil:
		t.Counts.Removed, err = rows.Count(ctx, sides[0])
		var bad *rows.Error
		if errors.As(err, &bad) {
			bad.Old = true
		}
		return err
	}
	in := rows.Input{Old: sides[0], New: sides[1], Key: set.Key, Asked: len(set.Key) > 0, Shown: set.Shown, NoValues: set.NoValues, NoCells: set.noCells, Temp: temp}
	if len(in.Key) == 0 && o != nil {
		in.Key = o.PrimaryKey
	}
	if t.Rows, err = rows.Compare(ctx, in); err == nil {
		t.Counts = t.Rows.Counts
	}
	return err
}

// open opens one side of a table: that of the workspace where it stands, else what the manifest names.
func (d *rowDiffer) open(ctx context.Context, t *TableDiff, e *index.Entry, now bool) (check.File, error) {
	if e.Size == 0 {
		return emptyFile{bytes.NewReader(nil)}, nil
	}
	rev, dataset := d.res.To, t.Dataset
	switch {
	case !now:
		rev = d.res.From
		if t.FromDataset != "" {
			dataset = t.FromDataset
		}
	case rev == "":
		if f, info, err := durable.OpenRegular(d.r.entryPath(dataset, t.Path)); err == nil {
			if info.Size() == e.Size {
				return osFile{f, e.Size}, nil
			}
			f.Close()
		}
	}
	s, err := d.source(ctx, versionKey{rev, dataset})
	if err != nil {
		return nil, err
	}
	return s.open(ctx, check.Entry{Path: e.Path, Size: e.Size, Digest: e.Digest})
}

// emptyFile has no bytes.
type emptyFile struct{ *bytes.Reader }

func (emptyFile) Close() error { return nil }

// keptSources is how many versions are held open.
const keptSources = 8

// source is a version of a dataset.
func (d *rowDiffer) source(ctx context.Context, of versionKey) (*versionSource, error) {
	if s := d.sources[of]; s != nil {
		return s, nil
	}
	if len(d.sources) >= keptSources {
		d.close()
		clear(d.sources)
	}
	var v *version
	var err error
	if of.rev == "" {
		v, err = d.r.readManifest(of.dataset)
	} else {
		v, err = d.r.headManifest(ctx, of.rev, of.dataset)
	}
	if err != nil {
		return nil, err
	}
	if v == nil {
		return nil, fmt.Errorf("there is no %s any more", of.dataset+ManifestSuffix)
	}
	s := &versionSource{r: d.r, w: wanted{Target{Dataset: of.dataset}, v, of.rev}, remote: d.remote, problems: &d.problems}
	d.sources[of] = s
	return s, nil
}

// Differs says that there is a difference between the sides: what --exit-code asks.
func (res *RowDiffResult) Differs() bool { return res.Tables > 0 || res.DiffResult.Differs() }
