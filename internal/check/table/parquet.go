package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/format"
)

// parquetReader is a Parquet file. Columns that are not wanted are not read.
type parquetReader struct {
	f      *parquet.File
	labels []string
	kinds  []Kind
	leaf   []*leafColumn // by label; nil: not wanted, or nested
}

type leafColumn struct {
	index  int // among the leaves of the file
	maxDef byte
	kind   parquet.Kind
	as     Kind
	scale  int64 // what a date or time is multiplied with
	dec    int   // digits after the point of a decimal number, or -1
	signed bool
}

// Bounds on what the footer of a file may make us read.
const (
	maxColumns   = 100_000
	maxFooter    = 64 << 20
	maxScale     = 76       // digits after the point of a decimal
	parquetBatch = 16 << 10 // rows of a batch
)

// guard turns a panic of the Parquet library, which bytes that were changed can bring about, into a finding.
func guard(err *error) {
	if p := recover(); p != nil {
		*err = failure(CodeFormat, 0, "the Parquet file is broken: %v", p)
	}
}

func broken(err error) error {
	var pass *readError
	if errors.As(err, &pass) {
		return pass.error
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return failure(CodeFormat, 0, "the Parquet file is broken: %v", err)
}

// markedReader marks the errors of the machine.
type markedReader struct{ r io.ReaderAt }

func (m markedReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := m.r.ReadAt(p, off)
	if err != nil && err != io.EOF {
		err = &readError{err}
	}
	return n, err
}

func openParquet(src Source, o Options) (_ Reader, err error) {
	defer guard(&err)
	if err := checkFooter(src); err != nil {
		return nil, err
	}
	f, err := parquet.OpenFile(markedReader{src}, src.Size(), parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true), parquet.FileReadMode(parquet.ReadModeSync), parquet.ReadBufferSize(256<<10))
	if err != nil {
		return nil, broken(err)
	}
	r := &parquetReader{f: f}
	if n := len(f.Schema().Columns()); n > maxColumns {
		return nil, failure(CodeFormat, 0, "the Parquet file has %d columns, more than %d", n, maxColumns)
	}
	for _, c := range f.Root().Columns() {
		r.column(c, "", o.Wanted)
	}
	for i, l := range r.leaf {
		if o.Decimals && l != nil && l.dec >= 0 {
			l.as, r.kinds[i] = Decimal, Decimal
		}
	}
	return r, nil
}

// checkFooter looks at the magic bytes and the length of the footer before anybody makes room for it.
func checkFooter(src Source) error {
	var head, tail [8]byte
	size := src.Size()
	if size == 0 {
		return failure(CodeSource, 0, "the file is empty")
	}
	if size < 12 {
		return failure(CodeFormat, 0, "the file is too short for Parquet")
	}
	if _, err := src.ReadAt(head[:4], 0); err != nil {
		return err
	}
	if _, err := src.ReadAt(tail[:], size-8); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if string(head[:4]) != "PAR1" {
		return failure(CodeFormat, 0, "the file does not begin as Parquet does")
	}
	n := int64(tail[0]) | int64(tail[1])<<8 | int64(tail[2])<<16 | int64(tail[3])<<24
	if string(tail[4:]) != "PAR1" || n > size-12 || n > maxFooter {
		return failure(CodeFormat, 0, "the file does not end as Parquet does: it may be cut off")
	}
	return nil
}

// column takes a column of the schema in; the fields of a group are columns with a dot in their names.
func (r *parquetReader) column(c *parquet.Column, prefix string, wanted func(string) bool) {
	name := prefix + c.Name()
	if !c.Leaf() && !c.Repeated() && c.Type().LogicalType() == nil {
		for _, sub := range c.Columns() {
			r.column(sub, name+".", wanted)
		}
		return
	}
	r.labels = append(r.labels, name)
	if !c.Leaf() || c.MaxRepetitionLevel() > 0 {
		r.kinds, r.leaf = append(r.kinds, JSON), append(r.leaf, nil)
		return
	}
	l := &leafColumn{index: c.Index(), maxDef: byte(c.MaxDefinitionLevel()), kind: c.Type().Kind(), scale: 1, dec: -1, signed: true}
	l.setType(c.Type())
	r.kinds = append(r.kinds, l.as)
	if wanted != nil && !wanted(name) {
		l = nil
	}
	r.leaf = append(r.leaf, l)
}

