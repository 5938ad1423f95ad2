package table

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"sort"
	"strconv"
	"sync/atomic"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding"
)

// cursor reads a column of a row group page by page.
type cursor struct {
	leaf  *leafColumn
	pages parquet.Pages
	page  parquet.Page
	data  encoding.Values
	defs  []byte
	dict  *encoding.Values
	row   int // in the page
	val   int // values so far, nulls not counted

	ints   []int64
	floats []float64
	nanos  []uint32 // of INT96
	absent []bool
	start  []uint32
	end    []uint32
	codes  []int32
	text   []byte // of decimals
	number uint64 // of the dictionary

	behind, rows int64               // of the row group: rows up to the end of the page, and all
	index        parquet.OffsetIndex // that led to the first page; nil: it was not used
}

func (c *cursor) close() {
	if c != nil && c.pages != nil {
		c.pages.Close()
	}
}

// dictionaries numbers them.
var dictionaries atomic.Uint64

func (c *cursor) next() error {
	if c.page != nil {
		parquet.Release(c.page)
		c.page = nil
	}
	p, err := c.pages.ReadPage()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("column %d ends before its row group does", c.leaf.index+1)
	}
	if err != nil {
		return err
	}
	if c.behind += p.NumRows(); c.index != nil && c.behind < c.rows && !begins(c.index, c.behind) {
		return fmt.Errorf("the index of pages of column %d does not fit them", c.leaf.index+1)
	}
	c.page, c.row, c.val, c.dict = p, 0, 0, nil
	if c.leaf.null {
		return nil
	}
	c.data, c.defs = p.Data(), p.DefinitionLevels()
	if d := p.Dictionary(); d != nil {
		v := d.Page().Data()
		c.dict = &v
		if c.number == 0 { // a column of a row group has at most one
			c.number = dictionaries.Add(1)
		}
	}
	return nil
}

// ended says that nothing is behind the rows that were read; an error else.
func (c *cursor) ended() error {
	if c == nil {
		return nil
	}
	for c.page == nil || c.row >= int(c.page.NumRows()) {
		if c.page != nil {
			parquet.Release(c.page)
			c.page = nil
		}
		p, err := c.pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		c.page, c.row = p, 0
	}
	return fmt.Errorf("column %d has more rows than its row group", c.leaf.index+1)
}

// begins says that by the index a page begins with a row: all tasks together compare each entry, so that none can lead past rows unseen.
func begins(x parquet.OffsetIndex, row int64) bool {
	n := x.NumPages()
	i := sort.Search(n, func(i int) bool { return x.FirstRowIndex(i) >= row })
	return i < n && x.FirstRowIndex(i) == row
}

// take gives the next k rows, all of this page.
func (c *cursor) take(col *Column, k int) error {
	c.ints, c.floats, c.absent, c.start, c.end = c.ints[:0], c.floats[:0], c.absent[:0], c.start[:0], c.end[:0]
	c.text, c.nanos = c.text[:0], c.nanos[:0]
	if c.leaf.null {
		c.row += k
		col.SetNull()
		return nil
	}
	col.PerSecond = c.leaf.ticks
	there := k
	var absent []bool
	if c.leaf.maxDef > 0 {
		there = 0
		for _, d := range c.defs[c.row : c.row+k] {
			c.absent = append(c.absent, d < c.leaf.maxDef)
			if d == c.leaf.maxDef {
				there++
			}
		}
		if absent = c.absent; there < k {
			col.Absent = absent
		}
	}
	lo, hi := c.val, c.val+there
	c.row, c.val = c.row+k, hi
	var err error
	switch c.leaf.kind {
	case parquet.ByteArray, parquet.FixedLenByteArray:
		err = c.takeBytes(col, lo, hi, k, absent)
	case parquet.Float, parquet.Double:
		err = c.takeFloats(lo, hi, k, absent)
	default:
		err = c.takeInts(col, lo, hi, k, absent)
	}
	if col.Ints == nil {
		col.Ints = c.ints
	}
	if col.Floats == nil {
		col.Floats = c.floats
	}
	return err
}

// at gives the positions lo to hi of the values: those of the page, or what its indexes into the dictionary say.
func (c *cursor) at(lo, hi, size int) (func(i int) int, error) {
	if c.dict == nil {
		if hi > size {
			return nil, errShortPage
		}
		return func(i int) int { return lo + i }, nil
	}
	idx := c.data.Int32()
	if hi > len(idx) {
		return nil, errShortPage
	}
	for _, i := range idx[lo:hi] {
		if i < 0 || int(i) >= size {
			return nil, errors.New("a value points out of its dictionary")
		}
	}
	return func(i int) int { return int(idx[lo+i]) }, nil
}

var errShortPage = errors.New("a page has fewer values than it says")

// values are those of the page, or of its dictionary.
func (c *cursor) values() *encoding.Values {
	if c.dict != nil {
		return c.dict
	}
	return &c.data
}

