package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tarn/store/digest"
)

// naive is the cut as docs/format.md words it, over the whole list.
type naive struct {
	shape
	form  Form
	pages map[digest.Digest][]byte
}

type naiveLine struct {
	text           string
	path           string
	entries, bytes int64
}

func (n *naive) root(entries []Entry) []byte {
	var lines []naiveLine
	for i := range entries {
		text, _ := appendEntry(nil, &entries[i])
		lines = append(lines, naiveLine{string(text), entries[i].Path, 1, entries[i].Size})
	}
	limit := n.inline
	for level := 0; ; level++ {
		root := n.form.header() + join(lines)
		if len(lines) <= limit && len(root) <= n.page {
			return []byte(root)
		}
		if level > MaxLevel {
			return nil
		}
		var refs []naiveLine
		for _, run := range n.split(lines, level, n.bits) {
			refs = append(refs, n.cut(run, level, n.bits)...)
		}
		lines, limit = refs, n.refs
	}
}

func join(lines []naiveLine) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.text)
	}
	return b.String()
}

func (n *naive) split(lines []naiveLine, level, bits int) (parts [][]naiveLine) {
	start := 0
	for i, l := range lines {
		d := digest.Sum([]byte(l.path))
		if binary.LittleEndian.Uint32(d[4*level:])%(1<<bits) == 0 || i == len(lines)-1 {
			parts = append(parts, lines[start:i+1])
			start = i + 1
		}
	}
	return parts
}

func (n *naive) cut(run []naiveLine, level, bits int) (refs []naiveLine) {
	page := fmt.Sprintf("tarn 1 page %d\n", level) + join(run)
	if len(run) <= n.lines && len(page) <= n.page || bits == 0 && len(run) == 1 {
		return []naiveLine{n.emit(page, run)}
	}
	for _, part := range n.split(run, level, bits-1) {
		refs = append(refs, n.cut(part, level, bits-1)...)
	}
	return refs
}

func (n *naive) emit(page string, run []naiveLine) naiveLine {
	d := digest.Sum([]byte(page))
	n.pages[d] = []byte(page)
	l := naiveLine{path: run[0].path}
	for _, r := range run {
		l.entries += r.entries
		l.bytes += r.bytes
	}
	l.text = fmt.Sprintf("p %s %d %d %s\n", d, l.entries, l.bytes, Quote(l.path))
	return l
}

// equalsNaive compares a build with the words of the format, pages included.
func equalsNaive(t fatal, s shape, entries []Entry) {
	t.Helper()
	n := &naive{shape: s, pages: map[digest.Digest][]byte{}}
	want := n.root(entries)
	src := newPageMap()
	b := newBuilder(FormDir, src.put, s)
	var err error
	for _, e := range entries {
		if err = b.Add(e); err != nil {
			break
		}
	}
	root, _, finish := b.Finish()
	switch {
	case want == nil && finish == nil:
		t.Fatalf("no error, although there are too many levels")
	case want == nil:
		return
	case err != nil || finish != nil:
		t.Fatalf("%.300v %.300v", err, finish)
	case !bytes.Equal(root, want):
		t.Fatalf("root is\n%.2000s\nwant\n%.2000s", root, want)
	case len(src.pages) != len(n.pages):
		t.Fatalf("%d pages, want %d", len(src.pages), len(n.pages))
	}
	for d := range n.pages {
		if _, ok := src.pages[d]; !ok {
			t.Fatalf("page %s is missing", d.Short())
		}
	}
}

func TestBuildIsAsTheFormatSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := shape{
			inline: rapid.IntRange(0, 6).Draw(t, "inline"), refs: rapid.IntRange(1, 6).Draw(t, "refs"), lines: rapid.IntRange(1, 20).Draw(t, "lines"),
			page: rapid.IntRange(100, 3000).Draw(t, "page"), bits: rapid.IntRange(1, 5).Draw(t, "bits"),
		}
		equalsNaive(t, s, drawSet(t, "set"))
	})
}

