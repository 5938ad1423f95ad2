package index

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tarn/store/digest"
)

// model is a merge of maps, path by path.
type model struct {
	base, ours, theirs map[string]Entry
	doubt              map[string]bool
}

func byPath(list []Entry) map[string]Entry {
	m := map[string]Entry{}
	for _, e := range list {
		m[e.Path] = e
	}
	return m
}

// at compares the sides at a path: which one has to be taken, or that they are at odds.
func (m *model) at(p string) (choice Choice, odds bool) {
	b, o, t := m.base[p], m.ours[p], m.theirs[p]
	switch {
	case o == t:
		return TakeOurs, false
	case m.doubt[p]:
		return Undecided, true
	case b == t:
		return TakeOurs, false
	case b == o:
		return TakeTheirs, false
	}
	return Undecided, true
}

// stands says that a side has something at the path that the merge keeps, or that is at odds.
func (m *model) stands(side map[string]Entry, p string) bool {
	choice, odds := m.at(p)
	_, has := side[p]
	if odds {
		return has
	}
	if choice == TakeTheirs {
		_, has = m.theirs[p]
		return has && !m.same(side, m.ours)
	}
	_, has = m.ours[p]
	return has && !m.same(side, m.theirs)
}

func (m *model) same(a, b map[string]Entry) bool { return fmt.Sprintf("%p", a) == fmt.Sprintf("%p", b) }

// dirAt says that a side has something below the path that will be there.
func (m *model) dirAt(side map[string]Entry, p string) bool {
	for q := range side {
		if strings.HasPrefix(q, p+"/") && m.stands(side, q) {
			return true
		}
	}
	return false
}

// conflicts are those of the merge, and the choice for each path of a side.
func (m *model) conflicts(choose func(Conflict) Choice) (list []Conflict, result map[string]Entry) {
	result = map[string]Entry{}
	paths := map[string]bool{}
	for _, side := range []map[string]Entry{m.base, m.ours, m.theirs} {
		for p := range side {
			paths[p] = true
		}
	}
	put := func(p string, c Choice) {
		e, ok := map[Choice]map[string]Entry{TakeOurs: m.ours, TakeTheirs: m.theirs}[c][p]
		if ok {
			result[p] = e
		}
	}
	units := map[string]Choice{}
next:
	for _, p := range slices.Sorted(maps.Keys(paths)) {
		for u, c := range units {
			if strings.HasPrefix(p, u+"/") {
				put(p, c)
				continue next
			}
		}
		choice, odds := m.at(p)
		c := Conflict{Path: p, Base: at(m.base, p), Ours: at(m.ours, p), Theirs: at(m.theirs, p)}
		c.TheirsDir = c.Theirs == nil && c.Ours != nil && c.Ours.Kind != Dir && m.stands(m.ours, p) && m.dirAt(m.theirs, p)
		c.OursDir = c.Ours == nil && c.Theirs != nil && c.Theirs.Kind != Dir && m.stands(m.theirs, p) && m.dirAt(m.ours, p)
		if m.doubt[p] {
			c.Base = nil
		}
		if odds || c.OursDir || c.TheirsDir {
			list = append(list, c)
			choice = choose(c)
		}
		if c.OursDir || c.TheirsDir {
			units[p] = choice
		}
		put(p, choice)
	}
	return list, withoutHollow(result)
}

// withoutHollow drops empty directories that have something in them.
func withoutHollow(set map[string]Entry) map[string]Entry {
	out := maps.Clone(set)
	for p, e := range set {
		for q := range set {
			if e.Kind == Dir && p != q && strings.HasPrefix(q, p) {
				delete(out, p)
			}
		}
	}
	return out
}

func at(side map[string]Entry, p string) *Entry {
	if e, ok := side[p]; ok {
		return &e
	}
	return nil
}

// text makes conflicts comparable.
func text(list []Conflict) string {
	var b strings.Builder
	e := func(e *Entry) any {
		if e == nil {
			return "-"
		}
		return *e
	}
	for _, c := range list {
		fmt.Fprintf(&b, "%q %v %v %v %t %t\n", c.Path, e(c.Base), e(c.Ours), e(c.Theirs), c.OursDir, c.TheirsDir)
	}
	return b.String()
}

