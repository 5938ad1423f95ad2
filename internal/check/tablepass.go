package check

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"tarn/internal/check/contract"
	"tarn/internal/check/table"
)

// table reads all files of an object once, for all its checks.
func (r *run) table(ctx context.Context, o *object) error {
	if len(o.checks) == 0 {
		return nil
	}
	p, err := newPass(r, o)
	if err != nil {
		return err
	}
	if len(o.files) == 0 {
		if !r.in.Part {
			p.source.count++
			p.source.keep(example{file: -1, path: o.Files.String(), code: table.CodeSource, note: "no file matches"})
		}
		for _, s := range o.checks {
			if s.count == 0 {
				s.skipped = "there is no file to look at"
			}
		}
		return nil
	}
	for _, k := range p.keys {
		if k.splits == nil {
			continue
		}
		for _, e := range o.files {
			k.member(e.Path)
		}
		if !r.in.Part {
			k.empty()
		}
	}
	if err := p.run(ctx); err != nil {
		return err
	}
	p.finish()
	return nil
}

// pass is one reading of a table.
type pass struct {
	r       *run
	o       *object
	columns []*rule // of all columns
	rules   []*rule // of those that have checks of values
	keys    []*keyRule
	exprs   []*rowRule
	aggs    []*aggregate
	source  *state // gets what is wrong with files as a whole
	labels  *state
	shape   *state
	slots   []*state // by the number that workers count under
	base    int      // number of the first file

	mu  sync.Mutex
	met []bool // by column: some file has it
}

func newPass(r *run, o *object) (*pass, error) {
	p := &pass{r: r, o: o, base: len(r.paths), met: make([]bool, len(o.Columns))}
	for _, e := range o.files {
		r.paths = append(r.paths, e.Path)
	}
	rules := map[string]*rule{}
	for i, c := range o.Columns {
		rules[c.Name] = newRule(o, c, i)
		p.columns = append(p.columns, rules[c.Name])
	}
	for _, s := range o.checks {
		slot := len(p.slots)
		p.slots = append(p.slots, s)
		switch s.Kind {
		case contract.Source:
			p.source = s
		case contract.Labels:
			p.labels = s
		case contract.Shape:
			p.shape = s
		case contract.RowRule:
			e, err := r.newRowRule(o, s, slot)
			if err != nil {
				return nil, err
			}
			p.exprs = append(p.exprs, e)
		case contract.RowCount:
		case contract.Freshness, contract.Balance:
			p.aggs = append(p.aggs, &aggregate{state: s, slot: slot, column: o.Index(s.Columns[0])})
		default:
			if s.sorter != nil {
				p.keys = append(p.keys, newKeyRule(o, s, slot))
			} else {
				rules[s.Columns[0]].add(s, slot)
			}
		}
	}
	for _, c := range o.Columns {
		if ru := rules[c.Name]; len(ru.checks) > 0 {
			ru.prepare()
			p.rules = append(p.rules, ru)
		}
	}
	return p, nil
}

// openFiles is how many files are read ahead of the workers.
const openFiles = 4

// job is a task with the file that it is of.
type job struct {
	file *openFile
	task table.Task
}

// openFile is a file of the table that is being read.
type openFile struct {
	n      int // number of the file
	path   string
	at     []int // by column of the contract: that of the file; -1: it has none; below -1: a constant, ^2 is the first one
	consts []table.Column
	reader table.Reader
	none   []string       // names of columns that the header does not have
	extra  map[string]int // labels that are not in the contract
}

