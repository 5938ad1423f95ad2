package table

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tarn/store/digest"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// memoryDir is a temporary directory in memory where there is one: thousands of real syncs take minutes, and prove nothing here.
func memoryDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "tarn-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func open1(t testing.TB, dir string) *Set {
	t.Helper()
	s, err := Open(nil, dir)
	must(t, err)
	if b := s.Broken(); len(b) > 0 {
		t.Fatal("broken:", b)
	}
	return s
}

func num(i int) digest.Digest { return digest.Sum(binary.LittleEndian.AppendUint64(nil, uint64(i))) }

func pay(i int) (p Payload) {
	binary.LittleEndian.PutUint64(p[:], uint64(i))
	return p
}

func some(source digest.Digest, from, to int) []Entry {
	var all []Entry
	for i := from; i < to; i++ {
		all = append(all, Entry{num(i), source, pay(i)})
	}
	return all
}

func tables(t testing.TB, dir string) (names []string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range all {
		if isTable(e.Name()) {
			names = append(names, filepath.Join(dir, e.Name()))
		}
	}
	return names
}

func TestEmpty(t *testing.T) {
	dir := filepath.Join(memoryDir(t), "no", "such")
	s := open1(t, dir)
	if _, ok := s.Find(num(1)); ok || s.Has(num(1)) || s.FindAll(num(1)) != nil || s.Sources() != nil || s.Len() != 0 {
		t.Error("something in nothing")
	}
	for range s.Entries {
		t.Error("an entry in nothing")
	}
	must(t, s.Add(nil, nil))
	must(t, s.Remove([]digest.Digest{num(1)}))
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a set without entries made its directory:", err)
	}
}

// pair is what the model knows an entry by.
type pair struct{ digest, source digest.Digest }

// Two sets work on one directory, as two processes do; after a refresh each agrees with a map.
func TestAgainstModel(t *testing.T) {
	base := memoryDir(t)
	digests := make([]digest.Digest, 40)
	for i := range digests {
		digests[i] = num(i)
		if i%4 == 0 { // differ in the last byte only
			digests[i] = digest.Digest{31: byte(i)}
		}
	}
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		dir := filepath.Join(base, fmt.Sprint(run))
		sets := []*Set{open1(t, dir), open1(t, dir)}
		type value struct {
			payload Payload
			time    int
		}
		model, covered := map[pair]value{}, map[digest.Digest]bool{}
		steps := rapid.IntRange(1, 25).Draw(rt, "steps")
		for step := range steps {
			s := sets[rapid.IntRange(0, 1).Draw(rt, "set")]
			sources := rapid.SliceOfN(rapid.SampledFrom(digests), 1, 3).Draw(rt, "sources")
			if rapid.IntRange(0, 4).Draw(rt, "op") == 0 {
				must(t, s.Remove(sources))
				for _, d := range sources {
					delete(covered, d)
					for p := range model {
						if p.source == d {
							delete(model, p)
						}
					}
				}
				continue
			}
			var entries []Entry
			for i := range rapid.IntRange(0, 30).Draw(rt, "n") {
				e := Entry{rapid.SampledFrom(digests).Draw(rt, "digest"), rapid.SampledFrom(sources).Draw(rt, "source"), pay(step*1000 + i)}
				entries = append(entries, e)
				model[pair{e.Digest, e.Source}] = value{e.Payload, step*1000 + i}
			}
			for _, d := range sources {
				covered[d] = true
			}
			must(t, s.Add(sources, entries))
		}
		for _, s := range sets {
			must(t, s.Refresh())
			for _, d := range digests {
				if s.Has(d) != covered[d] {
					rt.Fatalf("source %s: %v", d.Short(), s.Has(d))
				}
				want := map[pair]Payload{}
				newest := -1
				for p, v := range model {
					if p.digest == d {
						want[p] = v.payload
						newest = max(newest, v.time)
					}
				}
				got := map[pair]Payload{}
				for _, e := range s.FindAll(d) {
					got[pair{e.Digest, e.Source}] = e.Payload
				}
				if diff := cmp.Diff(want, got); diff != "" {
					rt.Fatal(diff)
				}
				if e, ok := s.Find(d); ok != (newest >= 0) || ok && e.Payload != pay(newest) {
					rt.Fatalf("find %s: %v %v, want %d", d.Short(), e, ok, newest)
				}
			}
			got := map[pair]Payload{}
			var last digest.Digest
			for e, err := range s.Entries {
				must(t, err)
				if e.Digest.Compare(last) < 0 {
					rt.Fatal("entries out of order")
				}
				last = e.Digest
				got[pair{e.Digest, e.Source}] = e.Payload
			}
			if len(got) != len(model) {
				rt.Fatalf("%d entries, want %d", len(got), len(model))
			}
			if n := len(tables(t, dirOr(dir, base))); n > maxTables {
				rt.Fatalf("%d tables", n)
			}
		}
	})
}

