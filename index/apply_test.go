package index

import (
	"context"
	"iter"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tarn/store/digest"
)

// sequence yields a list.
func sequence[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range list {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// changed applies changes; pages that it makes go to the tree's own source.
func changed(t fatal, s shape, a *tree, changes iter.Seq2[Change, error]) *tree {
	t.Helper()
	b := newBuilder(a.m.Form, a.src.put, s)
	root, id, err := apply(context.Background(), a.m, a.src, changes, b)
	if err != nil {
		t.Fatalf("%.300v", err)
	}
	m, err := Parse(root)
	if err != nil {
		t.Fatalf("parse what was applied: %.300v", err)
	}
	return &tree{root: root, id: id, m: m, src: a.src}
}

func TestApplyIsTheInverseOfDiff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		listA := drawSet(t, "a")
		listB := drawEdit(t, listA)
		if rapid.IntRange(0, 3).Draw(t, "unrelated") == 0 {
			listB = drawSet(t, "b")
		}
		shapeA := small
		if rapid.IntRange(0, 4).Draw(t, "other shape") == 0 { // as a merge may leave it
			shapeA = shape{inline: 1, refs: 100, lines: 5, page: 1500, bits: 1}
		}
		a, b := build(t, shapeA, listA), build(t, small, listB)
		changes, err := collect(Diff(context.Background(), a.m, b.m, a.src, b.src))
		if err != nil {
			t.Fatalf("%v", err)
		}
		a.src.forget()
		got := changed(t, small, a, sequence(changes))
		if shapeA == small && string(got.root) != string(b.root) {
			t.Fatalf("%s\nwant\n%s", got.root, b.root)
		}
		if list := walkAll(t, got, ""); !slices.Equal(list, listB) {
			t.Fatalf("%v, want %v", list, listB)
		}
	})
}

// TestApplyReadsFewPages: of 26 pages those with a change, and the one before each run of them.
func TestApplyReadsFewPages(t *testing.T) {
	list := seeded(100_000)
	a := build(t, standard, list)
	for name, c := range map[string]struct {
		change []int
		reads  int // different pages
	}{
		"nothing":             {nil, 1}, // for the level
		"the first entry":     {[]int{0}, 1},
		"the last one":        {[]int{99_999}, 2},
		"one in the middle":   {[]int{54_321}, 2},
		"neighbours":          {[]int{54_321, 54_322, 54_500}, 2},
		"one here, one there": {[]int{20_000, 80_000}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			want := slices.Clone(list)
			var changes []Change
			for _, i := range c.change {
				want[i].Size++
				changes = append(changes, Change{list[i].Path, &list[i], &want[i]})
			}
			b := build(t, standard, want)
			a.src.forget()
			if got := changed(t, standard, a, sequence(changes)); got.id != b.id {
				t.Errorf("another version than what was built")
			}
			if len(a.src.read) != c.reads {
				t.Errorf("%d pages read, want %d", len(a.src.read), c.reads)
			}
		})
	}
}

// TestApplyMovesCuts: a path that ends pages comes and goes, in a long run that is cut at lesser places, too.
func TestApplyMovesCuts(t *testing.T) {
	s := shape{inline: 4, refs: 4, lines: 8, page: MaxPage, bits: 6}
	words := newBuilder(FormDir, nil, s)
	var list []Entry
	for i := 0; len(list) < 3000; i++ {
		list = append(list, file("f/"+strings.Repeat("x", i%7)+digest.Sum([]byte{byte(i), byte(i >> 8)}).String(), i))
	}
	slices.SortFunc(list, func(x, y Entry) int { return strings.Compare(x.Path, y.Path) })
	cuts := 0
	for i := range list {
		if !words.cutsAfter(list[i].Path) && i%137 != 0 {
			continue
		}
		cuts++
		without := slices.Delete(slices.Clone(list), i, i+1)
		with, less := build(t, s, list), build(t, s, without)
		if got := changed(t, s, with, sequence([]Change{{list[i].Path, &list[i], nil}})); got.id != less.id {
			t.Errorf("without %d: another version than what was built", i)
		}
		if got := changed(t, s, less, sequence([]Change{{list[i].Path, nil, &list[i]}})); got.id != with.id {
			t.Errorf("with %d: another version than what was built", i)
		}
	}
	if cuts < 50 {
		t.Errorf("only %d places", cuts)
	}
}

func TestApplyDropsEmptyDirectories(t *testing.T) {
	e := Entry{Path: "e/", Kind: Dir}
	x, after := file("e/x", 1), file("f", 2)
	a := build(t, standard, []Entry{e, after})
	got := changed(t, standard, a, sequence([]Change{{"e/x", nil, &x}}))
	if want := build(t, standard, []Entry{x, after}); got.id != want.id {
		t.Errorf("%s", got.root)
	}
	b := build(t, standard, []Entry{x, after})
	got = changed(t, standard, b, sequence([]Change{{"e/", nil, &e}}))
	if got.id != b.id {
		t.Errorf("%s", got.root)
	}
}

func TestApplyRefuses(t *testing.T) {
	x, y, below := file("x", 1), file("y", 2), file("x/z", 3)
	for want, changes := range map[string][]Change{
		"change adds x, which is there":     {{"x", nil, &y}},
		"change of y, which is not there":   {{"y", &y, nil}},
		"not sorted":                        {{"z", nil, &Entry{Path: "z", Kind: Link, Target: "x"}}, {"y", nil, &y}},
		"path x/z is below x":               {{"x/z", nil, &below}},
		"change of w, which is not there":   {{"w", &y, &y}},
		"the path of an empty directory en": {{"d", nil, &Entry{Path: "d", Kind: Dir}}},
	} {
		a := build(t, standard, []Entry{x})
		_, _, err := Apply(context.Background(), a.m, a.src, sequence(changes), nil)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "apply changes: ") {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
