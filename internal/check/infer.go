package check

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"tarn/internal/check/cell"
	"tarn/internal/check/contract"
	"tarn/internal/check/table"
)

// Bounds on what a guess looks at: the first rows of the first files.
const (
	inferRows   = 100_000
	inferFiles  = 50
	inferKept   = 2_000_000 // different values that are kept, all columns together
	inferValues = 12        // different values that make a column one of classes
	inferEnough = 100       // rows before a guess about values is made
)

// Infer guesses a contract from the data; each guess has a comment that says what it rests on.
func Infer(ctx context.Context, src Source, name string) (*contract.Contract, contract.Comments, error) {
	in := &inferring{ctx: ctx, src: src, c: &contract.Contract{Name: name}, comments: contract.Comments{}}
	tables := map[string]*inferred{}
	var order []*inferred
	kinds := map[string]int{}
	for e, err := range src.Entries(ctx) {
		if err != nil {
			return nil, nil, err
		}
		kinds[strings.ToLower(path.Ext(e.Path))]++
		format, _ := table.FormatOf(e.Path)
		if format == "" {
			continue
		}
		dir, ext := path.Dir(e.Path), ending(e.Path)
		key := dir + "|" + ext
		t := tables[key]
		if t == nil {
			t = &inferred{dir: dir, ext: ext}
			tables[key] = t
			order = append(order, t)
		}
		if t.count++; len(t.files) < inferFiles {
			t.files = append(t.files, e)
		}
	}
	for _, t := range order {
		if err := in.table(t); err != nil {
			return nil, nil, err
		}
	}
	if len(in.c.Checks) == 0 {
		in.files(kinds)
	}
	return in.c, in.comments, nil
}

type inferring struct {
	ctx      context.Context
	src      Source
	c        *contract.Contract
	comments contract.Comments
}

// inferred is a group of files that look like one table: in one directory, with one ending.
type inferred struct {
	dir, ext string
	files    []Entry
	count    int
	labels   []string
	cols     []*inferredColumn
	rows     int64
}

// inferredColumn is what the values of a column have in common.
type inferredColumn struct {
	types   []cell.Spec
	nulls   int64
	values  int64
	seen    map[string]int
	most    int  // so many different values are kept
	over    bool // there were more
	repeats bool
}

// ending is the extension of a name, with the one below it where that is a compression's.
func ending(name string) string {
	ext := path.Ext(name)
	if _, compression := table.FormatOf(name); compression != "" {
		ext = path.Ext(strings.TrimSuffix(name, ext)) + ext
	}
	return ext
}

var inferTypes = []cell.Type{cell.Integer, cell.Number, cell.Boolean, cell.Date, cell.Datetime, cell.Time, cell.Object, cell.Array}

func (in *inferring) table(t *inferred) error {
	for _, e := range t.files {
		if t.rows >= inferRows {
			break
		}
		err := in.read(t, e)
		var bad *table.Error
		if errors.As(err, &bad) {
			continue // the contract will say that it can't be read
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", e.Path, err)
		}
	}
	if t.labels == nil {
		return nil
	}
	o := &contract.Object{Name: t.name(), Match: contract.Subset, Missing: []string{""}}
	var err error
	if o.Files, err = contract.NewGlob(t.glob()); err != nil {
		return err
	}
	in.c.Objects = append(in.c.Objects, o)
	for i, label := range t.labels {
		if strings.TrimSpace(label) != "" && o.Column(label) == nil {
			in.column(t, o, label, t.cols[i])
		}
	}
	in.c.Checks = append(in.c.Checks, &contract.Check{Kind: contract.RowCount, Object: o, Want: contract.Want{Op: contract.Greater, Set: true}, Severity: contract.Failure})
	return nil
}

func (t *inferred) name() string {
	base := path.Base(t.dir)
	if t.count == 1 || base == "." {
		base = strings.TrimSuffix(path.Base(t.files[0].Path), t.ext)
	}
	if base == "" || base == "." {
		return "table"
	}
	return base
}

func (t *inferred) glob() string {
	if t.count == 1 {
		return escapeGlob.Replace(t.files[0].Path)
	}
	return escapeGlob.Replace(path.Join(t.dir, "_")[:len(path.Join(t.dir, "_"))-1]) + "*" + t.ext
}

// escapeGlob makes a path a pattern for itself; what can't be escaped matches any character.
var escapeGlob = strings.NewReplacer("[", "?", "{", "?", "*", "?", "}", "?")