// numbered makes n files whose words for level 0 are as ok wants, with pad bytes more in each path.
func numbered(n, pad int, ok func(word uint32) bool) []Entry {
	tail := strings.Repeat("x", pad)
	var list []Entry
	for i := 0; len(list) < n; i++ {
		e := file(fmt.Sprintf("%08d", i)+tail, i)
		d := digest.Sum([]byte(e.Path))
		if ok(binary.LittleEndian.Uint32(d[:])) {
			list = append(list, e)
		}
	}
	return list
}

func TestBuildAtTheBounds(t *testing.T) {
	anyWord := func(uint32) bool { return true }
	longer := numbered(16386, 0, func(w uint32) bool { return w%4096 != 0 })
	for name, list := range map[string][]Entry{
		"none":            nil,
		"most inline":     numbered(4096, 0, anyWord),
		"first paged":     numbered(4097, 0, anyWord),
		"longest run":     longer[:16384],
		"run too long":    longer[:16385],
		"run too long +":  longer,
		"no cut but last": numbered(16385, 0, func(w uint32) bool { return w%2 == 1 }),
		"cuts at 2^8":     numbered(20000, 0, func(w uint32) bool { return w%512 != 0 }),
	} {
		t.Run(name, func(t *testing.T) { equalsNaive(t, standard, list) })
	}
}

// longPaths makes paths of MaxPath bytes, as deep as names of 200 bytes allow.
func longPaths(n int, char string, ok func(uint32) bool) []Entry {
	var list []Entry
	for i := 0; len(list) < n; i++ {
		path := fmt.Sprintf("%06d", i)
		for len(path) < MaxPath {
			path += "/" + strings.Repeat(char, min(200, MaxPath-len(path)-1))
		}
		path = strings.TrimSuffix(path, "/")
		e := file(path, i)
		d := digest.Sum([]byte(path))
		if ok(binary.LittleEndian.Uint32(d[:])) {
			list = append(list, e)
		}
	}
	return list
}

func TestBuildOversize(t *testing.T) {
	anyWord := func(uint32) bool { return true }
	t.Run("inline", func(t *testing.T) { // fewer than 4,096 entries, more than 8 MiB
		list := longPaths(3000, "y", anyWord)
		equalsNaive(t, standard, list)
		tr := build(t, standard, list)
		if len(tr.m.Pages) < 2 {
			t.Fatalf("%d pages", len(tr.m.Pages))
		}
		biggest(t, tr)
		if got := walkAll(t, tr, ""); !slices.Equal(got, list) {
			t.Fatalf("%d entries come back", len(got))
		}
	})
	t.Run("references", func(t *testing.T) { // fewer than 1,024 references, more than 8 MiB
		list := longPaths(600, "\x01", func(w uint32) bool { return w%2 == 1 }) // a page of its own each
		equalsNaive(t, standard, list)
		tr := build(t, standard, list)
		biggest(t, tr)
		levels := map[int]int{}
		for r, err := range Refs(t.Context(), tr.m, tr.src) {
			if err != nil {
				t.Fatal(err)
			}
			levels[r.Level]++
		}
		if levels[0] != 600 || levels[1] < 1 {
			t.Fatalf("pages by level: %v", levels)
		}
	})
}

func biggest(t *testing.T, tr *tree) {
	t.Helper()
	for d, p := range tr.src.pages {
		if len(p) > MaxPage {
			t.Fatalf("page %s has %d bytes", d.Short(), len(p))
		}
	}
	if len(tr.root) > MaxPage {
		t.Fatalf("root has %d bytes", len(tr.root))
	}
}

// TestBuildFromEdits: what a set was before does not show in its manifest, and it shares its pages.
func TestBuildFromEdits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := drawSet(t, "set")
		tr := build(t, small, list)
		for range 3 {
			list = drawEdit(t, list)
			next := applied(t, tr, list)
			if fresh := build(t, small, list); !bytes.Equal(next.root, fresh.root) {
				t.Fatalf("after edits\n%s\nfrom scratch\n%s", next.root, fresh.root)
			}
			tr = next
		}
	})
}

