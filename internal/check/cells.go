package check

import (
	"math"
	"unicode/utf8"

	"tarn/internal/check/cell"
	"tarn/internal/check/contract"
	"tarn/internal/check/table"
)

// rule is all that is checked of single values of a column.
type rule struct {
	*contract.Column
	index  int // of the column in the contract
	checks []cellCheck

	missing  []string // texts that stand for null, but for ""
	emptyNil bool     // "" stands for null
	nullSlow bool     // a null has to be looked at
	// Values that are surely right, so that the loops need not ask each check.
	lo, hi   int64
	flo, fhi float64
	more     bool // there are checks that these bounds don't cover
	test     quick
	short    shortcut
}

// cellCheck is a check of single values.
type cellCheck struct {
	*state
	slot   int
	set    *cell.Set           // of Values
	values map[cell.Value]bool // the same, of an ordered type
	kind   contract.Kind
}

func newRule(o *object, c *contract.Column, index int) *rule {
	ru := &rule{Column: c, index: index}
	missing := o.Missing
	if c.Missing != nil {
		missing = c.Missing
	}
	for _, m := range missing {
		if m == "" {
			ru.emptyNil = true
		} else {
			ru.missing = append(ru.missing, m)
		}
	}
	return ru
}

func (ru *rule) add(s *state, slot int) {
	c := cellCheck{state: s, slot: slot, kind: s.Kind}
	if s.Values != nil {
		c.set = cell.NewSet(s.Values)
		for _, v := range s.Values {
			if n, ok := ru.Spec.Parse([]byte(v)); ok && ru.Spec.Type.Ordered() {
				if c.values == nil {
					c.values = map[cell.Value]bool{}
				}
				c.values[n] = true
			}
		}
	}
	ru.checks = append(ru.checks, c)
}

// prepare finds the bounds within which a value of an ordered type is right.
func (ru *rule) prepare() {
	ru.lo, ru.hi, ru.flo, ru.fhi = math.MinInt64, math.MaxInt64, math.Inf(-1), math.Inf(1)
	ru.short.most = math.MaxInt
	for i := range ru.checks {
		ru.short.cover(&ru.checks[i])
		switch c := &ru.checks[i]; c.kind {
		case contract.Minimum, contract.Maximum, contract.AboveMin, contract.BelowMax:
			ru.narrow(c)
		case contract.TypeOf:
		case contract.Required, contract.Nulls:
			ru.nullSlow = true
		case contract.MissingOf:
			ru.nullSlow, ru.more = true, true
		default:
			ru.more = true
		}
	}
	ru.choose()
}

func (ru *rule) narrow(c *cellCheck) {
	l := c.Limit
	f, n := l.Number(), l.Int
	if math.Abs(f) >= 1<<62 || math.IsNaN(f) || l.Exact != "" { // so far out that the arithmetic below would wrap, or not what a float64 holds
		ru.more = true
		return
	}
	if !l.IsInt { // a bound like 0.5 for integers: whole numbers beyond it are right
		n = int64(math.Ceil(f))
		if c.kind == contract.Maximum || c.kind == contract.BelowMax {
			n = int64(math.Floor(f))
		}
	}
	switch moment := ru.Spec.Type == cell.Time || ru.Spec.Type == cell.Datetime; { // of the second of the bound some values may be wrong
	case moment && c.kind == contract.Minimum && l.Nano > 0:
		n++
	case moment && c.kind == contract.Maximum:
		n--
	}
	switch c.kind {
	case contract.Minimum:
		ru.lo, ru.flo = max(ru.lo, n), max(ru.flo, f)
	case contract.Maximum:
		ru.hi, ru.fhi = min(ru.hi, n), min(ru.fhi, f)
	case contract.AboveMin:
		ru.lo, ru.flo = max(ru.lo, n+1), max(ru.flo, math.Nextafter(f, math.Inf(1)))
	case contract.BelowMax:
		ru.hi, ru.fhi = min(ru.hi, n-1), min(ru.fhi, math.Nextafter(f, math.Inf(-1)))
	}
}

