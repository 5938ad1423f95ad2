package config

import (
	"bytes"
	"strings"
)

// The grammar is that of git-config(1), as Git reads it, with these exceptions, where Git is lax and this parser refuses: a NUL anywhere, a key before
// the first section, an empty name of a section or subsection, more than MaxSize bytes. Includes are not known here.

// File is one parsed configuration file; it keeps the bytes, so that an edit leaves the rest alone. Not for concurrent use.
type File struct {
	src      []byte
	sections []section
	entries  []entry
}

// section is one header; start and end are offsets of '[' and of the byte after ']'.
type section struct {
	name, sub  string
	start, end int
}

// entry is one "key = value". The value's text ends at valEnd, before trailing blanks and a comment; the line, with its end, at end.
type entry struct {
	section               int // index in File.sections
	key, value            string
	bare                  bool // no '=': true, as a boolean
	line                  int
	start, keyEnd, valEnd int
	end                   int
}

// Parse reads a file; an error is an *Error with the line. It never panics and takes memory in proportion to src.
func Parse(src []byte) (*File, error) {
	if len(src) > MaxSize {
		return nil, &Error{Msg: "the file has more than 1 MiB"}
	}
	if i := bytes.IndexByte(src, 0); i >= 0 {
		return nil, &Error{Line: 1 + bytes.Count(src[:i], []byte("\n")), Msg: "a NUL"}
	}
	p := &parser{src: src, line: 1, file: &File{src: src}}
	p.pos = len(src) - len(bytes.TrimPrefix(src, []byte("\xef\xbb\xbf")))
	if msg := p.parse(); msg != "" {
		return nil, &Error{Line: p.line, Msg: msg}
	}
	return p.file, nil
}

const eof = -1

// parser walks over src. Its methods return "" or what is wrong; p.line is then where.
type parser struct {
	src  []byte
	pos  int
	line int
	file *File
}

// peek is the byte ahead; CR LF reads as LF.
func (p *parser) peek() int {
	if p.pos >= len(p.src) {
		return eof
	}
	if p.src[p.pos] == '\r' && p.pos+1 < len(p.src) && p.src[p.pos+1] == '\n' {
		return '\n'
	}
	return int(p.src[p.pos])
}

// next takes the byte that peek shows.
func (p *parser) next() int {
	c := p.peek()
	if c == eof {
		return eof
	}
	if c == '\n' && p.src[p.pos] == '\r' {
		p.pos++
	}
	p.pos++
	if c == '\n' {
		p.line++
	}
	return c
}

func (p *parser) parse() string {
	for {
		c := p.peek()
		switch {
		case c == eof:
			return ""
		case isSpace(c):
			p.next()
		case c == '#' || c == ';':
			p.skipLine()
		default:
			if msg := p.item(c); msg != "" {
				return msg
			}
		}
	}
}

func (p *parser) item(c int) string {
	switch {
	case c == '[':
		return p.header()
	case !isAlpha(c):
		return "expected a [section], a key or a comment"
	case len(p.file.sections) == 0:
		return "a key before the first [section]"
	}
	return p.entry()
}

func (p *parser) skipLine() {
	for c := p.next(); c != '\n' && c != eof; c = p.next() {
		continue
	}
}

func (p *parser) header() string {
	s := section{start: p.pos}
	p.next()
	var name, sub []byte
	c := p.peek()
	for ; isKey(c) || c == '.'; c = p.peek() {
		name = append(name, lower(p.next()))
	}
	quoted := isSpace(c) && c != '\n'
	if quoted {
		var msg string
		if sub, msg = p.subsection(); msg != "" {
			return msg
		}
	}
	if p.peek() != ']' {
		return "a section header must be [name] or [name \"subsection\"]"
	}
	p.next()
	s.end = p.pos
	if !s.setName(string(name), string(sub), quoted) {
		return "a section and a subsection need a name"
	}
	p.file.sections = append(p.file.sections, s)
	return ""
}

