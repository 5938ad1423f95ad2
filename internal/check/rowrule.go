package check

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"tarn/internal/check/cell"
	"tarn/internal/check/table"
)

// rowRule is an expression that holds for each row.
type rowRule struct {
	state   *state
	slot    int
	program *vm.Program
	columns []int // of the contract, that the expression uses
	keyed   bool  // it uses row
	whole   bool  // it uses row by itself, so all columns
}

// rowEnv is what a worker needs to run expressions.
type rowEnv struct {
	vm  vm.VM
	env map[string]any
	row map[string]any
}

func newRowEnv() rowEnv { return rowEnv{env: map[string]any{}, row: map[string]any{}} }

// exprNodes bounds an expression, exprMemory what one evaluation may allocate (in units of the library: elements).
const (
	exprNodes  = 1000
	exprMemory = 100_000
)

// CheckExpr says whether an expression can be compiled and which of the columns it uses, by their names and as row["name"], or with row by itself all.
func CheckExpr(text string, columns []string) (used, keyed []string, whole bool, err error) {
	tree, err := parser.Parse(text)
	if err != nil {
		return nil, nil, false, err
	}
	v := &identifiers{alone: map[string]int{}}
	ast.Walk(&tree.Node, v)
	for _, name := range slices.Sorted(maps.Keys(v.alone)) {
		isColumn := slices.Contains(columns, name)
		switch {
		case v.alone[name] == 0: // as row["…"] only
		case isColumn && (name == "row" || slices.Contains(v.functions, name)):
			return nil, nil, false, fmt.Errorf("%s is a column, and has another meaning here, too: write row[%q] for the column", name, name)
		case isColumn:
			used = append(used, name)
		case name == "row":
			whole = true
		case !slices.Contains(v.local, name):
			return nil, nil, false, fmt.Errorf("there is no column %q", name)
		}
	}
	for _, name := range v.rows {
		if !slices.Contains(columns, name) {
			return nil, nil, false, fmt.Errorf("there is no column %q", name)
		}
	}
	return used, v.rows, whole, nil
}

// identifiers are the names in an expression: of values, with how often they stand alone; of functions; of what it declares; and what row is asked for.
type identifiers struct {
	alone                  map[string]int
	functions, local, rows []string
}

// Visit collects the names of variables, and the keys that row is asked for. It is called for the parts of a node before the node.
func (v *identifiers) Visit(n *ast.Node) {
	switch n := (*n).(type) {
	case *ast.IdentifierNode:
		v.alone[n.Value]++
	case *ast.VariableDeclaratorNode:
		v.local = append(v.local, n.Name)
	case *ast.BuiltinNode:
		v.functions = append(v.functions, n.Name)
	case *ast.MemberNode:
		base, ok := n.Node.(*ast.IdentifierNode)
		key, isText := n.Property.(*ast.StringNode)
		if ok && isText && base.Value == "row" {
			v.alone["row"]--
			v.rows = append(v.rows, key.Value)
		}
	}
}

func (r *run) newRowRule(o *object, s *state, slot int) (*rowRule, error) {
	var names []string
	for _, c := range o.Columns {
		names = append(names, c.Name)
	}
	used, keyed, whole, err := CheckExpr(s.Expr, names)
	if err != nil {
		return nil, &RuleError{r.in.Contract.File, s, err}
	}
	opts := []expr.Option{expr.AllowUndefinedVariables(), expr.AsBool(), expr.MaxNodes(exprNodes), expr.DisableBuiltin("now")}
	for _, n := range used { // a column may be called as a function is
		opts = append(opts, expr.DisableBuiltin(n))
	}
	program, err := expr.Compile(s.Expr, opts...)
	if err != nil {
		return nil, &RuleError{r.in.Contract.File, s, err}
	}
	e := &rowRule{state: s, slot: slot, program: program, keyed: whole || len(keyed) > 0, whole: whole}
	for i, n := range names {
		if whole || slices.Contains(used, n) || slices.Contains(keyed, n) {
			e.columns = append(e.columns, i)
		}
	}
	if len(e.columns) == 0 {
		return nil, &RuleError{r.in.Contract.File, s, fmt.Errorf("it looks at no column")}
	}
	return e, nil
}

// RuleError is an expression that can't be run: the contract is wrong.
type RuleError struct {
	file  string // the contract
	check *state
	err   error
}

func (e *RuleError) Error() string {
	return fmt.Sprintf("%s:%d:%d: rule %q: %s", e.file, e.check.Line, e.check.Col, e.check.Expr, oneLine.ReplaceAllString(e.err.Error(), " "))
}

var oneLine = regexp.MustCompile(`\s*\n[\s|.^]*`)

// rows runs an expression over a batch. A row for which it can't be evaluated (null > 3) is a violation: nothing passes by accident.
func (w *worker) rows(e *rowRule, b *table.Batch) {
	cols := make([]*table.Column, len(e.columns))
	for j, i := range e.columns {
		if cols[j] = w.column(b, i); cols[j] == nil && e.whole {
			cols[j] = &nullColumn
		} else if cols[j] == nil {
			return
		}
	}
	w.row.vm.MemoryBudget = exprMemory
	for r := range b.Rows {
		for j, i := range e.columns {
			ru := w.p.columns[i]
			v := w.dynamic(ru, cols[j], r)
			w.row.env[ru.Name] = v
			if e.keyed {
				w.row.row[ru.Name] = v
			}
		}
		w.row.env["row"] = w.row.row
		out, err := w.row.vm.Run(e.program, w.row.env)
		if err != nil {
			w.violation(e.slot, b, r, "", w.values(e), w.unevaluated(err))
		} else if ok, _ := out.(bool); !ok {
			w.violation(e.slot, b, r, "", w.values(e), "it does not hold")
		}
	}
}

// unevaluated says why a row can't be evaluated; the reason may have its values.
func (w *worker) unevaluated(err error) string {
	if w.p.r.in.NoValues {
		return "it can't be evaluated"
	}
	return "it can't be evaluated: " + show([]byte(oneLine.ReplaceAllString(err.Error(), " ")))
}

// values shows what an expression saw.
func (w *worker) values(e *rowRule) []byte {
	w.shown = w.shown[:0]
	for j, i := range e.columns {
		if j > 0 {
			w.shown = append(w.shown, ", "...)
		}
		if len(w.shown) > shownValue {
			break
		}
		name := w.p.columns[i].Name
		w.shown = fmt.Appendf(w.shown, "%s=%v", name, w.row.env[name])
	}
	return w.shown
}

// dynamic is a value as an expression sees it: nil, int, float64, bool, string, time.Time; one that is not of its type is nil.
func (w *worker) dynamic(ru *rule, col *table.Column, r int) any {
	v, n, state := w.read(ru, col, r)
	if state != isValue {
		return nil
	}
	switch ru.Spec.Type {
	case cell.Integer, cell.Number, cell.Year:
		if n.IsInt {
			return int(n.Int)
		}
		return n.Float
	case cell.Boolean:
		return ru.isTrue(v)
	case cell.Date:
		return time.Unix(n.Int*86400, 0).UTC()
	case cell.Datetime:
		return time.Unix(n.Int, int64(n.Nano)).UTC()
	}
	return string(v)
}
