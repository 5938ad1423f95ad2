package table

import (
	"strconv"
	"time"
)

// Kind is how a column's values stand in a batch.
type Kind uint8

// The kinds.
const (
	Text     Kind = iota // text that has to be read as some type: CSV
	String               // text that is a string
	Int                  // Ints
	Float                // Floats
	Bool                 // Ints: 0, 1
	Date                 // Ints: days since 1970-01-01
	Time                 // Ints: ticks since midnight
	Datetime             // Ints: ticks since 1970-01-01
	JSON                 // text that is a JSON value, or bytes that are no text
	Mixed                // each value has a kind of its own: JSON lines
	Decimal              // text that is a number, without zeros at its end; where Options.Decimals asks
)

func (k Kind) String() string {
	return [...]string{"text", "string", "integer", "number", "boolean", "date", "time", "datetime", "object", "any", "number"}[k]
}

// Batch is a run of rows of one file. It is reused: nothing of it may be kept.
type Batch struct {
	First    int64 // number of the first row; in a file with a header the first row of data is 2
	Rows     int
	Cols     []Column
	Nums     []int64 // numbers of the rows, where they are not First, First+1, …; else nil
	Problems []Problem
}

// Row is the number of row r in the file.
func (b *Batch) Row(r int) int64 {
	if b.Nums != nil {
		return b.Nums[r]
	}
	return b.First + int64(r)
}

// problem adds p; after many of a kind it only counts.
func (b *Batch) problem(p Problem) {
	const most = 200
	if n := len(b.Problems); n >= most {
		for i := n - 1; i >= 0; i-- {
			if b.Problems[i].Code == p.Code {
				b.Problems[i].More += 1 + p.More
				return
			}
		}
	}
	b.Problems = append(b.Problems, p)
}

// Column is the values of a column.
type Column struct {
	Kind   Kind
	Absent []bool // no value is there; nil: all are. Text says so by an empty span.
	Ints   []int64
	Floats []float64
	Kinds  []Kind // of Mixed

	PerSecond int64    // of Time and Datetime: so many ticks of Ints are a second
	Nanos     []uint32 // of Datetime, where a tick is a second: the nanoseconds after it; nil: none

	Dict  uint64  // of values that stand in a dictionary: its number, which no other has; else 0
	Codes []int32 // then by row the place in it, for values that are there
	Size  int     // and how many places it has

	buf        []byte
	start, end []uint32 // of Text, String, JSON, Mixed, Decimal: value r is buf[start[r*stride+at]:end[…]]
	stride, at int
	constant   bool // the value of row 0 is that of all rows
	null       bool // no row has a value
}

// Text is the text of value r; empty for one that is not there.
func (c *Column) Text(r int) []byte {
	if c.constant {
		return c.buf
	}
	i := r*c.stride + c.at
	s, e := c.start[i], c.end[i]
	if s >= e {
		return nil
	}
	return c.buf[s:e]
}

// Spans are the parts of a column of text, for loops that can't afford a call: value r is buf[start[i]:end[i]] with i = r*stride+at; start ≥ end
// is no value. ok is false for constants.
func (c *Column) Spans() (buf []byte, start, end []uint32, stride, at int, ok bool) {
	return c.buf, c.start, c.end, c.stride, c.at, !c.constant
}

// SetConstant makes the column one text for all rows.
func (c *Column) SetConstant(v string) { *c = Column{Kind: Text, buf: []byte(v), constant: true} }

// SetNull makes the column nothing in all rows.
func (c *Column) SetNull() { *c = Column{Kind: String, constant: true, null: true} }

// IsAbsent says that there is no value r. Text that is empty is for the reader of the type to judge.
func (c *Column) IsAbsent(r int) bool {
	if c.Kind == Mixed {
		return c.Absent[r*c.stride+c.at]
	}
	return c.null || c.Absent != nil && c.Absent[r]
}

// Problem is something wrong with a file.
type Problem struct {
	Code  string // as frictionless calls it
	Row   int64  // 0: the file as a whole
	Col   int    // from 1; 0: the row
	Note  string
	Value string // what is there, if that is known; cut
	More  int64  // so many more of the kind
}

// Codes of problems.
const (
	CodeSource    = "source-error"
	CodeFormat    = "format-error"
	CodeEncoding  = "encoding-error"
	CodeCompress  = "compression-error"
	CodeBlankRow  = "blank-row"
	CodeExtraCell = "extra-cell"
	CodeMissing   = "missing-cell"
	CodeBlankName = "blank-label"
	CodeTwice     = "duplicate-label"
)

// valueMax is how many bytes of a value a Problem has at most.
const valueMax = 100

func cut(b []byte) string {
	if len(b) > valueMax {
		return string(b[:valueMax]) + "…"
	}
	return string(b)
}

// KindAt is the kind of value r, which is that of the column, or in a Mixed one of its own.
func (c *Column) KindAt(r int) Kind {
	if c.Kind != Mixed {
		return c.Kind
	}
	return c.Kinds[r*c.stride+c.at]
}

// Literal is the text of value r, which is there and of the kind; scratch is buf, or what it became. What is not stored as text is written as CSV would have it.
func (c *Column) Literal(kind Kind, r int, buf []byte) (v, scratch []byte) {
	if c.Kind == Mixed {
		return c.Text(r), buf
	}
	buf = buf[:0]
	switch kind {
	case Int:
		buf = strconv.AppendInt(buf, c.Ints[r], 10)
	case Float:
		buf = strconv.AppendFloat(buf, c.Floats[r], 'g', -1, 64)
	case Bool:
		buf = strconv.AppendBool(buf, c.Ints[r] != 0)
	case Date:
		buf = time.Unix(c.Ints[r]*86400, 0).UTC().AppendFormat(buf, "2006-01-02")
	case Time:
		buf = moment(c.Instant(r)).AppendFormat(buf, timeLayout)
	case Datetime:
		buf = moment(c.Instant(r)).AppendFormat(buf, datetimeLayout)
	default:
		return c.Text(r), buf
	}
	return buf, buf
}

// How times are written.
const (
	timeLayout     = "15:04:05.999999999"
	datetimeLayout = "2006-01-02T15:04:05.999999999Z"
)

// Instant is value r of a Time or Datetime column: seconds since midnight or 1970-01-01, rounded down, and the nanoseconds after them.
func (c *Column) Instant(r int) (sec int64, ns uint32) {
	if c.Nanos != nil {
		return c.Ints[r], c.Nanos[r]
	}
	return instant(c.Ints[r], c.PerSecond)
}

// instant makes seconds, rounded down, and nanoseconds of ticks.
func instant(n, perSecond int64) (sec int64, ns uint32) {
	sec, n = n/perSecond, n%perSecond
	if n < 0 {
		sec, n = sec-1, n+perSecond
	}
	return sec, uint32(n * (1e9 / perSecond))
}

func moment(sec int64, ns uint32) time.Time { return time.Unix(sec, int64(ns)).UTC() }
