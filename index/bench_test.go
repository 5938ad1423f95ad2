package index

import (
	"slices"
	"testing"
)

func BenchmarkParsePage(b *testing.B) {
	text := (&Page{Entries: seeded(4096)}).Encode()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParsePage(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodePage(b *testing.B) {
	page := &Page{Entries: seeded(4096)}
	text := page.Encode()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		text = page.AppendTo(text[:0])
	}
}

// rate reports entries a second.
func rate(b *testing.B, entries int) {
	b.ReportMetric(float64(entries)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

func BenchmarkBuild(b *testing.B) {
	list := seeded(200_000)
	b.ReportAllocs()
	for b.Loop() {
		w := NewBuilder(FormDir, nil)
		for _, e := range list {
			if err := w.Add(e); err != nil {
				b.Fatal(err)
			}
		}
		if _, _, err := w.Finish(); err != nil {
			b.Fatal(err)
		}
	}
	rate(b, len(list))
}

func BenchmarkWalk(b *testing.B) {
	tr := build(b, standard, seeded(1_000_000))
	for b.Loop() {
		n := 0
		for _, err := range Walk(b.Context(), tr.m, tr.src, "") {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 1_000_000 {
			b.Fatal(n)
		}
	}
	rate(b, 1_000_000)
}

func BenchmarkDiff(b *testing.B) {
	list := seeded(1_000_000)
	before := build(b, standard, list)
	for i := range list { // each page differs
		if i%1000 == 0 {
			list[i].Size++
		}
	}
	after := build(b, standard, list)
	for b.Loop() {
		n := 0
		for _, err := range Diff(b.Context(), before.m, after.m, before.src, after.src) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 1000 {
			b.Fatal(n)
		}
	}
	rate(b, 1_000_000)
}

// BenchmarkMerge: a million entries, of which each side changed a hundred.
func BenchmarkMerge(b *testing.B) {
	list := seeded(1_000_000)
	edited := func(from int) *tree {
		l := slices.Clone(list)
		for i := range 100 {
			l[from+i*10_000].Size++
		}
		return build(b, standard, l)
	}
	base, ours, theirs := build(b, standard, list), edited(1000), edited(1001)
	m := &Merge{[]*Manifest{base.m}, ours.m, theirs.m, share(base, ours, theirs)}
	for b.Loop() {
		if _, _, err := Apply(b.Context(), ours.m, m.Source, m.Changes(b.Context(), nil), nil); err != nil {
			b.Fatal(err)
		}
	}
	rate(b, 1_000_000)
}
