package rows

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"golang.org/x/sync/errgroup"

	"tarn/internal/check/spill"
	"tarn/internal/check/table"
)

// cells reads both sides again, for the cells of rows that changed and for the values that are shown.
func (d *diff) cells(ctx context.Context) error {
	j := &join{d: d, rows: map[int64]*Row{}}
	for i := range j.pending {
		j.pending[i] = map[int64][]hash{}
	}
	for i := range d.shown[Changed].rows {
		r := &d.shown[Changed].rows[i]
		j.rows[r.pair] = r
	}
	g, ctx := errgroup.WithContext(ctx)
	var from [2]chan chunk
	for i := range d.sides {
		from[i] = make(chan chunk)
		l := d.look(i, from[i])
		g.Go(func() error {
			defer close(l.out)
			return l.run(ctx)
		})
	}
	g.Go(func() error { return j.run(ctx, from) })
	if err := g.Wait(); err != nil {
		return err
	}
	return j.end()
}

// hash is that of a cell.
type hash = [2]uint64

// chunk is the cells of changed rows, row by row.
type chunk struct {
	pairs []int64
	cells []hash
}

// looking is the second reading of a side.
type looking struct {
	d     *diff
	side  int
	shown map[int64][]*Row
	todo  int // shown rows that were not met yet
	next  func() (spill.Record, error, bool)
	cur   spill.Record
	more  bool // cur is a row that changed
	left  int  // bytes of values that may be kept
	out   chan chunk
	buf   []byte
}

func (d *diff) look(side int, out chan chunk) *looking {
	l := &looking{d: d, side: side, shown: map[int64][]*Row{}, left: keptBytes, out: out}
	if d.in.NoValues {
		return l
	}
	for _, list := range d.shown {
		for i := range list.rows {
			r := &list.rows[i]
			n := r.NewRow
			if side == tagOld {
				n = r.OldRow
			}
			if n > 0 {
				l.shown[n] = append(l.shown[n], r)
				l.todo++
			}
		}
	}
	return l
}

var errEnough = errors.New("all is seen")

