package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// parquetReader is a Parquet file. Columns that are not wanted are not read.
type parquetReader struct {
	f      *parquet.File
	labels []string
	kinds  []Kind
	leaf   []*leafColumn   // by label; nil: not wanted, or nested
	nested []*nestedColumn // by label; nil: not wanted, or not nested
	split  int64           // rows of a task, where a row group is done by several
}

type leafColumn struct {
	index  int // among the leaves of the file
	maxDef byte
	kind   parquet.Kind
	as     Kind
	ticks  int64 // a second, of a time; of INT96, which has days and nanoseconds, 1
	dec    int   // digits after the point of a decimal number, or -1
	signed bool
	uuid   bool // sixteen bytes
	half   bool // a floating point number of two bytes
	short  bool // a number of four bytes is the one that it is written as
	null   bool // it has no values, whatever its pages are made of
}

// Bounds on what the footer of a file may make us read.
const (
	maxColumns   = 100_000
	maxFooter    = 64 << 20
	maxScale     = 76       // digits after the point of a decimal
	parquetBatch = 16 << 10 // rows of a batch
	parquetSplit = 1 << 18  // rows of a task
)

// ErrUnsupported says of a file that it may be whole, and can't be read here.
var ErrUnsupported = errors.New("it can't be read")

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
	if off < 0 {
		return 0, errors.New("an offset is negative")
	}
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
	r := &parquetReader{f: f, split: parquetSplit}
	if n := len(f.Schema().Columns()); n > maxColumns {
		return nil, failure(CodeFormat, 0, "the Parquet file has %d columns, more than %d", n, maxColumns)
	}
	for _, c := range f.Root().Columns() {
		r.column(c, "", o.Wanted)
	}
	r.halves()
	for i, l := range r.leaf {
		if o.Decimals && l != nil {
			if l.short = true; l.dec >= 0 {
				l.as, r.kinds[i] = Decimal, Decimal
			}
		}
	}
	return r, r.plausible()
}

// halves finds the columns of numbers of two bytes, which the library takes for bytes.
func (r *parquetReader) halves() {
	half := map[int]bool{}
	n := 0
	for i := range r.f.Metadata().Schema {
		e := &r.f.Metadata().Schema[i]
		if !e.Type.Valid { // a group
			continue
		}
		if lt, ok := e.LogicalType.Value.(*format.Float16Type); ok && lt != nil && e.TypeLength.V == 2 {
			half[n] = true
		}
		n++
	}
	for i := range r.leaf {
		for _, l := range r.leavesOf(i) {
			if half[l.index] {
				l.half, l.as = true, Float
				if r.nested[i] == nil {
					r.kinds[i] = Float
				}
			}
		}
	}
}

// plausible says whether the numbers of rows in the footer agree, and the library reads the columns that are wanted right.
func (r *parquetReader) plausible() error {
	meta := r.f.Metadata()
	rows := int64(0)
	for g := range meta.RowGroups {
		group := &meta.RowGroups[g]
		if rows += group.NumRows; group.NumRows < 0 || rows < 0 {
			return failure(CodeFormat, 0, "the Parquet file is broken: a row group has %d rows", group.NumRows)
		}
		for i := range r.leaf {
			for _, l := range r.leavesOf(i) {
				if l.index >= len(group.Columns) {
					return failure(CodeFormat, 0, "the Parquet file is broken: a row group has %d columns", len(group.Columns))
				}
				chunk := &group.Columns[l.index].MetaData
				switch chunk.Codec {
				case format.Lz4Raw, format.Lz4, format.LZO: // of the first the library may give stale bytes; of the others none
					return fmt.Errorf("%w: column %s is compressed with %s; write it with zstd or snappy", ErrUnsupported, r.labels[i], chunk.Codec)
				}
				if r.nested[i] == nil && chunk.NumValues != group.NumRows {
					return failure(CodeFormat, 0, "the Parquet file is broken: column %s has %d values in a row group of %d rows", r.labels[i], chunk.NumValues, group.NumRows)
				}
			}
		}
	}
	if rows != meta.NumRows {
		return failure(CodeFormat, 0, "the Parquet file is broken: it says that it has %d rows, and its row groups have %d", meta.NumRows, rows)
	}
	return nil
}

