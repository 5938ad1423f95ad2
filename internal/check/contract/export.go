package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"

	"tarn/internal/check/cell"
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

// of are the checks of a column alone, or of an object.
func (c *Contract) of(o *Object, column string) []*Check {
	var cs []*Check
	for _, k := range c.Checks {
		own := len(k.Columns) == 1 && k.Columns[0] == column
		if k.Object == o && (column != "" && own || column == "" && len(k.Columns) != 1) {
			cs = append(cs, k)
		}
	}
	return cs
}

// lossy gathers what a form can't say.
type lossy []string

func (l *lossy) lose(k *Check) { *l = append(*l, k.Key+" ("+k.Text+")") }

var logicalNames = map[cell.Type]string{cell.String: "string", cell.Integer: "integer", cell.Number: "number", cell.Boolean: "boolean", cell.Date: "date", cell.Time: "time", cell.Datetime: "timestamp",
	cell.Object: "object", cell.Array: "array", cell.Year: "integer", cell.Geojson: "object"}

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
	schema := list()
	for _, o := range c.Objects {
		schema.Content = append(schema.Content, comment(c.odcsObject(o, comments, &l).node, comments[o]))
	}
	top.set("schema", schema, "")
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(top.node); err != nil {
		return nil, nil, err
	}
	return b.Bytes(), l, enc.Close()
}

func (c *Contract) odcsObject(o *Object, comments Comments, l *lossy) pairs {
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
		columns.Content = append(columns.Content, c.odcsColumn(o, col, comments, l).node)
	}
	for _, k := range c.of(o, "") {
		if q := odcsQuality(k, l); q != nil {
			quality.Content = append(quality.Content, comment(q, comments[k]))
		}
	}
	for _, k := range c.Checks { // custom checks that name one column stand with the object
		if k.Object == o && len(k.Columns) == 1 && k.Custom.Check != "" {
			if q := odcsQuality(k, l); q != nil {
				quality.Content = append(quality.Content, comment(q, comments[k]))
			}
		}
	}
	if len(columns.Content) > 0 {
		m.set("properties", columns, "")
	}
	if len(quality.Content) > 0 {
		m.set("quality", quality, "")
	}
	return m
}

func comment(q *yaml.Node, text string) *yaml.Node {
	q.HeadComment = text
	return q
}

