package table

import (
	"bytes"
	"encoding/hex"
	"math"
	"math/big"
	"strconv"
)

// decimal is a number with digits after the point.
func (l *leafColumn) decimal(n *big.Int) float64 {
	f, _ := new(big.Rat).SetFrac(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(l.dec)), nil)).Float64()
	return f
}

// takeDecimals writes out numbers; add appends value i to c.text.
func (c *cursor) takeDecimals(col *Column, lo, hi, k, size int, absent []bool, add func(i int)) error {
	at, err := c.at(lo, hi, size)
	if err != nil {
		return err
	}
	for i, n := 0, 0; i < k; i++ {
		if absent != nil && absent[i] {
			c.empty()
			continue
		}
		c.write(func() { add(at(n)) })
		n++
	}
	col.buf, col.start, col.end, col.stride, col.at = c.text, c.start, c.end, 1, 0
	return nil
}

// write notes where the text of a value begins and ends.
func (c *cursor) write(add func()) {
	c.start = append(c.start, uint32(len(c.text)))
	add()
	c.end = append(c.end, uint32(len(c.text)))
}

// appendScaled is appendDecimal for 64 bits.
func appendScaled(b []byte, n int64, dec int) []byte {
	if dec == 0 {
		return strconv.AppendInt(b, n, 10)
	}
	abs := uint64(n)
	if n < 0 {
		b, abs = append(b, '-'), -abs
	}
	var digits [20]byte
	return appendPoint(b, strconv.AppendUint(digits[:0], abs, 10), dec)
}

// appendDecimal writes out all digits in front of the point, and behind it those up to the last one that is not 0.
func appendDecimal(b []byte, n *big.Int, dec int) []byte {
	if n.Sign() < 0 {
		b = append(b, '-')
	}
	return appendPoint(b, new(big.Int).Abs(n).Append(nil, 10), dec)
}

func appendPoint(b, digits []byte, dec int) []byte {
	point := len(digits) - dec
	if point <= 0 {
		b = append(b, '0')
	} else {
		b = append(b, digits[:point]...)
	}
	digits = bytes.TrimRight(digits[max(point, 0):], "0")
	if len(digits) == 0 {
		return b
	}
	b = append(b, '.')
	for ; point < 0; point++ {
		b = append(b, '0')
	}
	return append(b, digits...)
}

// appendUUID writes out sixteen bytes as RFC 9562 has them.
func appendUUID(b, u []byte) []byte {
	for i, group := range [][]byte{u[:4], u[4:6], u[6:8], u[8:10], u[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, group)
	}
	return b
}

// shortest is the number that the shortest text which stands for f is: 0.1 of the float next to 0.1.
func shortest(f float32) float64 {
	const whole = 1 << 24 // up to here these are exact
	g := float64(f)
	if g == math.Trunc(g) && math.Abs(g) < whole || math.IsNaN(g) || math.IsInf(g, 0) {
		return g
	}
	var b [32]byte
	g, _ = strconv.ParseFloat(string(strconv.AppendFloat(b[:0], g, 'g', -1, 32)), 64)
	return g
}

// half is a floating point number of 16 bits (IEEE 754 binary16).
func half(h uint16) float64 {
	mant, exp := float64(h&0x3ff), int(h>>10&0x1f)
	f := 0.0
	switch exp {
	case 0:
		f = math.Ldexp(mant, -24)
	case 31:
		if f = math.Inf(1); mant != 0 {
			f = math.NaN()
		}
	default:
		f = math.Ldexp(mant+1024, exp-25)
	}
	if h>>15 != 0 {
		return -f
	}
	return f
}

// signed reads a number in two's complement, big-endian.
func signed(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}
