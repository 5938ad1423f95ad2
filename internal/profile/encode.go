package profile

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"tarn/store/digest"
)

// Version is that of the format, and of how values are read and counted: a profile of another one is made again.
const Version = 2

var head = []byte{'t', 'a', 'r', 'n', Version, 'f', 0, 0}

// Encode writes the profile of a file as docs/format-profile.md has it.
func (p *Profile) Encode(file, options digest.Digest) []byte {
	b := slices.Clone(head)
	b = append(b, file[:]...)
	b = append(b, options[:]...)
	b = putInt(b, p.Files)
	b = putInt(b, p.Rows)
	b = putText(b, []byte(p.Problem))
	b = putInt(b, int64(len(p.Columns)))
	for _, c := range p.Columns {
		b = c.encode(b)
	}
	sum := digest.Sum(b)
	return append(b, sum[:]...)
}

func putInt(b []byte, n int64) []byte { return binary.AppendUvarint(b, uint64(n)) }

func putFloat(b []byte, f float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
}

func putText(b, text []byte) []byte { return append(putInt(b, int64(len(text))), text...) }

func (c *Column) encode(b []byte) []byte {
	b = putText(b, []byte(c.Name))
	b = putInt(b, c.Rows)
	b = putInt(b, c.Nulls)
	for _, d := range []*Dist{&c.Numbers, &c.Times, &c.Lengths} {
		b = d.encode(b)
	}
	b = c.Top.encode(b)
	if !c.registersFollow() {
		return b
	}
	return append(b, c.distinct[:]...)
}

// registersFollow says that the registers can't be made from the values.
func (c *Column) registersFollow() bool { return !c.Top.Exact() || c.Times.N > 0 }

func (d *Dist) encode(b []byte) []byte {
	b = putInt(b, d.N)
	b = putInt(b, d.NaN)
	if d.N == 0 {
		return b
	}
	b = putInt(b, d.Inf)
	for _, f := range []float64{d.Min, d.Max, d.Mean, d.M2} {
		b = putFloat(b, f)
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(d.Sketch.rng))
	b = putInt(b, int64(len(d.Sketch.levels)))
	for _, l := range d.Sketch.levels {
		b = putInt(b, int64(len(l)))
		for _, f := range l {
			b = putFloat(b, f)
		}
	}
	return b
}

func (t *Top) encode(b []byte) []byte {
	b = putInt(b, t.Missed)
	numbers := slices.Sorted(maps.Keys(t.numbers))
	b = putInt(b, int64(len(numbers)))
	for _, k := range numbers {
		b = binary.LittleEndian.AppendUint64(b, k)
		b = putInt(b, t.numbers[k])
	}
	texts := slices.Sorted(maps.Keys(t.texts))
	b = putInt(b, int64(len(texts)))
	for _, k := range texts {
		b = putText(b, []byte(k))
		b = putInt(b, t.texts[k])
	}
	return b
}
