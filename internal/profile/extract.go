package profile

import (
	"bytes"
	"math"
	"unicode/utf8"

	"tarn/internal/check/cell"
	"tarn/internal/check/table"
	"tarn/internal/drift"
)

// Nulls are the texts that stand for no value, beside the empty one.
type Nulls []string

// extractor takes the values of a batch apart. It belongs to one goroutine.
type extractor struct {
	nulls   Nulls
	asText  bool // of the column: numbers and times in text stay text
	numbers []float64
	times   []float64
	texts   texts
	absent  int64
	nan     int64
	sorter  drift.Sorter
	lengths []int64
	runs    []run
}

var booleans = [2][]byte{[]byte("false"), []byte("true")}

// column reads a column of a batch.
func (x *extractor) column(col *table.Column, rows int) {
	x.numbers, x.times, x.absent, x.nan = x.numbers[:0], x.times[:0], 0, 0
	x.texts.reset()
	switch buf, start, end, stride, at, ok := col.Spans(); {
	case col.Kind == table.Text && ok:
		x.spans(buf, start, end, stride, at, rows)
	case col.Kind == table.Int || col.Kind == table.Float || col.Kind == table.Date || col.Kind == table.Time || col.Kind == table.Datetime:
		x.typed(col, rows)
	default:
		for r := range rows {
			x.value(col, r)
		}
	}
}

// spans reads text that may be anything.
func (x *extractor) spans(buf []byte, start, end []uint32, stride, at, rows int) {
	for i, n := at, 0; n < rows; i, n = i+stride, n+1 {
		s, e := start[i], end[i]
		if s >= e {
			x.absent++
			continue
		}
		x.text(buf[s:e])
	}
}

func (x *extractor) typed(col *table.Column, rows int) {
	for r := range rows {
		if col.IsAbsent(r) {
			x.absent++
			continue
		}
		switch col.Kind {
		case table.Int:
			x.number(float64(col.Ints[r]))
		case table.Float:
			x.number(col.Floats[r])
		case table.Time: // of a day, in seconds
			x.number(seconds(col.Instant(r)))
		case table.Date:
			x.times = append(x.times, float64(col.Ints[r])*86400)
		case table.Datetime:
			x.times = append(x.times, seconds(col.Instant(r)))
		}
	}
}

// value reads one that has a kind of its own.
func (x *extractor) value(col *table.Column, r int) {
	if col.IsAbsent(r) {
		x.absent++
		return
	}
	kind := col.Kind
	v := []byte(nil)
	switch kind {
	case table.Bool:
		v = booleans[min(1, max(0, col.Ints[r]))]
	case table.Mixed:
		kind, v = col.KindAt(r), col.Text(r)
	default:
		v = col.Text(r)
	}
	switch {
	case (kind == table.Text || kind == table.JSON) && len(v) == 0:
		x.absent++
	case kind == table.Text || kind == table.Int || kind == table.Float:
		x.text(v)
	case x.isNull(v):
		x.absent++
	default:
		x.texts.add(v, hashText(v))
	}
}

func (x *extractor) isNull(v []byte) bool {
	for _, n := range x.nulls {
		if string(v) == n {
			return true
		}
	}
	return false
}

func (x *extractor) text(v []byte) {
	if len(x.nulls) > 0 && x.isNull(v) {
		x.absent++
		return
	}
	if c := v[0]; x.asText || c > '9' && c != 'n' && c != 'N' && c != 'i' && c != 'I' { // most texts
		x.texts.add(v, hashText(v))
		return
	}
	if f, ok := number(v); ok {
		x.number(f)
		return
	}
	if t, ok := instant(v); ok {
		x.times = append(x.times, t)
		return
	}
	x.texts.add(v, hashText(v))
}

func (x *extractor) number(f float64) {
	if math.IsNaN(f) {
		x.nan++
		return
	}
	x.numbers = append(x.numbers, f)
}

// number reads what looks like one; others are not tried, since that takes its time.
func number(b []byte) (float64, bool) {
	for i, c := range b {
		switch {
		case c >= '0' && c <= '9' || c == '.' || c == 'e' || c == 'E':
		case (c == '-' || c == '+') && (i == 0 || b[i-1] == 'e' || b[i-1] == 'E'):
		case i < 2 && (c == 'n' || c == 'N' || c == 'i' || c == 'I'):
			return cell.ParseFloat(b) // NaN, INF
		case c <= ' ':
			if t := bytes.TrimSpace(b); len(t) < len(b) && len(t) > 0 {
				return number(t)
			}
			return 0, false
		default:
			return 0, false
		}
	}
	return cell.ParseFloat(b)
}

// instant reads a date or a datetime of ISO 8601, in seconds since 1970.
func instant(b []byte) (float64, bool) {
	if len(b) < 10 || b[4] != '-' || b[7] != '-' {
		return 0, false
	}
	if len(b) == 10 {
		days, ok := cell.ParseDate(b)
		return float64(days) * 86400, ok
	}
	sec, ns, ok := cell.ParseDatetime(b)
	return seconds(sec, ns), ok
}

func seconds(sec int64, ns uint32) float64 { return float64(sec) + float64(ns)/1e9 }

// texts counts the different texts of a batch, by an open table.
type texts struct {
	slots []int32 // number of an entry + 1
	list  []text
	mask  uint64
	n     int64
}

type text struct {
	hash uint64
	b    []byte // of the batch, or a copy
	n    int64
}

func (t *texts) reset() {
	if len(t.list) > 0 || t.slots == nil {
		if len(t.slots) > 1<<12 && len(t.list) < len(t.slots)/64 {
			t.slots = nil
		}
		if t.slots == nil {
			t.slots = make([]int32, 1<<10)
		}
		clear(t.slots)
	}
	t.list, t.n = t.list[:0], 0
	t.mask = uint64(len(t.slots) - 1)
}

func (t *texts) add(b []byte, h uint64) {
	t.n++
	i := h & t.mask
	for ; t.slots[i] != 0; i = (i + 1) & t.mask {
		if e := &t.list[t.slots[i]-1]; e.hash == h && string(e.b) == string(b) {
			e.n++
			return
		}
	}
	t.list = append(t.list, text{h, b, 1})
	t.slots[i] = int32(len(t.list))
	if len(t.list)*2 > len(t.slots) {
		t.grow()
	}
}

func (t *texts) grow() {
	t.slots = make([]int32, 2*len(t.slots))
	t.mask = uint64(len(t.slots) - 1)
	for k := range t.list {
		i := t.list[k].hash & t.mask
		for t.slots[i] != 0 {
			i = (i + 1) & t.mask
		}
		t.slots[i] = int32(k + 1)
	}
}

// countLengths are how many texts have 0, 1, 2 … code points.
func (x *extractor) countLengths() []int64 {
	clear(x.lengths)
	for i := range x.texts.list {
		t := &x.texts.list[i]
		n := min(utf8.RuneCount(t.b), lengthMax)
		if n >= len(x.lengths) {
			x.lengths = append(x.lengths, make([]int64, n+1-len(x.lengths))...)
		}
		x.lengths[n] += t.n
	}
	return x.lengths
}

// lengthMax is the length that longer texts count as.
const lengthMax = 1 << 20
