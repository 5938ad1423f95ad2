package index

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"tarn/store/digest"
)

type plainChange struct {
	path     string
	old, new Entry
}

func flat(list []Change) (out []plainChange) {
	for _, c := range list {
		p := plainChange{path: c.Path}
		if c.Old != nil {
			p.old = *c.Old
		}
		if c.New != nil {
			p.new = *c.New
		}
		out = append(out, p)
	}
	return out
}

func naiveDiff(a, b []Entry) (out []plainChange) {
	set := map[string]plainChange{}
	for _, e := range a {
		set[e.Path] = plainChange{path: e.Path, old: e}
	}
	for _, e := range b {
		c := plainChange{e.Path, set[e.Path].old, e}
		if set[e.Path] = c; c.old == c.new {
			delete(set, e.Path)
		}
	}
	return slices.SortedFunc(maps.Values(set), func(x, y plainChange) int { return cmp.Compare(x.path, y.path) })
}

func diffs(t fatal, a, b *tree) []plainChange {
	t.Helper()
	list, err := collect(Diff(context.Background(), a.m, b.m, a.src, b.src))
	if err != nil {
		t.Fatalf("%v", err)
	}
	return flat(list)
}

func TestDiffIsTheNaiveOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		listA := drawSet(t, "a")
		listB := drawEdit(t, listA)
		if rapid.IntRange(0, 3).Draw(t, "unrelated") == 0 {
			listB = drawSet(t, "b")
		}
		shapeB := small
		if rapid.IntRange(0, 3).Draw(t, "other shape") == 0 { // as a merge may leave it
			shapeB = rapid.SampledFrom([]shape{standard, {inline: 1, refs: 100, lines: 5, page: 1500, bits: 1}}).Draw(t, "shape")
		}
		a, b := build(t, small, listA), build(t, shapeB, listB)
		if got, want := diffs(t, a, b), naiveDiff(listA, listB); !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
		if got := diffs(t, a, a); len(got) > 0 {
			t.Fatalf("with itself: %v", got)
		}
		if shapeB == small {
			sharedAreNotRead(t, a, b)
		}
	})
}

// sharedAreNotRead: no page is read twice, and none that both have. Only where the trees are not of one height, the first page of a root
// may be, as it tells the level.
func sharedAreNotRead(t fatal, a, b *tree) {
	t.Helper()
	mayRead := map[digest.Digest]bool{}
	if height(t, a) != height(t, b) {
		for _, r := range slices.Concat(a.m.Pages[:min(1, len(a.m.Pages))], b.m.Pages[:min(1, len(b.m.Pages))]) {
			mayRead[r.Digest] = true
		}
	}
	a.src.forget()
	b.src.forget()
	diffs(t, a, b)
	for _, tr := range [][2]*tree{{a, b}, {b, a}} {
		for d, n := range tr[0].src.read {
			if n > 1 {
				t.Fatalf("page %s is read %d times", d.Short(), n)
			}
			if _, shared := tr[1].src.pages[d]; shared && !mayRead[d] {
				t.Fatalf("page %s is read, although both have it\n%s\n%s", d.Short(), a.root, b.root)
			}
		}
	}
}

func TestDiffReadsFewPages(t *testing.T) {
	list := seeded(100_000)
	a := build(t, standard, list)
	changed := slices.Clone(list)
	changed[54_321].Size++
	b := build(t, standard, changed)
	if got := diffs(t, a, b); len(got) != 1 || got[0].path != list[54_321].Path || got[0].old != list[54_321] || got[0].new != changed[54_321] {
		t.Errorf("%v", got)
	}
	if a.src.reads() != 1 || b.src.reads() != 1 {
		t.Errorf("%d and %d pages read", a.src.reads(), b.src.reads())
	}
	deep := shape{inline: 64, refs: 16, lines: 256, page: MaxPage, bits: 4}
	a, b = build(t, deep, list), build(t, deep, changed)
	diffs(t, a, b)
	if most := 5; a.src.reads() > most || b.src.reads() > most { // one a level
		t.Errorf("%d and %d pages read of %d", a.src.reads(), b.src.reads(), len(a.src.pages))
	}
}

func TestDiffOfNothing(t *testing.T) {
	tr := build(t, small, numbered(100, 0, func(uint32) bool { return true }))
	list := walkAll(t, tr, "")
	none := &Manifest{}
	for _, nothing := range []*Manifest{nil, none} {
		added, err := collect(Diff(t.Context(), nothing, tr.m, nil, tr.src))
		if err != nil || !slices.Equal(flat(added), naiveDiff(nil, list)) {
			t.Errorf("added: %d changes, %v", len(added), err)
		}
		removed, err := collect(Diff(t.Context(), tr.m, nothing, tr.src, nil))
		if err != nil || !slices.Equal(flat(removed), naiveDiff(list, nil)) {
			t.Errorf("removed: %d changes, %v", len(removed), err)
		}
		if list, err := collect(Diff(t.Context(), nothing, none, nil, nil)); len(list) > 0 || err != nil {
			t.Errorf("nothing: %v, %v", list, err)
		}
	}
}

func TestDiffEnds(t *testing.T) {
	list := numbered(100, 0, func(uint32) bool { return true })
	a, b := build(t, small, list[:60]), build(t, small, list[30:])
	whole := diffs(t, a, b)
	for stop := 1; stop <= len(whole); stop++ {
		n := 0
		for c, err := range Diff(t.Context(), a.m, b.m, a.src, b.src) {
			if err != nil || c.Path != whole[n].path {
				t.Fatalf("%d: %v, %v", n, c, err)
			}
			if n++; n == stop {
				break
			}
		}
	}
	for _, c := range [][2]Source{{a.src, newPageMap()}, {newPageMap(), b.src}, {newPageMap(), newPageMap()}} {
		if _, err := collect(Diff(t.Context(), a.m, b.m, c[0], c[1])); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("page missing: %v", err)
		}
	}
}

func TestDiffOfForms(t *testing.T) {
	one := &Manifest{Form: FormFile, Entries: []Entry{file(".", 1)}}
	dir := &Manifest{Entries: []Entry{file("a", 1)}}
	got, err := collect(Diff(t.Context(), one, dir, nil, nil))
	if err != nil || len(got) != 2 || got[0].Path != "." || got[0].New != nil || got[1].Path != "a" || got[1].Old != nil {
		t.Errorf("%v, %v", got, err)
	}
}
