package pack

import (
	"bytes"
	"fmt"
	"math"

	"github.com/klauspost/compress/zstd"
)

// Bounds of the level of an Encoder: zstd's, of which the highest are not offered, since they take many times longer for a few per cent.
const (
	LevelStored  = 0 // no compression
	LevelDefault = 1 // the fastest: text shrinks to a third or less of it at about the speed of a network, and what does not compress costs next to nothing
	LevelMost    = 9
)

// keepShare is what compression must save at least, as a share of the blob: less is not worth the time of whoever reads it.
const keepShare = 16

// leastRaw is the size of a blob, in bytes, below which a frame's own bytes eat up what compression saves.
const leastRaw = 64

// A sample of a blob tells whether it is worth a try: zstd gains nothing, or a few per cent, where the bytes of a sample are nearly as evenly spread as
// random ones, whose entropy in a sample of this size is 7.95 bits a byte. (PNG, JPEG, Parquet with its pages compressed, archives: 7.90 to 7.96; weights in 32-bit
// floats 7.3, in 16-bit ones 6.2, text 3 to 5.)
const (
	samplePieces  = 16
	samplePiece   = 256 // bytes
	sampleEntropy = 7.89
)

// Encoder decides how blobs stand in packs. It is safe for concurrent use.
type Encoder struct{ z *zstd.Encoder }

// NewEncoder makes one for a level from LevelStored to LevelMost.
func NewEncoder(level int) (*Encoder, error) {
	if level == LevelStored {
		return &Encoder{}, nil
	}
	if level < LevelStored || level > LevelMost {
		return nil, fmt.Errorf("compression level %d, want %d to %d", level, LevelStored, LevelMost)
	}
	// No checksum, as every blob is checked against its digest.
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)), zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("compression level %d: %w", level, err)
	}
	return &Encoder{z}, nil
}

// Encode returns what is to stand in the pack for raw: a frame where that saves a sixteenth of the bytes or more, else raw itself. A frame was
// decoded again before it is returned, for after the upload nobody has the bytes to mend it with.
func (e *Encoder) Encode(raw []byte) (stored []byte, scheme Scheme, err error) {
	if e.z == nil || len(raw) < leastRaw || isDense(raw) {
		return raw, Stored, nil
	}
	frame := e.z.EncodeAll(raw, make([]byte, 0, len(raw)/2+64))
	if len(frame) > len(raw)-len(raw)/keepShare {
		return raw, Stored, nil
	}
	rec := Record{Offset: HeaderSize, Stored: uint32(len(frame)), Raw: uint32(len(raw)), Scheme: Zstd}
	if rec.Check() != nil {
		return raw, Stored, nil // so compressible that the bound on frames refuses it
	}
	back, err := decompress(nil, rec, frame)
	if err == nil && !bytes.Equal(back, raw) {
		err = fmt.Errorf("%w: other bytes came back", ErrBlob)
	}
	if err != nil {
		return nil, Zstd, fmt.Errorf("compress blob: %w", err)
	}
	return frame, Zstd, nil
}

// isDense says that raw looks like random bytes, as compressed data do.
func isDense(raw []byte) bool {
	const n = samplePieces * samplePiece
	if len(raw) < n {
		return false
	}
	var counts [256]uint16
	step := (len(raw) - samplePiece) / (samplePieces - 1)
	for i := range samplePieces {
		for _, b := range raw[i*step : i*step+samplePiece] {
			counts[b]++
		}
	}
	var sum float64
	for _, c := range counts {
		if c > 0 {
			sum += float64(c) * math.Log2(float64(c))
		}
	}
	return math.Log2(n)-sum/n >= sampleEntropy
}
