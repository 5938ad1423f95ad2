package table

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// maxRecord is how long a record of text can be, in bytes.
const maxRecord = 16 << 20

// splitter cuts text into blocks that end where a record ends. It is the one sequential part of reading text, so it looks at as little as it
// can: where a block has no quote, at its last line end.
type splitter struct {
	r       io.Reader
	size    int // of a block, bytes
	term    byte
	quote   byte // 0: none
	delim   byte
	esc     byte // 0: none
	comment byte // 0: none
	skipI   bool // spaces in front of a quote
	plain   bool // quotes are not doubled
	rest    []byte
	eof     bool
	row     int64 // number of the next record
	free    sync.Pool
	steps   *[places][256]place // by place and byte, once run needs it
	busy    [256]bool           // bytes that step out of a cell, or of quotes
}

// block is a run of whole records.
type block struct {
	text    []byte
	first   int64 // number of its first record
	records int64
	quoted  bool // it has a quote
	buf     []byte
	problem *Problem // instead of text
}

func (s *splitter) buffer(n int) []byte {
	if b, ok := s.free.Get().(*[]byte); ok && cap(*b) >= n {
		return (*b)[:n]
	}
	return make([]byte, n)
}

// release gives a block's memory back.
func (s *splitter) release(b *block) {
	buf := b.buf
	if b.buf, b.text = nil, nil; buf != nil && cap(buf) <= 2*s.size {
		s.free.Put(&buf)
	}
}

// next is the next block; io.EOF after the last one.
func (s *splitter) next() (*block, error) {
	if s.eof && len(s.rest) == 0 {
		return nil, io.EOF
	}
	buf := s.buffer(max(s.size, len(s.rest)))
	n := copy(buf, s.rest)
	s.rest = nil
	for {
		if !s.eof {
			got, err := io.ReadFull(s.r, buf[n:])
			n += got
			if errors.Is(err, io.EOF) || err == io.ErrUnexpectedEOF {
				s.eof = true
			} else if err != nil {
				return s.partial(buf, n, err)
			}
		}
		if n == 0 {
			return nil, io.EOF
		}
		end, records, quoted := s.scan(buf[:n])
		if end > 0 {
			s.rest = append([]byte(nil), buf[end:n]...)
			b := &block{text: buf[:end], first: s.row, records: records, quoted: quoted, buf: buf}
			s.row += records
			return b, nil
		}
		if n >= maxRecord || s.eof {
			return s.tooLong(buf, n)
		}
		bigger := make([]byte, min(2*len(buf), maxRecord))
		copy(bigger, buf[:n])
		buf = bigger
	}
}

// partial gives what was read whole before an error; the error comes next.
func (s *splitter) partial(buf []byte, n int, err error) (*block, error) {
	end, records, quoted := s.scan(buf[:n])
	s.r = errReader{err}
	if end == 0 || s.eof {
		return nil, err
	}
	b := &block{text: buf[:end], first: s.row, records: records, quoted: quoted, buf: buf}
	s.row += records
	return b, nil
}

type errReader struct{ error }

func (e errReader) Read([]byte) (int, error) { return 0, e.error }

// skip leaves out so many lines in front of the first record, whatever they hold; comments between them don't count.
func (s *splitter) skip(lines int) error {
	begin, comment := true, false
	_, err := s.drop(make([]byte, s.size), 0, func(b []byte) int {
		for i := 0; i < len(b); begin = true {
			if begin {
				begin, comment = false, s.comment != 0 && b[i] == s.comment
			}
			end := bytes.IndexByte(b[i:], s.term) + 1
			if end == 0 {
				break
			}
			i += end
			if s.row++; comment {
				continue
			}
			if lines--; lines == 0 {
				return i
			}
		}
		return 0
	})
	return err
}

// tooLong leaves out the record at the begin of buf[:n], which has no end there.
func (s *splitter) tooLong(buf []byte, n int) (*block, error) {
	row, at := s.row, recordBegin
	comment := s.comment != 0 && buf[0] == s.comment
	p := &Problem{Code: CodeFormat, Row: row, Note: "the row is longer than 16 MiB; it was not looked at", Value: cut(buf[:n])}
	ended, err := s.drop(buf, n, func(b []byte) int {
		if s.quote == 0 {
			return bytes.IndexByte(b, s.term) + 1
		}
		end, _ := s.run(&at, b, true)
		return end
	})
	switch {
	case err != nil:
		return nil, err
	case !ended && at.open():
		return nil, failure(CodeFormat, row, "a quoted cell of this row is not closed")
	}
	if s.row++; comment {
		return s.next()
	}
	return &block{problem: p, first: row, records: 1}, nil
}

// drop leaves out text up to an end that find sees in one of its pieces; false: it has none. The first piece is buf[:n], the others are read into buf.
func (s *splitter) drop(buf []byte, n int, find func([]byte) int) (bool, error) {
	for {
		if end := find(buf[:n]); end > 0 {
			s.rest = bytes.Clone(buf[end:n])
			return true, nil
		}
		if s.eof {
			return false, nil
		}
		var err error
		if n, err = s.r.Read(buf); n == 0 && errors.Is(err, io.EOF) {
			s.eof = true
		} else if n == 0 && err != nil {
			return false, err
		}
	}
}

