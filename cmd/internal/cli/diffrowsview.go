package cli

import (
	"fmt"
	"strconv"
	"strings"

	"tarn/internal/check/report"
	"tarn/internal/check/rows"
	"tarn/internal/dataset"
)

// rowsResult is what comes behind the tables.
type rowsResult struct {
	From     string    `json:"from"`
	To       string    `json:"to"`
	Total    rowsTotal `json:"total"`
	Problems []problem `json:"problems"`
	skipped  bool
}

type rowsTotal struct {
	Tables int64 `json:"tables"`
	Unread int64 `json:"not_compared"`
	Others int64 `json:"other_entries"`
	rowCounts
	Spilled int64 `json:"spilled_bytes"`
}

type rowCounts struct {
	Before  int64 `json:"rows_before"`
	After   int64 `json:"rows_after"`
	Same    int64 `json:"rows_same"`
	Added   int64 `json:"rows_added"`
	Removed int64 `json:"rows_removed"`
	Changed int64 `json:"rows_changed"`
	Cells   int64 `json:"cells_changed"`
}

// diffTable is a table that differs.
type diffTable struct {
	Dataset     jsonPath `json:"dataset,omitempty"`
	Path        jsonPath `json:"path"`
	FromDataset jsonPath `json:"from_dataset,omitempty"`
	From        jsonPath `json:"from,omitempty"`
	Change      string   `json:"change"`
	Key         []string `json:"key"`
	KeyLess     string   `json:"key_not_used,omitempty"`
	Columns     struct {
		Added   []string     `json:"added"`
		Removed []string     `json:"removed"`
		Types   []typeChange `json:"types"`
	} `json:"columns"`
	rowCounts
	ByColumn    []columnCount `json:"by_column"`
	RepeatedOld int64         `json:"repeated_before"`
	RepeatedNew int64         `json:"repeated_after"`
	NotRead     []rowProblem  `json:"not_read"`
	Rows        []rowView     `json:"rows"`
	Spilled     int64         `json:"spilled_bytes"`
	Error       string        `json:"error,omitempty"`
	name        string
	res         *rows.Result
}

type typeChange struct {
	Column string `json:"column"`
	Old    string `json:"old"`
	New    string `json:"new"`
}

type columnCount struct {
	Column string `json:"column"`
	Cells  int64  `json:"cells"`
}

type rowProblem struct {
	Side  string `json:"side"`
	Code  string `json:"code"`
	Row   int64  `json:"row"`
	Note  string `json:"note"`
	Count int64  `json:"count"`
}

type rowView struct {
	Kind      rows.Kind  `json:"change"`
	OldRow    int64      `json:"old_row,omitempty"`
	NewRow    int64      `json:"new_row,omitempty"`
	First     int64      `json:"first_row,omitempty"`
	Key       []cellView `json:"key"`
	Cells     []cellView `json:"cells"`
	MoreCells int        `json:"more_cells,omitempty"`
}

type cellView struct {
	Column string  `json:"column"`
	Old    *string `json:"old,omitempty"`
	New    *string `json:"new,omitempty"`
}

func rowCountsView(c rows.Counts) rowCounts {
	return rowCounts{c.Before(), c.After(), c.Same, c.Added, c.Removed, c.Changed, c.Cells}
}

func rowsView(res *dataset.RowDiffResult) *rowsResult {
	return &rowsResult{From: res.From, To: res.To, Problems: problems(res.Problems), skipped: res.RenamesSkipped,
		Total: rowsTotal{res.Tables, res.Unread, res.Others, rowCountsView(res.Counts), res.Spilled}}
}

func tableView(t *dataset.TableDiff) *diffTable {
	v := &diffTable{Dataset: jsonPath(t.Dataset), Path: jsonPath(t.Path), FromDataset: jsonPath(t.FromDataset), Change: "modified", rowCounts: rowCountsView(t.Counts), name: t.Name(), res: t.Rows}
	v.Key, v.ByColumn, v.NotRead, v.Rows = []string{}, []columnCount{}, []rowProblem{}, []rowView{}
	v.Columns.Added, v.Columns.Removed, v.Columns.Types = []string{}, []string{}, []typeChange{}
	switch {
	case t.Old == nil:
		v.Change = "added"
	case t.New == nil:
		v.Change = "removed"
	case t.Dataset == "" && t.Old.Path != t.Path:
		v.From = jsonPath(t.Old.Path)
	}
	if t.Err != nil {
		v.Error = errorText(t.Err)
	}
	if res := t.Rows; res != nil {
		v.fill(res)
	}
	return v
}

