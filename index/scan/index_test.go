package scan

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tarn/index"
	"tarn/internal/durable"
	"tarn/internal/durable/simdisk"
	"tarn/store/digest"
)

// save writes an index and returns its path.
func save(t fataler, dir string, records []Record, base digest.Digest, complete bool) string {
	path := filepath.Join(dir, "sub", "index")
	w, err := NewWriter(nil, path, "data/set")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for _, r := range records {
		if err := w.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(base, complete); err != nil {
		t.Fatal(err)
	}
	return path
}

type fataler interface{ Fatal(...any) }

func genRecord(t *rapid.T, path string) Record {
	kinds := []index.Kind{index.File, index.Exec, index.Link, index.Dir}
	r := Record{Path: path}
	shape := rapid.IntRange(0, 3).Draw(t, "shape")
	if shape != 0 { // something is in the workspace
		r.Kind = rapid.SampledFrom(kinds).Draw(t, "kind")
		r.Stat = Stat{Size: rapid.Int64Min(0).Draw(t, "size"), MTime: rapid.Int64().Draw(t, "mtime"), CTime: rapid.Int64().Draw(t, "ctime"),
			Inode: rapid.Uint64().Draw(t, "inode"), Mode: rapid.Uint32().Draw(t, "mode")}
		r.Digest = digest.Sum(rapid.SliceOfN(rapid.Byte(), 0, 2).Draw(t, "bytes"))
		r.HashedAt, r.Hardlinked = rapid.Int64().Draw(t, "hashed"), rapid.Bool().Draw(t, "linked")
	}
	switch shape {
	case 0, 1:
		r.BaseKind, r.BaseSize = rapid.SampledFrom(kinds).Draw(t, "base kind"), rapid.Int64Min(0).Draw(t, "base size")
		r.BaseDigest = digest.Sum(rapid.SliceOfN(rapid.Byte(), 0, 2).Draw(t, "base bytes"))
	case 2:
		r.BaseKind, r.BaseSize, r.BaseDigest = r.Kind, r.Stat.Size, r.Digest
	}
	if r.BaseKind == index.Link {
		r.BaseTarget = rapid.StringN(1, 40, 100).Draw(t, "target")
	}
	return r
}

func genRecords(t *rapid.T) []Record {
	name := rapid.StringOfN(rapid.RuneFrom([]rune("ab/-.é")), 1, 8, -1)
	paths := rapid.SliceOfN(name, 0, 150).Draw(t, "paths")
	slices.Sort(paths)
	var records []Record
	for _, path := range slices.Compact(paths) {
		records = append(records, genRecord(t, path))
	}
	return records
}

func TestIndexRoundTrip(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		records, base := genRecords(t), digest.Sum([]byte{rapid.Byte().Draw(t, "base")})
		complete := rapid.Bool().Draw(t, "complete")
		x, err := Open(save(t, dir, records, base, complete))
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		if d := cmp.Diff(records, slices.Collect(x.Records(""))); d != "" {
			t.Fatal(d)
		}
		if b, c := x.Base(); b != base || c != complete || x.Len() != len(records) || x.Dataset() != "data/set" {
			t.Fatalf("base %s, complete %v, %d records of %q", b, c, x.Len(), x.Dataset())
		}
		for _, r := range records {
			if got, ok := x.Lookup(r.Path); !ok || got != r {
				t.Fatalf("lookup of %q: %v %+v", r.Path, ok, got)
			}
			checkLookups(t, x, records, r.Path)
		}
	})
}

// checkLookups asks for what is near path: other paths, and what is below it.
func checkLookups(t *rapid.T, x *Index, records []Record, path string) {
	for _, near := range []string{"", path[:len(path)-1], path + "/", path + "\x00", path + "a"} {
		_, want := slices.BinarySearchFunc(records, near, func(r Record, p string) int { return strings.Compare(r.Path, p) })
		if _, ok := x.Lookup(near); ok != want {
			t.Fatalf("lookup of %q: %v", near, ok)
		}
	}
	prefix, want := strings.TrimSuffix(path, "/"), []Record(nil)
	for _, r := range records {
		if prefix == "" || r.Path == prefix || strings.HasPrefix(r.Path, prefix+"/") {
			want = append(want, r)
		}
	}
	if d := cmp.Diff(want, slices.Collect(x.Records(path))); d != "" {
		t.Fatalf("records below %q: %s", path, d)
	}
}

func TestIndexOfNothing(t *testing.T) {
	x, err := Open(save(t, t.TempDir(), nil, digest.Digest{}, false))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if _, ok := x.Lookup("a"); ok || len(slices.Collect(x.Records(""))) != 0 || len(slices.Collect(x.Records("a"))) != 0 {
		t.Error("there is a record")
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrCorruptIndex) {
		t.Error(err)
	}
}

