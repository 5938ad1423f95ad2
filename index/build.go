package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"tarn/store/digest"
)

// shape is the numbers of the cut; tests of the algorithm use smaller ones.
type shape struct {
	inline, refs, lines int // most lines of a root with entries, of a root with references, of a page
	page                int // most bytes of a page or a root
	bits                int // a natural cut has so many low zero bits
}

var standard = shape{inline: 4096, refs: 1024, lines: 16384, page: MaxPage, bits: 12}

// Sink takes a page, which is its own from then on. What a page refers to was taken before it.
type Sink func(d digest.Digest, page []byte) error

// Builder writes the canonical manifest of a set of entries, and its pages, from the sorted entries. It holds at most one run of lines
// a level (each 8 MiB of text at the very most), however many entries there are. Not for concurrent use.
type Builder struct {
	form  Form
	sink  Sink
	shape shape
	order order
	sum   totals
	tiers []*tier // by level
	path  []byte  // scratch
	text  []byte  // scratch
	err   error   // all that follows fails with it
}

// NewBuilder starts an empty manifest. A nil sink drops the pages.
func NewBuilder(form Form, sink Sink) *Builder { return newBuilder(form, sink, standard) }

func newBuilder(form Form, sink Sink, s shape) *Builder {
	if sink == nil {
		sink = func(digest.Digest, []byte) error { return nil }
	}
	b := &Builder{form: form, sink: sink, shape: s}
	b.tiers = []*tier{{b: b, depth: s.bits + 1}}
	return b
}

// Add takes the next entry; paths come strictly ascending, as bytes. It fails for an entry that no manifest can hold, for one that is
// below another, and with what the sink said; after that the Builder is of no use.
func (b *Builder) Add(e Entry) error {
	if b.err == nil {
		b.err = b.add(&e)
	}
	return b.err
}

func (b *Builder) add(e *Entry) error {
	if err := e.check(b.form); err != nil {
		return fmt.Errorf("add entry %s: %w", Quote(e.Path), err)
	}
	if err := b.order.next(e.Path); err != nil {
		return fmt.Errorf("add entry: %w", err)
	}
	if !b.sum.add(1, e.Size) {
		return errors.New("add entry: the sum of the sizes does not fit into 63 bits")
	}
	var at int
	b.text, at = appendEntry(b.text[:0], e)
	return b.tiers[0].add(line{path: at, word: b.word(0, e.Path), entries: 1, bytes: e.Size}, b.text)
}

// word is the number that decides whether a page of that level ends after path.
func (b *Builder) word(level int, path string) uint32 {
	b.path = append(b.path[:0], path...)
	d := digest.Sum(b.path)
	return binary.LittleEndian.Uint32(d[4*level:])
}

// page hands a page to the sink and its reference to the level above.
func (b *Builder) page(level int, r *run) error {
	text := append(append(make([]byte, 0, r.size(level)), pageHeader(level)...), r.text...)
	first, err := r.first()
	if err != nil {
		return err
	}
	ref := Ref{Digest: digest.Sum(text), Entries: r.sum.entries, Bytes: r.sum.bytes, First: first}
	if err := b.sink(ref.Digest, text); err != nil {
		return fmt.Errorf("store page %s: %w", ref.Digest.Short(), err)
	}
	return b.refer(level, ref)
}

// refer adds the line of a page to the level above.
func (b *Builder) refer(level int, ref Ref) error {
	if level+1 == len(b.tiers) {
		b.tiers = append(b.tiers, &tier{b: b, level: level + 1, depth: b.shape.bits + 1})
	}
	l := line{entries: ref.Entries, bytes: ref.Bytes}
	if level < MaxLevel {
		l.word = b.word(level+1, ref.First)
	}
	var lineText []byte
	lineText, l.path = appendRef(nil, &ref)
	return b.tiers[level+1].add(l, lineText)
}

