package table

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// maxCells is how many cells a batch of text has at most, unless a row has more.
const maxCells = 1 << 20

// wideTable is from how many columns on a row with too few cells is only reported, and not filled up.
const wideTable = 1000

// cells cuts blocks into batches. Spans of a batch stand row by row.
type cells struct {
	d      Dialect
	term   byte
	cols   int
	s      *Scratch
	emit   func(*Batch) error
	text   []byte
	n      int // spans so far
	first  int64
	row    int64 // number of the next record
	rows   int
	total  *int64 // rows that were seen, blank ones as well
	nogaps bool   // the numbers of the batch's rows follow each other
	bad    bool   // the text has bytes that no text has
}

// begin makes the scratch ready for a text.
func (c *cells) begin(text []byte, first int64) {
	c.text, c.row, c.bad = text, first, badText(text) != ""
	b := &c.s.batch
	b.Problems = b.Problems[:0]
	if len(b.Cols) != c.cols {
		b.Cols = make([]Column, c.cols)
	}
	need := min(len(text)+1, maxCells) + c.cols + 8
	if cap(c.s.start) < need {
		c.s.start, c.s.end = make([]uint32, need), make([]uint32, need)
	}
	c.s.start, c.s.end = c.s.start[:cap(c.s.start)], c.s.end[:cap(c.s.start)]
	c.restart()
}

func (c *cells) restart() {
	c.n, c.rows, c.first, c.nogaps = 0, 0, c.row, true
	c.s.nums = c.s.nums[:0]
}

// flush emits what there is.
func (c *cells) flush() error {
	b := &c.s.batch
	if c.rows == 0 && len(b.Problems) == 0 {
		c.restart()
		return nil
	}
	b.First, b.Rows, b.Nums = c.first, c.rows, nil
	if !c.nogaps {
		b.Nums = c.s.nums
	}
	for i := range b.Cols {
		b.Cols[i] = Column{Kind: Text, buf: c.text, start: c.s.start, end: c.s.end, stride: c.cols, at: i}
	}
	c.encoding(b)
	err := c.emit(b)
	b.Problems = b.Problems[:0]
	c.restart()
	return err
}

// endRow closes the row whose spans begin at from and whose text is b[start:end].
func (c *cells) endRow(from, start, end int) error {
	num := c.row
	c.row++
	*c.total++
	got := c.n - from
	if end-start == got-1 { // nothing but delimiters
		c.s.batch.problem(Problem{Code: CodeBlankRow, Row: num, Note: "the row is blank"})
		c.drop(from)
		return nil
	}
	if got != c.cols && !c.ragged(num, from, got) {
		c.drop(from)
		return nil
	}
	if c.rows++; !c.nogaps {
		c.s.nums = append(c.s.nums, num)
	}
	if c.n+c.cols >= maxCells {
		return c.flush()
	}
	return nil
}

// drop forgets a row; from here on the batch has numbers of its own.
func (c *cells) drop(from int) {
	c.n = from
	if c.rows == 0 {
		c.first = c.row
		return
	}
	if c.nogaps {
		c.nogaps = false
		for i := range c.rows {
			c.s.nums = append(c.s.nums, c.first+int64(i))
		}
	}
}

// ragged reports a row with too many or too few cells, and makes it as wide as the header, unless it is to be left out.
func (c *cells) ragged(num int64, from, got int) bool {
	b := &c.s.batch
	if got > c.cols {
		b.problem(Problem{Code: CodeExtraCell, Row: num, Col: c.cols + 1, Note: plural(got-c.cols, "cell") + " more than the header has", More: int64(got - c.cols - 1), Value: cut(c.span(from + c.cols))})
		c.n = from + c.cols
		return true
	}
	b.problem(Problem{Code: CodeMissing, Row: num, Col: got + 1, Note: plural(c.cols-got, "cell") + " fewer than the header has", More: int64(c.cols - got - 1)})
	if c.cols > wideTable {
		return false
	}
	c.room(c.cols - got)
	for range c.cols - got {
		c.s.start[c.n], c.s.end[c.n] = missingCell, 0
		c.n++
	}
	return true
}

