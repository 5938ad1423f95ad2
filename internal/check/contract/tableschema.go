package contract

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"tarn/internal/check/cell"
)

// Keys of a Table Schema that say something to people only.
var (
	schemaWords = []string{"$schema", "name", "title", "description", "homepage", "version", "created", "contributors", "keywords", "licenses", "sources", "image", "path"}
	fieldWords  = []string{"title", "description", "example", "examples", "rdfType"}
)

// tableSchema reads a Table Schema of Frictionless v2; one of v1 is one, too.
func (l *loader) tableSchema(n *node) {
	name := l.text(n.get("name"), "name")
	if name == "" {
		name = strings.TrimSuffix(strings.TrimSuffix(path.Base(strings.ReplaceAll(l.c.File, `\`, "/")), ".json"), ".schema")
	}
	o := &Object{Name: name, Description: n.get("description").str(), Match: Exact, Missing: []string{""}, Line: n.line, Col: n.col}
	l.c.Form, l.c.Name, l.c.Version, l.c.Objects = TableSchema, name, n.get("version").str(), []*Object{o}
	for _, k := range n.keys {
		switch k.name {
		case "fields", "primaryKey", "uniqueKeys", "foreignKeys":
		case "missingValues":
			o.Missing = l.missing(k.node, k.name)
		case "fieldsMatch":
			if k.kind == 'l' && len(k.list) == 1 { // a draft of v2 had it so
				k.node = k.list[0]
			}
			l.match(o, k.node)
		default:
			if !slices.Contains(schemaWords, k.name) {
				l.unknown(k, "a Table Schema")
			}
		}
	}
	fields := n.get("fields")
	if fields.kind != 'l' || len(fields.list) == 0 {
		l.fail(fields, "fields is a list of at least one field")
		return
	}
	l.tableChecks(o, n)
	for _, f := range fields.list {
		l.field(o, f)
	}
	l.schemaKeys(o, n)
}

func (l *loader) field(o *Object, n *node) {
	if n.kind != 'm' || n.get("name") == nil || n.get("name").value == "" {
		l.fail(n, "a field has a name")
		return
	}
	name := l.text(n.get("name"), "the name of a field")
	c := &Column{Name: name, Description: n.get("description").str(), Line: n.line, Col: n.col}
	if !l.take(o, c, n) {
		return
	}
	var categories *node
	for _, k := range n.keys {
		switch k.name {
		case "name", "constraints":
		case "categoriesOrdered":
			l.flag(k.node, k.name)
		case "type":
			t, ok := cell.TypeOf(k.node.str())
			if !ok {
				l.fail(k.node, "unknown type %s", k.node.shown())
			}
			c.Spec.Type = t
		case "format":
			c.Spec.Format = l.text(k.node, k.name)
		case "decimalChar":
			c.Spec.DecimalChar = l.text(k.node, k.name)
		case "groupChar":
			c.Spec.GroupChar = l.text(k.node, k.name)
		case "bareNumber":
			c.Spec.LooseNumber = !l.flag(k.node, k.name)
		case "trueValues":
			c.Spec.True = l.values(k.node, k.name)
		case "falseValues":
			c.Spec.False = l.values(k.node, k.name)
		case "delimiter":
			c.Spec.Delimiter = l.text(k.node, k.name)
		case "itemType":
			c.Spec.ItemType = l.text(k.node, k.name)
		case "missingValues":
			c.Missing = l.missing(k.node, k.name)
		case "categories":
			categories = k.node
		default:
			if !slices.Contains(fieldWords, k.name) {
				l.unknown(k, "a field")
			}
		}
	}
	if n.get("type") == nil {
		c.Spec.Type = cell.Any
	}
	if err := c.Spec.Prepare(); err != nil {
		l.fail(n, "%v", err)
	}
	l.typeCheck(o, c, n)
	l.fieldConstraints(o, c, n.get("constraints"))
	if categories != nil {
		values := []string{}
		for _, v := range l.elements(categories, "categories", "values", 1) {
			values = append(values, l.value(l.labelled(v, "categories"), "categories"))
		}
		l.add(categories, &Check{Kind: Enum, Object: o, Columns: []string{name}, Code: "constraint-error", Severity: Failure, Values: values, Text: fmt.Sprintf("%s is one of %s", name, short(values))})
	}
}

func (l *loader) fieldConstraints(o *Object, c *Column, n *node) {
	if n == nil {
		return
	}
	if n.kind != 'm' {
		l.fail(n, "constraints is a mapping")
		return
	}
	for _, k := range n.keys {
		switch k.name {
		case "required":
			if l.flag(k.node, k.name) {
				l.add(k.node, &Check{Kind: Required, Object: o, Columns: []string{c.Name}, Code: "constraint-error", Severity: Failure, Text: c.Name + " is there"})
			}
		case "unique":
			if l.flag(k.node, k.name) {
				l.add(k.node, &Check{Kind: Unique, Object: o, Columns: []string{c.Name}, Code: "unique-error", Severity: Failure, Text: c.Name + " is unique"})
			}
		case "format", "timezone", "defaultTimezone", "multipleOf":
			l.fail(k.node, "unknown constraint %q", k.name)
		}
	}
	l.constraints(o, c, n)
}

func (l *loader) schemaKeys(o *Object, n *node) {
	if p := n.get("primaryKey"); p != nil {
		if names := l.names(p, "primaryKey"); names != nil {
			var ok bool
			if o.PrimaryKey, ok = l.columns(p, o, names, "primaryKey"); ok {
				l.add(p, &Check{Kind: PrimaryKey, Object: o, Columns: o.PrimaryKey, Code: "primary-key", Severity: Failure, Text: strings.Join(o.PrimaryKey, ", ") + " identify a row"})
			}
		}
	}
	for _, u := range l.elements(n.get("uniqueKeys"), "uniqueKeys", "lists of names", 0) {
		l.elements(u, "a key of uniqueKeys", "names", 1)
		if u.kind != 'l' || len(u.list) == 0 {
			continue
		}
		names := l.names(u, "uniqueKeys")
		if names == nil {
			continue
		}
		if names, ok := l.columns(u, o, names, "uniqueKeys"); ok {
			l.add(u, &Check{Kind: Unique, Object: o, Columns: names, Code: "unique-error", Severity: Failure, Text: strings.Join(names, ", ") + " are unique together"})
		}
	}
	for _, f := range l.elements(n.get("foreignKeys"), "foreignKeys", "foreign keys", 0) {
		l.schemaReference(o, f)
	}
}

// schemaReference reads a foreign key; its resource "" is the table itself, another one a file beside it.
func (l *loader) schemaReference(o *Object, n *node) {
	r := n.get("reference")
	if n.get("fields") == nil || r == nil || r.get("fields") == nil {
		l.fail(n, "a foreign key has fields and a reference with fields")
		return
	}
	l.only(n, "a foreign key", "fields", "reference")
	l.only(r, "a reference", "resource", "fields")
	from := l.names(n.get("fields"), "fields")
	ref := &Reference{Columns: l.names(r.get("fields"), "fields"), Files: l.text(r.get("resource"), "resource")}
	if from == nil || ref.Columns == nil {
		return
	}
	if ref.Files == "" {
		ref.Object = o.Name
		if _, ok := l.columns(r, o, ref.Columns, "foreignKeys"); !ok {
			return
		}
	}
	if _, ok := l.columns(n, o, from, "foreignKeys"); !ok {
		return
	}
	if len(from) != len(ref.Columns) {
		l.fail(n, "%d fields point to %d", len(from), len(ref.Columns))
		return
	}
	l.add(n, &Check{Kind: ForeignKey, Object: o, Columns: from, Code: "foreign-key", Severity: Failure, Ref: ref,
		Text: fmt.Sprintf("%s is in %s", strings.Join(from, ", "), strings.Join(ref.Columns, ", "))})
}
