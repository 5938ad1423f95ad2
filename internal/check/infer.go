package check

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"tarn/internal/check/cell"
	"tarn/internal/check/contract"
	"tarn/internal/check/decode"
	"tarn/internal/check/table"
)

// Bounds on what a guess looks at: the labels of all files, and then the first rows of the first files of each table.
const (
	inferTables = 100
	inferRows   = 100_000
	inferFiles  = 50
	inferKept   = 2_000_000 // different values that are kept, all columns together
	inferValues = 12        // different values that make a column one of classes
	inferEnough = 100       // rows before a guess about values is made
)

// Guess is a contract that was made from data.
type Guess struct {
	Contract *contract.Contract
	Comments contract.Comments // what each guess rests on
	Left     int               // files of tables that the contract leaves out, as there are too many different ones
}

// Infer guesses a contract from the data of in.Source, one that holds for them. Files that have the same columns are one table.
func Infer(ctx context.Context, in Input, name string) (*Guess, error) {
	known := map[int]string{}
	for {
		f := &inferring{ctx: ctx, in: in, c: &contract.Contract{Name: name}, comments: contract.Comments{}, known: known}
		if err := f.run(); err != nil {
			return nil, err
		}
		if again, err := f.lookAgain(); err != nil {
			return nil, err
		} else if !again {
			return &Guess{f.c, f.comments, f.left}, nil
		}
	}
}

// inferring is one run of Infer.
type inferring struct {
	ctx      context.Context
	in       Input
	c        *contract.Contract
	comments contract.Comments

	entries []Entry
	owner   []int // by entry: the table that it is of; noTable, unread
	tables  []*inferred
	left    int
	known   map[int]string // encodings, by entry, of files that were looked at to their end
}

func (f *inferring) run() error {
	if err := f.group(); err != nil {
		return err
	}
	for g, t := range f.tables {
		if err := f.table(g, t); err != nil {
			return err
		}
	}
	f.rest()
	return f.prove()
}

// inferred is a table that is guessed.
type inferred struct {
	format  string
	enc     string   // of text: "", or what it is in instead of UTF-8
	badText bool     // of a file, or perhaps of one
	labels  []string // of the files, then those that stand in their paths
	hive    int      // so many of these
	files   []int    // of the entries
	object  *contract.Object
	cols    []*inferredColumn
	rows    int64
	partial bool // not all was looked at
}

// inferredColumn is what the values of a column have in common.
type inferredColumn struct {
	types   []cell.Type // that all values have, narrowest first
	nulls   int64
	values  int64
	seen    map[string]int
	most    int  // so many different values are kept
	over    bool // there were more
	repeats bool
}

var inferTypes = []cell.Type{cell.Integer, cell.Number, cell.Boolean, cell.Date, cell.Datetime, cell.Time, cell.Object, cell.Array, cell.String}