// merged is what Changes and Apply make of a merge.
func merged(t fatal, s shape, m *Merge, ours *tree, choose func(Conflict) Choice) (list []Conflict, result *tree) {
	t.Helper()
	changes, err := collect(m.Changes(context.Background(), func(c Conflict) Choice {
		list = append(list, c)
		return choose(c)
	}))
	if err != nil {
		t.Fatalf("%.300v", err)
	}
	return list, changed(t, s, ours, sequence(changes))
}

// share lets trees have one source.
func share(trees ...*tree) *pageMap {
	all := newPageMap()
	for _, tr := range trees {
		maps.Copy(all.pages, tr.src.pages)
		tr.src = all
	}
	return all
}

func TestMergeIsThatOfMaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := drawSet(t, "base")
		base, ours, theirs := build(t, small, list), build(t, small, drawEdit(t, list)), build(t, small, drawEdit(t, list))
		other := base
		bases := []*Manifest{base.m}
		switch rapid.IntRange(0, 5).Draw(t, "bases") {
		case 0:
			bases = nil
		case 1:
			other = build(t, small, drawEdit(t, list))
			bases = append(bases, other.m)
		}
		src := share(base, ours, theirs, other)
		want := &model{base: byPath(list), ours: byPath(walkAll(t, ours, "")), theirs: byPath(walkAll(t, theirs, "")), doubt: map[string]bool{}}
		if bases == nil {
			want.base = map[string]Entry{}
		}
		for _, c := range diffs(t, base, other) {
			want.doubt[c.path] = true
		}
		side := rapid.SampledFrom([]Choice{TakeOurs, TakeTheirs}).Draw(t, "side")
		choose := func(c Conflict) Choice {
			if rapid.Bool().Draw(t, "other side") {
				return TakeOurs + TakeTheirs - side
			}
			return side
		}
		chosen := map[string]Choice{}
		remember := func(c Conflict) Choice { chosen[c.Path] = choose(c); return chosen[c.Path] }
		conflicts, got := merged(t, small, &Merge{bases, ours.m, theirs.m, src}, ours, remember)
		wantConflicts, result := want.conflicts(func(c Conflict) Choice { return chosen[c.Path] })
		if g, w := text(conflicts), text(wantConflicts); g != w {
			t.Fatalf("conflicts\n%swant\n%s", g, w)
		}
		entries := slices.SortedFunc(maps.Values(result), func(a, b Entry) int { return cmp.Compare(a.Path, b.Path) })
		if w := build(t, small, entries); w.id != got.id {
			t.Fatalf("%swant\n%s", got.root, w.root)
		}
		sameFromTheOtherSide(t, &Merge{bases, theirs.m, ours.m, src}, conflicts)
	})
}

// sameFromTheOtherSide: who merges whom makes no difference.
func sameFromTheOtherSide(t fatal, m *Merge, conflicts []Conflict) {
	t.Helper()
	var list []Conflict
	_, err := collect(m.Changes(context.Background(), func(c Conflict) Choice {
		list = append(list, Conflict{c.Path, c.Base, c.Theirs, c.Ours, c.TheirsDir, c.OursDir})
		return Undecided
	}))
	if err != nil {
		t.Fatalf("%v", err)
	}
	if g, w := text(list), text(conflicts); g != w {
		t.Fatalf("from the other side\n%swant\n%s", g, w)
	}
}

// TestMergeReadsNoSharedPage: of three versions that differ in few places.
func TestMergeReadsNoSharedPage(t *testing.T) {
	list := seeded(100_000)
	edit := func(at ...int) *tree {
		l := slices.Clone(list)
		for _, i := range at {
			l[i].Size++
		}
		return build(t, standard, l)
	}
	base, ours, theirs := edit(), edit(100, 54_321, 54_400), edit(101, 90_000)
	src := share(base, ours, theirs)
	src.forget()
	m := &Merge{[]*Manifest{base.m}, ours.m, theirs.m, src}
	n := 0
	for _, err := range m.Changes(context.Background(), func(Conflict) Choice { n++; return Undecided }) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if n > 0 {
		t.Errorf("%d conflicts", n)
	}
	// The first page in three versions, that of 54,321 and that of 90,000 in two.
	if len(src.read) != 7 {
		t.Errorf("%d pages read, want 7", len(src.read))
	}
	got := changed(t, standard, ours, m.Changes(context.Background(), nil))
	if want := edit(100, 54_321, 54_400, 101, 90_000); got.id != want.id {
		t.Errorf("another version than what was built")
	}
	if len(src.read) != 8 { // and the one before that of 90,000
		t.Errorf("%d pages read, want 8", len(src.read))
	}
}

