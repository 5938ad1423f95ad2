package cell

import (
	"encoding/binary"
	"math/bits"
)

// Short values are read as one word of eight bytes: what a loop would ask byte after byte is asked of all at once, and no branch depends on how long
// the value is (Lamport, Multiple byte processing with full-word instructions, 1975).

const (
	ones  = 0x0101010101010101
	high  = 0x80 * ones
	nulls = '0' * ones // eight digits 0
)

// word is b, of at most eight bytes, as a little-endian number; the bytes behind it are 0.
func word(b []byte) uint64 {
	n := uint(len(b))
	if cap(b) >= 8 { // what stands behind the value is read with it, and cut off
		return binary.LittleEndian.Uint64(b[:8]) << (64 - 8*n) >> (64 - 8*n)
	}
	var w uint64
	for i, c := range b {
		w |= uint64(c) << (8 * i)
	}
	return w
}

// eight is the number that eight digits are, the first one in the lowest byte of d, which has their values; false where a byte is no digit
// (Lemire, Quickly parsing eight digits, 2018).
func eight(d uint64) (uint64, bool) {
	ok := (d|(d+0x76*ones))&high == 0
	const each4 = 0x000000ff000000ff
	d = d*10 + d>>8
	d = (d&each4*(1_000_000<<32|100) + d>>16&each4*(10_000<<32|1)) >> 32
	return d, ok
}

// shortInt is the number of one to eight digits.
func shortInt(b []byte) (uint64, bool) {
	return eight((word(b) ^ nulls) << (64 - 8*uint(len(b))))
}

// shortDecimal is the number of one to eight digits, one of which may be a point: the digits, and how many are behind the point.
func shortDecimal(b []byte) (n uint64, after int, ok bool) {
	w := word(b)
	point := w ^ '.'*ones
	point = (point - ones) & ^point & high // of its bits only the lowest is sure
	if point == 0 {
		n, ok = eight((w ^ nulls) << (64 - 8*uint(len(b))))
		return n, 0, ok
	}
	at := bits.TrailingZeros64(point) &^ 7
	before := uint64(1)<<at - 1
	w = w&before | w>>8&^before
	n, ok = eight((w ^ nulls) << (72 - 8*uint(len(b))))
	return n, len(b) - 1 - at/8, ok && len(b) > 1
}

// shortDate is a date like 2026-11-24 as the number 20261124; b has ten bytes.
func shortDate(b []byte) (uint64, bool) {
	w := binary.LittleEndian.Uint64(b)
	n, ok := eight((w&0xffffffff | w>>8&0xffff00000000 | uint64(binary.LittleEndian.Uint16(b[8:]))<<48) ^ nulls)
	return n, ok && b[4] == '-' && b[7] == '-'
}