// leavesOf are the leaves of a column that are read.
func (r *parquetReader) leavesOf(i int) []*leafColumn {
	switch {
	case r.nested[i] != nil:
		return r.nested[i].leaves
	case r.leaf[i] != nil:
		return r.leaf[i : i+1]
	}
	return nil
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
	if !c.Leaf() && !c.Repeated() && wraps(c) == plainGroup && len(c.Columns()) > 0 {
		for _, sub := range c.Columns() {
			r.column(sub, name+".", wanted)
		}
		return
	}
	r.labels = append(r.labels, name)
	var l *leafColumn
	var n *nestedColumn
	kind := JSON
	if !c.Leaf() || c.MaxRepetitionLevel() > 0 {
		n = &nestedColumn{col: c, first: map[*parquet.Column]int{}}
		n.leavesOf(c, 0)
	} else {
		l = newLeaf(c)
		kind = l.as
	}
	if wanted != nil && !wanted(name) {
		l, n = nil, nil
	}
	r.kinds, r.leaf, r.nested = append(r.kinds, kind), append(r.leaf, l), append(r.nested, n)
}

func newLeaf(c *parquet.Column) *leafColumn {
	l := &leafColumn{index: c.Index(), maxDef: byte(c.MaxDefinitionLevel()), kind: c.Type().Kind(), dec: -1, signed: true}
	l.setType(c.Type())
	return l
}

// setType finds out what the values stand for.
func (l *leafColumn) setType(t parquet.Type) {
	switch l.kind {
	case parquet.Boolean:
		l.as = Bool
	case parquet.Int32, parquet.Int64:
		l.as = Int
	case parquet.Int96:
		l.as, l.ticks = Datetime, 1
	case parquet.Float, parquet.Double:
		l.as = Float
	default:
		l.as = JSON // bytes of which nothing is said are no text
	}
	width := 0
	if l.kind == parquet.FixedLenByteArray {
		width = t.Length()
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
		l.as, l.ticks = Time, ticks(v.Unit)
	case *format.TimestampType:
		l.as, l.ticks = Datetime, ticks(v.Unit)
	case *format.DecimalType:
		if v.Scale >= 0 && v.Scale <= maxScale {
			l.as, l.dec = Float, int(v.Scale)
		}
	case *format.IntType:
		if l.signed = v.IsSigned; !l.signed && l.kind == parquet.Int64 { // as a decimal number, which it is not too large for
			l.as, l.dec = Float, 0
		}
	case *format.UUIDType:
		if l.uuid = width == 16; l.uuid {
			l.as = String
		}
	case *format.NullType:
		l.null, l.as = true, String
	}
}

// ticks are how many of a unit a second has.
func ticks(u format.TimeUnit) int64 {
	switch s := strings.ToLower(u.String()); {
	case strings.Contains(s, "milli"):
		return 1e3
	case strings.Contains(s, "micro"):
		return 1e6
	}
	return 1e9
}

func (r *parquetReader) Labels() []string    { return r.labels }
func (r *parquetReader) Kinds() []Kind       { return r.kinds }
func (r *parquetReader) Problems() []Problem { return labelsOf(r.labels) }
func (r *parquetReader) Rows() int64         { return r.f.NumRows() }

