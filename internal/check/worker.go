package check

import (
	"context"
	"errors"
	"fmt"

	"tarn/internal/check/contract"
	"tarn/internal/check/spill"
	"tarn/internal/check/table"
)

// worker does tasks, and counts for itself.
type worker struct {
	p       *pass
	s       table.Scratch
	tallies []tally // by slot
	aggs    []aggState
	keys    [][]spill.Record // by key rule: those that are not handed over yet
	row     rowEnv
	buf     []byte
	lit     []byte // a literal
	shown   []byte // a key for messages
	of      *openFile

	found    int64      // violations so far
	verdicts []verdicts // by column
}

func newWorker(p *pass) *worker {
	w := &worker{p: p, tallies: make([]tally, len(p.slots)), aggs: make([]aggState, len(p.aggs)), keys: make([][]spill.Record, len(p.keys)), row: newRowEnv(), verdicts: make([]verdicts, len(p.columns))}
	for i := range w.tallies {
		w.tallies[i].most = p.r.in.Shown
	}
	for i := range w.aggs {
		w.aggs[i].most = p.r.in.Shown
	}
	return w
}

func (w *worker) run(ctx context.Context, jobs <-chan job) error {
	for j := range jobs {
		if err := w.do(ctx, j); err != nil {
			return err
		}
	}
	for i := range w.keys {
		if err := w.hand(i); err != nil {
			return err
		}
	}
	return nil
}

// do does one task. What is wrong with the file is noted; an error ends the run.
func (w *worker) do(ctx context.Context, j job) (err error) {
	w.of = j.file
	defer func() {
		if x := recover(); x != nil {
			err = w.p.unreadable(ctx, j.file.path, fmt.Errorf("panic: %v", x))
		}
	}()
	err = j.task(ctx, &w.s, w.batch)
	var bad *table.Error
	switch {
	case errors.As(err, &bad):
		w.p.problem(j.file, bad.Problem)
		return nil
	case errors.Is(err, errSpill), err == nil:
		return err
	}
	return w.p.unreadable(ctx, j.file.path, err)
}

// errSpill marks that keys could not be kept.
var errSpill = errors.New("keep keys")

var nullColumn = func() (col table.Column) { col.SetNull(); return col }()

// column is a column of the contract in a batch; nil where the file has none, which is a fault of its labels, or where it may lack some, nulls.
func (w *worker) column(b *table.Batch, i int) *table.Column {
	at := w.of.at[i]
	switch {
	case at >= 0:
		return &b.Cols[at]
	case at < -1:
		return &w.of.consts[-2-at]
	case w.p.o.Match == contract.Superset || w.p.o.Match == contract.Partial:
		return &nullColumn
	}
	return nil
}

// batch runs all checks over a batch.
func (w *worker) batch(b *table.Batch) error {
	for _, pr := range b.Problems {
		s := w.p.target(pr.Code)
		for i, slot := range w.p.slots {
			if slot == s {
				w.p.problemIn(w.of, pr, &w.tallies[i])
			}
		}
	}
	if b.Rows == 0 {
		return nil
	}
	for _, ru := range w.p.rules {
		if col := w.column(b, ru.index); col != nil {
			w.cells(ru, b, col)
		}
	}
	for i := range w.p.aggs {
		w.aggregate(i, b)
	}
	for _, e := range w.p.exprs {
		w.rows(e, b)
	}
	for i := range w.p.keys {
		if err := w.key(i, b); err != nil {
			return err
		}
	}
	return nil
}

// violation counts one, and keeps it if it is among the first.
func (w *worker) violation(slot int, b *table.Batch, r int, column string, value []byte, note string) {
	t := &w.tallies[slot]
	t.count++
	w.found++
	if row := b.Row(r); t.wants(w.of.n, row) {
		t.keep(example{file: w.of.n, row: row, column: column, value: show(value), note: note})
	}
}
