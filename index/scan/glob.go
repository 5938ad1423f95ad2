package scan

import "strings"

// A glob is a compiled pattern: a literal beginning, then tokens. Matching takes at most time pattern × text², whatever the
// pattern: it goes back to the last '*' and the last '**' only, which is enough, because what an earlier star could take
// besides, the later one of the same sort can take too.
type glob struct {
	head   string  // text that must come first
	tail   string  // if suffix: text that must come last, after anything
	suffix bool    // "*tail" over one name, by far the commonest pattern
	never  bool    // malformed: matches nothing
	rest   []token // after head
}

type op uint8

const (
	opByte op = iota // one byte, c
	opAny            // one byte, not '/'
	opSet            // one byte of set, not '/'
	opStar           // any bytes, none of them '/'
	opDeep           // any bytes
	opDirs           // nothing, or any bytes and a '/'
)

type token struct {
	op  op
	c   byte
	set *byteSet
}

type byteSet [256]bool

const globSpecial = `*?[\`

// compileName compiles a pattern without '/', to be matched with one name.
func compileName(pattern string) glob {
	if tail, ok := strings.CutPrefix(pattern, "*"); ok && !strings.ContainsAny(tail, globSpecial) {
		return glob{tail: tail, suffix: true}
	}
	return compilePath(pattern) // "**" crosses no '/' in a text that has none
}

// compilePath compiles a pattern that is matched with a path. Whether "**" stands at the start of a name is judged from the
// first special character on, so that in "a**/b" it does: Git compares the literal beginning first, and forgets it.
func compilePath(pattern string) glob {
	n := strings.IndexAny(pattern, globSpecial)
	if n < 0 {
		return glob{head: pattern}
	}
	g := glob{head: pattern[:n]}
	g.rest, g.never = compileTokens(pattern[n:])
	return g
}

func compileTokens(p string) (tokens []token, never bool) {
	for i := 0; i < len(p); {
		var t token
		switch p[i] {
		case '\\':
			if i+1 == len(p) {
				return nil, true
			}
			t, i = token{op: opByte, c: p[i+1]}, i+2
		case '?':
			t, i = token{op: opAny}, i+1
		case '*':
			t.op, i = compileStar(p, i)
		case '[':
			set, n := compileSet(p[i+1:])
			if set == nil {
				return nil, true
			}
			t, i = token{op: opSet, set: set}, i+1+n
		default:
			t, i = token{op: opByte, c: p[i]}, i+1
		}
		tokens = append(tokens, t)
	}
	return tokens, false
}

// compileStar reads a run of stars at i: two or more that make up a whole name cross '/', all others don't.
func compileStar(p string, i int) (op, int) {
	end := i
	for end < len(p) && p[end] == '*' {
		end++
	}
	after := p[end:]
	switch {
	case end-i < 2 || i > 0 && p[i-1] != '/':
		return opStar, end
	case strings.HasPrefix(after, "/"):
		return opDirs, end + 1
	case after == "" || strings.HasPrefix(after, `\/`):
		return opDeep, end
	}
	return opStar, end
}

func (g *glob) match(s string) bool {
	switch {
	case g.never:
		return false
	case g.suffix:
		return strings.HasSuffix(s, g.tail)
	case len(s) < len(g.head) || s[:len(g.head)] != g.head:
		return false
	case g.rest == nil:
		return len(s) == len(g.head)
	}
	return matchTokens(g.rest, s[len(g.head):])
}

// A retry is where to go on after a mismatch: at token p, with one byte more given to the star before it.
type retry struct {
	p, i int // p is 0 if there was no star
}

func matchTokens(tokens []token, s string) bool {
	var star, deep retry
	for p, i := 0, 0; p < len(tokens) || i < len(s); {
		if p < len(tokens) {
			switch t := &tokens[p]; t.op {
			case opStar:
				p++
				star = retry{p, i}
				continue
			case opDeep, opDirs:
				p++
				star, deep = retry{}, retry{p, i}
				continue
			default:
				if i < len(s) && t.takes(s[i]) {
					p, i = p+1, i+1
					continue
				}
			}
		}
		switch {
		case star.widen(s):
			p, i = star.p, star.i
		case deep.widenDeep(s, tokens):
			star = retry{}
			p, i = deep.p, deep.i
		default:
			return false
		}
	}
	return true
}

// widen gives a '*' one byte more; it never takes a '/'.
func (r *retry) widen(s string) bool {
	if r.p == 0 || r.i == len(s) || s[r.i] == '/' {
		return false
	}
	r.i++
	return true
}

// widenDeep gives a "**" one byte more, and a "**/" all up to the end of the next directory's name.
func (r *retry) widenDeep(s string, tokens []token) bool {
	if r.p == 0 || r.i == len(s) {
		return false
	}
	n := 1
	if tokens[r.p-1].op == opDirs {
		n = strings.IndexByte(s[r.i:], '/') + 1
	}
	r.i += n
	return n > 0
}

func (t *token) takes(c byte) bool {
	switch t.op {
	case opByte:
		return c == t.c
	case opAny:
		return c != '/'
	}
	return t.set[c]
}