func TestIterationEndsEarly(t *testing.T) {
	x, err := Open(save(t, t.TempDir(), sampleRecords(200), digest.Digest{}, false))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	for _, stop := range []int{1, recordsABlock, recordsABlock + 1, 199} {
		n := 0
		for range x.Records("d") {
			if n++; n == stop {
				break
			}
		}
		if n != stop {
			t.Errorf("%d records, want %d", n, stop)
		}
	}
}

func sampleRecords(n int) []Record {
	records := make([]Record, n)
	for i := range records {
		d := digest.Sum(binary.AppendUvarint(nil, uint64(i)))
		st := Stat{Size: int64(i), MTime: 1e18 + int64(i), CTime: 1e18 + int64(i), Inode: uint64(i), Mode: modeFile | 0o644}
		records[i] = Record{Path: fmt.Sprintf("d/images/train/part%04d/image%08d.jpg", i/1000, i), Kind: index.File, Stat: st, Digest: d, HashedAt: 2e18,
			BaseKind: index.File, BaseDigest: d, BaseSize: st.Size}
	}
	return records
}

// exampleRecords has one record of each form.
func exampleRecords() []Record {
	base := Record{Path: "a", BaseKind: index.File, BaseDigest: digest.Sum([]byte{1}), BaseSize: 1}
	link := Record{Path: "a/l", Kind: index.Link, Stat: Stat{Size: 3, Mode: modeLink | 0o777}, BaseKind: index.Link, BaseTarget: "a"}
	fresh := Record{Path: "b", Kind: index.Exec, Stat: Stat{Size: 9, MTime: -1, Mode: modeFile}, Digest: digest.Sum([]byte{2}), HashedAt: 7, Hardlinked: true}
	changed := Record{Path: "ba", Kind: index.Dir, BaseKind: index.Exec, BaseSize: 4, BaseDigest: digest.Sum([]byte{3})}
	return append([]Record{base, link, fresh, changed}, sampleRecords(40)...)
}

func TestCorruptIndex(t *testing.T) {
	dir := t.TempDir()
	whole, err := os.ReadFile(save(t, dir, exampleRecords(), digest.Sum(nil), true))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "broken")
	check := func(what string, data []byte) {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if x, err := Open(path); !errors.Is(err, ErrCorruptIndex) {
			x.Close()
			t.Fatalf("%s: %v", what, err)
		}
	}
	for n := range len(whole) {
		check(fmt.Sprintf("cut to %d", n), whole[:n])
		flipped := bytes.Clone(whole)
		flipped[n] ^= 1 << (n % 8)
		check(fmt.Sprintf("bit of byte %d", n), flipped)
	}
	check("one byte more", append(bytes.Clone(whole), 0))
}

func TestIndexWriterRefuses(t *testing.T) {
	d, link := digest.Sum([]byte("x")), index.Link
	bad := map[string]Record{
		"no kind at all":         {Path: "b"},
		"unknown kind":           {Path: "b", Kind: 'z'},
		"unknown base kind":      {Path: "b", BaseKind: 'z'},
		"no path":                {Kind: index.File},
		"long path":              {Path: strings.Repeat("b", index.MaxPath+1), Kind: index.File},
		"same path":              {Path: "a", Kind: index.File},
		"earlier path":           {Path: "Z", Kind: index.File},
		"negative size":          {Path: "b", Kind: index.File, Stat: Stat{Size: -1}},
		"negative base size":     {Path: "b", BaseKind: index.File, BaseSize: -1},
		"stat of nothing":        {Path: "b", Stat: Stat{Size: 1}, BaseKind: index.File},
		"digest of nothing":      {Path: "b", Digest: d, BaseKind: index.File},
		"time of nothing":        {Path: "b", HashedAt: 1, BaseKind: index.File},
		"hard link of nothing":   {Path: "b", Hardlinked: true, BaseKind: index.File},
		"base digest of no base": {Path: "b", Kind: index.File, BaseDigest: d},
		"link without target":    {Path: "b", BaseKind: link},
		"target without link":    {Path: "b", BaseKind: index.File, BaseTarget: "x"},
		"long target":            {Path: "b", BaseKind: link, BaseTarget: strings.Repeat("b", index.MaxPath+1)},
	}
	for name, r := range bad {
		path := filepath.Join(t.TempDir(), "index")
		w, err := NewWriter(nil, path, "d")
		if err == nil {
			err = w.Add(Record{Path: "a", Kind: index.File})
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(r); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if err := w.Commit(digest.Digest{}, true); err == nil {
			t.Errorf("%s: committed", name)
		}
		if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 0 {
			t.Errorf("%s: %v is left", name, left)
		}
	}
}

// TestIndexSurvivesCrashes cuts the power before and after each operation of a rewrite: the old or the new index is there, whole.
func TestIndexSurvivesCrashes(t *testing.T) {
	records := sampleRecords(100)
	rewrite := func(disk *durable.Disk, path string) error {
		w, err := NewWriter(disk, path, "d")
		if err != nil {
			return err
		}
		defer w.Abort()
		for _, r := range records[:50] {
			if err := w.Add(r); err != nil {
				return err
			}
		}
		return w.Commit(digest.Sum([]byte("new")), false)
	}
	for n := 1; ; n++ {
		dir := t.TempDir()
		path := save(t, dir, records, digest.Sum([]byte("old")), true)
		sim := simdisk.New(dir)
		sim.FailAt(n, errors.New("power cut"))
		err := rewrite(sim.Disk(), path)
		for seed := range uint64(4) {
			dst := filepath.Join(t.TempDir(), "after")
			if err := sim.CrashSome(dst, seed); err != nil {
				t.Fatal(err)
			}
			x, openErr := Open(filepath.Join(dst, "sub", "index"))
			if openErr != nil {
				t.Fatalf("crash at %d: %v", n, openErr)
			}
			if _, complete := x.Base(); complete != (x.Len() == 100) || err == nil && complete {
				t.Errorf("crash at %d (%v): %d records", n, err, x.Len())
			}
			x.Close()
		}
		if err == nil {
			if n < 5 {
				t.Errorf("only %d operations", n-1)
			}
			return
		}
	}
}

// FuzzIndex gives the parser any bytes with a checksum that is right: what it accepts is exactly what a writer makes.
func FuzzIndex(f *testing.F) {
	for _, records := range [][]Record{nil, exampleRecords()[:4], exampleRecords()} {
		data, err := os.ReadFile(save(f, f.TempDir(), records, digest.Sum(nil), true))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[:len(data)-len(indexEnd)-digest.Size])
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := parseIndex(body); err == nil {
			t.Fatal("a file without a checksum was accepted")
		}
		sum := digest.Sum(body)
		data := append(append(bytes.Clone(body), sum[:]...), indexEnd...)
		x, err := parseIndex(data)
		if err != nil {
			return
		}
		records := slices.Collect(x.Records(""))
		if len(records) != x.Len() {
			t.Fatalf("%d records, not %d", len(records), x.Len())
		}
		if again, err := os.ReadFile(saveAs(t, dir, x)); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("written again it differs (%v)", err)
		}
	})
}

