package table

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// nestedColumn is a column of lists or maps. Its values become JSON: from the repetition and definition levels of its leaves, as in the Dremel paper
// (https://research.google/pubs/dremel-interactive-analysis-of-web-scale-datasets-2/).
type nestedColumn struct {
	col    *parquet.Column
	leaves []*leafColumn
	first  map[*parquet.Column]int // by column below: its first leaf
}

// Bounds of nested values: how deep they are, and how much text of them a batch has before it ends, in bytes.
const (
	maxDepth   = 64
	nestedText = 8 << 20
)

func (n *nestedColumn) leavesOf(c *parquet.Column, depth int) {
	if depth > maxDepth {
		panic(fmt.Sprintf("the column %s is nested more than %d deep", n.col.Name(), maxDepth))
	}
	n.first[c] = len(n.leaves)
	if c.Leaf() {
		n.leaves = append(n.leaves, newLeaf(c))
	}
	for _, sub := range c.Columns() {
		n.leavesOf(sub, depth+1)
	}
}

// What a group stands for.
const (
	plainGroup = iota
	listGroup
	mapGroup
)

// wraps says whether a group is only there to make a list or a map of the one repeated group in it.
func wraps(c *parquet.Column) int {
	if c.Leaf() || len(c.Columns()) != 1 || !c.Columns()[0].Repeated() {
		return plainGroup
	}
	if lt := c.Type().LogicalType(); lt != nil {
		switch lt.Value.(type) {
		case *format.ListType:
			return listGroup
		case *format.MapType:
			return mapGroup
		}
	}
	if ct := c.Type().ConvertedType(); ct != nil {
		switch *ct {
		case deprecated.List:
			return listGroup
		case deprecated.Map, deprecated.MapKeyValue:
			return mapGroup
		}
	}
	return plainGroup
}

// nestedCursor reads a nested column of a row group.
type nestedCursor struct {
	*nestedColumn
	streams []*levels // by leaf
	err     error
	row     int // where the text of the row begins
	badText bool

	text       []byte
	start, end []uint32
	absent     []bool
}