func (v *diffTable) fill(res *rows.Result) {
	v.Key, v.KeyLess = append(v.Key, res.Key...), res.KeyLess
	v.Columns.Added = append(v.Columns.Added, res.Columns.Added...)
	v.Columns.Removed = append(v.Columns.Removed, res.Columns.Removed...)
	for _, t := range res.Columns.Types {
		v.Columns.Types = append(v.Columns.Types, typeChange(t))
	}
	for _, c := range res.ByColumn {
		v.ByColumn = append(v.ByColumn, columnCount(c))
	}
	for _, p := range res.Problems {
		side := "new"
		if p.Old {
			side = "old"
		}
		v.NotRead = append(v.NotRead, rowProblem{side, p.Code, p.Row, p.Note, p.Count})
	}
	cells := func(list []rows.Cell) []cellView {
		out := []cellView{}
		for _, c := range list {
			out = append(out, cellView(c))
		}
		return out
	}
	for _, r := range res.Rows {
		v.Rows = append(v.Rows, rowView{r.Kind, r.OldRow, r.NewRow, r.First, cells(r.Key), cells(r.Cells), r.MoreCells})
	}
	v.RepeatedOld, v.RepeatedNew, v.Spilled = res.Repeated[0], res.Repeated[1], res.Spilled
}

// text is "2 added, 1 changed".
func (c *rowCounts) text() string {
	var parts []string
	for _, p := range []struct {
		n    int64
		what string
	}{{c.Added, "added"}, {c.Removed, "removed"}, {c.Changed, "changed"}} {
		if p.n > 0 {
			n := count(p.n)
			if len(parts) == 0 {
				n = many(p.n, "row")
			}
			parts = append(parts, n+" "+p.what)
		}
	}
	if len(parts) == 0 {
		return "no row differs"
	}
	s := strings.Join(parts, ", ")
	if c.Cells > 0 {
		s += " (" + many(c.Cells, "cell") + ")"
	}
	return s
}

// names are the first of a list.
func names(list []string) string {
	const most = 20
	var out []string
	for i, n := range list {
		if i == most {
			return strings.Join(out, ", ") + ", … and " + count(int64(len(list)-most)) + " more"
		}
		out = append(out, report.Clean(n))
	}
	return strings.Join(out, ", ")
}

// notes are what is said in front of rows, columns first.
func (v *diffTable) notes() (out []string) {
	list := func(what string, cols []string) {
		if len(cols) > 0 {
			noun := "column"
			if len(cols) > 1 {
				noun = "columns"
			}
			out = append(out, noun+" "+what+": "+names(cols))
		}
	}
	list("added", v.Columns.Added)
	list("removed", v.Columns.Removed)
	var types []string
	for _, t := range v.Columns.Types {
		types = append(types, t.Column+" "+t.Old+" → "+t.New)
	}
	list("of another type", types)
	if v.KeyLess != "" {
		out = append(out, "the primary key of the contract is not used: a side has no column "+report.Clean(v.KeyLess))
	}
	for i := range v.NotRead {
		p := &v.NotRead[i]
		problem := rows.Problem{Old: p.Side == "old", Code: p.Code, Row: p.Row, Note: p.Note, Count: p.Count}
		out = append(out, "not compared: "+report.Clean(problem.String()))
	}
	for _, side := range []struct {
		n    int64
		what string
	}{{v.RepeatedOld, "old"}, {v.RepeatedNew, "new"}} {
		if side.n > 0 {
			verb := " repeat"
			if side.n == 1 {
				verb = " repeats"
			}
			out = append(out, "the key is not unique: "+many(side.n, "row")+" of the "+side.what+" version"+verb+" that of an earlier one; rows of such keys are added or removed, never changed")
		}
	}
	if v.Error != "" {
		out = append(out, "could not be compared: "+report.Clean(v.Error))
		return out
	}
	what := v.rowCounts.text()
	if v.Change != "modified" {
		what = "the file was " + v.Change + ": " + many(v.Added+v.Removed, "row")
	} else if !v.res.Any() {
		what += ": " + many(v.Same, "row")
		if !v.res.Columns.Any() {
			what += " in another order or written in another way"
		}
	}
	out = append(out, what)
	if len(v.ByColumn) > 0 {
		var cols []string
		for _, c := range v.ByColumn {
			cols = append(cols, c.Column+" "+count(c.Cells))
		}
		out = append(out, "changed cells by column: "+names(cols))
	}
	if v.Spilled > 0 {
		out = append(out, size(v.Spilled)+" of hashes went to temporary files")
	}
	return out
}

// title is the table's name, and how its rows were told apart.
func (v *diffTable) title(name func(string) string) string {
	s := name(v.name)
	if v.From != "" {
		s = name(string(v.From)) + " → " + s
	}
	return s
}

func (v *diffTable) by() string {
	switch {
	case v.res == nil:
		return ""
	case len(v.Key) == 0:
		return "without a key"
	}
	return "by " + names(v.Key)
}

var rowSigns = map[rows.Kind]string{rows.Changed: "~", rows.Removed: "-", rows.Added: "+", rows.Repeated: "!"}
var rowColors = map[rows.Kind]string{rows.Changed: yellow, rows.Removed: red, rows.Added: green, rows.Repeated: yellow}

