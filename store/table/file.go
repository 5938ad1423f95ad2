package table

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"tarn/store/digest"
)

// The format, version 1; see docs/format-local.md.
const (
	headerSize = 64
	entrySize  = 52
	magic      = "tarn\x01t\x00\x00"
	maxSeq     = 1<<63 - 1
	maxEntries = 1<<32 - 1
	maxFanBits = 16
)

var errFormat = errors.New("not a valid table")

// file is one table. Its bytes may be mapped: they are touched in guarded only, and never kept.
type file struct {
	name    string // base name; empty: in memory only
	seq     uint64
	n       int    // entries
	shift   int    // digests are fanned out by their first 64-shift bits
	sources []byte // of 32 bytes each, ascending
	fan     []byte // of 4 bytes each: the first entry of each bucket
	entries []byte // of entrySize each, ascending by digest
	bad     atomic.Bool
}

func openFile(path string) (*file, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, unmap, err := readAll(f)
	if err != nil {
		return nil, fmt.Errorf("read table %s: %w", path, err)
	}
	t := &file{}
	if err := t.guarded(func() error { return t.parse(data) }); err != nil {
		unmap(data)
		return nil, fmt.Errorf("read table %s: %w", path, err)
	}
	runtime.AddCleanup(t, unmap, data)
	t.name = filepath.Base(path)
	return t, nil
}

func parse(b []byte) (*file, error) {
	f := &file{}
	return f, f.parse(b)
}

// fanBits is by how many bits n entries are fanned out: 16 to 32 entries a bucket, up to a million entries.
func fanBits(n uint64) int { return min(max(bits.Len64(n)-5, 0), maxFanBits) }

// parse checks all but the entries, of which nothing is trusted but their number.
func (f *file) parse(b []byte) error {
	if len(b) < headerSize || string(b[:8]) != magic {
		return errFormat
	}
	seq, n, s := binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:]), uint64(binary.LittleEndian.Uint32(b[24:]))
	if seq > maxSeq || n > maxEntries || binary.LittleEndian.Uint32(b[28:]) != 0 {
		return errFormat
	}
	fan := headerSize + s*digest.Size
	first := fan + 4<<fanBits(n)
	if uint64(len(b)) != first+n*entrySize {
		return errFormat
	}
	if sum := checksum(b[:32], b[headerSize:first]); !bytes.Equal(sum[:], b[32:headerSize]) {
		return errFormat
	}
	f.seq, f.n, f.shift = seq, int(n), 64-fanBits(n)
	f.sources, f.fan, f.entries = b[headerSize:fan:fan], b[fan:first:first], b[first:]
	for i := 1; i < int(s); i++ {
		if bytes.Compare(f.source(i-1), f.source(i)) >= 0 {
			return errFormat
		}
	}
	return nil
}

func checksum(head, lists []byte) digest.Digest {
	h := digest.New()
	defer h.Release()
	h.Write(head)
	h.Write(lists)
	return h.Sum()
}

// guarded runs read, which may touch the mapped bytes. A page that can't be read (the file was cut, or deleted on another client of a
// network file system) is an error, not the end of the process; the table then counts as bad.
func (f *file) guarded(read func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			fault, ok := r.(interface{ Addr() uintptr })
			if !ok {
				panic(r)
			}
			f.bad.Store(true)
			err = fmt.Errorf("read table %s: fault at %#x", f.name, fault.Addr())
		}
	}()
	err = read()
	runtime.KeepAlive(f)
	return err
}

func (f *file) source(i int) []byte { return f.sources[i*digest.Size : (i+1)*digest.Size] }
func (f *file) key(i int) []byte    { return f.entries[i*entrySize : i*entrySize+digest.Size] }

func (f *file) ordinal(i int) uint32 {
	return binary.LittleEndian.Uint32(f.entries[i*entrySize+digest.Size:])
}

func (f *file) payload(i int) []byte { return f.entries[i*entrySize+36 : (i+1)*entrySize] }

// entry copies the i-th entry; one whose source is out of bounds is not there.
func (f *file) entry(i int) (Entry, bool) {
	s := f.ordinal(i)
	if uint64(s) >= uint64(len(f.sources)/digest.Size) {
		return Entry{}, false
	}
	return Entry{digest.Digest(f.key(i)), digest.Digest(f.source(int(s))), Payload(f.payload(i))}, true
}

