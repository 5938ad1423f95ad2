package cell

import (
	"math"
	"regexp"
	"strconv"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		spec    Spec
		yes, no []string
	}{
		{Spec{Type: Integer}, []string{"0", "-1", "+1", " 3", "007", "99999999999999999999", "9223372036854775807"}, []string{"", "1.0", "1e3", "1,000", "x", "-", "+ 1", "0x1", "1 2", "--1"}},
		{Spec{Type: Number}, []string{"1", "-1.5", "1e3", "1E-3", "NaN", "INF", "-INF", "1.", ".5", "0.1", "123456789012345678901234567890.5", "1e999"}, []string{"", ".", "1,5", "1e", "x", "1.2.3", "0x1p3", "--1", "1_0"}},
		{Spec{Type: Number, DecimalChar: ",", GroupChar: "."}, []string{"1.234,5", "1,5"}, []string{"a"}},
		{Spec{Type: Number, LooseNumber: true}, []string{"$5", "5 %", "€ 1.5"}, []string{"$"}},
		{Spec{Type: Boolean}, []string{"true", "True", "TRUE", "1", "false", "0"}, []string{"yes", "tRue", ""}},
		{Spec{Type: Boolean, True: []string{"j"}, False: []string{"n"}}, []string{"j", "n"}, []string{"true"}},
		{Spec{Type: Date}, []string{"2024-02-29", "0001-01-01", "9999-12-31"}, []string{"2023-02-29", "2024-13-01", "2024-1-1", "2024-01-01T00:00:00", "20240101", ""}},
		{Spec{Type: Date, Format: "%d.%m.%Y"}, []string{"29.02.2024"}, []string{"2024-02-29"}},
		{Spec{Type: Date, Format: "any"}, []string{"2024-02-29", "29.02.2024"}, []string{"soon"}},
		{Spec{Type: Time}, []string{"10:00:00", "10:00:00Z", "23:59:59.123"}, []string{"24:00:00", "10", "10:00", "10:60:00"}},
		{Spec{Type: Datetime}, []string{"2024-01-01T10:00:00", "2024-01-01 10:00:00", "2024-01-01T10:00:00Z", "2024-01-01T10:00:00.5+02:00", "2024-01-01T10:00:00-0300"}, []string{"2024-01-01", "2024-02-30T10:00:00", "2024-01-01T10:00:00+2"}},
		{Spec{Type: Year}, []string{"2024", "0024", "-0044"}, []string{"20x4", "-1", "24", "024", "99999", "+2024", " 2024", "--044", ""}},
		{Spec{Type: YearMonth}, []string{"2024-12"}, []string{"2024-13", "2024"}},
		{Spec{Type: Duration}, []string{"P1D", "PT1H30M", "P1Y2M"}, []string{"P", "1D", "PT"}},
		{Spec{Type: Object}, []string{`{"a":1}`}, []string{"[1]", "{", "x"}},
		{Spec{Type: Array}, []string{`[1]`}, []string{"{}", "[1"}},
		{Spec{Type: Geopoint}, []string{"10,20", "-180, 90"}, []string{"10", "200,0", "a,b", "[10,20]"}},
		{Spec{Type: Geopoint, Format: "array"}, []string{"[10, 20.5]", " [-180,90] "}, []string{"10,20", "[10]", "[10,20,30]", "[200,0]", `["x",1]`, "[1,2", "[null,1]", "[[1],2]", `{"lon":1,"lat":2}`}},
		{Spec{Type: Geopoint, Format: "object"}, []string{`{"lon": 10, "lat": 20}`}, []string{`{"lon": 10}`, `{"lon":1,"lat":91}`, `{"lon":1,"lat":2,"x":3}`, `{"lon":1,"x":3}`, "[10,20]", "10,20"}},
		{Spec{Type: Geojson}, []string{`{"type":"Point","coordinates":[1,2]}`}, []string{`{"type":"Dot"}`, `{"type":"Topology","objects":{},"arcs":[]}`}},
		{Spec{Type: Geojson, Format: "topojson"}, []string{`{"type":"Topology","objects":{},"arcs":[]}`}, []string{`{"type":"Topology"}`, `{"type":"Point","coordinates":[1,2]}`, `{"type":"Topology","objects":{},"arcs":{}}`}},
		{Spec{Type: List}, []string{"a,b", "a", ",", ""}, nil},
		{Spec{Type: List, ItemType: "integer"}, []string{"1,2", "1"}, []string{"1,x", "1,,2", "1;2"}},
		{Spec{Type: List, ItemType: "date", Delimiter: "; "}, []string{"2024-01-01; 2024-01-02"}, []string{"2024-01-01;2024-01-02", "2024-01-32"}},
		{Spec{Type: String, Format: "email"}, []string{"a@b.example"}, []string{"a", "a@"}},
		{Spec{Type: String, Format: "uuid"}, []string{"6aeafdc1-ed62-4c8f-bf0a-da1061c98cdb"}, []string{"6aeafdc1"}},
		{Spec{Type: String, Format: "uri"}, []string{"https://a.example/x", "http://u:p@[::1]:80/a%20b?q=/?#f/?", "urn:isbn:1", "mailto:a@b.example", "file:///x"}, []string{"x", "http://a.b/c d", "http://a.b/<x>", "http://a.b/%zz", "urn:%a", "http://a.b/[x]", "http://a.b/#x#y", "http://a.b/ü", "http://a.b/\"", "http://a.b/{x}", "http:", "http://a.b/\t"}},
		{Spec{Type: Any}, []string{"", "x"}, nil},
	} {
		s := c.spec
		if err := s.Prepare(); err != nil {
			t.Fatal(err)
		}
		for _, v := range c.yes {
			if _, ok := s.Parse([]byte(v)); !ok {
				t.Errorf("%s %q: %q is none", s.Type, s.Format, v)
			}
		}
		for _, v := range c.no {
			if n, ok := s.Parse([]byte(v)); ok {
				t.Errorf("%s %q: %q is one: %v", s.Type, s.Format, v, n)
			}
		}
	}
	for _, bad := range []Spec{{Type: String, Format: "e-mail"}, {Type: Date, Format: "%q"}, {Type: Date, Format: "someday"}, {Type: Date, Format: "%Y-%"}, {Type: Boolean, Format: "x"}, {Type: Geopoint, Format: "topojson"}, {Type: List, Format: "array"}, {Type: Date, Delimiter: ";"}, {Type: List, ItemType: "list"}, {Type: List, ItemType: "x"}} {
		if bad.Prepare() == nil {
			t.Errorf("%s has a format %q", bad.Type, bad.Format)
		}
	}
}

