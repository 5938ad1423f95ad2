package index

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tarn/store/digest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of testdata/vectors/manifest.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("..", "testdata", "vectors", "manifest", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs: got\n%.3000s\nwant\n%.3000s", name, got, want)
	}
}

// odd has every kind of entry, and names that must be quoted or look as if.
func odd() []Entry {
	of := func(path string, kind Kind, content string) Entry {
		return Entry{Path: path, Kind: kind, Digest: digest.Sum([]byte(content)), Size: int64(len(content))}
	}
	return []Entry{
		of("\x01\x1f", File, "control characters"),
		of(" leading space", File, "l"),
		of("a", File, "a file, and others that start with its name"),
		of("a b", File, "inner space"),
		of("a ", File, "trailing space"),
		of("a.txt", File, "sorts before a/"),
		of("back\\slash", File, "b"),
		of("deep/er/est/file", Exec, "#!/bin/sh\n"),
		of("empty.txt", File, ""),
		{Path: "empty/", Kind: Dir},
		{Path: "empty\nline/", Kind: Dir},
		of("quote\"", File, "q"),
		{Path: "links/latest", Kind: Link, Target: "../a.txt"},
		{Path: "links/odd", Kind: Link, Target: "a \"b\"\\\xff\u2028 "},
		{Path: "links/up", Kind: Link, Target: ".."},
		of("run", Exec, ""),
		of("tab\there", File, "t"),
		of("\x7f", File, "DEL"),
		of("\u0085next", File, "C1"),
		of("\u00a0nbsp", File, "no control character"),
		of("é", File, "NFC"),
		of("e\u0301", File, "NFD"),
		of("\u2028separator\u2029", File, "s"),
		of("\ufffd", File, "the replacement character itself"),
		of("\xff\xfe", File, "no UTF-8"),
		of("日本語/ファイル", File, "jp"),
		of(".gitignore", File, "*.o\n"),
		of(".hidden/x", File, "h"),
	}
}

func TestGoldenInline(t *testing.T) {
	set := map[string]Entry{}
	for _, e := range odd() {
		set[e.Path] = e
	}
	list := conflictFree(set)
	if len(list) != len(odd()) {
		t.Fatalf("%d of %d entries are free of conflicts", len(list), len(odd()))
	}
	golden(t, "inline.tarn", build(t, standard, list).root)
	golden(t, "empty.tarn", build(t, standard, nil).root)
	b := NewBuilder(FormFile, nil)
	if err := b.Add(file(".", 1)); err != nil {
		t.Fatal(err)
	}
	root, _, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "file.tarn", root)
}

// TestGoldenPages: the root names its pages, so it stands for their bytes too.
func TestGoldenPages(t *testing.T) {
	tr := build(t, standard, seeded(20_000))
	golden(t, "pages-20000.tarn", tr.root)
	small := build(t, small, seeded(200))
	var list bytes.Buffer
	for r, err := range Refs(t.Context(), small.m, small.src) {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&list, "%d %s %d %d %s\n", r.Level, r.Digest, r.Entries, r.Bytes, Quote(r.First))
	}
	golden(t, "levels-200.txt", list.Bytes())
}

func TestGoldenMillion(t *testing.T) {
	if testing.Short() {
		t.Skip("a million entries")
	}
	start := time.Now()
	tr := build(t, standard, seeded(1_000_000))
	if len(tr.root) > 64<<10 {
		t.Errorf("the root has %d bytes", len(tr.root))
	}
	golden(t, "pages-1000000.tarn", tr.root)
	if n, _ := Totals(tr.m); n != 1_000_000 {
		t.Errorf("%d entries", n)
	}
	t.Logf("root of %d bytes after %v", len(tr.root), time.Since(start))
}
