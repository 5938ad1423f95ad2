package table

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonReader is a file of one JSON object a line.
type jsonReader struct {
	s      *splitter
	labels []string // the keys of the first rows, and then the names that are expected beside them
	index  map[string]int
	first  int           // how many of the labels are keys of the first rows
	late   []atomic.Bool // by label behind these: some row has it
	strict bool
	rows   atomic.Int64
}

// jsonScratch is what reading lines needs beside cells.
type jsonScratch struct {
	kinds  []Kind
	absent []bool
}

// maxLabels is how many different keys the rows that are looked at first may have.
const maxLabels = 100_000

// jsonSample is how much of a file is looked at for its keys, in bytes, or more until there is one, up to maxRecord.
const jsonSample = 1 << 20

func openJSONL(text io.Reader, o Options) (Reader, error) {
	r := &jsonReader{index: map[string]int{}, strict: o.Strict}
	for size := jsonSample; ; size *= 2 {
		sample, again, err := peek(text, size)
		if err != nil {
			return nil, noteRead(err)
		}
		text = again
		whole := len(sample) < size
		if whole && len(bytes.TrimSpace(sample)) == 0 {
			return nil, failure(CodeSource, 0, "the file is empty")
		}
		if !whole { // the last line may go on
			sample = sample[:bytes.LastIndexByte(sample, '\n')+1]
		}
		if err := r.keys(bytes.Clone(sample)); err != nil {
			return nil, err
		}
		if whole || len(r.labels) > 0 || size >= maxRecord {
			break
		}
	}
	if len(o.Names) > 0 && o.Wanted != nil && !o.Strict { // a row costs as much as there are labels
		r.only(o.Wanted)
	}
	r.first = len(r.labels)
	for _, n := range o.Names { // a key may be missing from all the first rows
		r.label(n)
	}
	r.late = make([]atomic.Bool, len(r.labels)-r.first)
	r.s = &splitter{r: text, size: o.BlockSize, term: '\n', row: 1}
	return r, nil
}

// keys takes those of the lines of b that are objects as labels, in the order in which they come. It changes b.
func (r *jsonReader) keys(b []byte) error {
	for line := range bytes.Lines(b) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] == '{' && json.Valid(line) {
			eachKey(line, func(key, _ []byte) {
				if _, ok := r.index[string(key)]; !ok {
					r.label(string(key))
				}
			})
		}
		if len(r.labels) > maxLabels {
			return failure(CodeFormat, 0, "the rows have more than %d different keys", maxLabels)
		}
	}
	return nil
}

// allKeys reads all lines for their keys, in the order in which they come; o.Names stand behind them.
func allKeys(text io.Reader, o Options) ([]string, error) {
	s := &splitter{r: text, size: o.BlockSize, term: '\n', row: 1}
	r := &jsonReader{index: map[string]int{}}
	for {
		b, err := s.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, atRow(noteRead(err), s.row)
		}
		if err := r.keys(b.text); err != nil {
			return nil, err
		}
		s.release(b)
	}
	for _, n := range o.Names {
		r.label(n)
	}
	return r.labels, nil
}

// only forgets labels that nobody asks about.
func (r *jsonReader) only(wanted func(string) bool) {
	all := r.labels
	r.labels, r.index = nil, map[string]int{}
	for _, l := range all {
		if wanted(l) {
			r.label(l)
		}
	}
}

func (r *jsonReader) label(name string) {
	if _, ok := r.index[name]; !ok {
		r.index[name] = len(r.labels)
		r.labels = append(r.labels, name)
	}
}

func (r *jsonReader) Labels() []string    { return r.labels }
func (r *jsonReader) Problems() []Problem { return nil }
func (r *jsonReader) Rows() int64         { return r.rows.Load() }

// Unseen are the expected names that no row had, once all tasks are done.
func (r *jsonReader) Unseen() []string {
	var names []string
	for i := range r.late {
		if !r.late[i].Load() {
			names = append(names, r.labels[r.first+i])
		}
	}
	return names
}

func (r *jsonReader) Kinds() []Kind { return slices.Repeat([]Kind{Mixed}, len(r.labels)) }

func (r *jsonReader) Tasks(ctx context.Context, yield func(Task) error) error {
	for {
		b, err := r.s.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return atRow(noteRead(err), r.s.row)
		}
		if err := yield(func(_ context.Context, s *Scratch, emit func(*Batch) error) error { return r.task(b, s, emit) }); err != nil {
			return err
		}
	}
}

func (r *jsonReader) task(b *block, s *Scratch, emit func(*Batch) error) error {
	defer r.s.release(b)
	if b.problem != nil {
		r.rows.Add(1)
		return emitProblem(s, *b.problem, emit)
	}
	var total int64
	c := &cells{term: '\n', cols: len(r.labels), s: s, total: &total}
	c.emit = func(out *Batch) error {
		for i := range out.Cols {
			col := &out.Cols[i]
			col.Kind, col.Kinds, col.Absent = Mixed, s.json.kinds, s.json.absent
		}
		err := emit(out)
		s.json.kinds, s.json.absent = s.json.kinds[:0], s.json.absent[:0]
		return err
	}
	s.json.kinds, s.json.absent = s.json.kinds[:0], s.json.absent[:0]
	c.begin(b.text, b.first)
	defer func() { r.rows.Add(total) }()
	for at := 0; at < len(b.text); {
		end := bytes.IndexByte(b.text[at:], '\n')
		if end < 0 {
			end = len(b.text) - at
		}
		if err := r.line(c, at, at+end); err != nil {
			return err
		}
		at += end + 1
	}
	return c.flush()
}

