package index

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"sync"
)

// Walk yields the entries of m at or below prefix, ascending by path: "" is all of them, "a" the entry "a" or "a/" and all in "a/". It reads
// only pages that can hold such entries, a few ahead of the caller, and checks that they agree with their references and with
// each other (else ErrPage). It stops after an error.
func Walk(ctx context.Context, m *Manifest, src Source, prefix string) iter.Seq2[Entry, error] {
	return walk(ctx, m, src, prefix, false)
}

// List is Walk for one directory: an entry directly in dir as it is, and each directory in it once, as a Dir, without what it holds. Pages
// that have nothing else are not read, but for a few that were asked for ahead. Where dir is an entry, that is yielded.
func List(ctx context.Context, m *Manifest, src Source, dir string) iter.Seq2[Entry, error] {
	return walk(ctx, m, src, dir, true)
}

func walk(ctx context.Context, m *Manifest, src Source, prefix string, flat bool) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if m == nil {
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		w := &walker{ctx: ctx, src: src, span: newSpan(prefix), flat: flat, yield: yield}
		defer w.running.Wait()
		defer cancel()
		if len(m.Pages) == 0 {
			w.entries(m.Entries)
			return
		}
		w.pages(children{m.Pages, rootLevel, ""})
	}
}

// walker is one Walk or List.
type walker struct {
	ctx     context.Context
	src     Source
	span    span
	flat    bool   // directories are yielded, and not what is in them
	skip    string // what comes before this path is in a directory that was yielded
	steady  bool   // the last page ended without skipping: the next one is likely to be needed
	yield   func(Entry, error) bool
	fence   fence
	running sync.WaitGroup
}

// ahead is a page that is being read.
type ahead struct {
	child
	done chan struct{}
	node *node
	err  error
}

func (w *walker) start(c child) *ahead {
	a := &ahead{child: c, done: make(chan struct{})}
	w.running.Go(func() {
		defer close(a.done)
		a.node, a.err = c.load(w.ctx, w.src)
	})
	return a
}

// window is how many pages of a level are in memory at once.
func (w *walker) window(level int) int {
	switch {
	case level == rootLevel || w.flat && !w.steady:
		return 1
	case level == 0:
		return min(runtime.GOMAXPROCS(0), 8) + 2
	}
	return 2
}

// pages walks what is below a list of pages, and reports whether to go on.
func (w *walker) pages(list children) bool {
	var queue []*ahead
	for next := 0; ; {
		for ; next < len(list.refs) && len(queue) < w.window(list.level); next++ {
			if c := list.at(next); w.touches(c) {
				queue = append(queue, w.start(c))
			}
		}
		if len(queue) == 0 {
			return true
		}
		head := queue[0]
		queue = queue[1:]
		if !w.touches(head.child) {
			continue
		}
		<-head.done
		if head.err != nil {
			return w.fail(head.err)
		}
		list.level = head.node.Level // the root's level is known from its first page on
		if !w.node(head.node) {
			return false
		}
	}
}

// touches says that a page can have something that is to be yielded.
func (w *walker) touches(c child) bool {
	return w.span.touches(c.ref.First, c.end) && (c.end == "" || c.end > w.skip)
}

func (w *walker) node(n *node) bool {
	if n.Level > 0 {
		return w.pages(n.children())
	}
	if err := w.fence.pass(n.Entries, n.open); err != nil {
		return w.fail(fmt.Errorf("%w: %w", ErrPage, err))
	}
	more := w.entries(n.Entries)
	w.steady = w.skip <= n.Entries[len(n.Entries)-1].Path
	return more
}

func (w *walker) entries(list []Entry) bool {
	for i := range list {
		e := &list[i]
		if e.Path < w.skip || !w.span.holds(e.Path) {
			continue
		}
		if w.flat {
			e = w.collapse(e)
		}
		if !w.yield(*e, nil) {
			return false
		}
	}
	return true
}

// collapse is e, or the directory below the span's that e is in.
func (w *walker) collapse(e *Entry) *Entry {
	top := 0
	if !w.span.all {
		top = len(w.span.low)
	}
	if len(e.Path) <= top {
		return e
	}
	i := strings.IndexByte(e.Path[top:], '/')
	if i < 0 {
		return e
	}
	name := e.Path[:top+i]
	w.skip = name + string('/'+1)
	return &Entry{Path: name + "/", Kind: Dir}
}

func (w *walker) fail(err error) bool {
	w.yield(Entry{}, fmt.Errorf("walk manifest: %w", err))
	return false
}

// span is the paths at or below a prefix: one path, and those from low to high. Others may stand between the two ("a", "a.txt", "a/b").
type span struct {
	all            bool
	at, low, above string // low is the first path inside, above the first after all that are inside
}

func newSpan(prefix string) span {
	at := strings.TrimSuffix(prefix, "/")
	return span{all: at == "", at: at, low: at + "/", above: at + string('/'+1)}
}

func (s *span) holds(path string) bool {
	return s.all || path == s.at || strings.HasPrefix(path, s.low)
}

// touches says that a page from first up to, but not including, end can hold such a path.
func (s *span) touches(first, end string) bool {
	if s.all {
		return true
	}
	point := first <= s.at && (end == "" || s.at < end)
	return point || first < s.above && (end == "" || end > s.low)
}
