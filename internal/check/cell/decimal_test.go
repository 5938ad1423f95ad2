package cell

import (
	"math/big"
	"strings"
	"testing"
)

// TestExact orders numbers that a float64 does not tell apart.
func TestExact(t *testing.T) {
	number, integer := &Spec{Type: Number}, &Spec{Type: Integer}
	ascending := []string{"-INF", "-1e401", "-1e400", "-18446744073709551616", "-18446744073709551615", "-9007199254740993", "-9007199254740992.5", "-9007199254740992", "-1e-400", "0",
		"1e-401", "1e-400", "0.1", "0.10000000000000000001", "0.3", "0.30000000000000004", "1", "9007199254740992", "9007199254740992.5", "9007199254740993", "18446744073709551614",
		"18446744073709551615", "18446744073709551616", "100000000000000000001", "100000000000000000002", "1e400", "1e401", "INF"}
	for i, a := range ascending {
		for j, b := range ascending {
			x, ok := number.Parse([]byte(a))
			y, ok2 := number.Parse([]byte(b))
			if !ok || !ok2 || x.Less(y) != (i < j) || (x == y) != (i == j) {
				t.Errorf("%s < %s: %t, equal: %t", a, b, x.Less(y), x == y)
			}
			x, ok = integer.Parse([]byte(a))
			y, ok2 = integer.Parse([]byte(b))
			if ok && ok2 && (x.Less(y) != (i < j) || (x == y) != (i == j)) {
				t.Errorf("integers %s < %s: %t, equal: %t", a, b, x.Less(y), x == y)
			}
		}
	}
	for _, same := range [][]string{
		{"18446744073709551615", "+18446744073709551615", "0018446744073709551615", "18446744073709551615.0", "1844674407370955161.5e1"},
		{"0.1", "0.10000000000000000000", "1e-1", ".1"}, {"0", "-0", "0e5", "0.000000000000000000000"}, {"5", "5.00000000000000000000"},
	} {
		for _, s := range same {
			x, _ := number.Parse([]byte(same[0]))
			if y, ok := number.Parse([]byte(s)); !ok || x != y && !(x.Float == 0 && y.Float == 0) || x.Less(y) || y.Less(x) {
				t.Errorf("%s is %+v, and %s %+v", same[0], x, s, y)
			}
		}
	}
}

// TestNumeral reads numbers of JSON and Parquet as integers.
func TestNumeral(t *testing.T) {
	s := &Spec{Type: Integer}
	for text, want := range map[string]string{
		"3": "3", "3.0": "3", "-3e2": "-300", "0.0": "0", "1e17": "100000000000000000", "9007199254740993.0": "9007199254740993", "-9223372036854775808.0": "-9223372036854775808",
		"9223372036854775808": "large", "1e300": "large", "3.5": "no", "9007199254740992.5": "no", "0.00000000000000000001": "no", "100000000000000000000.5": "no", "NaN": "no", "INF": "no",
	} {
		n, ok := s.ParseNumeral([]byte(text))
		got := "no"
		switch {
		case ok && n.IsInt:
			got = big.NewInt(n.Int).String()
		case ok:
			got = "large"
		}
		if got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}

// FuzzDecimal compares with rational numbers.
func FuzzDecimal(f *testing.F) {
	f.Add("0.1", "0.10000000000000000001")
	f.Add("-123456789012345678", "1e17")
	f.Add("00.00e-300", "9007199254740993")
	f.Fuzz(func(t *testing.T, a, b string) {
		s := &Spec{Type: Number}
		x, ok := s.Parse([]byte(a))
		y, ok2 := s.Parse([]byte(b))
		p, q := x.Rat(), y.Rat()
		if !ok || !ok2 || p == nil || q == nil || len(a)+len(b) > 100 || strings.ContainsAny(a+b, "_/xXpPoObB") {
			return
		}
		// Where neither was rounded, or the floats differ, the order is that of the texts.
		u, okA := new(big.Rat).SetString(strings.TrimSpace(a))
		v, okB := new(big.Rat).SetString(strings.TrimSpace(b))
		if !okA || !okB {
			return
		}
		if c := u.Cmp(v); x.Less(y) != (c < 0) || y.Less(x) != (c > 0) {
			t.Errorf("%q, %q: less %t, more %t, want %d", a, b, x.Less(y), y.Less(x), c)
		}
		if d := p.Cmp(u); d != 0 {
			t.Errorf("%q is %s", a, p)
		}
	})
}
