// Package decode reads files to their last byte as what they are: pictures, archives, arrays, tables, JSON, text. What it finds wrong is an *Error;
// it keeps nothing of what it reads, and bounds what a file can make it allocate.
package decode

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image/jpeg"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// Source is the bytes of a file. One that has a method Sequential() is told by it that it will be read from begin to end.
type Source interface {
	io.ReaderAt
	Size() int64
}

// Error is a file that can't be decoded: its bytes are to blame.
type Error struct {
	Kind string
	Note string
}

func (e *Error) Error() string { return fmt.Sprintf("not a whole %s: %s", e.Kind, e.Note) }

// ErrUnknown says that nothing is known about the format of a file.
var ErrUnknown = errors.New("unknown format")

// ErrTooLarge says that a file would need more memory than it may have; nothing is said about its bytes.
var ErrTooLarge = errors.New("it is too large to be decoded")

// ErrUnsupported says that a file is in a form of its format that can't be decoded here; nothing is said about its bytes.
var ErrUnsupported = errors.New("it is in a form that can't be decoded")

// errMachine marks errors of reading, which are not the file's fault.
type errMachine struct{ error }

func (e *errMachine) Unwrap() error { return e.error }

var kinds = map[string]func(ctx context.Context, src Source, r io.Reader) error{
	"jpeg": picture("jpeg"), "png": picture("png"), "gif": gifFile, "webp": webpFile, "tiff": tiffFile, "bmp": picture("bmp"),
	"zip": zipFile, "tar": tarFile, "gzip": gzipFile, "zstd": zstdFile, "tar.gz": tarGzip, "tar.zst": tarZstd,
	"parquet": tableFile("parquet"), "csv": tableFile("csv"), "tsv": tableFile("tsv"), "jsonl": tableFile("jsonl"),
	"json": jsonFile, "npy": npyFile, "npz": npzFile, "safetensors": safetensorsFile,
}

var extensions = map[string]string{".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png", ".gif": "gif", ".webp": "webp", ".tif": "tiff", ".tiff": "tiff", ".bmp": "bmp", ".zip": "zip", ".jar": "zip",
	".docx": "zip", ".xlsx": "zip", ".tar": "tar", ".tgz": "tar.gz", ".gz": "gzip", ".zst": "zstd", ".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl",
	".ndjson": "jsonl", ".json": "json", ".geojson": "json", ".ipynb": "json", ".npy": "npy", ".npz": "npz", ".safetensors": "safetensors"}

// inPlaces are the kinds of which not all is read in order.
var inPlaces = []string{"zip", "npz", "tiff", "parquet"}

var magics = []struct{ magic, kind string }{{"\xff\xd8\xff", "jpeg"}, {"\x89PNG\r\n", "png"}, {"GIF8", "gif"}, {"II*\x00", "tiff"}, {"MM\x00*", "tiff"}, {"PK\x03\x04", "zip"}, {"\x1f\x8b", "gzip"},
	{"\x28\xb5\x2f\xfd", "zstd"}, {"PAR1", "parquet"}, {"\x93NUMPY", "npy"}}

// kindOf is what a name, or else the first bytes, say that a file is.
func kindOf(name string, src Source) string {
	name = strings.ToLower(name)
	for _, ext := range []string{"tar.gz", "tar.zst"} {
		if strings.HasSuffix(name, "."+ext) {
			return ext
		}
	}
	for _, ext := range []string{".csv.", ".tsv.", ".jsonl.", ".ndjson."} { // the reader of tables takes the compression off
		if base, last := strings.TrimSuffix(name, path.Ext(name)), path.Ext(name); (last == ".gz" || last == ".zst" || last == ".bz2") && strings.HasSuffix(base+".", ext) {
			return extensions[path.Ext(base)]
		}
	}
	if k, ok := extensions[path.Ext(name)]; ok {
		return k
	}
	head := make([]byte, 12)
	n, _ := src.ReadAt(head, 0)
	for _, m := range magics {
		if bytes.HasPrefix(head[:n], []byte(m.magic)) {
			return m.kind
		}
	}
	if n == 12 && string(head[:4]) == "RIFF" && string(head[8:]) == "WEBP" {
		return "webp"
	}
	return ""
}

// Known says that a file's name alone says how it is decoded.
func Known(name string) bool { return kindOf(name, bytes.NewReader(nil)) != "" }

