package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"tarn/internal/check/cell"
	"tarn/internal/check/report"
)

// Comments are notes for a contract that is written: by object, column or check.
type Comments map[any]string

// pairs is a mapping that keeps its order.
type pairs struct {
	node *yaml.Node
}

func mapping() pairs { return pairs{&yaml.Node{Kind: yaml.MappingNode}} }

func (p pairs) set(name string, value any, comment string) {
	v, ok := value.(*yaml.Node)
	if !ok {
		v = &yaml.Node{}
		if err := v.Encode(value); err != nil {
			v = &yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(value)}
		}
	}
	k := &yaml.Node{Kind: yaml.ScalarNode, Value: name}
	if comment != "" {
		if v.Kind == yaml.ScalarNode {
			v.LineComment = comment
		} else {
			k.HeadComment = comment
		}
	}
	p.node.Content = append(p.node.Content, k, v)
}

func list(items ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Content: items}
}

func flow(n *yaml.Node) *yaml.Node {
	n.Style = yaml.FlowStyle
	return n
}

// owner is a column, by its name, or with "" its object.
type owner struct {
	o      *Object
	column string
}

// owners are the checks of each column alone, and those of each object that are of no or several columns.
func (c *Contract) owners() map[owner][]*Check {
	all := map[owner][]*Check{}
	for _, k := range c.Checks {
		of := owner{k.Object, ""}
		if len(k.Columns) == 1 {
			of.column = k.Columns[0]
		}
		all[of] = append(all[of], k)
	}
	return all
}

// lossy gathers what a form can't say.
type lossy []string

func (l *lossy) lose(k *Check) { l.say("%s (%s)", k.Key, k.Text) }

func (l *lossy) say(format string, args ...any) {
	*l = append(*l, report.Clean(fmt.Sprintf(format, args...)))
}

// notRun names what the contract asks of others, which no form is given.
func (l *lossy) notRun(c *Contract) {
	for _, n := range c.NotRun {
		l.say("line %d: %s", n.Line, n.What)
	}
}

var logicalNames = map[cell.Type]string{cell.String: "string", cell.Integer: "integer", cell.Number: "number", cell.Boolean: "boolean", cell.Date: "date", cell.Time: "time", cell.Datetime: "timestamp",
	cell.Object: "object", cell.Array: "array", cell.Year: "integer", cell.Geojson: "object",
	cell.YearMonth: "string", cell.Duration: "string", cell.List: "string", cell.Geopoint: "string"}

// EncodeODCS writes a contract as ODCS v3.1. What it can't say is returned in words.
func EncodeODCS(c *Contract, id string, comments Comments) (text []byte, lost []string, err error) {
	var l lossy
	top := mapping()
	top.set("apiVersion", "v3.1.0", "")
	top.set("kind", "DataContract", "")
	top.set("id", id, "")
	if c.Name != "" {
		top.set("name", c.Name, "")
	}
	version := c.Version
	if version == "" {
		version = "0.1.0"
	}
	top.set("version", version, "")
	top.set("status", "draft", "")
	schema, own := list(), c.owners()
	for _, o := range c.Objects {
		schema.Content = append(schema.Content, comment(c.odcsObject(o, own, comments, &l).node, comments[o]))
	}
	top.set("schema", schema, "")
	l.notRun(c)
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(top.node); err != nil {
		return nil, nil, err
	}
	return b.Bytes(), l, enc.Close()
}

