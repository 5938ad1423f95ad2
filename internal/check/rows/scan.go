package rows

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"tarn/internal/check/spill"
	"tarn/internal/check/table"
)

// Tags of records: the old side stands first.
const (
	tagOld = 0
	tagNew = 1
)

// job is a task with the side that it is of.
type job struct {
	side int
	task table.Task
}

// worker makes hashes of rows.
type worker struct {
	d        *diff
	s        table.Scratch
	side     int
	buf, key []byte
	ends     []int // of the columns' values in buf
	recs     []spill.Record
	types    [2][]seenTypes
	problems []Problem
}

// handOver is how many records a worker gathers.
const handOver = 2048

// scan reads both sides, in parts side by side, and gives the hash of each row to the sorter: under that of its key, if there is one.
func (d *diff) scan(ctx context.Context) error {
	d.rows = d.sorter(d.in.Memory)
	g, ctx := errgroup.WithContext(ctx)
	jobs := make(chan job)
	var readers sync.WaitGroup
	for i := range d.sides {
		s := &d.sides[i]
		if s.reader == nil {
			continue
		}
		readers.Add(1)
		g.Go(func() error {
			defer readers.Done()
			return s.fault(s.reader.Tasks(ctx, func(t table.Task) error {
				select {
				case jobs <- job{i, t}:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}))
		})
	}
	g.Go(func() error {
		readers.Wait()
		close(jobs)
		return nil
	})
	workers := make([]*worker, d.in.Workers)
	for i := range workers {
		w := &worker{d: d, ends: make([]int, len(d.plan)+1)}
		for i := range d.sides {
			w.types[i] = make([]seenTypes, len(d.sides[i].types))
		}
		workers[i] = w
		g.Go(func() error { return w.run(ctx, jobs) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, w := range workers {
		for i := range d.sides {
			for c, t := range w.types[i] {
				d.sides[i].types[c] |= t
			}
		}
		for _, p := range w.problems {
			d.problem(p)
		}
	}
	return nil
}

func (w *worker) run(ctx context.Context, jobs <-chan job) error {
	for j := range jobs {
		w.side = j.side
		if err := j.task(ctx, &w.s, w.batch); err != nil {
			return w.d.sides[j.side].fault(err)
		}
	}
	return w.hand()
}

func (w *worker) hand() error {
	if err := w.d.rows.Add(w.recs); err != nil {
		return fmt.Errorf("keep hashes of rows: %w", err)
	}
	w.recs = w.recs[:0]
	return nil
}

func (w *worker) batch(b *table.Batch) error {
	for _, p := range b.Problems {
		if p.Code != table.CodeBlankRow {
			w.problems = addProblem(w.problems, Problem{w.side == tagOld, p.Code, p.Row, p.Note, 1 + p.More})
		}
	}
	side := &w.d.sides[w.side]
	for i := range b.Cols {
		if k := side.kind(i); k == table.Text || k == table.Mixed {
			w.types[w.side][i].note(&b.Cols[i], b.Rows)
		}
	}
	for r := range b.Rows {
		rec := spill.Record{Row: b.Row(r), Tag: uint32(w.side)}
		w.row(b, r)
		rec.Hash = spill.Hash(w.buf)
		if len(w.d.key) > 0 {
			rec.SetHash(rec.Hash)
			w.key = w.key[:0]
			for _, k := range w.d.key {
				w.key = append(w.key, w.buf[w.ends[k]:w.ends[k+1]]...)
			}
			rec.Hash = spill.Hash(w.key)
		}
		if w.recs = append(w.recs, rec); len(w.recs) >= handOver {
			if err := w.hand(); err != nil {
				return err
			}
		}
	}
	return nil
}

// row makes the canonical form of a row.
func (w *worker) row(b *table.Batch, r int) {
	w.buf = w.buf[:0]
	if len(w.d.plan) == 0 { // no row of one side is one of the other
		w.buf = append(w.buf, byte(w.side))
	}
	for i := range w.d.plan {
		c := &w.d.plan[i]
		w.buf = c.canonical(w.buf, &b.Cols[c.at[w.side]], r)
		w.ends[i+1] = len(w.buf)
	}
}

func (d *diff) problem(p Problem) { d.res.Problems = addProblem(d.res.Problems, p) }

// addProblem adds to the problem of the same kind, if there is one.
func addProblem(ps []Problem, p Problem) []Problem {
	for i := range ps {
		q := &ps[i]
		if q.Old != p.Old || q.Code != p.Code {
			continue
		}
		n := q.Count + p.Count
		if p.Row < q.Row {
			*q = p
		}
		q.Count = n
		return ps
	}
	return append(ps, p)
}

// Count is how many rows a table has.
func Count(ctx context.Context, s Side) (rows int64, err error) {
	if s.File.Size() == 0 {
		return 0, nil
	}
	r, err := table.Open(ctx, s.Name, s.File, s.Options)
	if err != nil {
		return 0, fault(err)
	}
	if r.Kinds() != nil && !slices.Contains(r.Kinds(), table.Mixed) { // Parquet has it in its footer
		return r.Rows(), nil
	}
	var scratch table.Scratch
	err = r.Tasks(ctx, func(t table.Task) error {
		return t(ctx, &scratch, func(b *table.Batch) error {
			rows += int64(b.Rows)
			return nil
		})
	})
	return rows, fault(err)
}

// fault marks an error that is about the data of the one side.
func fault(err error) error { return (&side{}).fault(err) }

// String says what could not be read.
func (p *Problem) String() string {
	s := "new version"
	if p.Old {
		s = "old version"
	}
	if p.Row > 0 {
		s += fmt.Sprintf(" row %d", p.Row)
	}
	s += ": " + strings.TrimSuffix(p.Note, ".")
	if p.Count > 1 {
		s += fmt.Sprintf(", and %d more of %s", p.Count-1, p.Code)
	}
	return s
}
