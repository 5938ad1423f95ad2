package rows

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"tarn/internal/check/spill"
	"tarn/internal/check/table"
)

// Side is a version of a table.
type Side struct {
	Name    string // its ending tells the format where Options don't
	File    table.Source
	Options table.Options
}

// Input is what to compare, and how.
type Input struct {
	Old, New Side
	Key      []string // columns that tell rows apart; none: a row is the same as another one if all their cells are
	Asked    bool     // the key was asked for: a side without a column of it is an error, and not a reason to do without
	Shown    int      // rows of each kind that are kept; all are counted
	NoValues bool     // no value of the data in the result
	NoCells  bool     // rows are counted, and none is shown; so nothing is read twice
	Workers  int      // 0: one a processor
	Memory   int64    // bytes for hashes of rows; 0: 128 MiB
	Temp     func() (spill.Temp, error)
}

// Result is what two versions don't have in common.
type Result struct {
	Key     []string // that rows were told apart by; empty: by all their cells
	KeyLess string   // the column of a key for want of which it was not used
	Columns Columns
	Counts
	ByColumn []ColumnCount // changed cells, by column, in the order of the new side; only those with any
	Repeated [2]int64      // rows of the old and the new side whose key an earlier row of the side has. The rows of such keys are compared as a whole.
	Problems []Problem     // rows that could not be read, or not whole
	Rows     []Row         // the first ones: changed, removed, added, repeated
	Spilled  int64         // bytes that went to temporary files
}

// Counts are numbers of rows, and of cells.
type Counts struct {
	Same, Added, Removed, Changed int64 // rows
	Cells                         int64 // that differ, in changed rows
}

// Any says that a row was added, removed or changed.
func (c *Counts) Any() bool { return c.Added+c.Removed+c.Changed > 0 }

// Before is how many rows the old side has.
func (c *Counts) Before() int64 { return c.Same + c.Changed + c.Removed }

// After is how many rows the new side has.
func (c *Counts) After() int64 { return c.Same + c.Changed + c.Added }

// Differing is how many rows were added, removed or changed.
func (c *Counts) Differing() int64 { return c.Added + c.Removed + c.Changed }

// Share is the part of the rows of both sides that differ, from 0 to 1.
func (c *Counts) Share() float64 {
	all := c.Same + c.Differing()
	if all == 0 {
		return 0
	}
	return float64(c.Differing()) / float64(all)
}

// Add sums up.
func (c *Counts) Add(o Counts) {
	c.Same, c.Added, c.Removed, c.Changed, c.Cells = c.Same+o.Same, c.Added+o.Added, c.Removed+o.Removed, c.Changed+o.Changed, c.Cells+o.Cells
}

// IsTable says that a file of the name is read as a table.
func IsTable(name string) bool {
	format, _ := table.FormatOf(name)
	return format != ""
}

// Columns is how the columns of two sides go together.
type Columns struct {
	Added, Removed []string
	Types          []TypeChange
}

// Any says that columns differ.
func (c *Columns) Any() bool { return len(c.Added)+len(c.Removed)+len(c.Types) > 0 }

// TypeChange is a column whose values are of another type.
type TypeChange struct{ Column, Old, New string }

// ColumnCount is how many cells of a column changed.
type ColumnCount struct {
	Column string
	Cells  int64
}

// Problem is what could not be compared.
type Problem struct {
	Old   bool // on which side
	Code  string
	Row   int64 // the first one
	Note  string
	Count int64
}

// Kind is what became of a row.
type Kind string

// The kinds.
const (
	Changed  Kind = "changed"
	Removed  Kind = "removed"
	Added    Kind = "added"
	Repeated Kind = "repeated" // its key is that of row First of the same side
)

// Row is a row that is shown. Rows are numbered as in the file: a header is row 1.
type Row struct {
	Kind             Kind
	OldRow, NewRow   int64 // 0: there is none
	First            int64
	Key              []Cell // of changed and repeated ones, where there is a key
	Cells            []Cell // those that changed; of a row that was added or removed the first ones
	MoreCells        int
	pair             int64
	cols             []int     // of the plan: cells that differ
	oldText, newText []*string // by column of the plan
}

// Cell is a value on both sides; nil is none, or one that is not shown.
type Cell struct {
	Column   string
	Old, New *string
}

// Error says that a side can't be read to its end, or not as it is asked for. It is about the data.
type Error struct {
	Old bool
	Err error
}

