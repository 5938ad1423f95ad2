package contract

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Glob matches paths with "/": * and ? stay within one element, ** goes over many, [a-z] and {a,b} are alternatives. A pattern that names a
// directory matches all below it.
type Glob struct {
	text string
	re   *regexp.Regexp
}

// NewGlob compiles a pattern.
func NewGlob(p string) (Glob, error) {
	var b strings.Builder
	b.WriteString(`\A(?:`)
	depth := 0
	text := strings.TrimSuffix(p, "/")
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case strings.HasPrefix(text[i:], "**/"):
			b.WriteString(`(?:[^/]+/)*`)
			i += 2
		case strings.HasPrefix(text[i:], "**"):
			b.WriteString(`.*`)
			i++
		case c == '*':
			b.WriteString(`[^/]*`)
		case c == '?':
			b.WriteString(`[^/]`)
		case c == '[':
			end := strings.IndexByte(text[i+1:], ']')
			if end < 1 {
				return Glob{}, fmt.Errorf("glob %q: [ without ]", p)
			}
			set := text[i+1 : i+1+end]
			if set[0] == '!' {
				set = "^" + set[1:]
			}
			b.WriteString("[" + strings.ReplaceAll(set, `\`, `\\`) + "]")
			i += end + 1
		case c == '{':
			depth++
			b.WriteString("(?:")
		case c == '}' && depth > 0:
			depth--
			b.WriteByte(')')
		case c == ',' && depth > 0:
			b.WriteByte('|')
		default:
			_, n := utf8.DecodeRuneInString(text[i:])
			b.WriteString(regexp.QuoteMeta(text[i : i+n]))
			i += n - 1
		}
	}
	if depth > 0 {
		return Glob{}, fmt.Errorf("glob %q: { without }", p)
	}
	b.WriteString(`)(?:/.*)?\z`)
	re, err := regexp.Compile("(?s)" + b.String())
	if err != nil {
		return Glob{}, fmt.Errorf("glob %q: %w", p, err)
	}
	return Glob{p, re}, nil
}

// Match says whether the pattern matches a path, or a directory above it.
func (g Glob) Match(path string) bool { return g.re == nil || g.re.MatchString(path) }

// String is the pattern.
func (g Glob) String() string { return g.text }

// Literal says that a pattern is the name of one file.
func (g Glob) Literal() bool { return g.re != nil && !strings.ContainsAny(g.text, "*?[{") }

// Everything says that no pattern was given: each path matches.
func (g Glob) Everything() bool { return g.re == nil }
