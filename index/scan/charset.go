package scan

import "strings"

// classes are the names that stand between "[:" and ":]", over ASCII only, as Git has them ("space" has no VT and no FF).
var classes = map[string]func(c byte) bool{
	"alnum":  func(c byte) bool { return isAlpha(c) || isDigit(c) },
	"alpha":  isAlpha,
	"blank":  func(c byte) bool { return c == ' ' || c == '\t' },
	"cntrl":  func(c byte) bool { return c < ' ' || c == 0x7f },
	"digit":  isDigit,
	"graph":  func(c byte) bool { return '!' <= c && c <= '~' },
	"lower":  isLower,
	"print":  func(c byte) bool { return ' ' <= c && c <= '~' },
	"punct":  func(c byte) bool { return '!' <= c && c <= '~' && !isAlpha(c) && !isDigit(c) },
	"space":  func(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' },
	"upper":  isUpper,
	"xdigit": func(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' },
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
func isAlpha(c byte) bool { return isLower(c) || isUpper(c) }

// compileSet reads a set of characters; p starts after its '['. It returns how many bytes of p the set took, the ']'
// included, or a nil set where it is malformed: then the pattern matches nothing.
func compileSet(p string) (*byteSet, int) {
	i, negated := 0, false
	if p != "" && (p[0] == '!' || p[0] == '^') {
		i, negated = 1, true
	}
	set := new(byteSet)
	var last byte // what a range may start with; 0: nothing
	for first := true; ; first = false {
		if i >= len(p) {
			return nil, 0
		}
		if p[i] == ']' && !first {
			break
		}
		if last, i = set.element(p, i, last); i < 0 {
			return nil, 0
		}
	}
	if negated {
		for c := range set {
			set[c] = !set[c]
		}
	}
	set['/'] = false
	return set, i + 1
}

// element adds what stands at p[i]: a character, a range's end after last, or a class. It returns what a range may start
// with after it and where the next element is; a negative place says that the set is malformed.
func (s *byteSet) element(p string, i int, last byte) (byte, int) {
	switch c := p[i]; {
	case c == '-' && last != 0 && i+1 < len(p) && p[i+1] != ']':
		hi, next := literal(p, i+1)
		if next > 0 {
			for c := int(last); c <= int(hi); c++ {
				s[c] = true
			}
		}
		return 0, next
	case c == '[' && i+1 < len(p) && p[i+1] == ':':
		return s.class(p, i)
	}
	c, next := literal(p, i)
	if next > 0 {
		s[c] = true
	}
	return c, next
}

// class adds "[:name:]" at p[i]. What only begins like one is a '['; a name that is not known makes the set malformed.
func (s *byteSet) class(p string, i int) (byte, int) {
	name, _, closed := strings.Cut(p[i+2:], "]")
	if !closed {
		return 0, -1
	}
	next := i + 2 + len(name) + 1
	name, whole := strings.CutSuffix(name, ":")
	if !whole {
		s['['] = true
		return '[', i + 1
	}
	in := classes[name]
	if in == nil {
		return 0, -1
	}
	for c := range s {
		s[c] = s[c] || in(byte(c))
	}
	return 0, next
}

// literal reads one character, behind a backslash or not.
func literal(p string, i int) (byte, int) {
	if p[i] != '\\' {
		return p[i], i + 1
	}
	if i+1 == len(p) {
		return 0, -1
	}
	return p[i+1], i + 2
}
