package contract

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarn/internal/check/cell"
)

// quality reads one quality rule of an object, or of a column.
func (l *loader) quality(o *Object, c *Column, n *node) {
	kind := n.get("type").str()
	if kind == "" && n.get("metric") != nil {
		kind = "library"
	}
	switch kind {
	case "text":
	case "sql":
		l.notRun(n, "sql: "+firstLine(n.get("query").str()))
	case "custom":
		if e := n.get("engine").str(); e != Engine {
			l.notRun(n, "engine "+e)
			return
		}
		l.custom(o, n)
	case "library":
		l.library(o, c, n)
	default:
		l.fail(n, "a quality rule has a metric, or a type")
	}
}

func (l *loader) notRun(n *node, what string) {
	l.c.NotRun = append(l.c.NotRun, NotRun{what, n.line, n.col})
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s
}

// library reads the metrics of ODCS.
func (l *loader) library(o *Object, c *Column, n *node) {
	if n.get("rule") != nil && n.get("metric") == nil {
		l.fail(n.get("rule"), "rule is deprecated; use metric")
		return
	}
	want, ok := l.want(n)
	if !ok {
		return
	}
	metric := n.get("metric").str()
	args := n.get("arguments")
	ck := &Check{Kind: Kind(metric), Object: o, Severity: severity(n.get("severity").str()), Want: want, Code: "constraint-error"}
	if c != nil {
		ck.Columns = []string{c.Name}
	}
	known := map[string][]string{"missingValues": {"missingValues"}, "invalidValues": {"validValues", "pattern"}, "duplicateValues": {"properties"}}[metric]
	if args != nil {
		for _, k := range args.keys {
			if !slices.Contains(known, k.name) {
				l.fail(k.node, "unknown argument %q of %s", k.name, metric)
				return
			}
		}
	}
	switch metric {
	case "rowCount":
		ck.Columns, ck.Code = nil, "row-count"
		if c != nil {
			l.fail(n, "rowCount is a metric of a table, not of a column")
			return
		}
	case "duplicateValues":
		ck.Code = "unique-error"
		if c == nil {
			if ck.Columns = l.names(args.get("properties"), "properties"); ck.Columns == nil && args.get("properties") != nil {
				return
			}
		}
	case "missingValues":
		if args.get("missingValues") == nil {
			l.fail(n, "missingValues needs arguments: {missingValues: […]}")
			return
		}
		ck.Values = l.missing(args.get("missingValues"), "missingValues")
	case "invalidValues":
		if !l.invalid(ck, args, n) {
			return
		}
	}
	if metric != "rowCount" && c == nil {
		var ok bool
		if ck.Columns, ok = l.columns(n, o, ck.Columns, metric); !ok {
			return
		}
	}
	ck.Text = fmt.Sprintf("%s %s", metric, want)
	if len(ck.Columns) > 0 {
		ck.Text = fmt.Sprintf("%s of %s %s", metric, strings.Join(ck.Columns, ", "), want)
	}
	if name := n.get("name").str(); name != "" {
		ck.Text = name + ": " + ck.Text
	}
	l.add(n, ck)
}

// find is the column of an object with a name of the contract or, where no column has that, of the data.
func (l *loader) find(o *Object, name string) *Column {
	if c := l.logical[o][name]; c != nil {
		return c
	}
	return o.Column(name)
}

// columns are the columns that a check needs, by the names of the data.
func (l *loader) columns(n *node, o *Object, names []string, what string) ([]string, bool) {
	if len(names) == 0 {
		l.fail(n, "%s needs a column", what)
		return nil, false
	}
	var found []string
	for _, name := range names {
		c := l.find(o, name)
		if c == nil {
			l.fail(n, "%s: %s has no column %q", what, o.Name, name)
			return nil, false
		}
		found = append(found, c.Name)
	}
	return found, true
}

// column is columns for one.
func (l *loader) column(n *node, o *Object, name *string, what string) bool {
	found, ok := l.columns(n, o, []string{*name}, what)
	if ok {
		*name = found[0]
	}
	return ok
}

