package table

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"tarn/store/digest"
)

// fanOut counts the entries of each 16-bit prefix, and so knows where those of any shorter one begin.
type fanOut struct {
	counts [1 << maxFanBits]uint32
	n      int
}

func (f *fanOut) add(d []byte) {
	f.counts[binary.BigEndian.Uint16(d)]++
	f.n++
}

func (f *fanOut) append(b []byte) []byte {
	step := 1 << (maxFanBits - fanBits(uint64(f.n)))
	at := uint32(0)
	for i, c := range f.counts {
		if i%step == 0 {
			b = binary.LittleEndian.AppendUint32(b, at)
		}
		at += c
	}
	return b
}

// count is a first pass over what a table will hold.
func count(each func(put) error) (*fanOut, error) {
	f := &fanOut{}
	err := each(func(d []byte, _ uint32, _ []byte) bool { f.add(d); return true })
	if err == nil && f.n > maxEntries {
		err = fmt.Errorf("write table: %d entries are too many for one", f.n)
	}
	return f, err
}

// put takes the next entry of a table that is written: digest, ordinal of the source, payload. False: no more, please.
type put func(d []byte, source uint32, payload []byte) bool

// newest is a table to be: entries in order, without duplicates.
type newest struct {
	sources []digest.Digest
	entries []Entry
	keys    []sortKey
}

type sortKey struct {
	prefix uint64 // of the digest, for a fast comparison
	index  uint32 // in entries
	source uint32
}

func newTable(sources []digest.Digest, entries []Entry) (*newest, error) {
	if len(entries) > maxEntries || uint64(len(sources)) > 1<<32-1 {
		return nil, fmt.Errorf("add table: %d entries are too many for one", len(entries))
	}
	t := &newest{sources: slices.Clone(sources), entries: entries, keys: make([]sortKey, len(entries))}
	slices.SortFunc(t.sources, digest.Digest.Compare)
	t.sources = slices.Compact(t.sources)
	var source digest.Digest
	ordinal := -1
	for i := range entries {
		e := &entries[i]
		if ordinal < 0 || e.Source != source { // entries come source by source
			n, ok := slices.BinarySearchFunc(t.sources, e.Source, digest.Digest.Compare)
			if !ok {
				return nil, fmt.Errorf("add table: the source %s of %s is not covered", e.Source.Short(), e.Digest.Short())
			}
			source, ordinal = e.Source, n
		}
		t.keys[i] = sortKey{binary.BigEndian.Uint64(e.Digest[:]), uint32(i), uint32(ordinal)}
	}
	t.sort()
	return t, nil
}

// sort orders by digest, then later entries first, and leaves the first of each digest and source.
func (t *newest) sort() {
	slices.SortFunc(t.keys, func(a, b sortKey) int {
		if a.prefix != b.prefix {
			if a.prefix < b.prefix {
				return -1
			}
			return 1
		}
		return cmp.Or(t.entries[a.index].Digest.Compare(t.entries[b.index].Digest), cmp.Compare(b.index, a.index))
	})
	var g group
	t.keys = slices.DeleteFunc(t.keys, func(k sortKey) bool { return !g.first(t.entries[k.index].Digest[:], k.source) })
}

func (t *newest) each(p put) error {
	for _, k := range t.keys {
		e := &t.entries[k.index]
		if !p(e.Digest[:], k.source, e.Payload[:]) {
			break
		}
	}
	return nil
}

// group notes which sources of one digest were seen.
type group struct {
	digest  digest.Digest
	sources []uint32 // ascending
}

// first says that the pair was not seen since the digest changed.
func (g *group) first(d []byte, source uint32) bool {
	if g.digest != digest.Digest(d) {
		g.digest, g.sources = digest.Digest(d), g.sources[:0]
	}
	i, ok := slices.BinarySearch(g.sources, source)
	if !ok {
		g.sources = slices.Insert(g.sources, i, source)
	}
	return !ok
}

// write makes a new table file durable.
func (s *Set) write(seq uint64, sources []digest.Digest, each func(put) error) error {
	tmp, err := s.disk.CreateTemp(s.dir)
	if err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	defer tmp.Abort()
	w := bufio.NewWriterSize(tmp, 1<<20)
	if err := encode(w, seq, sources, each); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	if s.group {
		if err := tmp.Chmod(0o444); err != nil {
			return fmt.Errorf("write table: %w", err)
		}
	}
	if err := tmp.Commit(filepath.Join(s.dir, newName()), 0o444, true); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	if err := s.disk.SyncDir(s.dir); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

// encode writes a table; each is called twice and must yield the same.
func encode(w io.Writer, seq uint64, sources []digest.Digest, each func(put) error) error {
	fan, err := count(each)
	if err != nil {
		return err
	}
	head := []byte(magic)
	head = binary.LittleEndian.AppendUint64(head, seq)
	head = binary.LittleEndian.AppendUint64(head, uint64(fan.n))
	head = binary.LittleEndian.AppendUint32(head, uint32(len(sources)))
	head = binary.LittleEndian.AppendUint32(head, 0)
	lists := make([]byte, 0, len(sources)*digest.Size+4<<fanBits(uint64(fan.n)))
	for _, s := range sources {
		lists = append(lists, s[:]...)
	}
	lists = fan.append(lists)
	sum := checksum(head, lists)
	_, failed := w.Write(append(append(head, sum[:]...), lists...))
	var b [entrySize]byte
	wrote := 0
	err = each(func(d []byte, source uint32, payload []byte) bool {
		copy(b[:], d)
		binary.LittleEndian.PutUint32(b[digest.Size:], source)
		copy(b[36:], payload)
		if failed == nil {
			_, failed = w.Write(b[:])
		}
		wrote++
		return failed == nil
	})
	if failed != nil {
		return fmt.Errorf("write table: %w", failed)
	}
	if err == nil && wrote != fan.n {
		err = fmt.Errorf("write table: a table changed while it was read")
	}
	return err
}
