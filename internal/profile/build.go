package profile

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"tarn/internal/check/table"
	"tarn/internal/drift"
	"tarn/store/digest"
)

// Options say how a file is read. They are part of what a profile is of.
type Options struct {
	Table   table.Options
	Nulls   Nulls    // texts that stand for no value, beside the empty one
	Texts   []string // columns whose text is no number and no time, whatever it looks like
	Workers int      // 0: one a processor; the result does not depend on it
}

// Digest tells options apart. What a file's name says of its format is one.
func (o *Options) Digest(name string) digest.Digest {
	format, compression := table.FormatOf(name)
	if o.Table.Format != "" {
		format = o.Table.Format
	}
	b, err := json.Marshal(struct {
		Format, Compression string
		Dialect             table.Dialect
		Nulls               Nulls
		Texts               []string
	}{format, compression, o.Table.Dialect, o.Nulls, o.Texts})
	if err != nil {
		panic(err) // there is nothing in it that could fail
	}
	return digest.Sum(b)
}

// asText says by column which are not to be read as numbers.
func (o *Options) asText(labels []string) []bool {
	t := make([]bool, len(labels))
	for i, l := range labels {
		t[i] = slices.Contains(o.Texts, l)
	}
	return t
}

// Build profiles a file. What is wrong with the file is in Profile.Problem, and the rows that could be read count; the error is of the machine.
func Build(ctx context.Context, name string, src table.Source, d digest.Digest, o Options) (*Profile, error) {
	p := &Profile{Files: 1}
	seed := binary.LittleEndian.Uint64(d[:8])
	var asText []bool
	fresh := func(task int) []*Column {
		cols := make([]*Column, len(p.Columns))
		for i := range cols {
			cols[i] = newColumn(p.Columns[i].Name, seed, task, i)
		}
		return cols
	}
	s := scanning[[]*Column]{
		begin: func(labels []string) {
			asText = o.asText(labels)
			for i, l := range unique(labels) {
				p.Columns = append(p.Columns, newColumn(l, seed, -1, i))
			}
		},
		fresh: fresh,
		batch: func(cols []*Column, x *extractor, b *table.Batch) {
			for i, c := range cols {
				x.asText = asText[i]
				c.add(x, &b.Cols[i], b.Rows)
			}
		},
		merge: func(cols []*Column, rows int64) {
			p.Rows += rows
			for i, c := range cols {
				p.Columns[i].merge(c)
			}
		},
	}
	problem, err := s.run(ctx, name, src, o)
	if err != nil {
		return nil, err
	}
	p.Problem = problem
	p.Finish()
	return p, nil
}

func newColumn(name string, seed uint64, task, column int) *Column {
	c := &Column{Name: name}
	for i, d := range []*Dist{&c.Numbers, &c.Times, &c.Lengths} {
		d.Sketch.rng = random(mix(seed^mul1, uint64(task+1)<<32^uint64(column)<<2^uint64(i)|1<<63))
	}
	return c
}

// Finish brings the profile into the form that is stored: what was merged is then the same as what is read again.
func (p *Profile) Finish() {
	for _, c := range p.Columns {
		c.Top.finish()
		for _, d := range []*Dist{&c.Numbers, &c.Times, &c.Lengths} {
			d.Sketch.sort()
			if d.N == 0 {
				d.Sketch.rng = 0
			}
		}
	}
}

// Part is one of the files of a table, and the options that it is read with.
type Part struct{ File, Options digest.Digest }

// Table is the name of the profile of a table that is merged from those of parts, in this order, and its options.
func Table(parts []Part) (id, options digest.Digest) {
	b := make([]byte, 0, 64*len(parts))
	for _, p := range parts {
		b = append(append(b, p.File[:]...), p.Options[:]...)
	}
	return digest.Sum(b), digest.Sum([]byte("tarn table"))
}

// unique gives labels that stand twice, or are blank, names of their own.
func unique(labels []string) []string {
	out := make([]string, len(labels))
	seen := map[string]bool{}
	for i, l := range labels {
		name := l
		for n := i + 1; name == "" || seen[name]; n++ {
			name = fmt.Sprintf("%s#%d", l, n)
		}
		out[i], seen[name] = name, true
	}
	return out
}

// Values are those of a column, as they are.
type Values struct {
	Numbers, Times []float64
	Lengths        []float64 // of texts, in code points
}

// Of is the sample of the values of a kind.
func (v *Values) Of(k Kind) drift.Sample {
	switch k {
	case Number:
		return drift.NewSample(v.Numbers)
	case Time:
		return drift.NewSample(v.Times)
	}
	return drift.NewSample(v.Lengths)
}

