package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"tarn/store/digest"
)

// Parse reads a root manifest of at most MaxRoot bytes. What is no manifest is a *SyntaxError. A manifest that is valid and yet
// not canonical, as Git may have merged it, is read.
func Parse(b []byte) (*Manifest, error) {
	m := &Manifest{}
	p, err := newParser(b, MaxRoot)
	if err != nil {
		return nil, err
	}
	switch first := p.line(); {
	case string(first) == "tarn 1 dir":
	case string(first) == "tarn 1 file":
		m.Form = FormFile
	default:
		return nil, p.wrongHeader(first, "a manifest")
	}
	p.form = m.Form
	if m.Entries, m.Pages, err = p.body(true, true); err != nil {
		return nil, err
	}
	if m.Form == FormFile && (len(m.Entries) != 1 || len(m.Pages) > 0) {
		return nil, &SyntaxError{What: "a manifest of one file has one entry"}
	}
	return m, nil
}

// ParsePage reads a page of at most MaxPage bytes. What is no page is a *SyntaxError.
func ParsePage(b []byte) (*Page, error) {
	p, _, err := parsePage(b)
	return p, err
}

// parsePage also tells the paths that the page's last path starts with, for the fence.
func parsePage(b []byte) (*Page, []string, error) {
	p, err := newParser(b, MaxPage)
	if err != nil {
		return nil, nil, err
	}
	page := &Page{}
	first := p.line()
	level, ok := bytes.CutPrefix(first, []byte("tarn 1 page "))
	if !ok || len(level) != 1 || level[0] < '0' || level[0] > '0'+MaxLevel {
		return nil, nil, p.wrongHeader(first, "a page")
	}
	page.Level = int(level[0] - '0')
	if page.Entries, page.Refs, err = p.body(page.Level == 0, page.Level > 0); err != nil {
		return nil, nil, err
	}
	if len(page.Entries)+len(page.Refs) == 0 {
		return nil, nil, &SyntaxError{What: "a page has at least one line"}
	}
	return page, p.order.open, nil
}

// parser takes text apart, line by line.
type parser struct {
	rest  []byte // after the current line
	at    int    // number of the current line
	form  Form
	text  strings.Builder // backs all strings that are read
	order order
	sum   totals
}

func newParser(b []byte, limit int) (*parser, error) {
	if len(b) > limit {
		return nil, &SyntaxError{What: fmt.Sprintf("text has %d bytes, more than %d", len(b), limit)}
	}
	if len(b) == 0 || b[len(b)-1] != '\n' {
		return nil, &SyntaxError{Line: bytes.Count(b, []byte("\n")) + 1, What: "the line does not end in LF"}
	}
	return &parser{rest: b}, nil
}

// line is the next line, without its LF; the text is known to end in one.
func (p *parser) line() []byte {
	n := bytes.IndexByte(p.rest, '\n')
	l := p.rest[:n]
	p.rest = p.rest[n+1:]
	p.at++
	return l
}

func (p *parser) wrongHeader(line []byte, want string) error {
	if mark, _ := marker(line); mark != 0 {
		return p.fail(line, nil)
	}
	if bytes.HasPrefix(line, []byte("tarn ")) && !bytes.HasPrefix(line, []byte("tarn 1 ")) {
		return p.fail(line, errors.New("a format that this version of tarn does not know"))
	}
	return p.fail(line, errors.New("the first line is not that of "+want))
}

// body reads the lines after the first.
func (p *parser) body(entries, refs bool) ([]Entry, []Ref, error) {
	if len(p.rest) == 0 {
		return nil, nil, nil
	}
	p.reserve()
	if refs && p.rest[0] == 'p' {
		list, err := p.refs()
		return nil, list, err
	}
	if !entries {
		return nil, nil, p.fail(p.line(), errors.New("the line is no page reference"))
	}
	list, err := p.entries()
	return list, nil, err
}

const (
	shortLine = 70 // bytes of the shortest line with a digest, path and LF included
	fileLead  = 69 // bytes before the path of such a line, at least
)

// lines is how many lines to make room for: not more than there can be lines with a digest, as lists grow where others prevail.
func (p *parser) lines() int {
	return min(bytes.Count(p.rest, []byte("\n")), len(p.rest)/shortLine+1)
}

// reserve makes room for all paths, so that they share one allocation.
func (p *parser) reserve() {
	if room := len(p.rest) - fileLead*bytes.Count(p.rest, []byte("\n")); room > 0 {
		p.text.Grow(room)
	}
}

