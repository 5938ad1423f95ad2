package table

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tarn/internal/durable"
	"tarn/internal/durable/simdisk"
	"tarn/store/digest"
)

func TestBrokenTables(t *testing.T) {
	good := func() []byte {
		var b bytes.Buffer
		nt, err := newTable([]digest.Digest{num(-1), num(-2)}, append(some(num(-1), 0, 5), some(num(-2), 5, 9)...))
		must(t, err)
		must(t, encode(&b, 7, nt.sources, nt.each))
		return b.Bytes()
	}()
	damage := map[string]func(b []byte) []byte{
		"empty":       func([]byte) []byte { return nil },
		"short":       func(b []byte) []byte { return b[:50] },
		"cut":         func(b []byte) []byte { return b[:len(b)-1] },
		"longer":      func(b []byte) []byte { return append(b, 0) },
		"zeros":       func(b []byte) []byte { return make([]byte, len(b)) },
		"magic":       func(b []byte) []byte { b[0]++; return b },
		"version":     func(b []byte) []byte { b[4]++; return b },
		"sequence":    func(b []byte) []byte { b[8]++; return b },
		"entries":     func(b []byte) []byte { b[16]++; return b },
		"sources":     func(b []byte) []byte { b[24]++; return b },
		"huge counts": func(b []byte) []byte { copy(b[16:28], bytes.Repeat([]byte{255}, 12)); return b },
		"padding":     func(b []byte) []byte { b[28]++; return b },
		"checksum":    func(b []byte) []byte { b[40]++; return b },
		"a source":    func(b []byte) []byte { b[70]++; return b },
		"order": func(b []byte) []byte {
			first := bytes.Clone(b[64:96])
			copy(b[64:], b[96:128])
			copy(b[96:], first)
			sum := checksum(b[:32], b[64:len(b)-9*entrySize])
			copy(b[32:], sum[:])
			return b
		},
	}
	for name, spoil := range damage {
		t.Run(name, func(t *testing.T) {
			dir := memoryDir(t)
			s := open1(t, dir)
			must(t, s.Add([]digest.Digest{num(-3)}, some(num(-3), 20, 30)))
			bad := filepath.Join(dir, strings.Repeat("a", 32)+suffix)
			must(t, os.WriteFile(bad, spoil(bytes.Clone(good)), 0o600))
			s, err := Open(nil, dir)
			must(t, err)
			if diff := cmp.Diff([]string{bad}, s.Broken()); diff != "" {
				t.Error(diff)
			}
			if _, ok := s.Find(num(25)); !ok || s.Len() != 10 {
				t.Error("the good table is not read")
			}
			for i := range 20 {
				must(t, s.Add([]digest.Digest{num(-4)}, some(num(-4), 50+i, 51+i)))
			}
			if _, err := os.Stat(bad); err != nil {
				t.Error("a merge removed what it could not read:", err)
			}
		})
	}
}

// A table that is cut while it is mapped is an error of that table, not the end of the process.
func TestCutWhileMapped(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("nothing is mapped")
	}
	dir := memoryDir(t)
	s := open1(t, dir)
	must(t, s.Add([]digest.Digest{num(-1)}, some(num(-1), 0, 1000)))
	first := tables(t, dir)[0]
	must(t, s.Add([]digest.Digest{num(-2)}, some(num(-2), 1000, 1010)))
	must(t, os.Chmod(first, 0o600))
	must(t, os.Truncate(first, 0))
	for i := range 1010 {
		if _, ok := s.Find(num(i)); ok != (i >= 1000) {
			t.Fatalf("find %d: %v", i, ok)
		}
	}
	if s.FindAll(num(3)) != nil || s.Has(num(-1)) || len(s.Sources()) != 1 {
		t.Error("the cut table is not bad")
	}
	must(t, s.Add([]digest.Digest{num(-3)}, some(num(-3), 0, 1)))
	if diff := cmp.Diff([]string{first}, s.Broken()); diff != "" {
		t.Error(diff)
	}
}