// text prints one table.
func (v *diffTable) text(p *printer) {
	p.f("%s", p.paint(bold, v.title(p.path)))
	if by := v.by(); by != "" {
		p.f("  %s", p.paint(dim, by))
	}
	p.f("\n")
	for _, n := range v.notes() {
		p.f("  %s\n", n)
	}
	for i := range v.Rows {
		r := &v.Rows[i]
		p.f("    %s %s\n", p.paint(rowColors[r.Kind], rowSigns[r.Kind]), r.line())
		if last := i+1 == len(v.Rows) || v.Rows[i+1].Kind != r.Kind; last {
			if more := v.more(r.Kind); more > 0 {
				p.f("      … and %s more\n", count(more))
			}
		}
	}
}

// more is how many rows of a kind are not shown.
func (v *diffTable) more(k rows.Kind) int64 {
	n := map[rows.Kind]int64{rows.Changed: v.Changed, rows.Removed: v.Removed, rows.Added: v.Added, rows.Repeated: v.RepeatedOld + v.RepeatedNew}[k]
	for i := range v.Rows {
		if v.Rows[i].Kind == k {
			n--
		}
	}
	return n
}

// place is which row it is.
func (r *rowView) place() string {
	switch {
	case r.First > 0:
		side := "new"
		if r.OldRow > 0 {
			side = "old"
		}
		return fmt.Sprintf("%s row %d repeats row %d", side, max(r.OldRow, r.NewRow), r.First)
	case r.OldRow > 0 && r.NewRow > 0 && r.OldRow != r.NewRow:
		return fmt.Sprintf("row %d → %d", r.OldRow, r.NewRow)
	}
	return fmt.Sprintf("row %d", max(r.OldRow, r.NewRow))
}

// line is a row in one line.
func (r *rowView) line() string {
	s := r.place()
	if k := r.keyText(); k != "" {
		s += " " + k
	}
	if c := r.cellsText(); c != "" {
		s += ": " + c
	}
	return s
}

func (r *rowView) keyText() string {
	var key []string
	for _, c := range r.Key {
		key = append(key, report.Clean(c.Column)+"="+value(c.any()))
	}
	return strings.Join(key, ", ")
}

func (r *rowView) cellsText() string {
	var cells []string
	for _, c := range r.Cells {
		name := report.Clean(c.Column)
		switch {
		case r.Kind == rows.Changed && c.Old == nil && c.New == nil: // values are not shown
			cells = append(cells, name)
		case r.Kind == rows.Changed:
			cells = append(cells, name+" "+value(c.Old)+" → "+value(c.New))
		default:
			cells = append(cells, name+"="+value(c.any()))
		}
	}
	if r.MoreCells > 0 {
		cells = append(cells, "… and "+many(int64(r.MoreCells), "cell")+" more")
	}
	return strings.Join(cells, ", ")
}

func (c *cellView) any() *string {
	if c.New != nil {
		return c.New
	}
	return c.Old
}

// value is a value as it is, where that is plain, else between quotes.
func value(v *string) string {
	if v == nil {
		return "null"
	}
	if _, err := strconv.ParseFloat(*v, 64); err == nil {
		return *v
	}
	return report.Quote(*v)
}

// sentence sums up.
func (r *rowsResult) sentence() string {
	switch {
	case r.Total.Tables == 0:
		return "No table differs."
	case r.Total.Tables == r.Total.Unread:
		return many(r.Total.Tables, "table") + " could not be compared."
	}
	s := many(r.Total.Tables, "table") + ": " + r.Total.text()
	if r.Total.Unread > 0 {
		s += "; " + count(r.Total.Unread) + " could not be compared"
	}
	return s + "."
}

// Text is what comes behind the tables.
func (r *rowsResult) Text(p *printer) {
	if r.Total.Tables > 0 {
		p.f("\n")
	}
	p.f("%s\n", r.sentence())
	if r.Total.Others > 0 {
		p.f("%s no table, or renamed only; tarn diff shows them\n", are(r.Total.Others))
	}
	if r.skipped {
		p.f("No renames were looked for: there are too many changes (--rename-limit).\n")
	}
}

// are is "1 other entry that differs is".
func are(n int64) string {
	if n == 1 {
		return "1 other entry that differs is"
	}
	return many(n, "other entry") + " that differ are"
}

// outputs are the lines for $GITHUB_OUTPUT.
func (r *rowsResult) outputs() string {
	return fmt.Sprintf("differs=%t\ntables=%d\nrows_added=%d\nrows_removed=%d\nrows_changed=%d\ncells_changed=%d\n", r.Total.Tables+r.Total.Others > 0, r.Total.Tables, r.Total.Added, r.Total.Removed, r.Total.Changed, r.Total.Cells)
}
