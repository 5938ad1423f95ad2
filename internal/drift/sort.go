package drift

import (
	"math"
	"slices"
)

// Sorter sorts numbers and keeps its memory for the next ones.
type Sorter struct{ keys [2][]uint64 }

// key orders numbers as integers; -0 is 0.
func key(f float64) uint64 {
	if f == 0 {
		return 1 << 63
	}
	u := math.Float64bits(f)
	return u ^ (uint64(int64(u)>>63) | 1<<63)
}

func unkey(u uint64) float64 {
	return math.Float64frombits(u ^ (^uint64(int64(u)>>63) | 1<<63))
}

// From so many numbers on sorting by digits is faster, and up to so many it may take twice their memory besides.
const (
	digitsFrom = 256
	digitsMost = 4 << 20
)

// Sort orders numbers in their place, none of them NaN, and makes -0 of them 0. Many are sorted by digits of 8 bits; a digit that all share costs nothing more.
func (s *Sorter) Sort(v []float64) {
	if len(v) < digitsFrom || len(v) > digitsMost {
		slices.Sort(v)
		for i, f := range v {
			if f == 0 {
				v[i] = 0
			}
		}
		return
	}
	for i := range s.keys {
		if cap(s.keys[i]) < len(v) {
			s.keys[i] = make([]uint64, len(v))
		}
	}
	from, to := s.keys[0][:len(v)], s.keys[1][:len(v)]
	var counts [8][256]uint32
	for i, f := range v {
		u := key(f)
		from[i] = u
		for d := range 8 {
			counts[d][byte(u>>(8*d))]++
		}
	}
	for d := range 8 {
		c := &counts[d]
		if c[byte(from[0]>>(8*d))] == uint32(len(v)) {
			continue
		}
		at := uint32(0)
		for i, n := range c {
			c[i] = at
			at += n
		}
		for _, u := range from {
			b := byte(u >> (8 * d))
			to[c[b]] = u
			c[b]++
		}
		from, to = to, from
	}
	for i, u := range from {
		v[i] = unkey(u)
	}
}