// Finish ends the last pages and returns the root manifest and its digest, the version's id. The Builder is of no use after it.
func (b *Builder) Finish() (root []byte, id digest.Digest, err error) {
	if b.err != nil {
		return nil, id, b.err
	}
	if b.form == FormFile && b.sum.entries != 1 {
		b.err = fmt.Errorf("a manifest of one file has one entry, not %d", b.sum.entries)
		return nil, id, b.err
	}
	level := 0
	for ; b.tiers[level].depth <= b.shape.bits; level++ {
		if b.err = b.tiers[level].flush(); b.err != nil {
			return nil, id, b.err
		}
	}
	b.err = errors.New("the manifest is finished")
	root = append([]byte(b.form.header()), b.tiers[level].run.text...)
	return root, digest.Sum(root), nil
}

// line is one line of a run.
type line struct {
	end, path      int // in the run's text: where the line ends; in the line's own: where its path begins
	word           uint32
	entries, bytes int64
}

// run is consecutive lines of one level that are not on a page yet.
type run struct {
	text  []byte
	lines []line
	sum   totals
}

func (r *run) add(l line, text []byte) {
	r.text = append(r.text, text...)
	l.end = len(r.text)
	r.lines = append(r.lines, l)
	r.sum.add(l.entries, l.bytes)
}

// size is the bytes of a page of these lines.
func (r *run) size(level int) int { return len(pageHeader(level)) + len(r.text) }

// first is the path of the first line.
func (r *run) first() (string, error) {
	l := r.lines[0]
	return Unquote(string(r.text[l.path : l.end-1]))
}

// mostZeros is the most low zero bits of a word, the last line's aside.
func (r *run) mostZeros() (n int) {
	for _, l := range r.lines[:len(r.lines)-1] {
		n = max(n, bits.TrailingZeros32(l.word))
	}
	return n
}

// tier cuts the lines of one level into pages, while they come. depth is the state of the cut: the run is a part after a split at words
// with so many low zero bits. More than shape.bits stands for the start, where the run is still a root.
type tier struct {
	b     *Builder
	level int
	depth int
	run   run
}

func (t *tier) add(l line, text []byte) error {
	t.run.add(l, text)
	if t.full() {
		return t.split()
	}
	if zeros := bits.TrailingZeros32(l.word); t.depth <= zeros && t.depth <= t.b.shape.bits {
		// The line ends this part and all around it, up to the one whose split needs more zeros.
		if err := t.flush(); err != nil {
			return err
		}
		t.depth = min(zeros, t.b.shape.bits)
	}
	return nil
}

// full says that the run is no root or no page any more.
func (t *tier) full() bool {
	s := &t.b.shape
	limit := s.lines
	switch {
	case t.depth == 0: // a run of one line
		return false
	case t.depth > s.bits && t.level == 0:
		limit = s.inline
	case t.depth > s.bits:
		limit = s.refs
	}
	return len(t.run.lines) > limit || t.size() > s.page
}

func (t *tier) size() int {
	if t.depth > t.b.shape.bits {
		return len(t.b.form.header()) + len(t.run.text)
	}
	return t.run.size(t.level)
}

// split takes the lines of the run once more: those of a root as a run, those of a part at the highest depth that cuts it before its last
// line, as above that it stays one part, and full.
func (t *tier) split() error {
	if t.level > MaxLevel {
		return fmt.Errorf("the manifest needs pages above level %d", MaxLevel)
	}
	old := t.run
	t.run = run{text: make([]byte, 0, len(old.text)), lines: make([]line, 0, len(old.lines))}
	if t.depth > t.b.shape.bits {
		t.depth = t.b.shape.bits
	} else {
		t.depth = old.mostZeros()
	}
	start := 0
	for _, l := range old.lines {
		if err := t.add(l, old.text[start:l.end]); err != nil {
			return err
		}
		start = l.end
	}
	return nil
}

// flush makes a page of the run, if there is one.
func (t *tier) flush() error {
	if len(t.run.lines) == 0 {
		return nil
	}
	if err := t.b.page(t.level, &t.run); err != nil {
		return err
	}
	t.run.text, t.run.lines, t.run.sum = t.run.text[:0], t.run.lines[:0], totals{}
	return nil
}
