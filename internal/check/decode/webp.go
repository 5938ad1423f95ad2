package decode

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"

	"golang.org/x/image/riff"
	"golang.org/x/image/webp"
)

// webpAnimation and webpAlpha are bits of the chunk VP8X (RFC 9649, section 2.7.1).
const (
	webpAnimation = 1 << 1
	webpAlpha     = 1 << 4
)

// webpFile decodes a picture, or each frame of an animation, and asks for all chunks that its header counts: some come after the pixels.
func webpFile(ctx context.Context, src Source, r io.Reader) error {
	head, err := webpHead(src)
	if err != nil {
		return err
	}
	if animated(head) {
		return webpFrames(ctx, src, bufio.NewReaderSize(r, 64<<10))
	}
	if err := decoded(ctx, "webp", src, r, func(image.Image) {}); err != nil {
		return err
	}
	if int64(binary.LittleEndian.Uint32(head[4:]))+8 > src.Size() {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// webpHead is the head of a file and of its first chunk.
func webpHead(src Source) ([]byte, error) {
	head := make([]byte, 21)
	if _, err := io.ReadFull(io.NewSectionReader(marked{src}, 0, src.Size()), head); err != nil {
		return nil, err
	}
	return head, nil
}

func animated(head []byte) bool { return string(head[12:16]) == "VP8X" && head[20]&webpAnimation != 0 }

// webpFrames decodes all frames of an animation, one after the other.
func webpFrames(ctx context.Context, src Source, r io.Reader) error {
	form, chunks, err := riff.NewReader(r)
	if err != nil {
		return err
	}
	if string(form[:]) != "WEBP" {
		return errors.New("it does not begin as one")
	}
	guard := bombGuard(src.Size())
	var canvas [2]int64
	var skipped later
	for frames := 0; ; {
		id, size, data, err := chunks.Next()
		if errors.Is(err, io.EOF) && frames == 0 {
			return errors.New("it has no picture")
		}
		if errors.Is(err, io.EOF) {
			return skipped.err
		}
		if err != nil {
			return err
		}
		switch string(id[:]) {
		case "VP8X":
			var x [10]byte
			if _, err := io.ReadFull(data, x[:]); err != nil {
				return err
			}
			canvas = [2]int64{uint24(x[4:]) + 1, uint24(x[7:]) + 1}
		case "ANMF":
			frames++
			if err := skipped.after(webpFrame(ctx, data, int64(size), canvas, guard)); err != nil {
				return fmt.Errorf("frame %d: %w", frames, err)
			}
		}
	}
}

// webpFrame decodes one frame, which is shown to the decoder as a file.
func webpFrame(ctx context.Context, data io.Reader, size int64, canvas [2]int64, guard *expands) error {
	const header, vp8x = 16, 8 + 10 // bytes
	b := make([]byte, header+4)
	if _, err := io.ReadFull(data, b); err != nil {
		return err
	}
	width, height := uint24(b[6:])+1, uint24(b[9:])+1
	if 2*uint24(b)+width > canvas[0] || 2*uint24(b[3:])+height > canvas[1] {
		return fmt.Errorf("%d × %d pixels do not fit into %d × %d", width, height, canvas[0], canvas[1])
	}
	if err := guard.grow(width * height); err != nil {
		return err
	}
	release, err := room(ctx, width, height, decoders["webp"].cost)
	if err != nil {
		return err
	}
	defer release()
	file := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(size-header+4+vp8x))
	file = binary.LittleEndian.AppendUint32(append(file, "WEBPVP8X"...), 10)
	flags := byte(0)
	if string(b[header:]) == "ALPH" {
		flags = webpAlpha
	}
	file = append(append(file, flags, 0, 0, 0), b[6:12]...)
	_, err = webp.Decode(io.MultiReader(bytes.NewReader(append(file, b[header:]...)), data))
	return err
}

func uint24(b []byte) int64 { return int64(b[0]) | int64(b[1])<<8 | int64(b[2])<<16 }
