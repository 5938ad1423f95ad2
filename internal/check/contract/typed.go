package contract

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// The accessors below are for what no JSON Schema has looked at. A key that is not there has the zero value; a value of a wrong type is an error
// at its place, for a check that is dropped looks like one that passed.

// shown is a value as messages name it.
func (n *node) shown() string {
	switch n.kind {
	case 'm':
		return "a mapping"
	case 'l':
		return "a list"
	}
	switch v := n.value.(type) {
	case nil:
		return "null"
	case string:
		return strconv.Quote(v)
	}
	return n.str()
}

func (l *loader) flag(n *node, what string) bool {
	if n == nil {
		return false
	}
	b, ok := n.value.(bool)
	if !ok {
		l.fail(n, "%s is true or false, not %s", what, n.shown())
	}
	return b
}

func (l *loader) text(n *node, what string) string {
	if n == nil {
		return ""
	}
	s, ok := n.value.(string)
	if !ok {
		l.fail(n, "%s is a text, not %s", what, n.shown())
	}
	return s
}

// whole is a whole number from 0 on.
func (l *loader) whole(n *node, what string) int {
	if n == nil {
		return 0
	}
	f, ok := n.number()
	if !ok || f < 0 || f != math.Trunc(f) || f > math.MaxInt32 {
		l.fail(n, "%s is a whole number from 0 on, not %s", what, n.shown())
		return 0
	}
	return int(f)
}

// elements are those of a list of at least least elements.
func (l *loader) elements(n *node, what, of string, least int) []*node {
	if n == nil {
		return nil
	}
	if n.kind != 'l' {
		l.fail(n, "%s is a list of %s, not %s", what, of, n.shown())
		return nil
	}
	if len(n.list) < least {
		l.fail(n, "%s is a list of %s, and it is empty", what, of)
	}
	return n.list
}

// names are the texts of a list that is not empty, or the one text that may stand in its place; nil after an error.
func (l *loader) names(n *node, what string) []string {
	before := len(l.errs)
	var names []string
	if n != nil && n.kind == 's' {
		names = []string{l.text(n, what)}
	} else {
		for _, e := range l.elements(n, what, "names", 1) {
			names = append(names, l.text(e, "a name of "+what))
		}
	}
	if len(l.errs) > before {
		return nil
	}
	return names
}

// values are the scalars of a list that is not empty, as text.
func (l *loader) values(n *node, what string) []string {
	var values []string
	for _, e := range l.elements(n, what, "values", 1) {
		values = append(values, l.value(e, what))
	}
	return values
}

func (l *loader) value(n *node, what string) string {
	if n.kind != 's' || n.value == nil {
		l.fail(n, "a value of %s is a text, a number or a truth value, not %s", what, n.shown())
	}
	return n.str()
}

// missing are the texts that stand for no value, which Table Schema v2 also writes as {value, label}. Numbers with a fraction are refused, for
// their text is not known any more.
func (l *loader) missing(n *node, what string) []string {
	texts := []string{}
	for _, e := range l.elements(n, what, "texts", 0) {
		e = l.labelled(e, what)
		switch e.value.(type) {
		case string, int64:
		default:
			l.fail(e, "an element of %s is a text, not %s", what, e.shown())
		}
		texts = append(texts, e.str())
	}
	return texts
}

// labelled is the value of {value, label}, or what stands in its place.
func (l *loader) labelled(n *node, what string) *node {
	if n.kind != 'm' {
		return n
	}
	l.only(n, "an element of "+what, "value", "label")
	if v := n.get("value"); v != nil {
		return v
	}
	return n
}

// only refuses keys that are none of the known ones.
func (l *loader) only(n *node, of string, known ...string) {
	for _, k := range n.keys {
		if !slices.Contains(known, k.name) {
			l.unknown(k, of+"; there are "+strings.Join(known, ", "))
		}
	}
}

// unknown tells of a key, at the place of the key.
func (l *loader) unknown(k key, of string) {
	l.errs = append(l.errs, &Error{l.c.File, k.line, k.col, fmt.Sprintf("unknown key %q of %s", k.name, of)})
}
