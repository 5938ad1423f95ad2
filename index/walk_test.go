package index

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"tarn/store/digest"
)

func under(prefix, path string) bool {
	p := strings.TrimSuffix(prefix, "/")
	return p == "" || path == p || strings.HasPrefix(path, p+"/")
}

func TestWalkIsAFilter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := drawSet(t, "set")
		tr := build(t, small, list)
		prefixes := []string{"", "a", "a/", "a/a", "a!", "nowhere", "\x00", "\xff\xff"}
		if len(list) > 0 {
			p := rapid.SampledFrom(list).Draw(t, "path").Path
			prefixes = append(prefixes, p, p[:strings.LastIndexByte(p, '/')+1])
		}
		for _, prefix := range prefixes {
			var want []Entry
			for _, e := range list {
				if under(prefix, e.Path) {
					want = append(want, e)
				}
			}
			if got := walkAll(t, tr, prefix); !slices.Equal(got, want) {
				t.Fatalf("walk %q: %v, want %v", prefix, got, want)
			}
		}
		entries, bytes := Totals(tr.m)
		var sum int64
		for _, e := range list {
			sum += e.Size
		}
		if entries != int64(len(list)) || bytes != sum {
			t.Fatalf("totals %d, %d", entries, bytes)
		}
	})
}

func TestWalkReadsWhatItNeeds(t *testing.T) {
	tr := build(t, standard, seeded(50_000))
	last := walkAll(t, tr, "")[49_999].Path
	for prefix, most := range map[string]int{
		"train/shard-0007":                    2,
		"train/shard-0007/image_0007123.jpg":  1,
		"train/shard-0007/image_0007123.jpg/": 1,
		last:                                  1,
		"other":                               0,
		"train0":                              1, // may be on the last page
		"train":                               len(tr.m.Pages),
	} {
		tr.src.forget()
		walkAll(t, tr, prefix)
		if n := tr.src.reads(); n > most {
			t.Errorf("%s: %d pages read, want at most %d", prefix, n, most)
		}
	}
}

func TestLookup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := drawSet(t, "set")
		tr := build(t, small, list)
		height := height(t, tr)
		set := map[string]Entry{}
		for _, e := range list {
			set[e.Path] = e
			set[e.Path+"/"] = Entry{}
			set[e.Path+"0"] = Entry{}
		}
		for _, e := range list {
			set[e.Path] = e
		}
		for path, want := range set {
			tr.src.forget()
			got, ok, err := Lookup(context.Background(), tr.m, tr.src, path)
			if err != nil || ok != (want.Path != "") || got != want {
				t.Fatalf("%q: %+v, %v, %v", path, got, ok, err)
			}
			if n := tr.src.reads(); n > height {
				t.Fatalf("%q: %d pages read of %d levels", path, n, height)
			}
		}
	})
}

func TestLookupNothing(t *testing.T) {
	src := newPageMap()
	if _, ok, err := Lookup(t.Context(), nil, src, "a"); ok || err != nil {
		t.Errorf("nil manifest: %v, %v", ok, err)
	}
	tr := build(t, small, numbered(50, 0, func(uint32) bool { return true }))
	if _, ok, err := Lookup(t.Context(), tr.m, tr.src, "!"); ok || err != nil || tr.src.reads() > 0 {
		t.Errorf("before the first: %v, %v, %d pages read", ok, err, tr.src.reads())
	}
	if _, _, err := Lookup(t.Context(), tr.m, src, "00000009"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("page missing: %v", err)
	}
}

// TestRefs: each stored page once, parents first, pages of level 0 not read.
func TestRefs(t *testing.T) {
	tr := build(t, small, numbered(300, 0, func(uint32) bool { return true }))
	seen := map[digest.Digest]bool{}
	for _, r := range tr.m.Pages {
		seen[r.Digest] = true
	}
	n, leaves := 0, 0
	for r, err := range Refs(t.Context(), tr.m, tr.src) {
		if err != nil {
			t.Fatal(err)
		}
		if !seen[r.Digest] {
			t.Errorf("page %s comes before its parent", r.Digest.Short())
		}
		p, err := ParsePage(tr.src.pages[r.Digest])
		if err != nil || p.Level != r.Level {
			t.Errorf("level %d: %+v, %v", r.Level, p, err)
		}
		for _, c := range p.Refs {
			seen[c.Digest] = true
		}
		if n++; r.Level == 0 {
			leaves++
		}
	}
	if n != len(tr.src.pages) || leaves == 0 || leaves == n {
		t.Errorf("%d pages, %d of level 0, want %d", n, leaves, len(tr.src.pages))
	}
	if tr.src.reads() != n-leaves {
		t.Errorf("%d pages read, want %d", tr.src.reads(), n-leaves)
	}
	if list, err := collect(Refs(t.Context(), nil, tr.src)); len(list) > 0 || err != nil {
		t.Errorf("nil manifest: %v, %v", list, err)
	}
	if list, err := collect(Refs(t.Context(), tr.m, newPageMap())); len(list) > 0 || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("page missing: %v, %v", list, err)
	}
	for range Refs(t.Context(), tr.m, tr.src) {
		break
	}
	one := build(t, standard, seeded(20_000))
	if list, err := collect(Refs(t.Context(), one.m, one.src)); len(list) != len(one.m.Pages) || one.src.reads() != 1 || err != nil {
		t.Errorf("one level: %d pages, %d read, %v", len(list), one.src.reads(), err)
	}
}

// forge is a manifest over pages made by hand.
type forge struct{ src *pageMap }

func (f forge) page(p Page) Ref {
	b := p.Encode()
	r := Ref{Digest: digest.Sum(b), First: p.first()}
	f.src.pages[r.Digest] = b
	r.Entries, r.Bytes = Totals(&Manifest{Entries: p.Entries, Pages: p.Refs})
	return r
}

