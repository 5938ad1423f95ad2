package cell

import (
	"math"
	"net/mail"
	"net/url"
	"regexp"
	"strings"
)

// Type is what the values of a column are.
type Type uint8

// The types of Table Schema v2.
const (
	Any Type = iota
	String
	Integer
	Number
	Boolean
	Date
	Time
	Datetime
	Year
	YearMonth
	Duration
	Object
	Array
	List
	Geopoint
	Geojson
)

var typeNames = [...]string{"any", "string", "integer", "number", "boolean", "date", "time", "datetime", "year", "yearmonth", "duration", "object", "array", "list", "geopoint", "geojson"}

func (t Type) String() string { return typeNames[t] }

// TypeOf is the type of a name; false for one that there is not.
func TypeOf(name string) (Type, bool) {
	for i, n := range typeNames {
		if n == name {
			return Type(i), true
		}
	}
	return 0, false
}

// Ordered says that minimum and maximum mean something for t.
func (t Type) Ordered() bool {
	switch t {
	case Integer, Number, Date, Time, Datetime, Year, YearMonth:
		return true
	}
	return false
}

// Spec is a type with the options that its text may have.
type Spec struct {
	Type        Type
	Format      string   // "" is the default one
	DecimalChar string   // "" is "."
	GroupChar   string   // "" is none
	LooseNumber bool     // bareNumber: false; what stands around a number is cut
	True, False []string // of a boolean; nil: those of Table Schema
	Delimiter   string   // of a list, between its items; "" is ","
	ItemType    string   // of a list: the type of its items; "" is string
	layout      *layout
}

// Formats that a string can have.
var stringFormats = map[string]func(string) bool{
	"default": func(string) bool { return true },
	"email":   isEmail,
	"uri":     isURI,
	"uuid":    regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`).MatchString,
	"binary":  isBase64,
	"ipv4":    isIPv4,
	"ipv6":    isIPv6,
	// ODCS names that have no meaning for the text beyond its type.
	"password": func(string) bool { return true },
	"byte":     isBase64,
	"hostname": regexp.MustCompile(`^([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$`).MatchString,
}

func isEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s
}

// isURI goes by RFC 3986: what may not stand in a URI has to be written as %XX.
func isURI(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Host == "" && u.Opaque == "" && u.Path == "" || strings.Count(s, "#") > 1 {
		return false
	}
	brackets := strings.Count(u.Host, "[") + strings.Count(u.Host, "]") // of an address, and nowhere else
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9' || c|' ' >= 'a' && c|' ' <= 'z' || strings.IndexByte("-._~:/?#@!$&'()*+,;=", c) >= 0:
		case c == '[' || c == ']':
			brackets--
		case c != '%' || len(s) < i+3 || !isHex(s[i+1]) || !isHex(s[i+2]):
			return false
		}
	}
	return brackets == 0
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|' ' >= 'a' && c|' ' <= 'f' }

// Value is how a value compares: of a date the days since 1970, of a time and a datetime the seconds, rounded down, since midnight or 1970; of others 0.
type Value struct {
	Int   int64
	Float float64
	Nano  uint32 // of a time and a datetime: nanoseconds, from 0 to 999,999,999, after Int
	IsInt bool   // Int holds it; else Float does
	Exact string // the number as it is written, where Float is only near it; else ""
}

// Less compares numbers of one type.
func (n Value) Less(o Value) bool {
	if n.IsInt && o.IsInt {
		return n.Int < o.Int || n.Int == o.Int && n.Nano < o.Nano
	}
	a, b := n.float(), o.float()
	if a == b && (n.Exact != "" || o.Exact != "" || math.Abs(a) >= 1<<53) { // what was rounded
		return n.decimal().compare(o.decimal()) < 0
	}
	return a < b
}

func (n Value) float() float64 {
	if n.IsInt {
		return float64(n.Int)
	}
	return n.Float
}

// Number is n as a floating point number.
func (n Value) Number() float64 { return n.float() }

// Parse reads text as the type says; false where it is none. The number is that of an ordered type.
func (s *Spec) Parse(b []byte) (Value, bool) {
	switch s.Type {
	case Any:
		return Value{}, true
	case String:
		if s.Format == "" || s.Format == "default" {
			return Value{}, true
		}
		return Value{}, stringFormats[s.Format](string(b))
	case Integer:
		return s.integer(b)
	case Number:
		return s.number(b)
	case Boolean:
		return Value{}, s.boolean(b)
	case Date, Time, Datetime, Year, YearMonth:
		n, ns, ok := s.time(b)
		return Value{Int: n, Nano: ns, IsInt: true}, ok
	case Duration:
		return Value{}, isDuration(string(b))
	case Geopoint:
		return Value{}, s.geopoint(b)
	case List:
		return Value{}, s.list(b)
	}
	return Value{}, s.json(b)
}
