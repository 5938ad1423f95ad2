package contract

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tarn/internal/check/cell"
)

// Engine is the name under which a contract addresses tarn.
const Engine = "tarn"

// odcs reads a contract of the Open Data Contract Standard.
func (l *loader) odcs(n *node) {
	if !l.validate(n, odcsURL) {
		return
	}
	if v := n.get("apiVersion").str(); !slices.Contains([]string{"v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0"}, v) {
		l.fail(n.get("apiVersion"), "apiVersion %s: this is read as v3.0.0 to v3.1.0", v)
		return
	}
	l.c.Form, l.c.Name, l.c.Version = ODCS, n.get("name").str(), n.get("version").str()
	if l.c.Name == "" {
		l.c.Name = n.get("id").str()
	}
	names := map[string]bool{}
	for _, o := range n.get("schema").items() {
		if name := o.get("name").str(); names[name] {
			l.fail(o, "the name %q stands here twice", name)
		} else {
			names[name] = true
		}
		l.object(o)
	}
	l.relations(n)
	l.stray(n)
}

// stray finds options of tarn where it reads none: those of objects and properties are read with them.
func (l *loader) stray(n *node) {
	for _, p := range n.get("customProperties").items() {
		if name := p.get("property").str(); strings.HasPrefix(name, "tarn.") && !l.options[p] {
			l.fail(p, "the property %q belongs to an object or a property of its own", name)
		}
	}
	for _, k := range n.keys {
		l.stray(k.node)
	}
	for _, e := range n.list {
		l.stray(e)
	}
}

func (l *loader) object(n *node) {
	o := &Object{Name: n.get("name").str(), Description: n.get("description").str(), Match: Subset, Missing: []string{""}, Line: n.line, Col: n.col}
	l.c.Objects = append(l.c.Objects, o)
	if p := n.get("physicalName"); p != nil {
		o.Files = l.glob(p, p.str())
	}
	l.objectOptions(o, n)
	var primary []*node
	for _, p := range n.get("properties").items() {
		l.property(o, p)
		l.nested(p, o.Name+"."+p.get("name").str())
		if l.made[p] != nil && p.get("primaryKey").bool() {
			primary = append(primary, p)
		}
	}
	if len(o.Columns) > 0 {
		l.tableChecks(o, n)
	}
	slices.SortStableFunc(primary, func(a, b *node) int {
		x, _ := a.get("primaryKeyPosition").number()
		y, _ := b.get("primaryKeyPosition").number()
		return int(x - y)
	})
	for _, p := range primary {
		o.PrimaryKey = append(o.PrimaryKey, l.made[p].Name)
	}
	if len(primary) > 0 {
		l.add(primary[0], &Check{Kind: PrimaryKey, Object: o, Columns: o.PrimaryKey, Code: "primary-key", Severity: Failure, Text: strings.Join(o.PrimaryKey, ", ") + " identify a row"})
	}
	for _, p := range n.get("properties").items() {
		if c := l.made[p]; c != nil {
			l.columnChecks(o, c, p)
		}
	}
	for _, q := range n.get("quality").items() {
		l.quality(o, nil, q)
	}
}

// objectOptions are the customProperties that tarn knows; others belong to somebody else.
func (l *loader) objectOptions(o *Object, n *node) {
	for _, p := range n.get("customProperties").items() {
		v := p.get("value")
		l.options[p] = true
		switch p.get("property").str() {
		case "tarn.format":
			if o.Format = v.str(); !slices.Contains(Formats, o.Format) {
				l.fail(v, "unknown format %s; there are %s", v.shown(), strings.Join(Formats, ", "))
			}
		case "tarn.fieldsMatch":
			l.match(o, v)
		case "tarn.missingValues":
			o.Missing = l.missing(v, "tarn.missingValues")
		case "tarn.dialect":
			l.dialect(o, v)
		case "tarn.drift":
			o.Drift = l.drift(v, false)
		default:
			if name := p.get("property").str(); strings.HasPrefix(name, "tarn.") {
				l.fail(p, "unknown property %q", name)
			}
		}
	}
}

// Formats are the formats of tables.
var Formats = []string{"csv", "tsv", "jsonl", "parquet"}

