package pack

import (
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"

	"tarn/store/digest"
)

// ErrBlob says that stored bytes can't be decoded as their record says; it wraps digest.ErrMismatch.
var ErrBlob = fmt.Errorf("undecodable blob: %w", digest.ErrMismatch)

// decoder is shared: DecodeAll may be called at once. It never grows its output beyond the capacity that Decode gives it.
var decoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(MaxRaw), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic(err) // the options are constant
	}
	return d
})

// Decode returns the blob of rec, verified; stored are its bytes in the pack. For the scheme Stored the result is stored
// itself. Bytes that are not the blob's are an error that wraps digest.ErrMismatch, and ErrBlob where they can't even be decoded.
func Decode(rec Record, stored []byte) ([]byte, error) {
	return DecodeInto(nil, rec, stored)
}

// DecodeInto is Decode with the space for the result: buf is used where its capacity suffices, and overwritten.
func DecodeInto(buf []byte, rec Record, stored []byte) ([]byte, error) {
	if err := rec.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBlob, err)
	}
	if len(stored) != int(rec.Stored) {
		return nil, fmt.Errorf("%w: blob %s has %d stored bytes, want %d", ErrBlob, rec.Digest.Short(), len(stored), rec.Stored)
	}
	raw := stored
	if rec.Scheme == Zstd {
		var err error
		if raw, err = decompress(buf, rec, stored); err != nil {
			return nil, fmt.Errorf("%w: decompress blob %s: %w", ErrBlob, rec.Digest.Short(), err)
		}
	}
	if len(raw) != int(rec.Raw) {
		return nil, fmt.Errorf("%w: blob %s has %d bytes, want %d", ErrBlob, rec.Digest.Short(), len(raw), rec.Raw)
	}
	if got := digest.Sum(raw); got != rec.Digest {
		return nil, fmt.Errorf("%w: want %s, got %s", digest.ErrMismatch, rec.Digest.Short(), got.Short())
	}
	return raw, nil
}

func decompress(buf []byte, rec Record, stored []byte) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(stored); err != nil {
		return nil, err
	}
	if h.Skippable || h.HasFCS && h.FrameContentSize != uint64(rec.Raw) {
		return nil, fmt.Errorf("its frame promises %d bytes, want %d", h.FrameContentSize, rec.Raw)
	}
	if cap(buf) < int(rec.Raw) {
		buf = make([]byte, 0, rec.Raw)
	}
	return decoder().DecodeAll(stored, buf[:0:rec.Raw])
}

// ReadBlob reads and decodes one blob of the pack r; errors are those of Decode, or of r.
func ReadBlob(r io.ReaderAt, rec Record) ([]byte, error) {
	if err := rec.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBlob, err)
	}
	stored := make([]byte, rec.Stored)
	if err := readFull(r, stored, int64(rec.Offset)); err != nil {
		return nil, err
	}
	return Decode(rec, stored)
}
