package profile

import (
	"math"
	"time"

	"tarn/internal/check/table"
)

// Column is what a column holds. A value is a number or a time if it reads as one, else a text; a boolean is a text.
type Column struct {
	Name     string
	Rows     int64 // of the files that have the column
	Nulls    int64
	Numbers  Dist
	Times    Dist // seconds since 1970-01-01, UTC
	Lengths  Dist // of the texts, in code points
	Top      Top  // numbers and texts; no times
	distinct HLL
}

// Kind is what most values of a column are.
type Kind string

// The kinds.
const (
	Empty  Kind = "empty"
	Number Kind = "number"
	Time   Kind = "time"
	Text   Kind = "text"
)

// Values is how many values there are, NaN included.
func (c *Column) Values() int64 {
	return c.Numbers.N + c.Numbers.NaN + c.Times.N + c.Lengths.N
}

// mostly is the share of values that make a column's kind.
const mostly = .99

// Kind is that of 99 % of the values, else text.
func (c *Column) Kind() Kind {
	n := float64(c.Values())
	switch {
	case n == 0:
		return Empty
	case float64(c.Numbers.N+c.Numbers.NaN) >= mostly*n:
		return Number
	case float64(c.Times.N) >= mostly*n:
		return Time
	}
	return Text
}

// Dist is how the values of the kind are spread; of texts their lengths.
func (c *Column) Dist() *Dist {
	switch c.Kind() {
	case Number:
		return &c.Numbers
	case Time:
		return &c.Times
	}
	return &c.Lengths
}

// Distinct is how many different values there are, NaN not counted, and whether that is exact.
func (c *Column) Distinct() (n int64, exact bool) {
	if c.Top.Exact() && c.Times.N == 0 {
		return int64(c.Top.Len()), true
	}
	return min(c.Values(), int64(math.Round(c.distinct.Estimate()))), false
}

// add takes a column of a batch in.
func (c *Column) add(x *extractor, col *table.Column, rows int) {
	x.column(col, rows)
	c.Rows, c.Nulls, c.Numbers.NaN = c.Rows+int64(rows), c.Nulls+x.absent, c.Numbers.NaN+x.nan
	x.sorter.Sort(x.numbers)
	runs := x.runs[:0]
	for i := 0; i < len(x.numbers); {
		f, from := x.numbers[i], i
		for i++; i < len(x.numbers) && x.numbers[i] == f; i++ {
		}
		bits := math.Float64bits(f)
		c.distinct.add(hashBits(bits))
		runs = append(runs, run{bits: bits, n: int64(i - from)})
	}
	c.Numbers.addSorted(x.numbers)
	if len(x.times) > 0 {
		x.sorter.Sort(x.times)
		for i, t := range x.times {
			if i == 0 || t != x.times[i-1] {
				c.distinct.add(hashBits(^math.Float64bits(t)))
			}
		}
		c.Times.addSorted(x.times)
	}
	if len(x.texts.list) > 0 {
		runs = c.addTexts(x, runs)
	}
	x.runs = runs
	c.Top.addRuns(runs)
}

// addTexts copies the texts of a batch, since the batch will be reused.
func (c *Column) addTexts(x *extractor, runs []run) []run {
	for n, k := range x.countLengths() {
		if k > 0 {
			c.Lengths.addTimes(float64(n), k)
		}
	}
	size, once := 0, len(x.texts.list) <= topMax
	for i := range x.texts.list {
		t := &x.texts.list[i]
		c.distinct.add(t.hash)
		if once || t.n > 1 {
			size += len(t.b)
		}
	}
	if !once {
		c.Top.Missed++
	}
	arena := make([]byte, 0, size)
	for i := range x.texts.list {
		t := &x.texts.list[i]
		if !once && t.n == 1 {
			continue
		}
		from := len(arena)
		arena = append(arena, t.b...)
		runs = append(runs, run{text: arena[from:len(arena):len(arena)], n: t.n})
	}
	return runs
}

func (c *Column) merge(o *Column) {
	c.Rows, c.Nulls = c.Rows+o.Rows, c.Nulls+o.Nulls
	c.Numbers.merge(&o.Numbers)
	c.Times.merge(&o.Times)
	c.Lengths.merge(&o.Lengths)
	c.Top.merge(&o.Top)
	c.distinct.merge(&o.distinct)
}

// Profile is what a file holds, or several that make one table.
type Profile struct {
	Files   int64
	Rows    int64
	Problem string // why the file could not be read whole; of several, the first
	Columns []*Column
}

// Column is the column of a name, or nil.
func (p *Profile) Column(name string) *Column {
	for _, c := range p.Columns {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Merge takes o in. Counts, bounds, exact values and the count of different values do not depend on the order of merges; means and variances do in their last
// digits, quantiles within their band.
func (p *Profile) Merge(o *Profile) {
	p.Files, p.Rows = p.Files+o.Files, p.Rows+o.Rows
	if p.Problem == "" {
		p.Problem = o.Problem
	}
	at := make(map[string]*Column, len(p.Columns))
	for _, c := range p.Columns {
		at[c.Name] = c
	}
	for _, c := range o.Columns {
		mine := at[c.Name]
		if mine == nil {
			mine = &Column{Name: c.Name}
			at[c.Name] = mine
			p.Columns = append(p.Columns, mine)
		}
		mine.merge(c)
	}
}

// Instant writes seconds since 1970 as a date, or as a time in UTC.
func Instant(s float64) string {
	t := time.UnixMilli(int64(math.Round(s * 1000))).UTC()
	if h, m, sec := t.Clock(); h+m+sec == 0 && t.Nanosecond() == 0 {
		return t.Format("2006-01-02")
	}
	return t.Format("2006-01-02T15:04:05.999Z")
}