func TestCutDuringEntries(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("nothing is mapped")
	}
	dir := memoryDir(t)
	s := open1(t, dir)
	must(t, s.Add([]digest.Digest{num(-1)}, some(num(-1), 0, 1000)))
	first := tables(t, dir)[0]
	must(t, os.Chmod(first, 0o600))
	n, failed := 0, false
	for _, err := range s.Entries {
		if n++; n == 1 {
			must(t, os.Truncate(first, 0))
		}
		failed = failed || err != nil
	}
	if !failed || n > 200 {
		t.Errorf("%d entries, failed: %v", n, failed)
	}
	for range s.Entries { // and a break is no error
		break
	}
}

// The search must be right for digests that are not evenly spread at all.
func TestSearch(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	shapes := map[string]func(i int) digest.Digest{
		"even":        num,
		"same prefix": func(i int) digest.Digest { return digest.Digest{30: byte(i >> 8), 31: byte(i)} },
		"low half":    func(i int) digest.Digest { d := num(i); d[0] &= 1; return d },
		"two heaps":   func(i int) digest.Digest { d := num(i); d[0], d[1] = byte(-(i & 1)), byte(-(i & 1)); return d },
		"exponential": func(i int) (d digest.Digest) { d[i%24] = 1 + byte(i); return d },
	}
	for name, shape := range shapes {
		for _, n := range []int{1, 2, 3, 10, 500, 5000} {
			var entries []Entry
			for i := range n {
				entries = append(entries, Entry{shape(i), num(-1), pay(i)})
			}
			nt, err := newTable([]digest.Digest{num(-1)}, entries)
			must(t, err)
			var b bytes.Buffer
			must(t, encode(&b, 1, nt.sources, nt.each))
			f, err := parse(b.Bytes())
			must(t, err)
			probe := func(d digest.Digest) {
				want := 0
				for want < f.n && bytes.Compare(f.key(want), d[:]) < 0 {
					want++
				}
				if got := f.search(&d); got != want {
					t.Fatalf("%s, %d entries: search %s gives %d, want %d", name, n, d, got, want)
				}
			}
			for range 300 {
				d := shape(rng.IntN(n + 5))
				probe(d)
				d[rng.IntN(32)]++
				probe(d)
				probe(num(rng.Int()))
			}
			probe(digest.Digest{})
			probe(digest.Digest(bytes.Repeat([]byte{255}, 32)))
		}
	}
}

// A crash or a failure at any operation loses nothing of an Add that had returned.
func TestCrash(t *testing.T) {
	session := func(dir string, disk *durable.Disk) (done int, err error) {
		s, err := Open(disk, dir)
		for i := 0; i < 12 && err == nil; i++ {
			if err = s.Add([]digest.Digest{num(-i - 1)}, some(num(-i-1), i*2, i*2+2)); err == nil {
				done = i + 1
			}
		}
		return done, err
	}
	root := memoryDir(t)
	sim := simdisk.New(root)
	if done, err := session(filepath.Join(root, "tables"), sim.Disk()); done != 12 {
		t.Fatal(err)
	}
	total := len(sim.Ops())
	boom := errors.New("power cut")
	for _, how := range []string{"at", "after", "once", "once applied"} {
		for n := 1; n <= total; n++ {
			root := memoryDir(t)
			sim := simdisk.New(root)
			switch how {
			case "at":
				sim.FailAt(n, boom)
			case "after":
				sim.FailAfter(n, boom)
			default:
				sim.FailOnce(n, boom, how == "once applied")
			}
			done, err := session(filepath.Join(root, "tables"), sim.Disk())
			if err != nil && !errors.Is(err, boom) {
				t.Fatalf("%s %d: %v", how, n, err)
			}
			for seed := range uint64(4) {
				after := filepath.Join(memoryDir(t), "after")
				switch seed {
				case 0:
					must(t, sim.Crash(after))
				case 1:
					must(t, sim.CrashKeep(after))
				default:
					must(t, sim.CrashSome(after, seed))
				}
				s, err := Open(nil, filepath.Join(after, "tables"))
				must(t, err)
				for i := range done * 2 {
					if e, ok := s.Find(num(i)); !ok || e.Payload != pay(i) {
						t.Fatalf("%s %d of %d, crash %d: entry %d of %d adds is lost (%s)", how, n, total, seed, i, done, sim.Ops()[n-1])
					}
				}
			}
		}
	}
}

