package contract

import (
	"encoding/json"
	"slices"

	"tarn/internal/check/cell"
)

// EncodeTableSchema writes an object as a Table Schema. What it can't say is returned in words.
func EncodeTableSchema(c *Contract, o *Object) (text []byte, lost []string, err error) {
	var l lossy
	top := schemaDoc{Schema: "https://datapackage.org/profiles/2.0/tableschema.json", Name: o.Name, Description: o.Description, PrimaryKey: o.PrimaryKey, FieldsMatch: string(o.Match)}
	if !slices.Equal(o.Missing, []string{""}) {
		top.Missing = o.Missing
	}
	if !o.Files.Everything() {
		l.say("%s: physicalName %s", o.Name, o.Files)
	}
	for _, p := range o.customProperties().Content {
		if name := p.Content[1].Value; name != "tarn.fieldsMatch" && name != "tarn.missingValues" {
			l.say("%s: %s", o.Name, name)
		}
	}
	own := c.owners()
	for _, col := range o.Columns {
		if col.Logical != "" {
			l.say("%s.%s: its name %s", o.Name, col.Name, col.Logical)
		}
		if col.Partition {
			l.say("%s.%s: partitioned", o.Name, col.Name)
		}
		if col.Drift != nil {
			l.say("%s.%s: tarn.drift", o.Name, col.Name)
		}
		top.Fields = append(top.Fields, c.schemaField(col, own[owner{o, col.Name}], &l))
	}
	for _, k := range c.Checks {
		if k.Object != o {
			l.lose(k)
			continue
		}
		if len(k.Columns) == 1 && k.Kind != ForeignKey {
			continue
		}
		switch k.Kind {
		case Source, Labels, Shape, PrimaryKey:
		case Unique:
			top.UniqueKeys = append(top.UniqueKeys, k.Columns)
		case ForeignKey:
			if k.Ref.Object != "" && k.Ref.Object != o.Name || k.Ref.Dataset != "" || k.Severity != Failure {
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
	l.notRun(c)
	b, err := json.MarshalIndent(top, "", "  ")
	return append(b, '\n'), l, err
}

type schemaDoc struct {
	Schema      string          `json:"$schema"` // frictionless takes it for v1 without, and refuses exclusiveMinimum
	Name        string          `json:"name,omitempty"`
	Description string          `json:"description,omitempty"`
	FieldsMatch string          `json:"fieldsMatch,omitempty"`
	Missing     []string        `json:"missingValues,omitzero"` // an empty list is not the default
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
	Missing     []string       `json:"missingValues,omitzero"`
	Constraints map[string]any `json:"constraints,omitempty"`
}

func (c *Contract) schemaField(col *Column, own []*Check, l *lossy) schemaField {
	s := col.Spec
	f := schemaField{Name: col.Name, Type: s.Type.String(), Format: s.Format, Description: col.Description, DecimalChar: s.DecimalChar, GroupChar: s.GroupChar, True: s.True, False: s.False, Delimiter: s.Delimiter, ItemType: s.ItemType, Missing: col.Missing, Constraints: map[string]any{}}
	if s.LooseNumber {
		f.BareNumber = new(bool)
	}
	for _, k := range own {
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
			name, value := "enum", any(k.Values)
			if k.Values == nil && s.Type == cell.String { // frictionless knows no pattern of other types
				name, value = "pattern", k.Pattern.String()
			}
			if k.Want != (Want{Set: true}) || k.Severity != Failure || k.Values != nil && k.Pattern != nil || k.Values == nil && name == "enum" || f.Constraints[name] != nil {
				l.lose(k)
				continue
			}
			f.Constraints[name] = value
		default:
			l.lose(k)
		}
	}
	return f
}
