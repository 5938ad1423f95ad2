package index

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tarn/store/digest"
)

const (
	hexA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	hexE = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262" // of no bytes
)

func TestParse(t *testing.T) {
	m, err := Parse([]byte("tarn 1 dir\nf " + hexE + " 0 .a\nx " + hexA + " 9223372036854775807 a b\nd - - c/d/\nl - \"\\x22..\" c/l\nl - \" \" \"c/l \"\n"))
	if err != nil {
		t.Fatal(err)
	}
	d, _ := digest.Parse(hexA)
	want := []Entry{
		{Path: ".a", Kind: File, Digest: digest.Empty},
		{Path: "a b", Kind: Exec, Digest: d, Size: math.MaxInt64},
		{Path: "c/d/", Kind: Dir},
		{Path: "c/l", Kind: Link, Target: `"..`},
		{Path: "c/l ", Kind: Link, Target: " "},
	}
	if m.Form != FormDir || !reflect.DeepEqual(m.Entries, want) || m.Pages != nil {
		t.Errorf("%+v", m)
	}
	if n, b := Totals(m); n != 5 || b != math.MaxInt64 {
		t.Errorf("totals %d, %d", n, b)
	}
}

func TestParseRoots(t *testing.T) {
	for _, text := range []string{
		"tarn 1 dir\n",
		"tarn 1 file\nf " + hexA + " 1 .\n",
		"tarn 1 file\nx " + hexE + " 0 .\n",
		"tarn 1 dir\np " + hexA + " 1 0 a\n",
		"tarn 1 dir\np " + hexA + " 1 0 a\np " + hexA + " 9223372036854775806 9223372036854775807 \"\\xff\"\n",
		"tarn 1 dir\nd - - a/\nf " + hexA + " 1 a0\n",
	} {
		m, err := Parse([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := string(m.Encode()); got != text {
			t.Errorf("%s is written %s", text, got)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const dir, a = "tarn 1 dir\n", "f " + hexA + " 1 a\n"
	cases := []struct {
		text string
		line int
		what string
	}{
		{"", 1, "LF"},
		{"tarn 1 dir", 1, "LF"},
		{dir + a + "f " + hexA + " 1 b", 3, "LF"},
		{"\n", 1, "first line"},
		{"tarn 2 dir\n", 1, "this version"},
		{"tarn 1 tree\n", 1, "first line"},
		{"tarn 1 dir \n", 1, "first line"},
		{"tarn 1 dir\r\n", 1, "CR LF"},
		{"tarn 1 page 0\n" + a, 1, "first line"},
		{"version https://git-lfs.github.com/spec/v1\n", 1, "first line"},
		{dir + "\n", 2, "no entry"},
		{dir + a + "\n", 3, "no entry"},
		{dir + "f\n", 2, "no entry"},
		{dir + "g " + hexA + " 1 a\n", 2, "no entry"},
		{dir + "f  " + hexA + " 1 a\n", 2, "digest"},
		{dir + "f " + strings.ToUpper(hexA) + " 1 a\n", 2, "digest"},
		{dir + "f " + hexA[1:] + " 1 a\n", 2, "digest"},
		{dir + "f " + hexA + "0 1 a\n", 2, "digest"},
		{dir + "f " + hexA + "\n", 2, "digest"},
		{dir + "f - 1 a\n", 2, "digest"},
		{dir + "f " + hexA + " 1\n", 2, "decimal"},
		{dir + "f " + hexA + "  1 a\n", 2, "decimal"},
		{dir + "f " + hexA + " 01 a\n", 2, "decimal"},
		{dir + "f " + hexA + " +1 a\n", 2, "decimal"},
		{dir + "f " + hexA + " -1 a\n", 2, "decimal"},
		{dir + "f " + hexA + " 1a a\n", 2, "decimal"},
		{dir + "f " + hexA + " 9223372036854775808 a\n", 2, "decimal"},
		{dir + "f " + hexA + " 10000000000000000000 a\n", 2, "decimal"},
		{dir + "f " + hexA + " 99999999999999999999 a\n", 2, "decimal"},
		{dir + "f " + hexA + " 1 \n", 2, "empty"},
		{dir + "f " + hexA + " 1  a\n", 2, "quoted"},
		{dir + "f " + hexA + " 1 a \n", 2, "quoted"},
		{dir + "f " + hexA + " 1 a\r\n", 2, "CR LF"},
		{dir + "f " + hexA + " 1 \"a\"\n", 2, "without need"},
		{dir + "f " + hexA + " 1 \"\\x0A\"\n", 2, "escape"},
		{dir + "f " + hexA + " 1 \"\\x00\"\n", 2, "NUL"},
		{dir + "f " + hexA + " 1 \"a\n", 2, "closing quote"},
		{dir + "f " + hexA + " 1 /a\n", 2, "empty"},
		{dir + "f " + hexA + " 1 a/\n", 2, "/"},
		{dir + "f " + hexA + " 1 .\n", 2, `"."`},
		{dir + "f " + hexA + " 1 a/../b\n", 2, `".."`},
		{dir + "f " + hexA + " 1 a/.GIT/config\n", 2, "git"},
		{dir + "f " + hexA + " 1 " + strings.Repeat("a", MaxPath+1) + "\n", 2, "4097 bytes"},
		{dir + "f " + hexA + " 0 a\n", 2, "size 0"},
		{dir + "f " + hexE + " 1 a\n", 2, "size 0"},
		{dir + "d - - a\n", 2, "/"},
		{dir + "d - -  a/\n", 2, "quoted"},
		{dir + "d - - \"\\x0a\"/\n", 2, "closing quote"},
		{dir + "d - a/\n", 2, "directory"},
		{dir + "d " + hexE + " 0 a/\n", 2, "directory"},
		{dir + "l - x a\n", 2, "symlink"},
		{dir + "l - \"x\" \n", 2, "empty"},
		{dir + "l - \"x\"\n", 2, "symlink"},
		{dir + "l - \"\" a\n", 2, "target"},
		{dir + "l - \"/x\" a\n", 2, "outside"},
		{dir + "l - \"../x\" a\n", 2, "outside"},
		{dir + "l - \"\\x41\" a\n", 2, "escapes"},
		{dir + "l - \"x\" a/\n", 2, "/"},
		{dir + a + a, 3, "twice"},
		{dir + "f " + hexA + " 1 b\n" + a, 3, "not sorted"},
		{dir + a + "f " + hexA + " 1 a.x\nf " + hexA + " 1 a/b\n", 4, "a/b is below a"},
		{dir + "d - - e/\nf " + hexA + " 1 e/f\n", 3, "below"},
		{dir + "f " + hexA + " 9223372036854775807 a\nf " + hexA + " 1 b\n", 3, "63 bits"},
		{dir + a + "<<<<<<< HEAD\n", 3, "conflict markers of a merge"},
		{dir + "=======\n", 2, "conflict markers of a merge"},
		{dir + a + ">>>>>>> topic\n", 3, "conflict markers of a merge"},
		{dir + a + "||||||| 1234567\n", 3, "conflict markers of a merge"},
		{"<<<<<<< HEAD\n" + dir, 1, "conflict markers of a merge"},
		{dir + "p " + hexA + " 1 1 a\n" + "f " + hexA + " 1 b\n", 3, "no page reference"},
		{dir + a + "p " + hexA + " 1 1 b\n", 3, "no entry"},
		{dir + "p " + hexA + " 0 1 a\n", 2, "at least one"},
		{dir + "p " + hexA + " 1 1\n", 2, "decimal"},
		{dir + "p " + hexA + " 1 a\n", 2, "decimal"},
		{dir + "p " + hexA + " 1 01 a\n", 2, "decimal"},
		{dir + "p " + hexA + " 1 1 .\n", 2, `"."`},
		{dir + "p " + hexA + " 1 1 b\np " + hexA + " 1 1 b\n", 3, "twice"},
		{dir + "p " + hexA + " 1 1 b\np " + hexA + " 1 1 b/c\n", 3, "below"},
		{dir + "p " + hexA + " 9223372036854775807 1 a\np " + hexA + " 1 1 b\n", 3, "63 bits"},
		{"tarn 1 file\n", 0, "one entry"},
		{"tarn 1 file\n" + a, 2, `"."`},
		{"tarn 1 file\nd - - ./\n", 2, `"."`},
		{"tarn 1 file\nf " + hexA + " 1 .\nf " + hexA + " 1 .\n", 3, "twice"},
		{"tarn 1 file\np " + hexA + " 1 1 a\n", 0, "one entry"},
	}
	for _, c := range cases {
		_, err := Parse([]byte(c.text))
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%.120q: %v", c.text, err)
			continue
		}
		if syntax.Line != c.line || !strings.Contains(err.Error(), c.what) {
			t.Errorf("%.120q: %v (line %d, want %d: %s)", c.text, err, syntax.Line, c.line, c.what)
		}
		if marker := strings.Contains(c.text, "<<<") || strings.Contains(c.text, "===") || strings.Contains(c.text, "|||") || strings.Contains(c.text, ">>>"); syntax.Conflict != marker {
			t.Errorf("%.120q: conflict is %v", c.text, syntax.Conflict)
		}
	}
	if _, err := Parse([]byte(dir + "l - \"../x\" a\n")); !errors.Is(err, ErrOutside) {
		t.Errorf("%v is not ErrOutside", err)
	}
}

// TestParseHex puts each byte at each place.
func TestParseHex(t *testing.T) {
	for at := range len(hexA) {
		for c := range 256 {
			b := []byte(hexA)
			b[at] = byte(c)
			var got digest.Digest
			want, err := digest.Parse(string(b))
			if ok := parseHex(&got, b); ok != (err == nil) || ok && got != want {
				t.Fatalf("%q: %v, %s, want %s, %v", b, ok, got, want, err)
			}
		}
	}
}

// TestIsSimple: the quick test never says more than the long ones.
func TestIsSimple(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		path := rapid.StringMatching(`([./ \\"~:gitGITarn1\x00\x7f]|[ -~]|.){0,12}`).Draw(t, "path")
		if !isSimple(path) {
			return
		}
		if mustQuote(path) {
			t.Fatalf("%q must be quoted", path)
		}
		for name := range strings.SplitSeq(strings.TrimSuffix(path, "/"), "/") {
			if err := checkName(name); err != nil {
				t.Fatalf("%q: %v", path, err)
			}
		}
	})
}

func TestParsePage(t *testing.T) {
	for _, text := range []string{"tarn 1 page 0\nf " + hexA + " 1 a\n", "tarn 1 page 1\np " + hexA + " 1 1 a\n", "tarn 1 page 7\np " + hexA + " 1 1 a\n"} {
		p, err := ParsePage([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := string(p.Encode()); got != text {
			t.Errorf("%s is written %s", text, got)
		}
	}
	for text, what := range map[string]string{
		"tarn 1 page 0\n":                              "at least one line",
		"tarn 1 page 1\n":                              "at least one line",
		"tarn 1 page 8\np " + hexA + " 1 1 a\n":        "first line",
		"tarn 1 page 00\nf " + hexA + " 1 a\n":         "first line",
		"tarn 1 page \nf " + hexA + " 1 a\n":           "first line",
		"tarn 1 dir\nf " + hexA + " 1 a\n":             "first line",
		"tarn 1 page 0\np " + hexA + " 1 1 a\n":        "no entry",
		"tarn 1 page 1\nf " + hexA + " 1 a\n":          "no page reference",
		"tarn 1 page 0\nf " + hexA + " 1 .\n":          `"."`,
		"tarn 2 page 0\nf " + hexA + " 1 a\n":          "this version",
		"tarn 1 page 0\r\nf " + hexA + " 1 a\n":        "CR LF",
		"tarn 1 page 0\n" + strings.Repeat("x", 9<<20): "bytes",
	} {
		if _, err := ParsePage([]byte(text)); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%.80q: %v, want %s", text, err, what)
		}
	}
}

func TestParseTakesMergedManifests(t *testing.T) {
	list := seeded(5000)
	m := &Manifest{Entries: list}
	got, err := Parse(m.Encode())
	if err != nil || !reflect.DeepEqual(got.Entries, list) {
		t.Errorf("more entries than a canonical root has: %v", err)
	}
	if n, _ := Totals(got); n != 5000 {
		t.Errorf("totals %d", n)
	}
}

func TestParseBounds(t *testing.T) {
	for _, size := range []int{MaxRoot + 1, MaxPage + 1} {
		if _, err := ParsePage(make([]byte, size)); err == nil {
			t.Errorf("page of %d bytes is read", size)
		}
	}
	if _, err := Parse(make([]byte, MaxRoot+1)); err == nil {
		t.Error("root above the bound is read")
	}
	hostile := map[string][]byte{
		"LF only":     append([]byte("tarn 1 dir\n"), bytes.Repeat([]byte("\n"), 4<<20)...),
		"short lines": append([]byte("tarn 1 dir\n"), bytes.Repeat([]byte("d - - a/\n"), 1<<19)...),
		"refs":        append([]byte("tarn 1 dir\np \n"), bytes.Repeat([]byte("\n"), 4<<20)...),
		"one line":    append(append([]byte("tarn 1 dir\nl - \""), bytes.Repeat([]byte(`\x41`), 1<<20)...), "\" a\n"...),
	}
	for name, b := range hostile {
		if used := allocated(func() {
			if _, err := Parse(b); err == nil {
				t.Errorf("%s: is read", name)
			}
		}); used > 6*uint64(len(b)) {
			t.Errorf("%s: %d bytes allocated for %d", name, used, len(b))
		}
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestParseAllocations: the strings of a page share one allocation.
func TestParseAllocations(t *testing.T) {
	page := &Page{Entries: seeded(4096)}
	b := page.Encode()
	if n := testing.AllocsPerRun(5, func() {
		if _, err := ParsePage(b); err != nil {
			t.Fatal(err)
		}
	}); n > 20 {
		t.Errorf("%v allocations", n)
	}
}

func TestEncodeParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &Manifest{Entries: drawSet(t, "set")}
		got, err := Parse(m.Encode())
		if err != nil {
			t.Fatalf("%v in\n%s", err, m.Encode())
		}
		if len(m.Entries)+len(got.Entries) > 0 && !reflect.DeepEqual(m, got) {
			t.Fatalf("%+v\nis read as\n%+v", m, got)
		}
	})
}

// TestOneEncoding breaks valid text in small ways: what is still read is written just so.
func TestOneEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tr := build(t, rapid.SampledFrom([]shape{small, standard}).Draw(t, "shape"), drawSet(t, "set"))
		b := bytes.Clone(tr.root)
		for range rapid.IntRange(1, 3).Draw(t, "breaks") {
			at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
			c := rapid.SampledFrom([]byte("\n\r \"\\/.-0a9fxldp~\xc2\x85\x00")).Draw(t, "byte")
			switch rapid.IntRange(0, 3).Draw(t, "how") {
			case 0:
				b[at] = c
			case 1:
				b = slices.Insert(b, at, c)
			case 2:
				b = slices.Delete(b, at, at+1)
			case 3:
				lines := bytes.SplitAfter(b, []byte("\n"))
				i := rapid.IntRange(0, len(lines)-1).Draw(t, "line")
				b = bytes.Join(slices.Delete(lines, i, i+1), nil)
			}
			if len(b) == 0 {
				return
			}
		}
		m, err := Parse(b)
		if err != nil {
			return
		}
		if got := m.Encode(); !bytes.Equal(got, b) {
			t.Fatalf("%q is written %q", b, got)
		}
	})
}