// setType finds out what the values stand for.
func (l *leafColumn) setType(t parquet.Type) {
	switch l.kind {
	case parquet.Boolean:
		l.as = Bool
	case parquet.Int32, parquet.Int64:
		l.as = Int
	case parquet.Int96:
		l.as = Datetime
	case parquet.Float, parquet.Double:
		l.as = Float
	default:
		l.as = JSON // bytes of which nothing is said are no text
	}
	lt := t.LogicalType()
	if lt == nil {
		if ct := t.ConvertedType(); ct != nil && *ct == deprecated.UTF8 {
			l.as = String
		}
		return
	}
	switch v := lt.Value.(type) {
	case *format.StringType, *format.EnumType, *format.JsonType:
		l.as = String
	case *format.DateType:
		l.as = Date
	case *format.TimeType:
		l.as, l.scale = Time, unitScale(v.Unit)
	case *format.TimestampType:
		l.as, l.scale = Datetime, unitScale(v.Unit)
	case *format.DecimalType:
		if v.Scale >= 0 && v.Scale <= maxScale {
			l.as, l.dec = Float, int(v.Scale)
		}
	case *format.IntType:
		l.signed = v.IsSigned
	}
}

func unitScale(u format.TimeUnit) int64 {
	switch s := strings.ToLower(u.String()); {
	case strings.Contains(s, "milli"):
		return 1_000_000
	case strings.Contains(s, "micro"):
		return 1_000
	}
	return 1
}

func (r *parquetReader) Labels() []string    { return r.labels }
func (r *parquetReader) Kinds() []Kind       { return r.kinds }
func (r *parquetReader) Problems() []Problem { return labelsOf(r.labels) }
func (r *parquetReader) Rows() int64         { return r.f.NumRows() }

// Nested says that the values of a column can't be read: a list, a map.
func (r *parquetReader) Nested(i int) bool { return r.kinds[i] == JSON && r.leaf[i] == nil }

