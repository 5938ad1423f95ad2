package index

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"strings"

	"tarn/store/digest"
)

// Apply is the inverse of Diff: the canonical manifest of m after changes, which come ascending by path. Pages of level 0 that no change falls into are
// taken over as they are and not read, but for one at each end of a run of changed ones; the sink does not get them. The result is canonical if
// m's pages are. An empty directory that something comes to stand in is no entry any more. m must not be nil.
func Apply(ctx context.Context, m *Manifest, src Source, changes iter.Seq2[Change, error], sink Sink) (root []byte, id digest.Digest, err error) {
	root, id, err = apply(ctx, m, src, changes, NewBuilder(m.Form, sink))
	if err != nil {
		err = fmt.Errorf("apply changes: %w", err)
	}
	return root, id, err
}

func apply(ctx context.Context, m *Manifest, src Source, changes iter.Seq2[Change, error], b *Builder) (root []byte, id digest.Digest, err error) {
	next, stop := iter.Pull2(changes)
	defer stop()
	a := &applier{ctx: ctx, src: src, b: b, next: next, cut: true}
	if err := a.step(); err != nil {
		return nil, id, err
	}
	if len(m.Pages) == 0 {
		err = a.entries(m.Entries, "")
	} else {
		err = a.root(children{m.Pages, rootLevel, ""})
	}
	if err == nil {
		err = a.release(false)
	}
	if err == nil {
		err = a.settle("")
	}
	if err != nil {
		return nil, id, err
	}
	return b.Finish()
}

// applier is one Apply.
type applier struct {
	ctx     context.Context
	src     Source
	b       *Builder
	next    func() (Change, error, bool)
	change  Change // the next one, if more
	more    bool
	held    *Entry  // an empty directory, until it is known whether the next path is in it
	cut     bool    // what was read of the old manifest so far ends where any version cuts
	pending []child // pages after such a place that no change falls into
	waiting int64   // entries in them
}

// step takes the next change.
func (a *applier) step() (err error) {
	last := a.change.Path
	if a.change, err, a.more = a.next(); !a.more || err != nil {
		a.more = false
		return err
	}
	if last != "" && a.change.Path <= last {
		return fmt.Errorf("change of %s after that of %s: not sorted", Quote(a.change.Path), Quote(last))
	}
	return nil
}

// root goes through the pages of a root, whose level only a page tells.
func (a *applier) root(list children) error {
	first := 0
	if a.more {
		first = max(0, list.find(a.change.Path))
	}
	n, err := list.at(first).load(a.ctx, a.src)
	if err != nil {
		return err
	}
	list.level = n.Level
	return a.pages(list)
}

func (a *applier) pages(list children) error {
	for i := range list.refs {
		c := list.at(i)
		if c.level == 0 {
			if err := a.leaf(c); err != nil {
				return err
			}
			continue
		}
		n, err := c.load(a.ctx, a.src)
		if err != nil {
			return err
		}
		if err := a.pages(n.children()); err != nil {
			return err
		}
	}
	return nil
}

func (a *applier) leaf(c child) error {
	if a.more && (c.end == "" || a.change.Path < c.end) {
		if err := a.release(true); err != nil {
			return err
		}
		return a.read(c)
	}
	if err := a.settle(c.ref.First); err != nil {
		return err
	}
	if len(a.pending) > 0 || a.cut && a.b.atCut() {
		a.pending = append(a.pending, c)
		a.waiting += c.ref.Entries
		return nil
	}
	return a.read(c)
}

// read adds the entries of a page, with the changes that fall into it.
func (a *applier) read(c child) error {
	n, err := c.load(a.ctx, a.src)
	if err != nil {
		return err
	}
	a.cut = a.b.cutsAfter(n.last())
	return a.entries(n.Entries, c.end)
}

// release ends the pages that are pending: those of whole runs are taken over. With more to come, the pages of the last run are read unless a cut ends it.
func (a *applier) release(more bool) error {
	list, keep := a.pending, len(a.pending)
	paged := a.b.pages(a.waiting)
	a.pending, a.waiting = nil, 0
	if !paged {
		keep = 0
	}
	for more && keep > 0 {
		n, err := list[keep-1].load(a.ctx, a.src)
		if err != nil {
			return err
		}
		if a.b.cutsAfter(n.last()) {
			break
		}
		keep--
	}
	for _, c := range list[:keep] {
		if err := a.b.take(c.ref); err != nil {
			return err
		}
	}
	for _, c := range list[keep:] {
		if err := a.read(c); err != nil {
			return err
		}
	}
	return nil
}

// entries merges a list with the changes before end.
func (a *applier) entries(list []Entry, end string) error {
	for i := range list {
		if err := a.insert(list[i].Path); err != nil {
			return err
		}
		e := &list[i]
		if a.more && a.change.Path == e.Path {
			if a.change.Old == nil {
				return errors.New("change adds " + Quote(e.Path) + ", which is there")
			}
			e = a.change.New
			if err := a.step(); err != nil {
				return err
			}
		}
		if err := a.put(e); err != nil {
			return err
		}
	}
	return a.insert(end)
}

// insert adds what the changes have before a path; "" is the end of all.
func (a *applier) insert(before string) error {
	for a.more && (before == "" || a.change.Path < before) {
		if a.change.Old != nil {
			return errors.New("change of " + Quote(a.change.Path) + ", which is not there")
		}
		if err := a.put(a.change.New); err != nil {
			return err
		}
		if err := a.step(); err != nil {
			return err
		}
	}
	return a.ctx.Err()
}

// put adds an entry; nil is none.
func (a *applier) put(e *Entry) error {
	if e == nil {
		return nil
	}
	if err := a.settle(e.Path); err != nil {
		return err
	}
	if e.Kind == Dir {
		a.held = e
		return nil
	}
	return a.b.Add(*e)
}

// settle decides about an empty directory: it is one if the next path is not in it.
func (a *applier) settle(next string) error {
	e := a.held
	a.held = nil
	if e == nil || next != "" && strings.HasPrefix(next, e.Path) {
		return nil
	}
	return a.b.Add(*e)
}

// last is the path of the page's last entry.
func (n *node) last() string { return n.Entries[len(n.Entries)-1].Path }

// cutsAfter says that every version with the path ends a page of level 0 after it, unless its root holds all entries.
func (b *Builder) cutsAfter(path string) bool {
	return bits.TrailingZeros32(b.word(0, path)) >= b.shape.bits
}

// atCut says that a page may begin with the next line whatever follows.
func (b *Builder) atCut() bool {
	t := b.tiers[0]
	if n := len(t.run.lines); n > 0 {
		return t.depth > b.shape.bits && bits.TrailingZeros32(t.run.lines[n-1].word) >= b.shape.bits
	}
	return t.depth >= b.shape.bits
}

// pages makes pages of what is there, if there are pages once so many entries were added; it reports whether that is so.
func (b *Builder) pages(more int64) bool {
	t := b.tiers[0]
	if t.depth <= b.shape.bits {
		return true
	}
	if int64(len(t.run.lines))+more <= int64(b.shape.inline) {
		return false
	}
	if b.err == nil {
		b.err = t.split()
	}
	return true
}

// take adds a page of level 0 as it is, of which the caller knows that it starts and ends where this Builder would cut.
func (b *Builder) take(ref Ref) error {
	if b.err == nil && !b.sum.add(ref.Entries, ref.Bytes) {
		b.err = errors.New("add page: the sum of the sizes does not fit into 63 bits")
	}
	if b.err == nil {
		b.order = order{last: ref.First}
		b.err = b.refer(0, ref)
	}
	return b.err
}