// Tasks yields the row groups, and of a large one parts, if each column that is read says where its pages are.
func (r *parquetReader) Tasks(ctx context.Context, yield func(Task) error) error {
	first := int64(1)
	for _, g := range r.f.RowGroups() {
		rows := g.NumRows()
		step := rows
		if rows >= 2*r.split && r.indexed(g) {
			step = r.split
		}
		for from := int64(0); ; from += step {
			start, to := first+from, min(from+step, rows)
			err := yield(func(ctx context.Context, s *Scratch, emit func(*Batch) error) (err error) {
				defer guard(&err)
				return r.group(ctx, g, from, to, start, s, emit)
			})
			if err != nil {
				return err
			}
			if to == rows {
				break
			}
		}
		first += rows
	}
	return nil
}

// indexed says that all columns that are read have an index of their pages, so that a part can be read without what is before it.
func (r *parquetReader) indexed(g parquet.RowGroup) (ok bool) {
	var err error
	defer func() { ok = ok && err == nil }()
	defer guard(&err)
	chunks := g.ColumnChunks()
	for i, l := range r.leaf {
		if r.nested[i] != nil {
			return false
		}
		if l != nil && l.index < len(chunks) {
			if x, err := chunks[l.index].OffsetIndex(); err != nil || x == nil || x.NumPages() < 2 {
				return false
			}
		}
	}
	return true
}

// group reads rows from to to of a row group, all wanted columns side by side.
func (r *parquetReader) group(ctx context.Context, g parquet.RowGroup, from, to, first int64, s *Scratch, emit func(*Batch) error) error {
	chunks := g.ColumnChunks()
	pagesOf := func(index int) (parquet.Pages, error) {
		if index >= len(chunks) {
			return nil, failure(CodeFormat, first, "a row group has %d columns of %d", len(chunks), len(r.leaf))
		}
		pages := chunks[index].Pages()
		if from == 0 {
			return pages, nil
		}
		return pages, pages.SeekToRow(from)
	}
	split := to-from < g.NumRows()
	curs, nested := make([]*cursor, len(r.leaf)), make([]*nestedCursor, len(r.leaf))
	defer func() {
		for i := range curs {
			curs[i].close()
			nested[i].close()
		}
	}()
	for i, l := range r.leaf {
		var err error
		switch n := r.nested[i]; {
		case l != nil:
			curs[i] = &cursor{leaf: l, behind: from, rows: g.NumRows()}
			if curs[i].pages, err = pagesOf(l.index); err == nil && split {
				curs[i].index, err = chunks[l.index].OffsetIndex()
			}
		case n != nil:
			nested[i] = &nestedCursor{nestedColumn: n}
			err = nested[i].open(pagesOf)
		}
		if err != nil {
			return broken(err)
		}
	}
	b := &s.batch
	if len(b.Cols) != len(r.leaf) {
		b.Cols = make([]Column, len(r.leaf))
	}
	for left := to - from; left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		b.First, b.Nums, b.Problems = first, nil, b.Problems[:0]
		n, err := rowsAhead(curs, int(min(left, parquetBatch)))
		if err == nil {
			n, err = nest(nested, b, n)
		}
		if err == nil {
			err = r.take(b, curs, nested, n)
		}
		if err != nil {
			return atRow(broken(err), first)
		}
		if err := emit(b); err != nil {
			return err
		}
		first, left = first+int64(n), left-int64(n)
	}
	if to < g.NumRows() {
		return nil
	}
	for i := range curs {
		if err := errors.Join(curs[i].ended(), nested[i].ended()); err != nil {
			return atRow(broken(err), first)
		}
	}
	return nil
}

// take fills a batch of n rows.
func (r *parquetReader) take(b *Batch, curs []*cursor, nested []*nestedCursor, n int) error {
	b.Rows = n
	for i, c := range curs {
		b.Cols[i] = Column{Kind: r.kinds[i]}
		switch {
		case nested[i] != nil:
			nested[i].take(&b.Cols[i])
		case c == nil: // not read
			b.Cols[i] = Column{Kind: JSON, constant: true}
		default:
			if err := c.take(&b.Cols[i], n); err != nil {
				return err
			}
			if c.leaf.as == String {
				checkText(b, i)
			}
		}
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
