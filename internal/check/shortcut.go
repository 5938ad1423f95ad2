package check

import (
	"bytes"
	"cmp"
	"math"
	"unicode/utf8"

	"tarn/internal/check/cell"
	"tarn/internal/check/contract"
)

// quick is by which test the text of a column's values is found to be right, before any check is asked. Most values are; a value that the test
// does not pass is only not known to be right.
type quick uint8

const (
	quickNone  quick = iota
	quickInt         // an integer within the rule's bounds
	quickFloat       // a number within them
	quickDate        // any date
	quickParse       // another type, whose numbers are integers, within them
	quickText        // a string that the shortcut passes
)

// choose finds the test of a rule whose bounds and shortcut are known.
func (ru *rule) choose() {
	plain := ru.Spec.Plain()
	switch t := ru.Spec.Type; {
	case t == cell.String && plain, t == cell.Any:
		if !ru.short.more {
			ru.test = quickText
		}
	case ru.more:
	case t == cell.Integer && plain:
		ru.test = quickInt
	case t == cell.Number && plain:
		ru.test = quickFloat
	case t == cell.Date && plain && ru.lo == math.MinInt64 && ru.hi == math.MaxInt64:
		ru.test = quickDate
	case t != cell.Integer && t != cell.Number:
		ru.test = quickParse
	}
	if ru.test == quickNone {
		return
	}
	for _, m := range ru.missing { // a null would pass as a value
		if len(m) > 0 && ru.passes([]byte(m)) {
			ru.test = quickNone
			return
		}
	}
}

// shortcut is the checks of strings, put together.
type shortcut struct {
	least, most int // characters; bytes, which are no fewer
	pattern     *cell.Pattern
	set         *cell.Set
	more        bool // there are checks that it does not cover
}

// cover takes a check in.
func (s *shortcut) cover(c *cellCheck) {
	switch c.kind {
	case contract.Required, contract.Nulls, contract.TypeOf, contract.Minimum, contract.Maximum, contract.AboveMin, contract.BelowMax:
		// not about the text of a value, or not of a string's
	case contract.MinLength:
		s.least = max(s.least, int(math.Ceil(min(c.Number, math.MaxInt32))))
	case contract.MaxLength:
		s.most = min(s.most, int(max(c.Number, 0)))
	case contract.PatternOf, contract.Enum, contract.Invalid:
		s.more = s.more || s.pattern != nil && c.Pattern != nil || s.set != nil && c.set != nil
		s.pattern, s.set = cmp.Or(s.pattern, c.Pattern), cmp.Or(s.set, c.set)
	default:
		s.more = true
	}
}

// right says that a string is.
func (s *shortcut) right(v []byte) bool {
	if s.set != nil && !s.set.Has(v) || len(v) > s.most {
		return false
	}
	if s.least > 0 && len(v) <= 4*(s.least-1) && utf8.RuneCount(v) < s.least {
		return false
	}
	if s.pattern == nil {
		return true
	}
	ok, err := s.pattern.Match(v)
	return ok && err == nil
}

// passes says that the text of a value is surely right.
func (ru *rule) passes(v []byte) bool {
	switch ru.test {
	case quickInt:
		n, kind := cell.ParseInt(v)
		return kind == cell.IsInt && n >= ru.lo && n <= ru.hi
	case quickFloat:
		f, ok := cell.ParseFloat(v)
		if !ok || f > ru.flo && f < ru.fhi {
			return ok
		}
		rounded := len(v) > cell.Held || f == 0 && bytes.ContainsAny(v, "eE") // onto a bound, which it may be beyond
		return f >= ru.flo && f <= ru.fhi && !rounded
	case quickDate:
		return cell.IsDate(v)
	case quickParse:
		n, ok := ru.Spec.Parse(v)
		return ok && n.Int >= ru.lo && n.Int <= ru.hi
	case quickText:
		return ru.short.right(v)
	}
	return false
}