func TestMergeKeepsBoth(t *testing.T) {
	f := func(p string, n int) Entry { return file(p, n) }
	base := []Entry{f("both", 0), f("del", 0), f("gone", 0), f("same", 0)}
	ours := []Entry{f("both", 1), f("del", 1), f("dir/x", 1), f("file", 1), f("new", 1), f("new.theirs", 1), f("same", 3)}
	theirs := []Entry{f("both", 2), f("both.a", 2), f("dir", 2), f("file/y", 2), f("gone", 2), f("new", 2), f("same", 3)}
	want := []Entry{f("both", 1), f("both.a", 2), f("both.theirs", 2), f("del", 1), f("dir.theirs", 2), f("dir/x", 1), f("file.ours", 1), f("file/y", 2), f("gone", 2),
		f("new", 1), f("new.theirs", 1), f("new.theirs-2", 2), f("same", 3)}
	b, o, h := build(t, small, base), build(t, small, ours), build(t, small, theirs)
	src := share(b, o, h)
	conflicts, got := merged(t, small, &Merge{[]*Manifest{b.m}, o.m, h.m, src}, o, func(Conflict) Choice { return TakeBoth })
	if list := walkAll(t, got, ""); !slices.Equal(list, want) {
		t.Errorf("%v\nwant\n%v", list, want)
	}
	if len(conflicts) != 6 {
		t.Errorf("%s", text(conflicts))
	}
}

// TestMergeFillsAnEmptyDirectory that is the last entry of a page, in either direction.
func TestMergeFillsAnEmptyDirectory(t *testing.T) {
	b := newBuilder(FormDir, nil, small)
	var base []Entry
	for i := range 20 {
		base = append(base, file(fmt.Sprintf("f%02d", i), i))
	}
	tried := 0
	for i := range 20 {
		dir := fmt.Sprintf("f%02d-d/", i)
		if !b.cutsAfter(dir) {
			continue
		}
		tried++
		x := file(dir+"x", 1)
		ours, theirs, want := slices.Clone(base), slices.Clone(base), slices.Clone(base)
		ours = slices.Insert(ours, i+1, Entry{Path: dir, Kind: Dir})
		theirs, want = slices.Insert(theirs, i+1, x), slices.Insert(want, i+1, x)
		v, o, h := build(t, small, base), build(t, small, ours), build(t, small, theirs)
		src := share(v, o, h)
		w := build(t, small, want)
		if _, got := merged(t, small, &Merge{[]*Manifest{v.m}, o.m, h.m, src}, o, nil); got.id != w.id {
			t.Errorf("%s%s", dir, got.root)
		}
		if _, got := merged(t, small, &Merge{[]*Manifest{v.m}, h.m, o.m, src}, h, nil); got.id != w.id {
			t.Errorf("%s%s", dir, got.root)
		}
	}
	if tried == 0 {
		t.Error("no such directory")
	}
}

func TestMergeHasNoRoom(t *testing.T) {
	long := strings.Repeat("n", 250)
	o, h := build(t, small, []Entry{file(long, 1)}), build(t, small, []Entry{file(long, 2)})
	m := &Merge{nil, o.m, h.m, o.src}
	_, err := collect(m.Changes(context.Background(), func(Conflict) Choice { return TakeBoth }))
	if !errors.Is(err, ErrNoRoom) {
		t.Errorf("%v", err)
	}
}

// TestMergeEnds: with an error of the source, and with the caller.
func TestMergeEnds(t *testing.T) {
	list := seeded(30_000)
	more := slices.Clone(list)
	more[7].Size, more[20_000].Size = 1, 1
	base, ours := build(t, standard, list), build(t, standard, more)
	m := &Merge{[]*Manifest{base.m}, base.m, ours.m, share(base, ours)}
	for range m.Changes(context.Background(), nil) {
		break
	}
	ours.src.pages = map[digest.Digest][]byte{}
	if _, err := collect(m.Changes(context.Background(), nil)); err == nil || !strings.HasPrefix(err.Error(), "merge manifests: ") {
		t.Errorf("%v", err)
	}
}
