package index

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"strings"
)

// Change is one path that two versions do not have in common. Its entries must not be changed.
type Change struct {
	Path     string
	Old, New *Entry // Old is nil for what was added, New for what was removed
}

// Diff yields what changes from a to b, ascending by path; a nil manifest is an empty one. It never reads a page that both have at the
// same place, at any level. A page is checked against its reference and those that were read before it; pages that were skipped are
// not. It stops after an error.
func Diff(ctx context.Context, a, b *Manifest, srcA, srcB Source) iter.Seq2[Change, error] {
	return diffAt(ctx, a, b, srcA, srcB, "")
}

// diffAt is Diff for what is at or below prefix.
func diffAt(ctx context.Context, a, b *Manifest, srcA, srcB Source, prefix string) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		d := &differ{ctx: ctx, a: newCursor(a, srcA), b: newCursor(b, srcB), prefix: prefix, span: newSpan(prefix), yield: yield}
		switch {
		case isEmpty(a):
			d.whole(b, srcB, func(e *Entry) Change { return Change{Path: e.Path, New: e} })
		case isEmpty(b):
			d.whole(a, srcA, func(e *Entry) Change { return Change{Path: e.Path, Old: e} })
		default:
			d.run()
		}
	}
}

func isEmpty(m *Manifest) bool { return m == nil || len(m.Entries)+len(m.Pages) == 0 }

// differ is one Diff.
type differ struct {
	ctx    context.Context
	a, b   *cursor
	prefix string
	span   span
	yield  func(Change, error) bool
}

// whole is the case that all of m is a change; Walk reads ahead.
func (d *differ) whole(m *Manifest, src Source, change func(*Entry) Change) {
	for e, err := range Walk(d.ctx, m, src, d.prefix) {
		if err != nil {
			d.yield(Change{}, fmt.Errorf("compare manifests: %w", err))
			return
		}
		if !d.yield(change(&e), nil) {
			return
		}
	}
}

func (d *differ) run() {
	for {
		more, err := d.step()
		if err != nil {
			d.yield(Change{}, fmt.Errorf("compare manifests: %w", err))
			return
		}
		if !more {
			return
		}
	}
}

// step takes one entry or page from one side or both, and reports whether to go on.
func (d *differ) step() (bool, error) {
	d.a.seek(&d.span)
	d.b.seek(&d.span)
	a, b := d.a.head(), d.b.head()
	side := compareHeads(a, b)
	switch {
	case a.none() && b.none():
		return false, nil
	case side < 0 && a.ref != nil:
		return true, d.a.enter(d.ctx)
	case side > 0 && b.ref != nil:
		return true, d.b.enter(d.ctx)
	case side < 0:
		d.a.skip()
		return d.yield(Change{Path: a.entry.Path, Old: a.entry}, nil), nil
	case side > 0:
		d.b.skip()
		return d.yield(Change{Path: b.entry.Path, New: b.entry}, nil), nil
	case a.ref != nil || b.ref != nil:
		return true, d.pages(a, b)
	}
	d.a.skip()
	d.b.skip()
	return a.entry.Same(*b.entry) || d.yield(Change{Path: a.entry.Path, Old: a.entry, New: b.entry}, nil), nil
}

// compareHeads orders by path; a side that has ended comes last.
func compareHeads(a, b head) int {
	if a.none() || b.none() {
		return cmp.Compare(btoi(a.none()), btoi(b.none()))
	}
	return strings.Compare(a.path(), b.path())
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// pages is the case that both sides stand at the same path and at least one at a page.
func (d *differ) pages(a, b head) error {
	switch {
	case b.ref == nil:
		return d.a.enter(d.ctx)
	case a.ref == nil:
		return d.b.enter(d.ctx)
	case *a.ref == *b.ref:
		d.a.skipPage(b.level)
		d.b.skipPage(a.level)
		return nil
	case higher(a, b):
		return d.a.enter(d.ctx)
	case higher(b, a):
		return d.b.enter(d.ctx)
	}
	return d.enterBoth()
}

// higher says that b's page may be below a's: enter a first, so that b's needs no reading if it is. Where the level of a root's pages is not
// known yet, the one with more entries is higher.
func higher(a, b head) bool {
	switch {
	case a.level != rootLevel && b.level != rootLevel:
		return a.level > b.level
	case a.ref.Entries != b.ref.Entries:
		return a.ref.Entries > b.ref.Entries
	}
	return a.level == rootLevel && b.level != rootLevel
}

// enterBoth reads two pages at the same time.
func (d *differ) enterBoth() error {
	done := make(chan error)
	go func() { done <- d.a.enter(d.ctx) }()
	errB := d.b.enter(d.ctx)
	if errA := <-done; errA != nil {
		return errA
	}
	return errB
}

// cursor goes through a manifest in order, and enters pages only when told to.
type cursor struct {
	src   Source
	stack []frame // innermost last
	fence fence
}

// frame is a list that the cursor is in: of entries or of pages.
type frame struct {
	entries []Entry
	pages   children
	at      int
}

func (f *frame) done() bool { return f.at >= len(f.entries)+len(f.pages.refs) }

// head is what a cursor stands at: an entry, a page, or nothing.
type head struct {
	entry *Entry
	ref   *Ref
	level int // of the page
}

func (h head) none() bool { return h.entry == nil && h.ref == nil }

func (h head) path() string {
	if h.ref != nil {
		return h.ref.First
	}
	return h.entry.Path
}

func newCursor(m *Manifest, src Source) *cursor {
	c := &cursor{src: src}
	if m != nil {
		c.stack = []frame{{entries: m.Entries, pages: children{m.Pages, rootLevel, ""}}}
	}
	return c
}

// head leaves the lists that have ended.
func (c *cursor) head() head {
	for len(c.stack) > 0 && c.top().done() {
		c.stack = c.stack[:len(c.stack)-1]
	}
	if len(c.stack) == 0 {
		return head{}
	}
	f := c.top()
	if len(f.entries) > 0 {
		return head{entry: &f.entries[f.at]}
	}
	return head{ref: &f.pages.refs[f.at], level: f.pages.level}
}

func (c *cursor) top() *frame { return &c.stack[len(c.stack)-1] }

// skip goes to the next entry or page of the list.
func (c *cursor) skip() { c.top().at++ }

// seek skips entries that are not in the span, and pages that can't have such.
func (c *cursor) seek(s *span) {
	for h := c.head(); !s.all && !h.none(); h = c.head() {
		if h.entry != nil && s.holds(h.entry.Path) {
			return
		}
		if h.ref != nil {
			f := c.top()
			if p := f.pages.at(f.at); s.touches(p.ref.First, p.end) {
				return
			}
		}
		c.skip()
	}
}

// skipPage is skip for a page that the other manifest has too, at a level that it may know better.
func (c *cursor) skipPage(level int) {
	if pages := &c.top().pages; pages.level == rootLevel {
		pages.level = level
	}
	c.skip()
}

// enter reads the page that c stands at and goes to its first line.
func (c *cursor) enter(ctx context.Context) error {
	f := c.top()
	n, err := f.pages.at(f.at).load(ctx, c.src)
	if err != nil {
		return err
	}
	f.pages.level = n.Level // the root's level is known from its first page on
	f.at++
	if n.Level == 0 {
		if err := c.fence.pass(n.Entries, n.open); err != nil {
			return fmt.Errorf("%w: %w", ErrPage, err)
		}
	}
	c.stack = append(c.stack, frame{entries: n.Entries, pages: n.children()})
	return nil
}
