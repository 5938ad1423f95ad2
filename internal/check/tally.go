package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tarn/internal/check/cell"
	"tarn/internal/check/contract"
)

// tally counts the violations of a check, and keeps the first ones by file and row, so that the result does not depend on who found them first.
type tally struct {
	count    int64
	most     int
	examples []example
}

// example is a violation that is shown.
type example struct {
	file   int    // number of a table file; negative: path has it
	path   string // of another file
	row    int64
	column string
	value  string
	note   string
	code   string // "": that of the check
}

func (e *example) compare(o *example) int {
	return cmp.Or(cmp.Compare(e.file, o.file), cmp.Compare(e.path, o.path), cmp.Compare(e.row, o.row), cmp.Compare(e.column, o.column), cmp.Compare(e.note, o.note))
}

// wants says that a violation in this place would be kept, so that the caller makes its text only then.
func (t *tally) wants(file int, row int64) bool {
	if len(t.examples) < t.most {
		return true
	}
	if t.most == 0 {
		return false
	}
	last := &t.examples[len(t.examples)-1]
	return file < last.file || file == last.file && row <= last.row
}

// keep takes an example in; it is counted elsewhere.
func (t *tally) keep(e example) {
	i, _ := slices.BinarySearchFunc(t.examples, e, func(a, b example) int { return a.compare(&b) })
	if i >= t.most {
		return
	}
	t.examples = slices.Insert(t.examples, i, e)
	if len(t.examples) > t.most {
		t.examples = t.examples[:t.most]
	}
}

// merge adds another goroutine's tally.
func (t *tally) merge(o *tally) {
	t.count += o.count
	for i := range o.examples {
		t.keep(o.examples[i])
	}
}

// shownValue is how many bytes of a value are shown.
const shownValue = 60

// show makes a value fit for a line.
func show(v []byte) string {
	end := ""
	if len(v) > shownValue {
		v, end = cell.Head(v, shownValue), "…"
	}
	return strings.ToValidUTF8(string(v), "\uFFFD") + end
}

// found words what a count was, where the contract says what it must be.
func found(w contract.Want, count, total int64) string {
	if w.Percent && total > 0 {
		return fmt.Sprintf("it is %.4g %% (%d of %d)", 100*float64(count)/float64(total), count, total)
	}
	return fmt.Sprintf("it is %d", count)
}