func dirOr(dir, other string) string {
	if _, err := os.Stat(dir); err != nil {
		return other
	}
	return dir
}

func TestAddRefusesUncovered(t *testing.T) {
	s := open1(t, memoryDir(t))
	if err := s.Add([]digest.Digest{num(1)}, some(num(2), 0, 1)); err == nil {
		t.Error("an entry without a source")
	}
}

func TestMergesAreTiered(t *testing.T) {
	dir := memoryDir(t)
	s := open1(t, dir)
	wrote := 0
	for i := range 200 {
		before := tables(t, dir)
		must(t, s.Add([]digest.Digest{num(-i - 1)}, some(num(-i-1), i*10, i*10+10)))
		if n := len(tables(t, dir)); n > maxTables {
			t.Fatalf("%d tables after add %d", n, i)
		}
		for _, f := range *s.list.Load() {
			if !slices.Contains(before, filepath.Join(dir, f.name)) {
				wrote += f.n
			}
		}
	}
	if s.Len() != 2000 || len(s.Sources()) != 200 {
		t.Errorf("%d entries, %d sources", s.Len(), len(s.Sources()))
	}
	if wrote > 6*2000 {
		t.Errorf("wrote %d entries to keep 2000", wrote)
	}
}

// A reader that does not refresh goes on with tables that were merged away.
func TestReaderOutlivesMerge(t *testing.T) {
	dir := memoryDir(t)
	s, old := open1(t, dir), (*Set)(nil)
	for i := range 30 {
		must(t, s.Add([]digest.Digest{num(-i - 1)}, some(num(-i-1), i*10, i*10+10)))
		if i == 7 {
			old = open1(t, dir)
		}
	}
	runtime.GC()
	for i := range 80 {
		if _, ok := old.Find(num(i)); !ok {
			t.Fatal("lost", i)
		}
	}
	if _, ok := old.Find(num(85)); ok {
		t.Error("sees what it should not know yet")
	}
	must(t, old.Refresh())
	if _, ok := old.Find(num(299)); !ok {
		t.Error("refresh did not find the merged table")
	}
}