// saveAs writes what x holds and returns the path.
func saveAs(t *testing.T, dir string, x *Index) string {
	path := filepath.Join(dir, "again")
	w, err := NewWriter(nil, path, x.Dataset())
	if err != nil {
		t.Fatal(err)
	}
	for r := range x.Records("") {
		if err := w.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(x.Base()); err != nil {
		t.Fatal(err)
	}
	return path
}

func BenchmarkIndex(b *testing.B) {
	records := sampleRecords(1_000_000)
	dir := b.TempDir()
	var path string
	b.Run("write1M", func(b *testing.B) {
		for b.Loop() {
			path = save(b, dir, records, digest.Sum(nil), true)
		}
	})
	if path == "" {
		path = save(b, dir, records, digest.Sum(nil), true)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("open1M", func(b *testing.B) {
		for b.Loop() {
			x, err := Open(path)
			if err != nil {
				b.Fatal(err)
			}
			x.Close()
		}
		b.ReportMetric(float64(info.Size())/1e6, "MB")
	})
	b.Run("open+read1M", func(b *testing.B) {
		for b.Loop() {
			x, err := Open(path)
			if err != nil {
				b.Fatal(err)
			}
			n := 0
			for r := range x.Records("") {
				n += len(r.Path) & 1
			}
			x.Close()
		}
	})
	paths := make([]string, 0, 1000)
	for i := range cap(paths) {
		paths = append(paths, records[i*7919%len(records)].Path)
	}
	records = nil
	b.Run("lookup", func(b *testing.B) {
		x, err := Open(path)
		if err != nil {
			b.Fatal(err)
		}
		defer x.Close()
		i := 0
		for b.Loop() {
			if _, ok := x.Lookup(paths[i%len(paths)]); !ok {
				b.Fatal(i)
			}
			i++
		}
	})
}

// TestIndexHasOneForm changes bits and corrects the checksum: an index that is read is written again as it was.
func TestIndexHasOneForm(t *testing.T) {
	dir := t.TempDir()
	whole, err := os.ReadFile(save(t, dir, exampleRecords()[:6], digest.Sum(nil), true))
	if err != nil {
		t.Fatal(err)
	}
	body, refused := whole[:len(whole)-len(indexEnd)-digest.Size], 0
	for n := range len(body) {
		changed := bytes.Clone(body)
		changed[n] ^= 1 << (n % 8)
		sum := digest.Sum(changed)
		data := append(append(changed, sum[:]...), indexEnd...)
		x, err := parseIndex(data)
		if err != nil {
			refused++
			continue
		}
		again, err := os.ReadFile(saveAs(t, dir, x))
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("byte %d changed: written again it differs (%v)", n, err)
		}
	}
	if refused < 20 {
		t.Errorf("only %d changes were refused", refused)
	}
}
