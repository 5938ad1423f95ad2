package cell

import (
	"bytes"
	"cmp"
	"math"
	"strconv"
	"strings"
	"unsafe"
)

// Int is what ParseInt found.
type Int uint8

// The outcomes of ParseInt.
const (
	NotInt  Int = iota
	IsInt       // the value holds it
	IsLarge     // an integer that 64 bits don't hold
)

// ParseInt reads an integer: digits with a sign, spaces around them, zeros in front.
func ParseInt(b []byte) (int64, Int) {
	if len(b) == 0 || b[0] <= ' ' || b[len(b)-1] <= ' ' {
		if b = trim(b); len(b) == 0 {
			return 0, NotInt
		}
	}
	neg := false
	if b[0] == '-' || b[0] == '+' {
		neg = b[0] == '-'
		if b = b[1:]; len(b) == 0 {
			return 0, NotInt
		}
	}
	var n uint64
	switch {
	case len(b) <= 8:
		var ok bool
		if n, ok = shortInt(b); !ok {
			return 0, NotInt
		}
	case len(b) > 18:
		return longInt(b, neg)
	default:
		for _, c := range b {
			c -= '0'
			if c > 9 {
				return 0, NotInt
			}
			n = n*10 + uint64(c)
		}
	}
	if neg {
		return -int64(n), IsInt
	}
	return int64(n), IsInt
}

func longInt(b []byte, neg bool) (int64, Int) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, NotInt
		}
	}
	s := string(b)
	if neg {
		s = "-" + s
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, IsLarge
	}
	return n, IsInt
}

// trim cuts white space of ASCII.
func trim(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// powers of ten that a float64 holds exactly.
var pow10 = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// ParseFloat reads a number as Table Schema has it: digits, one point, an exponent, NaN, INF, -INF. Up to 15 digits need no arbitrary precision
// (Clinger, How to Read Floating Point Numbers Accurately, 1990): the two numbers are exact, so one division rounds right.
func ParseFloat(b []byte) (float64, bool) {
	i, neg := 0, false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		neg, i = b[0] == '-', 1
	}
	if n := len(b) - i; n >= 1 && n <= 8 {
		if mant, after, ok := shortDecimal(b[i:]); ok {
			return float(mant, after, neg), true
		}
		return slowFloat(b)
	}
	var mant uint64
	digits, point := 0, -1
	for ; i < len(b); i++ {
		c := b[i]
		if d := c - '0'; d <= 9 {
			mant = mant*10 + uint64(d)
			digits++
			continue
		}
		if c != '.' || point >= 0 {
			return slowFloat(b)
		}
		point = digits
	}
	if digits == 0 || digits > 15 {
		return slowFloat(b)
	}
	after := 0
	if point >= 0 {
		after = digits - point
	}
	return float(mant, after, neg), true
}

// float is a number of which so many digits are behind the point.
func float(mant uint64, after int, neg bool) float64 {
	f := float64(mant) / pow10[after]
	if neg {
		return -f
	}
	return f
}

func slowFloat(b []byte) (float64, bool) {
	for _, c := range b {
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return notFinite(string(b))
		}
	}
	f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(b), len(b)), 64) // the string is not kept; only an error has it
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true // too large is infinite, and a number all the same
}

func notFinite(s string) (float64, bool) {
	switch strings.ToLower(s) {
	case "nan", "+nan", "-nan":
		return math.NaN(), true
	case "inf", "+inf", "infinity", "+infinity":
		return math.Inf(1), true
	case "-inf", "-infinity":
		return math.Inf(-1), true
	}
	return 0, false
}

func (s *Spec) plain() bool { return s.DecimalChar == "" && s.GroupChar == "" && !s.LooseNumber }

// bare brings a number into the form that ParseFloat reads.
func (s *Spec) bare(b []byte) []byte {
	if s.LooseNumber {
		b = bytes.TrimFunc(b, func(r rune) bool { return (r < '0' || r > '9') && r != '-' && r != '+' })
	}
	if s.GroupChar != "" {
		b = bytes.ReplaceAll(b, []byte(s.GroupChar), nil)
	}
	if s.DecimalChar != "" && s.DecimalChar != "." {
		if bytes.IndexByte(b, '.') >= 0 {
			return nil
		}
		b = bytes.Replace(b, []byte(s.DecimalChar), []byte("."), 1)
	}
	return b
}

func (s *Spec) integer(b []byte) (Value, bool) {
	if !s.plain() {
		b = s.bare(b)
	}
	n, kind := ParseInt(b)
	switch kind {
	case IsInt:
		return Value{Int: n, IsInt: true}, true
	case IsLarge:
		return numberOf(trim(b))
	}
	return Value{}, false
}

func (s *Spec) number(b []byte) (Value, bool) {
	if !s.plain() {
		b = s.bare(b)
	}
	n, ok := numberOf(b)
	if !ok && len(b) > 0 && (isSpace(b[0]) || isSpace(b[len(b)-1])) {
		return numberOf(trim(b))
	}
	return n, ok
}

func numberOf(b []byte) (Value, bool) {
	f, ok := ParseFloat(b)
	if !ok {
		return Value{}, false
	}
	return Value{Float: f, Exact: exact(b, f)}, true
}

var (
	defaultTrue  = []string{"true", "True", "TRUE", "1"}
	defaultFalse = []string{"false", "False", "FALSE", "0"}
)

func (s *Spec) boolean(b []byte) bool {
	t, f := s.True, s.False
	if t == nil {
		t = defaultTrue
	}
	if f == nil {
		f = defaultFalse
	}
	return oneOf(b, t) || oneOf(b, f)
}

// IsTrue says that b is one of the texts of true.
func (s *Spec) IsTrue(b []byte) bool {
	if s.True == nil {
		return oneOf(b, defaultTrue)
	}
	return oneOf(b, s.True)
}

func oneOf(b []byte, list []string) bool {
	for _, s := range list {
		if string(b) == s {
			return true
		}
	}
	return false
}

// ParseNumeral reads a number of JSON as an integer or a number; 3.0 is an integer, too.
func (s *Spec) ParseNumeral(b []byte) (Value, bool) {
	if s.Type != Number {
		if n, kind := ParseInt(b); kind == IsInt {
			return Value{Int: n, IsInt: true}, true
		}
	}
	n, ok := numberOf(b)
	if !ok || s.Type == Number || n.IsNaN() {
		return n, ok && s.Type == Number
	}
	d := n.decimal()
	if int64(len(d.digits)) > d.exp && d.digits != "" || math.IsInf(n.Float, 0) && n.Exact == "" {
		return Value{}, false
	}
	if d.exp <= 19 {
		whole := d.digits + strings.Repeat("0", int(d.exp)-len(d.digits))
		if d.neg {
			whole = "-" + whole
		}
		if i, err := strconv.ParseInt(cmp.Or(whole, "0"), 10, 64); err == nil {
			return Value{Int: i, IsInt: true}, true
		}
	}
	return n, true
}

// Plain says that the text needs no options to be read, beyond the type.
func (s *Spec) Plain() bool {
	return s.plain() && s.layout == nil && (s.Format == "" || s.Format == "default")
}

// IsNaN says that v is no number, and so neither small nor large.
func (v Value) IsNaN() bool { return !v.IsInt && math.IsNaN(v.Float) }
