package pack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"tarn/store/digest"
)

// ErrFull says that a blob does not fit: the pack would have more than MaxSize bytes. The pack is as it was.
var ErrFull = errors.New("the pack is full")

// bufferSize makes few writes of many small blobs, and hashing them fast.
const bufferSize = 256 << 10

// Summary is what was written.
type Summary struct {
	Name    digest.Digest // of the whole pack, its name
	Size    int64         // bytes
	Records []Record      // ascending by digest
}

// Writer writes one pack. It is not for concurrent use; after an error other than ErrFull or ErrExist it must not be used.
type Writer struct {
	w       io.Writer
	h       *digest.Hasher
	head    [HeaderSize]byte
	buf     []byte
	size    int64
	records []Record
	index   map[digest.Digest]struct{}
	err     error
}

// ErrExist says that the pack has that blob already. The pack is as it was.
var ErrExist = errors.New("the pack has that blob already")

// NewWriter begins a pack. The random bytes make its name unique, also for blobs that were packed before.
func NewWriter(w io.Writer, random [16]byte) (*Writer, error) {
	p := &Writer{w: w, h: digest.New(), buf: make([]byte, 0, bufferSize), index: map[digest.Digest]struct{}{}}
	copy(p.head[:], headMagic)
	copy(p.head[8:], random[:])
	return p, p.write(p.head[:])
}

// Add appends a blob: stored is what stands in the pack, d and raw (bytes) are of the uncompressed blob; the caller vouches for
// them. It keeps no reference to stored.
func (p *Writer) Add(d digest.Digest, scheme Scheme, raw uint32, stored []byte) (Record, error) {
	if p.err != nil {
		return Record{}, p.err
	}
	after := p.size + int64(len(stored)) + int64(len(p.records)+1)*recordSize + trailerSize
	if after > MaxSize {
		return Record{}, ErrFull
	}
	if _, ok := p.index[d]; ok {
		return Record{}, ErrExist
	}
	r := Record{Digest: d, Offset: uint32(p.size), Stored: uint32(len(stored)), Raw: raw, Scheme: scheme}
	if err := r.Check(); err != nil {
		return r, err
	}
	if err := p.write(stored); err != nil {
		return r, err
	}
	p.index[d] = struct{}{}
	p.records = append(p.records, r)
	return r, nil
}

// Size is the length of the pack, in bytes, if it were closed now.
func (p *Writer) Size() int64 { return p.size + int64(len(p.records))*recordSize + trailerSize }

// Size is the length in bytes of a pack of so many blobs, with so many stored bytes in all.
func Size(blobs int, stored int64) int64 {
	return HeaderSize + stored + int64(blobs)*recordSize + trailerSize
}

// Len is the number of blobs.
func (p *Writer) Len() int { return len(p.records) }

// Close writes the footer. It closes nothing and syncs nothing; the pack is whole when the bytes are durable.
func (p *Writer) Close() (Summary, error) {
	if p.err != nil {
		return Summary{}, p.err
	}
	slices.SortFunc(p.records, func(a, b Record) int { return bytes.Compare(a.Digest[:], b.Digest[:]) })
	footer := make([]byte, 0, len(p.records)*recordSize+trailerSize)
	for _, r := range p.records {
		footer = r.append(footer)
	}
	if err := p.write(appendTrailer(footer, p.head[:], len(p.records))); err != nil {
		return Summary{}, err
	}
	if err := p.flush(); err != nil {
		return Summary{}, err
	}
	s := Summary{Name: p.h.Sum(), Size: p.size, Records: p.records}
	p.h.Release()
	p.buf, p.index = nil, nil
	p.err = errors.New("write pack: it is closed")
	return s, nil
}

// write buffers b, or passes it on where it is larger than the buffer.
func (p *Writer) write(b []byte) error {
	p.size += int64(len(b))
	if len(p.buf)+len(b) <= cap(p.buf) {
		p.buf = append(p.buf, b...)
		return nil
	}
	if err := p.flush(); err != nil {
		return err
	}
	if len(b) > cap(p.buf)/2 {
		return p.out(b)
	}
	p.buf = append(p.buf, b...)
	return nil
}

func (p *Writer) flush() error {
	err := p.out(p.buf)
	p.buf = p.buf[:0]
	return err
}

func (p *Writer) out(b []byte) error {
	p.h.Write(b)
	if n, err := p.w.Write(b); err != nil || n < len(b) {
		if err == nil {
			err = io.ErrShortWrite
		}
		p.err = fmt.Errorf("write pack: %w", err)
	}
	return p.err
}
