package decode

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Values as Python writes them: texts, whole numbers, True and False are string, uint64 and bool; None is nil.
type (
	pyDict  map[string]any
	pyList  []any
	pyTuple []any
)

// String is how Python writes it.
func (t pyTuple) String() string {
	var b strings.Builder
	for i, v := range t {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, v)
	}
	if len(t) == 1 {
		b.WriteString(",")
	}
	return "(" + b.String() + ")"
}

// pyDepth is how deep values may be nested.
const pyDepth = 100

var errPython = errors.New("it can't be read")

// pyParse reads one value, as much of Python's syntax as headers of NumPy have.
func pyParse(s string) (any, error) {
	p := pyParser{s: s}
	v, err := p.value(pyDepth)
	if p.next(); err == nil && p.s != "" {
		err = errPython
	}
	return v, err
}

type pyParser struct{ s string }

// next is the byte after white space, 0 at the end.
func (p *pyParser) next() byte {
	if p.s = strings.TrimLeft(p.s, " \t\r\n"); p.s == "" {
		return 0
	}
	return p.s[0]
}

// take goes over a byte that may come next.
func (p *pyParser) take(c byte) bool {
	if p.next() != c {
		return false
	}
	p.s = p.s[1:]
	return true
}

func (p *pyParser) value(depth int) (any, error) {
	if depth == 0 {
		return nil, errPython
	}
	for word, v := range map[string]any{"True": true, "False": false, "None": nil} {
		if p.next() == word[0] && strings.HasPrefix(p.s, word) {
			p.s = p.s[len(word):]
			return v, nil
		}
	}
	switch c := p.next(); {
	case c == '{':
		return p.dict(depth)
	case c == '[':
		l, _, err := p.items(']', depth)
		return pyList(l), err
	case c == '(':
		l, comma, err := p.items(')', depth)
		if len(l) == 1 && !comma {
			return l[0], err
		}
		return pyTuple(l), err
	case '0' <= c && c <= '9':
		return p.number()
	}
	return p.text()
}

// items are those up to a bracket; comma says that one stands behind the last.
func (p *pyParser) items(end byte, depth int) (l []any, comma bool, err error) {
	p.s = p.s[1:]
	for !p.take(end) {
		if len(l) > 0 && !comma {
			return nil, false, errPython
		}
		v, err := p.value(depth - 1)
		if err != nil {
			return nil, false, err
		}
		l, comma = append(l, v), p.take(',')
	}
	return l, comma, nil
}

func (p *pyParser) dict(depth int) (any, error) {
	d := pyDict{}
	p.s = p.s[1:]
	for comma := true; !p.take('}'); comma = p.take(',') {
		if !comma {
			return nil, errPython
		}
		k, err := p.text()
		if err != nil || !p.take(':') {
			return nil, errPython
		}
		if d[k], err = p.value(depth - 1); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// number is a whole number; Python 2 wrote some with an L.
func (p *pyParser) number() (any, error) {
	end := 0
	for end < len(p.s) && '0' <= p.s[end] && p.s[end] <= '9' {
		end++
	}
	n, err := strconv.ParseUint(p.s[:end], 10, 64)
	p.s = strings.TrimPrefix(p.s[end:], "L")
	if err != nil {
		return nil, errPython
	}
	return n, nil
}

// text is a text in quotes. What a backslash stands for is left as it is: no name is looked at.
func (p *pyParser) text() (string, error) {
	if c := p.next(); c == 'u' || c == 'b' {
		p.s = p.s[1:]
	}
	quote := p.next()
	if quote != '\'' && quote != '"' {
		return "", errPython
	}
	for i := 1; i < len(p.s); i++ {
		switch p.s[i] {
		case '\\':
			i++
		case quote:
			s := p.s[1:i]
			p.s = p.s[i+1:]
			return s, nil
		}
	}
	return "", errPython
}