func (ru *rule) isMissing(v []byte) bool {
	for _, m := range ru.missing {
		if string(v) == m {
			return true
		}
	}
	return false
}

// isNull says that the text of value r stands for null: in a text, and in JSON where the column is no text.
func (ru *rule) isNull(col *table.Column, kind table.Kind, r int, v []byte) bool {
	switch missing := len(v) == 0 && ru.emptyNil || ru.isMissing(v); {
	case kind == table.Text:
		return missing || col.IsMissing(r)
	case col.Kind == table.Mixed && kind == table.String:
		return missing && ru.Spec.Type != cell.String && ru.Spec.Type != cell.Any
	}
	return false
}

// isTrue says of a boolean which one it is.
func (ru *rule) isTrue(v []byte) bool { return ru.Spec.IsTrue(v) || string(v) == "true" }

// cells checks a column of a batch.
func (w *worker) cells(ru *rule, b *table.Batch, col *table.Column) {
	if col.Kind != table.Text {
		w.typed(ru, b, col)
		return
	}
	buf, start, end, stride, at, ok := col.Spans()
	if !ok {
		for r := range b.Rows {
			w.text(ru, b, r, col.Text(r))
		}
		return
	}
	for r, i := 0, at; r < b.Rows; r, i = r+1, i+stride {
		s, e := start[i], end[i]
		if s >= e {
			if !col.IsMissing(r) { // a row that is too short is a violation of its own
				w.empty(ru, b, r)
			}
			continue
		}
		v := buf[s:e]
		if !ru.passes(v) {
			w.text(ru, b, r, v)
		}
	}
}

// empty is a cell without text.
func (w *worker) empty(ru *rule, b *table.Batch, r int) {
	if !ru.emptyNil {
		w.text(ru, b, r, nil)
		return
	}
	if ru.nullSlow {
		w.null(ru, b, r, nil)
	}
}

// text checks a cell of text.
func (w *worker) text(ru *rule, b *table.Batch, r int, v []byte) {
	if len(v) == 0 && ru.emptyNil || ru.isMissing(v) {
		w.null(ru, b, r, v)
		return
	}
	n, ok := ru.Spec.Parse(v)
	w.value(ru, b, r, v, n, ok)
}

// null counts where a value is not there.
func (w *worker) null(ru *rule, b *table.Batch, r int, v []byte) {
	for i := range ru.checks {
		c := &ru.checks[i]
		switch c.kind {
		case contract.Required:
			w.violation(c.slot, b, r, ru.Name, v, "the value is missing")
		case contract.Nulls:
			w.violation(c.slot, b, r, ru.Name, v, "null")
		case contract.MissingOf:
			if c.set.Has(v) {
				w.violation(c.slot, b, r, ru.Name, v, "counts as missing")
			}
		}
	}
}

// value runs the checks over a value: its text v, and where it is of an ordered type n. One that is not of its type is only asked what is about its text.
func (w *worker) value(ru *rule, b *table.Batch, r int, v []byte, n cell.Value, ok bool) {
	for i := range ru.checks {
		c := &ru.checks[i]
		if c.kind == contract.TypeOf {
			if !ok {
				w.violation(c.slot, b, r, ru.Name, v, "it is not of type "+ru.Spec.Type.String())
			}
			continue
		}
		if !ok && c.kind != contract.Invalid && c.kind != contract.MissingOf {
			continue
		}
		if note := c.against(v, n, ru.Spec.Type); note != "" {
			w.violation(c.slot, b, r, ru.Name, v, note)
		}
	}
}