// run reads the files: some goroutines open them and cut them into tasks, the workers do these.
func (p *pass) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	jobs := make(chan job)
	files := make(chan int)
	g.Go(func() error {
		defer close(files)
		for i := range p.o.files {
			select {
			case files <- i:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	var readers sync.WaitGroup
	for range min(openFiles, len(p.o.files), p.r.in.Workers) {
		readers.Add(1)
		g.Go(func() error {
			defer readers.Done()
			for i := range files {
				if err := p.file(ctx, i, jobs); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		readers.Wait()
		close(jobs)
		return nil
	})
	workers := make([]*worker, p.r.in.Workers)
	for i := range workers {
		w := newWorker(p)
		workers[i] = w
		g.Go(func() error { return w.run(ctx, jobs) })
	}
	err := g.Wait()
	for _, w := range workers {
		p.merge(w)
	}
	return err
}

// file opens a file and yields its tasks; it returns once all of them are done.
func (p *pass) file(ctx context.Context, i int, jobs chan<- job) error {
	e := p.o.files[i]
	f, err := p.r.in.Source.Open(ctx, e)
	if err != nil {
		return p.unreadable(ctx, e.Path, err)
	}
	defer f.Close()
	of := &openFile{n: p.base + i, path: e.Path}
	var pending sync.WaitGroup
	defer pending.Wait() // before the file is closed
	err = p.tasks(ctx, of, f, func(t table.Task) error {
		pending.Add(1)
		done := func(ctx context.Context, s *table.Scratch, emit func(*table.Batch) error) error {
			defer pending.Done()
			return t(ctx, s, emit)
		}
		select {
		case jobs <- job{of, done}:
			return nil
		case <-ctx.Done():
			pending.Done()
			return ctx.Err()
		}
	})
	pending.Wait()
	p.mu.Lock()
	p.r.bytes.Add(e.Size)
	if of.reader != nil {
		p.r.rows += of.reader.Rows()
		for _, s := range p.slots {
			s.total += of.reader.Rows()
		}
		p.labelled(of, err == nil)
	}
	p.mu.Unlock()
	p.r.in.Progress(1, e.Size)
	var bad *table.Error
	if errors.As(err, &bad) {
		p.problem(of, bad.Problem)
		return nil
	}
	if err != nil {
		return p.unreadable(ctx, e.Path, err)
	}
	return nil
}

// unreadable notes a failure of the machine: what needs the file can't be said to hold.
func (p *pass) unreadable(ctx context.Context, path string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.o.checks {
		s.broke("read %s: %v", path, err)
	}
	return nil
}

func (p *pass) tasks(ctx context.Context, of *openFile, f File, yield func(table.Task) error) (err error) {
	defer func() {
		if x := recover(); x != nil {
			err = fmt.Errorf("panic: %v", x)
		}
	}()
	reader, err := table.Open(ctx, of.path, f, p.options(of.path))
	if err != nil {
		return err
	}
	of.reader = reader
	p.match(of)
	for _, pr := range reader.Problems() {
		p.problem(of, pr)
	}
	return reader.Tasks(ctx, yield)
}

func (p *pass) options(path string) table.Options {
	o := TableOptions(p.o.Object)
	wanted, hive := map[string]bool{}, partitions(path)
	for _, c := range p.o.Columns {
		wanted[c.Name] = true
		if _, part := hive[c.Name]; !part {
			o.Names = append(o.Names, c.Name)
		}
	}
	o.Wanted = func(label string) bool { return wanted[label] }
	o.Decimals = true
	return o
}

// TableOptions are how the files of an object are read.
func TableOptions(o *contract.Object) table.Options {
	d := o.Dialect
	first := func(s string) byte {
		if s == "" {
			return 0
		}
		return s[0]
	}
	return table.Options{Format: o.Format, Strict: o.Match == contract.Exact || o.Match == contract.Equal || o.Match == contract.Superset,
		Dialect: table.Dialect{Delimiter: first(d.Delimiter), Quote: first(d.Quote), Escape: first(d.Escape), NoDouble: d.NoDouble, Comment: first(d.Comment), NoHeader: d.NoHeader, Skip: d.Skip, Encoding: d.Encoding, SkipInitial: d.SkipInitial}}
}

// match finds the contract's columns among those of a file.
func (p *pass) match(of *openFile) {
	labels := of.reader.Labels()
	where := make(map[string]int, len(labels))
	for i, l := range labels {
		if _, twice := where[l]; !twice {
			where[l] = i
		}
	}
	hive := partitions(of.path)
	of.at = make([]int, len(p.o.Columns))
	for i, c := range p.o.Columns {
		at, ok := where[c.Name]
		switch v, part := hive[c.Name]; {
		case ok:
			of.at[i] = at
			delete(where, c.Name)
		case part:
			of.consts = append(of.consts, partition(v))
			of.at[i] = -1 - len(of.consts)
		case p.headless(labels):
			of.at[i] = min(i, len(labels)-1)
		default:
			of.at[i] = -1
			of.none = append(of.none, c.Name)
		}
	}
	of.extra = where
}

// headless says that the file has no header, so that columns go by their place.
func (p *pass) headless(labels []string) bool {
	return p.o.Dialect.NoHeader && len(labels) == len(p.o.Columns)
}

// labelled checks the labels of a file as fieldsMatch asks, once it was read: a key of JSON lines may be in the last row only. In a file that was not
// read to its end none of them is missing.
func (p *pass) labelled(of *openFile, whole bool) {
	labels, missing := of.reader.Labels(), of.none
	unseen := map[string]bool{}
	if r, ok := of.reader.(interface{ Unseen() []string }); ok && p.o.Match != contract.Subset { // which is content with an absent key
		for _, name := range r.Unseen() {
			unseen[name] = true
		}
		labels = slices.DeleteFunc(slices.Clone(labels), func(l string) bool { return unseen[l] })
	}
	fit := 0
	for i, c := range p.o.Columns {
		switch {
		case of.at[i] == -1:
		case !unseen[c.Name]:
			p.met[i], fit = true, fit+1
		case whole:
			missing = append(missing, c.Name)
		}
	}
	if p.labels == nil || p.headless(labels) {
		return
	}
	add := func(code, label, note string) {
		p.labels.count++
		p.labels.keep(example{file: of.n, column: label, note: note, code: code})
	}
	m := p.o.Match
	if m == contract.Partial {
		if fit == 0 && (whole || len(unseen) == 0) {
			add("missing-label", "", "the file has none of the columns")
		}
		return
	}
	if m == contract.Exact && len(labels) == len(p.o.Columns) {
		for i, l := range labels {
			if want := p.o.Columns[i].Name; want != l {
				add("incorrect-label", l, fmt.Sprintf("column %d is %q, and should be %q", i+1, l, want))
			}
		}
		return
	}
	if m != contract.Superset {
		for _, name := range missing {
			add("missing-label", name, fmt.Sprintf("the file has no column %q", name))
		}
	}
	if m != contract.Subset {
		for i, l := range labels {
			if at, ok := of.extra[l]; ok && at == i {
				add("extra-label", l, fmt.Sprintf("the column %q is not in the contract", l))
			}
		}
	}
}

// partitions are the values that a path has for columns: year=2024/month=01/x.parquet. Hive writes what a directory can't be called as a URL does.
func partitions(path string) map[string]string {
	m := map[string]string{}
	for {
		dir, rest, ok := strings.Cut(path, "/")
		if !ok {
			return m
		}
		if k, v, ok := strings.Cut(dir, "="); ok {
			m[unescape(k)] = unescape(v)
		}
		path = rest
	}
}

func unescape(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

// partition is the column that a value of a path is.
func partition(v string) (col table.Column) {
	if col.SetConstant(v); v == "__HIVE_DEFAULT_PARTITION__" { // what Hive calls null
		col.SetNull()
	}
	return col
}

// problem puts what a reader found under the check that it belongs to.
func (p *pass) problem(of *openFile, pr table.Problem) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.target(pr.Code); s != nil {
		p.problemIn(of, pr, &s.tally)
	}
}

// target is the check that a problem belongs to; nil where nobody asks.
func (p *pass) target(code string) *state {
	switch code {
	case table.CodeBlankRow, table.CodeExtraCell, table.CodeMissing:
		return p.shape
	case table.CodeBlankName, table.CodeTwice:
		return p.labels
	}
	return p.source
}

func (p *pass) problemIn(of *openFile, pr table.Problem, t *tally) {
	t.count += 1 + pr.More
	e := example{file: of.n, row: pr.Row, note: pr.Note, value: pr.Value, code: pr.Code}
	if labels := of.reader; labels != nil && pr.Col > 0 && pr.Col <= len(labels.Labels()) {
		e.column = labels.Labels()[pr.Col-1]
	}
	t.keep(e)
}

// merge adds what a worker counted.
func (p *pass) merge(w *worker) {
	for i := range w.tallies {
		p.slots[i].tally.merge(&w.tallies[i])
	}
	for i := range w.aggs {
		p.aggs[i].merge(&w.aggs[i])
	}
}

// finish decides what needs all rows.
func (p *pass) finish() {
	for _, s := range p.slots {
		names := s.Columns
		if s.Custom.Label != "" {
			names = append(slices.Clone(names), s.Custom.Label)
		}
		for _, name := range names {
			if i := p.o.Index(name); i >= 0 && !p.met[i] {
				s.skipped = fmt.Sprintf("no file has the column %q", name)
			}
		}
		switch {
		case s.Kind != contract.RowCount:
		case p.r.in.Part && !p.o.Files.Literal() && (p.r.in.Whole != nil || !p.o.Files.Everything()):
			s.skipped = "it is about all files, and a part is checked"
		default:
			s.count = s.total
		}
	}
	for _, a := range p.aggs {
		a.judge(p.r.in.Now)
	}
	for _, e := range p.exprs {
		for _, i := range e.columns {
			if !p.met[i] {
				e.state.skipped = fmt.Sprintf("no file has the column %q", p.o.Columns[i].Name)
			}
		}
	}
}
