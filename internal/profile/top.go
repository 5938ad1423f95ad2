package profile

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// Bounds on the values that are counted one by one.
const (
	topMax   = 10_000  // different values while they are counted
	topBytes = 2 << 20 // and the bytes of their texts
	topKept  = 200     // that are kept if there were more
)

// Value is a value with how often it is there.
type Value struct {
	IsNumber bool
	Number   float64
	Text     string
	N        int64
}

// Top counts values. As long as there are few it is exact; then the rarest go (as in Misra and Gries, Finding Repeated Elements, 1982, without the subtraction): a
// value is there at most Missed times more often than it says, and one that is not among them at most Missed times.
type Top struct {
	numbers map[uint64]int64 // by the bits of the number
	texts   map[string]int64
	bytes   int
	Missed  int64
	runs    []run // that are not in the maps yet: counts of batches
}

// run is a value of a batch with how often it is there.
type run struct {
	bits uint64 // of a number
	text []byte // nil: it is a number
	n    int64
}

// addRuns takes the values of a batch in, for the next merge to count. It drops the rarest of too many, and spoils runs.
func (t *Top) addRuns(runs []run) {
	for least := int64(1); len(runs) > topMax; least++ {
		runs = slices.DeleteFunc(runs, func(r run) bool { return r.n <= least })
		t.Missed++
	}
	t.runs = append(t.runs, runs...)
	if len(t.runs) > 4*topMax {
		t.settle()
	}
}

// settle counts what was taken in.
func (t *Top) settle() {
	runs := t.runs
	t.runs = nil
	t.count(runs)
}

// count puts runs into the maps. Where values are missed anyway, those that are there once are not worth a look.
func (t *Top) count(runs []run) {
	least := int64(0)
	if t.Missed > 0 {
		least = 1
	}
	dropped := false
	for _, r := range runs {
		switch {
		case r.n <= least:
			dropped = true
			continue
		case r.text == nil:
			t.addNumber(r.bits, r.n)
		default:
			t.addText(r.text, r.n)
		}
		if t.full() {
			t.prune()
			least = 1
		}
	}
	if dropped {
		t.Missed += least
	}
}

// Exact says that each value is there with its true count.
func (t *Top) Exact() bool { return t.Missed == 0 }

// Len is how many values there are.
func (t *Top) Len() int { return len(t.numbers) + len(t.texts) }

func (t *Top) addNumber(bits uint64, n int64) {
	if t.numbers == nil {
		t.numbers = map[uint64]int64{}
	}
	t.numbers[bits] += n
}

func (t *Top) addText(b []byte, n int64) {
	if t.texts == nil {
		t.texts = map[string]int64{}
	}
	old, ok := t.texts[string(b)]
	if ok {
		t.texts[string(b)] = old + n
		return
	}
	t.texts[string(b)] = n
	t.bytes += len(b)
}

// full says that it is time to prune.
func (t *Top) full() bool { return t.Len() > topMax || t.bytes > topBytes }

// prune drops the rarest until few enough are left.
func (t *Top) prune() {
	if t.full() {
		t.keep(topMax/2, topBytes/2)
	}
}

// keep drops the rarest, all of one count together, until at most most values of at most size bytes are left.
func (t *Top) keep(most, size int) {
	counts := make([]Value, 0, t.Len())
	for _, n := range t.numbers {
		counts = append(counts, Value{N: n})
	}
	for s, n := range t.texts {
		counts = append(counts, Value{N: n, Text: s})
	}
	slices.SortFunc(counts, func(a, b Value) int {
		if c := cmp.Compare(b.N, a.N); c != 0 {
			return c
		}
		return strings.Compare(a.Text, b.Text)
	})
	worst := int64(0)
	bytes := 0
	for i, c := range counts {
		if bytes += len(c.Text); i >= most || bytes > size {
			worst = c.N
			break
		}
	}
	t.drop(worst)
	t.Missed += worst
}

// drop removes what is there at most n times.
func (t *Top) drop(n int64) {
	for k, c := range t.numbers {
		if c <= n {
			delete(t.numbers, k)
		}
	}
	for k, c := range t.texts {
		if c <= n {
			delete(t.texts, k)
			t.bytes -= len(k)
		}
	}
}

// merge takes o in.
func (t *Top) merge(o *Top) {
	for k, n := range o.numbers {
		t.addNumber(k, n)
	}
	for k, n := range o.texts {
		t.addText([]byte(k), n)
	}
	t.Missed += o.Missed
	t.count(o.runs)
	t.prune()
}

// finish leaves, of many values, those that are sure to be frequent.
func (t *Top) finish() {
	t.settle()
	if t.Exact() {
		return
	}
	t.drop(t.Missed)
	if t.Len() > topKept {
		t.keep(topKept, topBytes)
	}
}

// Values are what is there, the most frequent first, then numbers, then by value.
func (t *Top) Values() []Value {
	vs := make([]Value, 0, t.Len())
	for k, n := range t.numbers {
		vs = append(vs, Value{IsNumber: true, Number: math.Float64frombits(k), N: n})
	}
	for k, n := range t.texts {
		vs = append(vs, Value{Text: k, N: n})
	}
	slices.SortFunc(vs, func(a, b Value) int {
		switch {
		case a.N != b.N:
			return cmp.Compare(b.N, a.N)
		case a.IsNumber != b.IsNumber:
			if a.IsNumber {
				return -1
			}
			return 1
		case a.Number < b.Number:
			return -1
		case a.Number > b.Number:
			return 1
		}
		return strings.Compare(a.Text, b.Text)
	})
	return vs
}