func (c *Contract) odcsObject(o *Object, own map[owner][]*Check, comments Comments, l *lossy) pairs {
	m := mapping()
	m.set("name", o.Name, "")
	if o.Description != "" {
		m.set("description", o.Description, "")
	}
	if !o.Files.Everything() {
		m.set("physicalName", o.Files.String(), "")
	}
	if props := o.customProperties(); len(props.Content) > 0 {
		m.set("customProperties", props, "")
	}
	columns := list()
	quality := list()
	for _, col := range o.Columns {
		columns.Content = append(columns.Content, c.odcsColumn(o, col, own[owner{o, col.Name}], comments, l).node)
	}
	relationships := list()
	for _, k := range own[owner{o, ""}] {
		if from, to, ok := c.shorthand(k); ok {
			r := mapping()
			r.set("from", flow(listOf(from)), "")
			r.set("to", flow(listOf(to)), "")
			relationships.Content = append(relationships.Content, flow(r.node))
		} else if q := odcsQuality(k, l); q != nil {
			quality.Content = append(quality.Content, comment(q, comments[k]))
		}
	}
	for _, k := range c.Checks { // custom checks that name one column stand with the object
		if k.Object == o && len(k.Columns) == 1 && k.custom() {
			if q := odcsQuality(k, l); q != nil {
				quality.Content = append(quality.Content, comment(q, comments[k]))
			}
		}
	}
	if len(relationships.Content) > 0 {
		m.set("relationships", relationships, "")
	}
	if len(columns.Content) > 0 {
		m.set("properties", columns, "")
	}
	if len(quality.Content) > 0 {
		m.set("quality", quality, "")
	}
	return m
}

// custom says that ODCS has a check as a rule of type custom only.
func (k *Check) custom() bool {
	return k.Custom.Check != "" || k.Kind == ForeignKey && k.Ref.Object == ""
}

var shorthandName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// shorthand is a foreign key as a relationship, OBJECT.COLUMN; false where the names are not of the characters that the standard allows there.
func (c *Contract) shorthand(k *Check) (from, to []string, ok bool) {
	if k.Kind != ForeignKey || k.Custom.Check != "" || k.Ref.Object == "" {
		return nil, nil, false
	}
	for _, o := range c.Objects {
		if o.Name == k.Ref.Object {
			from, to, ok = k.Object.logicals(k.Columns), o.logicals(k.Ref.Columns), true
		}
	}
	for _, n := range slices.Concat(from, to, []string{k.Object.Name, k.Ref.Object}) {
		ok = ok && shorthandName.MatchString(n)
	}
	for i := range from {
		from[i], to[i] = k.Object.Name+"."+from[i], k.Ref.Object+"."+to[i]
	}
	return from, to, ok
}

func comment(q *yaml.Node, text string) *yaml.Node {
	q.HeadComment = text
	return q
}

func (o *Object) customProperties() *yaml.Node {
	props := list()
	add := func(name string, value any) { addProperty(props, name, value) }
	if o.Match != Subset && o.Match != "" {
		add("tarn.fieldsMatch", string(o.Match))
	}
	if o.Format != "" {
		add("tarn.format", o.Format)
	}
	if o.Missing != nil && !slices.Equal(o.Missing, []string{""}) {
		add("tarn.missingValues", o.Missing)
	}
	if o.Dialect != (Dialect{}) {
		add("tarn.dialect", o.Dialect.fields())
	}
	if o.Drift != nil {
		add("tarn.drift", o.Drift.fields())
	}
	return props
}

func addProperty(props *yaml.Node, name string, value any) {
	p := mapping()
	p.set("property", name, "")
	p.set("value", value, "")
	props.Content = append(props.Content, p.node)
}

// customProperties are what ODCS has no key for.
func (col *Column) customProperties() *yaml.Node {
	props := list()
	s := col.Spec
	if logicalTypes[logicalNames[s.Type]] != s.Type {
		addProperty(props, "tarn.type", s.Type.String())
	}
	for _, x := range []struct{ name, value string }{{"decimalChar", s.DecimalChar}, {"groupChar", s.GroupChar}, {"delimiter", s.Delimiter}, {"itemType", s.ItemType}} {
		if x.value != "" {
			addProperty(props, "tarn."+x.name, x.value)
		}
	}
	if s.LooseNumber {
		addProperty(props, "tarn.bareNumber", false)
	}
	for _, x := range []struct {
		name   string
		values []string
	}{{"trueValues", s.True}, {"falseValues", s.False}, {"missingValues", col.Missing}} {
		if x.values != nil {
			addProperty(props, "tarn."+x.name, flow(listOf(x.values)))
		}
	}
	if col.Drift != nil {
		addProperty(props, "tarn.drift", col.Drift.fields())
	}
	return props
}

