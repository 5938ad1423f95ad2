package index

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"tarn/store/digest"
)

// small is a shape that makes trees of many levels from few entries.
var small = shape{inline: 4, refs: 4, lines: 8, page: 1500, bits: 2}

// pageMap is a Source that counts what is read.
type pageMap struct {
	mu    sync.Mutex
	pages map[digest.Digest][]byte
	read  map[digest.Digest]int
}

func newPageMap() *pageMap {
	return &pageMap{pages: map[digest.Digest][]byte{}, read: map[digest.Digest]int{}}
}

func (p *pageMap) put(d digest.Digest, b []byte) error {
	if digest.Sum(b) != d {
		return fmt.Errorf("page %s has another digest", d.Short())
	}
	p.pages[d] = b
	return nil
}

func (p *pageMap) Page(_ context.Context, d digest.Digest) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read[d]++
	b, ok := p.pages[d]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return b, nil
}

// forget starts the count anew.
func (p *pageMap) forget() { clear(p.read) }

func (p *pageMap) reads() (n int) {
	for _, k := range p.read {
		n += k
	}
	return n
}

// fatal is what *testing.T, *testing.B and *rapid.T share.
type fatal interface {
	Helper()
	Fatalf(string, ...any)
}

// tree is a built manifest.
type tree struct {
	root []byte
	id   digest.Digest
	m    *Manifest
	src  *pageMap
}

func build(t fatal, s shape, entries []Entry) *tree {
	t.Helper()
	tr := &tree{src: newPageMap()}
	b := newBuilder(FormDir, tr.src.put, s)
	for _, e := range entries {
		if err := b.Add(e); err != nil {
			t.Fatalf("%.300v", err)
		}
	}
	var err error
	if tr.root, tr.id, err = b.Finish(); err != nil {
		t.Fatalf("%.300v", err)
	}
	if tr.m, err = Parse(tr.root); err != nil {
		t.Fatalf("parse what was built: %.300v", err)
	}
	if tr.id != digest.Sum(tr.root) {
		t.Fatalf("id is not the digest of the root")
	}
	return tr
}

func file(path string, seed int) Entry {
	return Entry{Path: path, Kind: File, Digest: digest.Sum(fmt.Append(nil, seed)), Size: int64(seed) + 1}
}

// conflictFree sorts, and drops what is below another entry.
func conflictFree(set map[string]Entry) []Entry {
	var list []Entry
	var o order
	for _, p := range slices.Sorted(maps.Keys(set)) {
		keep := order{o.last, slices.Clone(o.open)}
		if o.next(p) != nil {
			o = keep
			continue
		}
		list = append(list, set[p])
	}
	return list
}

var names = rapid.SampledFrom([]string{"a", "a.txt", "a ", "b", "a b", "a!", "aa", "\"", "é", "\n", "\xff", "z", "0", "dir", "~", "日本"})

// drawEntry makes any valid entry.
func drawEntry(t *rapid.T) Entry {
	path := ""
	for i := range rapid.IntRange(1, 3).Draw(t, "depth") {
		if i > 0 {
			path += "/"
		}
		path += names.Draw(t, "name")
	}
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		return Entry{Path: path + "/", Kind: Dir}
	case 1:
		return Entry{Path: path, Kind: Link, Target: names.Draw(t, "target")}
	case 2:
		return Entry{Path: path, Kind: Exec, Digest: digest.Empty}
	case 3:
		e := file(path, rapid.IntRange(0, 3).Draw(t, "content"))
		e.Kind = Exec
		return e
	}
	return file(path, rapid.IntRange(0, 3).Draw(t, "content"))
}

// drawEntries draws the length first: else it is nearly always small.
func drawEntries(t *rapid.T, label string) []Entry {
	n := rapid.IntRange(0, 200).Draw(t, label)
	return rapid.SliceOfN(rapid.Custom(drawEntry), n, n).Draw(t, label)
}

func drawSet(t *rapid.T, label string) []Entry {
	set := map[string]Entry{}
	for _, e := range drawEntries(t, label) {
		set[e.Path] = e
	}
	return conflictFree(set)
}

// drawEdit changes a few entries of a set.
func drawEdit(t *rapid.T, list []Entry) []Entry {
	set := map[string]Entry{}
	for _, e := range list {
		set[e.Path] = e
	}
	for range rapid.IntRange(0, 6).Draw(t, "edits") {
		if len(list) > 0 && rapid.Bool().Draw(t, "remove") {
			delete(set, rapid.SampledFrom(list).Draw(t, "which").Path)
			continue
		}
		e := drawEntry(t)
		set[e.Path] = e
	}
	return conflictFree(set)
}

// seeded is a set like that of a dataset of images, always the same for n: the i-th path is train/shard-SSSS/image_IIIIIII.jpg with i/1000 and i in
// decimal; its digest is the BLAKE3 of the path, its size 1 + the digest's first 4 bytes, as a little-endian number, mod 2^20.
func seeded(n int) []Entry {
	list := make([]Entry, n)
	for i := range list {
		path := fmt.Sprintf("train/shard-%04d/image_%07d.jpg", i/1000, i)
		d := digest.Sum([]byte(path))
		list[i] = Entry{Path: path, Kind: File, Digest: d, Size: 1 + int64(binary.LittleEndian.Uint32(d[:])%(1<<20))}
	}
	return list
}

// collect is what a sequence yields before its error.
func collect[T any](seq iter.Seq2[T, error]) (list []T, err error) {
	for v, e := range seq {
		if e != nil {
			return list, e
		}
		list = append(list, v)
	}
	return list, nil
}

func walkAll(t fatal, tr *tree, prefix string) []Entry {
	t.Helper()
	list, err := collect(Walk(context.Background(), tr.m, tr.src, prefix))
	if err != nil {
		t.Fatalf("%.300v", err)
	}
	return list
}

// height is the number of levels.
func height(t fatal, tr *tree) (n int) {
	t.Helper()
	for r, err := range Refs(context.Background(), tr.m, tr.src) {
		if err != nil {
			t.Fatalf("%v", err)
		}
		n = max(n, r.Level+1)
	}
	return n
}

var _ fatal = (*testing.T)(nil)