func (o *Object) customProperties() *yaml.Node {
	props := list()
	add := func(name string, value any) {
		p := mapping()
		p.set("property", name, "")
		p.set("value", value, "")
		props.Content = append(props.Content, p.node)
	}
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

func (c *Contract) odcsColumn(o *Object, col *Column, comments Comments, l *lossy) pairs {
	m := mapping()
	m.set("name", col.Name, comments[col])
	if col.Description != "" {
		m.set("description", col.Description, "")
	}
	options := mapping()
	if t := logicalNames[col.Spec.Type]; t != "" {
		m.set("logicalType", t, "")
		switch f := col.Spec.Format; {
		case f == "" || f == "default":
		case col.Spec.Type == cell.Geojson:
			*l = append(*l, fmt.Sprintf("%s: the format %s", col.Name, f))
		default:
			options.set("format", f, "")
		}
	} else if col.Spec.Type != cell.Any {
		*l = append(*l, fmt.Sprintf("%s: the type %s", col.Name, col.Spec.Type))
	}
	if col.Partition {
		m.set("partitioned", true, "")
	}
	if at := slices.Index(o.PrimaryKey, col.Name); at >= 0 {
		m.set("primaryKey", true, "")
		m.set("primaryKeyPosition", at+1, "")
	}
	if col.Drift != nil {
		p := mapping()
		p.set("property", "tarn.drift", "")
		p.set("value", col.Drift.fields(), "")
		props := list()
		props.Content = append(props.Content, p.node)
		m.set("customProperties", props, "")
	}
	quality := list()
	for _, k := range c.of(o, col.Name) {
		switch k.Kind {
		case TypeOf, PrimaryKey:
		case Required:
			m.set("required", true, comments[k])
		case Unique:
			m.set("unique", true, comments[k])
		case Minimum, Maximum, AboveMin, BelowMax, MultipleOf, MinLength, MaxLength, PatternOf:
			options.set(optionNames[k.Kind], optionValue(k, col), comments[k])
		default:
			if k.Custom.Check == "" {
				if q := odcsQuality(k, l); q != nil {
					quality.Content = append(quality.Content, comment(q, comments[k]))
				}
			}
		}
	}
	if len(options.node.Content) > 0 {
		m.set("logicalTypeOptions", options.node, "")
	}
	if len(quality.Content) > 0 {
		m.set("quality", quality, "")
	}
	return m
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
	case Source, Labels, Shape, PrimaryKey:
		return nil
	case Enum:
		q.set("metric", "invalidValues", "")
		args.set("validValues", flow(listOf(k.Values)), "")
		q.set("mustBe", 0, "")
	case Unique:
		q.set("metric", "duplicateValues", "")
		args.set("properties", flow(listOf(k.Columns)), "")
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
			args.set("properties", flow(listOf(k.Columns)), "")
		}
		k.Want.set(q)
	default:
		if k.Custom.Check == "" {
			l.lose(k)
			return nil
		}
		q.set("type", "custom", "")
		q.set("engine", Engine, "")
		q.set("implementation", k.Custom.fields(), "")
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

// EncodeTableSchema writes an object as a Table Schema. What it can't say is returned in words.
func EncodeTableSchema(c *Contract, o *Object) (text []byte, lost []string, err error) {
	var l lossy
	top := schemaDoc{Name: o.Name, Description: o.Description, PrimaryKey: o.PrimaryKey, FieldsMatch: string(o.Match)}
	if !slices.Equal(o.Missing, []string{""}) {
		top.Missing = o.Missing
	}
	if o.Drift != nil {
		l = append(l, o.Name+": tarn.drift")
	}
	for _, col := range o.Columns {
		if col.Drift != nil {
			l = append(l, o.Name+"."+col.Name+": tarn.drift")
		}
		top.Fields = append(top.Fields, c.schemaField(o, col, &l))
	}
	for _, k := range c.Checks {
		if k.Object != o || len(k.Columns) == 1 && k.Kind != ForeignKey {
			continue
		}
		switch k.Kind {
		case Source, Labels, Shape, PrimaryKey:
		case Unique:
			top.UniqueKeys = append(top.UniqueKeys, k.Columns)
		case ForeignKey:
			if k.Ref.Object != "" && k.Ref.Object != o.Name || k.Ref.Dataset != "" {
				l.lose(k)
				continue
			}
			f := schemaForeign{Fields: k.Columns}
			f.Reference.Resource, f.Reference.Fields = k.Ref.Files, k.Ref.Columns
			top.ForeignKeys = append(top.ForeignKeys, f)
		default:
			l.lose(k)
		}
	}
	b, err := json.MarshalIndent(top, "", "  ")
	return append(b, '\n'), l, err
}

type schemaDoc struct {
	Name        string          `json:"name,omitempty"`
	Description string          `json:"description,omitempty"`
	FieldsMatch string          `json:"fieldsMatch,omitempty"`
	Missing     []string        `json:"missingValues,omitempty"`
	Fields      []schemaField   `json:"fields"`
	PrimaryKey  []string        `json:"primaryKey,omitempty"`
	UniqueKeys  [][]string      `json:"uniqueKeys,omitempty"`
	ForeignKeys []schemaForeign `json:"foreignKeys,omitempty"`
}

type schemaForeign struct {
	Fields    []string `json:"fields"`
	Reference struct {
		Resource string   `json:"resource"`
		Fields   []string `json:"fields"`
	} `json:"reference"`
}

type schemaField struct {
	Name        string         `json:"name"`
	Type        string         `json:"type"`
	Format      string         `json:"format,omitempty"`
	Description string         `json:"description,omitempty"`
	DecimalChar string         `json:"decimalChar,omitempty"`
	GroupChar   string         `json:"groupChar,omitempty"`
	BareNumber  *bool          `json:"bareNumber,omitempty"`
	True        []string       `json:"trueValues,omitempty"`
	False       []string       `json:"falseValues,omitempty"`
	Delimiter   string         `json:"delimiter,omitempty"`
	ItemType    string         `json:"itemType,omitempty"`
	Missing     []string       `json:"missingValues,omitempty"`
	Constraints map[string]any `json:"constraints,omitempty"`
}

func (c *Contract) schemaField(o *Object, col *Column, l *lossy) schemaField {
	s := col.Spec
	f := schemaField{Name: col.Name, Type: s.Type.String(), Format: s.Format, Description: col.Description, DecimalChar: s.DecimalChar, GroupChar: s.GroupChar, True: s.True, False: s.False, Delimiter: s.Delimiter, ItemType: s.ItemType, Missing: col.Missing, Constraints: map[string]any{}}
	if s.LooseNumber {
		f.BareNumber = new(bool)
	}
	for _, k := range c.of(o, col.Name) {
		switch k.Kind {
		case TypeOf, PrimaryKey, ForeignKey:
		case Required, Unique:
			f.Constraints[string(k.Kind)] = true
		case Enum:
			f.Constraints["enum"] = k.Values
		case Minimum, Maximum, AboveMin, BelowMax, MinLength, MaxLength, PatternOf:
			f.Constraints[optionNames[k.Kind]] = optionValue(k, col)
		case Nulls:
			if k.Want != (Want{Set: true}) || k.Severity != Failure {
				l.lose(k)
				continue
			}
			f.Constraints["required"] = true
		case Invalid:
			if k.Want != (Want{Set: true}) || k.Severity != Failure || k.Values == nil || k.Pattern != nil {
				l.lose(k)
				continue
			}
			f.Constraints["enum"] = k.Values
		default:
			l.lose(k)
		}
	}
	return f
}
