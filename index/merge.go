package index

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"
)

// Merge is a merge of two versions by path, against what both came from. It reads no page that all of them have.
type Merge struct {
	Bases        []*Manifest // none: the versions are unrelated; several: a path that differs between them is a conflict unless both sides agree
	Ours, Theirs *Manifest   // nil: empty
	Source       Source      // of the pages of all
}

// Conflict is a path that both sides changed, each in its own way, or that is a file on one side and a directory on the other.
type Conflict struct {
	Path               string
	Base, Ours, Theirs *Entry // nil: nothing there; of Base also where that is not known
	OursDir, TheirsDir bool   // that side has a directory there, with something of its own in it; then the conflict is about all below Path
}

// Choice is what becomes of a conflict.
type Choice byte

// The choices.
const (
	Undecided  Choice = iota // nothing: it is left out of the changes
	TakeOurs                 // and what is below the path
	TakeTheirs               // and what is below the path
	TakeBoth                 // ours stays, theirs comes beside it under a name that is free; of deleted and changed, what was changed; of a file and a directory, the file moves
)

// ErrNoRoom says that a name can't be made longer.
var ErrNoRoom = errors.New("there is no room for a second name")

// Changes yields what makes the merged version out of Ours, ascending by path, for Apply. choose hears of every conflict, ascending by path. It stops
// after an error.
func (m *Merge) Changes(ctx context.Context, choose func(Conflict) Choice) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		next, stop := iter.Pull2(m.triples(ctx))
		defer stop()
		g := &merger{Merge: m, ctx: ctx, choose: choose, yield: yield, next: next}
		if err := g.run(); err != nil && !errors.Is(err, errStopped) {
			yield(Change{}, fmt.Errorf("merge manifests: %w", err))
		}
	}
}

// errStopped says that the caller wants no more.
var errStopped = errors.New("stopped")

// triple is a path that is not the same in all versions.
type triple struct {
	path               string
	base, ours, theirs *Entry
	doubt              bool // base is not known
}

// triples joins the differences from the first base to all others.
func (m *Merge) triples(ctx context.Context) iter.Seq2[triple, error] {
	if len(m.Bases) == 0 {
		return func(yield func(triple, error) bool) {
			for c, err := range Diff(ctx, m.Ours, m.Theirs, m.Source, m.Source) {
				if !yield(triple{path: c.Path, ours: c.Old, theirs: c.New}, err) {
					return
				}
			}
		}
	}
	return func(yield func(triple, error) bool) {
		var list []*stream
		for _, v := range append([]*Manifest{m.Ours, m.Theirs}, m.Bases[1:]...) {
			next, stop := iter.Pull2(Diff(ctx, m.Bases[0], v, m.Source, m.Source))
			defer stop()
			s := &stream{next: next}
			s.step()
			list = append(list, s)
		}
		for {
			t, err := joined(list)
			if t.path == "" && err == nil || !yield(t, err) || err != nil {
				return
			}
		}
	}
}

// stream is a Diff, one step ahead.
type stream struct {
	next func() (Change, error, bool)
	c    Change
	err  error
	ok   bool
}

func (s *stream) step() { s.c, s.err, s.ok = s.next() }

// joined takes the least path off the streams: ours, theirs, and the other bases. The zero triple is the end.
func joined(list []*stream) (t triple, err error) {
	for _, s := range list {
		if s.ok && s.err != nil {
			return triple{}, s.err
		}
		if s.ok && (t.path == "" || s.c.Path < t.path) {
			t = triple{path: s.c.Path, base: s.c.Old}
		}
	}
	t.ours, t.theirs = t.base, t.base
	for i, s := range list {
		if !s.ok || s.c.Path != t.path {
			continue
		}
		switch i {
		case 0:
			t.ours = s.c.New
		case 1:
			t.theirs = s.c.New
		default:
			t.doubt = true
		}
		s.step()
	}
	return t, nil
}

// merger is one run of Changes.
type merger struct {
	*Merge
	ctx    context.Context
	choose func(Conflict) Choice
	yield  func(Change, error) bool
	next   func() (triple, error, bool)
	ahead  triple   // the one after the current; its path is empty at the end
	open   []unit   // conflicts of a file with a directory that the current path starts with, shortest first
	beside []Change // entries under second names, ascending: at most as many as there are bytes in a path
}

// unit is a path that is decided about as a whole, with what is below it.
type unit struct {
	path   string
	choice Choice
}

func (g *merger) run() error {
	if err := g.step(); err != nil {
		return err
	}
	for g.ahead.path != "" {
		t := g.ahead
		if err := g.step(); err != nil {
			return err
		}
		if err := g.merge(t); err != nil {
			return err
		}
	}
	return g.emitBeside("")
}

func (g *merger) step() (err error) {
	g.ahead, err, _ = g.next()
	return err
}

func (g *merger) merge(t triple) error {
	for n := len(g.open); n > 0 && !strings.HasPrefix(t.path, g.open[n-1].path); n-- {
		g.open = g.open[:n-1]
	}
	for _, u := range g.open {
		if strings.HasPrefix(t.path, u.path+"/") {
			return g.take(t, u.choice)
		}
	}
	switch c, err := g.conflict(t); {
	case err != nil:
		return err
	case c != nil:
		return g.decide(t, c)
	case same(t.base, t.ours):
		return g.take(t, TakeTheirs)
	}
	return g.take(t, TakeOurs)
}

