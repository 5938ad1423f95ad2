package table

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
)

type parquetRow struct {
	ID    int64     `parquet:"id"`
	Name  *string   `parquet:"name,optional"`
	State string    `parquet:"state,dict"`
	Price *float64  `parquet:"price,optional"`
	OK    bool      `parquet:"ok"`
	Day   int32     `parquet:"day,date"`
	At    time.Time `parquet:"at,timestamp(microsecond)"`
	Small uint32    `parquet:"small"`
	Sum   int64     `parquet:"sum,decimal(2:18)"`
	Sub   struct {
		X int32 `parquet:"x"`
	} `parquet:"sub"`
	Tags []string `parquet:"tags,list"`
}

// parquetFile writes n rows in pages and row groups that are small.
func parquetFile(t testing.TB, n int, options ...parquet.WriterOption) string {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[parquetRow](&b, append([]parquet.WriterOption{parquet.PageBufferSize(200), parquet.MaxRowsPerRowGroup(300)}, options...)...)
	for i := range n {
		r := parquetRow{ID: int64(i) - 1, State: []string{"open", "paid"}[i%2], OK: i%2 == 0, Day: int32(i), At: time.UnixMicro(int64(i)).UTC(), Small: 1<<31 + uint32(i), Sum: int64(i)*100 + 25, Tags: []string{"a", "b"}}
		if i%3 > 0 {
			s := strings.Repeat("n", i%5)
			r.Name = &s
			f := float64(i) / 2
			r.Price = &f
		}
		r.Sub.X = int32(-i)
		if _, err := w.Write([]parquetRow{r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestParquet(t *testing.T) {
	got, err := read("x.parquet", parquetFile(t, 3), Options{})
	if err != nil {
		t.Fatal(err)
	}
	// The columns stand in the order of the schema.
	want := `["id" "name" "state" "price" "ok" "day" "at" "small" "sum" "sub.x" "tags"]
1 -1 null "open" null 1 1970-01-01 1970-01-01T00:00:00Z 2147483648 0.25 0 "[\"a\",\"b\"]"
2 0 "n" "paid" 0.5 0 1970-01-02 1970-01-01T00:00:00.000001Z 2147483649 1.25 -1 "[\"a\",\"b\"]"
3 1 "nn" "open" 1 1 1970-01-03 1970-01-01T00:00:00.000002Z 2147483650 2.25 -2 "[\"a\",\"b\"]"
rows 3
`
	// A column that is nested is JSON.
	got = strings.ReplaceAll(got, "\r", "")
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, codec := range []parquet.WriterOption{parquet.Compression(&parquet.Snappy), parquet.Compression(&parquet.Zstd), parquet.Compression(&parquet.Gzip), parquet.DataPageVersion(1)} {
		many, err := read("x.parquet", parquetFile(t, 1000, codec), Options{})
		if err != nil || !strings.Contains(many, "\n1000 998 null \"paid\" null 0 1972-09-26 1970-01-01T00:00:00.000999Z 2147484647 999.25 -999") || !strings.HasSuffix(many, "rows 1000\n") {
			t.Errorf("%v\n%.500s", err, many)
		}
	}
}

// TestParquetTimes: a time is that which is written, whatever its unit and how far off it is.
func TestParquetTimes(t *testing.T) {
	type row struct {
		MS    int64            `parquet:"ms,timestamp(millisecond)"`
		US    int64            `parquet:"us,timestamp(microsecond)"`
		NS    int64            `parquet:"ns,timestamp(nanosecond)"`
		Old   deprecated.Int96 `parquet:"old"`
		Day   int32            `parquet:"day,date"`
		TMS   int32            `parquet:"tms,time(millisecond)"`
		TUS   int64            `parquet:"tus,time(microsecond)"`
		List  []int64          `parquet:"list,list" parquet-element:",timestamp(millisecond)"`
		Listo []time.Time      `parquet:"listo,list" parquet-element:",timestamp(microsecond)"`
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b)
	var want strings.Builder
	want.WriteString(`["ms" "us" "ns" "old" "day" "tms" "tus" "list" "listo"]` + "\n")
	for i, s := range []string{"2024-02-29T12:30:00.5Z", "1969-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z", "1500-01-01T00:00:00.001Z", "10000-01-01T00:00:00Z", "-0044-03-15T00:00:00Z"} {
		at, err := time.Parse(time.RFC3339, s)
		switch s[:5] {
		case "10000":
			at, err = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), nil
		case "-0044":
			at, err = time.Date(-44, 3, 15, 0, 0, 0, 0, time.UTC), nil
		}
		if err != nil {
			t.Fatal(err)
		}
		day := floor(at.Unix(), 86400)
		ms := at.UnixMilli() - day*86400_000
		ns := uint64(ms * 1e6)
		r := row{MS: at.UnixMilli(), US: at.UnixMicro(), NS: at.UnixNano(), Day: int32(day), TMS: int32(ms), TUS: ms * 1000, List: []int64{at.UnixMilli()}, Listo: []time.Time{at}}
		r.Old = deprecated.Int96{uint32(ns), uint32(ns >> 32), uint32(day + 2440588)}
		if _, err := w.Write([]row{r}); err != nil {
			t.Fatal(err)
		}
		clock := at.Format(timeLayout)
		fmt.Fprintf(&want, "%d %s %s %s %s %s %s %s %q %q\n", i+1, s, s, time.Unix(0, at.UnixNano()).UTC().Format(datetimeLayout), s, at.Format("2006-01-02"), clock, clock, `["`+s+`"]`, `["`+s+`"]`)
	}
	want.WriteString("rows 7\n")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := read("x.parquet", b.String(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want.String(), got); d != "" {
		t.Error(d)
	}
}

func floor(a, b int64) int64 { return int64(math.Floor(float64(a) / float64(b))) }

// TestParquetBroken flips bytes and cuts: there is a finding, or a table; never a panic, a hang, or a failure of the machine.
func TestParquetBroken(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	findings := 0
	for _, codec := range []parquet.WriterOption{parquet.Compression(&parquet.Uncompressed), parquet.Compression(&parquet.Snappy), parquet.Compression(&parquet.Zstd)} {
		file := parquetFile(t, 400, codec)
		for range 150 {
			b := []byte(file)
			switch r.IntN(3) {
			case 0:
				b = b[:r.IntN(len(b))]
			case 1:
				b[r.IntN(len(b))] ^= 1 << r.IntN(8)
			default:
				at := r.IntN(len(b) - 8)
				for i := range 8 {
					b[at+i] = byte(r.Uint32())
				}
			}
			got, err := read("x.parquet", string(b), Options{})
			var bad *Error
			if errors.As(err, &bad) || strings.Contains(got, "!! ") {
				findings++
			} else if err != nil && !errors.Is(err, ErrUnsupported) {
				t.Fatalf("not a finding: %v", err)
			}
		}
	}
	if findings < 110 {
		t.Errorf("only %d findings", findings)
	}
}

// TestParquetFooter changes each byte of the footer: where there is no finding, all rows were read, and no others.
func TestParquetFooter(t *testing.T) {
	file := []byte(parquetFile(t, 40, parquet.MaxRowsPerRowGroup(20)))
	footer := len(file) - 8 - int(binary.LittleEndian.Uint32(file[len(file)-8:]))
	for at := footer; at < len(file)-8; at++ {
		for _, mask := range []byte{1, 0x80} {
			b := bytes.Clone(file)
			b[at] ^= mask
			got, err := read("x.parquet", string(b), Options{})
			if err == nil && !strings.Contains(got, "!! ") && (strings.Count(got, "\n") != 42 || !strings.HasSuffix(got, "rows 40\n")) {
				t.Errorf("byte %d of the footer, mask %d: %d lines, %.30q", at-footer, mask, strings.Count(got, "\n"), got[len(got)-30:])
			}
		}
	}
}

// TestParquetMoreRows has a row group whose columns have more rows than it says; what each of them says is changed, too.
func TestParquetMoreRows(t *testing.T) {
	type row struct {
		X int64    `parquet:"x"`
		L []string `parquet:"l,list"`
	}
	for _, column := range []string{"x", "l"} {
		r, err := openParquet(source(string(rowsFile(t, make([]row, 100)))), Options{Wanted: func(l string) bool { return l == column }})
		if err != nil {
			t.Fatal(err)
		}
		g := r.(*parquetReader).f.RowGroups()[0]
		err = r.(*parquetReader).group(t.Context(), fewer{g}, 0, 99, 1, &Scratch{}, func(*Batch) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "more rows") {
			t.Errorf("%s: %v", column, err)
		}
	}
}

type fewer struct{ parquet.RowGroup }

func (f fewer) NumRows() int64 { return f.RowGroup.NumRows() - 1 }

func rowsFile[T any](t testing.TB, rows []T, o ...parquet.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b, o...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// halfAndNull has columns h (float16), n (null) and l (a list of float16): rows 1.5, null, [65504]; null, null, []; -0.1, null, null. PyArrow 26 wrote it:
// pq.write_table(pa.table(…), file, store_schema=False, write_statistics=False, compression='none', use_dictionary=False).
const halfAndNull = "UEFSMRUAFRQVFCwVBhUAFQYVBhwAAAACAAAAAwUAPmauFQAVDBUMLBUGFQAVBhUGHAAAAAIAAAAGABUAFR4VHiwVBhUAFQYVBhwAAAACAAAABgADAAAAAwcA/3sVBBlsNQAYBnNjaGVtYRUGABUOFQQVAhgBaGz8" +
	"AAAAFQIlAhgBbmy8AAAANQIYAWwVAhUGTDwAAAA1BBgEbGlzdBUCABUOFQQVAhgHZWxlbWVudGz8AAAAFgYZHBk8JgAcFQ4ZJQYAGRgBaBUAFgYWOhY6JghJHBUAFQAVAgA8KQYZJgIEAAAAJgAcFQIZJQYAGRgBbhUAFgYWMhYyJkJJHBUAFQAVAgA8" +
	"KQYZJgYAAAAAJgAcFQ4ZJQYAGTgBbARsaXN0B2VsZW1lbnQVABYGFkQWRCZ0SRwVABUAFQIAPCkmBgAZRgICAAIAAAAWsAEWBiYIFrABACggcGFycXVldC1jcHAtYXJyb3cgdmVyc2lvbiAyNi4wLjEZPBwAABwAABwAAAAmAQAAUEFSMQ=="

// TestParquetKinds has columns that not every writer makes.
func TestParquetKinds(t *testing.T) {
	raw, err := base64.StdEncoding.DecodeString(halfAndNull)
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		U  uint64   `parquet:"u"`
		ID [16]byte `parquet:"id,uuid"`
		D  int64    `parquet:"d,decimal(2:18)"`
		L  []uint64 `parquet:"l,list"`
	}
	id := [16]byte{0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00}
	large := string(rowsFile(t, []row{{1<<64 - 1, id, -5, []uint64{1<<64 - 1}}, {7, id, 1200, nil}, {0, id, math.MinInt64, nil}}))
	for name, c := range map[string]struct {
		file string
		o    Options
		want string
	}{
		"half, null": {string(raw), Options{}, "[\"h\" \"n\" \"l\"]\n1 1.5 null \"[65504]\"\n2 null null \"[]\"\n3 -0.0999755859375 null null\nrows 3\n"},
		"large": {large, Options{Decimals: true}, "[\"u\" \"id\" \"d\" \"l\"]\n" +
			`1 "18446744073709551615" "123e4567-e89b-12d3-a456-426614174000" "-0.05" "[18446744073709551615]"` + "\n" +
			`2 "7" "123e4567-e89b-12d3-a456-426614174000" "12" "[]"` + "\n" +
			`3 "0" "123e4567-e89b-12d3-a456-426614174000" "-92233720368547758.08" "[]"` + "\nrows 3\n"},
		"as numbers": {large, Options{Wanted: func(l string) bool { return l == "u" || l == "d" }}, "[\"u\" \"id\" \"d\" \"l\"]\n" +
			"1 1.8446744073709552e+19 \"\" -0.05 \"\"\n2 7 \"\" 12 \"\"\n3 0 \"\" -9.223372036854776e+16 \"\"\nrows 3\n"},
	} {
		got, err := read("x.parquet", c.file, c.o)
		if d := cmp.Diff(c.want, got); d != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, d)
		}
	}
	_, err = read("x.parquet", string(rowsFile(t, make([]row, 3), parquet.Compression(&parquet.Lz4Raw))), Options{})
	if !errors.Is(err, ErrUnsupported) {
		t.Errorf("LZ4: %v", err)
	}
	for h, want := range map[uint16]float64{0: 0, 1: 0x1p-24, 0x3ff: 1023 * 0x1p-24, 0x400: 0x1p-14, 0x3c00: 1, 0x7bff: 65504, 0x7c00: math.Inf(1), 0xfc00: math.Inf(-1), 0xc000: -2} {
		if got := half(h); got != want {
			t.Errorf("%#x is %v, want %v", h, got, want)
		}
	}
}

// counted counts what is read.
type counted struct {
	Source
	n int
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.Source.ReadAt(p, off)
	c.n += n
	return n, err
}

// TestParquetColumns: columns that are not wanted are not read.
func TestParquetColumns(t *testing.T) {
	file := parquetFile(t, 20_000, parquet.PageBufferSize(64<<10), parquet.MaxRowsPerRowGroup(20_000), parquet.Compression(&parquet.Uncompressed))
	readAll := func(wanted func(string) bool) int {
		src := &counted{Source: source(file)}
		ctx := context.Background()
		tb, err := Open(ctx, "x.parquet", src, Options{Wanted: wanted})
		if err != nil {
			t.Fatal(err)
		}
		var s Scratch
		if err := tb.Tasks(ctx, func(task Task) error { return task(ctx, &s, func(*Batch) error { return nil }) }); err != nil {
			t.Fatal(err)
		}
		return src.n
	}
	all, one := readAll(nil), readAll(func(l string) bool { return l == "ok" })
	if one*3 > all {
		t.Errorf("%d bytes for one column, %d for all of %d", one, all, len(file))
	}
}

func FuzzParquet(f *testing.F) {
	f.Add([]byte(parquetFile(f, 20)))
	f.Fuzz(func(t *testing.T, b []byte) {
		var bad *Error
		if _, err := read("x.parquet", string(b), Options{}); err != nil && !errors.As(err, &bad) && !errors.Is(err, ErrUnsupported) {
			t.Error(err)
		}
	})
}
