package table

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
)

type nestedPair struct {
	K string   `parquet:"k" json:"k"`
	V []*int64 `parquet:"v,list" json:"v"`
}

// nestedRow has lists of lists, of groups and of nulls, maps, and what old writers made: a repeated column without a group around it.
type nestedRow struct {
	ID    int64               `parquet:"id" json:"-"`
	Lists [][]string          `parquet:"lists,list" json:"lists"`
	Pairs []nestedPair        `parquet:"pairs,list" json:"pairs"`
	Plain []float64           `parquet:"plain" json:"plain"`
	Map   map[string]*float64 `parquet:"map" json:"map"`
	Ints  map[int32][]bool    `parquet:"ints" json:"-"`
	Last  string              `parquet:"last" json:"-"`
}

func randomNested(r *rand.Rand, id int) nestedRow {
	text := func() string { return []string{"", "a", `q"\`, "é\n\x01", "<&>"}[r.IntN(5)] }
	x := nestedRow{ID: int64(id), Lists: [][]string{}, Pairs: []nestedPair{}, Plain: []float64{}, Map: map[string]*float64{}, Ints: map[int32][]bool{}, Last: "z"}
	for range r.IntN(4) {
		l := []string{}
		for range r.IntN(3) {
			l = append(l, text())
		}
		x.Lists = append(x.Lists, l)
	}
	for range r.IntN(3) {
		p := nestedPair{K: text(), V: []*int64{}}
		for range r.IntN(4) {
			var v *int64
			if r.IntN(3) > 0 {
				v = new(int64)
				*v = r.Int64()
			}
			p.V = append(p.V, v)
		}
		x.Pairs = append(x.Pairs, p)
	}
	for range r.IntN(300) {
		x.Plain = append(x.Plain, 1+r.Float64())
	}
	for i := range r.IntN(3) {
		var v *float64
		if r.IntN(3) > 0 {
			f := r.Float64()
			v = &f
		}
		x.Map[fmt.Sprint(i, text())] = v
		x.Ints[int32(i)] = []bool{true, false}[:r.IntN(3)]
	}
	return x
}

func nestedFile(t testing.TB, rows []nestedRow, options ...parquet.WriterOption) string {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[nestedRow](&b, options...)
	for _, row := range rows {
		if _, err := w.Write([]nestedRow{row}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestNested: lists and maps are read as the JSON that the rows were made of.
func TestNested(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var rows []nestedRow
	for i := range 300 {
		rows = append(rows, randomNested(r, i))
	}
	for _, options := range [][]parquet.WriterOption{{}, {parquet.PageBufferSize(300), parquet.MaxRowsPerRowGroup(101)}, {parquet.PageBufferSize(1000), parquet.DataPageVersion(1), parquet.Compression(&parquet.Zstd)}} {
		ctx := context.Background()
		tb, err := Open(ctx, "x.parquet", source(nestedFile(t, rows, options...)), Options{})
		if err != nil {
			t.Fatal(err)
		}
		labels := tb.Labels()
		n := 0
		var s Scratch
		err = tb.Tasks(ctx, func(task Task) error {
			return task(ctx, &s, func(b *Batch) error {
				for i := range b.Rows {
					got := map[string]json.RawMessage{}
					for c, l := range labels {
						if l != "id" && l != "ints" && l != "last" {
							got[l] = slices.Clone(b.Cols[c].Text(i))
						}
					}
					js, err := json.Marshal(got)
					if err != nil {
						t.Fatalf("row %d: %v: %s", n, err, got)
					}
					want, _ := json.Marshal(rows[n])
					if d := cmp.Diff(decoded(want), decoded(js)); d != "" {
						t.Fatalf("row %d: %s", n, d)
					}
					ints := string(b.Cols[slices.Index(labels, "ints")].Text(i))
					if k := len(rows[n].Ints); !json.Valid([]byte(ints)) || strings.Count(ints, `"key":`) != k || (k == 0) != (ints == "[]") {
						t.Fatalf("row %d: %s", n, ints)
					}
					n++
				}
				return nil
			})
		})
		if err != nil || n != len(rows) {
			t.Errorf("%d rows, %v", n, err)
		}
	}
}

func decoded(b []byte) (v any) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return err.Error()
	}
	return v
}

// TestNestedNull: a list that is not there is no value, an empty one is.
func TestNestedNull(t *testing.T) {
	schema := parquet.NewSchema("x", parquet.Group{"l": parquet.Optional(parquet.List(parquet.String()))})
	var b bytes.Buffer
	w := parquet.NewGenericWriter[any](&b, schema)
	for _, values := range [][]parquet.Value{{parquet.NullValue().Level(0, 0, 0)}, {parquet.NullValue().Level(0, 1, 0)}, {parquet.ValueOf("x").Level(0, 2, 0), parquet.ValueOf("\xff").Level(1, 2, 0)}} {
		if _, err := w.WriteRows([]parquet.Row{values}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := read("x.parquet", b.String(), Options{})
	want := "[\"l\"]\n1 null\n2 \"[]\"\n3 \"[\\\"x\\\",\\\"\uFFFD\\\"]\"\n! encoding-error row 3 col 1 +0 the value has bytes that are not UTF-8\nrows 3\n"
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Error(err, d)
	}
}

// TestNestedDecimals: decimals in a list keep all their digits.
func TestNestedDecimals(t *testing.T) {
	schema := parquet.NewSchema("x", parquet.Group{"l": parquet.List(parquet.Decimal(2, 18, parquet.Int64Type))})
	var b bytes.Buffer
	w := parquet.NewGenericWriter[any](&b, schema)
	row := parquet.Row{parquet.ValueOf(int64(-5)).Level(0, 1, 0), parquet.ValueOf(int64(123456789012345678)).Level(1, 1, 0), parquet.ValueOf(int64(1200)).Level(1, 1, 0)}
	if _, err := w.WriteRows([]parquet.Row{row}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := read("x.parquet", b.String(), Options{}); err != nil || !strings.Contains(got, `"[-0.05,1234567890123456.78,12]"`) {
		t.Errorf("%v\n%s", err, got)
	}
}

// TestNestedBroken flips bytes: there is a finding or a table, never a panic or a hang.
func TestNestedBroken(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	var rows []nestedRow
	for i := range 60 {
		rows = append(rows, randomNested(r, i))
	}
	file := nestedFile(t, rows, parquet.PageBufferSize(300), parquet.Compression(&parquet.Uncompressed))
	findings := 0
	for range 250 {
		b := []byte(file)
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		got, err := read("x.parquet", string(b), Options{})
		var bad *Error
		if errors.As(err, &bad) || strings.Contains(got, "!! ") {
			findings++
		} else if err != nil {
			t.Fatalf("not a finding: %v", err)
		}
	}
	if findings < 150 {
		t.Errorf("only %d findings", findings)
	}
}

// TestParquetChecksum: a page with a checksum can't be changed unseen, whatever it holds.
func TestParquetChecksum(t *testing.T) {
	file := []byte(parquetFile(t, 50, parquet.Compression(&parquet.Uncompressed)))
	at := bytes.Index(file, binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, 10), 11)) // of the ids
	if at < 0 {
		t.Fatal("there is nothing to change")
	}
	file[at] ^= 1
	if got, err := read("x.parquet", string(file), Options{}); err != nil || !strings.Contains(got, "checksum") {
		t.Errorf("%v\n%s", err, got)
	}
}

type splitRow struct {
	ID    int64   `parquet:"id"`
	State string  `parquet:"state,dict"`
	Half  *string `parquet:"half,optional"`
}

func splitFile(t *testing.T, n, page int) string {
	var b bytes.Buffer
	w := parquet.NewGenericWriter[splitRow](&b, parquet.MaxRowsPerRowGroup(int64(2*n)), parquet.PageBufferSize(page))
	rows := make([]splitRow, n)
	for i := range rows {
		rows[i] = splitRow{ID: int64(i), State: fmt.Sprint("s", i%7)}
		if i%2 == 0 {
			rows[i].Half = &rows[i].State
		}
	}
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// readSplit reads a file in tasks of so many rows, and gives the ids and how many states and nulls were not those of their rows.
func readSplit(file string, split int64) (ids []int64, wrong, tasks int, err error) {
	ctx := context.Background()
	tb, err := Open(ctx, "x.parquet", source(file), Options{})
	if err != nil {
		return nil, 0, 0, err
	}
	tb.(*parquetReader).split = split
	var s Scratch
	err = tb.Tasks(ctx, func(task Task) error {
		tasks++
		return task(ctx, &s, func(b *Batch) error {
			for i := range b.Rows {
				id := b.Cols[0].Ints[i]
				ids = append(ids, id)
				if b.Row(i) != id+1 || string(b.Cols[1].Text(i)) != fmt.Sprint("s", id%7) || b.Cols[2].IsAbsent(i) != (id%2 == 1) {
					wrong++
				}
			}
			return nil
		})
	})
	return ids, wrong, tasks, err
}

// TestParquetSplit: a large row group is several tasks, which give the same rows.
func TestParquetSplit(t *testing.T) {
	const n = 21_234
	ids, wrong, tasks, err := readSplit(splitFile(t, n, 4<<10), 10_000)
	if err != nil || len(ids) != n || wrong != 0 || tasks != 3 || !slices.IsSorted(ids) {
		t.Errorf("%d rows, %d wrong, %d tasks, %v", len(ids), wrong, tasks, err)
	}
}

// TestParquetSplitBroken changes each byte between data and footer, where the index of pages is: all rows are read as they are, or there is a finding.
func TestParquetSplitBroken(t *testing.T) {
	const n = 1000
	file := splitFile(t, n, 400)
	f, err := parquet.OpenFile(strings.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	end := int64(0)
	for _, c := range f.Metadata().RowGroups[0].Columns {
		end = max(end, c.MetaData.DataPageOffset+c.MetaData.TotalCompressedSize-1)
	}
	footer := int64(len(file)) - 8 - int64(binary.LittleEndian.Uint32([]byte(file[len(file)-8:])))
	found, step := 0, int64(1)
	if testing.Short() {
		step = 5
	}
	for at := end; at < footer; at += step {
		b := []byte(file)
		b[at] ^= 1 << (at % 7)
		ids, wrong, _, err := readSplit(string(b), 300)
		if err != nil {
			found++
		} else if len(ids) != n || wrong != 0 || !slices.IsSorted(ids) {
			t.Fatalf("byte %d: %d rows, %d wrong", at, len(ids), wrong)
		}
	}
	if found < int(50/step) {
		t.Errorf("only %d findings in %d bytes", found, footer-end)
	}
}