func (l *looking) run(ctx context.Context) error {
	if l.todo == 0 && l.d.changed == 0 {
		return nil
	}
	if l.d.changed > 0 {
		next, stop := iter.Pull2(records(l.d.pairs[l.side]))
		defer stop()
		l.next = next
		if err := l.step(); err != nil {
			return err
		}
	}
	s := &l.d.sides[l.side]
	s.Options.AllKeys, s.Options.Names = false, s.reader.Labels() // they are known by now
	if err := s.open(ctx); err != nil {
		return err
	}
	var scratch table.Scratch
	err := s.reader.Tasks(ctx, func(t table.Task) error {
		return t(ctx, &scratch, func(b *table.Batch) error { return l.batch(ctx, b) })
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return s.fault(err)
}

// records gives those of a sorter.
func records(s *spill.Sorter) iter.Seq2[spill.Record, error] {
	return func(yield func(spill.Record, error) bool) {
		err := s.Each(func(r *spill.Record, _ bool) error {
			if !yield(*r, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(spill.Record{}, err)
		}
	}
}

func (l *looking) step() (err error) {
	l.cur, err, l.more = l.next()
	return err
}

func (l *looking) batch(ctx context.Context, b *table.Batch) error {
	var c chunk
	for r := range b.Rows {
		row := b.Row(r)
		for _, shown := range l.shown[row] {
			l.keep(shown, b, r)
			l.todo--
		}
		if !l.more || int64(l.cur.Hash[0]) != row {
			continue
		}
		c.pairs = append(c.pairs, l.cur.Row)
		for i := range l.d.plan {
			col := &l.d.plan[i]
			l.buf = col.canonical(l.buf[:0], &b.Cols[col.at[l.side]], r)
			c.cells = append(c.cells, spill.Hash(l.buf))
		}
		if err := l.step(); err != nil {
			return err
		}
	}
	if len(c.pairs) > 0 {
		select {
		case l.out <- c:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if !l.more && l.todo <= 0 {
		return errEnough
	}
	return nil
}

// keep takes what is shown of a row.
func (l *looking) keep(row *Row, b *table.Batch, r int) {
	d := l.d
	value := func(i int) *string { return d.kept(&b.Cols[i], r, &l.left) }
	switch row.Kind {
	case Changed:
		text := make([]*string, len(d.plan))
		for i := range d.plan {
			text[i] = value(d.plan[i].at[l.side])
		}
		if l.side == tagOld {
			row.oldText = text
		} else {
			row.newText = text
		}
	case Repeated:
		for _, k := range d.key {
			row.Key = append(row.Key, l.cell(d.plan[k].name, cut(value(d.plan[k].at[l.side]), 0)))
		}
	default:
		s := &d.sides[l.side]
		for i, name := range s.labels {
			if i == shownCells {
				row.MoreCells = len(s.labels) - i
				break
			}
			row.Cells = append(row.Cells, l.cell(name.name, cut(value(i), 0)))
		}
	}
}

func (l *looking) cell(column string, v *string) Cell {
	if l.side == tagOld {
		return Cell{Column: column, Old: v}
	}
	return Cell{Column: column, New: v}
}

// join brings the cells of both sides of a row together. Rows that wait for the other side are held in memory; where these are too many, as when
// the order of rows is another one, all go to temporary files.
type join struct {
	d       *diff
	rows    map[int64]*Row // that are shown
	pending [2]map[int64][]hash
	bytes   [2]int64
	spilled *spill.Sorter
	done    int64 // pairs
}

// run takes from the side of which less waits.
func (j *join) run(ctx context.Context, from [2]chan chunk) error {
	for from[0] != nil || from[1] != nil {
		side := tagOld
		if from[0] == nil || from[1] != nil && j.bytes[1] < j.bytes[0] {
			side = tagNew
		}
		select {
		case c, ok := <-from[side]:
			if !ok {
				from[side] = nil
				continue
			}
			if err := j.take(side, c); err != nil {
				return fmt.Errorf("compare cells: %w", err)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// pendingCost is about what a row that waits costs beside its cells, in bytes.
const pendingCost = 100

func (j *join) take(side int, c chunk) error {
	cols := len(j.d.plan)
	for i, pair := range c.pairs {
		cells := c.cells[i*cols : (i+1)*cols]
		other, ok := j.pending[1-side][pair]
		if ok {
			for col := range cells {
				if cells[col] != other[col] {
					j.differs(pair, col)
				}
			}
			delete(j.pending[1-side], pair)
			j.bytes[1-side] -= int64(16*cols) + pendingCost
			j.done++
			continue
		}
		j.pending[side][pair] = append([]hash(nil), cells...)
		j.bytes[side] += int64(16*cols) + pendingCost
	}
	if j.bytes[0]+j.bytes[1] > j.d.in.Memory/2 {
		return j.spill()
	}
	return nil
}

func (j *join) differs(pair int64, col int) {
	j.d.plan[col].changed++
	if r := j.rows[pair]; r != nil {
		r.cols = append(r.cols, col)
	}
}

func (j *join) spill() error {
	if j.spilled == nil {
		j.spilled = j.d.sorter(j.d.in.Memory / 4)
	}
	var recs []spill.Record
	for side := range j.pending {
		for pair, cells := range j.pending[side] {
			recs = recs[:0]
			for col := range cells {
				r := spill.Record{Hash: hash{uint64(pair), uint64(col)}, Tag: uint32(side)}
				r.SetHash(cells[col])
				recs = append(recs, r)
			}
			if err := j.spilled.Add(recs); err != nil {
				return err
			}
		}
		clear(j.pending[side])
		j.bytes[side] = 0
	}
	return nil
}

// end compares what went to temporary files.
func (j *join) end() error {
	if j.spilled != nil {
		if err := j.spill(); err != nil {
			return err
		}
		var first spill.Record
		err := j.spilled.Each(func(r *spill.Record, same bool) error {
			if !same {
				first = *r
				return nil
			}
			if r.KeptHash() != first.KeptHash() {
				j.differs(int64(r.Hash[0]), int(r.Hash[1]))
			}
			if r.Hash[1] == 0 {
				j.done++
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("compare cells: %w", err)
		}
	}
	if j.done != j.d.changed {
		return fmt.Errorf("a version changed while it was read")
	}
	return nil
}
