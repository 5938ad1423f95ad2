package index

import (
	"fmt"
	"math"
	"strconv"

	"tarn/store/digest"
)

// Bounds of the format, in bytes and levels.
const (
	MaxRoot  = 32 << 20 // a root manifest that is read; one that is written has at most MaxPage
	MaxPage  = 8 << 20
	MaxLevel = 7
)

// Form says what a dataset is.
type Form byte

// The forms of a dataset.
const (
	FormDir  Form = iota // a directory
	FormFile             // one file, whose entry has the path "."
)

// header is the first line of a root manifest.
func (f Form) header() string {
	if f == FormFile {
		return "tarn 1 file\n"
	}
	return "tarn 1 dir\n"
}

// pageHeader is the first line of a page.
func pageHeader(level int) string { return "tarn 1 page " + strconv.Itoa(level) + "\n" }

// Manifest is the root of a version. It has Entries or Pages or, for an empty directory, neither.
type Manifest struct {
	Form    Form
	Entries []Entry // ascending by path
	Pages   []Ref   // ascending by first path, all of one level
}

// Page is a run of entries (level 0) or of references to pages of the level below.
type Page struct {
	Level   int // 0 to MaxLevel
	Entries []Entry
	Refs    []Ref
}

// SyntaxError says why bytes are no manifest or no page.
type SyntaxError struct {
	Line     int    // counted from 1; 0 where the whole is meant
	What     string // what is wrong there
	Conflict bool   // the line is a conflict marker of a merge
	Merged   bool   // a merge made by Git can be the cause: order, a path twice, one below another

	err error
}

func (e *SyntaxError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("line %d: %s", e.Line, e.What)
	}
	return e.What
}

// Unwrap is the cause, such as ErrOutside; it may be nil.
func (e *SyntaxError) Unwrap() error { return e.err }

// Totals counts the entries of the whole dataset and the bytes of its files; what pages hold is taken from their references.
func Totals(m *Manifest) (entries, bytes int64) {
	if m == nil {
		return 0, 0
	}
	var t totals
	for i := range m.Entries {
		t.add(1, m.Entries[i].Size)
	}
	for i := range m.Pages {
		t.add(m.Pages[i].Entries, m.Pages[i].Bytes)
	}
	return t.entries, t.bytes
}

// totals sums up entries and bytes; both stay below 2^63.
type totals struct{ entries, bytes int64 }

// add reports whether the sums still fit; where not, they stay at the most that fits.
func (t *totals) add(entries, bytes int64) bool {
	fits := entries <= math.MaxInt64-t.entries && bytes <= math.MaxInt64-t.bytes
	t.entries += min(entries, math.MaxInt64-t.entries)
	t.bytes += min(bytes, math.MaxInt64-t.bytes)
	return fits
}

// Encode is the text of m, whose parts must be valid; it is canonical if m came from a Builder.
func (m *Manifest) Encode() []byte { return m.AppendTo(nil) }

// AppendTo adds the text of m to b.
func (m *Manifest) AppendTo(b []byte) []byte {
	return appendLines(append(b, m.Form.header()...), m.Entries, m.Pages)
}

// Encode is the text of p, whose parts must be valid.
func (p *Page) Encode() []byte { return p.AppendTo(nil) }

// AppendTo adds the text of p to b.
func (p *Page) AppendTo(b []byte) []byte {
	return appendLines(append(b, pageHeader(p.Level)...), p.Entries, p.Refs)
}

func appendLines(b []byte, entries []Entry, refs []Ref) []byte {
	for i := range entries {
		b, _ = appendEntry(b, &entries[i])
	}
	for i := range refs {
		b, _ = appendRef(b, &refs[i])
	}
	return b
}

// Line is the line of a manifest that e has, without its end; e must be valid.
func (e *Entry) Line() string {
	b, _ := appendEntry(nil, e)
	return string(b[:len(b)-1])
}

// appendEntry adds a line and tells where its path begins.
func appendEntry(b []byte, e *Entry) (line []byte, path int) {
	b = append(b, byte(e.Kind), ' ')
	switch e.Kind {
	case Link:
		b = appendQuoted(append(b, "- "...), e.Target)
	case Dir:
		b = append(b, "- -"...)
	default:
		b = append(appendHex(b, &e.Digest), ' ')
		b = strconv.AppendInt(b, e.Size, 10)
	}
	b = append(b, ' ')
	path = len(b)
	return append(appendPath(b, e.Path), '\n'), path
}

// appendRef adds a line and tells where its path begins.
func appendRef(b []byte, r *Ref) (line []byte, path int) {
	b = append(appendHex(append(b, "p "...), &r.Digest), ' ')
	b = append(strconv.AppendInt(b, r.Entries, 10), ' ')
	b = append(strconv.AppendInt(b, r.Bytes, 10), ' ')
	path = len(b)
	return append(appendPath(b, r.First), '\n'), path
}

func appendHex(b []byte, d *digest.Digest) []byte {
	for _, c := range d {
		b = append(b, hexDigits[c>>4], hexDigits[c&15])
	}
	return b
}