func (f *file) find(d digest.Digest) (e Entry, ok bool) {
	if f.n == 0 || f.bad.Load() {
		return e, false
	}
	f.guarded(func() error {
		if i := f.search(&d); i < f.n && bytes.Equal(f.key(i), d[:]) {
			e, ok = f.entry(i)
		}
		return nil
	})
	return e, ok
}

func (f *file) findAll(d digest.Digest) (all []Entry) {
	if f.n == 0 || f.bad.Load() {
		return nil
	}
	f.guarded(func() error {
		for i := f.search(&d); i < f.n && bytes.Equal(f.key(i), d[:]); i++ {
			if e, ok := f.entry(i); ok {
				all = append(all, e)
			}
		}
		return nil
	})
	return all
}

// search returns the first entry that is not below d, in O(log n) whatever the bytes are: it looks in the bucket of d only.
func (f *file) search(d *digest.Digest) int {
	prefix := binary.BigEndian.Uint64(d[:])
	lo, hi := f.bucket(prefix)
	switch {
	case hi-lo > 64:
		lo, hi = f.narrow(d, lo, hi)
	case hi > lo:
		lo, hi = f.near(prefix, lo, hi)
	}
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); bytes.Compare(f.key(mid), d[:]) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// bucket bounds where digests with this prefix are.
func (f *file) bucket(prefix uint64) (lo, hi int) {
	b, hi := int(prefix>>f.shift), f.n
	if at := 4 * (b + 1); at < len(f.fan) {
		hi = min(hi, int(binary.LittleEndian.Uint32(f.fan[at:])))
	}
	return min(int(binary.LittleEndian.Uint32(f.fan[4*b:])), hi), hi
}

func (f *file) prefix(i int) uint64 { return binary.BigEndian.Uint64(f.key(i)) }

// near is for small buckets: it walks from where the digest should be, which is mostly in the same cache line or the next.
func (f *file) near(prefix uint64, lo, hi int) (int, int) {
	off, _ := bits.Mul64(prefix<<(64-f.shift), uint64(hi-lo))
	at := lo + int(off)
	for at < hi && f.prefix(at) < prefix {
		at++
	}
	for at > lo && f.prefix(at-1) >= prefix {
		at--
	}
	if at < hi && f.prefix(at) == prefix {
		return at, hi // those that follow may have the same first bytes
	}
	return at, at
}

// narrow is for large buckets. Digests are evenly spread, so a place is guessed from the first 8 bytes and corrected from what
// stands there; then the search gallops away from it.
func (f *file) narrow(d *digest.Digest, lo, hi int) (int, int) {
	prefix := binary.BigEndian.Uint64(d[:])
	guess, _ := bits.Mul64(prefix, uint64(f.n))
	at := min(max(int(guess), lo), hi-1)
	for range 2 {
		at = min(max(f.correct(at, prefix), lo), hi-1)
	}
	if bytes.Compare(f.key(at), d[:]) < 0 {
		lo = at + 1
		for step := 4; at+step < hi; step *= 2 {
			if bytes.Compare(f.key(at+step), d[:]) >= 0 {
				return lo, at + step
			}
			lo = at + step + 1
		}
		return lo, hi
	}
	hi = at
	for step := 4; at-step >= lo; step *= 2 {
		if bytes.Compare(f.key(at-step), d[:]) < 0 {
			return at - step + 1, hi
		}
		hi = at - step
	}
	return lo, hi
}

func (f *file) correct(at int, prefix uint64) int {
	is := f.prefix(at)
	if is <= prefix {
		off, _ := bits.Mul64(prefix-is, uint64(f.n))
		return at + int(off)
	}
	off, _ := bits.Mul64(is-prefix, uint64(f.n))
	return at - int(off)
}

func (f *file) has(source digest.Digest) (ok bool) {
	f.guarded(func() error {
		lo, hi := 0, len(f.sources)/digest.Size
		for lo < hi {
			mid := int(uint(lo+hi) >> 1)
			switch c := bytes.Compare(f.source(mid), source[:]); {
			case c == 0:
				ok = true
				return nil
			case c < 0:
				lo = mid + 1
			default:
				hi = mid
			}
		}
		return nil
	})
	return ok && !f.bad.Load()
}

func (f *file) sourceList() (all []digest.Digest) {
	err := f.guarded(func() error {
		all = make([]digest.Digest, len(f.sources)/digest.Size)
		for i := range all {
			all[i] = digest.Digest(f.source(i))
		}
		return nil
	})
	if err != nil {
		return nil
	}
	return all
}
