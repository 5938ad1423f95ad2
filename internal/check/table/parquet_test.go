package table

import (
	"bytes"
	"context"
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
			} else if err != nil {
				t.Fatalf("not a finding: %v", err)
			}
		}
	}
	if findings < 110 {
		t.Errorf("only %d findings", findings)
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
		if _, err := read("x.parquet", string(b), Options{}); err != nil && !errors.As(err, &bad) {
			t.Error(err)
		}
	})
}
