package profile

import (
	"encoding/binary"
	"math/bits"
)

// The hash is part of the format: what was profiled once is merged with what will be.
const (
	mul1 = 0x9E3779B97F4A7C15
	mul2 = 0xD6E8FEB86659FD93
)

// mix folds a product of 128 bits.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// hashBits is the hash of a number.
func hashBits(x uint64) uint64 {
	return mix(mix(x^mul1, mul2)^x, mul1)
}

// hashText is the hash of a text: 8 bytes at a time, then what is left, then the length.
func hashText(b []byte) uint64 {
	h := uint64(mul2)
	n := uint64(len(b))
	for ; len(b) >= 8; b = b[8:] {
		h = mix(h^binary.LittleEndian.Uint64(b), mul1)
	}
	last := uint64(0)
	for i, c := range b {
		last |= uint64(c) << (8 * i)
	}
	h = mix(h^last, mul2)
	return mix(h^n, mul1)
}

// random is a generator of numbers (Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014).
type random uint64

func (r *random) next() uint64 {
	*r += mul1
	z := uint64(*r)
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}
