package index

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sort"

	"tarn/store/digest"
)

// ErrPage says that a page is not what its reference promises, or does not fit beside the other pages.
var ErrPage = errors.New("page does not fit its manifest")

// Source gives the bytes of a page, already verified against d; they are not changed afterwards. It is called from several goroutines
// at once. Its errors come back wrapped; it retries what is worth it, and its calls end when ctx is done.
type Source interface {
	Page(ctx context.Context, d digest.Digest) ([]byte, error)
}

// rootLevel stands for the level of a root's pages, which only they themselves tell.
const rootLevel = -1

// child is a reference with what its place says about the page.
type child struct {
	ref   Ref
	level int    // of the page, or rootLevel
	end   string // the first path of the next page; empty where none follows
}

// children is the pages of one list, which ends before the path end.
type children struct {
	refs  []Ref
	level int
	end   string
}

func (c *children) at(i int) child {
	end := c.end
	if i+1 < len(c.refs) {
		end = c.refs[i+1].First
	}
	return child{ref: c.refs[i], level: c.level, end: end}
}

// find is the one page that can hold path; -1 if none can.
func (c *children) find(path string) int {
	return sort.Search(len(c.refs), func(i int) bool { return c.refs[i].First > path }) - 1
}

// node is a page that was read and agrees with its reference.
type node struct {
	*Page
	open []string // paths that the last path starts with
	end  string
}

func (n *node) children() children { return children{n.Refs, n.Level - 1, n.end} }

// load reads a page and compares it with its reference.
func (c child) load(ctx context.Context, src Source) (*node, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, err := src.Page(ctx, c.ref.Digest)
	if err != nil {
		return nil, fmt.Errorf("read page %s: %w", c.ref.Digest.Short(), err)
	}
	page, open, err := parsePage(b)
	if err != nil {
		return nil, fmt.Errorf("read page %s: %w: %w", c.ref.Digest.Short(), ErrPage, err)
	}
	if err := c.agrees(page, open[len(open)-1]); err != nil {
		return nil, fmt.Errorf("read page %s: %w: %w", c.ref.Digest.Short(), ErrPage, err)
	}
	return &node{page, open, c.end}, nil
}

func (c child) agrees(p *Page, last string) error {
	entries, bytes := Totals(&Manifest{Entries: p.Entries, Pages: p.Refs})
	switch {
	case c.level != rootLevel && p.Level != c.level:
		return fmt.Errorf("it has level %d, not %d", p.Level, c.level)
	case entries != c.ref.Entries || bytes != c.ref.Bytes:
		return fmt.Errorf("it has %d entries of %d bytes, not %d of %d", entries, bytes, c.ref.Entries, c.ref.Bytes)
	case p.first() != c.ref.First:
		return fmt.Errorf("it starts with %s, not %s", Quote(p.first()), Quote(c.ref.First))
	case c.end != "" && last >= c.end:
		return fmt.Errorf("it ends with %s, and the next page starts with %s", Quote(last), Quote(c.end))
	}
	return nil
}

// first is the path of the page's first line.
func (p *Page) first() string {
	if p.Level > 0 {
		return p.Refs[0].First
	}
	return p.Entries[0].Path
}

// Lookup finds the entry with exactly that path ("e/" for an empty directory). It reads one page a level.
func Lookup(ctx context.Context, m *Manifest, src Source, path string) (Entry, bool, error) {
	if m == nil {
		return Entry{}, false, nil
	}
	entries, pages := m.Entries, children{m.Pages, rootLevel, ""}
	for len(pages.refs) > 0 {
		i := pages.find(path)
		if i < 0 {
			return Entry{}, false, nil
		}
		n, err := pages.at(i).load(ctx, src)
		if err != nil {
			return Entry{}, false, fmt.Errorf("look up %s: %w", Quote(path), err)
		}
		entries, pages = n.Entries, n.children()
	}
	i := sort.Search(len(entries), func(i int) bool { return entries[i].Path >= path })
	if i == len(entries) || entries[i].Path != path {
		return Entry{}, false, nil
	}
	return entries[i], true, nil
}

// LeveledRef is a reference and the level of the page that it names.
type LeveledRef struct {
	Ref
	Level int
}

// Refs yields every page below the root with its level, ascending by first path, parents before their children. It reads the first page
// of the root and all pages above level 0; it stops after an error.
func Refs(ctx context.Context, m *Manifest, src Source) iter.Seq2[LeveledRef, error] {
	return RefsIn(ctx, m, src, "")
}

// RefsIn is Refs for the pages that can hold entries at or below prefix, and their parents; no others are read.
func RefsIn(ctx context.Context, m *Manifest, src Source, prefix string) iter.Seq2[LeveledRef, error] {
	return func(yield func(LeveledRef, error) bool) {
		if m != nil {
			(&lister{ctx, src, newSpan(prefix), yield}).list(children{m.Pages, rootLevel, ""})
		}
	}
}

type lister struct {
	ctx   context.Context
	src   Source
	span  span
	yield func(LeveledRef, error) bool
}

func (l *lister) list(pages children) bool {
	for i := range pages.refs {
		c := pages.at(i)
		if !l.span.touches(c.ref.First, c.end) {
			continue
		}
		var n *node
		if c.level != 0 {
			var err error
			if n, err = c.load(l.ctx, l.src); err != nil {
				l.yield(LeveledRef{}, fmt.Errorf("list pages: %w", err))
				return false
			}
			pages.level = n.Level // the root's level is known from its first page on
		}
		if !l.yield(LeveledRef{c.ref, pages.level}, nil) {
			return false
		}
		if n != nil && !l.list(n.children()) {
			return false
		}
	}
	return true
}
