// Package spill sorts keys that may be more than fit into memory, so that equal ones stand together. It knows hashes and places, and nothing of
// what they are of.
package spill

import (
	"bufio"
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"math/bits"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// valueLen is how many bytes of a value a Record keeps for messages.
const valueLen = 23

// Record is a key at a place. Two keys are the same if their hashes of 128 bits are.
type Record struct {
	Hash  [2]uint64
	Row   int64
	File  uint32
	Tag   uint32 // of records with the same hash the lower tag comes first
	len   uint8
	value [valueLen]byte
}

// Seeds of the two halves of a hash: of this process, so that nobody can make keys that collide.
var seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// Hash is a hash of 128 bits for Record, other in each process.
func Hash(b []byte) [2]uint64 {
	return [2]uint64{maphash.Bytes(seeds[0], b), maphash.Bytes(seeds[1], b)}
}

// SetHash keeps a hash where else a value is.
func (r *Record) SetHash(h [2]uint64) {
	binary.LittleEndian.PutUint64(r.value[0:], h[0])
	binary.LittleEndian.PutUint64(r.value[8:], h[1])
	r.len = 16
}

// KeptHash is what SetHash kept.
func (r *Record) KeptHash() [2]uint64 {
	return [2]uint64{binary.LittleEndian.Uint64(r.value[0:]), binary.LittleEndian.Uint64(r.value[8:])}
}

// SetValue keeps the begin of a value.
func (r *Record) SetValue(b []byte) {
	r.len = uint8(copy(r.value[:], b))
	if len(b) > valueLen {
		r.len |= 0x80
	}
}

// SetMarked keeps a mark, and what is left of a value.
func (r *Record) SetMarked(mark uint64, b []byte) {
	const room = valueLen - 8
	r.SetValue(b[:min(len(b), room)])
	if len(b) > room {
		r.len |= 0x80
	}
	binary.LittleEndian.PutUint64(r.value[room:], mark)
}

// Mark is what SetMarked kept.
func (r *Record) Mark() uint64 { return binary.LittleEndian.Uint64(r.value[valueLen-8:]) }

// Value is what was kept, with an ellipsis where it was cut.
func (r *Record) Value() string {
	s := string(r.value[:min(int(r.len&0x7f), valueLen)])
	if r.len&0x80 != 0 {
		s += "…"
	}
	return s
}

func compare(a, b *Record) int {
	switch {
	case a.Hash[0] != b.Hash[0]:
		return cmp.Compare(a.Hash[0], b.Hash[0])
	case a.Hash[1] != b.Hash[1]:
		return cmp.Compare(a.Hash[1], b.Hash[1])
	case a.Tag != b.Tag:
		return cmp.Compare(a.Tag, b.Tag)
	case a.File != b.File:
		return cmp.Compare(a.File, b.File)
	}
	return cmp.Compare(a.Row, b.Row)
}

// sortRecords puts records into the order of compare: by the first byte of their hashes, which are even, into as many parts, in place, and then these by
// all processors.
func sortRecords(recs []Record) {
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	scatter(recs, 0, 8, func(part []Record) {
		g.Go(func() error {
			if digit := bits.Len(uint(len(part) / few)); digit > 2 {
				scatter(part, 8, min(digit, maxDigit), sortFew)
			} else {
				sortFew(part)
			}
			return nil
		})
	})
	g.Wait()
}

const (
	few      = 4  // records that scatter shall leave in a part
	maxDigit = 12 // bits
)

func sortFew(recs []Record) {
	if len(recs) > 1 {
		slices.SortFunc(recs, func(a, b Record) int { return compare(&a, &b) })
	}
}

// scatter puts records into the order of so many bits of their hashes, the first skip ones left out, which are the same, and calls do with those of each value.
func scatter(recs []Record, skip, digit int, do func(part []Record)) {
	of := func(r *Record) uint64 { return r.Hash[0] << skip >> (64 - digit) }
	var begin, end [1 << maxDigit]int32
	for i := range recs {
		end[of(&recs[i])]++
	}
	at := int32(0)
	for k, n := range end[:1<<digit] {
		begin[k] = at
		at += n
		end[k] = at
	}
	first := int32(0)
	for k := range uint64(1 << digit) {
		for i := begin[k]; i < end[k]; {
			to := of(&recs[i])
			if to == k {
				i++
				continue
			}
			recs[i], recs[begin[to]] = recs[begin[to]], recs[i]
			begin[to]++
		}
		if first < end[k] {
			do(recs[first:end[k]])
		}
		first = end[k]
	}
}

// Size is how many bytes of memory a record takes.
const Size = 56

// Temp is a file for runs that don't fit; Close removes it.
type Temp interface {
	io.Writer
	io.ReaderAt
	io.Closer
}

// Sorter takes records from many goroutines.
type Sorter struct {
	max  int // records in memory
	open func() (Temp, error)

	mu   sync.Mutex
	recs []Record
	temp Temp
	runs []run
	off  int64
	err  error
}

type run struct{ off, n int64 }

// New makes a sorter that holds at most so many bytes of records in memory, and asks temp for a file when there are more.
func New(bytes int64, temp func() (Temp, error)) *Sorter {
	return &Sorter{max: int(max(bytes/Size, 1024)), open: temp}
}

// growFrom is how many records there are when room for all is made at once: memory that is not touched costs nothing, and growing by steps copies.
const growFrom = 1 << 16

// Add takes records.
func (s *Sorter) Add(recs []Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	for len(recs) > 0 {
		n := min(len(recs), s.max-len(s.recs))
		if cap(s.recs) < s.max && len(s.recs)+n > growFrom {
			s.recs = append(make([]Record, 0, s.max), s.recs...) // slices.Grow writes to all of it
		}
		s.recs = append(s.recs, recs[:n]...)
		if recs = recs[n:]; len(s.recs) < s.max {
			continue
		}
		if s.err = s.spill(); s.err != nil {
			return s.err
		}
	}
	return nil
}

// Spilled is how many bytes went to the file.
func (s *Sorter) Spilled() int64 { return s.off }

func (s *Sorter) spill() error {
	if s.temp == nil {
		if s.open == nil {
			return fmt.Errorf("more keys than fit into memory, and no place for the rest")
		}
		t, err := s.open()
		if err != nil {
			return fmt.Errorf("make a temporary file: %w", err)
		}
		s.temp = t
	}
	sortRecords(s.recs)
	w := bufio.NewWriterSize(s.temp, 256<<10)
	var b [Size]byte
	for i := range s.recs {
		s.recs[i].encode(&b)
		if _, err := w.Write(b[:]); err != nil {
			return fmt.Errorf("write a temporary file: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write a temporary file: %w", err)
	}
	n := int64(len(s.recs)) * Size
	s.runs = append(s.runs, run{s.off, n})
	s.off += n
	s.recs = s.recs[:0]
	return nil
}

func (r *Record) encode(b *[Size]byte) {
	binary.LittleEndian.PutUint64(b[0:], r.Hash[0])
	binary.LittleEndian.PutUint64(b[8:], r.Hash[1])
	binary.LittleEndian.PutUint64(b[16:], uint64(r.Row))
	binary.LittleEndian.PutUint32(b[24:], r.File)
	binary.LittleEndian.PutUint32(b[28:], r.Tag)
	b[32] = r.len
	copy(b[33:], r.value[:])
}

func (r *Record) decode(b *[Size]byte) {
	r.Hash = [2]uint64{binary.LittleEndian.Uint64(b[0:]), binary.LittleEndian.Uint64(b[8:])}
	r.Row = int64(binary.LittleEndian.Uint64(b[16:]))
	r.File, r.Tag, r.len = binary.LittleEndian.Uint32(b[24:]), binary.LittleEndian.Uint32(b[28:]), b[32]
	copy(r.value[:], b[33:])
}

// Each gives all records, equal ones together, by tag, file and row. same says that the one before had the same hash. Nothing may be added any more.
func (s *Sorter) Each(do func(r *Record, same bool) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	sortRecords(s.recs)
	m := merge{}
	if len(s.recs) > 0 {
		m = append(m, &stream{mem: s.recs[1:], head: s.recs[0]})
	}
	for _, r := range s.runs {
		st := &stream{left: r.n, r: bufio.NewReaderSize(io.NewSectionReader(s.temp, r.off, r.n), 64<<10)}
		if ok, err := st.next(); err != nil {
			return err
		} else if ok {
			m = append(m, st)
		}
	}
	heap.Init(&m)
	var last [2]uint64
	for first := true; len(m) > 0; first = false {
		st := m[0]
		if err := do(&st.head, !first && st.head.Hash == last); err != nil {
			return err
		}
		last = st.head.Hash
		ok, err := st.next()
		if err != nil {
			return err
		}
		if ok {
			heap.Fix(&m, 0)
		} else {
			heap.Pop(&m)
		}
	}
	return nil
}

// Close gives memory and file back.
func (s *Sorter) Close() error {
	s.recs = nil
	if s.temp == nil {
		return nil
	}
	t := s.temp
	s.temp = nil
	return t.Close()
}

// stream is a sorted run.
type stream struct {
	mem  []Record
	r    *bufio.Reader
	left int64 // bytes in r
	head Record
}

func (s *stream) next() (bool, error) {
	if s.r == nil {
		if len(s.mem) == 0 {
			return false, nil
		}
		s.head, s.mem = s.mem[0], s.mem[1:]
		return true, nil
	}
	if s.left == 0 {
		return false, nil
	}
	b, err := s.r.Peek(Size)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return false, fmt.Errorf("read a temporary file: %w", err)
	}
	s.head.decode((*[Size]byte)(b))
	s.left -= Size
	_, err = s.r.Discard(Size)
	return true, err
}

type merge []*stream

func (m merge) Len() int           { return len(m) }
func (m merge) Less(i, j int) bool { return compare(&m[i].head, &m[j].head) < 0 }
func (m merge) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }
func (m *merge) Push(x any)        { *m = append(*m, x.(*stream)) }
func (m *merge) Pop() any {
	old := *m
	x := old[len(old)-1]
	*m = old[:len(old)-1]
	return x
}