func (l *loader) match(o *Object, v *node) {
	if o.Match = Match(v.str()); !slices.Contains([]Match{Exact, Equal, Subset, Superset, Partial}, o.Match) {
		l.fail(v, "fieldsMatch is exact, equal, subset, superset or partial, not %s", v.shown())
	}
}

// dialect reads the names of Frictionless' Table Dialect.
func (l *loader) dialect(o *Object, n *node) {
	d := &o.Dialect
	if n.kind != 'm' {
		l.fail(n, "a dialect is a mapping")
		return
	}
	for _, k := range n.keys {
		one := func(to *string) {
			if *to = k.node.str(); k.kind != 's' || len(*to) != 1 {
				l.fail(k.node, "%s is one character of ASCII, not %s", k.name, k.shown())
			}
		}
		switch k.name {
		case "delimiter":
			one(&d.Delimiter)
		case "quoteChar":
			one(&d.Quote)
		case "escapeChar":
			one(&d.Escape)
		case "commentChar":
			one(&d.Comment)
		case "doubleQuote":
			d.NoDouble = !l.flag(k.node, k.name)
		case "header":
			d.NoHeader = !l.flag(k.node, k.name)
		case "skipInitialSpace":
			d.SkipInitial = l.flag(k.node, k.name)
		case "skipRows":
			d.Skip = l.whole(k.node, k.name)
		case "encoding":
			d.Encoding = strings.ToLower(k.node.str())
			if !slices.Contains(Encodings, d.Encoding) {
				l.fail(k.node, "unknown encoding %s; there are %s", k.shown(), strings.Join(Encodings, ", "))
			}
		default:
			l.fail(k.node, "unknown key %q of a dialect", k.name)
		}
	}
}

// Encodings are those of text that can be read.
var Encodings = []string{"utf-8", "utf-16", "utf-16le", "utf-16be", "iso-8859-1", "windows-1252"}

func (l *loader) glob(n *node, pattern string) Glob {
	g, err := NewGlob(pattern)
	if err != nil {
		l.fail(n, "%v", err)
	}
	return g
}

var logicalTypes = map[string]cell.Type{"": cell.Any, "string": cell.String, "date": cell.Date, "timestamp": cell.Datetime, "time": cell.Time, "number": cell.Number,
	"integer": cell.Integer, "object": cell.Object, "array": cell.Array, "boolean": cell.Boolean}

// take takes a column in, if its names are new.
func (l *loader) take(o *Object, c *Column, n *node) bool {
	if l.logical[o] == nil {
		l.logical[o] = map[string]*Column{}
	}
	name := c.Logical
	if name == "" {
		name = c.Name
	}
	switch {
	case o.Column(c.Name) != nil:
		l.fail(n, "the column %q stands here twice", c.Name)
		return false
	case l.logical[o][name] != nil:
		l.fail(n, "the column %q stands here twice", name)
		return false
	}
	l.logical[o][name], l.made[n] = c, c
	o.Columns = append(o.Columns, c)
	return true
}

// property reads a column. Its name in the data is physicalName, if there is one.
func (l *loader) property(o *Object, n *node) {
	c := &Column{Name: n.get("name").str(), Description: n.get("description").str(), Partition: n.get("partitioned").bool(), Line: n.line, Col: n.col}
	if p := n.get("physicalName").str(); p != "" && p != c.Name {
		c.Name, c.Logical = p, c.Name
	}
	if !l.take(o, c, n) {
		return
	}
	c.Spec.Type = logicalTypes[n.get("logicalType").str()]
	for _, p := range n.get("customProperties").items() {
		l.option(c, p)
	}
	if f := n.get("logicalTypeOptions").get("format"); f != nil && formatMatters(c.Spec.Type, f.str()) {
		c.Spec.Format = f.str()
	}
	if err := c.Spec.Prepare(); err != nil {
		l.fail(n, "%v", err)
	}
}