// missingCell begins the span of a cell that the row does not have.
const missingCell = 1<<32 - 1

// IsMissing says that the row of value r ended before this column.
func (c *Column) IsMissing(r int) bool {
	return c.Kind == Text && !c.constant && c.start[r*c.stride+c.at] == missingCell
}

func (c *cells) span(i int) []byte {
	if s, e := c.s.start[i], c.s.end[i]; s < e {
		return c.text[s:e]
	}
	return nil
}

// room makes space for n more spans.
func (c *cells) room(n int) {
	if have := len(c.s.start); c.n+n+8 > have {
		more := make([]uint32, n+have/2+8)
		c.s.start, c.s.end = append(c.s.start, more...)[:have+len(more)], append(c.s.end, more...)[:have+len(more)]
	}
}

func (c *cells) add(start, end int) {
	if c.n+8 > len(c.s.start) {
		c.room(1)
	}
	c.s.start[c.n], c.s.end[c.n] = uint32(start), uint32(end)
	c.n++
}

const (
	ones = 0x0101010101010101
	low7 = 0x7f7f7f7f7f7f7f7f
)

// zeros has the high bit of each byte of x that is 0.
func zeros(x uint64) uint64 { return ^((x&low7 + low7) | x | low7) }

// gather makes the high bits of the bytes of x the bits of one byte.
func gather(x uint64) uint64 { return x >> 7 * 0x0102040810204080 >> 56 }

// plain cuts a block without quotes: 64 bytes at a time, of which the delimiters and line ends become the bits of a word.
func (c *cells) plain() error {
	b := c.text
	delim, term := uint64(c.d.Delimiter)*ones, uint64(c.term)*ones
	cell, row, from := 0, 0, 0
	i := 0
	for ; i+64 <= len(b); i += 64 {
		chunk := b[i : i+64 : i+64]
		var hits uint64
		for k := 0; k < 64; k += 8 {
			x := binary.LittleEndian.Uint64(chunk[k:])
			hits |= gather(zeros(x^delim)|zeros(x^term)) << k
		}
		if c.n+64+8 > len(c.s.start) {
			c.room(64)
		}
		start, end, n := c.s.start, c.s.end, c.n
		for ; hits != 0; hits &= hits - 1 {
			at := i + bits.TrailingZeros64(hits)
			start[n], end[n] = uint32(cell), uint32(at)
			n++
			cell = at + 1
			if b[at] != c.term {
				continue
			}
			c.n = n
			if err := c.line(from, row, at); err != nil {
				return err
			}
			start, end, n = c.s.start, c.s.end, c.n
			row, from = cell, n
		}
		c.n = n
	}
	for ; i < len(b); i++ {
		if b[i] != c.d.Delimiter && b[i] != c.term {
			continue
		}
		c.add(cell, i)
		cell = i + 1
		if b[i] == c.term {
			if err := c.line(from, row, i); err != nil {
				return err
			}
			row, from = cell, c.n
		}
	}
	if row < len(b) { // the last row of a file may lack its line end
		c.add(cell, len(b))
		if err := c.line(from, row, len(b)); err != nil {
			return err
		}
	}
	return c.flush()
}

// line ends a row at a line end; a carriage return in front of it is not of the last cell.
func (c *cells) line(from, start, end int) error {
	if end > start && c.text[end-1] == '\r' {
		end--
		if last := c.n - 1; int(c.s.end[last]) > end {
			c.s.end[last] = uint32(end)
		}
	}
	if c.n-from == c.cols && end-start >= c.cols && c.nogaps && c.n+c.cols < maxCells {
		c.row++
		*c.total++
		c.rows++
		return nil
	}
	return c.endRow(from, start, end)
}

