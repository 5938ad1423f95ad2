package table

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"unicode/utf8"
)

// What GuessEncoding tells apart.
const (
	ASCII       = "ascii"
	UTF8        = "utf-8" // also UTF-16 with a byte order mark, and what no guess is made about
	Windows1252 = "windows-1252"
)

// GuessEncoding looks at the first most bytes of a text, uncompressed; 0 is all. Text of Windows-1252, or of ISO 8859-1 that it includes, has bytes that are not
// UTF-8, and more of these than characters that are: else it is UTF-8 with a flaw. Bytes that it does not have, and NUL, say that it is something else. An
// error is the machine's fault; data that can't be read to the end are judged by what could be.
func GuessEncoding(ctx context.Context, name string, src Source, most int64) (string, error) {
	_, compression := FormatOf(name)
	text, enc, err := openTextAs(ctx, src, compression, "")
	if enc != "" {
		return UTF8, nil
	}
	var e encodingCount
	if err == nil {
		if most == 0 {
			most = math.MaxInt64
		}
		all := &io.LimitedReader{R: text, N: most}
		if err = e.read(all); all.N > 0 {
			e.wrong += e.left
		}
	}
	var bad *Error
	if err = noteRead(err); err != nil && !errors.As(err, &bad) {
		return "", err
	}
	return e.guess(), nil
}

// encodingCount counts what tells encodings apart.
type encodingCount struct {
	runes, wrong int64 // characters of more than one byte, and bytes that are of none
	left         int64 // bytes at the end that may be the begin of a character
	other        bool  // something that no text of Windows-1252 has
}

func (e *encodingCount) read(r io.Reader) error {
	buf, n := make([]byte, 64<<10), 0
	for {
		got, err := r.Read(buf[n:])
		n = e.add(buf[:n+got])
		e.left = int64(n)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// add counts what is in b, and moves the begin of a character that may be cut off to its begin.
func (e *encodingCount) add(b []byte) (left int) {
	if !e.other && bytes.IndexByte(b, 0) >= 0 {
		e.other = true
	}
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		if !utf8.FullRune(b[i:]) {
			return copy(b, b[i:])
		}
		r, size := utf8.DecodeRune(b[i:])
		switch {
		case r != utf8.RuneError || size > 1:
			e.runes++
		default:
			e.wrong++
			c := b[i]
			e.other = e.other || c == 0x81 || c == 0x8d || c == 0x8f || c == 0x90 || c == 0x9d
		}
		i += size
	}
	return 0
}

func (e *encodingCount) guess() string {
	switch {
	case e.runes == 0 && e.wrong == 0:
		return ASCII
	case e.wrong > e.runes && !e.other:
		return Windows1252
	}
	return UTF8
}