// option reads a custom property of a column: what a Table Schema says about its text, and limits of drift.
func (l *loader) option(c *Column, p *node) {
	name, v := p.get("property").str(), p.get("value")
	l.options[p] = true
	switch name {
	case "tarn.type":
		t, ok := cell.TypeOf(v.str())
		if !ok || v.kind != 's' || slices.Contains(slices.Collect(maps.Values(logicalTypes)), t) {
			l.fail(v, "tarn.type is a type that ODCS lacks: year, yearmonth, duration, list, geopoint or geojson, not %s", v.shown())
			return
		}
		if c.Spec.Type != logicalTypes[logicalNames[t]] {
			l.fail(v, "tarn.type %s goes with the logicalType %s", t, logicalNames[t])
		}
		c.Spec.Type = t
	case "tarn.decimalChar":
		c.Spec.DecimalChar = l.text(v, name)
	case "tarn.groupChar":
		c.Spec.GroupChar = l.text(v, name)
	case "tarn.delimiter":
		c.Spec.Delimiter = l.text(v, name)
	case "tarn.itemType":
		c.Spec.ItemType = l.text(v, name)
	case "tarn.bareNumber":
		c.Spec.LooseNumber = !l.flag(v, name)
	case "tarn.trueValues":
		c.Spec.True = l.values(v, name)
	case "tarn.falseValues":
		c.Spec.False = l.values(v, name)
	case "tarn.missingValues":
		c.Missing = l.missing(v, name)
	case "tarn.drift":
		c.Drift = l.drift(v, true)
	default:
		if strings.HasPrefix(name, "tarn.") {
			l.fail(p, "unknown property %q", name)
		}
	}
}

// nested lists what a property says about the inside of its values, which nothing looks at.
func (l *loader) nested(n *node, path string) {
	if r := n.get("logicalTypeOptions").get("required"); r != nil {
		l.notRun(r, "required properties of "+path)
	}
	for _, p := range n.get("properties").items() {
		inner := path + "." + p.get("name").str()
		l.notRun(p, "nested property "+inner)
		l.nested(p, inner)
	}
	if i := n.get("items"); i != nil {
		l.notRun(i, "items of "+path)
		l.nested(i, path+"[]")
	}
}

// formatMatters is false for the sizes (i32, f64, …) that ODCS calls the format of a number, and for its default ones.
func formatMatters(t cell.Type, f string) bool {
	switch t {
	case cell.Integer, cell.Number:
		return false
	case cell.Date:
		return f != "yyyy-MM-dd"
	case cell.Time:
		return f != "HH:mm:ss"
	case cell.Datetime:
		return f != "yyyy-MM-ddTHH:mm:ss" && f != "yyyy-MM-dd'T'HH:mm:ss" && f != "yyyy-MM-dd HH:mm:ss" && f != "yyyy-MM-ddTHH:mm:ss.SSSZ" && f != "yyyy-MM-dd'T'HH:mm:ss.SSSXXX"
	}
	return true
}

// tableChecks are the checks that each table has.
func (l *loader) tableChecks(o *Object, n *node) {
	l.add(n, &Check{Kind: Source, Object: o, Code: "source-error", Severity: Failure, Text: "its files can be read to the end"})
	if o.Match != "" {
		l.add(n, &Check{Kind: Labels, Object: o, Code: "missing-label", Severity: Failure, Text: fmt.Sprintf("it has the columns (%s)", o.Match)})
	}
	l.add(n, &Check{Kind: Shape, Object: o, Code: "extra-cell", Severity: Failure, Text: "each row has as many cells as the header"})
}

// columnChecks are the checks of a column that its own keys ask for.
func (l *loader) columnChecks(o *Object, c *Column, n *node) {
	l.typeCheck(o, c, n)
	if r := n.get("required"); r.bool() {
		l.add(r, &Check{Kind: Required, Object: o, Columns: []string{c.Name}, Code: "constraint-error", Severity: Failure, Text: c.Name + " is there"})
	}
	if u := n.get("unique"); u.bool() {
		l.add(u, &Check{Kind: Unique, Object: o, Columns: []string{c.Name}, Code: "unique-error", Severity: Failure, Text: c.Name + " is unique"})
	}
	l.constraints(o, c, n.get("logicalTypeOptions"))
	for _, q := range n.get("quality").items() {
		l.quality(o, c, q)
	}
}

func (l *loader) typeCheck(o *Object, c *Column, n *node) {
	if c.Spec.Type != cell.Any {
		l.add(n, &Check{Kind: TypeOf, Object: o, Columns: []string{c.Name}, Code: "type-error", Severity: Failure, Text: fmt.Sprintf("%s is of type %s", c.Name, c.Spec.Type)})
	}
}

