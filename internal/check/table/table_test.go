package table

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/unicode"
)

type memory struct{ *bytes.Reader }

func source(b string) Source { return memory{bytes.NewReader([]byte(b))} }

// read gives a table as text: a line a row, cells in brackets, problems after them.
func read(name, text string, o Options) (string, error) { return readFrom(name, source(text), o) }

func readFrom(name string, src Source, o Options) (string, error) {
	ctx := context.Background()
	t, err := Open(ctx, name, src, o)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%q\n", t.Labels())
	var problems []Problem
	problems = append(problems, t.Problems()...)
	var s Scratch
	err = t.Tasks(ctx, func(task Task) error {
		return task(ctx, &s, func(b *Batch) error {
			problems = append(problems, b.Problems...)
			for r := range b.Rows {
				fmt.Fprintf(&out, "%d", b.Row(r))
				for i := range b.Cols {
					c := &b.Cols[i]
					switch {
					case c.IsMissing(r):
						out.WriteString(" -")
					case c.IsAbsent(r):
						out.WriteString(" null")
					case c.Kind == Int || c.Kind == Bool:
						fmt.Fprintf(&out, " %d", c.Ints[r])
					case c.Kind == Date || c.Kind == Time || c.Kind == Datetime:
						v, _ := c.Literal(c.Kind, r, nil)
						fmt.Fprintf(&out, " %s", v)
					case c.Kind == Float:
						fmt.Fprintf(&out, " %v", c.Floats[r])
					case c.Kind == Mixed:
						fmt.Fprintf(&out, " %s:%q", c.KindAt(r), c.Text(r))
					default:
						fmt.Fprintf(&out, " %q", c.Text(r))
					}
				}
				out.WriteByte('\n')
			}
			return nil
		})
	})
	for _, p := range problems {
		fmt.Fprintf(&out, "! %s row %d col %d +%d %s\n", p.Code, p.Row, p.Col, p.More, p.Note)
	}
	var bad *Error
	if errors.As(err, &bad) {
		fmt.Fprintf(&out, "!! %s\n", bad)
		err = nil
	}
	fmt.Fprintf(&out, "rows %d\n", t.Rows())
	return out.String(), err
}

