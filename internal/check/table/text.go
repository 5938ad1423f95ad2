package table

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
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
	switch {
	case bytes.HasPrefix(b, utf8BOM):
		head.Discard(len(utf8BOM))
	case enc == "" && (bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff"))):
		enc = "utf-16"
	}
	e, ok := encodings[enc]
	if !ok {
		return nil, "", fmt.Errorf("unknown encoding %q", enc)
	}
	if e == nil {
		return head, "", nil
	}
	return transform.NewReader(head, e.NewDecoder()), enc, nil
}

var encodings = map[string]encoding.Encoding{
	"": nil, "utf-8": nil, "utf-16": unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), "utf-16le": unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM),
	"utf-16be": unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "iso-8859-1": charmap.ISO8859_1, "windows-1252": charmap.Windows1252,
}

func sniffCompression(src Source) string {
	head := make([]byte, 4)
	n, _ := src.ReadAt(head, 0)
	switch head = head[:n]; {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return "gzip"
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		return "zstd"
	case bytes.HasPrefix(head, []byte("BZh")):
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
