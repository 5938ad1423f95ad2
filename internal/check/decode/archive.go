package decode

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// zipEntries is how many entries of a zip are read.
const zipEntries = 10_000_000

// zstdWindow is how many bytes a decoder of zstd may look back.
const zstdWindow = 128 << 20

func zipFile(ctx context.Context, src Source, _ io.Reader) error { return eachZip(ctx, src, nil) }

// eachZip reads all entries to their ends, so that their checksums are compared; look sees those that it wants first. Methods are those of APPNOTE.TXT,
// section 4.4.5.
func eachZip(ctx context.Context, src Source, look func(name string, r io.Reader) error) error {
	z, err := zip.NewReader(marked{src}, src.Size())
	if err != nil {
		return err
	}
	if len(z.File) > zipEntries {
		return fmt.Errorf("it has more than %d entries", zipEntries)
	}
	z.RegisterDecompressor(12, func(r io.Reader) io.ReadCloser { return io.NopCloser(bzip2.NewReader(r)) })
	z.RegisterDecompressor(zstd.ZipMethodWinZip, zstd.ZipDecompressor(zstd.WithDecoderMaxWindow(zstdWindow)))
	guard := bombGuard(src.Size())
	var skipped later
	for _, f := range z.File {
		if err := ctx.Err(); err != nil {
			return err
		}
		if f.FileInfo().IsDir() {
			continue
		}
		if err := zipEntry(f, guard, look); err != nil {
			if err := skipped.after(fmt.Errorf("entry %.100q: %w", f.Name, err)); err != nil {
				return err
			}
		}
	}
	return skipped.err
}

func zipEntry(f *zip.File, guard *expands, look func(string, io.Reader) error) error {
	if f.Flags&1 != 0 {
		return fmt.Errorf("%w: it is encrypted", ErrUnsupported)
	}
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	if look != nil {
		if err := look(f.Name, io.TeeReader(r, guard)); err != nil {
			return err
		}
	}
	_, err = io.Copy(guard, r)
	return err
}

func tarFile(_ context.Context, src Source, r io.Reader) error { return readTar(r, src.Size()) }

// readTar reads all entries, and asks for the two blocks of zeros at the end: a tar that is cut between two entries has nothing else that is wrong.
func readTar(r io.Reader, size int64) error {
	tail := &tailReader{r: r}
	t := tar.NewReader(tail)
	guard := bombGuard(size)
	entries := 0
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		entries++
		if _, err := io.Copy(guard, t); err != nil {
			return fmt.Errorf("entry %.100q: %w", h.Name, err)
		}
	}
	if _, err := io.Copy(guard, tail); err != nil {
		return err
	}
	if n := len(tail.last); n < 1024 || bytes.Count(tail.last[n-1024:], []byte{0}) != 1024 {
		return errors.New("the two blocks of zeros at its end are missing: it may be cut off")
	}
	return nil
}

// tailReader remembers the last bytes that went through it.
type tailReader struct {
	r    io.Reader
	last []byte
}

func (t *tailReader) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.last = append(t.last, p[:n]...)
	if over := len(t.last) - 1024; over > 0 {
		t.last = append(t.last[:0], t.last[over:]...)
	}
	return n, err
}

func gunzip(r io.Reader) (io.Reader, error) { return gzip.NewReader(bufio.NewReaderSize(r, 64<<10)) }

func unzstd(r io.Reader) (io.Reader, error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	return z, nil
}

func gzipFile(_ context.Context, src Source, r io.Reader) error { return expand(src, r, gunzip, nil) }
func zstdFile(_ context.Context, src Source, r io.Reader) error { return expand(src, r, unzstd, nil) }
func tarGzip(_ context.Context, src Source, r io.Reader) error {
	return expand(src, r, gunzip, readTar)
}
func tarZstd(_ context.Context, src Source, r io.Reader) error {
	return expand(src, r, unzstd, readTar)
}

func expand(src Source, r io.Reader, open func(io.Reader) (io.Reader, error), inner func(io.Reader, int64) error) error {
	z, err := open(r)
	if err != nil {
		return err
	}
	if inner != nil {
		if err := inner(z, src.Size()); err != nil {
			return err
		}
	}
	_, err = io.Copy(bombGuard(src.Size()), z)
	return err
}

func npzFile(ctx context.Context, src Source, _ io.Reader) error {
	return eachZip(ctx, src, func(name string, r io.Reader) error {
		if !strings.HasSuffix(name, ".npy") {
			return nil
		}
		return npy(r)
	})
}