// quoted cuts a block that has quotes, comments or escapes, cell by cell. What is quoted twice is made single in place.
func (c *cells) quoted() error {
	b := c.text
	for i := 0; i < len(b); {
		if c.d.Comment != 0 && b[i] == c.d.Comment {
			if end := bytes.IndexByte(b[i:], c.term); end >= 0 {
				i += end + 1
			} else {
				i = len(b)
			}
			c.row++
			c.drop(c.n)
			continue
		}
		next, err := c.record(i)
		if err != nil {
			return err
		}
		i = next
	}
	return c.flush()
}

// record cuts the record at i and returns where the next one begins.
func (c *cells) record(i int) (int, error) {
	b, from, bytesIn := c.text, c.n, 0
	for {
		for c.d.SkipInitial && i < len(b) && b[i] == ' ' {
			i++
		}
		start, end, next := c.cell(i)
		if next >= len(b) || b[next] == c.term {
			if end == next {
				end = c.trim(start, end, next)
			}
			c.add(start, end)
			bytesIn += end - start + 1
			return next + 1, c.endRow(from, 0, bytesIn-1)
		}
		c.add(start, end)
		bytesIn += end - start + 1
		i = next + 1
	}
}

// cell reads the cell at i: its span, and where the delimiter or line end is that follows it.
func (c *cells) cell(i int) (start, end, next int) {
	b := c.text
	if i >= len(b) || b[i] != c.d.Quote || c.d.Quote == 0 {
		return c.bare(i, i)
	}
	out := i + 1
	for j := i + 1; j < len(b); {
		switch ch := b[j]; {
		case ch == c.d.Escape && ch != 0 && ch != c.d.Quote && j+1 < len(b):
			b[out] = b[j+1]
			out, j = out+1, j+2
		case ch == c.d.Quote && !c.d.NoDouble && j+1 < len(b) && b[j+1] == c.d.Quote:
			b[out] = ch
			out, j = out+1, j+2
		case ch == c.d.Quote:
			return c.afterQuote(i+1, out, j+1)
		default:
			n := 1
			if c.d.Escape == 0 {
				if n = bytes.IndexByte(b[j:], c.d.Quote); n < 0 {
					n = len(b) - j
				}
			}
			if out != j {
				copy(b[out:], b[j:j+n])
			}
			out, j = out+n, j+n
		}
	}
	return i + 1, out, len(b)
}

// afterQuote takes what stands between a closing quote and the end of the cell as a part of it, as Python's csv does.
func (c *cells) afterQuote(start, out, j int) (int, int, int) {
	_, end, next := c.bare(j, j)
	if end == next {
		end = c.trim(j, end, next)
	}
	return start, out + copy(c.text[out:], c.text[j:end]), next
}

// trim leaves out a carriage return at the end of a row.
func (c *cells) trim(start, end, next int) int {
	if end > start && c.text[end-1] == '\r' && (next >= len(c.text) || c.text[next] == c.term) {
		return end - 1
	}
	return end
}

// bare reads a cell without quotes.
func (c *cells) bare(start, j int) (int, int, int) {
	b := c.text
	if c.d.Escape != 0 {
		return c.escaped(start, j)
	}
	for ; j < len(b); j++ {
		if b[j] == c.d.Delimiter || b[j] == c.term {
			break
		}
	}
	return start, j, j
}

// escaped is bare where there may be escape characters. What they stand in front of is moved into their place.
func (c *cells) escaped(start, j int) (int, int, int) {
	b, out := c.text, j
	for ; j < len(b) && b[j] != c.d.Delimiter && b[j] != c.term; j++ {
		if b[j] == c.d.Escape && j+1 < len(b) {
			j++
		}
		b[out] = b[j]
		out++
	}
	if out < j {
		out = c.trim(start, out, j)
	}
	return start, out, j
}