func TestTimes(t *testing.T) {
	for d := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() < 2200; d = d.AddDate(0, 0, 13) {
		if n, ok := ParseDate([]byte(d.Format("2006-01-02"))); !ok || n != floorDiv(d.Unix(), 86400) {
			t.Fatalf("%s is day %d, %t", d, n, ok)
		}
	}
	for _, s := range []string{"2024-03-01T10:20:30.123456789Z", "1969-12-31T23:59:59.5Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "1677-09-21T00:12:43Z", "2262-04-11T23:47:17Z", "2024-03-01T00:10:30+05:30"} {
		want, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		if sec, ns, ok := ParseDatetime([]byte(s)); !ok || sec != want.Unix() || int(ns) != want.Nanosecond() {
			t.Errorf("%s is %d, %d, %t, want %d, %d", s, sec, ns, ok, want.Unix(), want.Nanosecond())
		}
	}
}

var (
	plainNumber  = regexp.MustCompile(`^[-+]?[0-9]*\.?[0-9]*([eE][-+]?[0-9]+)?$`)
	plainInteger = regexp.MustCompile(`^\s*[-+]?[0-9]+\s*$`)
)

func FuzzParseFloat(f *testing.F) {
	for _, s := range []string{"1", "-0.1", "123456789012345", "1234567890123456", "0.000001", "1e22", "9007199254740993", "4.35", ".5", "1.", "\xed", "12345678", "-1234567.", "+.1234567"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := ParseFloat([]byte(s))
		want, err := strconv.ParseFloat(s, 64)
		if plainNumber.MatchString(s) && err == nil && (!ok || math.Float64bits(got) != math.Float64bits(want)) {
			t.Errorf("%q is %v, %t, want %v", s, got, ok, want)
		}
		if n, kind := ParseInt([]byte(s)); kind == IsInt {
			want, err := strconv.ParseInt(string(trim([]byte(s))), 10, 64)
			if err != nil || n != want {
				t.Errorf("%q is %d, want %d, %v", s, n, want, err)
			}
		} else if plainInteger.MatchString(s) && kind == NotInt {
			t.Errorf("%q is no integer", s)
		}
	})
}

func TestPattern(t *testing.T) {
	p, err := NewPattern("ab|cd")
	if err != nil {
		t.Fatal(err)
	}
	if p.dfa == nil {
		t.Error("no table was made for a simple pattern")
	}
	for v, want := range map[string]bool{"ab": true, "cd": true, "abx": false, "xcd": false, "": false, "abcd": false} {
		if ok, err := p.Match([]byte(v)); ok != want || err != nil {
			t.Errorf("%q: %t, %v", v, ok, err)
		}
	}
	p, err = NewPattern(`(?=.*[0-9])[a-z0-9]+`)
	if err != nil {
		t.Fatal(err)
	}
	for v, want := range map[string]bool{"abc1": true, "abc": false} {
		if ok, err := p.Match([]byte(v)); ok != want || err != nil {
			t.Errorf("look-ahead: %q: %t, %v", v, ok, err)
		}
	}
	for _, broken := range []string{"(?=a", "a| )|(", "a)|(?=b"} {
		if _, err = NewPattern(broken); err == nil {
			t.Errorf("the broken pattern %q was taken", broken)
		}
	}
	p, err = NewPattern(`(?=x)(x+x+)+y`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Match([]byte("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")); err == nil {
		t.Error("a pattern that backtracks without end gave an answer")
	}
}

// FuzzDFA compares the table with package regexp.
func FuzzDFA(f *testing.F) {
	for _, s := range [][2]string{{"a*b", "aab"}, {"[a-z]{2}-[0-9]+", "ab-12"}, {"", ""}, {"(a|ab)(c|bcd)", "abcd"}, {"^x$", "x"}, {"(?i)abc", "ABC"}, {"a?b?c?", "ac"}, {".*", "x\ny"}, {"$^", ""}, {`\bx`, "x"}, {"a| )|(", "ao"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, v string) {
		if _, err := regexp.Compile(pattern); err != nil {
			return // NewPattern refuses it
		}
		whole := `\A(?:` + pattern + `)\z`
		re, err := regexp.Compile(whole)
		if err != nil || len(pattern) > 60 {
			return
		}
		d := newDFA(whole)
		if d == nil {
			return
		}
		if got, known := d.match([]byte(v)); known && got != re.MatchString(v) {
			t.Errorf("%q on %q: %t", pattern, v, got)
		}
		if p := d.straight(); p != nil && p.match([]byte(v)) && !re.MatchString(v) {
			t.Errorf("%q on %q matches byte by byte", pattern, v)
		}
	})
}
