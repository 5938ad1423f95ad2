package contract

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tarn/internal/check/cell"
)

// Contract is what a file of expectations says.
type Contract struct {
	File    string // as it is named in messages
	Form    Form
	Name    string
	Version string
	Objects []*Object
	Checks  []*Check
	NotRun  []NotRun // what the contract asks for and tarn does not do
}

// Form is the language of a contract.
type Form uint8

// The forms.
const (
	ODCS Form = iota
	TableSchema
)

// NotRun is a check for another engine.
type NotRun struct {
	What      string
	Line, Col int
}

// Object is a table, or a set of files.
type Object struct {
	Name        string
	Description string
	Files       Glob // of the entries that it is made of
	Format      string
	Dialect     Dialect
	Columns     []*Column
	Match       Match
	PrimaryKey  []string
	Missing     []string // texts that stand for no value; Table Schema: [""]
	Drift       *Drift   // limits of all columns; nil: those that tarn has
	Line, Col   int

	places map[string]int // of the first columns, by name
	placed int            // how many these are
}

// IsTable says that the object has columns or checks that need rows.
func (o *Object) IsTable() bool { return len(o.Columns) > 0 }

// Dialect says how a file of text is cut into cells; zero values are found out from the file.
type Dialect struct {
	Delimiter   string
	Quote       string
	Escape      string
	NoDouble    bool // a quote in a quoted cell is not doubled
	Comment     string
	NoHeader    bool
	Skip        int // lines in front of the header
	Encoding    string
	SkipInitial bool
}

// Match says how the columns of the data and of the contract go together (fieldsMatch of Table Schema v2).
type Match string

// The ways to match; a Table Schema has Exact where it says nothing, an ODCS contract Subset.
const (
	Exact    Match = "exact"    // the same names in the same order
	Equal    Match = "equal"    // the same names
	Subset   Match = "subset"   // the contract's columns are there, others may be
	Superset Match = "superset" // no others are there, some may lack
	Partial  Match = "partial"  // at least one is there
)

// Column is a column of a table.
type Column struct {
	Name        string // that the data has
	Logical     string // what the contract calls it, where that is something else
	Description string
	Spec        cell.Spec
	Missing     []string // nil: as the object says
	Partition   bool     // its value is in the path (Hive)
	Drift       *Drift   // limits that differ from those of the object; nil: none
	Line, Col   int
}

// Column is the column of a name, or nil.
func (o *Object) Column(name string) *Column {
	if i := o.Index(name); i >= 0 {
		return o.Columns[i]
	}
	return nil
}

// Index is the place of the column of a name among the columns, or -1.
func (o *Object) Index(name string) int {
	for ; o.placed < len(o.Columns); o.placed++ {
		if o.places == nil {
			o.places = map[string]int{}
		}
		if _, twice := o.places[o.Columns[o.placed].Name]; !twice {
			o.places[o.Columns[o.placed].Name] = o.placed
		}
	}
	if i, ok := o.places[name]; ok {
		return i
	}
	return -1
}

// logical is what the contract calls a column of the data.
func (o *Object) logical(name string) string {
	if c := o.Column(name); c != nil && c.Logical != "" {
		return c.Logical
	}
	return name
}

func (o *Object) logicals(names []string) []string {
	var all []string
	for _, n := range names {
		all = append(all, o.logical(n))
	}
	return all
}

// Severity says what a failed check means.
type Severity uint8

// The severities, worst last.
const (
	Info Severity = iota
	Warning
	Failure
)

func (s Severity) String() string { return [...]string{"info", "warning", "error"}[s] }

// severity reads the free text that ODCS has for it; what is not known counts as an error.
func severity(s string) Severity {
	switch strings.ToLower(s) {
	case "info", "informational", "notice":
		return Info
	case "warning", "warn", "low", "minor":
		return Warning
	}
	return Failure
}

// Kind is what a check looks at.
type Kind string

// The kinds. Those of cells are counted in one pass over the rows.
const (
	Source      Kind = "source"       // the file can be read to its end, in its format and encoding
	Labels      Kind = "labels"       // the header has the columns
	Shape       Kind = "shape"        // each row has as many cells as the header, and none is blank
	TypeOf      Kind = "type"         // cells are of their column's type
	Required    Kind = "required"     // no null
	Minimum     Kind = "minimum"      // Limit
	Maximum     Kind = "maximum"      // Limit
	AboveMin    Kind = "exclusiveMin" // Limit
	BelowMax    Kind = "exclusiveMax" // Limit
	MultipleOf  Kind = "multipleOf"   // Number
	MinLength   Kind = "minLength"    // Number, code points
	MaxLength   Kind = "maxLength"    // Number, code points
	PatternOf   Kind = "pattern"      // Pattern
	Enum        Kind = "enum"         // Values
	Nulls       Kind = "nullValues"   // counts nulls against Want
	MissingOf   Kind = "missingValues"
	Invalid     Kind = "invalidValues" // counts what is neither in Values nor matches Pattern
	RowRule     Kind = "rowRule"       // Expr
	Unique      Kind = "unique"        // Columns together; nulls don't count
	PrimaryKey  Kind = "primaryKey"    // Columns together; no null
	Duplicates  Kind = "duplicateValues"
	DupRows     Kind = "duplicateRows"
	ForeignKey  Kind = "foreignKey" // Columns are in Ref
	Labelled    Kind = "conflictingLabels"
	RowCount    Kind = "rowCount"
	Freshness   Kind = "freshness"
	Balance     Kind = "classBalance"
	FileCount   Kind = "fileCount"
	FileNames   Kind = "fileNames"
	FileSize    Kind = "fileSize"
	FileDigests Kind = "digests"
	DupFiles    Kind = "duplicateFiles"
	Leakage     Kind = "leakage"
	Decode      Kind = "decode"
	Encoding    Kind = "encoding"
)