func (l *loader) invalid(ck *Check, args, n *node) bool {
	ck.Values = l.values(args.get("validValues"), "validValues")
	if p := args.get("pattern"); p != nil {
		var err error
		if ck.Pattern, err = cell.NewPattern(l.text(p, "pattern")); err != nil {
			l.fail(p, "%v", err)
			return false
		}
	}
	if args.get("validValues") == nil && ck.Pattern == nil {
		l.fail(n, "invalidValues needs arguments: {validValues: […]} or {pattern: …}")
		return false
	}
	return true
}

// want reads the operator and the unit of a rule.
func (l *loader) want(n *node) (w Want, ok bool) {
	for _, k := range n.keys {
		op, is := opNames[k.name]
		if !is {
			continue
		}
		w.Op, w.Set = op, true
		if op == Between || op == NotBetween {
			w.A, _ = k.list[0].number()
			if w.B, _ = k.list[1].number(); w.A > w.B {
				l.fail(k.node, "the smaller number stands first")
				return w, false
			}
			continue
		}
		if w.A, is = k.node.number(); !is {
			l.fail(k.node, "%s needs a number", k.name)
			return w, false
		}
	}
	switch u := n.get("unit").str(); u {
	case "", "rows":
	case "percent", "%":
		w.Percent = true
	default:
		l.fail(n.get("unit"), "unit is rows or percent, not %q", u)
		return w, false
	}
	if w.Percent && n.get("metric").str() == "rowCount" {
		l.fail(n.get("unit"), "a row count has no percent")
		return w, false
	}
	return w, true
}

// custom reads a rule of "engine: tarn".
func (l *loader) custom(o *Object, n *node) {
	impl := n.get("implementation")
	if impl.kind != 'm' {
		l.fail(impl, "the implementation for tarn is a mapping with the key check")
		return
	}
	name := impl.get("check")
	if name == nil || !slices.Contains(customNames(), name.str()) {
		if name == nil {
			name = impl
		}
		l.fail(name, "unknown check %q; there are %s", name.str(), strings.Join(customNames(), ", "))
		return
	}
	if !l.validate(impl, checksURL+"#/$defs/"+name.str()) {
		return
	}
	ck := &Check{Kind: Kind(name.str()), Object: o, Severity: severity(n.get("severity").str())}
	b, err := json.Marshal(impl.plain())
	if err == nil {
		err = json.Unmarshal(b, &ck.Custom)
	}
	if err != nil {
		l.fail(impl, "%v", err)
		return
	}
	before := len(l.errs)
	l.body(o, impl, ck)
	if len(l.errs) > before {
		return
	}
	if label := n.get("name").str(); label != "" {
		ck.Text = label
	} else if ck.Custom.Name != "" {
		ck.Text = ck.Custom.Name
	}
	l.add(impl, ck)
}

var customCodes = map[Kind]string{FileCount: "file-count", FileNames: "file-name", FileSize: "byte-count", FileDigests: "hash-count", DupFiles: "duplicate-file", Leakage: "leakage",
	Decode: "format-error", Encoding: "encoding-error", RowRule: "row-constraint", ForeignKey: "foreign-key", Freshness: "freshness", Balance: "class-balance",
	Labelled: "conflicting-label", DupRows: "duplicate-row"}

