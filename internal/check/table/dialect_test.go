package table

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// plainRead is what read gives of rows, in as few words as there are: all of the text at once, cell by cell.
func plainRead(text string, d Dialect) string {
	var out strings.Builder
	num, width := int64(0), 0
	line := func() (comment bool) {
		comment = d.Comment != 0 && text[0] == d.Comment
		_, text, _ = strings.Cut(text, "\n")
		num++
		return comment
	}
	for left := d.Skip; left > 0 && text != ""; {
		if !line() {
			left--
		}
	}
	for text != "" {
		if d.Comment != 0 && text[0] == d.Comment {
			line()
			continue
		}
		num++
		row, ok := plainRecord(&text, d)
		switch {
		case width == 0 && !ok:
			return ""
		case !ok:
			return fmt.Sprintf("%s!! format-error: row %d: a quoted cell of this row is not closed\n", out.String(), num)
		case width == 0:
			width = len(row)
			fmt.Fprintf(&out, "%q\n", row)
			continue
		case strings.Join(row, "") == "":
			continue
		}
		fmt.Fprintf(&out, "%d", num)
		for i := range width {
			if i < len(row) {
				fmt.Fprintf(&out, " %q", row[i])
			} else {
				out.WriteString(" -")
			}
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// plainRecord takes a record from the text; false: a quote is open.
func plainRecord(text *string, d Dialect) (row []string, ok bool) {
	t := *text
	take := func() (c string) {
		if d.Escape != 0 && t[0] == d.Escape && len(t) > 1 {
			t = t[1:]
		}
		c, t = t[:1], t[1:]
		return c
	}
	for {
		for d.SkipInitial && strings.HasPrefix(t, " ") {
			t = t[1:]
		}
		cell := ""
		if strings.HasPrefix(t, `"`) {
			for t = t[1:]; ; {
				if t == "" {
					return nil, false
				}
				if t[0] == '"' {
					if t = t[1:]; d.NoDouble || !strings.HasPrefix(t, `"`) {
						break
					}
				}
				cell += take()
			}
		}
		tail := ""
		for t != "" && t[0] != d.Delimiter && t[0] != '\n' {
			tail += take()
		}
		if t == "" || t[0] == '\n' {
			*text = t[min(1, len(t)):]
			return append(row, cell+strings.TrimSuffix(tail, "\r")), true
		}
		row, t = append(row, cell+tail), t[1:]
	}
}

// fuzzDialect makes a dialect of bits.
func fuzzDialect(bits uint8) Dialect {
	d := Dialect{Delimiter: ',', NoDouble: bits&1 != 0, SkipInitial: bits&2 != 0, Skip: int(bits >> 4 & 3)}
	if bits&4 != 0 {
		d.Escape = '\\'
	}
	if bits&8 != 0 {
		d.Comment = '#'
	}
	return d
}

// checkDialect reads a text in blocks of some bytes, and by plainRead.
func checkDialect(t *testing.T, text string, d Dialect, sizes ...int) {
	t.Helper()
	want := plainRead(text, d)
	for _, size := range sizes {
		got, err := read("x.csv", text, Options{Dialect: d, BlockSize: size})
		var keep strings.Builder
		for line := range strings.Lines(got) {
			if !strings.HasPrefix(line, "! ") && !strings.HasPrefix(line, "rows ") {
				keep.WriteString(line)
			}
		}
		if (err != nil) != (want == "") || keep.String() != want {
			got, n := keep.String(), 0
			for n < min(len(want), len(got)) && want[n] == got[n] {
				n++
			}
			t.Fatalf("%.100q, %+v, blocks of %d bytes: %v, at %d: want %.100q, got %.100q", text, d, size, err, n, want[n:], got[n:])
		}
	}
}

// TestDialects has texts of what matters to dialects, in all of them.
func TestDialects(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	words := []string{"a", "b", ",", ",", "\n", "\n", "\r\n", `"`, `"`, `""`, "\\", "#", "\n#", " ", `,"`, `, "`, `",`, "\"\n"}
	for range 20_000 {
		var b strings.Builder
		for range r.IntN(24) {
			b.WriteString(words[r.IntN(len(words))])
		}
		checkDialect(t, b.String(), fuzzDialect(uint8(r.Uint32())), 1<<16, 4+r.IntN(20))
	}
}

// TestLongRows: a row may be as long as a block of the largest size; behind a longer one reading goes on, whatever it holds.
func TestLongRows(t *testing.T) {
	long := strings.Repeat("x", 20<<20)
	for name, c := range map[string]struct {
		text string
		d    Dialect
		want string
	}{
		"quoted":            {"a,b\n1,\"" + long + "\"\n3,x\n", Dialect{}, "3 \"3\" \"x\"\n! format-error row 2 col 0 +0 the row is longer than 16 MiB; it was not looked at\nrows 2\n"},
		"quoted, last":      {"a,b\n1,\"" + long + "\"", Dialect{}, "! format-error row 2 col 0 +0 the row is longer than 16 MiB; it was not looked at\nrows 1\n"},
		"lines in quotes":   {"a,b\n1,\"q\"\"\nr\"," + long + ",\"\n\"\n3,\"y\nz\"\n", Dialect{}, "3 \"3\" \"y\\nz\"\n! format-error row 2 col 0 +0 the row is longer than 16 MiB; it was not looked at\nrows 2\n"},
		"escapes":           {"a,b\n1,\"\\\"\n" + long + "\\\"\",\\\n\n3,x\n", Dialect{Escape: '\\'}, "3 \"3\" \"x\"\n! format-error row 2 col 0 +0 the row is longer than 16 MiB; it was not looked at\nrows 2\n"},
		"comment":           {"a,b\n#\"" + long + "\n3,x\n", Dialect{Comment: '#'}, "3 \"3\" \"x\"\nrows 1\n"},
		"skipped":           {"\"" + long + "\na,b\n3,x\n", Dialect{Skip: 1}, "3 \"3\" \"x\"\nrows 1\n"},
		"open to the end":   {"a,b\n1,x\n2,\"" + long + "\n3,x\n", Dialect{}, "2 \"1\" \"x\"\n!! format-error: row 3: a quoted cell of this row is not closed\nrows 1\n"},
		"a byte too long":   {"a,b\n" + strings.Repeat("y", 16<<20-2) + ",x\n3,x\n", Dialect{}, "3 \"3\" \"x\"\n! format-error row 2 col 0 +0 the row is longer than 16 MiB; it was not looked at\nrows 2\n"},
		"two of them":       {"a,b\n" + long + "\n" + long + "\n4,x\n", Dialect{}, "4 \"4\" \"x\"\n! format-error row 2 col 0 +0 the row is longer than 16 MiB; it was not looked at\n! format-error row 3 col 0 +0 the row is longer than 16 MiB; it was not looked at\nrows 3\n"},
		"quotes at borders": {"a,b\n1,\"" + strings.Repeat(`""`, 10<<20) + "\"\n3,x\n", Dialect{}, "3 \"3\" \"x\"\n! format-error row 2 col 0 +0 the row is longer than 16 MiB; it was not looked at\nrows 2\n"},
	} {
		c.d.Delimiter = ','
		for _, size := range []int{1 << 20, 3 << 20} {
			got, err := read("x.csv", c.text, Options{Dialect: c.d, BlockSize: size})
			if _, rows, _ := strings.Cut(got, "\n"); err != nil || rows != c.want {
				t.Errorf("%s: %.500s, %v", name, rows, err)
			}
		}
	}
}

// TestBlockBorders has what must not matter at the borders of blocks.
func TestBlockBorders(t *testing.T) {
	for _, c := range []struct {
		head, row string
		d         Dialect
	}{
		{"a,b\n", "%d,x\n#,\"unbalanced\n", Dialect{Comment: '#'}},
		{"a,b\n", "%d,x\n#\"two\nlines\"\n", Dialect{Comment: '#'}},
		{"\"T\nS\"\na,b\n", "%d,x\n#\n", Dialect{Comment: '#', Skip: 2}},
		{"\"title\na,b\n", "%d,x\n", Dialect{Skip: 1}},
		{"a, b\n", "%d, \"x\ny\"\n%[1]d, \"\\\"\"\n", Dialect{Escape: '\\', SkipInitial: true}},
	} {
		b := []byte(c.head)
		for i := range 100_000 {
			b = fmt.Appendf(b, c.row, i)
		}
		c.d.Delimiter = ','
		checkDialect(t, string(b), c.d, 1<<20, 1<<16)
	}
}

// TestFoundOut: what a file's begin says of line ends and delimiters, which quotes, comments and skipped lines don't.
func TestFoundOut(t *testing.T) {
	wide := strings.Repeat("x", sampleSize-4)
	for name, c := range map[string]struct {
		text string
		d    Dialect
		want string // labels, delimiter, rows
	}{
		"a line end across the sample":    {"a," + wide + "b\r\n1,2\r\n3,4\r\n", Dialect{}, `["a" "` + wide + `b"] , 2`},
		"carriage returns":                {"a,b\r1,\"x\ny\"\r3,4\r", Dialect{}, `["a" "b"] , 2`},
		"a quoted line feed in a header":  {"a,\"b\nc\"\r1,2\r", Dialect{}, `["a" "b\nc"] , 1`},
		"carriage returns in quotes":      {"\"a\rb\",\"c\r\"", Dialect{}, `["a\rb" "c\r"] , 0`},
		"comments":                        {strings.Repeat("#a,b,c\n", 50) + "a;b\n1;2\n", Dialect{Comment: '#'}, `["a" "b"] ; 1`},
		"an open quote in a comment":      {"#\"\na;b\n#,\"\n1;2\n", Dialect{Comment: '#'}, `["a" "b"] ; 1`},
		"skipped lines":                   {"x,\"y\nx,y\nx,y\na|b\n1|2\n", Dialect{Skip: 3}, `["a" "b"] | 1`},
		"skipped lines, carriage returns": {"x,\"y\ra|b\r1|2\r", Dialect{Skip: 1}, `["a" "b"] | 1`},
		"skipped lines, both":             {"x,\"y\r\na|b\r\n1|2\r\n", Dialect{Skip: 1}, `["a" "b"] | 1`},
		"doubled quotes":                  {"a;b\n\"x\"\",y,z\";1\n", Dialect{}, `["a" "b"] ; 1`},
		"escapes":                         {"a\\,b;c\n1;2\n", Dialect{Escape: '\\'}, `["a,b" "c"] ; 1`},
		"a doubled quote as an escape":    {"a,b\n\"x\"\"\ny\",2\n", Dialect{Escape: '"'}, `["a" "b"] , 1`},
	} {
		for _, size := range []int{1 << 20, 7} {
			r, err := Open(t.Context(), "x.csv", source(c.text), Options{Dialect: c.d, BlockSize: size})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			var s Scratch
			rows := 0
			err = r.Tasks(t.Context(), func(task Task) error {
				return task(t.Context(), &s, func(b *Batch) error {
					rows += b.Rows
					return nil
				})
			})
			if got := fmt.Sprintf("%q %c %d", r.Labels(), r.(*csvReader).Delimiter(), rows); got != c.want || err != nil {
				t.Errorf("%s: %.200s, %v", name, got, err)
			}
		}
	}
}

// TestHeaderRow: what is wrong with a header is told with its row.
func TestHeaderRow(t *testing.T) {
	got, err := read("x.csv", "t\n#\na,a\n", Options{Dialect: Dialect{Comment: '#', Skip: 1}})
	if err != nil || !strings.Contains(got, "duplicate-label row 3 ") {
		t.Errorf("%s %v", got, err)
	}
	_, err = read("x.csv", "t\na,\xff\n", Options{Dialect: Dialect{Skip: 1}})
	var bad *Error
	if !errors.As(err, &bad) || bad.Code != CodeEncoding || bad.Row != 2 {
		t.Error(err)
	}
}
