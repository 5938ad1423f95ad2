package profile

import (
	"math"
	"slices"
	"sort"

	"tarn/internal/drift"
)

// sketchK is the size of the largest level of a sketch.
const sketchK = 800

// sketchMin is the size of the smallest one.
const sketchMin = 8

// Sketch is a KLL sketch of quantiles (Karnin, Lang and Liberty, Optimal Quantile Approximation in Streams, 2016). A value of level i stands for 2^i values.
// Which of two neighbours stays is drawn from a generator that the digest of the file seeds, so that the sketch is a function of the file.
type Sketch struct {
	levels [][]float64
	rng    random
}

// N is how many values the sketch stands for.
func (s *Sketch) N() (n int64) {
	for i, l := range s.levels {
		n += int64(len(l)) << i
	}
	return n
}

// Eps is the most by which a rank is wrong, as a share of N, with a confidence of 99 %: 2.296/k^0.9723, as Apache DataSketches measured it. It is 0 while nothing
// was left out.
func (s *Sketch) Eps() float64 {
	for _, l := range s.levels[min(1, len(s.levels)):] {
		if len(l) > 0 {
			return 2.296 / math.Pow(sketchK, .9723)
		}
	}
	return 0
}

// level makes sure that there is a level i.
func (s *Sketch) level(i int) *[]float64 {
	for len(s.levels) <= i {
		s.levels = append(s.levels, nil)
	}
	return &s.levels[i]
}

// addSorted takes values in, ascending, which it spoils: as many go as make them few enough for one level.
func (s *Sketch) addSorted(v []float64) {
	i := 0
	for ; len(v) > sketchK; i++ {
		v = s.halve(i, v)
	}
	l := s.level(i)
	*l = append(*l, v...)
	s.compress()
}

// addTimes takes a value in n times.
func (s *Sketch) addTimes(x float64, n int64) {
	for i := 0; n > 0; i, n = i+1, n>>1 {
		if n&1 == 1 {
			l := s.level(i)
			*l = append(*l, x)
		}
	}
	s.compress()
}

// halve keeps every other of sorted values of level i, in their place. One that has no neighbour stays where it is.
func (s *Sketch) halve(i int, v []float64) []float64 {
	draw := s.rng.next()
	if len(v)%2 == 1 {
		l := s.level(i)
		if draw&2 == 0 { // the first or the last one, so that neither end is favoured
			*l = append(*l, v[0])
			v = v[1:]
		} else {
			*l = append(*l, v[len(v)-1])
			v = v[:len(v)-1]
		}
	}
	n := len(v) / 2
	for k := range n {
		v[k] = v[2*k+int(draw&1)]
	}
	return v[:n]
}

// capacities of levels, from the top one on.
var capacities = func() (c [64]int) {
	for i := range c {
		c[i] = max(sketchMin, int(math.Ceil(sketchK*math.Pow(2./3, float64(i)))))
	}
	return c
}()

// capacity of level i of n.
func capacity(i, n int) int { return capacities[n-1-i] }

// compress halves levels that are full until all is small enough.
func (s *Sketch) compress() {
	for {
		items, room := 0, 0
		for i, l := range s.levels {
			items, room = items+len(l), room+capacity(i, len(s.levels))
		}
		if items <= room {
			return
		}
		for i := range s.levels {
			if len(s.levels[i]) <= capacity(i, len(s.levels)) {
				continue
			}
			full := s.levels[i]
			s.levels[i] = nil
			slices.Sort(full)
			half := s.halve(i, full)
			up := s.level(i + 1)
			*up = append(*up, half...)
			break
		}
	}
}

// merge takes o in.
func (s *Sketch) merge(o *Sketch) {
	for i, l := range o.levels {
		mine := s.level(i)
		*mine = append(*mine, l...)
	}
	s.rng = random(mix(uint64(s.rng)^mul2, uint64(o.rng)|1))
	s.compress()
}

// sort puts each level in order, as the encoding has it, and drops empty levels at the top.
func (s *Sketch) sort() {
	for i, l := range s.levels {
		slices.Sort(l)
		if len(l) == 0 {
			s.levels[i] = nil
		}
	}
	for len(s.levels) > 0 && len(s.levels[len(s.levels)-1]) == 0 {
		s.levels = s.levels[:len(s.levels)-1]
	}
}

// Sample is the sketch as counts of values.
func (s *Sketch) Sample() drift.Sample {
	type weighted struct {
		x float64
		n int64
	}
	var all []weighted
	for i, l := range s.levels {
		for _, x := range l {
			all = append(all, weighted{x, 1 << i})
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].x < all[j].x })
	d := drift.Sample{Eps: s.Eps(), Cum: []int64{}}
	n := int64(0)
	for _, w := range all {
		n += w.n
		if k := len(d.Values); k > 0 && d.Values[k-1] == w.x {
			d.Cum[k-1] = n
			continue
		}
		d.Values, d.Cum = append(d.Values, w.x), append(d.Cum, n)
	}
	return d
}