// against says what is wrong with a value, or nothing.
func (c *cellCheck) against(v []byte, n cell.Value, t cell.Type) string {
	switch c.kind {
	case contract.Minimum:
		return unless(!n.Less(c.Limit) && !n.IsNaN(), "it is below the minimum")
	case contract.Maximum:
		return unless(!c.Limit.Less(n) && !n.IsNaN(), "it is above the maximum")
	case contract.AboveMin:
		return unless(c.Limit.Less(n), "it is not above the minimum")
	case contract.BelowMax:
		return unless(n.Less(c.Limit), "it is not below the maximum")
	case contract.MultipleOf:
		return unless(isMultiple(n, c.Number), "it is not a multiple")
	case contract.MinLength:
		return unless(float64(utf8.RuneCount(v)) >= c.Number, "it is too short")
	case contract.MaxLength:
		return unless(float64(len(v)) <= c.Number || float64(utf8.RuneCount(v)) <= c.Number, "it is too long")
	case contract.PatternOf:
		return c.match(v)
	case contract.Enum:
		return unless(c.has(v, n, t), "it is not one of the values")
	case contract.MissingOf:
		return unless(!c.set.Has(v), "counts as missing")
	case contract.Invalid:
		if c.set != nil && !c.has(v, n, t) {
			return "it is not one of the values"
		}
		if c.Pattern != nil {
			return c.match(v)
		}
	}
	return ""
}

func unless(holds bool, note string) string {
	if holds {
		return ""
	}
	return note
}

func (c *cellCheck) match(v []byte) string {
	ok, err := c.Pattern.Match(v)
	if err != nil {
		return err.Error()
	}
	return unless(ok, "it does not match the pattern")
}

func (c *cellCheck) has(v []byte, n cell.Value, t cell.Type) bool {
	return c.set.Has(v) || c.values != nil && t.Ordered() && c.values[n]
}

// isMultiple takes numbers for what they are written as: 0.3 is a multiple of 0.1.
func isMultiple(n cell.Value, of float64) bool {
	if n.IsInt && of == math.Trunc(of) && of < 1<<63 {
		return n.Int%int64(of) == 0
	}
	const sure = 1 << 40 // up to here the error of the quotient, three roundings, is far below what a multiple may be off
	if q := math.Abs(n.Number() / of); q < sure && n.Exact == "" {
		if math.Abs(q-math.Round(q)) > q*0x1p-51 {
			return false
		}
		if n.IsInt || n.IsShort() { // so far apart that none is within the error and no multiple
			return true
		}
	}
	value, divisor := n.Rat(), cell.Value{Float: of}.Rat()
	return value != nil && value.Quo(value, divisor).IsInt()
}

// typed checks a column whose values have a type already.
func (w *worker) typed(ru *rule, b *table.Batch, col *table.Column) {
	if col.Dict != 0 {
		w.fromDictionary(ru, b, col)
		return
	}
	ints, floats := ru.quick(col)
	lo, hi := ru.ticks(col)
	texts := col.Kind == table.String && ru.test == quickText
	numerals := (col.Kind == table.Decimal || col.Kind == table.Mixed) && (ru.test == quickInt || ru.test == quickFloat)
	for r := range b.Rows {
		switch {
		case col.IsAbsent(r):
			if ru.nullSlow {
				w.null(ru, b, r, nil)
			}
			continue
		case ints && col.Ints[r] >= lo && col.Ints[r] <= hi, floats && col.Floats[r] >= ru.flo && col.Floats[r] <= ru.fhi, texts && ru.short.right(col.Text(r)), numerals && isNumeral(col.KindAt(r)) && ru.passes(col.Text(r)):
			continue
		}
		w.typedValue(ru, b, col, r)
	}
}

// isNumeral says that values of a kind are numbers that stand there as text.
func isNumeral(k table.Kind) bool { return k == table.Decimal || k == table.Int || k == table.Float }

// ticks are the bounds of the rule in those of a column.
func (ru *rule) ticks(col *table.Column) (lo, hi int64) {
	per := col.PerSecond
	if per <= 1 {
		return ru.lo, ru.hi
	}
	if ru.lo > math.MaxInt64/per || ru.hi < math.MinInt64/per { // no tick is so far out
		return 1, 0
	}
	lo, hi = math.MinInt64, math.MaxInt64
	if ru.lo >= math.MinInt64/per {
		lo = ru.lo * per
	}
	if ru.hi < math.MaxInt64/per {
		hi = ru.hi*per + per - 1
	}
	return lo, hi
}

// verdicts are what is known of the values of a dictionary: 0 nothing, 1 that they are right.
type verdicts struct {
	dict  uint64
	right []uint8
}