// fields are the values that are not found out.
func (d *Dialect) fields() map[string]any {
	m := map[string]any{}
	for k, v := range map[string]string{"delimiter": d.Delimiter, "quoteChar": d.Quote, "escapeChar": d.Escape, "commentChar": d.Comment, "encoding": d.Encoding} {
		if v != "" {
			m[k] = v
		}
	}
	if d.NoDouble {
		m["doubleQuote"] = false
	}
	if d.NoHeader {
		m["header"] = false
	}
	if d.SkipInitial {
		m["skipInitialSpace"] = true
	}
	if d.Skip > 0 {
		m["skipRows"] = d.Skip
	}
	return m
}

func (c *Contract) odcsColumn(o *Object, col *Column, own []*Check, comments Comments, l *lossy) pairs {
	m := mapping()
	m.set("name", o.logical(col.Name), comments[col])
	if col.Logical != "" {
		m.set("physicalName", col.Name, "")
	}
	if col.Description != "" {
		m.set("description", col.Description, "")
	}
	options := mapping()
	if t := logicalNames[col.Spec.Type]; t != "" {
		m.set("logicalType", t, "")
		switch f := col.Spec.Format; {
		case f == "" || f == "default":
		case col.Spec.Type == cell.Geojson:
			l.say("%s: the format %s", col.Name, f)
		default:
			options.set("format", f, "")
		}
	}
	if col.Partition {
		m.set("partitioned", true, "")
	}
	if at := slices.Index(o.PrimaryKey, col.Name); at >= 0 {
		m.set("primaryKey", true, "")
		m.set("primaryKeyPosition", at+1, "")
	}
	if props := col.customProperties(); len(props.Content) > 0 {
		m.set("customProperties", props, "")
	}
	quality := list()
	relationships := list()
	for _, k := range own {
		if name := optionNames[k.Kind]; name != "" {
			if v := optionValue(k, col); hasOption(col.Spec.Type, k.Kind, v) {
				options.set(name, v, comments[k])
				continue
			}
		}
		switch _, to, ok := c.shorthand(k); {
		case k.Kind == Required:
			m.set("required", true, comments[k])
		case k.Kind == Unique:
			m.set("unique", true, comments[k])
		case ok:
			r := mapping()
			r.set("to", to[0], "")
			relationships.Content = append(relationships.Content, flow(r.node))
		case !k.custom():
			if q := odcsQuality(k, l); q != nil {
				quality.Content = append(quality.Content, comment(q, comments[k]))
			}
		}
	}
	for _, x := range []struct {
		name string
		node *yaml.Node
	}{{"logicalTypeOptions", options.node}, {"relationships", relationships}, {"quality", quality}} {
		if len(x.node.Content) > 0 {
			m.set(x.name, x.node, "")
		}
	}
	return m
}

// hasOption says whether the logical type that stands for t has an option, with such a value.
func hasOption(t cell.Type, k Kind, value any) bool {
	switch logicalNames[t] {
	case "string":
		return k == MinLength || k == MaxLength || k == PatternOf
	case "integer", "number":
		_, text := value.(string)
		return k != MinLength && k != MaxLength && k != PatternOf && !text
	case "date", "time", "timestamp":
		return k == Minimum || k == Maximum || k == AboveMin || k == BelowMax
	}
	return false
}

var optionNames = map[Kind]string{Minimum: "minimum", Maximum: "maximum", AboveMin: "exclusiveMinimum", BelowMax: "exclusiveMaximum", MultipleOf: "multipleOf", MinLength: "minLength", MaxLength: "maxLength", PatternOf: "pattern"}

// optionValue is the bound of a constraint as a value of JSON.
func optionValue(k *Check, col *Column) any {
	switch k.Kind {
	case MinLength, MaxLength:
		return int64(k.Number)
	case MultipleOf:
		return number(k.Number)
	case PatternOf:
		return k.Pattern.String()
	}
	if col.Spec.Type == cell.Integer || col.Spec.Type == cell.Number || col.Spec.Type == cell.Year {
		if n, err := strconv.ParseInt(k.Bound, 10, 64); err == nil {
			return n
		}
		if f, err := strconv.ParseFloat(k.Bound, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return f
		}
	}
	return k.Bound
}