// setName splits [a.b "c"], which names the subsection b.c of a.
func (s *section) setName(name, sub string, quoted bool) bool {
	head, rest, dotted := strings.Cut(name, ".")
	switch {
	case dotted && quoted:
		sub = rest + "." + sub
	case dotted:
		sub = rest
	}
	s.name, s.sub = head, sub
	return head != "" && (sub != "") == (dotted || quoted)
}

// subsection reads a quoted name; the quote must follow blanks.
func (p *parser) subsection() ([]byte, string) {
	for c := p.peek(); isSpace(c) && c != '\n'; c = p.peek() {
		p.next()
	}
	if p.peek() != '"' {
		return nil, "a subsection must stand between double quotes"
	}
	p.next()
	var out []byte
	for {
		c := p.peek()
		if c == '\\' {
			p.next()
			c = p.peek()
		} else if c == '"' {
			p.next()
			return out, ""
		}
		if c == '\n' || c == eof {
			return nil, "the name of the subsection has no closing quote"
		}
		out = append(out, byte(p.next()))
	}
}

func (p *parser) entry() string {
	e := entry{section: len(p.file.sections) - 1, line: p.line, start: p.pos}
	for isKey(p.peek()) {
		e.key += string(lower(p.next()))
	}
	e.keyEnd, e.valEnd = p.pos, p.pos
	for c := p.peek(); c == ' ' || c == '\t'; c = p.peek() {
		p.next()
	}
	switch c := p.next(); c {
	case '\n', eof:
		e.bare = true
	case '=':
		e.valEnd = p.pos
		if msg := p.value(&e); msg != "" {
			p.line = e.line
			return msg
		}
	default:
		return "expected '=' after the key"
	}
	e.end = p.pos
	p.file.entries = append(p.file.entries, e)
	return ""
}

// value reads to the end of the line. Blanks outside quotes count only between other characters.
func (p *parser) value(e *entry) string {
	v := valueReader{parser: p, trim: -1}
	for {
		more, msg := v.step()
		if msg != "" {
			return msg
		}
		if !more {
			break
		}
		if v.trim < 0 {
			e.valEnd = p.pos
		}
	}
	if v.trim >= 0 {
		v.out = v.out[:v.trim]
	}
	e.value = string(v.out)
	return ""
}

// valueReader is the state within a value; trim is where the last run of blanks began in out, or -1.
type valueReader struct {
	*parser
	out    []byte
	quoted bool
	trim   int
}

// step takes one character; more says that the value goes on.
func (v *valueReader) step() (more bool, msg string) {
	c := v.next()
	switch {
	case c == '\n' || c == eof:
		if v.quoted {
			return false, "a value has no closing quote"
		}
		return false, ""
	case (c == '#' || c == ';') && !v.quoted:
		v.skipLine()
		return false, ""
	case isSpace(c) && !v.quoted:
		v.blank(byte(c))
		return true, ""
	}
	v.trim = -1
	switch c {
	case '"':
		v.quoted = !v.quoted
	case '\\':
		return true, v.escape()
	default:
		v.out = append(v.out, byte(c))
	}
	return true, ""
}

func (v *valueReader) blank(c byte) {
	if v.trim < 0 {
		v.trim = len(v.out)
	}
	if len(v.out) > 0 {
		v.out = append(v.out, c)
	}
}

// escape reads what follows a backslash; a line end there joins the next line.
func (v *valueReader) escape() string {
	switch c := v.next(); c {
	case '\n', eof:
	case 't':
		v.out = append(v.out, '\t')
	case 'b':
		v.out = append(v.out, '\b')
	case 'n':
		v.out = append(v.out, '\n')
	case '\\', '"':
		v.out = append(v.out, byte(c))
	default:
		return "a value has an unknown escape; write a backslash as \\\\"
	}
	return ""
}

func isSpace(c int) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func isAlpha(c int) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func isKey(c int) bool { return isAlpha(c) || '0' <= c && c <= '9' || c == '-' }

func lower(c int) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return byte(c)
}