var errEnough = errors.New("enough rows")

func (in *inferring) read(t *inferred, e Entry) error {
	f, err := in.src.Open(in.ctx, e)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := table.Open(in.ctx, e.Path, f, table.Options{})
	if err != nil {
		return err
	}
	if t.labels == nil {
		t.labels = r.Labels()
		for range t.labels {
			c := &inferredColumn{seen: map[string]int{}, most: min(inferRows, inferKept/len(t.labels))}
			for _, typ := range inferTypes {
				c.types = append(c.types, cell.Spec{Type: typ})
			}
			t.cols = append(t.cols, c)
		}
	} else if !slices.Equal(t.labels, r.Labels()) {
		return nil
	}
	var s table.Scratch
	err = r.Tasks(in.ctx, func(task table.Task) error {
		return task(in.ctx, &s, func(b *table.Batch) error {
			for i := range b.Cols {
				for row := range b.Rows {
					t.cols[i].take(&b.Cols[i], row)
				}
			}
			if t.rows += int64(b.Rows); t.rows >= inferRows {
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
	kind := col.Kind
	if col.IsAbsent(r) {
		c.nulls++
		return
	}
	if kind == table.Mixed {
		kind = col.KindAt(r)
	}
	v, _ := col.Literal(kind, r, nil)
	if kind == table.Text && len(v) == 0 {
		c.nulls++
		return
	}
	c.values++
	ru := &rule{Column: &contract.Column{}}
	c.types = slices.DeleteFunc(c.types, func(s cell.Spec) bool {
		if kind == table.Text {
			_, ok := s.Parse(v)
			return !ok
		}
		ru.Spec = s
		_, ok := fits(ru, col, kind, r, v)
		return !ok || kind == table.String
	})
	if c.over {
		return
	}
	if c.seen[string(v)]++; c.seen[string(v)] > 1 {
		c.repeats = true
	}
	if len(v) > 1000 || len(c.seen) > c.most {
		c.over = true
	}
}

func (in *inferring) column(t *inferred, o *contract.Object, label string, c *inferredColumn) {
	col := &contract.Column{Name: label, Spec: cell.Spec{Type: cell.String}}
	if len(c.types) > 0 && c.values > 0 {
		col.Spec = c.types[0]
	}
	if c.values == 0 {
		col.Spec.Type = cell.Any
	}
	o.Columns = append(o.Columns, col)
	what := fmt.Sprintf("%d rows", t.rows)
	in.comments[col] = "guess: of " + what
	add := func(k *contract.Check, why string) {
		k.Object, k.Columns, k.Severity = o, []string{label}, max(k.Severity, contract.Warning)
		in.c.Checks = append(in.c.Checks, k)
		in.comments[k] = "guess: " + why
	}
	if c.nulls == 0 && c.values > 0 {
		add(&contract.Check{Kind: contract.Required, Severity: contract.Failure}, "none of "+what+" lacks it")
	}
	if !c.repeats && !c.over && c.values >= inferEnough && (col.Spec.Type == cell.Integer || col.Spec.Type == cell.String) {
		add(&contract.Check{Kind: contract.Unique, Severity: contract.Failure}, "all of "+what+" differ")
	}
	if len(c.seen) <= inferValues && c.values >= inferEnough && (col.Spec.Type == cell.String || col.Spec.Type == cell.Integer) {
		var values []string
		for v := range c.seen {
			values = append(values, v)
		}
		slices.Sort(values)
		add(&contract.Check{Kind: contract.Invalid, Values: values, Want: contract.Want{Set: true}}, fmt.Sprintf("%s have %d values", what, len(values)))
	}
}

// files guesses about a dataset without tables.
func (in *inferring) files(kinds map[string]int) {
	o := &contract.Object{Name: "files"}
	in.c.Objects = append(in.c.Objects, o)
	n := 0
	for _, c := range kinds {
		n += c
	}
	least := float64(max(1, n/2))
	count := &contract.Check{Kind: contract.FileCount, Object: o, Severity: contract.Failure, Custom: contract.Body{Check: "fileCount", Min: &least}}
	decode := &contract.Check{Kind: contract.Decode, Object: o, Severity: contract.Failure, Custom: contract.Body{Check: "decode"}}
	in.comments[count] = fmt.Sprintf("guess: there are %d files", n)
	in.c.Checks = append(in.c.Checks, count, decode)
}