func (c *nestedCursor) open(pagesOf func(index int) (parquet.Pages, error)) error {
	for _, l := range c.leaves {
		pages, err := pagesOf(l.index)
		c.streams = append(c.streams, &levels{pages: pages, buf: make([]parquet.Value, 0, 256)})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *nestedCursor) close() {
	if c == nil {
		return
	}
	for _, s := range c.streams {
		if s.page != nil {
			parquet.Release(s.page)
		}
		if s.pages != nil {
			s.pages.Close()
		}
	}
}

// ended says that nothing is behind the rows that were read; an error else.
func (c *nestedCursor) ended() error {
	if c == nil {
		return nil
	}
	for _, s := range c.streams {
		if s.peek(nil) != nil {
			return fmt.Errorf("column %s has more rows than its row group", c.col.Name())
		}
		if s.err != nil {
			return s.err
		}
	}
	return nil
}

// nest reads n rows of all nested columns, or fewer where they are long.
func nest(cols []*nestedCursor, b *Batch, n int) (int, error) {
	for _, c := range cols {
		if c != nil {
			c.text, c.start, c.end, c.absent = c.text[:0], c.start[:0], c.end[:0], c.absent[:0]
		}
	}
	for r := range n {
		total := 0
		for i, c := range cols {
			if c == nil {
				continue
			}
			if err := c.next(); err != nil {
				return 0, err
			}
			if c.badText {
				b.problem(Problem{Code: CodeEncoding, Row: b.First + int64(r), Col: i + 1, Note: "the value has bytes that are not UTF-8"})
			}
			total += len(c.text)
		}
		if total > nestedText {
			return r + 1, nil
		}
	}
	return n, nil
}

func (c *nestedCursor) take(col *Column) {
	col.Kind, col.Absent = JSON, c.absent
	col.buf, col.start, col.end, col.stride, col.at = c.text, c.start, c.end, 1, 0
}

// next reads the value of a row.
func (c *nestedCursor) next() error {
	c.row, c.badText = len(c.text), false
	for _, s := range c.streams {
		if v := s.peek(c); v != nil && v.RepetitionLevel() != 0 {
			return errors.New("the levels of a nested column do not fit together")
		}
	}
	v := c.peek(c.col)
	null := v != nil && !c.col.Repeated() && v.DefinitionLevel() < c.col.MaxDefinitionLevel()
	c.value(c.col)
	c.start, c.end, c.absent = append(c.start, uint32(c.row)), append(c.end, uint32(len(c.text))), append(c.absent, null)
	return c.err
}

// value appends the value that is next of a column.
func (c *nestedCursor) value(col *parquet.Column) {
	v := c.peek(col)
	switch {
	case c.err != nil:
	case len(c.text)-c.row > maxRecord:
		c.err = fmt.Errorf("a value of %s has more than %d bytes as JSON", c.col.Name(), maxRecord)
	case v == nil:
		c.text = append(c.text, "{}"...)
	case col.Repeated():
		c.list(col, func() { c.element(col) }, "[]")
	case v.DefinitionLevel() < col.MaxDefinitionLevel():
		c.text = append(c.text, "null"...)
		c.skip(col)
	default:
		c.element(col)
	}
}

// element appends a value of a column that is there.
func (c *nestedCursor) element(col *parquet.Column) {
	if col.Leaf() {
		s := c.streams[c.first[col]]
		if v := s.peek(c); v != nil {
			c.leaf(c.leaves[c.first[col]], v)
			s.at++
		}
		return
	}
	switch kind := wraps(col); kind {
	case listGroup:
		items := col.Columns()[0]
		c.list(items, func() {
			if !items.Leaf() && len(items.Columns()) == 1 {
				c.value(items.Columns()[0])
				return
			}
			c.element(items)
		}, "[]")
	case mapGroup:
		pairs := col.Columns()[0]
		if len(pairs.Columns()) == 2 && pairs.Columns()[0].Leaf() && newLeaf(pairs.Columns()[0]).as == String {
			c.list(pairs, func() { c.pair(pairs) }, "{}")
			return
		}
		c.list(pairs, func() { c.element(pairs) }, "[]")
	default:
		c.text = append(c.text, '{')
		for i, sub := range col.Columns() {
			if i > 0 {
				c.text = append(c.text, ',')
			}
			c.text = append(appendString(c.text, sub.Name()), ':')
			c.value(sub)
		}
		c.text = append(c.text, '}')
	}
}

func (c *nestedCursor) pair(pairs *parquet.Column) {
	c.value(pairs.Columns()[0])
	c.text = append(c.text, ':')
	c.value(pairs.Columns()[1])
}

// list appends the values of a repeated column.
func (c *nestedCursor) list(col *parquet.Column, each func(), brackets string) {
	v := c.peek(col)
	if v == nil {
		return
	}
	if v.DefinitionLevel() < col.MaxDefinitionLevel() {
		c.text = append(c.text, brackets...)
		c.skip(col)
		return
	}
	c.text = append(c.text, brackets[0])
	for {
		each()
		if c.err != nil {
			return
		}
		s := c.streams[c.first[col]]
		v := s.peek(nil)
		if c.err = s.err; v == nil || v.RepetitionLevel() != col.MaxRepetitionLevel() {
			break
		}
		if len(c.text)-c.row > maxRecord {
			c.value(col) // which says so
			return
		}
		c.text = append(c.text, ',')
	}
	c.text = append(c.text, brackets[1])
}

// peek is the next value of the first leaf of a column; nil: it has no leaf, or c.err is set.
func (c *nestedCursor) peek(col *parquet.Column) *parquet.Value {
	if i := c.first[col]; c.err == nil && i < len(c.streams) && (col.Leaf() || len(col.Columns()) > 0) {
		return c.streams[i].peek(c)
	}
	return nil
}

// skip goes over the one value that each leaf has for a column that is not there.
func (c *nestedCursor) skip(col *parquet.Column) {
	if col.Leaf() {
		if s := c.streams[c.first[col]]; s.peek(c) != nil {
			s.at++
		}
	}
	for _, sub := range col.Columns() {
		c.skip(sub)
	}
}

// leaf appends a single value.
func (c *nestedCursor) leaf(l *leafColumn, v *parquet.Value) {
	quoted := func(t time.Time, layout string) {
		c.text = append(t.AppendFormat(append(c.text, '"'), layout), '"')
	}
	n, ns := int64(0), uint32(0)
	switch l.kind {
	case parquet.Int32:
		n = int64(v.Int32())
		if !l.signed {
			n = int64(v.Uint32())
		}
	case parquet.Int64:
		n = v.Int64()
	case parquet.Int96:
		n, ns = impala(v.Int96())
	}
	if l.ticks > 1 {
		n, ns = instant(n, l.ticks)
	}
	switch {
	case l.kind == parquet.Int64 && !l.signed:
		c.text = strconv.AppendUint(c.text, v.Uint64(), 10)
	case l.dec >= 0 && (l.kind == parquet.Int32 || l.kind == parquet.Int64):
		c.text = appendDecimal(c.text, big.NewInt(n), l.dec)
	case l.dec >= 0:
		c.text = appendDecimal(c.text, signed(v.ByteArray()), l.dec)
	case l.as == Bool:
		c.text = strconv.AppendBool(c.text, v.Boolean())
	case l.as == Int:
		c.text = strconv.AppendInt(c.text, n, 10)
	case l.as == Date:
		quoted(moment(n*86400, 0), "2006-01-02")
	case l.as == Time:
		quoted(moment(n, ns), timeLayout)
	case l.as == Datetime:
		quoted(moment(n, ns), datetimeLayout)
	case l.kind == parquet.Float:
		c.float(shortest(v.Float()))
	case l.kind == parquet.Double:
		c.float(v.Double())
	case l.null:
		c.text = append(c.text, "null"...)
	case l.half:
		c.float(half(binary.LittleEndian.Uint16(v.ByteArray())))
	case l.uuid:
		c.text = append(appendUUID(append(c.text, '"'), v.ByteArray()), '"')
	case l.as == String:
		c.badText = c.badText || !utf8.Valid(v.ByteArray())
		c.text = appendString(c.text, string(v.ByteArray()))
	default: // bytes of which nothing is said
		c.text = append(base64.StdEncoding.AppendEncode(append(c.text, '"'), v.ByteArray()), '"')
	}
}

// float appends a number; JSON has no NaN and no infinity, so that they are strings.
func (c *nestedCursor) float(f float64) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		c.text = strconv.AppendQuote(c.text, strconv.FormatFloat(f, 'g', -1, 64))
		return
	}
	c.text = strconv.AppendFloat(c.text, f, 'g', -1, 64)
}