func TestCSV(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		o    Options
		want string
	}{
		"plain":        {"a,b\n1,2\n3,4\n", Options{}, "[\"a\" \"b\"]\n2 \"1\" \"2\"\n3 \"3\" \"4\"\nrows 2\n"},
		"no last line": {"a,b\n1,2", Options{}, "[\"a\" \"b\"]\n2 \"1\" \"2\"\nrows 1\n"},
		"crlf":         {"a,b\r\n1,2\r\n\r\n3,\r\n", Options{}, "[\"a\" \"b\"]\n2 \"1\" \"2\"\n4 \"3\" \"\"\n! blank-row row 3 col 0 +0 the row is blank\nrows 3\n"},
		"cr":           {"a,b\r1,2\r", Options{}, "[\"a\" \"b\"]\n2 \"1\" \"2\"\nrows 1\n"},
		"header only":  {"a,b\n", Options{}, "[\"a\" \"b\"]\nrows 0\n"},
		"bom":          {"\xef\xbb\xbfa,b\n1,2\n", Options{}, "[\"a\" \"b\"]\n2 \"1\" \"2\"\nrows 1\n"},
		"quotes":       {"a,\"b\"\"c\"\n\"x\ny\",\"\"\"\"\n\"p\"q,r\"s\n", Options{}, "[\"a\" \"b\\\"c\"]\n2 \"x\\ny\" \"\\\"\"\n3 \"pq\" \"r\\\"s\"\nrows 2\n"},
		"quoted crlf":  {"a,b\r\n1,\"x\"\r\n", Options{}, "[\"a\" \"b\"]\n2 \"1\" \"x\"\nrows 1\n"},
		"open quote":   {"a,b\n1,2\n3,\"4\n5,6\n", Options{}, "[\"a\" \"b\"]\n2 \"1\" \"2\"\n!! format-error: row 3: a quoted cell of this row is not closed\nrows 1\n"},
		"ragged":       {"a,b,c\n1,2,3,4,5\n1\n,,\n7,8,9\n", Options{}, "[\"a\" \"b\" \"c\"]\n2 \"1\" \"2\" \"3\"\n3 \"1\" - -\n5 \"7\" \"8\" \"9\"\n! extra-cell row 2 col 4 +1 2 cells more than the header has\n! missing-cell row 3 col 2 +1 2 cells fewer than the header has\n! blank-row row 4 col 0 +0 the row is blank\nrows 4\n"},
		"semicolons":   {"a;b\n1,5;2\n", Options{}, "[\"a\" \"b\"]\n2 \"1,5\" \"2\"\nrows 1\n"},
		"no header":    {"1,2\n3,4\n", Options{Dialect: Dialect{NoHeader: true}}, "[\"field1\" \"field2\"]\n1 \"1\" \"2\"\n2 \"3\" \"4\"\nrows 2\n"},
		"comments":     {"#x\na,b\n#y\n1,2\n", Options{Dialect: Dialect{Comment: '#'}}, "[\"a\" \"b\"]\n4 \"1\" \"2\"\nrows 1\n"},
		"skip":         {"junk\na,b\n1,2\n", Options{Dialect: Dialect{Skip: 1}}, "[\"a\" \"b\"]\n3 \"1\" \"2\"\nrows 1\n"},
		"escape":       {"a,b\n\"x\\\"y\",z\\,w\n", Options{Dialect: Dialect{Escape: '\\'}}, "[\"a\" \"b\"]\n2 \"x\\\"y\" \"z,w\"\nrows 1\n"},
		"spaces":       {"a, \"b\"\n1, \"x,y\"\n", Options{Dialect: Dialect{SkipInitial: true}}, "[\"a\" \"b\"]\n2 \"1\" \"x,y\"\nrows 1\n"},
		"bad labels":   {"a,,a\n1,2,3\n", Options{}, "[\"a\" \"\" \"a\"]\n2 \"1\" \"2\" \"3\"\n! blank-label row 1 col 2 +0 the label of column 2 is blank\n! duplicate-label row 1 col 3 +0 the label \"a\" is that of column 1, too\nrows 1\n"},
		"bad bytes":    {"a,b\n1,x\xff\ny\x00,2\n", Options{}, "[\"a\" \"b\"]\n2 \"1\" \"x\\xff\"\n3 \"y\\x00\" \"2\"\n! encoding-error row 2 col 2 +0 the cell has bytes that are not of its encoding\n! encoding-error row 3 col 1 +0 the cell has a NUL byte\nrows 2\n"},
		"latin1":       {"a,b\n1,\xe9\n", Options{Dialect: Dialect{Encoding: "iso-8859-1"}}, "[\"a\" \"b\"]\n2 \"1\" \"é\"\nrows 1\n"},
		"windows":      {"a,b\n1,\x80\n2,\x81z\n", Options{Dialect: Dialect{Encoding: "windows-1252"}}, "[\"a\" \"b\"]\n2 \"1\" \"€\"\n3 \"2\" \"\\xffz\"\n! encoding-error row 3 col 2 +0 the cell has bytes that are not of its encoding\nrows 2\n"},
		"one column":   {"a\nx\n\ny\n", Options{}, "[\"a\"]\n2 \"x\"\n4 \"y\"\n! blank-row row 3 col 0 +0 the row is blank\nrows 3\n"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1 << 20, 8, 5, 64} {
				c.o.BlockSize = size
				got, err := read("x.csv", c.text, c.o)
				if err != nil {
					t.Fatal(err)
				}
				if size == 1<<20 {
					if d := cmp.Diff(c.want, got); d != "" {
						t.Error(d)
					}
				} else if c.want != got {
					t.Errorf("blocks of %d bytes: %s", size, cmp.Diff(c.want, got))
				}
			}
		})
	}
}

