// Package pack is the immutable object that holds many blobs: docs/format.md, section 2. It knows that format over an
// io.Writer and an io.ReaderAt; it does not know where packs are kept, what the blobs mean or how they came to be compressed.
package pack

import (
	"encoding/binary"
	"errors"
	"fmt"

	"tarn/store/digest"
)

// Scheme says how the bytes of a blob are stored in a pack.
type Scheme uint8

// The schemes that exist; 2 is reserved for encryption, every other value is refused.
const (
	Stored Scheme = 0 // as they are; stored and raw length are the same
	Zstd   Scheme = 1 // one zstd frame (RFC 8878)
)

// Bounds of the format, in bytes.
const (
	MaxSize    = 1 << 30 // of a pack
	MaxRaw     = 1 << 30 // of a blob, uncompressed
	HeaderSize = 24      // what stands before the first blob

	recordSize  = 48
	trailerSize = 48
)

// ErrFormat says that bytes are no pack; it is wrapped by what Open returns for them.
var ErrFormat = errors.New("not a valid pack")

// Record says where one blob is in a pack; lengths and offset are in bytes.
type Record struct {
	Digest digest.Digest // of the blob, uncompressed
	Offset uint32        // in the pack, at least HeaderSize
	Stored uint32        // length in the pack, at least 1
	Raw    uint32        // length uncompressed, 1 to MaxRaw
	Scheme Scheme
}

const (
	headMagic = "tarn\x01k\x00\x00"
	tailMagic = "tarnpack"
)

// maxBlock is what a zstd block, of at least 4 bytes, can grow to; so Raw is bounded by Stored too.
const maxBlock = 128 << 10

// Check enforces what the format says about one record alone.
func (r Record) Check() error {
	switch {
	case r.Raw == 0 || r.Raw > MaxRaw:
		return fmt.Errorf("%w: blob %s has a raw length of %d bytes", ErrFormat, r.Digest.Short(), r.Raw)
	case r.Offset < HeaderSize || r.Stored == 0 || uint64(r.Offset)+uint64(r.Stored) > MaxSize:
		return fmt.Errorf("%w: blob %s is out of bounds", ErrFormat, r.Digest.Short())
	case r.Scheme == Stored && r.Raw != r.Stored:
		return fmt.Errorf("%w: blob %s is stored as it is, with two lengths", ErrFormat, r.Digest.Short())
	case r.Scheme == Zstd && uint64(r.Raw) > (uint64(r.Stored)/4+1)*maxBlock:
		return fmt.Errorf("%w: blob %s is longer than its frame can hold", ErrFormat, r.Digest.Short())
	case r.Scheme > Zstd:
		return fmt.Errorf("%w: blob %s has the unknown scheme %d", ErrFormat, r.Digest.Short(), r.Scheme)
	}
	return nil
}

func (r Record) append(b []byte) []byte {
	b = append(b, r.Digest[:]...)
	b = binary.LittleEndian.AppendUint32(b, r.Offset)
	b = binary.LittleEndian.AppendUint32(b, r.Stored)
	b = binary.LittleEndian.AppendUint32(b, r.Raw)
	return append(b, byte(r.Scheme), 0, 0, 0)
}

func parseRecord(b []byte) (Record, error) {
	r := Record{
		Digest: digest.Digest(b[:32]),
		Offset: binary.LittleEndian.Uint32(b[32:]),
		Stored: binary.LittleEndian.Uint32(b[36:]),
		Raw:    binary.LittleEndian.Uint32(b[40:]),
		Scheme: Scheme(b[44]),
	}
	if b[45]|b[46]|b[47] != 0 {
		return r, fmt.Errorf("%w: padding of the record of %s is not zero", ErrFormat, r.Digest.Short())
	}
	return r, r.Check()
}

// appendTrailer adds N, the checksum of head, footer and N, and the closing magic to the footer b.
func appendTrailer(b []byte, head []byte, n int) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(n))
	b = append(b, 0, 0, 0, 0)
	sum := checksum(head, b)
	b = append(b, sum[:]...)
	return append(b, tailMagic...)
}

func checksum(head, footer []byte) digest.Digest {
	h := digest.New()
	defer h.Release()
	h.Write(head)
	h.Write(footer)
	return h.Sum()
}
