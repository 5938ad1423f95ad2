package table

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"unicode/utf8"
)

// csvReader is a file of separated values.
type csvReader struct {
	s        *splitter
	d        Dialect
	labels   []string
	problems []Problem
	pending  *block // what follows the header in the first block
	rows     atomic.Int64
}

// sampleSize is how much of a file is looked at to find its dialect, in bytes.
const sampleSize = 64 << 10

func openCSV(text io.Reader, o Options) (Reader, error) {
	d := o.Dialect
	sample, text, err := peek(text, sampleSize)
	if err != nil {
		return nil, noteRead(err)
	}
	if d.Quote == 0 {
		d.Quote = '"'
	}
	if d.Escape == d.Quote { // which is how some say that it is doubled
		d.Escape, d.NoDouble = 0, false
	}
	term := d.lineEnd(sample)
	if d.Delimiter == 0 {
		d.Delimiter = d.findDelimiter(sample, term)
	}
	s := &splitter{r: text, size: o.BlockSize, term: term, quote: d.Quote, delim: d.Delimiter, esc: d.Escape, comment: d.Comment, plain: d.NoDouble, skipI: d.SkipInitial, row: 1}
	if d.Skip > 0 {
		if err := s.skip(d.Skip); err != nil {
			return nil, noteRead(err)
		}
	}
	r := &csvReader{d: d, s: s}
	if err := r.header(); err != nil {
		return nil, err
	}
	return r, nil
}

// peek reads the begin of r, and gives it back with it.
func peek(r io.Reader, n int) ([]byte, io.Reader, error) {
	b := make([]byte, n)
	got, err := io.ReadFull(r, b)
	if err != nil && !errors.Is(err, io.EOF) && err != io.ErrUnexpectedEOF {
		if got == 0 {
			return nil, nil, err
		}
		return b[:got], io.MultiReader(bytes.NewReader(b[:got]), errReader{err}), nil
	}
	return b[:got], io.MultiReader(bytes.NewReader(b[:got]), r), nil
}

// delimiters are those that are looked for.
const delimiters = ",;\t|"

// lineEnd is what ends lines: a line feed, with a carriage return in front of it or not, unless there are only carriage returns.
func (d *Dialect) lineEnd(sample []byte) byte {
	delims := delimiters
	if d.Delimiter != 0 {
		delims = string([]byte{d.Delimiter})
	}
	lf, cr := false, false
	d.unquoted(sample, delims, "\n\r", func(i int, _ bool) bool {
		lf = sample[i] == '\n'
		cr = cr || sample[i] == '\r' && i+1 < len(sample) // else a line feed may follow
		return !lf
	})
	if cr && !lf {
		return '\r'
	}
	return '\n'
}

// findDelimiter takes the one that cuts most of the first rows into the same number of cells, more than one.
func (d *Dialect) findDelimiter(sample []byte, term byte) byte {
	best, bestScore := byte(','), 0
	for _, delim := range []byte(delimiters) {
		counts := map[int]int{}
		rows, n := 0, 0
		d.unquoted(sample, string([]byte{delim}), string([]byte{term}), func(i int, row bool) bool {
			switch c := sample[i]; {
			case !row:
			case c == delim:
				n++
			case c == term:
				counts[n]++
				rows, n = rows+1, 0
			}
			return rows < 100
		})
		if rows == 0 {
			counts[n]++
		}
		for cells, score := range counts {
			if cells > 0 && (score > bestScore || score == bestScore && delim == best) {
				best, bestScore = delim, score
			}
		}
	}
	return best
}

// unquoted calls do, until that is enough, with the places in a sample that are in no quotes, and whether they are in a row, and not in a comment or a line
// that is skipped.
func (d *Dialect) unquoted(sample []byte, delims, terms string, do func(i int, row bool) bool) {
	skip := d.Skip
	begin, row, start, in := true, true, true, false
	for i := 0; i < len(sample); i++ {
		c := sample[i]
		if begin {
			comment := d.Comment != 0 && c == d.Comment
			row = skip <= 0 && !comment
			if !comment {
				skip--
			}
			begin, start = false, true
		}
		switch {
		case row && d.Escape != 0 && c == d.Escape:
			i++
			start = false
		case in && c == d.Quote && !d.NoDouble && i+1 < len(sample) && sample[i+1] == c:
			i++
		case in:
			in = c != d.Quote
		case row && start && c == d.Quote:
			in, start = true, false
		default:
			if !do(i, row) {
				return
			}
			start = strings.IndexByte(delims, c) >= 0 || start && d.SkipInitial && c == ' '
			begin = strings.IndexByte(terms, c) >= 0 && (c == '\n' || i+1 == len(sample) || sample[i+1] != '\n')
		}
	}
}

