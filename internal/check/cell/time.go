package cell

import (
	"fmt"
	"regexp"
	"slices"
	"time"
)

// layout is how a date or time is written, where that is not the default.
type layout struct {
	any    bool
	format *timeFormat
}

// Prepare checks the options of s and makes it ready to parse. Its error names what is wrong.
func (s *Spec) Prepare() error {
	f := s.Format
	if f == "default" {
		f = ""
	}
	if s.Type != List && s.Delimiter+s.ItemType != "" {
		return fmt.Errorf("delimiter and itemType are of a list, not of a %s", s.Type)
	}
	if t, ok := TypeOf(s.ItemType); s.ItemType != "" && (!ok || !slices.Contains(itemTypes, t)) {
		return fmt.Errorf("unknown itemType %q", s.ItemType)
	}
	switch s.Type {
	case String:
		if f != "" && stringFormats[f] == nil {
			return fmt.Errorf("unknown format %q of a string", f)
		}
	case Date, Time, Datetime:
		if f == "" {
			return nil
		}
		if f == "any" {
			s.layout = &layout{any: true}
			return nil
		}
		l, err := newTimeFormat(f)
		if err != nil {
			return err
		}
		s.layout = &layout{format: l}
	case Geopoint, Geojson, List, Duration, Integer, Number, Boolean, Year, YearMonth, Object, Array, Any:
		known := s.Type == Integer || s.Type == Number || s.Type == Geopoint && (f == "array" || f == "object") || s.Type == Geojson && f == "topojson"
		if f != "" && !known {
			return fmt.Errorf("unknown format %q of a %s", f, s.Type)
		}
	}
	return nil
}

var anyLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02", "02.01.2006", "01/02/2006", "2006/01/02", "Jan 2, 2006", "2 Jan 2006", time.RFC1123Z, time.RFC1123, "15:04:05", "15:04"}

const daySeconds = 86400

// time reads a date (days since 1970), a time (seconds since midnight), a datetime (seconds since 1970, UTC), a year, or a month (since year 0); ns are
// the nanoseconds after the second.
func (s *Spec) time(b []byte) (n int64, ns uint32, ok bool) {
	if s.layout != nil {
		return s.laidOut(b)
	}
	switch s.Type {
	case Date:
		n, ok = ParseDate(b)
	case Time:
		if len(b) >= 8 {
			n, ns, ok = parseClock(b)
			return inDay(n), ns, ok
		}
	case Datetime:
		return ParseDatetime(b)
	case Year:
		n, ok = parseYear(b)
	case YearMonth:
		n, ok = parseMonth(b)
	}
	return n, 0, ok
}

// inDay is the second of its day at which a clock is in UTC.
func inDay(sec int64) int64 { return sec - floorDiv(sec, daySeconds)*daySeconds }

// parseYear reads YYYY, or -YYYY.
func parseYear(b []byte) (int64, bool) {
	before := len(b) == 5 && b[0] == '-'
	if before {
		b = b[1:]
	}
	n, ok := digits(b)
	if before {
		n = -n
	}
	return n, ok && len(b) == 4
}

// IsYear says that a number is a year that can be written with four digits.
func (n Value) IsYear() bool { return n.IsInt && n.Int >= -9999 && n.Int <= 9999 }

func parseMonth(b []byte) (int64, bool) {
	if len(b) != 7 || b[4] != '-' {
		return 0, false
	}
	y, ok1 := digits(b[:4])
	m, ok2 := digits(b[5:])
	return y*12 + m - 1, ok1 && ok2 && m >= 1 && m <= 12
}

// laidOut reads a time that is not written as the default is. A date is that which stands there, in whatever zone.
func (s *Spec) laidOut(b []byte) (n int64, ns uint32, ok bool) {
	day, sec, ns, ahead, ok := int64(0), int64(0), uint32(0), int64(0), false
	if s.layout.any {
		day, sec, ns, ahead, ok = anyTime(string(b))
	} else {
		day, sec, ns, ahead, ok = s.layout.format.parse(b)
	}
	switch s.Type {
	case Date:
		return day, 0, ok
	case Time:
		return inDay(sec - ahead), ns, ok
	}
	return day*daySeconds + sec - ahead, ns, ok
}

