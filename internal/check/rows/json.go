package rows

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strconv"
	"unicode/utf8"
)

// maxJSONDepth is how deep a value is looked into; Go's own reader of JSON goes no deeper either.
const maxJSONDepth = 10_000

// appendJSON is a list or an object without what does not matter: blanks, the order of keys, how characters are escaped, how numbers are written. What is no
// JSON is its text. A key that stands there twice counts twice.
func appendJSON(dst, v []byte) []byte {
	if out, ok := jsonValue(append(dst, markJSON), v); ok {
		return out
	}
	return appendText(dst, markText, v)
}

func jsonValue(dst, v []byte) ([]byte, bool) {
	c := jsonCanon{in: v}
	dst, ok := c.value(dst, 0)
	c.blanks()
	return dst, ok && c.at == len(v)
}

// jsonCanon reads one value. All digits of its numbers count, as they may be decimals.
type jsonCanon struct {
	in []byte
	at int
}

func (c *jsonCanon) blanks() {
	for c.at < len(c.in) && (c.in[c.at] == ' ' || c.in[c.at] == '\t' || c.in[c.at] == '\n' || c.in[c.at] == '\r') {
		c.at++
	}
}

// take goes over a byte, and blanks in front of it, if it is next.
func (c *jsonCanon) take(b byte) bool {
	c.blanks()
	if c.at == len(c.in) || c.in[c.at] != b {
		return false
	}
	c.at++
	return true
}

func (c *jsonCanon) value(dst []byte, depth int) ([]byte, bool) {
	c.blanks()
	if c.at == len(c.in) || depth > maxJSONDepth {
		return dst, false
	}
	switch b := c.in[c.at]; b {
	case '"':
		return c.text(dst)
	case '[':
		return c.list(dst, depth)
	case '{':
		return c.object(dst, depth)
	case 't', 'f', 'n':
		for _, word := range []string{"true", "false", "null"} {
			if bytes.HasPrefix(c.in[c.at:], []byte(word)) {
				c.at += len(word)
				return append(dst, b), true
			}
		}
		return dst, false
	}
	return c.number(dst)
}

func (c *jsonCanon) text(dst []byte) ([]byte, bool) {
	start, plain := c.at, true
	for c.at++; c.at < len(c.in) && c.in[c.at] != '"'; c.at++ {
		if c.in[c.at] == '\\' {
			plain = false
			c.at++
		}
	}
	if c.at >= len(c.in) {
		return dst, false
	}
	c.at++
	raw := c.in[start+1 : c.at-1]
	if !plain || !utf8.Valid(raw) {
		var s string
		if json.Unmarshal(c.in[start:c.at], &s) != nil {
			return dst, false
		}
		raw = []byte(s)
	}
	return appendText(dst, '"', raw), true
}

func (c *jsonCanon) list(dst []byte, depth int) ([]byte, bool) {
	c.at++
	dst = append(dst, '[')
	if c.take(']') {
		return append(dst, ']'), true
	}
	for {
		var ok bool
		if dst, ok = c.value(dst, depth+1); !ok {
			return dst, false
		}
		if c.take(']') {
			return append(dst, ']'), true
		}
		if !c.take(',') {
			return dst, false
		}
	}
}

// object sorts the members by their bytes.
func (c *jsonCanon) object(dst []byte, depth int) ([]byte, bool) {
	c.at++
	dst = append(dst, '{')
	if c.take('}') {
		return append(dst, '}'), true
	}
	from := len(dst)
	var ends []int
	for {
		c.blanks()
		if c.at == len(c.in) || c.in[c.at] != '"' {
			return dst, false
		}
		var ok bool
		if dst, ok = c.text(dst); !ok || !c.take(':') {
			return dst, false
		}
		if dst, ok = c.value(dst, depth+1); !ok {
			return dst, false
		}
		ends = append(ends, len(dst)-from)
		if c.take('}') {
			break
		}
		if !c.take(',') {
			return dst, false
		}
	}
	sortRuns(dst[from:], ends)
	return append(dst, '}'), true
}

// sortRuns sorts the runs that end at ends.
func sortRuns(b []byte, ends []int) {
	if len(ends) < 2 {
		return
	}
	copied, start := bytes.Clone(b), 0
	runs := make([][]byte, len(ends))
	for i, end := range ends {
		runs[i], start = copied[start:end], end
	}
	slices.SortFunc(runs, bytes.Compare)
	for _, r := range runs {
		b = b[copy(b, r):]
	}
}

// number is sign, digits without zeros at their ends, and the exponent that goes with them.
func (c *jsonCanon) number(dst []byte) ([]byte, bool) {
	start := c.at
	for c.at < len(c.in) && bytes.IndexByte([]byte("+-.0123456789eE"), c.in[c.at]) >= 0 {
		c.at++
	}
	text := c.in[start:c.at]
	mantissa, exp := text, int64(0)
	if i := bytes.IndexAny(text, "eE"); i >= 0 {
		var err error
		mantissa = text[:i]
		if exp, err = strconv.ParseInt(string(text[i+1:]), 10, 32); err != nil {
			return appendText(dst, '#', text), len(text) > i+1 && i > 0 // beyond what any number means
		}
	}
	mantissa, negative := bytes.CutPrefix(mantissa, []byte("-"))
	dst = append(dst, '0')
	mark, from := len(dst)-1, len(dst)
	for i, b := range mantissa {
		if b == '.' {
			exp -= int64(len(mantissa) - i - 1)
		} else if b < '0' || b > '9' {
			return dst, false
		} else if len(dst) > from || b != '0' {
			dst = append(dst, b)
		}
	}
	if len(mantissa) == 0 {
		return dst, false
	}
	digits := bytes.TrimRight(dst[from:], "0")
	exp += int64(len(dst) - from - len(digits))
	dst = dst[:from+len(digits)]
	if len(digits) == 0 {
		return append(dst, 0), true
	}
	if dst[mark] = '1'; negative {
		dst[mark] = '2'
	}
	return binary.AppendVarint(append(dst, 0), exp), true
}
