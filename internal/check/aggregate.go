package check

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"time"

	"tarn/internal/check/cell"
	"tarn/internal/check/contract"
	"tarn/internal/check/spill"
	"tarn/internal/check/table"
)

// aggregate is a check that needs a summary of a column.
type aggregate struct {
	*state
	slot   int
	column int
	aggState
}

// aggState is a summary: the newest moment, or how often each class is there.
type aggState struct {
	most    int
	any     bool
	newest  cell.Value
	classes map[string]int64
	over    bool // there are more classes than can be counted
}

// maxClasses is how many classes a column may have.
const maxClasses = 100_000

func (a *aggState) merge(o *aggState) {
	if o.any && (!a.any || a.newest.Less(o.newest)) {
		a.newest, a.any = o.newest, true
	}
	for k, n := range o.classes {
		a.class(k, n)
	}
	a.over = a.over || o.over
}

func (a *aggState) class(k string, n int64) {
	if a.classes == nil {
		a.classes = map[string]int64{}
	}
	if _, ok := a.classes[k]; !ok && len(a.classes) >= maxClasses {
		a.over = true
		return
	}
	a.classes[k] += n
}

// aggregate sums up a batch.
func (w *worker) aggregate(i int, b *table.Batch) {
	a, st := w.p.aggs[i], &w.aggs[i]
	col := w.column(b, a.column)
	if col == nil {
		return
	}
	ru := w.p.columns[a.column]
	if st.classes == nil {
		st.classes = map[string]int64{}
	}
	for r := range b.Rows {
		v, n, state := w.read(ru, col, r)
		switch {
		case state != isValue:
		case a.Kind == contract.Freshness:
			if !st.any || st.newest.Less(n) {
				st.any, st.newest = true, n
			}
		default:
			v = w.className(ru, v, n)
			if _, known := st.classes[string(v)]; known {
				st.classes[string(v)]++
			} else {
				st.class(string(v), 1)
			}
		}
	}
}

// longClass is from how many bytes on a class is told by the begin of its name and a hash of it.
const longClass = 256

// className is the same for values that are: 1 and 01 of a column of integers.
func (w *worker) className(ru *rule, v []byte, n cell.Value) []byte {
	switch ru.Spec.Type {
	case cell.Integer, cell.Number, cell.Year:
		w.lit = append(w.lit[:0], n.Text()...)
	case cell.Boolean:
		w.lit = strconv.AppendBool(w.lit[:0], ru.isTrue(v))
	case cell.Date:
		w.lit = time.Unix(n.Int*86400, 0).UTC().AppendFormat(w.lit[:0], time.DateOnly)
	case cell.Time:
		w.lit = time.Unix(n.Int, int64(n.Nano)).UTC().AppendFormat(w.lit[:0], "15:04:05.999999999")
	case cell.Datetime:
		w.lit = time.Unix(n.Int, int64(n.Nano)).UTC().AppendFormat(w.lit[:0], time.RFC3339Nano)
	default:
		if len(v) < longClass {
			return v
		}
		h := spill.Hash(v)
		w.shown = append(w.shown[:0], v[:longClass]...)
		w.shown = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(w.shown, h[0]), h[1])
		return w.shown
	}
	return w.lit
}

// read is a value's text, what it compares as, and what it is good for.
func (w *worker) read(ru *rule, col *table.Column, r int) (v []byte, n cell.Value, state valueState) {
	if col.IsAbsent(r) {
		return nil, n, isNull
	}
	kind, ok := col.KindAt(r), false
	switch v, w.lit = col.Literal(kind, r, w.lit); {
	case ru.isNull(col, kind, r, v):
		return nil, n, isNull
	case kind == table.Text:
		n, ok = ru.Spec.Parse(v)
	default:
		n, ok = fits(ru, col, kind, r, v)
	}
	if !ok {
		state = isWrong
	}
	return v, n, state
}

// judge decides once all rows were seen.
func (a *aggregate) judge(now time.Time) {
	if a.skipped != "" {
		return
	}
	if a.Kind == contract.Freshness {
		a.fresh(now)
		return
	}
	a.balanced()
}

func (a *aggregate) fresh(now time.Time) {
	a.judged = true
	if !a.any {
		a.count, a.note = 1, "there is no value"
		return
	}
	newest := time.Unix(a.newest.Int, int64(a.newest.Nano)).UTC()
	a.note = "the newest is " + newest.Format(time.RFC3339)
	if a.state.Object.Column(a.Columns[0]).Spec.Type == cell.Date { // a date lasts until its end
		newest = time.Unix((a.newest.Int+1)*86400, 0).UTC()
		a.note = "the newest is " + newest.AddDate(0, 0, -1).Format(time.DateOnly)
	}
	age := now.Sub(newest)
	if a.passed = age <= a.Custom.Age; !a.passed {
		a.count = 1
		a.note += fmt.Sprintf(", %.1f days old", float64(now.Unix()-newest.Unix())/86400) // a Duration ends at 292 years
	}
}

func (a *aggregate) balanced() {
	a.judged = true
	if a.over {
		a.broke("the column %s has more than %d classes", a.Columns[0], maxClasses)
		return
	}
	names := make([]string, 0, len(a.classes))
	var sum, least, largest int64
	for k, n := range a.classes {
		names = append(names, k)
		if sum += n; n > largest {
			largest = n
		}
		if least == 0 || n < least {
			least = n
		}
	}
	if sum == 0 {
		a.count, a.note = 1, "there is no value"
		return
	}
	slices.Sort(names)
	c := &a.Custom
	for _, k := range names {
		share := float64(a.classes[k]) / float64(sum)
		if c.MinShare > 0 && share < c.MinShare || c.MaxShare > 0 && share > c.MaxShare {
			a.state.count++
			a.keep(example{file: -1, column: a.Columns[0], value: show([]byte(k)), note: fmt.Sprintf("its share is %.4g (%d of %d)", share, a.classes[k], sum)})
		}
	}
	if ratio := float64(largest) / float64(least); c.MaxRatio > 0 && ratio > c.MaxRatio {
		a.state.count++
		a.keep(example{file: -1, column: a.Columns[0], note: fmt.Sprintf("the largest class is %.4g times the smallest (%d, %d)", ratio, largest, least)})
	}
	a.note = fmt.Sprintf("%d classes", len(names))
	a.passed = a.state.count == 0
}