func anyTime(text string) (day, sec int64, ns uint32, ahead int64, ok bool) {
	for _, l := range anyLayouts {
		if t, err := time.Parse(l, text); err == nil {
			_, zone := t.Zone()
			n := t.Unix() + int64(zone)
			day = floorDiv(n, daySeconds)
			return day, n - day*daySeconds, uint32(t.Nanosecond()), int64(zone), true
		}
	}
	return 0, 0, 0, 0, false
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func digits(b []byte) (n int64, ok bool) {
	for _, c := range b {
		c -= '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + int64(c)
	}
	return n, len(b) > 0
}

// ParseDate reads YYYY-MM-DD, as days since 1970-01-01.
func ParseDate(b []byte) (int64, bool) {
	y, m, d, ok := date(b)
	if !ok {
		return 0, false
	}
	return civil(y, m, d), true
}

// IsDate says that b is a date as ParseDate reads it.
func IsDate(b []byte) bool {
	_, _, _, ok := date(b)
	return ok
}

func date(b []byte) (y, m, d int64, ok bool) {
	if len(b) != 10 {
		return 0, 0, 0, false
	}
	n, ok := shortDate(b)
	y, m, d = int64(n/10_000), int64(n/100%100), int64(n%100)
	return y, m, d, ok && y >= 1 && d >= 1 && d <= daysIn(y, m)
}

// daysIn is how many days month m of year y has; 0 for no month.
func daysIn(y, m int64) int64 {
	const lengths = "\x00\x1f\x1c\x1f\x1e\x1f\x1e\x1f\x1f\x1e\x1f\x1e\x1f"
	switch {
	case m < 0 || m >= int64(len(lengths)):
		return 0
	case m == 2 && y%4 == 0 && (y%100 != 0 || y%400 == 0):
		return 29
	}
	return int64(lengths[m])
}

// civil is the number of days from 1970-01-01 (Howard Hinnant, days_from_civil).
func civil(y, m, d int64) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	era := y / 400
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + d - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}

// ParseDatetime reads a date, "T" or a space, a time, as seconds since 1970-01-01 in UTC and nanoseconds after them; without a zone it counts as UTC.
func ParseDatetime(b []byte) (sec int64, ns uint32, ok bool) {
	if len(b) < 16 || b[10] != 'T' && b[10] != ' ' {
		return 0, 0, false
	}
	day, ok := ParseDate(b[:10])
	if !ok {
		return 0, 0, false
	}
	sec, ns, ok = parseClock(b[11:])
	return day*daySeconds + sec, ns, ok
}

// parseClock reads HH:MM[:SS[.f]] and Z or ±HH:MM, which is taken off.
func parseClock(b []byte) (sec int64, ns uint32, ok bool) {
	if len(b) < 5 || b[2] != ':' {
		return 0, 0, false
	}
	h, ok1 := digits(b[:2])
	m, ok2 := digits(b[3:5])
	if !ok1 || !ok2 || h > 23 || m > 59 {
		return 0, 0, false
	}
	sec = (h*60 + m) * 60
	b = b[5:]
	if len(b) >= 3 && b[0] == ':' {
		s, ok := digits(b[1:3])
		if !ok || s > 59 {
			return 0, 0, false
		}
		sec, b = sec+s, b[3:]
		if len(b) > 1 && (b[0] == '.' || b[0] == ',') {
			if ns, b, ok = fraction(b[1:]); !ok {
				return 0, 0, false
			}
		}
	}
	if len(b) == 0 {
		return sec, ns, true
	}
	off, ok := parseZone(b)
	return sec - off, ns, ok
}

func fraction(b []byte) (ns uint32, rest []byte, ok bool) {
	i, unit := 0, uint32(100_000_000)
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		ns += uint32(b[i]-'0') * unit
		unit /= 10
	}
	return ns, b[i:], i > 0
}

// parseZone reads Z, ±HH, ±HHMM or ±HH:MM, as seconds.
func parseZone(b []byte) (sec int64, ok bool) {
	if len(b) == 1 && b[0] == 'Z' {
		return 0, true
	}
	if b[0] != '+' && b[0] != '-' {
		return 0, false
	}
	sign := int64(1)
	if b[0] == '-' {
		sign = -1
	}
	b = b[1:]
	if len(b) == 5 && b[2] == ':' {
		b = append(append(make([]byte, 0, 4), b[:2]...), b[3:]...)
	}
	if len(b) != 4 && len(b) != 2 {
		return 0, false
	}
	h, ok1 := digits(b[:2])
	m, ok2 := int64(0), true
	if len(b) == 4 {
		m, ok2 = digits(b[2:])
	}
	return sign * (h*60 + m) * 60, ok1 && ok2 && h < 24 && m < 60
}

var duration = regexp.MustCompile(`^[+-]?P(\d+(\.\d+)?Y)?(\d+(\.\d+)?M)?(\d+(\.\d+)?W)?(\d+(\.\d+)?D)?(T(\d+(\.\d+)?H)?(\d+(\.\d+)?M)?(\d+(\.\d+)?S)?)?$`)

func isDuration(s string) bool {
	return duration.MatchString(s) && s[len(s)-1] != 'P' && s[len(s)-1] != 'T'
}
