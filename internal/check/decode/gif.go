package decode

import (
	"bufio"
	"compress/lzw"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// gifFile reads all frames of a GIF without keeping any: together they may be very large (GIF89a, sections 17 to 27).
func gifFile(_ context.Context, src Source, r io.Reader) error {
	g := &gifReader{r: bufio.NewReader(r), guard: bombGuard(src.Size())}
	head, err := g.bytes(13)
	if err != nil {
		return err
	}
	if v := string(head[:6]); v != "GIF87a" && v != "GIF89a" {
		return errors.New("it does not begin as one")
	}
	if err := g.colors(head[10]); err != nil {
		return err
	}
	for frames := 0; ; {
		block, err := g.r.ReadByte()
		if err != nil {
			return noEOF(err)
		}
		switch block {
		case 0x3b:
			if frames == 0 {
				return errors.New("it has no picture")
			}
			return nil
		case 0x21:
			if _, err := g.bytes(1); err != nil {
				return err
			}
			if _, err := io.Copy(io.Discard, &subBlocks{r: g.r}); err != nil {
				return err
			}
		case 0x2c:
			frames++
			if err := g.frame(); err != nil {
				return fmt.Errorf("frame %d: %w", frames, err)
			}
		default:
			return fmt.Errorf("unknown block %#02x", block)
		}
	}
}

type gifReader struct {
	r     *bufio.Reader
	guard *expands
}

func (g *gifReader) bytes(n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(g.r, b)
	return b, noEOF(err)
}

// colors skips a table of colors, if the flags say that one follows.
func (g *gifReader) colors(flags byte) error {
	if flags&0x80 == 0 {
		return nil
	}
	_, err := g.bytes(3 << (flags&7 + 1))
	return err
}

// frame decodes one picture: as many pixels as it says, and the end of its blocks.
func (g *gifReader) frame() error {
	d, err := g.bytes(9)
	if err != nil {
		return err
	}
	if err := g.colors(d[8]); err != nil {
		return err
	}
	width, err := g.r.ReadByte()
	if err != nil {
		return noEOF(err)
	}
	if width < 2 || width > 8 {
		return fmt.Errorf("pixels of %d bits", width)
	}
	blocks := &subBlocks{r: g.r}
	z := lzw.NewReader(bufio.NewReader(blocks), lzw.LSB, int(width))
	defer z.Close()
	pixels := int64(binary.LittleEndian.Uint16(d[4:])) * int64(binary.LittleEndian.Uint16(d[6:]))
	n, err := io.CopyN(g.guard, z, pixels)
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("it has %d pixels of %d", n, pixels)
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, blocks)
	return err
}

// subBlocks joins the blocks of at most 255 bytes that data come in.
type subBlocks struct {
	r    *bufio.Reader
	left int
	end  bool
}

func (s *subBlocks) Read(p []byte) (int, error) {
	for s.left == 0 {
		if s.end {
			return 0, io.EOF
		}
		n, err := s.r.ReadByte()
		if err != nil {
			return 0, noEOF(err)
		}
		s.left, s.end = int(n), n == 0
	}
	n, err := s.r.Read(p[:min(len(p), s.left)])
	s.left -= n
	return n, noEOF(err)
}

// noEOF says that an end is too early.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