// scan finds the end of the last whole record in b, which begins with one, and how many records there are up to it. At the end of the file the last record
// needs no line end.
func (s *splitter) scan(b []byte) (end int, records int64, quoted bool) {
	open := false
	switch {
	case s.quote == 0 || s.esc == 0 && bytes.IndexByte(b, s.quote) < 0:
		end = bytes.LastIndexByte(b, s.term) + 1
		records = int64(bytes.Count(b[:end], []byte{s.term}))
	case s.esc == 0:
		quoted = true
		end, records, open = s.scanQuotes(b)
	default:
		quoted = true
		at := recordBegin
		end, records = s.run(&at, b, false)
		open = at.open()
	}
	if s.eof && !open && end < len(b) {
		end, records = len(b), records+1
	}
	return end, records, quoted
}

// scanQuotes jumps from quote to quote. A quote opens a cell only at its begin, and stands for itself elsewhere.
func (s *splitter) scanQuotes(b []byte) (end int, records int64, open bool) {
	pos := 0
	for {
		q := bytes.IndexByte(b[pos:], s.quote)
		if q < 0 {
			break
		}
		q += pos
		if line := bytes.LastIndexByte(b[pos:q], s.term); line >= 0 {
			end = pos + line + 1
			records += int64(bytes.Count(b[pos:end], []byte{s.term}))
		}
		if s.comment != 0 && b[end] == s.comment { // where a quote is none
			line := bytes.IndexByte(b[q:], s.term)
			if line < 0 {
				return end, records, false
			}
			pos = q + line + 1
			end, records = pos, records+1
			continue
		}
		pos = q + 1
		if !s.opens(b, q) {
			continue
		}
		closing, ok := s.closing(b, pos)
		if !ok {
			return end, records, true
		}
		pos = closing + 1
	}
	if line := bytes.LastIndexByte(b[pos:], s.term); line >= 0 {
		end = pos + line + 1
		records += int64(bytes.Count(b[pos:end], []byte{s.term}))
	}
	return end, records, false
}

// opens says that the quote at q stands at the begin of a cell.
func (s *splitter) opens(b []byte, q int) bool {
	for s.skipI && q > 0 && b[q-1] == ' ' && s.delim != ' ' {
		q--
	}
	return q == 0 || b[q-1] == s.delim || b[q-1] == s.term
}

// closing finds the quote that closes the cell which begins at i; it may be the last byte only at the end of the file.
func (s *splitter) closing(b []byte, i int) (int, bool) {
	for {
		j := bytes.IndexByte(b[i:], s.quote)
		if j < 0 {
			return 0, false
		}
		i += j
		if s.plain {
			return i, true
		}
		if i+1 == len(b) {
			return i, s.eof
		}
		if b[i+1] != s.quote {
			return i, true
		}
		i += 2
	}
}

// place is where in a record a byte stands.
type place uint8

const (
	recordBegin place = iota // at the begin of a record
	cellBegin                // at the begin of a cell, or behind its first spaces
	escaped                  // behind an escape character in a cell
	inEscaped                // behind one in quotes
	pastQuote                // behind a quote in quotes, which closes them if it is not doubled
	inComment                // in a line that is a comment
	inCell                   // further on in a cell, in no quotes
	inQuotes
	places
)

// open says that a quote is.
func (p place) open() bool { return p == inQuotes || p == inEscaped }

// run goes through b byte by byte, from at on, and says where the last record in it ends, or with one the first, 0 being nowhere, and how many do. It is for
// dialects with an escape character, and for records that are in no buffer as a whole.
func (s *splitter) run(at *place, b []byte, one bool) (end int, records int64) {
	if s.steps == nil {
		s.steps = new([places][256]place)
		for c := range s.busy {
			for p := range places {
				s.steps[p][c] = s.step(p, byte(c))
			}
			s.busy[c] = s.steps[inCell][c] != inCell || s.steps[inQuotes][c] != inQuotes
		}
	}
	p := *at
	for i, c := range b {
		if p >= inCell && !s.busy[c] {
			continue
		}
		if p = s.steps[p%places][c]; p == recordBegin {
			end, records = i+1, records+1
			if one {
				break
			}
		}
	}
	*at = p
	return end, records
}

// step says where the byte behind c stands, where c stands at p.
func (s *splitter) step(p place, c byte) place {
	esc := s.esc != 0 && c == s.esc
	switch {
	case p == inEscaped, p == inQuotes && c != s.quote && !esc, p == pastQuote && c == s.quote:
		return inQuotes
	case p == inQuotes && esc:
		return inEscaped
	case p == inQuotes && !s.plain:
		return pastQuote
	case p == inQuotes, p == escaped:
		return inCell
	case c == s.term:
		return recordBegin
	case p == inComment, p == recordBegin && s.comment != 0 && c == s.comment:
		return inComment
	case esc:
		return escaped
	case c == s.quote && p <= cellBegin:
		return inQuotes
	case c == s.delim, c == ' ' && s.skipI && p <= cellBegin:
		return cellBegin
	}
	return inCell
}