// Whatever the bytes, looking around in them ends without a panic, and what is accepted is what encode would write.
func FuzzTable(f *testing.F) {
	for _, n := range []int{0, 1, 40} {
		nt, _ := newTable([]digest.Digest{num(-1), num(-2)}, append(some(num(-1), 0, n), some(num(-2), n/2, n)...))
		var b bytes.Buffer
		encode(&b, 3, nt.sources, nt.each)
		f.Add(b.Bytes(), []byte{1, 2, 3})
	}
	f.Fuzz(func(t *testing.T, b, probe []byte) {
		if len(b) >= headerSize { // repair the checksum, so that more is reached
			n, s := binary.LittleEndian.Uint64(b[16:]), uint64(binary.LittleEndian.Uint32(b[24:]))
			if end := headerSize + s*digest.Size + 4<<fanBits(n); uint64(len(b)) >= end {
				b = bytes.Clone(b)
				sum := checksum(b[:32], b[headerSize:end])
				copy(b[32:], sum[:])
			}
		}
		tb, err := parse(b)
		if err != nil {
			return
		}
		var d digest.Digest
		copy(d[:], probe)
		tb.find(d)
		tb.findAll(d)
		tb.has(d)
		m := newMerge([]*file{tb, tb}, nil)
		n := 0
		if err := m.run(func([]byte, uint32, []byte) bool { n++; return true }); err != nil || n > 2*tb.n {
			t.Fatalf("%d entries: %v", n, err)
		}
		if fan, _ := count(func(p put) error { return all(tb, p) }); !bytes.Equal(fan.append(nil), tb.fan) {
			return // the entries are not in order, or the fan-out is not theirs: not what we write, but harmless
		}
		var out bytes.Buffer
		each := func(p put) error { return all(tb, p) }
		if err := encode(&out, tb.seq, tb.sourceList(), each); err != nil || !bytes.Equal(out.Bytes(), b) {
			t.Fatalf("a second encoding: %v", err)
		}
	})
}

func all(f *file, p put) error {
	for i := range f.n {
		p(f.key(i), f.ordinal(i), f.payload(i))
	}
	return nil
}

// million is a set of a million entries, and their digests in an order that jumps about in the table but not in memory.
func million(b *testing.B) (*Set, []digest.Digest) {
	entries := some(num(-1), 0, 1_000_000)
	s := open1(b, b.TempDir())
	must(b, s.Add([]digest.Digest{num(-1)}, entries))
	probes := make([]digest.Digest, len(entries))
	for i, e := range entries {
		probes[i] = e.Digest
	}
	return s, probes
}

func BenchmarkFind(b *testing.B) {
	s, probes := million(b)
	for i := 0; b.Loop(); i++ {
		if _, ok := s.Find(probes[i%len(probes)]); !ok {
			b.Fatal("lost")
		}
	}
}

func BenchmarkFindMiss(b *testing.B) {
	s, probes := million(b)
	for i := 0; b.Loop(); i++ {
		d := probes[i%len(probes)]
		d[20]++
		if _, ok := s.Find(d); ok {
			b.Fatal("found")
		}
	}
}

func BenchmarkAddMillion(b *testing.B) {
	entries := some(num(-1), 0, 1_000_000)
	for b.Loop() {
		s := open1(b, b.TempDir())
		must(b, s.Add([]digest.Digest{num(-1)}, entries))
	}
}

func BenchmarkMerge(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		s := open1(b, b.TempDir())
		for i := range 9 {
			must(b, s.write(uint64(i+1), []digest.Digest{num(-1)}, func(p put) error {
				nt, err := newTable([]digest.Digest{num(-1)}, some(num(-1), i*100_000, i*100_000+100_000))
				must(b, err)
				return nt.each(p)
			}))
		}
		must(b, s.Refresh())
		b.StartTimer()
		must(b, s.mergeIfMany())
	}
}