// TestAnyLineLess: a manifest without one of its lines is one, and is written just so.
func TestAnyLineLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tr := build(t, rapid.SampledFrom([]shape{small, standard}).Draw(t, "shape"), drawSet(t, "set"))
		lines := bytes.SplitAfter(tr.root, []byte("\n"))
		if len(lines) == 2 {
			return // the first line, and nothing behind its end
		}
		i := rapid.IntRange(1, len(lines)-2).Draw(t, "line")
		b := bytes.Join(slices.Delete(lines, i, i+1), nil)
		m, err := Parse(b)
		if err != nil {
			t.Fatalf("%v in\n%s", err, b)
		}
		if got := m.Encode(); !bytes.Equal(got, b) {
			t.Fatalf("%q is written %q", b, got)
		}
	})
}

func TestSame(t *testing.T) {
	a := file("a", 1)
	for name, c := range map[string]struct {
		other Entry
		want  bool
	}{
		"path":   {Entry{Path: "b", Kind: File, Digest: a.Digest, Size: a.Size}, true},
		"kind":   {Entry{Path: "a", Kind: Exec, Digest: a.Digest, Size: a.Size}, false},
		"size":   {Entry{Path: "a", Kind: File, Digest: a.Digest, Size: a.Size + 1}, false},
		"digest": {Entry{Path: "a", Kind: File, Digest: digest.Empty, Size: a.Size}, false},
		"target": {Entry{Path: "a", Kind: File, Digest: a.Digest, Size: a.Size, Target: "x"}, false},
	} {
		if a.Same(c.other) != c.want {
			t.Errorf("%s: %v", name, !c.want)
		}
	}
}

