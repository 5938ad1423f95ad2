package scan

import (
	"bytes"
	"strings"
)

// IgnoreName is the name of the files that hold ignore rules.
const IgnoreName = ".tarnignore"

// maxIgnoreFile bounds an ignore file, in bytes.
const maxIgnoreFile = 16 << 20

// Ignore is the rules of one ignore file and of those above it, with the meaning of gitignore(5): the last rule that matches
// decides, deeper files before higher ones. Matching is always case-sensitive. An Ignore never changes, so many goroutines
// may use it; nil is the empty set of rules.
type Ignore struct {
	up    *Ignore
	base  string // directory of the file, relative to the repository root: "" or "a/b/"
	rules []rule
}

// Rule says which line of which file decided.
type Rule struct {
	File    string // relative to the repository root, with '/'
	Line    int    // from 1
	Pattern string // as it stands in the file, less trailing spaces
	Negated bool   // starts with '!': what it matches is kept
}

type rule struct {
	text    string
	line    int
	negated bool
	dirOnly bool // matches directories only
	byName  bool // matches the last name of a path, at any depth
	glob    glob
}

// Add returns rules with those of one more file, which stands in the directory dir (relative to the repository root, with
// '/'; empty: the root itself). dir must be below the directory of the file that was added last.
func (g *Ignore) Add(dir string, text []byte) *Ignore {
	rules := parseRules(text)
	if len(rules) == 0 {
		return g
	}
	base := ""
	if dir != "" {
		base = dir + "/"
	}
	return &Ignore{up: g, base: base, rules: rules}
}

// Ignored says whether the rules exclude path (relative to the repository root, with '/'). It looks at path alone: what is
// below an ignored directory is ignored too, which is for the caller to know, because it never looks in there.
func (g *Ignore) Ignored(path string, isDir bool) bool {
	_, r := g.find(path, isDir)
	return r != nil && !r.negated
}

// Decide returns the rule that decides about path, if there is one. Like Ignored it looks at path alone.
func (g *Ignore) Decide(path string, isDir bool) (Rule, bool) {
	at, r := g.find(path, isDir)
	if r == nil {
		return Rule{}, false
	}
	return Rule{File: at.base + IgnoreName, Line: r.line, Pattern: r.text, Negated: r.negated}, true
}

func (g *Ignore) find(path string, isDir bool) (*Ignore, *rule) {
	name := path[strings.LastIndexByte(path, '/')+1:]
	for ; g != nil; g = g.up {
		if len(path) <= len(g.base) || path[:len(g.base)] != g.base {
			continue
		}
		below := path[len(g.base):]
		for i := len(g.rules) - 1; i >= 0; i-- {
			if g.rules[i].matches(below, name, isDir) {
				return g, &g.rules[i]
			}
		}
	}
	return nil, nil
}

func (r *rule) matches(path, name string, isDir bool) bool {
	switch {
	case r.dirOnly && !isDir:
		return false
	case r.byName:
		return r.glob.match(name)
	}
	return r.glob.match(path)
}

// parseRules reads an ignore file. Every text is valid: what makes no sense as a pattern matches nothing, as in Git.
func parseRules(text []byte) []rule {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	var rules []rule
	for n := 1; len(text) > 0; n++ {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte{'\n'})
		if r, ok := parseRule(cleanLine(line)); ok {
			r.line = n
			rules = append(rules, r)
		}
	}
	return rules
}

// cleanLine cuts what Git does not take for a part of the pattern: one CR before the LF, all from a NUL on, trailing spaces.
func cleanLine(line []byte) string {
	if len(line) > 0 && line[0] == '#' {
		return ""
	}
	line = bytes.TrimSuffix(line, []byte{'\r'})
	line, _, _ = bytes.Cut(line, []byte{0})
	return string(trimSpaces(line))
}

// trimSpaces cuts the spaces at the end, but not one that a backslash protects. A line that ends in an open backslash is left alone.
func trimSpaces(line []byte) []byte {
	end := 0
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case ' ':
			continue
		case '\\':
			if i++; i == len(line) {
				return line
			}
		}
		end = i + 1
	}
	return line[:end]
}

func parseRule(text string) (rule, bool) {
	r := rule{text: text}
	pattern, negated := strings.CutPrefix(text, "!")
	r.negated = negated
	pattern, r.dirOnly = strings.CutSuffix(pattern, "/")
	if pattern == "" {
		return rule{}, false
	}
	r.byName = !strings.Contains(pattern, "/")
	if r.byName {
		r.glob = compileName(pattern)
	} else {
		r.glob = compilePath(strings.TrimPrefix(pattern, "/"))
	}
	return r, true
}