// conflict is nil where only one side changed the path, or both did the same.
func (g *merger) conflict(t triple) (*Conflict, error) {
	if same(t.ours, t.theirs) {
		return nil, nil
	}
	c := &Conflict{Path: t.path, Base: t.base, Ours: t.ours, Theirs: t.theirs}
	if t.doubt {
		c.Base = nil
	}
	both := t.doubt || !same(t.base, t.ours) && !same(t.base, t.theirs)
	var err error
	switch { // a file that will be there, and the other side has nothing in its place
	case t.theirs == nil && t.ours.Kind != Dir && (both || !same(t.base, t.ours)):
		c.TheirsDir, err = g.below(t.path, g.Theirs, func(t *triple) *Entry { return t.theirs })
	case t.ours == nil && t.theirs.Kind != Dir && (both || !same(t.base, t.theirs)):
		c.OursDir, err = g.below(t.path, g.Ours, func(t *triple) *Entry { return t.ours })
	}
	if both || c.OursDir || c.TheirsDir {
		return c, err
	}
	return nil, err
}

// below says whether a side has something below a path that not each base has. The next triple mostly tells.
func (g *merger) below(top string, side *Manifest, of func(*triple) *Entry) (bool, error) {
	if s := newSpan(top); g.ahead.path == "" || g.ahead.path >= s.above {
		return false, nil
	} else if g.ahead.path >= s.low && of(&g.ahead) != nil && !same(of(&g.ahead), g.ahead.base) {
		return true, nil
	}
	bases := g.Bases
	if len(bases) == 0 {
		bases = []*Manifest{nil}
	}
	for _, base := range bases {
		for c, err := range diffAt(g.ctx, base, side, g.Source, g.Source, top) {
			if err != nil || c.New != nil {
				return err == nil, err
			}
		}
	}
	return false, nil
}

func (g *merger) decide(t triple, c *Conflict) error {
	choice := g.choose(*c)
	if choice == TakeBoth {
		var err error
		if choice, err = g.both(c); err != nil {
			return err
		}
	}
	if c.OursDir || c.TheirsDir {
		g.open = append(g.open, unit{t.path, choice})
	}
	return g.take(t, choice)
}

// both gives one side a second name; the other is what is taken at the path.
func (g *merger) both(c *Conflict) (Choice, error) {
	switch {
	case c.TheirsDir:
		return TakeTheirs, g.putBeside(c.Ours, ".ours")
	case c.OursDir:
		return TakeOurs, g.putBeside(c.Theirs, ".theirs")
	case c.Ours == nil:
		return TakeTheirs, nil
	case c.Theirs == nil:
		return TakeOurs, nil
	}
	return TakeOurs, g.putBeside(c.Theirs, ".theirs")
}

// maxName is how many bytes a name has on every file system.
const maxName = 255

// putBeside names an entry by a suffix that makes the name free on both sides. Suffixes, so that few such entries wait at a time for their place in
// the order.
func (g *merger) putBeside(e *Entry, suffix string) error {
	moved := *e
	for n := 1; ; n++ {
		if moved.Path = e.Path + suffix; n > 1 {
			moved.Path = fmt.Sprintf("%s%s-%d", e.Path, suffix, n)
		}
		if CheckPath(moved.Path) != nil || len(path.Base(moved.Path)) > maxName || e.Path == "." {
			return fmt.Errorf("keep both of %s: %w", Quote(e.Path), ErrNoRoom)
		}
		free, err := g.free(moved.Path)
		if err != nil {
			return err
		}
		if free {
			break
		}
	}
	i, _ := slices.BinarySearchFunc(g.beside, moved.Path, func(c Change, p string) int { return strings.Compare(c.Path, p) })
	g.beside = slices.Insert(g.beside, i, Change{Path: moved.Path, New: &moved})
	return nil
}

func (g *merger) free(name string) (bool, error) {
	for _, side := range []*Manifest{g.Ours, g.Theirs} {
		for _, err := range Walk(g.ctx, side, g.Source, name) {
			return false, err
		}
	}
	return true, nil
}

// take yields what brings a side to its place. Of an empty directory on one side that has something in it on the other Apply makes none.
func (g *merger) take(t triple, choice Choice) error {
	if choice != TakeTheirs || same(t.ours, t.theirs) {
		return nil
	}
	return g.emit(Change{t.path, t.ours, t.theirs})
}

func (g *merger) emit(c Change) error {
	if err := g.emitBeside(c.Path); err != nil {
		return err
	}
	if !g.yield(c, nil) {
		return errStopped
	}
	return nil
}

// emitBeside yields the entries under second names that come before a path; "" is the end of all.
func (g *merger) emitBeside(before string) error {
	for len(g.beside) > 0 && (before == "" || g.beside[0].Path < before) {
		c := g.beside[0]
		g.beside = slices.Delete(g.beside, 0, 1)
		if !g.yield(c, nil) {
			return errStopped
		}
	}
	return nil
}

// same says that there is the same on both sides, maybe nothing.
func same(a, b *Entry) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Same(*b)
}
