package cell

import (
	"bytes"
	"fmt"
	"strings"
)

// timeFormat reads times as a pattern says: one of Python's strptime, or of the JDK's DateTimeFormatter.
type timeFormat struct {
	steps []step
	java  bool // no other length of a number is tried; a weekday and AM or PM have to fit
}

// field is what a part of a time is.
type field uint8

const (
	fText  field = iota
	fSpace       // of strptime: any white space
	fYear
	fMonth
	fDay
	fYearDay
	fHour
	fHalfHour // from 1 to 12
	fMinute
	fSecond
	fFraction
	fHalf // AM or PM
	fWeekday
	fOffset
	numFields
)

var fieldNames = [...]string{fYear: "year", fMonth: "month", fDay: "day", fYearDay: "day of the year", fHour: "hour", fHalfHour: "hour of a half day", fMinute: "minute", fSecond: "second", fFraction: "fraction",
	fHalf: "half of the day", fWeekday: "day of the week", fOffset: "zone"}

// limits are the least and largest number of a field. As strptime has it, a minute of 61 seconds is understood; then it is refused, as datetime does.
var limits = [numFields][2]int64{fYear: {0, 9999}, fMonth: {1, 12}, fDay: {1, 31}, fYearDay: {1, 366}, fHour: {0, 23}, fHalfHour: {1, 12}, fMinute: {0, 59}, fSecond: {0, 61}, fFraction: {0, 999_999_999}}

// step is a part of a pattern.
type step struct {
	field    field
	text     string   // of fText
	names    []string // instead of digits: of the numbers from 1 on
	min, max int      // digits
	after    int      // digits of the fixed numbers that follow without anything between
	pivot    int64    // of a year of two digits: the first one that is of the last century
	offset   offset
}

// offset is how a pattern wants it written how far a zone is ahead of UTC.
type offset struct {
	least, most int // of hours, minutes and seconds
	colon       bool
	either      bool // with or without colons
	z           bool // Z is UTC
	name        bool // it is UTC or GMT
}

// found are the numbers of a time, by field.
type found [numFields]int64