// body checks what the schema of a custom check can't.
func (l *loader) body(o *Object, n *node, ck *Check) {
	b := &ck.Custom
	ck.Code = customCodes[ck.Kind]
	if b.Files != "" {
		ck.Files = l.glob(n.get("files"), b.Files)
	}
	if b.Min != nil && b.Max != nil && *b.Min > *b.Max {
		l.fail(n.get("max"), "max is less than min")
	}
	if b.Columns != nil {
		b.Columns, _ = l.columns(n.get("columns"), o, b.Columns, b.Check)
	}
	ck.Columns = b.Columns
	switch ck.Kind {
	case FileCount, FileSize:
		ck.Text = string(ck.Kind) + bounds(b)
	case FileNames:
		b.AllowGlobs, b.ForbidGlobs = l.globs(n.get("allow"), b.Allow), l.globs(n.get("forbid"), b.Forbid)
		b.RequireGlobs = l.globs(n.get("require"), b.Require)
		ck.Text = "file names"
	case FileDigests:
		ck.Text = fmt.Sprintf("digests of %d files", len(b.Digests))
	case DupFiles:
		ck.Text = "no two files are the same"
	case Leakage:
		l.leakage(o, n, ck)
	case Decode:
		ck.Text = "files can be decoded to the end"
	case Encoding:
		ck.Text = "files are " + b.Encoding
	case RowRule:
		ck.Expr, ck.Text = b.Expr, b.Expr
		ck.Columns = nil
	case ForeignKey:
		l.foreign(o, n, ck)
	case Freshness:
		l.freshness(o, n, ck)
	case Balance:
		l.column(n.get("column"), o, &b.Column, b.Check)
		ck.Columns, ck.Text = []string{b.Column}, "classes of "+b.Column
	case Labelled:
		l.column(n.get("label"), o, &b.Label, b.Check)
		ck.Text = "same features, same " + b.Label
	case DupRows:
		ck.Text = "no two rows are the same"
	}
	if ck.NeedsRows() && len(o.Columns) == 0 {
		l.fail(n, "%s looks at rows, and %s has no properties", b.Check, o.Name)
	}
}

func bounds(b *Body) string {
	s := ""
	if b.Min != nil {
		s += fmt.Sprintf(" ≥ %s", strconv.FormatFloat(*b.Min, 'f', -1, 64))
	}
	if b.Max != nil {
		s += fmt.Sprintf(" ≤ %s", strconv.FormatFloat(*b.Max, 'f', -1, 64))
	}
	return s
}

func (l *loader) globs(n *node, patterns []string) []Glob {
	var gs []Glob
	for i, p := range patterns {
		gs = append(gs, l.glob(n.list[i], p))
	}
	return gs
}

func (l *loader) leakage(o *Object, n *node, ck *Check) {
	b := &ck.Custom
	b.SplitGlobs = map[string]Glob{}
	for _, k := range n.get("splits").keys {
		b.SplitGlobs[k.name] = l.glob(k.node, k.node.str())
	}
	ck.Text = fmt.Sprintf("no %s is in two of %s", b.By, strings.Join(b.SplitNames(), ", "))
	if b.By == "key" && n.get("columns") == nil {
		l.fail(n, "%s needs a column", b.Check)
	} else if b.By != "key" && ck.Columns != nil {
		l.fail(n.get("columns"), "columns go with by: key")
	}
}

// foreign reads "to": OBJECT.COLUMN, or FILES#COLUMN, for several columns with commas.
func (l *loader) foreign(o *Object, n *node, ck *Check) {
	target, cols, ok := strings.Cut(ck.Custom.To, "#")
	if !ok {
		l.fail(n.get("to"), "to is FILES#COLUMN, or FILES#COLUMN,COLUMN")
		return
	}
	l.glob(n.get("to"), target)
	ck.Ref = &Reference{Files: target, Dataset: ck.Custom.Dataset, Columns: strings.Split(cols, ",")}
	ck.Text = fmt.Sprintf("%s is in %s", strings.Join(ck.Columns, ", "), ck.Custom.To)
	if len(ck.Columns) > 0 && len(ck.Ref.Columns) != len(ck.Columns) {
		l.fail(n.get("to"), "%d columns point to %d", len(ck.Columns), len(ck.Ref.Columns))
	}
}

func (l *loader) freshness(o *Object, n *node, ck *Check) {
	b := &ck.Custom
	if l.column(n.get("column"), o, &b.Column, b.Check) {
		if t := o.Column(b.Column).Spec.Type; t != cell.Date && t != cell.Datetime {
			l.fail(n.get("column"), "freshness needs a date or a timestamp, and %s is of type %s", b.Column, t)
		}
	}
	ck.Columns = []string{b.Column}
	ck.Text = fmt.Sprintf("the newest %s is at most %s old", b.Column, b.MaxAge)
	unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}[b.MaxAge[len(b.MaxAge)-1]]
	f, err := strconv.ParseFloat(b.MaxAge[:len(b.MaxAge)-1], 64)
	if err != nil || f > 1e6 {
		l.fail(n.get("maxAge"), "%q is no age", b.MaxAge)
	}
	b.Age = time.Duration(f * float64(unit))
}
