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
	term := byte('\n')
	if bytes.IndexByte(sample, '\n') < 0 && bytes.IndexByte(sample, '\r') >= 0 {
		term = '\r'
	}
	if d.Delimiter == 0 {
		d.Delimiter = findDelimiter(sample, d.Quote, term)
	}
	r := &csvReader{d: d, s: &splitter{r: text, size: o.BlockSize, term: term, quote: d.Quote, delim: d.Delimiter, esc: d.Escape, plain: d.NoDouble, skipI: d.SkipInitial, row: 1}}
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

// findDelimiter takes the one that cuts most of the first lines into the same number of cells, more than one.
func findDelimiter(sample []byte, quote, term byte) byte {
	best, bestScore := byte(','), 0
	for _, delim := range []byte{',', ';', '\t', '|'} {
		counts := map[int]int{}
		lines := 0
		n, in := 0, false
		for i, c := range sample {
			switch {
			case c == quote && (in || i == 0 || sample[i-1] == delim || sample[i-1] == term):
				in = !in
			case in:
			case c == delim:
				n++
			case c == term:
				counts[n]++
				lines, n = lines+1, 0
			}
			if lines == 100 {
				break
			}
		}
		if lines == 0 {
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

// header takes the labels from the first record.
func (r *csvReader) header() error {
	b, err := r.skip()
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
		if done && end == next && end > start && c.text[end-1] == '\r' {
			end--
		}
		r.labels = append(r.labels, string(c.text[start:end]))
		n = min(next+1, len(c.text))
	}
	if bad := badText(b.text[:n]); bad != "" {
		return failure(CodeEncoding, 1, "the header has %s", bad)
	}
	if r.d.NoHeader {
		for i := range r.labels {
			r.labels[i] = fmt.Sprintf("field%d", i+1)
		}
		r.pending = b
		return nil
	}
	r.problems = labelsOf(r.labels)
	b.text, b.first, b.records = b.text[n:], b.first+1, b.records-1
	r.pending = b
	return nil
}

// skip leaves out the lines in front of the header.
func (r *csvReader) skip() (*block, error) {
	for left := r.d.Skip; ; {
		b, err := r.s.next()
		if err != nil || b.problem != nil {
			return b, err
		}
		for len(b.text) > 0 {
			comment := r.d.Comment != 0 && b.text[0] == r.d.Comment
			if left <= 0 && !comment {
				return b, nil
			}
			i := bytes.IndexByte(b.text, r.s.term) + 1
			if i == 0 {
				i = len(b.text)
			}
			b.text, b.first, b.records = b.text[i:], b.first+1, b.records-1
			if !comment {
				left--
			}
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