var (
	monthNames = strings.Fields("January February March April May June July August September October November December")
	dayNames   = strings.Fields("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
	halfNames  = []string{"AM", "PM"}
)

func short(names []string) []string {
	var s []string
	for _, n := range names {
		s = append(s, n[:3])
	}
	return s
}

// strptime directives of Python.
var directives = map[byte]step{
	'Y': {field: fYear, min: 4, max: 4}, 'y': {field: fYear, min: 2, max: 2, pivot: 69},
	'm': {field: fMonth, min: 1, max: 2}, 'b': {field: fMonth, names: short(monthNames)}, 'B': {field: fMonth, names: monthNames},
	'd': {field: fDay, min: 1, max: 2}, 'j': {field: fYearDay, min: 1, max: 3}, 'a': {field: fWeekday, names: short(dayNames)}, 'A': {field: fWeekday, names: dayNames},
	'H': {field: fHour, min: 1, max: 2}, 'I': {field: fHalfHour, min: 1, max: 2}, 'p': {field: fHalf, names: halfNames},
	'M': {field: fMinute, min: 1, max: 2}, 'S': {field: fSecond, min: 1, max: 2}, 'f': {field: fFraction, min: 1, max: 6},
	'z': {field: fOffset, offset: offset{least: 2, most: 3, either: true, z: true}},
	'Z': {field: fOffset, offset: offset{name: true}},
}

// newTimeFormat compiles a pattern: of strptime if it has %.
func newTimeFormat(format string) (*timeFormat, error) {
	f := &timeFormat{java: !strings.Contains(format, "%")}
	compile := f.strptime
	if f.java {
		compile = f.jdk
	}
	if err := compile(format); err != nil {
		return nil, fmt.Errorf("date format %q: %w", format, err)
	}
	var seen [numFields]bool
	for _, s := range f.steps {
		if s.field > fSpace && seen[s.field] {
			return nil, fmt.Errorf("date format %q has the %s twice", format, fieldNames[s.field])
		}
		seen[s.field] = true
	}
	if seen[fText], seen[fSpace] = false, false; seen == [numFields]bool{} {
		return nil, fmt.Errorf("date format %q has nothing of a date or time", format)
	}
	switch {
	case seen[fHour] && seen[fHalfHour]:
		return nil, fmt.Errorf("date format %q has the hour twice", format)
	case f.java && seen[fHalfHour] && !seen[fHalf]:
		return nil, fmt.Errorf("date format %q has hours of half a day (h), and no half (a)", format)
	case f.java && seen[fYearDay] && (seen[fMonth] || seen[fDay]):
		return nil, fmt.Errorf("date format %q has the day of the year, and a month or a day of it", format)
	}
	return f, nil
}

func (f *timeFormat) literal(s string) {
	if n := len(f.steps); n > 0 && f.steps[n-1].field == fText {
		f.steps[n-1].text += s
		return
	}
	f.steps = append(f.steps, step{text: s})
}

func (f *timeFormat) strptime(format string) error {
	for i := 0; i < len(format); i++ {
		switch c := format[i]; {
		case isSpace(c):
			if n := len(f.steps); n == 0 || f.steps[n-1].field != fSpace {
				f.steps = append(f.steps, step{field: fSpace})
			}
		case c != '%':
			f.literal(format[i : i+1])
		case i+1 == len(format):
			return fmt.Errorf("it ends in %%")
		default:
			i++
			d, ok := directives[format[i]]
			switch {
			case format[i] == '%':
				f.literal("%")
			case ok:
				f.steps = append(f.steps, d)
			default:
				return fmt.Errorf("there is no %%%c", format[i])
			}
		}
	}
	return nil
}

// jdk compiles letters of which each run is a field, and text: in quotes, what is no letter, and T, which the JDK wants in quotes and the examples of
// ODCS don't.
func (f *timeFormat) jdk(format string) error {
	base := -1 // the number that those of a fixed length behind it take their digits from
	for i := 0; i < len(format); {
		c, n := format[i], 1
		for i+n < len(format) && format[i+n] == c {
			n++
		}
		switch {
		case c == '\'':
			end := strings.IndexByte(format[i+1:], '\'')
			if end < 0 {
				return fmt.Errorf("a quote is not closed")
			}
			n = end + 2
			f.literal(format[i+1 : i+1+end])
			if end == 0 { // '' is a quote
				f.literal("'")
			} else if i+n < len(format) && format[i+n] == '\'' { // 'o''clock'
				f.literal("'")
			}
			base = -1
		case strings.IndexByte("[]{}#", c) >= 0:
			return fmt.Errorf("%q has a meaning that is not supported", string(c))
		case c == 'T' || c|' ' < 'a' || c|' ' > 'z':
			f.literal(format[i : i+n])
			base = -1
		default:
			s, ok := letter(c, n)
			if !ok {
				return fmt.Errorf("%s is not supported", format[i:i+n])
			}
			f.steps = append(f.steps, s)
			switch last := len(f.steps) - 1; {
			case s.max == 0:
				base = -1
			case base >= 0 && s.min == s.max && (s.field != fYear || s.pivot > 0): // the JDK lets yyyy have more than four digits
				f.steps[base].after += s.max
			default:
				base = last
			}
		}
		i += n
	}
	return nil
}

// letter is what n times a letter stands for in a pattern of the JDK; false for what there is not, or is not read here.
func letter(c byte, n int) (s step, ok bool) {
	const most = 18 // digits of a number of any length
	number := func(of field) (step, bool) {
		if n == 1 {
			return step{field: of, min: 1, max: most}, true
		}
		return step{field: of, min: 2, max: 2}, n == 2
	}
	switch c {
	case 'y', 'u':
		switch n {
		case 2:
			return step{field: fYear, min: 2, max: 2, pivot: 100}, true
		case 4: // more need a sign, and there are no such years here
			return step{field: fYear, min: 4, max: 4}, true
		}
		return step{field: fYear, min: n, max: most}, n < 4
	case 'M':
		switch n {
		case 3:
			return step{field: fMonth, names: short(monthNames)}, true
		case 4:
			return step{field: fMonth, names: monthNames}, true
		}
		return number(fMonth)
	case 'E':
		names := dayNames
		if n < 4 {
			names = short(names)
		}
		return step{field: fWeekday, names: names}, n <= 4
	case 'd':
		return number(fDay)
	case 'D':
		if n == 1 {
			return number(fYearDay)
		}
		return step{field: fYearDay, min: n, max: 3}, n <= 3
	case 'H':
		return number(fHour)
	case 'h':
		return number(fHalfHour)
	case 'm':
		return number(fMinute)
	case 's':
		return number(fSecond)
	case 'S':
		return step{field: fFraction, min: n, max: n}, n <= 9
	case 'a':
		return step{field: fHalf, names: halfNames}, n == 1
	case 'X', 'x':
		return step{field: fOffset, offset: offset{least: min(n, 2), most: 2 + n/4, colon: n == 3 || n == 5, z: c == 'X'}}, n <= 5
	case 'Z': // the JDK takes the letter with five of them only, people with any
		return step{field: fOffset, offset: offset{least: 2, most: 2 + n/5, colon: n == 5, z: true}}, n <= 5 && n != 4
	}
	return s, false
}

// parse reads a time: the day since 1970-01-01, seconds and nanoseconds of it, and the seconds that its zone is ahead of UTC.
func (f *timeFormat) parse(b []byte) (day, sec int64, ns uint32, ahead int64, ok bool) {
	v := found{fYear: 1900, fMonth: 1, fDay: 1}
	rest, ok := f.match(0, b, &v)
	if !ok || len(rest) > 0 || v[fYear] < 1 || v[fSecond] > 59 {
		return 0, 0, 0, 0, false
	}
	if v[fHalfHour] > 0 {
		if v[fHour] = v[fHalfHour] % 12; v[fHalf] == 2 {
			v[fHour] += 12
		}
	} else if f.java && v[fHalf] > 0 && v[fHour]/12 != v[fHalf]-1 {
		return 0, 0, 0, 0, false
	}
	day = civil(v[fYear], v[fMonth], v[fDay])
	if n := v[fYearDay]; n > 0 {
		day = civil(v[fYear], 1, 1) + n - 1
		ok = n < 366 || daysIn(v[fYear], 2) == 29
	} else {
		ok = v[fDay] <= daysIn(v[fYear], v[fMonth])
	}
	if f.java && v[fWeekday] > 0 && v[fWeekday]-1 != (day+3)-floorDiv(day+3, 7)*7 { // 1970 began on a Thursday
		ok = false
	}
	return day, (v[fHour]*60+v[fMinute])*60 + v[fSecond], uint32(v[fFraction]), v[fOffset], ok
}

// match reads b from step i on. As with a regular expression, a number of strptime is as long as it can be for the rest to match.
func (f *timeFormat) match(i int, b []byte, v *found) (rest []byte, ok bool) {
	if i == len(f.steps) {
		return b, true
	}
	s := &f.steps[i]
	switch {
	case s.field == fText:
		if len(b) < len(s.text) || f.java && string(b[:len(s.text)]) != s.text || !bytes.EqualFold(b[:len(s.text)], []byte(s.text)) {
			return nil, false
		}
		return f.match(i+1, b[len(s.text):], v)
	case s.field == fSpace:
		n := 0
		for n < len(b) && isSpace(b[n]) {
			n++
		}
		if n == 0 {
			return nil, false
		}
		return f.match(i+1, b[n:], v)
	case s.field == fOffset:
		sec, n := s.offset.read(b)
		if n == 0 || f.java && max(sec, -sec) > 18*3600 {
			return nil, false
		}
		v[fOffset] = sec
		return f.match(i+1, b[n:], v)
	case s.names != nil:
		for k, name := range s.names {
			if hasName(b, name) {
				v[s.field] = int64(k) + 1
				return f.match(i+1, b[len(name):], v)
			}
		}
		return nil, false
	}
	run := 0
	for run < len(b) && run < s.max+s.after && b[run]-'0' <= 9 {
		run++
	}
	least := s.min
	if f.java {
		run = max(least, run-s.after)
		least = run
	}
	for n := min(run, s.max); n >= least; n-- {
		if s.take(b[:min(n, len(b))], n, v) {
			if rest, ok = f.match(i+1, b[n:], v); ok {
				return rest, true
			}
		}
	}
	if s.field == fDay && !f.java && len(b) > 1 && b[0] == ' ' && s.take(b[1:2], 1, v) { // as the C function asctime writes it
		return f.match(i+1, b[2:], v)
	}
	return nil, false
}

// take reads the n digits of a field.
func (s *step) take(b []byte, n int, v *found) bool {
	x, ok := digits(b)
	if !ok || len(b) != n {
		return false
	}
	switch {
	case s.field == fFraction:
		for ; n < 9; n++ {
			x *= 10
		}
	case s.pivot > 0 && x < s.pivot:
		x += 2000
	case s.pivot > 0:
		x += 1900
	}
	v[s.field] = x
	return x >= limits[s.field][0] && x <= limits[s.field][1]
}

func hasName(b []byte, name string) bool {
	return len(b) >= len(name) && bytes.EqualFold(b[:len(name)], []byte(name))
}

// read gives the seconds of an offset, and how many bytes it has; 0 where there is none.
func (o *offset) read(b []byte) (sec int64, n int) {
	switch {
	case o.name && (hasName(b, "UTC") || hasName(b, "GMT")):
		return 0, 3
	case o.z && len(b) > 0 && b[0] == 'Z':
		return 0, 1
	case o.name || len(b) < 3 || b[0] != '+' && b[0] != '-':
		return 0, 0
	}
	h, ok := digits(b[1:3])
	if !ok || h > 23 {
		return 0, 0
	}
	colon := o.colon || o.either && len(b) > 3 && b[3] == ':'
	sec, n = h*3600, 3
	for parts, unit := 1, int64(60); parts < o.most; parts, unit = parts+1, 1 {
		at := n
		if colon && at < len(b) && b[at] == ':' {
			at++
		}
		x, ok := int64(0), false
		if at+2 <= len(b) && colon == (at > n) {
			x, ok = digits(b[at : at+2])
		}
		if !ok || x > 59 {
			if parts < o.least {
				return 0, 0
			}
			break
		}
		sec, n = sec+x*unit, at+2
	}
	if b[0] == '-' {
		sec = -sec
	}
	return sec, n
}