var manifestSeeds = []string{
	"tarn 1 dir\n", "tarn 1 file\nf " + hexA + " 1 .\n", "tarn 1 dir\np " + hexA + " 1 0 a\n", "tarn 1 page 0\nf " + hexA + " 1 a\n",
	"tarn 1 page 3\np " + hexA + " 12 34 \"\\xff\"\n", "tarn 1 dir\nf " + hexE + " 0 .a\nx " + hexA + " 7 a b\nd - - c/d/\nl - \"\\x22..\" c/l\nl - \" \" \"c/l \"\n",
	"tarn 1 dir\n<<<<<<< HEAD\n", "tarn 1 dir\nd - - a/\r\n",
}

func FuzzManifest(f *testing.F) {
	for _, s := range manifestSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			if s := (*SyntaxError)(nil); !errors.As(err, &s) || s.Line > bytes.Count(b, []byte("\n"))+1 {
				t.Fatalf("%v", err)
			}
			return
		}
		if got := m.Encode(); !bytes.Equal(got, b) {
			t.Fatalf("%q is written %q", b, got)
		}
		b2 := NewBuilder(m.Form, nil)
		for _, e := range m.Entries {
			if err := b2.Add(e); err != nil {
				t.Fatalf("what was read can't be built: %v", err)
			}
		}
		if root, _, err := b2.Finish(); len(m.Pages) == 0 && len(m.Entries) <= 4096 && (err != nil || !bytes.Equal(root, b)) {
			t.Fatalf("%q is built %q, %v", b, root, err)
		}
	})
}

func FuzzPage(f *testing.F) {
	for _, s := range manifestSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePage(b)
		if err != nil {
			return
		}
		if got := p.Encode(); !bytes.Equal(got, b) {
			t.Fatalf("%q is written %q", b, got)
		}
		if again, err := ParsePage(p.Encode()); err != nil || !reflect.DeepEqual(again, p) {
			t.Fatalf("%+v is read as %+v, %v", p, again, err)
		}
	})
}
