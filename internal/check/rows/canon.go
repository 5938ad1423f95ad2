package rows

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"

	"tarn/internal/check/cell"
	"tarn/internal/check/table"
)

// column is one that both sides have.
type column struct {
	label
	at      [2]int    // by side
	spec    cell.Spec // text of one side is read as this type, which the other side has; Any: it is text
	loose   bool      // text that reads as a number is one, since the other side tells numbers from text
	exact   bool      // both sides have decimals, whose digits all count
	json    bool      // text that is JSON is a list or an object, since the other side has these
	noEmpty bool      // text without a byte is no value, since one side can't tell them apart
	changed int64     // cells
}

var typesOf = map[table.Kind]cell.Type{table.Int: cell.Number, table.Float: cell.Number, table.Decimal: cell.Number, table.Bool: cell.Boolean, table.Date: cell.Date, table.Time: cell.Time, table.Datetime: cell.Datetime}

func newColumn(l label, at, now int, o, n *side) column {
	c := column{label: l, at: [2]int{at, now}}
	ko, kn := o.kind(at), n.kind(now)
	c.exact = ko == kn
	if o.empty || n.empty || ko == kn {
		return c
	}
	for _, k := range [][2]table.Kind{{ko, kn}, {kn, ko}} {
		if k[0] == table.Text || k[0] == table.String {
			c.spec.Type = typesOf[k[1]]
			c.loose = c.loose || k[1] == table.Mixed && k[0] == table.Text
			c.json = c.json || k[1] == table.JSON
		}
		c.noEmpty = c.noEmpty || k[0] == table.Text
	}
	return c
}

// Marks in front of values, so that none is the begin of another one.
const (
	markNone    = 0
	markText    = 1
	markInt     = 2
	markFloat   = 3
	markBool    = 4
	markDate    = 5
	markTime    = 6
	markInstant = 7
	markJSON    = 8
	markDecimal = 9
)

// canonical appends a value in a form that is the same for values that are.
func (c *column) canonical(dst []byte, col *table.Column, r int) []byte {
	if col.IsAbsent(r) {
		return append(dst, markNone)
	}
	kind := col.KindAt(r)
	switch kind {
	case table.Text, table.String:
		return c.text(dst, col.Text(r), kind)
	case table.Decimal:
		if c.exact {
			return appendText(dst, markDecimal, col.Text(r))
		}
		return appendNumeral(dst, col.Text(r))
	case table.JSON:
		return appendJSON(dst, col.Text(r))
	case table.Bool:
		if col.Kind == table.Mixed {
			return c.boolean(dst, col.Text(r)[0] == 't')
		}
		return c.boolean(dst, col.Ints[r] != 0)
	}
	if col.Kind == table.Mixed {
		return appendNumeral(dst, col.Text(r))
	}
	switch kind {
	case table.Int:
		return appendInt(dst, markInt, col.Ints[r])
	case table.Float:
		return appendFloat(dst, col.Floats[r])
	case table.Date:
		return appendInt(dst, markDate, col.Ints[r])
	}
	sec, ns := col.Instant(r)
	return appendMoment(dst, kind == table.Time, sec, ns)
}

// boolean is a truth value; where the other side has text only, it is text.
func (c *column) boolean(dst []byte, v bool) []byte {
	if c.loose {
		return appendText(dst, markText, strconv.AppendBool(nil, v))
	}
	n := int64(0)
	if v {
		n = 1
	}
	return appendInt(dst, markBool, n)
}

