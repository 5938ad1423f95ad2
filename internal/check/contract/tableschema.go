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
	name := n.get("name").str()
	if name == "" {
		name = strings.TrimSuffix(strings.TrimSuffix(path.Base(strings.ReplaceAll(l.c.File, `\`, "/")), ".json"), ".schema")
	}
	o := &Object{Name: name, Description: n.get("description").str(), Match: Exact, Missing: []string{""}, Line: n.line, Col: n.col}
	l.c.Form, l.c.Name, l.c.Version, l.c.Objects = TableSchema, name, n.get("version").str(), []*Object{o}
	for _, k := range n.keys {
		switch k.name {
		case "fields", "primaryKey", "uniqueKeys", "foreignKeys":
		case "missingValues":
			o.Missing = missingTexts(k.node)
		case "fieldsMatch":
			if k.kind == 'l' && len(k.list) == 1 { // a draft of v2 had it so
				k.node = k.list[0]
			}
			l.match(o, k.node)
		default:
			if !slices.Contains(schemaWords, k.name) {
				l.errs = append(l.errs, &Error{l.c.File, k.line, k.col, fmt.Sprintf("unknown key %q of a Table Schema", k.name)})
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

// missingTexts are the texts of missingValues; v2 also allows {value, label}.
func missingTexts(n *node) []string {
	texts := []string{}
	for _, v := range n.items() {
		if v.kind == 'm' {
			v = v.get("value")
		}
		texts = append(texts, v.str())
	}
	return texts
}

func (l *loader) field(o *Object, n *node) {
	name := n.get("name").str()
	if n.kind != 'm' || name == "" {
		l.fail(n, "a field has a name")
		return
	}
	if o.Column(name) != nil {
		l.fail(n, "the field %q stands here twice", name)
		return
	}
	c := &Column{Name: name, Description: n.get("description").str(), Line: n.line, Col: n.col}
	o.Columns = append(o.Columns, c)
	var categories *node
	for _, k := range n.keys {
		switch k.name {
		case "name", "constraints", "categoriesOrdered":
		case "type":
			t, ok := cell.TypeOf(k.node.str())
			if !ok {
				l.fail(k.node, "unknown type %q", k.node.str())
			}
			c.Spec.Type = t
		case "format":
			c.Spec.Format = k.node.str()
		case "decimalChar":
			c.Spec.DecimalChar = k.node.str()
		case "groupChar":
			c.Spec.GroupChar = k.node.str()
		case "bareNumber":
			c.Spec.LooseNumber = !k.node.bool()
		case "trueValues":
			c.Spec.True = k.node.strs()
		case "falseValues":
			c.Spec.False = k.node.strs()
		case "delimiter":
			c.Spec.Delimiter = k.node.str()
		case "itemType":
			c.Spec.ItemType = k.node.str()
		case "missingValues":
			c.Missing = missingTexts(k.node)
		case "categories":
			categories = k.node
		default:
			if !slices.Contains(fieldWords, k.name) {
				l.errs = append(l.errs, &Error{l.c.File, k.line, k.col, fmt.Sprintf("unknown key %q of a field", k.name)})
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
		for _, v := range categories.items() {
			if v.kind == 'm' {
				v = v.get("value")
			}
			values = append(values, v.str())
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
			if k.node.bool() {
				l.add(k.node, &Check{Kind: Required, Object: o, Columns: []string{c.Name}, Code: "constraint-error", Severity: Failure, Text: c.Name + " is there"})
			}
		case "unique":
			if k.node.bool() {
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
		if o.PrimaryKey = p.strs(); l.haveColumns(p, o, o.PrimaryKey, "primaryKey") {
			l.add(p, &Check{Kind: PrimaryKey, Object: o, Columns: o.PrimaryKey, Code: "primary-key", Severity: Failure, Text: strings.Join(o.PrimaryKey, ", ") + " identify a row"})
		}
	}
	for _, u := range n.get("uniqueKeys").items() {
		if names := u.strs(); l.haveColumns(u, o, names, "uniqueKeys") {
			l.add(u, &Check{Kind: Unique, Object: o, Columns: names, Code: "unique-error", Severity: Failure, Text: strings.Join(names, ", ") + " are unique together"})
		}
	}
	for _, f := range n.get("foreignKeys").items() {
		l.schemaReference(o, f)
	}
}

// schemaReference reads a foreign key; its resource "" is the table itself, another one a file beside it.
func (l *loader) schemaReference(o *Object, n *node) {
	r := n.get("reference")
	from := n.get("fields").strs()
	if r == nil || r.get("fields") == nil {
		l.fail(n, "a foreign key has fields and a reference with fields")
		return
	}
	ref := &Reference{Columns: r.get("fields").strs(), Files: r.get("resource").str()}
	if ref.Files == "" {
		ref.Object = o.Name
		if !l.haveColumns(r, o, ref.Columns, "foreignKeys") {
			return
		}
	}
	if !l.haveColumns(n, o, from, "foreignKeys") {
		return
	}
	if len(from) != len(ref.Columns) {
		l.fail(n, "%d fields point to %d", len(from), len(ref.Columns))
		return
	}
	l.add(n, &Check{Kind: ForeignKey, Object: o, Columns: from, Code: "foreign-key", Severity: Failure, Ref: ref,
		Text: fmt.Sprintf("%s is in %s", strings.Join(from, ", "), strings.Join(ref.Columns, ", "))})
}
