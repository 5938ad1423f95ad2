package table

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
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
1 -1 null "open" null 1 0 0 2147483648 0.25 0 "[\"a\",\"b\"]"
2 0 "n" "paid" 0.5 0 1 1000 2147483649 1.25 -1 "[\"a\",\"b\"]"
3 1 "nn" "open" 1 1 2 2000 2147483650 2.25 -2 "[\"a\",\"b\"]"
rows 3
`
	// A column that is nested is JSON.
	got = strings.ReplaceAll(got, "\r", "")
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, codec := range []parquet.WriterOption{parquet.Compression(&parquet.Snappy), parquet.Compression(&parquet.Zstd), parquet.Compression(&parquet.Gzip), parquet.DataPageVersion(1)} {
		many, err := read("x.parquet", parquetFile(t, 1000, codec), Options{})
		if err != nil || !strings.Contains(many, "\n1000 998 null \"paid\" null 0 999 999000 2147484647 999.25 -999") || !strings.HasSuffix(many, "rows 1000\n") {
			t.Errorf("%v\n%.500s", err, many)
		}
	}
}

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