// Check is one thing that must hold.
type Check struct {
	Key       string // unique in the contract, and the same as long as the contract's names are: "orders.id.minimum"
	Kind      Kind
	Code      string // of a violation, as frictionless calls it
	Object    *Object
	Columns   []string
	Severity  Severity
	Text      string // what must hold, for people
	Line, Col int
	Want      Want

	Limit   cell.Value
	Bound   string // Limit as the contract has it
	Number  float64
	Pattern *cell.Pattern
	Values  []string
	Expr    string
	Ref     *Reference
	Files   Glob // of checks of files; those of the object where it is not set
	Custom  Body
}

// Want is a bound on a count of violations, of rows, or on their share in percent of the rows.
type Want struct {
	Op      Op
	A, B    float64
	Percent bool
	Set     bool
}

// Op compares.
type Op uint8

// The operators of ODCS. Between includes both ends: the standard's text says it does not, its symbol that it does.
const (
	MustBe Op = iota
	MustNotBe
	Greater
	GreaterEqual
	Less
	LessEqual
	Between
	NotBetween
)

var opNames = map[string]Op{"mustBe": MustBe, "mustNotBe": MustNotBe, "mustBeGreaterThan": Greater, "mustBeGreaterOrEqualTo": GreaterEqual,
	"mustBeLessThan": Less, "mustBeLessOrEqualTo": LessEqual, "mustBeBetween": Between, "mustNotBeBetween": NotBetween}

// Holds says whether v, which is of total rows, is as wanted. A want that is not set wants 0.
func (w Want) Holds(v, total int64) bool {
	x := float64(v)
	if w.Percent {
		if total == 0 {
			x = 0
		} else {
			x = 100 * x / float64(total)
		}
	}
	switch w.Op {
	case MustNotBe:
		return x != w.A
	case Greater:
		return x > w.A
	case GreaterEqual:
		return x >= w.A
	case Less:
		return x < w.A
	case LessEqual:
		return x <= w.A
	case Between:
		return x >= w.A && x <= w.B
	case NotBetween:
		return x < w.A || x > w.B
	}
	return x == w.A
}

func (w Want) String() string {
	unit := ""
	if w.Percent {
		unit = " %"
	}
	symbol := [...]string{"=", "≠", ">", "≥", "<", "≤"}
	switch w.Op {
	case Between:
		return fmt.Sprintf("in [%v, %v]%s", w.A, w.B, unit)
	case NotBetween:
		return fmt.Sprintf("not in [%v, %v]%s", w.A, w.B, unit)
	}
	return fmt.Sprintf("%s %v%s", symbol[w.Op], w.A, unit)
}

// Reference is where a foreign key points to.
type Reference struct {
	Object  string   // an object of this contract; "" for Files
	Files   string   // a glob in Dataset; "" for Object
	Dataset string   // a path as the contract has it; "" is the dataset that is checked
	Columns []string // as many as the check has
}

// Body is what a custom check says beyond its name; the fields that its kind has are set.
type Body struct {
	Check    string            `json:"check"`
	Name     string            `json:"name"`
	Files    string            `json:"files"`
	Min      *float64          `json:"min"`
	Max      *float64          `json:"max"`
	Allow    []string          `json:"allow"`
	Forbid   []string          `json:"forbid"`
	Require  []string          `json:"require"`
	Digests  map[string]string `json:"digests"`
	Splits   map[string]string `json:"splits"`
	By       string            `json:"by"`
	Columns  []string          `json:"columns"`
	Column   string            `json:"column"`
	Label    string            `json:"label"`
	To       string            `json:"to"`
	Dataset  string            `json:"dataset"`
	Expr     string            `json:"expr"`
	Encoding string            `json:"encoding"`
	As       string            `json:"as"`
	MaxAge   string            `json:"maxAge"`
	MinShare float64           `json:"minShare"`
	MaxShare float64           `json:"maxShare"`
	MaxRatio float64           `json:"maxRatio"`

	AllowGlobs, ForbidGlobs, RequireGlobs []Glob          `json:"-"`
	SplitGlobs                            map[string]Glob `json:"-"`
	Age                                   time.Duration   `json:"-"`
}

// SplitNames are the names of the splits, sorted.
func (b *Body) SplitNames() []string {
	names := make([]string, 0, len(b.Splits))
	for n := range b.Splits {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// NeedsRows says that tables have to be read for the check.
func (c *Check) NeedsRows() bool {
	switch c.Kind {
	case FileCount, FileNames, FileSize, FileDigests, DupFiles, Decode, Encoding:
		return false
	case Leakage:
		return c.Custom.By != "file"
	}
	return true
}
