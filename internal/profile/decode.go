package profile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"tarn/store/digest"
)

// MaxSize is how large a profile can be, in bytes.
const MaxSize = 256 << 20

// ErrFormat says that bytes are no profile.
var ErrFormat = errors.New("not a profile")

// Decode reads the profile of a file. It refuses what Encode would not write.
func Decode(b []byte) (p *Profile, file, options digest.Digest, err error) {
	fail := func(what string) (*Profile, digest.Digest, digest.Digest, error) {
		return nil, digest.Digest{}, digest.Digest{}, fmt.Errorf("%w: %s", ErrFormat, what)
	}
	if len(b) < len(head)+3*32 || len(b) > MaxSize {
		return fail("its size")
	}
	if !bytes.Equal(b[:len(head)], head) {
		return fail("another format or version")
	}
	body, sum := b[:len(b)-32], b[len(b)-32:]
	if want := digest.Sum(body); !bytes.Equal(want[:], sum) {
		return fail("its checksum is wrong")
	}
	copy(file[:], b[8:])
	copy(options[:], b[40:])
	r := &reader{b: body[72:]}
	p = &Profile{Files: r.int(), Rows: r.int(), Problem: string(r.text())}
	names := map[string]bool{}
	for range r.count(7) {
		c := r.column()
		if names[c.Name] {
			r.fail("a column stands twice")
		}
		names[c.Name] = true
		p.Columns = append(p.Columns, c)
		if r.err != "" {
			break
		}
	}
	switch {
	case r.err != "":
		return fail(r.err)
	case len(r.b) > 0:
		return fail("bytes behind its end")
	case !bytes.Equal(p.Encode(file, options), b):
		return fail("another encoding of the same")
	}
	return p, file, options, nil
}

// reader takes values from the front of b; after an error it gives zeros.
type reader struct {
	b   []byte
	err string
}

func (r *reader) fail(what string) {
	if r.err == "" {
		r.err = what
	}
	r.b = nil
}

// most is how large a count can be: sums of some stay below 2^63.
const most = 1 << 56

func (r *reader) int() int64 {
	n, k := binary.Uvarint(r.b)
	if k <= 0 || n > most {
		r.fail("a number is cut off or too large")
		return 0
	}
	r.b = r.b[k:]
	return int64(n)
}

// count is how many things of at least size bytes follow.
func (r *reader) count(size int) int {
	n := r.int()
	if n > int64(len(r.b)/size) {
		r.fail("it is cut off")
		return 0
	}
	return int(n)
}

func (r *reader) text() []byte {
	n := r.count(1)
	t := r.b[:n]
	r.b = r.b[n:]
	return t
}

func (r *reader) uint64() uint64 {
	if len(r.b) < 8 {
		r.fail("it is cut off")
		return 0
	}
	u := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return u
}

func (r *reader) float() float64 {
	f := math.Float64frombits(r.uint64())
	if math.IsNaN(f) {
		r.fail("a value is no number")
	}
	return f
}

func (r *reader) column() *Column {
	c := &Column{Name: string(r.text()), Rows: r.int(), Nulls: r.int(), Numbers: r.dist(), Times: r.dist(), Lengths: r.dist(), Top: r.top()}
	if c.Top.Exact() && c.Top.total() != c.Numbers.N+c.Lengths.N {
		r.fail("values don't add up")
	}
	if c.Nulls+c.Values() != c.Rows {
		r.fail("rows don't add up")
	}
	if !c.registersFollow() {
		c.Top.registers(&c.distinct)
		return c
	}
	if len(r.b) < len(c.distinct) {
		r.fail("it is cut off")
		return c
	}
	r.b = r.b[copy(c.distinct[:], r.b):]
	for _, rank := range c.distinct {
		if rank > 64-hllBits+1 {
			r.fail("a register is too large")
		}
	}
	return c
}

func (r *reader) dist() (d Dist) {
	d.N, d.NaN = r.int(), r.int()
	if d.N == 0 {
		return d
	}
	d.Inf, d.Min, d.Max, d.Mean, d.M2 = r.int(), r.float(), r.float(), r.float(), r.float()
	d.Sketch.rng = random(r.uint64())
	total := int64(0)
	levels := r.count(1)
	if levels > 48 {
		r.fail("too many levels")
		return d
	}
	for i := range levels {
		var l []float64
		for n := range r.count(8) {
			f := r.float()
			if n > 0 && f < l[n-1] || f < d.Min || f > d.Max {
				r.fail("values of a sketch are out of order or range")
				return d
			}
			l = append(l, f)
		}
		d.Sketch.levels = append(d.Sketch.levels, l)
		if total += int64(len(l)) << i; total > most {
			r.fail("too many values")
			return d
		}
	}
	if total != d.N || d.Inf > d.N || d.Min > d.Max || d.M2 < 0 || levels > 0 && len(d.Sketch.levels[levels-1]) == 0 {
		r.fail("a distribution contradicts itself")
	}
	return d
}

func (r *reader) top() (t Top) {
	t.Missed = r.int()
	last := uint64(0)
	for i := range r.count(9) {
		k, n := r.uint64(), r.int()
		if i > 0 && k <= last || n == 0 || math.IsNaN(math.Float64frombits(k)) || k == 1<<63 {
			r.fail("values are out of order")
			return t
		}
		last = k
		t.addNumber(k, n)
	}
	before := ""
	for i := range r.count(2) {
		k, n := string(r.text()), r.int()
		if i > 0 && k <= before || n == 0 {
			r.fail("values are out of order")
			return t
		}
		before = k
		t.addText([]byte(k), n)
	}
	return t
}

// total is how many values there are.
func (t *Top) total() (n int64) {
	for _, c := range t.numbers {
		n += c
	}
	for _, c := range t.texts {
		n += c
	}
	return n
}

// registers makes those of the values.
func (t *Top) registers(h *HLL) {
	for k := range t.numbers {
		h.add(hashBits(k))
	}
	for k := range t.texts {
		h.add(hashText([]byte(k)))
	}
}
