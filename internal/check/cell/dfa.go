package cell

import (
	"regexp/syntax"
	"slices"
)

// dfa is a pattern as a table, for values of ASCII: one look-up a byte, some 50 times faster than package regexp. A value with other
// bytes, and a pattern with too many states or with \b, is left to package regexp.
type dfa struct {
	next   [][128]uint16 // by state; dead where nothing can match any more
	accept []bool
}

const (
	dead      = 0
	maxStates = 512
	maxWork   = 2_000_000 // instructions that are looked at while the table is made
)

// newDFA is nil where the pattern does not fit.
func newDFA(pattern string) *dfa {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil || len(prog.Inst) > 4096 {
		return nil
	}
	b := &builder{prog: prog, seen: map[string]uint16{}, d: &dfa{next: make([][128]uint16, 1), accept: make([]bool, 1)}}
	if _, ok := b.state(b.closure([]uint32{uint32(prog.Start)}, true)); !ok {
		return nil
	}
	for i := 0; i < len(b.sets); i++ {
		if !b.fill(i) {
			return nil
		}
	}
	return b.d
}

type builder struct {
	prog *syntax.Prog
	seen map[string]uint16
	sets [][]uint32 // of state i+1
	d    *dfa
	bad  bool // an assertion that a table can't have, or too much work
	work int
}

// closure is the set of instructions that are reached without a byte; at the begin of the text or after it.
func (b *builder) closure(start []uint32, begin bool) []uint32 {
	var set []uint32
	seen := map[uint32]bool{}
	for len(start) > 0 {
		pc := start[len(start)-1]
		start = start[:len(start)-1]
		if b.work++; b.work > maxWork {
			b.bad = true
			return nil
		}
		if seen[pc] {
			continue
		}
		seen[pc] = true
		switch in := &b.prog.Inst[pc]; in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			start = append(start, in.Out, in.Arg)
		case syntax.InstCapture, syntax.InstNop:
			start = append(start, in.Out)
		case syntax.InstEmptyWidth:
			switch syntax.EmptyOp(in.Arg) {
			case syntax.EmptyBeginText:
				if begin {
					start = append(start, in.Out)
				} else {
					b.bad = true // ^ after a byte: rare, and not worth a distinction
				}
			case syntax.EmptyEndText:
				set = append(set, pc) // decided at the end
			default:
				b.bad = true
			}
		case syntax.InstFail:
		default:
			set = append(set, pc)
		}
	}
	slices.Sort(set)
	return set
}

// state is the number of a set.
func (b *builder) state(set []uint32) (uint16, bool) {
	if b.bad || len(b.sets) >= maxStates {
		return 0, false
	}
	if len(set) == 0 {
		return dead, true
	}
	key := make([]byte, 0, 4*len(set))
	for _, pc := range set {
		key = append(key, byte(pc), byte(pc>>8), byte(pc>>16), byte(pc>>24))
	}
	if s, ok := b.seen[string(key)]; ok {
		return s, true
	}
	b.sets = append(b.sets, set)
	s := uint16(len(b.sets))
	b.seen[string(key)] = s
	b.d.next = append(b.d.next, [128]uint16{})
	b.d.accept = append(b.d.accept, b.accepts(set))
	return s, !b.bad
}

// accepts says that the text may end here.
func (b *builder) accepts(set []uint32) bool {
	for _, pc := range set {
		in := &b.prog.Inst[pc]
		if in.Op == syntax.InstMatch {
			return true
		}
		if in.Op == syntax.InstEmptyWidth && b.accepts(b.closure([]uint32{in.Out}, false)) {
			return true
		}
	}
	return false
}

func (b *builder) fill(i int) bool {
	for c := range 128 {
		var out []uint32
		for _, pc := range b.sets[i] {
			b.work++
			in := &b.prog.Inst[pc]
			switch in.Op {
			case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
				if in.MatchRune(rune(c)) {
					out = append(out, in.Out)
				}
			}
		}
		s, ok := b.state(b.closure(out, false))
		if !ok {
			return false
		}
		b.d.next[i+1][c] = s
	}
	return true
}

// match is the answer, and whether there is one: not for a value with bytes beyond ASCII.
func (d *dfa) match(v []byte) (ok, known bool) {
	s := uint16(1)
	for _, c := range v {
		if c >= 128 {
			return false, false
		}
		if s = d.next[s][c]; s == dead {
			break
		}
	}
	return d.accept[s], true
}

// straight is a pattern whose matches are all of one length, and that asks of each byte only whether it is of a class: bit i of classes[c] says that c may
// stand at place i. No look-up has to wait for the one before it.
type straight struct {
	classes [256]uint64
	length  int
}

// straight is nil where the pattern is none, or longer than the 64 places.
func (d *dfa) straight() *straight {
	p := &straight{}
	for s := uint16(1); !d.accept[s]; p.length++ {
		next := uint16(dead)
		for c, to := range d.next[s] {
			if to == dead {
				continue
			}
			if p.length == 64 || next != dead && to != next {
				return nil
			}
			next = to
			p.classes[c] |= 1 << p.length
		}
		if next == dead {
			return nil
		}
		s = next
	}
	return p
}

// match is sure only where it says yes: what is longer, or has bytes beyond ASCII, may match all the same.
func (p *straight) match(v []byte) bool {
	if len(v) != p.length {
		return false
	}
	all := uint64(1)
	for i, c := range v {
		all &= p.classes[c] >> (i & 63)
	}
	return all != 0
}