// header takes the labels from the first record.
func (r *csvReader) header() error {
	b, err := r.begin()
	if errors.Is(err, io.EOF) {
		return failure(CodeSource, 0, "the file is empty")
	}
	if err != nil {
		return noteRead(err)
	}
	if b.problem != nil {
		return &Error{*b.problem}
	}
	c := &cells{d: r.d, term: r.s.term, text: bytes.Clone(b.text)}
	n := 0
	for done := false; !done; {
		for r.d.SkipInitial && n < len(c.text) && c.text[n] == ' ' {
			n++
		}
		start, end, next := c.cell(n)
		done = next >= len(c.text) || c.text[next] == c.term
		if end == next {
			end = c.trim(start, end, next)
		}
		if len(r.labels) == maxLabels {
			return failure(CodeFormat, b.first, "the header has more than %d columns", maxLabels)
		}
		r.labels = append(r.labels, string(c.text[start:end]))
		n = min(next+1, len(c.text))
	}
	if bad := badText(b.text[:n]); bad != "" {
		return failure(CodeEncoding, b.first, "the header has %s", bad)
	}
	if r.d.NoHeader {
		for i := range r.labels {
			r.labels[i] = fmt.Sprintf("field%d", i+1)
		}
		r.pending = b
		return nil
	}
	r.problems = labelsOf(r.labels)
	for i := range r.problems {
		r.problems[i].Row = b.first
	}
	b.text, b.first, b.records = b.text[n:], b.first+1, b.records-1
	r.pending = b
	return nil
}

// begin is the first block without the comments in front of the header.
func (r *csvReader) begin() (*block, error) {
	for {
		b, err := r.s.next()
		if err != nil || b.problem != nil {
			return b, err
		}
		for len(b.text) > 0 {
			if r.d.Comment == 0 || b.text[0] != r.d.Comment {
				return b, nil
			}
			i := bytes.IndexByte(b.text, r.s.term) + 1
			if i == 0 {
				i = len(b.text)
			}
			b.text, b.first, b.records = b.text[i:], b.first+1, b.records-1
		}
	}
}

// Delimiter is what stands between cells.
func (r *csvReader) Delimiter() byte { return r.d.Delimiter }

func (r *csvReader) Labels() []string    { return r.labels }
func (r *csvReader) Kinds() []Kind       { return nil }
func (r *csvReader) Problems() []Problem { return r.problems }
func (r *csvReader) Rows() int64         { return r.rows.Load() }

func (r *csvReader) Tasks(ctx context.Context, yield func(Task) error) error {
	b := r.pending
	for {
		if b != nil && (len(b.text) > 0 || b.problem != nil) {
			if err := yield(r.task(b)); err != nil {
				return err
			}
		}
		var err error
		if b, err = r.s.next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return atRow(noteRead(err), r.s.row)
		}
	}
}

// atRow says up to which row a file could be read.
func atRow(err error, row int64) error {
	var e *Error
	if errors.As(err, &e) && e.Row == 0 {
		p := e.Problem
		p.Row = row
		return &Error{p}
	}
	return err
}

func (r *csvReader) task(b *block) Task {
	return func(_ context.Context, s *Scratch, emit func(*Batch) error) error {
		defer r.s.release(b)
		var rows int64
		defer func() { r.rows.Add(rows) }()
		if b.problem != nil {
			rows++
			return emitProblem(s, *b.problem, emit)
		}
		c := &cells{d: r.d, term: r.s.term, cols: len(r.labels), s: s, emit: emit, total: &rows}
		c.begin(b.text, b.first)
		if b.quoted || r.d.Comment != 0 || r.d.Escape != 0 || r.d.SkipInitial {
			return c.quoted()
		}
		return c.plain()
	}
}

func emitProblem(s *Scratch, p Problem, emit func(*Batch) error) error {
	b := &s.batch
	b.First, b.Rows, b.Nums = p.Row, 0, nil
	b.Problems = append(b.Problems[:0], p)
	err := emit(b)
	b.Problems = b.Problems[:0]
	return err
}

// badText says what is wrong with text, if anything.
func badText(b []byte) string {
	switch {
	case bytes.IndexByte(b, 0) >= 0:
		return "a NUL byte"
	case !utf8.Valid(b):
		return "bytes that are not of its encoding"
	}
	return ""
}

// encoding looks for bytes that no text has. One look at the block is the rule; cells are looked at only where that finds something.
func (c *cells) encoding(b *Batch) {
	if !c.bad {
		return
	}
	for r := range c.rows {
		for k := range b.Cols {
			v := c.span(r*c.cols + k)
			if bad := badText(v); bad != "" {
				b.problem(Problem{Code: CodeEncoding, Row: b.Row(r), Col: k + 1, Note: "the cell has " + bad, Value: strings.ToValidUTF8(cut(v), "\uFFFD")})
			}
		}
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