// Tasks yields the row groups.
func (r *parquetReader) Tasks(ctx context.Context, yield func(Task) error) error {
	first := int64(1)
	for _, g := range r.f.RowGroups() {
		start := first
		first += g.NumRows()
		err := yield(func(ctx context.Context, s *Scratch, emit func(*Batch) error) (err error) {
			defer guard(&err)
			return r.group(ctx, g, start, s, emit)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// group reads a row group, all wanted columns side by side.
func (r *parquetReader) group(ctx context.Context, g parquet.RowGroup, first int64, s *Scratch, emit func(*Batch) error) error {
	chunks := g.ColumnChunks()
	curs := make([]*cursor, len(r.leaf))
	for i, l := range r.leaf {
		if l == nil {
			continue
		}
		if l.index >= len(chunks) {
			return failure(CodeFormat, first, "a row group has %d columns of %d", len(chunks), len(r.leaf))
		}
		pages := chunks[l.index].Pages()
		defer pages.Close()
		curs[i] = &cursor{leaf: l, pages: pages}
	}
	b := &s.batch
	if len(b.Cols) != len(r.leaf) {
		b.Cols = make([]Column, len(r.leaf))
	}
	for left := g.NumRows(); left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := rowsAhead(curs, int(min(left, parquetBatch)))
		if err != nil {
			return atRow(broken(err), first)
		}
		b.First, b.Rows, b.Nums, b.Problems = first, n, nil, b.Problems[:0]
		for i, c := range curs {
			b.Cols[i] = Column{Kind: r.kinds[i]}
			if c == nil { // not read
				b.Cols[i] = Column{Kind: JSON, constant: true}
				continue
			}
			if err := c.take(&b.Cols[i], n); err != nil {
				return atRow(broken(err), first)
			}
			if c.leaf.as == String {
				checkText(b, i)
			}
		}
		if err := emit(b); err != nil {
			return err
		}
		first, left = first+int64(n), left-int64(n)
	}
	return nil
}

// rowsAhead is how many rows, at most n, can be had without a new page of any column: so values are used where they stand, without a copy.
func rowsAhead(curs []*cursor, n int) (int, error) {
	for _, c := range curs {
		if c == nil {
			continue
		}
		for c.page == nil || c.row >= int(c.page.NumRows()) {
			if err := c.next(); err != nil {
				return 0, err
			}
		}
		n = min(n, int(c.page.NumRows())-c.row)
	}
	return n, nil
}

// checkText looks for strings that are not UTF-8.
func checkText(b *Batch, i int) {
	col := &b.Cols[i]
	for r := range b.Rows {
		if v := col.Text(r); !utf8.Valid(v) {
			b.problem(Problem{Code: CodeEncoding, Row: b.Row(r), Col: i + 1, Note: "the value has bytes that are not UTF-8", Value: strings.ToValidUTF8(cut(v), "\uFFFD")})
		}
	}
}

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
	absent []bool
	start  []uint32
	end    []uint32
	codes  []int32
	text   []byte // of decimals
	number uint64 // of the dictionary
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
	c.page, c.row, c.val, c.dict = p, 0, 0, nil
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

// take gives the next k rows, all of this page.
func (c *cursor) take(col *Column, k int) error {
	c.ints, c.floats, c.absent, c.start, c.end = c.ints[:0], c.floats[:0], c.absent[:0], c.start[:0], c.end[:0]
	c.text = c.text[:0]
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
			return c.takeDecimals(col, lo, hi, k, len(list), absent, func(i int) *big.Int { return big.NewInt(int64(list[i])) })
		}
		if c.leaf.dec >= 0 {
			return spread(c, &c.floats, lo, hi, k, len(list), absent, func(i int) float64 { return c.decimal(big.NewInt(int64(list[i]))) })
		}
		if c.leaf.signed {
			return spread(c, &c.ints, lo, hi, k, len(list), absent, func(i int) int64 { return int64(list[i]) * c.leaf.scale })
		}
		return spread(c, &c.ints, lo, hi, k, len(list), absent, func(i int) int64 { return int64(uint32(list[i])) })
	case parquet.Int64:
		list := v.Int64()
		if c.leaf.as == Decimal {
			return c.takeDecimals(col, lo, hi, k, len(list), absent, func(i int) *big.Int { return big.NewInt(list[i]) })
		}
		if c.leaf.dec >= 0 {
			return spread(c, &c.floats, lo, hi, k, len(list), absent, func(i int) float64 { return c.decimal(big.NewInt(list[i])) })
		}
		if c.leaf.scale == 1 {
			return spread(c, &c.ints, lo, hi, k, len(list), absent, func(i int) int64 { return list[i] })
		}
		return spread(c, &c.ints, lo, hi, k, len(list), absent, func(i int) int64 { return list[i] * c.leaf.scale })
	}
	list := v.Int96()
	return spread(c, &c.ints, lo, hi, k, len(list), absent, func(i int) int64 {
		const julian = 2440588 // day of 1970-01-01
		x := list[i]
		return (int64(x[2])-julian)*86400_000_000_000 + int64(uint64(x[1])<<32|uint64(x[0]))
	})
}

func (c *cursor) takeFloats(lo, hi, k int, absent []bool) error {
	v := c.values()
	if c.leaf.kind == parquet.Float {
		list := v.Float()
		return spread(c, &c.floats, lo, hi, k, len(list), absent, func(i int) float64 { return float64(list[i]) })
	}
	list := v.Double()
	return spread(c, &c.floats, lo, hi, k, len(list), absent, func(i int) float64 { return list[i] })
}

// spread appends k values, with zeros where there is none.
func spread[T int64 | float64](c *cursor, dst *[]T, lo, hi, k, size int, absent []bool, get func(int) T) error {
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
		if c.leaf.as == Decimal {
			c.addDecimal(signed(data[s:e]))
			continue
		}
		if c.leaf.dec >= 0 {
			c.floats = append(c.floats, c.decimal(signed(data[s:e])))
			continue
		}
		c.start, c.end = append(c.start, s), append(c.end, e)
	}
	if c.leaf.as == Decimal {
		col.buf, col.start, col.end, col.stride, col.at = c.text, c.start, c.end, 1, 0
	} else if c.leaf.dec < 0 {
		col.buf, col.start, col.end, col.stride, col.at = data, c.start, c.end, 1, 0
		if c.dict != nil {
			col.Dict, col.Codes, col.Size = c.number, c.codes, size
		}
	}
	return nil
}

func (c *cursor) empty() {
	if c.leaf.dec >= 0 && c.leaf.as != Decimal {
		c.floats = append(c.floats, 0)
		return
	}
	c.start, c.end = append(c.start, 0), append(c.end, 0)
}