// Collect reads all values of some columns of a file into memory, behind those that are in vs.
func Collect(ctx context.Context, name string, src table.Source, o Options, vs map[string]*Values) error {
	var at []*Values
	var asText []bool
	s := scanning[[]*Values]{
		begin: func(labels []string) {
			asText = o.asText(labels)
			for _, l := range unique(labels) {
				at = append(at, vs[l])
			}
		},
		fresh: func(int) []*Values { return make([]*Values, len(at)) },
		batch: func(mine []*Values, x *extractor, b *table.Batch) {
			for i := range mine {
				if at[i] == nil {
					continue
				}
				if mine[i] == nil {
					mine[i] = &Values{}
				}
				x.asText = asText[i]
				mine[i].add(x, &b.Cols[i], b.Rows)
			}
		},
		merge: func(mine []*Values, _ int64) {
			for i, m := range mine {
				if m != nil {
					v := at[i]
					v.Numbers, v.Times, v.Lengths = append(v.Numbers, m.Numbers...), append(v.Times, m.Times...), append(v.Lengths, m.Lengths...)
				}
			}
		},
	}
	o.Table.Wanted = func(l string) bool { return vs[l] != nil }
	_, err := s.run(ctx, name, src, o) // what is wrong with the file is in its profile
	return err
}

func (v *Values) add(x *extractor, col *table.Column, rows int) {
	x.column(col, rows)
	v.Numbers = append(v.Numbers, x.numbers...)
	v.Times = append(v.Times, x.times...)
	for n, k := range x.countLengths() {
		for range k {
			v.Lengths = append(v.Lengths, float64(n))
		}
	}
}

// scanning reads a file: many goroutines do its tasks, and what they find is merged in the order of the file.
type scanning[T any] struct {
	begin func(labels []string)
	fresh func(task int) T
	batch func(T, *extractor, *table.Batch)
	merge func(found T, rows int64)

	mu       sync.Mutex
	next     int // task to merge
	waiting  map[int]scanned[T]
	problems map[int]string // by task
}

type scanned[T any] struct {
	found T
	rows  int64
}

// run says what is wrong with the file, if anything.
func (s *scanning[T]) run(ctx context.Context, name string, src table.Source, o Options) (problem string, err error) {
	s.waiting, s.problems = map[int]scanned[T]{}, map[int]string{}
	workers := o.Workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	type job struct {
		n    int
		task table.Task
	}
	g, ctx := errgroup.WithContext(ctx)
	jobs, slots := make(chan job), make(chan struct{}, 2*workers)
	g.Go(func() error {
		defer close(jobs)
		n := 0
		err := s.open(ctx, name, src, o, func(t table.Task) error {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			select {
			case jobs <- job{n, t}:
				n++
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		return s.note(math.MaxInt, err)
	})
	for range workers {
		g.Go(func() error {
			x, scratch := &extractor{nulls: o.Nulls}, &table.Scratch{}
			for j := range jobs {
				found := scanned[T]{found: s.fresh(j.n)}
				if err := s.note(j.n, s.do(ctx, j.n, j.task, scratch, x, &found)); err != nil {
					return err
				}
				s.finished(j.n, found, slots)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return "", err
	}
	first := math.MaxInt
	for n := range s.problems {
		first = min(first, n)
	}
	return s.problems[first], nil
}

func (s *scanning[T]) open(ctx context.Context, name string, src table.Source, o Options, yield func(table.Task) error) (err error) {
	defer func() {
		if x := recover(); x != nil {
			err = fmt.Errorf("panic: %v", x)
		}
	}()
	o.Table.AllKeys = true // a column that begins late is one
	r, err := table.Open(ctx, name, src, o.Table)
	if err != nil {
		return err
	}
	s.begin(r.Labels())
	return r.Tasks(ctx, yield)
}

func (s *scanning[T]) do(ctx context.Context, n int, t table.Task, scratch *table.Scratch, x *extractor, found *scanned[T]) (err error) {
	defer func() {
		if x := recover(); x != nil {
			err = fmt.Errorf("panic: %v", x)
		}
	}()
	return t(ctx, scratch, func(b *table.Batch) error {
		for i := range b.Problems {
			if b.Problems[i].Code == table.CodeFormat { // a row that is none
				_ = s.note(n, &table.Error{Problem: b.Problems[i]})
			}
		}
		if b.Rows > 0 {
			found.rows += int64(b.Rows)
			s.batch(found.found, x, b)
		}
		return nil
	})
}

// note keeps what is wrong with the file; other errors pass.
func (s *scanning[T]) note(n int, err error) error {
	var bad *table.Error
	if !errors.As(err, &bad) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.problems[n] == "" {
		s.problems[n] = bad.Error()
	}
	return nil
}

// finished merges what is next, and gives as many slots back. A merge is short against a task.
func (s *scanning[T]) finished(n int, found scanned[T], slots <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting[n] = found
	for {
		f, ok := s.waiting[s.next]
		if !ok {
			return
		}
		delete(s.waiting, s.next)
		s.merge(f.found, f.rows)
		s.next++
		<-slots
	}
}