// appendString appends text as JSON has it; bytes that are no text are replaced.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ':
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// levels are the values of a leaf with their levels, page by page.
type levels struct {
	pages parquet.Pages
	page  parquet.Page
	from  parquet.ValueReader
	buf   []parquet.Value
	at    int
	err   error
}

// peek is the next value; nil at the end, which is an error of c if that is not nil.
func (s *levels) peek(c *nestedCursor) *parquet.Value {
	for s.at == len(s.buf) && s.err == nil {
		s.fill()
	}
	if s.at < len(s.buf) {
		return &s.buf[s.at]
	}
	if s.err == io.EOF {
		s.err = nil
		if c != nil && c.err == nil {
			c.err = errors.New("a nested column ends before its row group does")
		}
		return nil
	}
	if c != nil && c.err == nil {
		c.err = s.err
	}
	return nil
}

func (s *levels) fill() {
	s.buf, s.at = s.buf[:0], 0
	if s.from == nil {
		p, err := s.pages.ReadPage()
		if err != nil {
			s.err = err
			return
		}
		s.page, s.from = p, p.Values()
	}
	n, err := s.from.ReadValues(s.buf[:cap(s.buf)])
	s.buf = s.buf[:n]
	switch {
	case n > 0: // an error comes again
	case err == io.EOF:
		parquet.Release(s.page)
		s.page, s.from = nil, nil
	case err == nil:
		s.err = io.ErrNoProgress
	default:
		s.err = err
	}
}