// applied builds list from the entries of tr and their changes, as an incremental add does.
func applied(t fatal, tr *tree, list []Entry) *tree {
	set := map[string]Entry{}
	for _, e := range walkAll(t, tr, "") {
		set[e.Path] = e
	}
	want := map[string]Entry{}
	for _, e := range list {
		want[e.Path] = e
	}
	for p := range set {
		if _, ok := want[p]; !ok {
			delete(set, p)
		}
	}
	for p, e := range want {
		set[p] = e
	}
	return build(t, small, conflictFree(set))
}

func TestOneChangeTouchesFewPages(t *testing.T) {
	list := seeded(50_000)
	before := build(t, standard, list)
	for _, i := range []int{0, 1, 17_000, 25_000, 49_999} {
		changed := slices.Clone(list)
		changed[i].Size++
		inserted := slices.Insert(slices.Clone(list), i, file(strings.TrimSuffix(list[i].Path, ".jpg")+"!", 1))
		for _, l := range [][]Entry{changed, inserted, slices.Delete(slices.Clone(list), i, i+1)} {
			after := build(t, standard, l)
			differ := 0
			for d := range after.src.pages {
				if _, ok := before.src.pages[d]; !ok {
					differ++
				}
			}
			if differ < 1 || differ > 2 {
				t.Errorf("entry %d: %d pages differ", i, differ)
			}
		}
	}
}

func TestSinkGetsChildrenFirst(t *testing.T) {
	seen := map[digest.Digest]bool{}
	levels := 0
	b := newBuilder(FormDir, func(d digest.Digest, page []byte) error {
		p, err := ParsePage(page)
		if err != nil {
			return err
		}
		for _, r := range p.Refs {
			if !seen[r.Digest] {
				t.Errorf("page %s comes before its child", d.Short())
			}
		}
		seen[d] = true
		levels = max(levels, p.Level)
		return nil
	}, small)
	for _, e := range numbered(500, 0, func(uint32) bool { return true }) {
		if err := b.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	root, _, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range m.Pages {
		if !seen[r.Digest] {
			t.Errorf("root refers to %s, which was not stored", r.Digest.Short())
		}
	}
	if levels < 2 {
		t.Errorf("%d levels", levels)
	}
}

func TestBuilderRefuses(t *testing.T) {
	one := file("m", 1)
	cases := []struct {
		name string
		form Form
		list []Entry
		want []string // in the message
	}{
		{"twice", FormDir, []Entry{one, one}, []string{"m stands twice"}},
		{"not sorted", FormDir, []Entry{one, file("b", 1)}, []string{"b", "m", "not sorted"}},
		{"below a file", FormDir, []Entry{file("a", 1), file("a.txt", 1), file("a/b", 1)}, []string{"a/b is below a"}},
		{"below a directory", FormDir, []Entry{{Path: "e/", Kind: Dir}, file("e/f", 1)}, []string{"e/f is below e/"}},
		{"file and directory", FormDir, []Entry{file("e", 1), {Path: "e/", Kind: Dir}}, []string{"e/ is below e"}},
		{"below a link", FormDir, []Entry{{Path: "l", Kind: Link, Target: "x"}, file("l/x", 1)}, []string{"l/x is below l"}},
		{"bad path", FormDir, []Entry{file("a/../b", 1)}, []string{"a/../b"}},
		{"dot", FormDir, []Entry{file(".", 1)}, []string{"."}},
		{"no slash", FormDir, []Entry{{Path: "e", Kind: Dir}}, []string{"e:"}},
		{"slash", FormDir, []Entry{file("e/", 1)}, []string{"e/:"}},
		{"outside", FormDir, []Entry{{Path: "l", Kind: Link, Target: "../x"}}, []string{"l", "../x"}},
		{"kind", FormDir, []Entry{{Path: "l", Kind: 'q'}}, []string{"'q'"}},
		{"size 0", FormDir, []Entry{{Path: "f", Kind: File, Digest: one.Digest}}, []string{"size 0"}},
		{"empty with a size", FormDir, []Entry{{Path: "f", Kind: File, Digest: digest.Empty, Size: 1}}, []string{"size 0"}},
		{"negative", FormDir, []Entry{{Path: "f", Kind: File, Digest: one.Digest, Size: -1}}, []string{"negative"}},
		{"file with target", FormDir, []Entry{{Path: "f", Kind: File, Digest: one.Digest, Size: 1, Target: "x"}}, []string{"target"}},
		{"directory with target", FormDir, []Entry{{Path: "f/", Kind: Dir, Target: "x"}}, []string{"target"}},
		{"link with digest", FormDir, []Entry{{Path: "l", Kind: Link, Target: "x", Digest: one.Digest}}, []string{"digest"}},
		{"too many bytes", FormDir, []Entry{{Path: "f", Kind: File, Digest: one.Digest, Size: math.MaxInt64}, file("g", 1)}, []string{"63 bits"}},
		{"file: other path", FormFile, []Entry{one}, []string{`"."`}},
		{"file: link", FormFile, []Entry{{Path: ".", Kind: Link, Target: "x"}}, []string{`"."`}},
		{"file: two", FormFile, []Entry{file(".", 1), file(".", 2)}, []string{"twice"}},
		{"file: none", FormFile, nil, []string{"one entry"}},
	}
	for _, c := range cases {
		b := NewBuilder(c.form, nil)
		var err error
		for _, e := range c.list {
			err = b.Add(e)
		}
		_, _, finish := b.Finish()
		if err == nil {
			err = finish
		}
		if err == nil || finish == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q does not name %q", c.name, err, w)
			}
		}
	}
}

