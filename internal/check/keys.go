package check

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"tarn/internal/check/cell"
	"tarn/internal/check/contract"
	"tarn/internal/check/spill"
	"tarn/internal/check/table"
)

// keyRule makes the keys of a check that compares rows with each other.
type keyRule struct {
	*state
	slot    int
	columns []int // of the contract
	label   int   // of conflictingLabels: the column whose value is the mark; else -1
	tag     uint32
	nulls   bool // a key with a null counts, too
	splits  []contract.Glob
}

// newKeyRule is the rule of a check of the object.
func newKeyRule(o *object, s *state, slot int) *keyRule {
	k := &keyRule{state: s, slot: slot, label: -1}
	names := s.Columns
	switch s.Kind {
	case contract.DupRows, contract.Leakage, contract.Labelled:
		k.nulls = s.Kind != contract.Leakage || s.Custom.By == "row"
		if len(names) == 0 {
			for _, c := range o.Columns {
				if c.Name != s.Custom.Label {
					names = append(names, c.Name)
				}
			}
		}
	}
	for _, n := range names {
		k.columns = append(k.columns, o.Index(n))
	}
	switch s.Kind {
	case contract.Labelled:
		k.label = o.Index(s.Custom.Label)
	case contract.ForeignKey:
		if k.tag = tagLocal; s.referred {
			k.tag = tagReferred
		}
	case contract.Leakage:
		k.splits = s.splits
	}
	return k
}

// Tags of foreign keys: what is referred to stands first.
const (
	tagReferred = 0
	tagLocal    = 1
)

// handOver is how many keys a worker gathers.
const handOver = 2048

// key makes the keys of a batch.
func (w *worker) key(i int, b *table.Batch) error {
	k := w.p.keys[i]
	cols := make([]*table.Column, len(k.columns))
	for j, c := range k.columns {
		if cols[j] = w.column(b, c); cols[j] == nil && k.nulls {
			cols[j] = &nullColumn
		} else if cols[j] == nil {
			return nil // it lacks a column, which is reported
		}
	}
	tag := k.tag
	if k.splits != nil {
		split := splitOf(k.splits, w.of.path)
		if split < 0 {
			return nil
		}
		tag = uint32(split)
	}
	var label *table.Column
	if k.label >= 0 {
		if label = w.column(b, k.label); label == nil {
			return nil
		}
	}
	for r := range b.Rows {
		buf, state := w.buf[:0], isValue
		for j, col := range cols {
			var s valueState
			buf, s = w.canonical(buf, k.columns[j], col, r)
			state = max(state, s)
		}
		w.buf = buf
		if state != isValue && !k.nulls {
			if k.Kind == contract.PrimaryKey && state == isNull {
				w.violation(k.slot, b, r, strings.Join(k.Columns, ", "), nil, "a part of the key is missing")
			}
			continue
		}
		rec := spill.Record{Hash: spill.Hash(buf), File: uint32(w.of.n), Row: b.Row(r), Tag: tag}
		if label != nil {
			rec.SetMarked(w.labelMark(k.label, label, r), w.shownKey([]*table.Column{label}, r))
		} else {
			rec.SetValue(w.shownKey(cols, r))
		}
		if w.keys[i] = append(w.keys[i], rec); len(w.keys[i]) >= handOver {
			if err := w.hand(i); err != nil {
				return err
			}
		}
	}
	return nil
}

func splitOf(splits []contract.Glob, path string) int {
	for i, g := range splits {
		if g.Match(path) {
			return i
		}
	}
	return -1
}

// member notes which splits a file is in. One that is in two of them leaks as it is.
func (s *state) member(path string) {
	names, first := s.Custom.SplitNames(), -1
	for i, g := range s.splits {
		if !g.Match(path) {
			continue
		}
		if s.members[i]++; first < 0 {
			first = i
			continue
		}
		s.count++
		s.keep(example{file: -1, path: path, note: fmt.Sprintf("it is in %s and in %s", names[first], names[i])})
	}
}

// empty counts splits that nothing is in: what is compared with them can't leak.
func (s *state) empty() {
	for i, name := range s.Custom.SplitNames() {
		if s.members[i] == 0 {
			s.count++
			s.keep(example{file: -1, path: s.splits[i].String(), note: "no file is in " + name})
		}
	}
}

// labelMark tells labels apart, by 64 bits of their hash.
func (w *worker) labelMark(column int, col *table.Column, r int) uint64 {
	w.buf, _ = w.canonical(w.buf[:0], column, col, r)
	return spill.Hash(w.buf)[0]
}

// hand gives keys to the sorter.
func (w *worker) hand(i int) error {
	if err := w.p.keys[i].sorter.Add(w.keys[i]); err != nil {
		return fmt.Errorf("%w: %w", errSpill, err)
	}
	w.keys[i] = w.keys[i][:0]
	return nil
}

// valueState says what a value is good for as a part of a key.
type valueState int

const (
	isValue valueState = iota
	isNull
	isWrong // not of its column's type, which is a violation of its own
)

