package rows

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"tarn/internal/check/cell"
	"tarn/internal/check/table"
)

// Bounds on what is kept of rows that are shown.
const (
	maxShown     = 1 << 20  // cells of all of them together
	shownCells   = 20       // of a row that was added or removed
	changedCells = 100      // of a row that changed
	shownValue   = 60       // bytes of a value
	keptValue    = 4 << 10  // bytes of a value that is kept until it is known where the other one differs
	keptBytes    = 16 << 20 // of all values of a side; then no more is kept than is shown
)

// shownRows keeps the first rows, by their numbers, so that the result does not depend on the order in which they were found.
type shownRows struct {
	most int
	rows []Row
}

func (r *Row) compare(o *Row) int {
	return cmp.Or(cmp.Compare(max(r.NewRow, 0), max(o.NewRow, 0)), cmp.Compare(r.OldRow, o.OldRow))
}

func (s *shownRows) keep(r Row) {
	if s.most == 0 || len(s.rows) == s.most && s.rows[s.most-1].compare(&r) < 0 {
		return
	}
	i, _ := slices.BinarySearchFunc(s.rows, r, func(a, b Row) int { return a.compare(&b) })
	s.rows = slices.Insert(s.rows, i, r)
	if len(s.rows) > s.most {
		s.rows = s.rows[:s.most]
	}
}

// kept is a copy of a value, nil where there is none.
func (d *diff) kept(col *table.Column, r int, left *int) *string {
	if col.IsAbsent(r) {
		return nil
	}
	kind := col.KindAt(r)
	v, _ := col.Literal(kind, r, nil)
	most := keptValue
	if *left < most {
		most = shownValue + 1
	}
	*left -= min(len(v), most)
	s := string(v[:min(len(v), most)])
	return &s
}

// cut makes a value fit for a line, from the byte on.
func cut(v *string, from int) *string {
	if v == nil {
		return nil
	}
	s, begin, end := *v, "", ""
	if from > 0 && from < len(s) {
		for from < len(s) && !utf8.RuneStart(s[from]) {
			from++
		}
		s, begin = s[from:], "…"
	}
	if len(s) > shownValue {
		s, end = cell.Head(s, shownValue), "…"
	}
	s = begin + strings.ToValidUTF8(s, "\uFFFD") + end
	return &s
}

// cutBoth cuts two values that differ so that the place where they do is seen.
func cutBoth(a, b *string) (*string, *string) {
	const before = 20 // bytes that are shown in front of the place
	if a == nil || b == nil || len(*a) <= shownValue && len(*b) <= shownValue {
		return cut(a, 0), cut(b, 0)
	}
	n := 0
	for n < len(*a) && n < len(*b) && (*a)[n] == (*b)[n] {
		n++
	}
	from := 0
	if n > shownValue-before && n < max(len(*a), len(*b)) {
		from = min(n-before, len(*a), len(*b))
	}
	return cut(a, from), cut(b, from)
}

// show puts the rows that are shown into the result.
func (d *diff) show() {
	for _, k := range []Kind{Changed, Removed, Added, Repeated} {
		for i := range d.shown[k].rows {
			r := &d.shown[k].rows[i]
			if k == Changed {
				d.showChanged(r)
			}
			r.cols, r.oldText, r.newText = nil, nil, nil
			d.res.Rows = append(d.res.Rows, *r)
		}
	}
}

// showChanged fills in the cells of a changed row, and its key.
func (d *diff) showChanged(r *Row) {
	slices.Sort(r.cols)
	if n := len(r.cols) - changedCells; n > 0 {
		r.cols, r.MoreCells = r.cols[:changedCells], n
	}
	for _, at := range r.cols {
		c := Cell{Column: d.plan[at].name}
		if !d.in.NoValues {
			c.Old, c.New = cutBoth(r.oldText[at], r.newText[at])
		}
		r.Cells = append(r.Cells, c)
	}
	if d.in.NoValues {
		return
	}
	for _, at := range d.key {
		r.Key = append(r.Key, Cell{Column: d.plan[at].name, Old: cut(r.oldText[at], 0), New: cut(r.newText[at], 0)})
	}
}
