package cell

import (
	"bytes"
	"cmp"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// decimal is a number as it is written: 0.digits × 10^exp. The digits neither begin nor end with a zero; 0 has none.
type decimal struct {
	neg    bool
	digits string
	exp    int64
}

// maxExp bounds an exponent, so that sums of it don't wrap.
const maxExp = 1 << 40

// parseDecimal reads a number that ParseFloat takes for a finite one.
func parseDecimal(b []byte) (d decimal) {
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		d.neg, b = b[0] == '-', b[1:]
	}
	if i := bytes.IndexAny(b, "eE"); i >= 0 {
		d.exp, _ = strconv.ParseInt(string(b[i+1:]), 10, 64) // too large is the largest there is
		d.exp = max(min(d.exp, maxExp), -maxExp)
		b = b[:i]
	}
	point := len(b)
	digits := make([]byte, 0, len(b))
	for i, c := range b {
		if c == '.' {
			point = i
			continue
		}
		digits = append(digits, c)
	}
	d.exp += int64(point)
	whole := len(digits)
	digits = bytes.TrimLeft(digits, "0")
	d.exp -= int64(whole - len(digits))
	if d.digits = string(bytes.TrimRight(digits, "0")); d.digits == "" {
		return decimal{}
	}
	return d
}

func (d decimal) sign() string {
	if d.neg {
		return "-"
	}
	return ""
}

// text is the form that Value.Exact has.
func (d decimal) text() string {
	return d.sign() + "." + d.digits + "e" + strconv.FormatInt(d.exp, 10)
}

func (d decimal) compare(o decimal) int {
	sign := func(d decimal) int {
		switch {
		case d.digits == "":
			return 0
		case d.neg:
			return -1
		}
		return 1
	}
	s := sign(d)
	if s != sign(o) || s == 0 {
		return cmp.Compare(s, sign(o))
	}
	return s * cmp.Or(cmp.Compare(d.exp, o.exp), strings.Compare(d.digits, o.digits))
}

// Held is how many digits of a decimal number a float64 surely holds.
const Held = 15

// exact is the text of a number that f is only near to, else "". So many digits as a float64 holds, and those that it is written with, are f.
func exact(b []byte, f float64) string {
	if len(b) <= Held && f != 0 && !math.IsInf(f, 0) || math.IsNaN(f) {
		return ""
	}
	if digit := b[len(b)-1]; digit > '9' { // INF
		return ""
	}
	var shortest [32]byte
	if a := math.Abs(f); a > 1e-5 && a < 1e21 && bytes.Equal(b, strconv.AppendFloat(shortest[:0], f, 'f', -1, 64)) { // as most programs write it
		return ""
	}
	d := parseDecimal(b)
	if len(d.digits) <= Held && !math.IsInf(f, 0) && (f != 0 || d.digits == "") || d == decimalOf(f) {
		return ""
	}
	return d.text()
}

// decimalOf is a number as it is written shortest.
func decimalOf(f float64) decimal {
	if math.IsInf(f, 0) {
		return decimal{f < 0, "1", math.MaxInt64}
	}
	var b [32]byte
	return parseDecimal(strconv.AppendFloat(b[:0], f, 'e', -1, 64))
}

func (n Value) decimal() decimal {
	switch {
	case n.Exact != "":
		return parseDecimal([]byte(n.Exact))
	case n.IsInt:
		return parseDecimal(strconv.AppendInt(nil, n.Int, 10))
	}
	return decimalOf(n.Float)
}

// IsShort says that a number has no more digits than a float64 surely holds.
func (n Value) IsShort() bool { return len(n.decimal().digits) <= Held }

// Text is the one way in which a number is written.
func (n Value) Text() string {
	switch {
	case n.IsInt:
		return strconv.FormatInt(n.Int, 10)
	case n.Exact == "":
		return strconv.FormatFloat(n.Float+0, 'g', -1, 64)
	}
	switch d := n.decimal(); {
	case d.exp >= int64(len(d.digits)) && d.exp <= 60:
		return d.sign() + d.digits + strings.Repeat("0", int(d.exp)-len(d.digits))
	case d.exp > 0 && d.exp < int64(len(d.digits)):
		return d.sign() + d.digits[:d.exp] + "." + d.digits[d.exp:]
	default:
		return d.text()
	}
}

// Rat is a number as it is written; nil where it is infinite, NaN, or has more than 1,000 digits.
func (n Value) Rat() *big.Rat {
	if n.IsNaN() {
		return nil
	}
	d := n.decimal()
	if d.digits == "" {
		return new(big.Rat)
	}
	if d.exp > 1000 || d.exp-int64(len(d.digits)) < -1000 {
		return nil
	}
	r, _ := new(big.Rat).SetString(d.text())
	return r
}
