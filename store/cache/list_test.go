package cache

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tarn/store/digest"
)

func TestManyPacksAreReadAtOnce(t *testing.T) {
	c := newCache(t)
	const n = 3 * maxOpenPacks
	for i := range n {
		store(t, c, content(50+i, uint64(i)))
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for k := range 2 * n {
				i := (k*7 + g*31) % n
				if b, err := c.Bytes(digest.Sum(content(50+i, uint64(i))), 1000); err != nil || len(b) != 50+i {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if len(c.packs.open) > maxOpenPacks {
		t.Errorf("%d packs are open", len(c.packs.open))
	}
}

func TestPackIsSealed(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 70 MiB")
	}
	c := newCache(t)
	w := c.NewWriter()
	var first []byte
	for i := range packTarget/100_000 + 50 {
		b := content(100_000, uint64(i))
		if i == 0 {
			first = b
		}
		if _, _, err := w.AddBytes(b); err != nil {
			t.Fatal(err)
		}
	}
	readable(t, c, first) // a full pack does not wait for Flush
	must(t, w.Close())
	if tot, err := c.Totals(); err != nil || tot.Packs != 2 || tot.PackBytes < packTarget {
		t.Error(tot, err)
	}
}

func TestManyObjectsArePublished(t *testing.T) {
	c := newCache(t, "hardlink")
	w := c.NewWriter()
	for i := range objectsMost + 1 {
		if _, _, err := w.AddBytes(content(ownMinLinked, uint64(i))); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(w.objects); n != 1 {
		t.Errorf("%d wait, each with a descriptor", n)
	}
	readable(t, c, content(ownMinLinked, 0))
	must(t, w.Close())
	readable(t, c, content(ownMinLinked, objectsMost))
}

func TestListing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(memoryDir(t), "")
		must(t, err)
		c := openAt(t, dir)
		want := map[digest.Digest]Object{}
		w := c.NewWriter()
		for range rapid.IntRange(0, 12).Draw(rt, "n") {
			size := rapid.SampledFrom([]int{1, 50, 3000, ownMin - 1, ownMin, ownMin + 9}).Draw(rt, "size")
			b := content(size, rapid.Uint64Range(0, 3).Draw(rt, "seed"))
			if rapid.Bool().Draw(rt, "flush") {
				must(t, w.Flush())
			}
			d, isNew, err := w.AddBytes(b)
			must(t, err)
			if _, ok := want[d]; ok == isNew {
				rt.Fatalf("new: %v", isNew)
			}
			want[d] = Object{d, int64(size), size < ownMin}
		}
		must(t, w.Close())
		must(t, os.WriteFile(filepath.Join(dir, "stray"), nil, 0o600))
		got := map[digest.Digest]Object{}
		for o, err := range c.Objects {
			must(t, err)
			got[o.Digest] = o
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatal(diff)
		}
		probe := make([]digest.Digest, 0, bulk+len(want))
		for d := range want {
			probe = append(probe, d)
		}
		for i := range bulk {
			probe = append(probe, digest.Sum([]byte(fmt.Sprint(i))))
		}
		for i, has := range c.HasAll(probe) {
			if has != (i < len(want)) {
				rt.Fatalf("digest %d: %v", i, has)
			}
		}
		late := content(ownMin, 99) // the list follows what is added and what is found corrupt
		store(t, c, late)
		if !c.HasAll(append(probe, digest.Sum(late)))[len(probe)] {
			rt.Fatal("late object")
		}
		spoil(t, c.ownPath(digest.Sum(late)), 0)
		c.Bytes(digest.Sum(late), 1<<30)
		if c.HasAll(append(probe, digest.Sum(late)))[len(probe)] {
			rt.Fatal("corrupt object")
		}
	})
}

func FuzzParseOwn(f *testing.F) {
	f.Add("ab", strings.Repeat("c", 62))
	f.Add("AB", strings.Repeat("c", 62))
	f.Fuzz(func(t *testing.T, sub, name string) {
		var d digest.Digest
		if parseOwn(sub, name, &d) != (len(sub)+len(name) == 64 && d.String() == sub+name) {
			t.Fatal(sub, name)
		}
	})
}