// text is text, or what the other side's type makes of it.
func (c *column) text(dst, v []byte, kind table.Kind) []byte {
	if len(v) == 0 && (kind == table.Text || c.noEmpty) {
		return append(dst, markNone)
	}
	switch c.spec.Type {
	case cell.Any:
		if c.json {
			return appendJSON(dst, v)
		}
		if c.loose {
			if _, ok := cell.ParseFloat(v); ok {
				return appendNumeral(dst, v)
			}
		}
	case cell.Number:
		if _, ok := cell.ParseFloat(v); ok {
			return appendNumeral(dst, v)
		}
	case cell.Boolean:
		if _, ok := c.spec.Parse(v); ok {
			return c.boolean(dst, c.spec.IsTrue(v))
		}
	case cell.Date:
		if n, ok := c.spec.Parse(v); ok {
			return appendInt(dst, markDate, n.Int)
		}
	default:
		if n, ok := c.spec.Parse(v); ok {
			return appendMoment(dst, c.spec.Type == cell.Time, n.Int, n.Nano)
		}
	}
	return appendText(dst, markText, v)
}

func appendText(dst []byte, mark byte, v []byte) []byte {
	dst = binary.AppendUvarint(append(dst, mark), uint64(len(v)))
	return append(dst, v...)
}

func appendInt(dst []byte, mark byte, n int64) []byte {
	return binary.LittleEndian.AppendUint64(append(dst, mark), uint64(n))
}

// appendMoment is a time of a day, or a datetime, in seconds and nanoseconds.
func appendMoment(dst []byte, ofDay bool, sec int64, ns uint32) []byte {
	mark := byte(markInstant)
	if ofDay {
		mark = markTime
	}
	return binary.LittleEndian.AppendUint32(appendInt(dst, mark, sec), ns)
}

// appendFloat makes a whole number what an integer of its value is; all that are no number are the same.
func appendFloat(dst []byte, f float64) []byte {
	if f == math.Trunc(f) && math.Abs(f) < 1<<63 {
		return appendInt(dst, markInt, int64(f))
	}
	if math.IsNaN(f) {
		f = math.NaN()
	}
	return binary.LittleEndian.AppendUint64(append(dst, markFloat), math.Float64bits(f))
}

// appendNumeral is a number that is written out; one beyond what 64 bits hold is its text.
func appendNumeral(dst, v []byte) []byte {
	v = bytes.TrimSpace(v)
	if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		return appendInt(dst, markInt, n)
	}
	if f, err := strconv.ParseFloat(string(v), 64); err == nil && (bytes.ContainsAny(v, ".eEnN") || math.Abs(f) < 1<<53) {
		return appendFloat(dst, f)
	}
	return appendText(dst, markFloat, v)
}

// seenTypes are the types that values of a column were met with, a bit each.
type seenTypes uint16

const (
	seenInt seenTypes = 1 << iota
	seenFloat
	seenText
	seenBool
	seenJSON
)

// note takes the values of a column in whose file says nothing about its type.
func (s *seenTypes) note(col *table.Column, rows int) {
	for r := range rows {
		if col.IsAbsent(r) {
			continue
		}
		if col.Kind == table.Mixed {
			*s |= map[table.Kind]seenTypes{table.Int: seenInt, table.Float: seenFloat, table.Bool: seenBool, table.JSON: seenJSON, table.String: seenText}[col.KindAt(r)]
			continue
		}
		if *s&seenText != 0 {
			return
		}
		v := col.Text(r)
		if len(v) == 0 {
			continue
		}
		if _, kind := cell.ParseInt(v); kind == cell.IsInt {
			*s |= seenInt
		} else if _, ok := cell.ParseFloat(v); ok {
			*s |= seenFloat
		} else {
			*s |= seenText
		}
	}
}

// typeOf is the type of a column: that of its file or, where it says nothing, of its values; "" where there are none.
func (s *side) typeOf(i int) string {
	if k := s.kind(i); k != table.Text && k != table.Mixed {
		return k.String()
	}
	mixed := s.kind(i) == table.Mixed
	switch t := s.types[i]; {
	case t == 0:
		return ""
	case t&seenText != 0 && (t == seenText || !mixed):
		return "string"
	case t == seenBool:
		return "boolean"
	case t == seenJSON:
		return "object"
	case t == seenInt:
		return "integer"
	case t&^(seenInt|seenFloat) == 0:
		return "number"
	}
	return "any"
}
