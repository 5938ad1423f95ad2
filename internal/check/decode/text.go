package decode

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"tarn/internal/check/table"
)

// Text says whether a file is text in an encoding: utf-8 or ascii. The first place that is not is named by its line.
func Text(ctx context.Context, src Source, encoding string) error {
	sequential(src)
	r := &reader{ctx: ctx, r: io.NewSectionReader(marked{src}, 0, src.Size())}
	_, err := io.Copy(io.Discard, &textReader{r: r, ascii: encoding == "ascii"})
	return judge(encoding+" text", err)
}

// textReader stops at the first byte that is no text.
type textReader struct {
	r     io.Reader
	ascii bool
	buf   []byte
	have  []byte // the part of buf that was read and is not handed out
	good  int    // so many bytes of it are text
	line  int64  // lines before them
}

func (t *textReader) Read(p []byte) (int, error) {
	if t.buf == nil {
		t.buf = make([]byte, 64<<10)
	}
	for t.good == 0 {
		rest := copy(t.buf, t.have) // the begin of a character
		n, err := t.r.Read(t.buf[rest:])
		t.have = t.buf[:rest+n]
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return 0, err
		}
		good := validPrefix(t.have, t.ascii)
		t.line += int64(bytes.Count(t.have[:good], []byte("\n")))
		if rest := t.have[good:]; len(rest) > 0 && (end || utf8.FullRune(rest) || rest[0] == 0) {
			return 0, fmt.Errorf("line %d has the byte %#02x", t.line+1, rest[0])
		}
		if t.good = good; end && good == 0 {
			return 0, io.EOF
		}
	}
	n := copy(p, t.have[:t.good])
	t.have, t.good = t.have[n:], t.good-n
	return n, nil
}

// validPrefix is how many bytes are right; a character that is cut at the end of b is not counted.
func validPrefix(b []byte, ascii bool) int {
	i := 0
	for i < len(b) {
		if b[i] == 0 {
			return i
		}
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		if ascii || !utf8.FullRune(b[i:]) {
			return i
		}
		c, n := utf8.DecodeRune(b[i:])
		if c == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return i
}

// jsonToken is how long one value of a JSON file may be, in bytes; jsonDepth how deep lists and objects may be nested.
const (
	jsonToken = 64 << 20
	jsonDepth = 10_000
)

// jsonFile reads one JSON value token by token. It has to be in UTF-8 (RFC 8259, section 8.1), which the decoder does not ask for.
func jsonFile(_ context.Context, _ Source, r io.Reader) error {
	c := &countedReader{r: &textReader{r: r}}
	dec := json.NewDecoder(c)
	dec.UseNumber()
	c.done = dec.InputOffset
	for depth, first := 0, true; ; first = false {
		t, err := dec.Token()
		if errors.Is(err, io.EOF) {
			if first || depth > 0 {
				return io.ErrUnexpectedEOF
			}
			return nil
		}
		if err != nil {
			return err
		}
		if depth == 0 && !first {
			return errors.New("something stands after the end of the value")
		}
		if d, ok := t.(json.Delim); ok {
			if d == '{' || d == '[' {
				depth++
			} else {
				depth--
			}
		}
		if depth > jsonDepth {
			return fmt.Errorf("it is nested more than %d deep", jsonDepth)
		}
	}
}

// countedReader stops a decoder that would gather more than it may.
type countedReader struct {
	r    io.Reader
	n    int64
	done func() int64 // how much of it was used; nil: does not matter
}

func (c *countedReader) Read(p []byte) (int, error) {
	if c.done != nil && c.n-c.done() > jsonToken {
		return 0, fmt.Errorf("%w: a value has more than %d MiB", ErrTooLarge, jsonToken>>20)
	}
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// tableFile reads all of a table; what is wrong with its form is told with its row.
func tableFile(format string) func(context.Context, Source, io.Reader) error {
	return func(ctx context.Context, src Source, _ io.Reader) error {
		if format == "parquet" && sealed(src) {
			return fmt.Errorf("%w: it is encrypted", ErrUnsupported)
		}
		t, err := table.Open(ctx, "", marksize{marked{src}, src.Size()}, table.Options{Format: format})
		if err != nil {
			return tableError(format, err)
		}
		for _, p := range t.Problems() {
			return &Error{format, p.Note}
		}
		var s table.Scratch
		err = t.Tasks(ctx, func(task table.Task) error {
			return task(ctx, &s, func(b *table.Batch) error {
				for _, p := range b.Problems {
					return &Error{format, fmt.Sprintf("row %d: %s", p.Row, p.Note)}
				}
				return nil
			})
		})
		return tableError(format, err)
	}
}

// sealed says that the footer of a Parquet file is encrypted: it ends in other letters then.
func sealed(src Source) bool {
	var end [4]byte
	_, err := src.ReadAt(end[:], max(0, src.Size()-4))
	return (err == nil || err == io.EOF) && string(end[:]) == "PARE"
}

type marksize struct {
	marked
	size int64
}

func (m marksize) Size() int64 { return m.size }

func tableError(format string, err error) error {
	var bad *table.Error
	if errors.As(err, &bad) {
		return &Error{format, bad.Note}
	}
	return err
}