func TestEncodings(t *testing.T) {
	text := "a,b\n1,é\n"
	want, err := read("x.csv", text, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var gz bytes.Buffer
	z := gzip.NewWriter(&gz)
	z.Write([]byte(text))
	z.Close()
	zs, _ := zstd.NewWriter(nil)
	utf16le, _ := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(text)
	utf16be, _ := unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder().String(text)
	for name, b := range map[string]string{"x.csv.gz": gz.String(), "x.csv.zst": string(zs.EncodeAll([]byte(text), nil)), "le.csv": utf16le, "be.csv": utf16be, "gz.csv": gz.String()} {
		if got, err := read(name, b, Options{}); err != nil || got != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for name, b := range map[string]string{"cut.csv.gz": gz.String()[:len(gz.String())-6], "no.csv.gz": "no gzip", "no.csv.zst": "no zstd", "cut.csv.zst": string(zs.EncodeAll([]byte(strings.Repeat(text, 100)), nil)[:20])} {
		got, err := read(name, b, Options{})
		var bad *Error
		if !strings.Contains(got, "!! compression-error") && (!errors.As(err, &bad) || bad.Code != CodeCompress) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestHostile has files that must end soon, with a finding.
func TestHostile(t *testing.T) {
	wide := strings.TrimSuffix(strings.Repeat("a,", 100_000), ",")
	for name, c := range map[string]struct{ text, want string }{
		"empty":        {"", "source-error"},
		"too wide":     {strings.Repeat("a,", 5_000_000) + "\n1\n", "format-error: row 1: the header has more than 100000 columns"},
		"a bit wider":  {wide + ",a\n1\n", "more than 100000 columns"},
		"long line":    {"a,b\n1," + strings.Repeat("x", 40<<20) + "\n3,4\n", "longer than 16 MiB"},
		"long quote":   {"a,b\n1,\"" + strings.Repeat("x\n", 12<<20) + "\n", "not closed"},
		"wide":         {wide + "\n" + strings.Repeat("1\n", 100_000) + wide + "\n", "fewer than the header"},
		"quotes":       {"a,b\n" + strings.Repeat("\"\"\"\"\"\",\"\n\"\n", 100_000), "rows 100000"},
		"header lines": {"a,\"" + strings.Repeat("\n", 1<<20) + "\"\n1,2\n", "rows 1"},
		"blank":        {"a,b\n" + strings.Repeat("\n", 1<<20), "blank-row"},
		"only nul":     {strings.Repeat("\x00", 1<<20), "encoding-error"},
		"utf16 no bom": {"a\x00,\x00b\x00\n\x001\x00", "encoding-error"},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			got, err := read("x.csv", c.text, Options{BlockSize: 1 << 16})
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, c.want) {
				t.Errorf("%.300s", got)
			}
			if d := time.Since(start); d > 30*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
}

func TestJSONL(t *testing.T) {
	text := `{"a": 1, "b": "x\ny \u00e9 \ud83d\ude00 \ud800 \"q\""}
{"b": null, "a": 1.5, "c": {"d": [1, "}"]}}

{"a": true, "b": "", "a": 2}
[1]
{"a": }
{"a": 1e3, "z": "late"}
`
	got, err := read("x.jsonl", text, Options{Names: []string{"n"}})
	if err != nil {
		t.Fatal(err)
	}
	want := `["a" "b" "c" "z" "n"]
1 integer:"1" string:"x\ny é 😀 � \"q\"" null null null
2 number:"1.5" null object:"{\"d\": [1, \"}\"]}" null null
4 integer:"2" string:"" null null null
7 number:"1e3" null null string:"late" null
! blank-row row 3 col 0 +0 the row is blank
! format-error row 5 col 0 +0 the row is not an object
! format-error row 6 col 0 +0 the row is not JSON
rows 7
`
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// FuzzCSV cuts the text into blocks of all sizes: the table must be the same, in any dialect, and as plainRead has it;
// and where package encoding/csv reads it, as that does.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "a,\"b\"\n\"x\ny\",\"\"\"\"\n", "a;b\r\n1;2", "a\n\n\n", "\"", "a,b\n\"x\"y\"z\",\"\n", "a,b\n1\n1,2,3\n", "a,b\n x , \" y\"\n"} {
		f.Add(s, uint8(7), uint8(0))
	}
	f.Add("#\"\na, \"b\\\"\n\"\n1,2\n", uint8(3), uint8(14))
	f.Add("\"t\na,b\n1,\"2\n", uint8(3), uint8(16))
	f.Fuzz(func(t *testing.T, text string, size, dialect uint8) {
		o := Options{Dialect: fuzzDialect(dialect), BlockSize: 1 << 16}
		want, err := read("x.csv", text, o)
		o.BlockSize = int(size)%64 + 4
		got, err2 := read("x.csv", text, o)
		if (err == nil) != (err2 == nil) || onlyRows(want) != onlyRows(got) {
			t.Fatalf("blocks of %d bytes: %s\n%v %v", o.BlockSize, cmp.Diff(want, got), err, err2)
		}
		if !strings.ContainsAny(text, "\r\x00") && utf8.ValidString(text) {
			checkDialect(t, strings.TrimPrefix(text, "\xef\xbb\xbf"), o.Dialect, o.BlockSize)
		}
		if dialect != 0 || err != nil || strings.Contains(want, "!") || strings.ContainsAny(text, "\r\x00") {
			return
		}
		r := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\xef\xbb\xbf")))
		rows, err := r.ReadAll()
		if err != nil {
			return
		}
		var std strings.Builder
		for i, row := range rows {
			if i == 0 {
				continue
			}
			for _, v := range row {
				fmt.Fprintf(&std, " %q", v)
			}
			std.WriteByte('\n')
		}
		var ours strings.Builder
		for line := range strings.SplitSeq(want, "\n") {
			if num, rest, ok := strings.Cut(line, " "); ok && num != "rows" && !strings.HasPrefix(line, "[") {
				ours.WriteString(" " + rest + "\n")
			}
		}
		if std.String() != ours.String() {
			t.Fatal(cmp.Diff(std.String(), ours.String()))
		}
	})
}

// onlyRows leaves out problems, which are gathered by block.
func onlyRows(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if !strings.HasPrefix(line, "! ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// FuzzJSONL must not fail on any text.
func FuzzJSONL(f *testing.F) {
	f.Add("{\"a\":1}\n{\"a\":\"\\ud800\\\"\"}\n", uint8(9))
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		want, err := read("x.jsonl", text, Options{BlockSize: 1 << 16})
		got, err2 := read("x.jsonl", text, Options{BlockSize: int(size) + 4})
		if (err == nil) != (err2 == nil) || onlyRows(want) != onlyRows(got) {
			t.Fatal(cmp.Diff(want, got))
		}
	})
}

// failing is a Source whose disk breaks.
type failing struct{ Source }

var errDisk = errors.New("disk broke")

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off > 100 {
		return 0, errDisk
	}
	return f.Source.ReadAt(p, off)
}

// TestMachine: an error of reading is no finding.
func TestMachine(t *testing.T) {
	for _, name := range []string{"x.csv", "x.jsonl", "x.csv.gz", "x.parquet"} {
		text := "a,b\n" + strings.Repeat("1,2\n", 1<<20)
		switch name {
		case "x.csv.gz":
			var gz bytes.Buffer
			z, _ := gzip.NewWriterLevel(&gz, 0)
			z.Write([]byte(text))
			z.Close()
			text = gz.String()
		case "x.jsonl":
			text = strings.Repeat("{\"a\":1}\n", 1<<20)
		case "x.parquet":
			text = "PAR1" + strings.Repeat("x", 1000) + "\x10\x00\x00\x00PAR1"
		}
		ctx := context.Background()
		r, err := Open(ctx, name, failing{source(text)}, Options{})
		if err == nil {
			var s Scratch
			err = r.Tasks(ctx, func(task Task) error { return task(ctx, &s, func(*Batch) error { return nil }) })
		}
		var bad *Error
		if !errors.Is(err, errDisk) || errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