func (e *Error) Error() string {
	side := "new"
	if e.Old {
		side = "old"
	}
	return side + " version: " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// ErrNoKey says that a column of the key that was asked for is not there.
var ErrNoKey = errors.New("there is no column")

const defaultMemory = 128 << 20

// Compare compares two versions of a table. It reads them twice where there is something to show or rows changed. What is wrong with the data is an *Error.
func Compare(ctx context.Context, in Input) (_ *Result, err error) {
	if in.Workers == 0 {
		in.Workers = runtime.GOMAXPROCS(0)
	}
	if in.Memory == 0 {
		in.Memory = defaultMemory
	}
	if in.NoCells {
		in.Shown = 0
	}
	d := &diff{in: in, res: &Result{}}
	defer d.close()
	if err := d.open(ctx); err != nil {
		return nil, err
	}
	if err := d.match(); err != nil {
		return nil, err
	}
	if err := d.scan(ctx); err != nil {
		return nil, err
	}
	if err := d.resolve(); err != nil {
		return nil, err
	}
	if !in.NoCells {
		if err := d.cells(ctx); err != nil {
			return nil, err
		}
	}
	d.finish()
	return d.res, nil
}

// diff is one Compare.
type diff struct {
	in      Input
	res     *Result
	sides   [2]side
	plan    []column
	key     []int // of the plan
	sorters []*spill.Sorter
	rows    *spill.Sorter    // hashes of all rows
	pairs   [2]*spill.Sorter // rows that changed, by their numbers
	changed int64
	shown   map[Kind]*shownRows
}

// side is a version that is being read.
type side struct {
	Side
	old    bool
	empty  bool // it has no bytes
	reader table.Reader
	labels []label
	types  []seenTypes
}

// label is a name of a column; of those that are the same, it counts which one it is.
type label struct {
	name string
	nth  int
}

func (d *diff) open(ctx context.Context) error {
	for i, s := range []Side{d.in.Old, d.in.New} {
		s.Options.Strict, s.Options.AllKeys, s.Options.Decimals, s.Options.Wanted = false, true, true, nil
		d.sides[i] = side{Side: s, old: i == 0}
		if err := d.sides[i].open(ctx); err != nil {
			return err
		}
		d.sides[i].header()
	}
	for i := range d.sides {
		if s, o := &d.sides[i], &d.sides[1-i]; s.empty && !o.empty { // all rows came or went, and no column did
			s.labels, s.types = slices.Clone(o.labels), make([]seenTypes, len(o.labels))
		}
	}
	return nil
}

// open begins to read.
func (s *side) open(ctx context.Context) error {
	if s.File.Size() == 0 {
		s.empty = true
		return nil
	}
	r, err := table.Open(ctx, s.Name, s.File, s.Options)
	if err != nil {
		return s.fault(err)
	}
	s.reader = r
	return nil
}

// header takes the columns in.
func (s *side) header() {
	if s.empty {
		return
	}
	seen := map[string]int{}
	for _, l := range s.reader.Labels() {
		s.labels = append(s.labels, label{l, seen[l]})
		seen[l]++
	}
	s.types = make([]seenTypes, len(s.labels))
}

// fault marks an error that is about the data.
func (s *side) fault(err error) error {
	var bad *table.Error
	if errors.As(err, &bad) {
		return &Error{s.old, err}
	}
	return err
}

func (s *side) kind(i int) table.Kind {
	if s.reader == nil || s.reader.Kinds() == nil {
		return table.Text
	}
	return s.reader.Kinds()[i]
}

// match finds the columns that both sides have.
func (d *diff) match() error {
	c := &d.res.Columns
	o, n := &d.sides[0], &d.sides[1]
	old := map[label]int{}
	for i, l := range o.labels {
		old[l] = i
	}
	for i, l := range n.labels {
		at, ok := old[l]
		if !ok {
			c.Added = append(c.Added, l.name)
			continue
		}
		d.plan = append(d.plan, newColumn(l, at, i, o, n))
		delete(old, l)
	}
	for _, l := range o.labels {
		if _, left := old[l]; left {
			c.Removed = append(c.Removed, l.name)
		}
	}
	for _, k := range d.in.Key {
		at := slices.IndexFunc(d.plan, func(c column) bool { return c.name == k })
		if at >= 0 {
			d.key = append(d.key, at)
			continue
		}
		d.key = nil
		if d.in.Asked {
			return &Error{!slices.Contains(o.labels, label{k, 0}), fmt.Errorf("%w %q that could be compared; there are %s", ErrNoKey, k, d.columnNames())}
		}
		d.res.KeyLess = k
		return nil
	}
	d.res.Key = d.in.Key
	return nil
}

// columnNames are those of both sides, the first ones.
func (d *diff) columnNames() string {
	const most = 20
	var names []string
	for i := range d.plan {
		if len(names) == most {
			return strings.Join(names, ", ") + ", …"
		}
		names = append(names, d.plan[i].name)
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ", ")
}

// sorter makes one that is closed at the end.
func (d *diff) sorter(bytes int64) *spill.Sorter {
	s := spill.New(bytes, d.in.Temp)
	d.sorters = append(d.sorters, s)
	return s
}

func (d *diff) close() {
	for _, s := range d.sorters {
		s.Close() // what can't be removed is a temporary file
	}
}

// finish fills in what is known at the end.
func (d *diff) finish() {
	for _, s := range d.sorters {
		d.res.Spilled += s.Spilled()
	}
	for i := range d.plan {
		c := &d.plan[i]
		if c.changed > 0 {
			d.res.ByColumn = append(d.res.ByColumn, ColumnCount{c.name, c.changed})
			d.res.Cells += c.changed
		}
		was, is := d.sides[0].typeOf(c.at[0]), d.sides[1].typeOf(c.at[1])
		if was != is && was != "" && is != "" {
			d.res.Columns.Types = append(d.res.Columns.Types, TypeChange{c.name, was, is})
		}
	}
	d.show()
}
