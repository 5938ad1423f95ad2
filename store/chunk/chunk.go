// Package chunk cuts the bytes of a large file at places that its content chooses (FastCDC: Xia et al., USENIX ATC 2016), so that an insert
// or an append moves few cuts. It is pure: the same bytes give the same chunks everywhere, forever. A chunker is frozen by its
// ID, which stands in a remote's tarn.json; another way to cut is another ID.
package chunk

import (
	"encoding/binary"
	"io"
	"math/bits"

	"tarn/store/digest"
)

// ID names this chunker with its parameters; the golden test pins its cuts.
const ID = "fastcdc-1"

// Bounds of a chunk and of the files that are cut at all, in bytes. A chunk is below Min only at the end of a file.
const (
	Min       = 32 << 10
	Avg       = 128 << 10
	Max       = 512 << 10
	Threshold = 1 << 20 // a smaller file is one blob
)

// Sizes are the parameters of a chunker, in bytes; Avg is a power of two. They are there to compare: tarn cuts as Cut does.
type Sizes struct{ Min, Avg, Max int }

var (
	frozen = Sizes{Min, Avg, Max}
	gear   = table()
)

func mask(n int) uint64 { return (1<<n - 1) << (64 - n) }

// table is 256 words of BLAKE3("tarn fastcdc-1 gear", i), so that it needs no listing.
func table() *[256]uint64 {
	var t [256]uint64
	for i := range t {
		d := digest.Sum(append([]byte("tarn fastcdc-1 gear"), byte(i)))
		t[i] = binary.LittleEndian.Uint64(d[:])
	}
	return &t
}

// Cut returns the length of the first chunk of b, 1 to Max. b must hold Max bytes, or all that is left of the file (at least 1).
func Cut(b []byte) int { return frozen.Cut(b) }

// Cut is the function Cut with other sizes.
func (s Sizes) Cut(b []byte) int {
	if len(b) <= s.Min {
		return len(b)
	}
	// Normalised chunking, level 2: cutting is harder before Avg and easier after it. High bits, since those of a gear hash have seen the most bytes.
	maskHard, maskEasy := mask(bits.TrailingZeros(uint(s.Avg))+2), mask(bits.TrailingZeros(uint(s.Avg))-2)
	n, mid := min(len(b), s.Max), min(len(b), s.Avg)
	var h uint64
	i := s.Min
	for ; i < mid; i++ {
		if h = h<<1 + gear[b[i]]; h&maskHard == 0 {
			return i + 1
		}
	}
	for ; i < n; i++ {
		if h = h<<1 + gear[b[i]]; h&maskEasy == 0 {
			return i + 1
		}
	}
	return n
}

// Splitter cuts what a reader gives. Not for concurrent use.
type Splitter struct {
	r          io.Reader
	buf        []byte
	start, end int
	eof        bool
}

// NewSplitter cuts r into chunks; it holds 4 × Max bytes.
func NewSplitter(r io.Reader) *Splitter { return &Splitter{r: r, buf: make([]byte, 4*Max)} }

// Next returns the next chunk, valid until the call after it, and io.EOF after the last.
func (s *Splitter) Next() ([]byte, error) {
	if s.end-s.start < Max && !s.eof {
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
	if s.start == s.end {
		return nil, io.EOF
	}
	n := Cut(s.buf[s.start:s.end])
	c := s.buf[s.start : s.start+n]
	s.start += n
	return c, nil
}

func (s *Splitter) fill() error {
	s.end = copy(s.buf, s.buf[s.start:s.end])
	s.start = 0
	n, err := io.ReadFull(s.r, s.buf[s.end:])
	s.end += n
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		s.eof = true
		return nil
	}
	return err
}
