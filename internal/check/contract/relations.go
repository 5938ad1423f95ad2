package contract

import (
	"fmt"
	"slices"
	"strings"
)

// relations reads the relationships of properties and objects, once all objects are known.
func (l *loader) relations(n *node) {
	for i, on := range n.get("schema").items() {
		o := l.c.Objects[i]
		for _, r := range on.get("relationships").items() {
			if from, cols, ok := l.refer(r, r.get("from")); ok {
				l.relation(from, cols, r)
			}
		}
		for _, p := range on.get("properties").items() {
			if c := l.made[p]; c != nil {
				for _, r := range p.get("relationships").items() {
					l.relation(o, []string{c.Name}, r)
				}
			}
		}
	}
}

func (l *loader) relation(o *Object, from []string, n *node) {
	target, cols, ok := l.refer(n, n.get("to"))
	if !ok {
		return
	}
	if len(from) != len(cols) {
		l.fail(n, "relationship: %d columns point to %d", len(from), len(cols))
		return
	}
	l.add(n, &Check{Kind: ForeignKey, Object: o, Columns: from, Code: "foreign-key", Severity: Failure, Ref: &Reference{Object: target.Name, Columns: cols},
		Text: fmt.Sprintf("%s is in %s", strings.Join(from, ", "), target.Name+"."+strings.Join(cols, ", "+target.Name+"."))})
}

// refer is the object, and its columns by the names of the data, that "from" or "to" of the relationship n names. What is in another contract is not run.
func (l *loader) refer(n, refs *node) (o *Object, cols []string, ok bool) {
	nodes := []*node{refs}
	if refs.kind == 'l' {
		nodes = refs.list
	}
	for _, r := range nodes {
		ref := r.str()
		if strings.Contains(ref, "#") {
			l.notRun(n, "relationship with another contract, "+ref)
			return nil, nil, false
		}
		to, c := l.element(n, r)
		switch {
		case c == nil:
			return nil, nil, false
		case o != nil && o != to:
			l.fail(r, "relationship: %q is not in the object of the others", ref)
			return nil, nil, false
		}
		o, cols = to, append(cols, c.Name)
	}
	return o, cols, true
}

// element is what OBJECT.COLUMN, or [/]schema/ID/properties/ID, names in this contract; nil if there was a reason to say something else.
func (l *loader) element(n, r *node) (*Object, *Column) {
	ref := r.str()
	schema := l.root.get("schema").items()
	if name, col, ok := strings.Cut(ref, "."); ok && !strings.Contains(ref, "/") {
		i := slices.IndexFunc(l.c.Objects, func(o *Object) bool { return o.Name == name })
		if i < 0 {
			l.fail(r, "relationship: the contract has no object %q; what another contract has is named by its file, as other.yaml#/schema/ID/properties/ID", name)
			return nil, nil
		}
		o := l.c.Objects[i]
		c := l.find(o, col)
		if c == nil {
			l.fail(r, "relationship: %s has no column %q", o.Name, col)
		}
		return o, c
	}
	parts := strings.Split(strings.TrimPrefix(ref, "/"), "/")
	if len(parts) < 4 || parts[0] != "schema" || parts[2] != "properties" {
		l.fail(r, "relationship: %q is neither OBJECT.COLUMN nor schema/ID/properties/ID", ref)
		return nil, nil
	}
	i := byID(schema, parts[1])
	if i < 0 {
		l.fail(r, "relationship: the contract has no object with the id %q", parts[1])
		return nil, nil
	}
	props := schema[i].get("properties").items()
	j := byID(props, parts[3])
	if j < 0 {
		l.fail(r, "relationship: %s has no column with the id %q", l.c.Objects[i].Name, parts[3])
		return nil, nil
	}
	if len(parts) > 4 {
		l.notRun(n, "relationship with a nested property, "+ref)
		return nil, nil
	}
	return l.c.Objects[i], l.made[props[j]]
}

func byID(ns []*node, id string) int {
	return slices.IndexFunc(ns, func(n *node) bool { return n.get("id").str() == id })
}
