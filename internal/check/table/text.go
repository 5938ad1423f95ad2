package table

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/transform"
)

// openText gives the text of a file, uncompressed, in UTF-8, without a byte order mark.
func openText(ctx context.Context, src Source, compression, enc string) (io.Reader, error) {
	r, _, err := openTextAs(ctx, src, compression, enc)
	return r, err
}

// openTextAs also says in which encoding the file is; "" is UTF-8.
func openTextAs(ctx context.Context, src Source, compression, enc string) (io.Reader, string, error) {
	if s, ok := src.(interface{ Sequential() }); ok {
		s.Sequential()
	}
	var r io.Reader = &contextReader{ctx, io.NewSectionReader(src, 0, src.Size())}
	if compression == "" {
		compression = sniffCompression(src)
	}
	r, err := decompress(r, compression)
	if err != nil {
		return nil, "", err
	}
	head := bufio.NewReaderSize(r, 64<<10)
	b, err := head.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, "", noteRead(err)
	}
	for mark, of := range boms {
		if !bytes.HasPrefix(b, []byte(mark)) {
			continue
		}
		if enc == "" || of == "" || enc == "utf-16" { // a table in UTF-8 may have the mark of UTF-8 whatever the contract says
			enc = of
		}
		if enc == of {
			head.Discard(len(mark))
		}
	}
	switch enc {
	case "", "utf-8":
		return head, "", nil
	case "utf-16", "utf-16le":
		return transform.NewReader(head, &utf16Decoder{order: binary.LittleEndian}), enc, nil
	case "utf-16be":
		return transform.NewReader(head, &utf16Decoder{order: binary.BigEndian}), enc, nil
	case "iso-8859-1":
		return transform.NewReader(head, newByteDecoder(charmap.ISO8859_1)), enc, nil
	case "windows-1252":
		return transform.NewReader(head, newByteDecoder(charmap.Windows1252)), enc, nil
	}
	return nil, "", fmt.Errorf("unknown encoding %q", enc)
}

// boms are the byte order marks, with the encodings that they say.
var boms = map[string]string{string(utf8BOM): "", "\xff\xfe": "utf-16le", "\xfe\xff": "utf-16be"}

// utf16Decoder makes UTF-8 of UTF-16. What is no character, as half a pair or half a unit, becomes a byte that no UTF-8 has, so that it is seen.
type utf16Decoder struct {
	transform.NopResetter
	order binary.ByteOrder
}

func (d *utf16Decoder) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		if len(dst)-nDst < utf8.UTFMax {
			return nDst, nSrc, transform.ErrShortDst
		}
		left := src[nSrc:]
		if !atEOF && len(left) < 4 {
			return nDst, nSrc, transform.ErrShortSrc
		}
		if len(left) < 2 {
			dst[nDst] = noByte
			return nDst + 1, len(src), nil
		}
		r, size := rune(d.order.Uint16(left)), 2
		if utf16.IsSurrogate(r) && len(left) >= 4 {
			if pair := utf16.DecodeRune(r, rune(d.order.Uint16(left[2:]))); pair != utf8.RuneError {
				r, size = pair, 4
			}
		}
		if nSrc += size; utf16.IsSurrogate(r) {
			dst[nDst] = noByte
			nDst++
		} else {
			nDst += utf8.EncodeRune(dst[nDst:], r)
		}
	}
	return nDst, nSrc, nil
}

const noByte = 0xff

// byteDecoder makes UTF-8 of an encoding with a byte a character: it has the UTF-8 of each. What is no character becomes a byte that no UTF-8 has.
type byteDecoder struct {
	transform.NopResetter
	chars [256][]byte
}

func newByteDecoder(m *charmap.Charmap) *byteDecoder {
	var d byteDecoder
	for i := range d.chars {
		if r := m.DecodeByte(byte(i)); r != utf8.RuneError {
			d.chars[i] = utf8.AppendRune(nil, r)
		} else {
			d.chars[i] = []byte{noByte}
		}
	}
	return &d
}

func (d *byteDecoder) Transform(dst, src []byte, _ bool) (nDst, nSrc int, err error) {
	for _, c := range src {
		if len(dst)-nDst < utf8.UTFMax {
			return nDst, nSrc, transform.ErrShortDst
		}
		if nSrc++; c < utf8.RuneSelf {
			dst[nDst] = c
			nDst++
		} else {
			nDst += copy(dst[nDst:], d.chars[c])
		}
	}
	return nDst, nSrc, nil
}

func sniffCompression(src Source) string {
	head := make([]byte, 10)
	n, _ := src.ReadAt(head, 0)
	switch head = head[:n]; {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return "gzip"
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		return "zstd"
	case len(head) == 10 && bytes.HasPrefix(head, []byte("BZh")) && (string(head[4:]) == "1AY&SY" || string(head[4:]) == "\x17rE8P\x90"): // the begin of a block, or of the end
		return "bzip2"
	}
	return ""
}

// zstdWindow bounds the memory that a frame may ask for.
const zstdWindow = 128 << 20

func decompress(r io.Reader, compression string) (io.Reader, error) {
	switch compression {
	case "gzip":
		z, err := gzip.NewReader(bufio.NewReaderSize(r, 64<<10))
		if err != nil {
			return nil, compressed(err)
		}
		return &compressedReader{z}, nil
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, compressed(err)
		}
		return &compressedReader{z}, nil
	case "bzip2":
		return &compressedReader{bzip2.NewReader(r)}, nil
	}
	return r, nil
}

func compressed(err error) error {
	var pass *readError
	if errors.As(err, &pass) {
		return pass.error
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return failure(CodeCompress, 0, "can't be decompressed: %v", err)
}

// compressedReader says which errors are about the data.
type compressedReader struct{ r io.Reader }

func (c *compressedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if err != nil && err != io.EOF {
		err = compressed(err)
	}
	return n, err
}

// readError is an error of the machine on its way through a decompressor.
type readError struct{ error }

func (e *readError) Unwrap() error { return e.error }

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, &readError{err}
	}
	n, err := c.r.Read(p)
	if err != nil && err != io.EOF {
		err = &readError{err}
	}
	return n, err
}