func (p *parser) entries() ([]Entry, error) {
	list := make([]Entry, 0, p.lines())
	for len(p.rest) > 0 {
		list = append(list, Entry{})
		e := &list[len(list)-1]
		line := p.line()
		if err := p.entry(e, line); err != nil {
			return nil, p.fail(line, err)
		}
		if err := p.follow(e.Path, 1, e.Size); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (p *parser) refs() ([]Ref, error) {
	list := make([]Ref, 0, p.lines())
	for len(p.rest) > 0 {
		list = append(list, Ref{})
		r := &list[len(list)-1]
		line := p.line()
		if err := p.ref(r, line); err != nil {
			return nil, p.fail(line, err)
		}
		if err := p.follow(r.First, r.Entries, r.Bytes); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// follow checks the current line against those before.
func (p *parser) follow(path string, entries, bytes int64) error {
	if err := p.order.next(path); err != nil {
		return &SyntaxError{Line: p.at, What: err.Error(), Merged: true, err: err}
	}
	if !p.sum.add(entries, bytes) {
		return &SyntaxError{Line: p.at, What: "the sum of the sizes does not fit into 63 bits"}
	}
	return nil
}

var errKind = errors.New("the line is no entry")

// entry reads one line; each field is accepted in its one valid form only.
func (p *parser) entry(e *Entry, line []byte) (err error) {
	if len(line) < 2 || line[1] != ' ' {
		return errKind
	}
	e.Kind = Kind(line[0])
	rest := line[2:]
	switch e.Kind {
	case File, Exec:
		if rest, err = content(&e.Digest, &e.Size, rest); err != nil {
			return err
		}
	case Link:
		if e.Target, rest, err = p.target(rest); err != nil {
			return err
		}
	case Dir:
		var ok bool
		if rest, ok = bytes.CutPrefix(rest, []byte("- - ")); !ok {
			return errors.New(`the fields of a directory are "- -" and its path`)
		}
	default:
		return errKind
	}
	if e.Path, err = p.path(rest); err != nil {
		return err
	}
	if p.form == FormFile {
		return e.check(FormFile)
	}
	return e.checkFields()
}

func (p *parser) ref(r *Ref, line []byte) error {
	rest, ok := bytes.CutPrefix(line, []byte("p "))
	if !ok {
		return errors.New("the line is no page reference")
	}
	rest, err := content(&r.Digest, &r.Entries, rest)
	if err != nil {
		return err
	}
	if r.Bytes, rest, err = number(rest); err != nil {
		return err
	}
	if r.Entries < 1 {
		return errors.New("a page has at least one entry")
	}
	r.First, err = p.path(rest)
	return err
}

// content reads a digest and a number, each with the space behind it.
func content(d *digest.Digest, n *int64, b []byte) (rest []byte, err error) {
	if len(b) <= 2*digest.Size || b[2*digest.Size] != ' ' || !parseHex(d, b[:2*digest.Size]) {
		return nil, errors.New("the digest is not 64 lower-case hexadecimal digits")
	}
	*n, rest, err = number(b[2*digest.Size+1:])
	return rest, err
}

// parseHex reads 64 lower-case digits, 8 at a time: a nibble is the low half of its digit, and 9 more for a letter. The digits are right if
// no nibble is above 15 and they are those that the nibbles are written with.
func parseHex(d *digest.Digest, b []byte) bool {
	const each = 0x0101010101010101
	var wrong uint64
	for i := 0; i < digest.Size; i += 4 {
		x := binary.LittleEndian.Uint64(b[2*i:])
		n := x&(15*each) + x>>6&each*9
		letters := (n + 6*each) >> 4 & each
		wrong |= n&(0xf0*each) | x ^ (n + '0'*each + letters*('a'-'0'-10))
		n = (n<<4 | n>>8) & 0x00ff00ff00ff00ff
		n = (n | n>>8) & 0x0000ffff0000ffff
		binary.LittleEndian.PutUint32(d[i:], uint32(n|n>>16))
	}
	return wrong == 0
}

var errNumber = errors.New("the number is not decimal, without leading zeros, below 2^63")

// number reads decimal digits and the space behind them.
func number(b []byte) (int64, []byte, error) {
	n := bytes.IndexByte(b, ' ')
	if n < 1 || n > 19 || b[0] == '0' && n > 1 {
		return 0, nil, errNumber
	}
	var v uint64 // 19 digits are below 2^64
	for _, c := range b[:n] {
		if c < '0' || c > '9' {
			return 0, nil, errNumber
		}
		v = v*10 + uint64(c-'0')
	}
	if v > math.MaxInt64 {
		return 0, nil, errNumber
	}
	return int64(v), b[n+1:], nil
}

// target reads the fields of a symlink before its path.
func (p *parser) target(b []byte) (string, []byte, error) {
	b, ok := bytes.CutPrefix(b, []byte(`- "`))
	n := bytes.Index(b, []byte(`" `))
	if !ok || n < 0 {
		return "", nil, errors.New(`the fields of a symlink are "-", its target between quotes, and its path`)
	}
	target, err := unquote(`"` + string(b[:n+1]))
	return p.keep(target), b[n+2:], err
}

// path reads the last field. In a manifest of one file the entry is yet to be checked.
func (p *parser) path(b []byte) (string, error) {
	start := p.text.Len()
	p.text.Write(b)
	path := p.text.String()[start:]
	if isSimple(path) {
		return path, nil
	}
	path, err := Unquote(path)
	if err == nil && p.form == FormDir {
		err = CheckPath(path)
	}
	return path, err
}

// keep moves s to the memory that all strings share.
func (p *parser) keep(s string) string {
	start := p.text.Len()
	p.text.WriteString(s)
	return p.text.String()[start:]
}

// fail is the error for the current line.
func (p *parser) fail(line []byte, err error) error {
	if mark, _ := marker(line); mark != 0 {
		return &SyntaxError{Line: p.at, What: "conflict markers of a merge", Conflict: true}
	}
	if bytes.HasSuffix(line, []byte("\r")) {
		err = errors.New("the line ends in CR LF: a manifest is not to be converted (git attribute -text)")
	}
	return &SyntaxError{Line: p.at, What: err.Error(), err: err}
}