func number(f float64) any {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return int64(f)
	}
	return f
}

// odcsQuality is a quality rule; nil where ODCS has none for the check.
func odcsQuality(k *Check, l *lossy) *yaml.Node {
	q := mapping()
	args := mapping()
	switch k.Kind {
	case Source, Labels, Shape, PrimaryKey, TypeOf:
		return nil
	case PatternOf: // of a type whose options have none
		q.set("metric", "invalidValues", "")
		args.set("pattern", k.Pattern.String(), "")
		q.set("mustBe", 0, "")
	case Enum:
		q.set("metric", "invalidValues", "")
		args.set("validValues", flow(listOf(k.Values)), "")
		q.set("mustBe", 0, "")
	case Unique:
		q.set("metric", "duplicateValues", "")
		args.set("properties", flow(listOf(k.Object.logicals(k.Columns))), "")
		q.set("mustBe", 0, "")
	case Nulls, MissingOf, Invalid, Duplicates, RowCount:
		q.set("metric", string(k.Kind), "")
		if k.Kind == MissingOf {
			args.set("missingValues", flow(listOf(k.Values)), "")
		}
		if k.Kind == Invalid && k.Values != nil {
			args.set("validValues", flow(listOf(k.Values)), "")
		}
		if k.Kind == Invalid && k.Pattern != nil {
			args.set("pattern", k.Pattern.String(), "")
		}
		if k.Kind == Duplicates && len(k.Columns) > 1 {
			args.set("properties", flow(listOf(k.Object.logicals(k.Columns))), "")
		}
		k.Want.set(q)
	default:
		body := k.Custom
		if body.Check == "" && k.custom() && !strings.Contains(k.Ref.Files, "#") && !slices.ContainsFunc(k.Ref.Columns, func(n string) bool { return strings.Contains(n, ",") }) {
			body = Body{Check: string(ForeignKey), Columns: k.Columns, To: k.Ref.Files + "#" + strings.Join(k.Ref.Columns, ",")}
		}
		if body.Check == "" {
			l.lose(k)
			return nil
		}
		body.Columns, body.Column, body.Label = k.Object.logicals(body.Columns), k.Object.logical(body.Column), k.Object.logical(body.Label)
		q.set("type", "custom", "")
		q.set("engine", Engine, "")
		q.set("implementation", body.fields(), "")
	}
	if len(args.node.Content) > 0 {
		q.set("arguments", args.node, "")
	}
	if k.Severity != Failure {
		q.set("severity", k.Severity.String(), "")
	}
	return q.node
}

func listOf(values []string) *yaml.Node {
	n := list()
	for _, v := range values {
		s := &yaml.Node{}
		s.SetString(v)
		if v == "" {
			s.Style = yaml.DoubleQuotedStyle
		}
		n.Content = append(n.Content, s)
	}
	return n
}

func (w Want) set(q pairs) {
	for name, op := range opNames {
		if op != w.Op {
			continue
		}
		if op == Between || op == NotBetween {
			q.set(name, []any{number(w.A), number(w.B)}, "")
		} else {
			q.set(name, number(w.A), "")
		}
	}
	if w.Percent {
		q.set("unit", "percent", "")
	}
}

// fields are those that are set.
func (b *Body) fields() *yaml.Node {
	m := mapping()
	js, err := json.Marshal(b)
	var all map[string]any
	if err == nil {
		err = json.Unmarshal(js, &all)
	}
	if err != nil {
		return m.node
	}
	m.set("check", b.Check, "")
	names := make([]string, 0, len(all))
	for n := range all {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		switch v := all[n].(type) {
		case nil:
		case string:
			if v != "" && n != "check" {
				m.set(n, v, "")
			}
		case float64:
			if v != 0 || n == "min" || n == "max" {
				m.set(n, number(v), "")
			}
		default:
			m.set(n, v, "")
		}
	}
	return m.node
}