// constraints reads logicalTypeOptions, or the constraints of a Table Schema.
func (l *loader) constraints(o *Object, c *Column, n *node) {
	if n == nil {
		return
	}
	for _, k := range n.keys {
		ck := &Check{Object: o, Columns: []string{c.Name}, Code: "constraint-error", Severity: Failure}
		switch k.name {
		case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum":
			if !l.bound(c, k, ck) {
				continue
			}
		case "multipleOf":
			f, ok := k.node.number()
			if !ok || f <= 0 || c.Spec.Type != cell.Integer && c.Spec.Type != cell.Number {
				l.fail(k.node, "multipleOf is a number above 0, of a column of numbers")
				continue
			}
			ck.Kind, ck.Number, ck.Text = MultipleOf, f, fmt.Sprintf("%s is a multiple of %v", c.Name, f)
		case "minLength", "maxLength":
			f := float64(l.whole(k.node, k.name))
			ck.Kind, ck.Number, ck.Text = MinLength, f, fmt.Sprintf("%s has at least %v characters", c.Name, f)
			if k.name == "maxLength" {
				ck.Kind, ck.Text = MaxLength, fmt.Sprintf("%s has at most %v characters", c.Name, f)
			}
		case "pattern":
			p, err := cell.NewPattern(l.text(k.node, k.name))
			if err != nil {
				l.fail(k.node, "%v", err)
				continue
			}
			ck.Kind, ck.Pattern, ck.Text = PatternOf, p, fmt.Sprintf("%s matches %s", c.Name, p)
		case "enum":
			ck.Kind, ck.Values = Enum, l.values(k.node, k.name)
			ck.Text = fmt.Sprintf("%s is one of %s", c.Name, short(ck.Values))
		case "format", "timezone", "defaultTimezone", "required", "unique":
			continue
		default:
			l.fail(k.node, "%q has no meaning for a column of a table", k.name)
			continue
		}
		l.add(k.node, ck)
	}
}

// bound reads a limit in the terms of its column.
func (l *loader) bound(c *Column, k key, ck *Check) bool {
	if b, ok := k.node.value.(bool); ok { // of JSON Schema draft 4, which ODCS still allows
		l.fail(k.node, "%s is a value, not %t", k.name, b)
		return false
	}
	if !c.Spec.Type.Ordered() {
		l.fail(k.node, "%s: values of type %s have no order", k.name, c.Spec.Type)
		return false
	}
	spec := c.Spec
	spec.DecimalChar, spec.GroupChar = "", ""
	limit, ok := spec.Parse([]byte(k.node.str()))
	if !ok {
		limit, ok = (&cell.Spec{Type: c.Spec.Type}).Parse([]byte(k.node.str()))
	}
	if f, isNum := k.node.number(); !ok && isNum && (c.Spec.Type == cell.Integer || c.Spec.Type == cell.Year) {
		limit, ok = cell.Value{Float: f}, true
	}
	if !ok {
		l.fail(k.node, "%s: %s is no %s", k.name, k.shown(), c.Spec.Type)
		return false
	}
	ck.Limit, ck.Bound = limit, k.node.str()
	kinds := map[string]struct {
		kind   Kind
		symbol string
	}{"minimum": {Minimum, "≥"}, "maximum": {Maximum, "≤"}, "exclusiveMinimum": {AboveMin, ">"}, "exclusiveMaximum": {BelowMax, "<"}}
	ck.Kind, ck.Text = kinds[k.name].kind, fmt.Sprintf("%s %s %s", c.Name, kinds[k.name].symbol, k.node.str())
	return true
}

// short lists a few values.
func short(values []string) string {
	const most = 5
	if len(values) <= most {
		return strings.Join(values, ", ")
	}
	return fmt.Sprintf("%s, … (%d)", strings.Join(values[:most], ", "), len(values))
}

// add takes a check in, under a name that no other has.
func (l *loader) add(n *node, c *Check) {
	if c.Line == 0 {
		c.Line, c.Col = n.line, n.col
	}
	base := c.Object.Name
	if len(c.Columns) > 0 && c.Kind != Leakage {
		base += "." + strings.Join(c.Columns, "+")
	}
	base += "." + string(c.Kind)
	c.Key = base
	for i := 2; l.keys[c.Key]; i++ {
		c.Key = fmt.Sprintf("%s-%d", base, i)
	}
	l.keys[c.Key] = true
	l.c.Checks = append(l.c.Checks, c)
}