func TestManyProcesses(t *testing.T) {
	dir := memoryDir(t)
	var wg sync.WaitGroup
	for p := range 4 {
		wg.Go(func() {
			s, err := Open(nil, dir)
			for i := range 25 {
				source := num(-p*1000 - i - 1)
				if err == nil {
					err = s.Add([]digest.Digest{source}, some(source, p*1000+i*3, p*1000+i*3+3))
				}
				if e, ok := s.Find(num(p*1000 + i*3)); err == nil && (!ok || e.Payload != pay(p*1000+i*3)) {
					err = errors.New("own entry not found")
				}
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s := open1(t, dir)
	for p := range 4 {
		for i := range 75 {
			if e, ok := s.Find(num(p*1000 + i)); !ok || e.Payload != pay(p*1000+i) {
				t.Fatalf("entry %d of process %d: %v %v", i, p, e, ok)
			}
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	s := open1(t, memoryDir(t))
	must(t, s.Add([]digest.Digest{num(-1)}, some(num(-1), 0, 100)))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if _, ok := s.Find(num(i % 100)); !ok {
					t.Error("lost", i%100)
					return
				}
				s.FindAll(num(i))
				s.Has(num(-1))
			}
		})
	}
	for i := range 40 {
		must(t, s.Add([]digest.Digest{num(-i - 2)}, some(num(-i-2), i*100, i*100+100)))
		must(t, s.Refresh())
	}
	close(stop)
	wg.Wait()
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	dir := memoryDir(t)
	for _, name := range []string{"x", "tmp-0123456789abcdef", strings.Repeat("g", 32) + suffix} {
		must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	old := filepath.Join(dir, "tmp-aaaaaaaaaaaaaaaa")
	must(t, os.WriteFile(old, nil, 0o600))
	must(t, os.Chtimes(old, time.Time{}, time.Now().Add(-48*time.Hour)))
	s := open1(t, dir)
	for i := range maxTables + 1 {
		must(t, s.Add([]digest.Digest{num(-1)}, some(num(-1), i, i+1)))
	}
	all, _ := os.ReadDir(dir)
	var names []string
	for _, e := range all {
		if !isTable(e.Name()) {
			names = append(names, e.Name())
		}
	}
	if diff := cmp.Diff([]string{strings.Repeat("g", 32) + suffix, "lock", "tmp-0123456789abcdef", "x"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestReadOnlyDirectory(t *testing.T) {
	dir := memoryDir(t)
	must(t, open1(t, dir).Add([]digest.Digest{num(-1)}, some(num(-1), 0, 10)))
	s := open1(t, dir)
	before := tables(t, dir)
	must(t, s.AddMemory([]digest.Digest{num(-2)}, append(some(num(-2), 5, 20), Entry{num(3), num(-2), pay(99)})))
	check := func() {
		t.Helper()
		if e, ok := s.Find(num(15)); !ok || e.Source != num(-2) {
			t.Error("not in memory")
		}
		if e, _ := s.Find(num(3)); e.Payload != pay(99) {
			t.Error("what is in memory is newer")
		}
		if len(s.FindAll(num(7))) != 2 || !s.Has(num(-2)) || s.Len() != 26 {
			t.Error("both count")
		}
	}
	check()
	must(t, s.Refresh())
	s.seen = time.Time{}
	must(t, s.Refresh())
	check()
	if diff := cmp.Diff(before, tables(t, dir)); diff != "" {
		t.Error(diff)
	}
	for i := range 12 {
		must(t, s.Add([]digest.Digest{num(-3)}, some(num(-3), 100+i, 101+i)))
	}
	if len(tables(t, dir)) > maxTables || s.Len() != 38 {
		t.Errorf("%d tables, %d entries", len(tables(t, dir)), s.Len())
	}
	if o := open1(t, dir); o.Has(num(-2)) {
		t.Error("what is in memory reached the disk")
	}
	must(t, s.Close())
	if _, ok := s.Find(num(1)); ok {
		t.Error("found after close")
	}
}

func TestRefreshSeesAtOnce(t *testing.T) {
	dir := memoryDir(t)
	a, b := open1(t, dir), open1(t, dir)
	for i := range 50 {
		must(t, a.Add([]digest.Digest{num(-1)}, some(num(-1), i, i+1)))
		must(t, b.Refresh())
		if _, ok := b.Find(num(i)); !ok {
			t.Fatal("not seen", i)
		}
	}
}

func TestGroup(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	dir := memoryDir(t)
	s, err := OpenGroup(nil, dir)
	must(t, err)
	for i := range maxTables + 1 {
		must(t, s.Add([]digest.Digest{num(-1)}, some(num(-1), i, i+1)))
	}
	for name, want := range map[string]fs.FileMode{tables(t, dir)[0]: 0o444, filepath.Join(dir, lockName): 0o664} {
		info, err := os.Stat(name)
		must(t, err)
		if info.Mode() != want {
			t.Errorf("%s: %v", name, info.Mode())
		}
	}
}

func TestFindDoesNotAllocate(t *testing.T) {
	s := open1(t, memoryDir(t))
	must(t, s.Add([]digest.Digest{num(-1)}, some(num(-1), 0, 1000)))
	d := num(500)
	if n := testing.AllocsPerRun(100, func() { s.Find(d); s.Has(d) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