func (c *cursor) takeInts(col *Column, lo, hi, k int, absent []bool) error {
	v := c.values()
	switch c.leaf.kind {
	case parquet.Boolean:
		bits := v.Boolean()
		return spread(c, &c.ints, lo, hi, k, len(bits)*8, absent, func(i int) int64 { return int64(bits[i>>3] >> (i & 7) & 1) })
	case parquet.Int32:
		list := v.Int32()
		if c.leaf.as == Decimal {
			return c.takeDecimals(col, lo, hi, k, len(list), absent, func(i int) { c.text = appendScaled(c.text, int64(list[i]), c.leaf.dec) })
		}
		if c.leaf.dec >= 0 {
			return spread(c, &c.floats, lo, hi, k, len(list), absent, func(i int) float64 { return c.leaf.decimal(big.NewInt(int64(list[i]))) })
		}
		if c.leaf.signed {
			return spread(c, &c.ints, lo, hi, k, len(list), absent, func(i int) int64 { return int64(list[i]) })
		}
		return spread(c, &c.ints, lo, hi, k, len(list), absent, func(i int) int64 { return int64(uint32(list[i])) })
	case parquet.Int64:
		list := v.Int64()
		if c.leaf.as == Decimal {
			return c.takeDecimals(col, lo, hi, k, len(list), absent, func(i int) {
				if c.leaf.signed {
					c.text = appendScaled(c.text, list[i], c.leaf.dec)
				} else {
					c.text = strconv.AppendUint(c.text, uint64(list[i]), 10)
				}
			})
		}
		if c.leaf.dec >= 0 && c.leaf.signed {
			return spread(c, &c.floats, lo, hi, k, len(list), absent, func(i int) float64 { return c.leaf.decimal(big.NewInt(list[i])) })
		}
		if c.leaf.dec >= 0 {
			return spread(c, &c.floats, lo, hi, k, len(list), absent, func(i int) float64 { return float64(uint64(list[i])) })
		}
		return spread(c, &c.ints, lo, hi, k, len(list), absent, func(i int) int64 { return list[i] })
	}
	list := v.Int96()
	err := spread(c, &c.nanos, lo, hi, k, len(list), absent, func(i int) uint32 { _, ns := impala(list[i]); return ns })
	col.Nanos = c.nanos
	if err != nil {
		return err
	}
	return spread(c, &c.ints, lo, hi, k, len(list), absent, func(i int) int64 { sec, _ := impala(list[i]); return sec })
}

// impala reads a time as Impala wrote it, nanoseconds of a Julian day, as seconds since 1970-01-01, rounded down, and nanoseconds.
func impala(x deprecated.Int96) (sec int64, ns uint32) {
	const julian = 2440588 // day of 1970-01-01
	sec, ns = instant(int64(uint64(x[1])<<32|uint64(x[0])), 1e9)
	return sec + (int64(x[2])-julian)*86400, ns
}

func (c *cursor) takeFloats(lo, hi, k int, absent []bool) error {
	v := c.values()
	if c.leaf.kind == parquet.Float {
		list := v.Float()
		if c.leaf.short {
			return spread(c, &c.floats, lo, hi, k, len(list), absent, func(i int) float64 { return shortest(list[i]) })
		}
		return spread(c, &c.floats, lo, hi, k, len(list), absent, func(i int) float64 { return float64(list[i]) })
	}
	list := v.Double()
	return spread(c, &c.floats, lo, hi, k, len(list), absent, func(i int) float64 { return list[i] })
}

// spread appends k values, with zeros where there is none.
func spread[T int64 | uint32 | float64](c *cursor, dst *[]T, lo, hi, k, size int, absent []bool, get func(int) T) error {
	at, err := c.at(lo, hi, size)
	if err != nil {
		return err
	}
	out := *dst
	if hi-lo == k {
		for i := range k {
			out = append(out, get(at(i)))
		}
		*dst = out
		return nil
	}
	n := 0
	for i := range k {
		if absent[i] {
			out = append(out, 0)
			continue
		}
		out = append(out, get(at(n)))
		n++
	}
	*dst = out
	return nil
}

func (c *cursor) takeBytes(col *Column, lo, hi, k int, absent []bool) error {
	v := c.values()
	var data []byte
	var offs []uint32
	width, size := 0, 0
	if c.leaf.kind == parquet.ByteArray {
		data, offs = v.ByteArray()
		size = max(len(offs)-1, 0)
	} else if data, width = v.FixedLenByteArray(); width > 0 {
		size = len(data) / width
	}
	at, err := c.at(lo, hi, size)
	if err != nil {
		return err
	}
	c.codes = c.codes[:0]
	for i, n := 0, 0; i < k; i++ {
		if absent != nil && absent[i] {
			c.empty()
			c.codes = append(c.codes, 0)
			continue
		}
		p := at(n)
		c.codes = append(c.codes, int32(p))
		n++
		s, e := uint32(p*width), uint32((p+1)*width)
		if width == 0 {
			s, e = offs[p], offs[p+1]
		}
		if s > e || int(e) > len(data) {
			return errShortPage
		}
		switch b := data[s:e]; {
		case c.leaf.as == Decimal:
			c.write(func() { c.text = appendDecimal(c.text, signed(b), c.leaf.dec) })
		case c.leaf.uuid:
			c.write(func() { c.text = appendUUID(c.text, b) })
		case c.leaf.dec >= 0:
			c.floats = append(c.floats, c.leaf.decimal(signed(b)))
		case c.leaf.half:
			c.floats = append(c.floats, half(binary.LittleEndian.Uint16(b)))
		default:
			c.start, c.end = append(c.start, s), append(c.end, e)
		}
	}
	if c.leaf.as == Decimal || c.leaf.uuid {
		col.buf, col.start, col.end, col.stride, col.at = c.text, c.start, c.end, 1, 0
	} else if c.leaf.as != Float {
		col.buf, col.start, col.end, col.stride, col.at = data, c.start, c.end, 1, 0
		if c.dict != nil {
			col.Dict, col.Codes, col.Size = c.number, c.codes, size
		}
	}
	return nil
}

func (c *cursor) empty() {
	if c.leaf.as == Float {
		c.floats = append(c.floats, 0)
		return
	}
	c.start, c.end = append(c.start, 0), append(c.end, 0)
}
