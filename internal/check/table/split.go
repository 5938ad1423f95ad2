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
	r     io.Reader
	size  int // of a block, bytes
	term  byte
	quote byte // 0: none
	delim byte
	esc   byte
	skipI bool // spaces in front of a quote
	plain bool // quotes are not doubled
	rest  []byte
	eof   bool
	row   int64 // number of the next record
	free  sync.Pool
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
		end, records, quoted, open := s.scan(buf[:n])
		if end > 0 {
			s.rest = append([]byte(nil), buf[end:n]...)
			b := &block{text: buf[:end], first: s.row, records: records, quoted: quoted, buf: buf}
			s.row += records
			return b, nil
		}
		if n >= maxRecord || s.eof {
			return s.tooLong(buf[:n], open)
		}
		bigger := make([]byte, min(2*len(buf), maxRecord))
		copy(bigger, buf[:n])
		buf = bigger
	}
}

// partial gives what was read whole before an error; the error comes next.
func (s *splitter) partial(buf []byte, n int, err error) (*block, error) {
	end, records, quoted, _ := s.scan(buf[:n])
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

// tooLong goes on after a record without end: after a line, the next one; an open quote ends the file.
func (s *splitter) tooLong(buf []byte, open bool) (*block, error) {
	row := s.row
	if open {
		s.eof = true
		return nil, failure(CodeFormat, row, "a quoted cell of this row is not closed")
	}
	p := &Problem{Code: CodeFormat, Row: row, Note: "the row is longer than 16 MiB; it was not looked at", Value: cut(buf)}
	s.row++
	for {
		if i := bytes.IndexByte(buf, s.term); i >= 0 {
			s.rest = append([]byte(nil), buf[i+1:]...)
			break
		}
		n, err := s.r.Read(buf[:cap(buf)])
		if buf = buf[:n]; err != nil && n == 0 {
			s.eof = true
			if !errors.Is(err, io.EOF) {
				return nil, err
			}
			break
		}
	}
	return &block{problem: p, first: row, records: 1}, nil
}

// scan finds the end of the last whole record in b, which begins with one; how many records there are up to it; and, where there is none, whether a
// quote is open. At the end of the file the last record needs no line end.
func (s *splitter) scan(b []byte) (end int, records int64, quoted, open bool) {
	if s.quote == 0 || bytes.IndexByte(b, s.quote) < 0 && s.esc == 0 {
		end = bytes.LastIndexByte(b, s.term) + 1
		records = int64(bytes.Count(b[:end], []byte{s.term}))
		if s.eof && end < len(b) {
			end, records = len(b), records+1
		}
		return end, records, false, false
	}
	if s.esc != 0 {
		end, records, open = s.scanBytes(b)
	} else {
		end, records, open = s.scanQuotes(b)
	}
	if s.eof && !open && end < len(b) {
		end, records = len(b), records+1
	}
	return end, records, true, open
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
	for s.skipI && q > 0 && b[q-1] == ' ' {
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

// scanBytes is scanQuotes for dialects with an escape character.
func (s *splitter) scanBytes(b []byte) (end int, records int64, open bool) {
	in, start := false, true
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c == s.esc && c != s.quote:
			i++
			start = false
		case in:
			if c == s.quote {
				if !s.plain && i+1 < len(b) && b[i+1] == s.quote {
					i++
				} else {
					in = false
				}
			}
		case c == s.quote && start:
			in, start = true, false
		case c == s.term:
			end, records, start = i+1, records+1, true
		default:
			start = c == s.delim
		}
	}
	return end, records, in
}
