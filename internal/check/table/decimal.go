package table

import (
	"math/big"
	"strings"
)

// decimal is a number with digits after the point.
func (l *leafColumn) decimal(n *big.Int) float64 {
	f, _ := new(big.Rat).SetFrac(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(l.dec)), nil)).Float64()
	return f
}

// takeDecimals writes out numbers.
func (c *cursor) takeDecimals(col *Column, lo, hi, k, size int, absent []bool, get func(int) *big.Int) error {
	at, err := c.at(lo, hi, size)
	if err != nil {
		return err
	}
	for i, n := 0, 0; i < k; i++ {
		if absent != nil && absent[i] {
			c.empty()
			continue
		}
		c.addDecimal(get(at(n)))
		n++
	}
	col.buf, col.start, col.end, col.stride, col.at = c.text, c.start, c.end, 1, 0
	return nil
}

// addDecimal writes a number out.
func (c *cursor) addDecimal(n *big.Int) {
	start := len(c.text)
	c.text = appendDecimal(c.text, n, c.leaf.dec)
	c.start, c.end = append(c.start, uint32(start)), append(c.end, uint32(len(c.text)))
}

// appendDecimal writes out all digits in front of the point, and behind it those up to the last one that is not 0.
func appendDecimal(b []byte, n *big.Int, dec int) []byte {
	if n.Sign() < 0 {
		b = append(b, '-')
	}
	digits := new(big.Int).Abs(n).String()
	if short := dec + 1 - len(digits); short > 0 {
		digits = strings.Repeat("0", short) + digits
	}
	point := len(digits) - dec
	b = append(b, digits[:point]...)
	if rest := strings.TrimRight(digits[point:], "0"); rest != "" {
		b = append(append(b, '.'), rest...)
	}
	return b
}

// signed reads a number in two's complement, big-endian.
func signed(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}