func TestPagesThatDisagree(t *testing.T) {
	f := forge{newPageMap()}
	leaf := func(paths ...string) Ref {
		var p Page
		for _, s := range paths {
			p.Entries = append(p.Entries, file(s, 1))
		}
		return f.page(p)
	}
	change := func(r Ref, f func(*Ref)) Ref { f(&r); return r }
	up := func(refs ...Ref) Ref { return f.page(Page{Level: 1, Refs: refs}) }
	good := leaf("a", "b", "c")
	dir := f.page(Page{Entries: []Entry{{Path: "e/", Kind: Dir}}})
	text := digest.Sum([]byte("no page"))
	f.src.pages[text] = []byte("no page")
	cases := []struct {
		name  string
		pages []Ref
		what  string
	}{
		{"entries", []Ref{change(good, func(r *Ref) { r.Entries++ })}, "3 entries"},
		{"bytes", []Ref{change(good, func(r *Ref) { r.Bytes-- })}, "bytes"},
		{"first", []Ref{change(good, func(r *Ref) { r.First = "aa" })}, "starts with a"},
		{"overlap", []Ref{good, leaf("bb", "d")}, "ends with c"},
		{"same end", []Ref{good, leaf("c", "d")}, "ends with c"},
		{"levels differ", []Ref{good, up(leaf("d"))}, "level 1"},
		{"levels differ below", []Ref{f.page(Page{Level: 2, Refs: []Ref{good}})}, "level 0"},
		{"overlap of a level", []Ref{up(good, leaf("e")), up(leaf("d"))}, "ends with e"},
		{"overlap below a level", []Ref{up(leaf("a", "x")), up(leaf("d"))}, "ends with x"},
		{"sum of a level", []Ref{up(change(good, func(r *Ref) { r.Entries++ }), leaf("d"))}, "3 entries"},
		{"below a file", []Ref{leaf("a", "a.x"), leaf("a.y"), leaf("a.z", "a/b")}, "a/b is below a"},
		{"below a file, other parents", []Ref{up(leaf("a", "a.x")), up(leaf("a.y", "a/b"))}, "a/b is below a"},
		{"below a directory", []Ref{dir, leaf("e/f")}, "e/"},
		{"no page", []Ref{{Digest: text, Entries: 1, First: "a"}}, "LF"},
	}
	for _, c := range cases {
		m := &Manifest{Pages: c.pages}
		seqs := map[string]func() error{
			"walk": func() error { _, err := collect(Walk(t.Context(), m, f.src, "")); return err },
			"diff": func() error {
				_, err := collect(Diff(t.Context(), &Manifest{Entries: []Entry{file("b", 2)}}, m, nil, f.src))
				return err
			},
			"diff of nothing": func() error { _, err := collect(Diff(t.Context(), m, nil, f.src, nil)); return err },
		}
		for name, run := range seqs {
			if err := run(); err == nil || !strings.Contains(err.Error(), c.what) || !errors.Is(err, ErrPage) {
				t.Errorf("%s, %s: %v, want %s", c.name, name, err, c.what)
			}
		}
	}
	list, err := collect(Walk(t.Context(), &Manifest{Pages: []Ref{up(good, leaf("d")), up(leaf("e/f"), leaf("e/g", "z"))}}, f.src, ""))
	if err != nil || len(list) != 7 {
		t.Errorf("good pages: %d entries, %v", len(list), err)
	}
}

// TestWalkEnds: whatever the caller and the source do, no goroutine is left.
func TestWalkEnds(t *testing.T) {
	defer goleak.VerifyNone(t)
	tr := build(t, small, numbered(500, 0, func(uint32) bool { return true }))
	for range Walk(t.Context(), tr.m, tr.src, "") {
		break
	}
	if _, err := collect(Walk(t.Context(), tr.m, newPageMap(), "")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("page missing: %v", err)
	}
	if list, err := collect(Walk(t.Context(), nil, tr.src, "")); len(list) > 0 || err != nil {
		t.Errorf("nil manifest: %v, %v", list, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	var last error
	for _, err := range Walk(ctx, tr.m, slowSource{tr.src}, "") {
		if n++; n == 3 {
			cancel()
		}
		last = err
	}
	if !errors.Is(last, context.Canceled) || n > 200 {
		t.Errorf("%d entries, then %v", n, last)
	}
}

// slowSource ends its calls when the context does.
type slowSource struct{ src Source }

func (s slowSource) Page(ctx context.Context, d digest.Digest) ([]byte, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(time.Millisecond):
		return s.src.Page(ctx, d)
	}
}

// TestWalkReadsAhead: the pages of a remote come while others are waited for.
func TestWalkReadsAhead(t *testing.T) {
	tr := build(t, standard, seeded(60_000))
	gate := &gate{src: tr.src, want: 2, open: make(chan struct{})}
	if _, err := collect(Walk(t.Context(), tr.m, gate, "")); err != nil {
		t.Error(err)
	}
}

// gate answers, after the first page, only when so many pages are asked for at once.
type gate struct {
	src   *pageMap
	want  int
	asked int
	open  chan struct{}
}

func (g *gate) Page(ctx context.Context, d digest.Digest) ([]byte, error) {
	g.src.mu.Lock()
	g.asked++
	first, opens := g.asked == 1, g.asked == 1+g.want
	g.src.mu.Unlock()
	if opens {
		close(g.open)
	}
	if !first {
		select {
		case <-g.open:
		case <-time.After(10 * time.Second):
			return nil, errors.New("pages are read one by one")
		}
	}
	return g.src.Page(ctx, d)
}