// canonical appends a value in a form that is the same for values that are: 1, 01 and +1 of a column of integers.
func (w *worker) canonical(dst []byte, column int, col *table.Column, r int) ([]byte, valueState) {
	ru := w.p.columns[column]
	v, n, state := w.read(ru, col, r)
	switch {
	case state == isNull:
		return append(dst, 0), isNull
	case ru.Spec.Type == cell.Number && n.IsNaN(): // which is not the same as any other
		state = isWrong
	}
	switch t := ru.Spec.Type; {
	case state == isValue && n.Nano > 0:
		dst = binary.LittleEndian.AppendUint64(append(dst, 'n'), uint64(n.Int))
		return binary.LittleEndian.AppendUint32(dst, n.Nano), isValue
	case state == isValue && t.Ordered() && n.IsInt:
		return binary.LittleEndian.AppendUint64(append(dst, 'i'), uint64(n.Int)), isValue
	case state == isValue && n.Exact != "":
		return append(append(dst, 'd'), n.Exact...), isValue
	case state == isValue && t.Ordered():
		return binary.LittleEndian.AppendUint64(append(dst, 'f'), math.Float64bits(n.Float+0)), isValue
	case state == isValue && t == cell.Boolean:
		if ru.isTrue(v) {
			return append(dst, 't'), isValue
		}
		return append(dst, 'u'), isValue
	}
	dst = binary.AppendUvarint(append(dst, 2), uint64(len(v)))
	return append(dst, v...), state
}

// shownKey is a key for messages.
func (w *worker) shownKey(cols []*table.Column, r int) []byte {
	w.shown = w.shown[:0]
	for i, col := range cols {
		if i > 0 {
			w.shown = append(w.shown, ", "...)
		}
		if len(w.shown) > shownValue {
			break
		}
		var v []byte
		v, w.lit = col.Literal(col.KindAt(r), r, w.lit)
		w.shown = append(w.shown, v...)
	}
	return w.shown
}

// keys compares the keys of each check, once all files were read.
func (r *run) keys(ctx context.Context) error {
	for _, s := range r.states {
		if s.sorter == nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.compare(ctx, s); err != nil {
			return fmt.Errorf("check %s: %w", s.Key, err)
		}
		if n := s.sorter.Spilled(); n > 0 {
			r.spilled += n
			s.note = strings.TrimPrefix(s.note+fmt.Sprintf("; %d MiB of keys went to a temporary file", n>>20), "; ")
		}
		s.sorter.Close()
	}
	return nil
}

// compare compares the keys of a check.
func (r *run) compare(ctx context.Context, s *state) error {
	columns := strings.Join(s.Columns, ", ")
	switch {
	case s.Kind == contract.ForeignKey && s.errored != "": // what it refers to is not all there
		return nil
	case s.Kind == contract.ForeignKey:
		return r.dangling(s, columns)
	case s.Kind == contract.DupFiles, s.Kind == contract.Leakage && s.Custom.By == "file":
		return r.sameFiles(ctx, s)
	case s.Kind == contract.Labelled:
		return r.repeats(s, s.Custom.Label, otherMark, func(first, rec *spill.Record) string {
			return "the same features have another label in " + r.place(first, rec)
		})
	case s.Kind == contract.Leakage: // the row of the split that comes later is wrong
		names := s.Custom.SplitNames()
		return r.repeats(s, columns, otherTag, func(first, rec *spill.Record) string {
			return fmt.Sprintf("%s has it from %s: %s", names[rec.Tag], names[first.Tag], r.place(first, rec))
		})
	}
	return r.repeats(s, columns, always, func(first, rec *spill.Record) string {
		return "it stands in " + r.place(first, rec) + ", too"
	})
}

func always(_, _ *spill.Record) bool { return true }

func otherTag(first, rec *spill.Record) bool { return rec.Tag != first.Tag }

func otherMark(first, rec *spill.Record) bool { return rec.Mark() != first.Mark() }

// repeats counts rows whose key an earlier row has, which differs. note says what is wrong with rec.
func (r *run) repeats(s *state, column string, differs func(first, rec *spill.Record) bool, note func(first, rec *spill.Record) string) error {
	var first spill.Record
	return s.sorter.Each(func(rec *spill.Record, same bool) error {
		if !same {
			first = *rec
			return nil
		}
		if !differs(&first, rec) {
			return nil
		}
		s.count++
		r.keepKey(s, column, rec, func() string { return note(&first, rec) })
		return nil
	})
}

// keepKey keeps a record as an example, if it is wanted.
func (r *run) keepKey(s *state, column string, rec *spill.Record, note func() string) {
	if s.wants(int(rec.File), rec.Row) {
		s.keep(example{file: int(rec.File), row: rec.Row, column: column, value: show([]byte(rec.Value())), note: note()})
	}
}

// place names where a record is, as seen from another one.
func (r *run) place(rec, from *spill.Record) string {
	if rec.File == from.File {
		return fmt.Sprintf("row %d", rec.Row)
	}
	return fmt.Sprintf("%s row %d", r.paths[rec.File], rec.Row)
}

// dangling counts keys that refer to nothing.
func (r *run) dangling(s *state, columns string) error {
	found := false
	return s.sorter.Each(func(rec *spill.Record, same bool) error {
		if !same {
			found = rec.Tag == tagReferred
		}
		if rec.Tag == tagReferred || found {
			return nil
		}
		s.count++
		r.keepKey(s, columns, rec, func() string { return "it refers to no row" })
		return nil
	})
}