// table reads rows of a table and writes down what they have in common.
func (f *inferring) table(g int, t *inferred) error {
	pattern, ok := f.pattern(g)
	if !ok { // no list of its files is short enough to stand in a contract
		f.left += len(t.files)
		return nil
	}
	for range t.labels {
		t.cols = append(t.cols, &inferredColumn{seen: map[string]int{}, most: min(inferRows, inferKept/len(t.labels)), types: slices.Clone(inferTypes)})
	}
	for i, n := range t.files {
		if t.rows >= inferRows || i == inferFiles {
			t.partial = true
			break
		}
		e := f.entries[n]
		err := f.read(t, e)
		var bad *table.Error
		if err != nil && !errors.As(err, &bad) { // the contract will say that it can't be read
			return fmt.Errorf("read %s: %w", e.Path, err)
		}
	}
	o := &contract.Object{Name: f.name(t), Match: contract.Subset, Missing: []string{""}}
	var err error
	if o.Files, err = contract.NewGlob(pattern); err != nil {
		return err
	}
	t.object = o
	f.c.Objects = append(f.c.Objects, o)
	f.comments[o] = fmt.Sprintf("guess: a table of %s with these columns", plural(len(t.files), "file"))
	if o.Dialect.Encoding = t.enc; t.enc != "" {
		f.comments[o] += ", in " + t.enc + ", as there are bytes that are not UTF-8"
	}
	for i, label := range t.labels {
		if strings.TrimSpace(label) != "" && o.Column(label) == nil {
			f.column(t, label, t.cols[i], i >= len(t.labels)-t.hive)
		}
	}
	if t.rows > 0 {
		f.c.Checks = append(f.c.Checks, &contract.Check{Kind: contract.RowCount, Object: o, Want: contract.Want{Op: contract.Greater, Set: true}, Severity: contract.Failure})
	}
	return nil
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

var errEnough = errors.New("enough rows")

func (f *inferring) read(t *inferred, e Entry) error {
	file, err := f.in.Source.Open(f.ctx, e)
	if err != nil {
		return err
	}
	defer file.Close()
	r, err := table.Open(f.ctx, e.Path, file, table.Options{Format: t.format, Names: t.labels[:len(t.labels)-t.hive], Dialect: table.Dialect{Encoding: t.enc}})
	if err != nil {
		return err
	}
	at := make([]int, len(t.labels)) // of the columns in the file
	consts := make([]table.Column, len(t.labels))
	where := map[string]int{}
	for i, l := range r.Labels() {
		if _, twice := where[l]; !twice {
			where[l] = i
		}
	}
	hive := partitions(e.Path)
	for i, l := range t.labels {
		var ok bool
		if at[i], ok = where[l]; !ok {
			at[i] = -1
			consts[i] = partition(hive[l])
		}
	}
	var s table.Scratch
	err = r.Tasks(f.ctx, func(task table.Task) error {
		return task(f.ctx, &s, func(b *table.Batch) error {
			t.badText = t.badText || slices.ContainsFunc(b.Problems, func(p table.Problem) bool { return p.Code == table.CodeEncoding })
			for i, c := range t.cols {
				col := &consts[i]
				if at[i] >= 0 {
					col = &b.Cols[at[i]]
				}
				for row := range b.Rows {
					c.take(col, row)
				}
			}
			if t.rows += int64(b.Rows); t.rows >= inferRows {
				t.partial = true
				return errEnough
			}
			return nil
		})
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// take narrows the guess by a value.
func (c *inferredColumn) take(col *table.Column, r int) {
	if col.IsAbsent(r) {
		c.nulls++
		return
	}
	kind := col.KindAt(r)
	v, _ := col.Literal(kind, r, nil)
	if kind == table.Text && len(v) == 0 {
		c.nulls++
		return
	}
	c.values++
	ru := &rule{Column: &contract.Column{}}
	c.types = slices.DeleteFunc(c.types, func(t cell.Type) bool {
		ru.Spec.Type = t
		if kind == table.Text {
			_, ok := ru.Spec.Parse(v)
			return !ok
		}
		_, ok := fits(ru, col, kind, r, v)
		return !ok || kind == table.String && t != cell.String
	})
	if c.over {
		return
	}
	if c.seen[string(v)]++; c.seen[string(v)] > 1 {
		c.repeats = true
	}
	if len(v) > 1000 || len(c.seen) > c.most || !utf8.Valid(v) {
		c.over = true
	}
}

// column writes down what is guessed of a column.
func (f *inferring) column(t *inferred, label string, c *inferredColumn, hive bool) {
	col := &contract.Column{Name: label, Partition: hive}
	if len(c.types) > 0 && c.values > 0 {
		col.Spec.Type = c.types[0]
	}
	t.object.Columns = append(t.object.Columns, col)
	what := plural(int(t.rows), "row")
	f.comments[col] = "guess: of " + what
	add := func(k *contract.Check, why string) {
		k.Object, k.Columns, k.Severity = t.object, []string{label}, max(k.Severity, contract.Warning)
		f.c.Checks = append(f.c.Checks, k)
		f.comments[k] = "guess: " + why
	}
	if c.nulls == 0 && c.values > 0 {
		add(&contract.Check{Kind: contract.Required, Severity: contract.Failure}, "none of "+what+" lacks it")
	}
	discrete := c.values >= inferEnough && (col.Spec.Type == cell.Integer || col.Spec.Type == cell.String)
	if !c.repeats && !c.over && discrete {
		add(&contract.Check{Kind: contract.Unique, Severity: contract.Failure}, "all of "+what+" differ")
	}
	if len(c.seen) <= inferValues && !c.over && discrete {
		var values []string
		for v := range c.seen {
			values = append(values, v)
		}
		slices.Sort(values)
		add(&contract.Check{Kind: contract.Invalid, Values: values, Want: contract.Want{Set: true}}, fmt.Sprintf("%s have %d values", what, len(values)))
	}
}

// rest guesses about the files that are in no table: that they can be read where they look like a table or their names say what they are, and where there is
// no table that they are there.
func (f *inferring) rest() {
	o := &contract.Object{Name: f.unique("files")}
	add := func(c *contract.Check, comment string) {
		c.Object, c.Severity = o, contract.Failure
		f.c.Checks = append(f.c.Checks, c)
		if comment != "" {
			f.comments[c] = comment
		}
	}
	decode := func(files, comment string) {
		add(&contract.Check{Kind: contract.Decode, Custom: contract.Body{Check: "decode", Files: files}}, comment)
	}
	if len(f.c.Objects) == 0 {
		least := float64(max(1, len(f.entries)/2))
		add(&contract.Check{Kind: contract.FileCount, Custom: contract.Body{Check: "fileCount", Min: &least}}, "guess: there are "+plural(len(f.entries), "file"))
		decode("", "")
	} else {
		unreadable, others := f.decodable()
		if len(unreadable) > 0 {
			decode(union(unreadable), "tables of which not even the columns could be read")
		}
		if len(others) > 0 {
			decode("**/*{"+strings.Join(others, ",")+"}", "guess: files of these formats can be decoded")
		}
	}
	if slices.ContainsFunc(f.c.Checks, func(c *contract.Check) bool { return c.Object == o }) {
		f.c.Objects = append(f.c.Objects, o)
	}
}

// decodable are the files that look like tables and are none, and the endings of others whose names say how they are decoded; not those that tables have.
func (f *inferring) decodable() (unreadable, endings []string) {
	tables, others := map[string]bool{}, map[string]bool{}
	for i, e := range f.entries {
		end := escapeGlob(ending(e.Path))
		switch owner := f.owner[i]; {
		case owner == unread:
			unreadable = append(unreadable, e.Path)
		case owner >= 0:
			tables[end] = true
		case decode.Known(e.Path):
			others[end] = true
		}
	}
	for end := range tables {
		delete(others, end)
	}
	return unreadable, slices.Sorted(maps.Keys(others))
}

// name is what a table is called: as its files are, or their directory.
func (f *inferring) name(t *inferred) string {
	first := f.entries[t.files[0]].Path
	name := path.Base(first)
	name = strings.TrimSuffix(name, ending(name))
	if len(t.files) > 1 {
		dir, stem := f.common(t)
		for strings.Contains(path.Base(dir), "=") {
			dir = path.Dir(dir)
		}
		switch {
		case stem != "":
			name = stem
		case dir != ".":
			name = path.Base(dir)
		default:
			name = strings.TrimSuffix(f.c.Name, path.Ext(f.c.Name))
		}
	}
	name = strings.Trim(strings.ToValidUTF8(name, "_"), "-_. ")
	if name == "" {
		name = "table"
	}
	return f.unique(name)
}

// unique makes a name one that no other object has.
func (f *inferring) unique(name string) string {
	taken := func(name string) bool {
		return slices.ContainsFunc(f.c.Objects, func(o *contract.Object) bool { return o.Name == name })
	}
	base := name
	for n := 2; taken(name); n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	return name
}