// fromDictionary looks at each value of a dictionary once, and at those that are wrong each time they stand somewhere.
func (w *worker) fromDictionary(ru *rule, b *table.Batch, col *table.Column) {
	v := &w.verdicts[ru.index]
	if v.dict != col.Dict {
		v.dict, v.right = col.Dict, append(v.right[:0], make([]uint8, col.Size)...)
	}
	for r := range b.Rows {
		if col.IsAbsent(r) {
			if ru.nullSlow {
				w.null(ru, b, r, nil)
			}
			continue
		}
		if code := col.Codes[r]; v.right[code] == 0 {
			before := w.found
			if w.typedValue(ru, b, col, r); w.found == before {
				v.right[code] = 1
			}
		}
	}
}

// quick says that a column's numbers are right where they are between the bounds of the rule.
func (ru *rule) quick(col *table.Column) (ints, floats bool) {
	t := ru.Spec.Type
	switch col.Kind {
	case table.Int:
		ints = t == cell.Integer
	case table.Date:
		ints = t == cell.Date
	case table.Datetime:
		ints = t == cell.Datetime
	case table.Time:
		ints = t == cell.Time
	case table.Float:
		floats = t == cell.Number
	}
	return ints && !ru.more, floats && !ru.more
}

func (w *worker) typedValue(ru *rule, b *table.Batch, col *table.Column, r int) {
	kind := col.KindAt(r)
	var v []byte
	v, w.buf = col.Literal(kind, r, w.buf)
	n, ok := fits(ru, col, kind, r, v)
	if ru.isNull(col, kind, r, v) {
		w.null(ru, b, r, v)
		return
	}
	w.value(ru, b, r, v, n, ok)
}

// fits says whether a typed value is of the column's type, and what it compares as. Text in a typed format is read as text in CSV is.
func fits(ru *rule, col *table.Column, kind table.Kind, r int, v []byte) (cell.Value, bool) {
	t := ru.Spec.Type
	if t == cell.Any {
		return cell.Value{}, true
	}
	switch kind {
	case table.String:
		return ru.Spec.Parse(v)
	case table.Int, table.Float, table.Decimal:
		if t == cell.Year {
			n, ok := numeral(cell.Integer, col, kind, r, v)
			return n, ok && n.IsYear()
		}
		return numeral(t, col, kind, r, v)
	case table.Bool:
		return cell.Value{}, t == cell.Boolean
	case table.Date:
		return cell.Value{Int: col.Ints[r], IsInt: true}, t == cell.Date
	case table.Time, table.Datetime:
		sec, ns := col.Instant(r)
		return cell.Value{Int: sec, Nano: ns, IsInt: true}, t == cell.Time && kind == table.Time || t == cell.Datetime && kind == table.Datetime
	}
	switch t {
	case cell.Object, cell.Array, cell.Geojson, cell.Geopoint:
		return ru.Spec.Parse(v)
	case cell.List:
		return cell.Value{}, ru.Spec.IsList(v)
	}
	return cell.Value{}, false
}

// numeral is a number of a format that has numbers, as an integer or a number.
func numeral(t cell.Type, col *table.Column, kind table.Kind, r int, v []byte) (cell.Value, bool) {
	if t != cell.Integer && t != cell.Number {
		return cell.Value{}, false
	}
	if col.Kind == table.Mixed || kind == table.Decimal {
		return (&cell.Spec{Type: t}).ParseNumeral(v)
	}
	if kind == table.Int {
		n := col.Ints[r]
		switch {
		case t == cell.Integer:
			return cell.Value{Int: n, IsInt: true}, true
		case n <= 1<<53 && n >= -1<<53: // as text of it is
			return cell.Value{Float: float64(n)}, true
		}
		return (&cell.Spec{Type: t}).ParseNumeral(v)
	}
	f := col.Floats[r]
	switch {
	case t == cell.Number:
		return cell.Value{Float: f}, true
	case math.Abs(f) >= 1<<53: // as it is written, which is what text of it would be
		return (&cell.Spec{Type: t}).ParseNumeral(v)
	}
	return cell.Value{Int: int64(f), IsInt: true}, f == math.Trunc(f)
}