func TestBuilderEnds(t *testing.T) {
	broken := errors.New("disk full")
	b := newBuilder(FormDir, func(digest.Digest, []byte) error { return broken }, small)
	var err error
	for _, e := range seeded(100) {
		err = b.Add(e)
	}
	if !errors.Is(err, broken) {
		t.Errorf("Add: %v", err)
	}
	if _, _, err := b.Finish(); !errors.Is(err, broken) {
		t.Errorf("Finish: %v", err)
	}
	b = NewBuilder(FormDir, nil)
	if _, _, err := b.Finish(); err != nil {
		t.Fatal(err)
	}
	if b.Add(file("a", 1)) == nil {
		t.Error("Add after Finish")
	}
	if _, _, err := b.Finish(); err == nil {
		t.Error("Finish after Finish")
	}
}

func TestBuilderMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("hashes 300,000 paths")
	}
	var stats runtime.MemStats
	measure := func() uint64 {
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before, peak, pages := measure(), uint64(0), 0
	b := NewBuilder(FormDir, func(_ digest.Digest, page []byte) error {
		if pages++; pages%8 == 0 {
			peak = max(peak, measure())
		}
		return nil
	})
	for i := range 300_000 {
		if err := b.Add(file(fmt.Sprintf("d%03d/%08d", i/1000, i), i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := b.Finish(); err != nil {
		t.Fatal(err)
	}
	if pages < 40 {
		t.Fatalf("%d pages", pages)
	}
	if used := int64(peak) - int64(before); used > 16<<20 {
		t.Errorf("%d MiB in use", used>>20)
	}
}

// TestOrder compares the stack with a look at all pairs.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		paths := rapid.SliceOfN(rapid.StringMatching(`[ab](/?[ab!0]){0,4}/?`), 1, 12).Draw(t, "paths")
		if rapid.IntRange(0, 9).Draw(t, "sorted") > 0 {
			slices.Sort(paths)
		}
		var o order
		for i, path := range paths {
			bad := false
			for _, p := range paths[:i] {
				bad = bad || path <= p || strings.HasPrefix(path, strings.TrimSuffix(p, "/")+"/")
			}
			if err := o.next(path); (err != nil) != bad {
				t.Fatalf("%q after %q: %v", path, paths[:i], err)
			} else if bad {
				return
			}
		}
	})
}