// line reads the object in text[start:end].
func (r *jsonReader) line(c *cells, start, end int) error {
	line := c.text[start:end]
	num := c.row
	trimmed := bytes.TrimSpace(line)
	bad := Problem{Row: num, Value: cut(bytes.ToValidUTF8(trimmed, []byte("\uFFFD")))}
	switch {
	case len(trimmed) == 0:
		bad.Code, bad.Note = CodeBlankRow, "the row is blank"
	case c.bad && badText(line) != "":
		bad.Code, bad.Note = CodeEncoding, "the row has "+badText(line)
	case !json.Valid(line):
		bad.Code, bad.Note = CodeFormat, "the row is not JSON"
	case trimmed[0] != '{':
		bad.Code, bad.Note = CodeFormat, "the row is not an object"
	}
	c.row++
	*c.total++
	if bad.Code != "" {
		c.s.batch.problem(bad)
		c.drop(c.n)
		return nil
	}
	from := c.n
	c.room(c.cols)
	j := &c.s.json
	for range c.cols {
		c.s.start[c.n], c.s.end[c.n] = 0, 0
		c.n++
		j.kinds, j.absent = append(j.kinds, String), append(j.absent, true)
	}
	eachKey(line, func(key, value []byte) {
		at, ok := r.index[string(key)]
		if !ok {
			if r.strict {
				c.s.batch.problem(Problem{Code: CodeExtraCell, Row: num, Note: "the key " + cut(key) + " is neither expected nor one of the first rows'"})
			}
			return
		}
		if late := at - r.first; late >= 0 && !r.late[late].Load() {
			r.late[late].Store(true)
		}
		kind, v, there := jsonValue(value)
		off := 0
		if len(v) > 0 {
			off = cap(c.text) - cap(v) // v is a part of text
		}
		c.s.start[from+at], c.s.end[from+at] = uint32(off), uint32(off+len(v))
		j.kinds[from+at], j.absent[from+at] = kind, !there
	})
	if c.rows++; !c.nogaps {
		c.s.nums = append(c.s.nums, num)
	}
	if c.n+c.cols >= maxCells {
		return c.flush()
	}
	return nil
}

// jsonValue says what a value is, and decodes a string in its place.
func jsonValue(v []byte) (kind Kind, text []byte, there bool) {
	switch v[0] {
	case 'n':
		return String, nil, false
	case '"':
		return String, unquote(v), true
	case 't', 'f':
		return Bool, v, true
	case '{', '[':
		return JSON, v, true
	}
	if bytes.ContainsAny(v, ".eE") {
		return Float, v, true
	}
	return Int, v, true
}

// eachKey calls do with the keys, decoded, and the values of a valid object. It may change the text, as decoding is done in place.
func eachKey(b []byte, do func(key, value []byte)) {
	i := bytes.IndexByte(b, '{') + 1
	for {
		if i = skipSpace(b, i); i >= len(b) || b[i] == '}' {
			return
		}
		if b[i] == ',' {
			i = skipSpace(b, i+1)
		}
		end := endOfString(b, i)
		key := b[i:end]
		i = skipSpace(b, skipSpace(b, end)+1)
		end = endOfValue(b, i)
		do(unquote(key), b[i:end])
		i = end
	}
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return i
}

// endOfString is behind the quote that closes the string at i.
func endOfString(b []byte, i int) int {
	for j := i + 1; ; {
		j += bytes.IndexByte(b[j:], '"')
		n := 0
		for b[j-1-n] == '\\' {
			n++
		}
		if j++; n%2 == 0 {
			return j
		}
	}
}

func endOfValue(b []byte, i int) int {
	switch b[i] {
	case '"':
		return endOfString(b, i)
	case '{', '[':
		for depth, j := 0, i; ; {
			switch b[j] {
			case '"':
				j = endOfString(b, j)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return j + 1
				}
			}
			j++
		}
	}
	j := i
	for j < len(b) && b[j] != ',' && b[j] != '}' && b[j] > ' ' {
		j++
	}
	return j
}

// unquote decodes a valid JSON string in place: no escape is shorter than what it stands for.
func unquote(q []byte) []byte {
	s := q[1 : len(q)-1]
	i := bytes.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	out := i
	for i < len(s) {
		if s[i] != '\\' {
			s[out] = s[i]
			i, out = i+1, out+1
			continue
		}
		if s[i+1] != 'u' {
			c := s[i+1]
			if e := bytes.IndexByte([]byte("bfnrt"), c); e >= 0 {
				c = "\b\f\n\r\t"[e]
			}
			s[out] = c
			i, out = i+2, out+1
			continue
		}
		r := hex4(s[i+2:])
		i += 6
		if utf16.IsSurrogate(r) {
			r2 := rune(0)
			if i+6 <= len(s) && s[i] == '\\' && s[i+1] == 'u' {
				r2 = hex4(s[i+2:])
			}
			if r = utf16.DecodeRune(r, r2); r != utf8.RuneError {
				i += 6
			}
		}
		out += utf8.EncodeRune(s[out:], r)
	}
	return s[:out]
}

func hex4(b []byte) (r rune) {
	for _, c := range b[:4] {
		switch {
		case c >= 'a':
			c -= 'a' - 10
		case c >= 'A':
			c -= 'A' - 10
		default:
			c -= '0'
		}
		r = r<<4 | rune(c)
	}
	return r
}
