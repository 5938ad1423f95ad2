package index

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func listAll(t fatal, tr *tree, dir string) []Entry {
	t.Helper()
	list, err := collect(List(context.Background(), tr.m, tr.src, dir))
	if err != nil {
		t.Fatalf("list %q: %v", dir, err)
	}
	return list
}

// flatten is what List must yield, from all entries.
func flatten(list []Entry, dir string) (want []Entry) {
	dir = strings.TrimSuffix(dir, "/")
	for _, e := range list {
		if !under(dir, e.Path) {
			continue
		}
		rest := strings.TrimPrefix(strings.TrimPrefix(e.Path, dir), "/")
		if dir == "" {
			rest = e.Path
		}
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			e = Entry{Path: e.Path[:len(e.Path)-len(rest)+i+1], Kind: Dir}
		}
		if n := len(want); n == 0 || want[n-1].Path != e.Path {
			want = append(want, e)
		}
	}
	return want
}

func TestListCollapses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := drawSet(t, "set")
		tr := build(t, small, list)
		dirs := []string{"", "a", "a/", "a/a", "a!", "nowhere", "\xff\xff"}
		if len(list) > 0 {
			p := rapid.SampledFrom(list).Draw(t, "path").Path
			dirs = append(dirs, p, p[:strings.LastIndexByte(p, '/')+1])
		}
		for _, dir := range dirs {
			if got, want := listAll(t, tr, dir), flatten(list, dir); !slices.Equal(got, want) {
				t.Fatalf("list %q: %v, want %v", dir, got, want)
			}
		}
	})
}

// TestListReadsWhatItNeeds: of a large directory one page is read, and not those that hold more of it.
func TestListReadsWhatItNeeds(t *testing.T) {
	var list []Entry
	for _, d := range []string{"a", "b", "c"} {
		for i := range 40_000 {
			list = append(list, file(fmt.Sprintf("%s/x/%06d", d, i), 1))
		}
	}
	tr := build(t, standard, append(list, file("top", 1)))
	if len(tr.m.Pages) < 20 {
		t.Fatalf("only %d pages", len(tr.m.Pages))
	}
	for dir, most := range map[string]int{"": 6, "b": 2, "b/x/000007": 1, "top": 1, "z": 1} {
		tr.src.forget()
		listAll(t, tr, dir)
		if n := tr.src.reads(); n > most {
			t.Errorf("%q: %d pages read, want at most %d", dir, n, most)
		}
	}
}

// TestRefsInReadsWhatItNeeds: references to pages that can hold a path, without reading the pages above the others.
func TestRefsInReadsWhatItNeeds(t *testing.T) {
	all := numbered(300, 0, func(uint32) bool { return true })
	tr := build(t, small, all)
	levels := height(t, tr)
	for _, e := range all {
		tr.src.forget()
		leaves := 0
		for r, err := range RefsIn(context.Background(), tr.m, tr.src, e.Path) {
			if err != nil {
				t.Fatal(err)
			}
			if r.Level > 0 {
				continue
			}
			p, err := ParsePage(tr.src.pages[r.Digest])
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains(p.Entries, e) {
				leaves++
			}
		}
		if n := tr.src.reads(); leaves != 1 || n > 2*levels {
			t.Errorf("%s: on %d pages, %d pages of %d levels read", e.Path, leaves, n, levels)
		}
	}
}
