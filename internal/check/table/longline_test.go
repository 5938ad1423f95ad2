package table

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"testing"
)

// longLine is head, so many bytes of the letter x, and tail: a file that nobody has to hold.
type longLine struct {
	head, tail string
	fill       int64
}

var xs = bytes.Repeat([]byte("x"), 64<<10)

func (l *longLine) Size() int64 { return int64(len(l.head)) + l.fill + int64(len(l.tail)) }

func (l *longLine) ReadAt(p []byte, off int64) (n int, err error) {
	head, end := int64(len(l.head)), int64(len(l.head))+l.fill
	for n < len(p) && off < l.Size() {
		var m int
		switch {
		case off < head:
			m = copy(p[n:], l.head[off:])
		case off < end:
			m = copy(p[n:], xs[:min(int64(len(xs)), end-off)])
		default:
			m = copy(p[n:], l.tail[off-end:])
		}
		n, off = n+m, off+int64(m)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// TestLongLine: one line of 100 MB is a finding with its row, the rows around it are read, and what is allocated for all of it, not only at once, is less than
// the line. With AllKeys, as rows are compared, too.
func TestLongLine(t *testing.T) {
	const size = 100_000_000
	for name, c := range map[string]struct {
		file string
		src  *longLine
		o    Options
		want string
	}{
		"csv":                {"x.csv", &longLine{"a,b\n1,2\n3,", "\n5,6\n7,8\n", size}, Options{}, "2 \"1\" \"2\"\n4 \"5\" \"6\"\n5 \"7\" \"8\"\n! format-error row 3 col 0 +0 the row is longer than 16 MiB; it was not looked at\nrows 4\n"},
		"csv, last":          {"x.csv", &longLine{"a,b\n1,2\n3,", "", size}, Options{}, "2 \"1\" \"2\"\n! format-error row 3 col 0 +0 the row is longer than 16 MiB; it was not looked at\nrows 2\n"},
		"csv, an open quote": {"x.csv", &longLine{"a,b\n1,2\n3,\"", "\n5,6\n", size}, Options{}, "2 \"1\" \"2\"\n!! format-error: row 3: a quoted cell of this row is not closed\nrows 1\n"},
		"jsonl":              {"x.jsonl", &longLine{"{\"a\":1}\n{\"a\":\"", "\"}\n{\"a\":3}\n", size}, Options{}, "1 integer:\"1\"\n3 integer:\"3\"\n! format-error row 2 col 0 +0 the row is longer than 16 MiB; it was not looked at\nrows 3\n"},
		"jsonl, all keys":    {"x.jsonl", &longLine{"{\"a\":1}\n{\"a\":\"", "\"}\n{\"a\":3}\n", size}, Options{AllKeys: true}, "1 integer:\"1\"\n3 integer:\"3\"\n! format-error row 2 col 0 +0 the row is longer than 16 MiB; it was not looked at\nrows 3\n"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, err := readFrom(c.file, c.src, c.o)
		runtime.ReadMemStats(&after)
		if _, rows, _ := strings.Cut(got, "\n"); err != nil || rows != c.want {
			t.Errorf("%s: %.500s, %v", name, got, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > size*9/10 {
			t.Errorf("%s: %d bytes were allocated", name, n)
		}
	}
}