// File decodes a file to its end; as says what it is, "" leaves that to its name and its first bytes. Errors: *Error, ErrUnknown, ErrTooLarge, ErrUnsupported, what else
// stops it.
func File(ctx context.Context, name string, src Source, as string) error {
	kind := as
	if kind == "" {
		kind = kindOf(name, src)
	}
	do, ok := kinds[kind]
	if !ok {
		return ErrUnknown
	}
	return safely(kind, src, func() error {
		return do(ctx, src, &reader{ctx: ctx, r: io.NewSectionReader(marked{src}, 0, src.Size())})
	})
}

// safely says of what a decoder does whose fault it is.
func safely(kind string, src Source, do func() error) (err error) {
	defer func() { // decoders of others may panic on bytes that nobody thought of
		if p := recover(); p != nil {
			err = &Error{kind, fmt.Sprint(p)}
		}
	}()
	if src.Size() == 0 {
		return &Error{kind, "the file is empty"}
	}
	if !slices.Contains(inPlaces, kind) {
		sequential(src)
	}
	return judge(kind, do())
}

func sequential(src Source) {
	if s, ok := src.(interface{ Sequential() }); ok {
		s.Sequential()
	}
}

// judge says whose fault an error is.
func judge(kind string, err error) error {
	var machine *errMachine
	var known *Error
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.As(err, &machine):
		return machine.error
	case undecided(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	case unsupported(err):
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		part, ok := strings.CutSuffix(err.Error(), "EOF") // what is before it may say which part of the file ends
		if !ok {
			part = ""
		}
		return &Error{kind, strings.TrimSuffix(part, "unexpected ") + "it ends too early"}
	}
	return &Error{kind, err.Error()}
}

// undecided says that nothing is known about the bytes.
func undecided(err error) bool { return errors.Is(err, ErrTooLarge) || errors.Is(err, ErrUnsupported) }

// unsupported says that a decoder of others lacks a form. What image/png calls so is in no PNG; a picture with more pixels than it can count is beyond
// pictureMemory.
func unsupported(err error) bool {
	var t tiff.UnsupportedError
	var j jpeg.UnsupportedError
	switch {
	case errors.As(err, &t):
		return true
	case errors.As(err, &j):
		return j != "excessive DC component" // of a coefficient, which no picture of 8 bits has
	}
	return slices.ContainsFunc(lacking, func(l error) bool { return errors.Is(err, l) })
}

// lacking are other errors of that kind; some that TIFF calls errors of the format are of files that are right.
var lacking = []error{
	bmp.ErrUnsupported, zip.ErrAlgorithm, zstd.ErrUnknownDictionary,
	tiff.FormatError("wrong number of samples for RGB"), tiff.FormatError("wrong number of samples for 8bit RGB"),
	tiff.FormatError("wrong number of samples for 16bit RGB"), tiff.FormatError("tile size exceeds image size"),
}

// later goes on with the parts of a file behind one that nothing is known about: what is broken there counts for more. It ends with the first such error.
type later struct{ err error }

// after is the error that stops the file.
func (l *later) after(err error) error {
	if undecided(err) || unsupported(err) || errors.Is(err, zstd.ErrWindowSizeExceeded) {
		l.err = cmp.Or(l.err, err)
		return nil
	}
	return err
}

type marked struct{ r io.ReaderAt }

func (m marked) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 { // a zip can say so
		return 0, errors.New("a part of it lies before its begin")
	}
	n, err := m.r.ReadAt(p, off)
	if err != nil && err != io.EOF {
		err = &errMachine{err}
	}
	return n, err
}

type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, &errMachine{err}
	}
	return r.r.Read(p)
}

// expands guards against files that are small and become very large: more than 1 GiB and 1000 times the file is taken for a bomb.
type expands struct {
	w     io.Writer
	limit int64
	n     int64
}

func bombGuard(size int64) *expands {
	return &expands{w: io.Discard, limit: max(1<<30, 1000*size)}
}

func (e *expands) Write(p []byte) (int, error) {
	if err := e.grow(int64(len(p))); err != nil {
		return 0, err
	}
	return e.w.Write(p)
}

// grow counts bytes that are not written to it.
func (e *expands) grow(n int64) error {
	if e.n += n; e.n > e.limit {
		return fmt.Errorf("it becomes more than %d MiB, over 1000 times its size", e.limit>>20)
	}
	return nil
}
