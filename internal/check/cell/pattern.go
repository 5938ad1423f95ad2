package cell

import (
	"fmt"
	"regexp"
	"time"

	"github.com/dlclark/regexp2"
)

// Pattern matches whole values. It takes Go's syntax (RE2), and where that has no such construct (look-around, back references) the one of
// ECMAScript, with a limit on the time of a match.
type Pattern struct {
	text string
	line *straight
	dfa  *dfa
	re   *regexp.Regexp
	ecma *regexp2.Regexp
}

// matchTimeout ends a match of a pattern that backtracks without end.
const matchTimeout = 200 * time.Millisecond

// NewPattern compiles a pattern; it matches as ^(?:p)$, so that "ab|cd" does not accept "abx".
func NewPattern(p string) (*Pattern, error) {
	// By itself first: "a)|(b" is none, and would be one between the parentheses.
	_, err := regexp.Compile(p)
	if err == nil {
		whole := `\A(?:` + p + `)\z`
		var re *regexp.Regexp
		if re, err = regexp.Compile(whole); err == nil {
			made := &Pattern{text: p, re: re, dfa: newDFA(whole)}
			if made.dfa != nil {
				made.line = made.dfa.straight()
			}
			return made, nil
		}
	}
	if _, eerr := regexp2.Compile(p, regexp2.ECMAScript); eerr != nil {
		return nil, fmt.Errorf("pattern %q: %w", p, err)
	}
	ecma, eerr := regexp2.Compile(`^(?:`+p+`)$`, regexp2.ECMAScript)
	if eerr != nil {
		return nil, fmt.Errorf("pattern %q: %w", p, err)
	}
	ecma.MatchTimeout = matchTimeout
	return &Pattern{text: p, ecma: ecma}, nil
}

func (p *Pattern) String() string { return p.text }

// Match says whether all of b is matched. An error says that the match took too long.
func (p *Pattern) Match(b []byte) (bool, error) {
	if p.line != nil && p.line.match(b) {
		return true, nil
	}
	if p.dfa != nil {
		if ok, known := p.dfa.match(b); known {
			return ok, nil
		}
	}
	if p.re != nil {
		return p.re.Match(b), nil
	}
	ok, err := p.ecma.MatchString(string(b))
	if err != nil {
		return false, fmt.Errorf("pattern %q took longer than %v on a value of %d bytes", p.text, matchTimeout, len(b))
	}
	return ok, nil
}
