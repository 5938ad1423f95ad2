package pack

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sort"

	"tarn/store/digest"
)

// Reader is the checked footer of a pack.
type Reader struct {
	records []Record
}

// tailGuess is read at once, in the hope that the footer is no longer: one read for a pack of some hundred blobs.
const tailGuess = 32 << 10

// Open reads header, footer and trailer of a pack of size bytes, and checks them: the checksum, and that the records are in
// order and cover the pack from the header to the footer without a gap or an overlap. The blobs are not read.
// What is no pack is an error that wraps ErrFormat.
func Open(r io.ReaderAt, size int64) (*Reader, error) {
	if size < HeaderSize+trailerSize || size > MaxSize {
		return nil, fmt.Errorf("%w: it has %d bytes", ErrFormat, size)
	}
	var head [HeaderSize]byte
	if err := readFull(r, head[:], 0); err != nil {
		return nil, err
	}
	tail := make([]byte, min(size-HeaderSize, tailGuess))
	if err := readFull(r, tail, size-int64(len(tail))); err != nil {
		return nil, err
	}
	n, err := parseCount(tail, size)
	if err != nil {
		return nil, err
	}
	footer := tail[max(0, len(tail)-n*recordSize-trailerSize):]
	if missing := n*recordSize + trailerSize - len(tail); missing > 0 {
		footer = make([]byte, missing+len(tail))
		copy(footer[missing:], tail)
		if err := readFull(r, footer[:missing], size-int64(len(footer))); err != nil {
			return nil, err
		}
	}
	return parseFooter(head[:], footer, size)
}

func readFull(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read pack: %w", err)
}

// parseCount bounds N by what fits into size, so that a hostile trailer makes us allocate no more than the pack is long.
func parseCount(tail []byte, size int64) (int, error) {
	t := tail[len(tail)-trailerSize:]
	if string(t[40:]) != tailMagic {
		return 0, fmt.Errorf("%w: wrong magic at its end", ErrFormat)
	}
	n := int64(binary.LittleEndian.Uint32(t))
	if n > (size-HeaderSize-trailerSize)/(recordSize+1) {
		return 0, fmt.Errorf("%w: its footer does not fit into it", ErrFormat)
	}
	return int(n), nil
}

// parseFooter checks head and footer (with its trailer) of a pack of size bytes.
func parseFooter(head, footer []byte, size int64) (*Reader, error) {
	n := len(footer)/recordSize - 1 // the trailer is as long as a record
	if string(head[:8]) != headMagic {
		return nil, fmt.Errorf("%w: wrong magic, format or kind", ErrFormat)
	}
	t := footer[len(footer)-trailerSize:]
	if t[4]|t[5]|t[6]|t[7] != 0 {
		return nil, fmt.Errorf("%w: padding of the trailer is not zero", ErrFormat)
	}
	if sum := checksum(head, footer[:len(footer)-40]); !bytes.Equal(sum[:], t[8:40]) {
		return nil, fmt.Errorf("%w: wrong checksum", ErrFormat)
	}
	p := &Reader{records: make([]Record, n)}
	for i := range p.records {
		r, err := parseRecord(footer[i*recordSize:])
		if err != nil {
			return nil, err
		}
		if i > 0 && r.Digest.Compare(p.records[i-1].Digest) <= 0 {
			return nil, fmt.Errorf("%w: blob %s is out of order", ErrFormat, r.Digest.Short())
		}
		p.records[i] = r
	}
	return p, p.checkCover(size - int64(len(footer)))
}

// checkCover refuses gaps and overlaps between HeaderSize and end.
func (p *Reader) checkCover(end int64) error {
	order := make([]uint64, len(p.records)) // offset, then length
	for i, r := range p.records {
		order[i] = uint64(r.Offset)<<32 | uint64(r.Stored)
	}
	slices.Sort(order)
	at := uint64(HeaderSize)
	for _, o := range order {
		if o>>32 != at {
			return fmt.Errorf("%w: gap or overlap at byte %d", ErrFormat, min(at, o>>32))
		}
		at += o & 0xffffffff
	}
	if at != uint64(end) {
		return fmt.Errorf("%w: its blobs end at byte %d, its footer begins at %d", ErrFormat, at, end)
	}
	return nil
}

// Records are those of all blobs, ascending by digest; the caller must not change them.
func (p *Reader) Records() []Record { return p.records }

// Find looks for one blob.
func (p *Reader) Find(d digest.Digest) (Record, bool) {
	i, ok := sort.Find(len(p.records), func(i int) int { return d.Compare(p.records[i].Digest) })
	if !ok {
		return Record{}, false
	}
	return p.records[i], true
}
