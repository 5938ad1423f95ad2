package check

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"tarn/internal/check/cell"
	"tarn/internal/check/report"
)

// benchRows: 8,000,000 rows are the 382 MB of the record; the file is made once and used again.
var benchRows = flag.Int("check.rows", 400_000, "rows of the benchmarks")

// benchFile makes the table of the benchmarks: 6 columns, about 48 bytes a row, in one row of 1000 something wrong.
func benchFile(tb testing.TB) string {
	tb.Helper()
	name := filepath.Join(os.TempDir(), fmt.Sprintf("tarn-check-bench-1-%d.csv", *benchRows))
	if _, err := os.Stat(name); err == nil {
		return name
	}
	f, err := os.CreateTemp(os.TempDir(), "tarn-check-bench-*")
	if err != nil {
		tb.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	r := rand.New(rand.NewPCG(7, 7))
	w.WriteString("id,code,price,quantity,state,day\n")
	states := []string{"open", "paid", "sent", "returned", "lost"}
	var b []byte
	for i := range *benchRows {
		b = strconv.AppendInt(b[:0], int64(i)+1, 10)
		bad := r.IntN(1000)
		b = fmt.Appendf(b, ",%c%c-%06d,", 'A'+r.IntN(26), 'A'+r.IntN(26), r.IntN(1e6))
		if bad != 0 {
			b = strconv.AppendFloat(b, float64(r.IntN(10_000_000))/100, 'f', 2, 64)
		}
		q := r.IntN(1000)
		if bad == 1 {
			q = -q - 1
		}
		b = append(strconv.AppendInt(append(b, ','), int64(q), 10), ',')
		state := states[r.IntN(len(states))]
		if bad == 2 {
			state = "stolen"
		}
		b = fmt.Appendf(append(b, state...), ",20%02d-%02d-%02d\n", 10+r.IntN(15), 1+r.IntN(12), 1+r.IntN(28))
		w.Write(b)
	}
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(f.Name(), name); err != nil {
		tb.Fatal(err)
	}
	return name
}

// disk is a Source of one file.
type disk string

func (d disk) Entries(context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		info, err := os.Stat(string(d))
		if err != nil {
			yield(Entry{}, err)
			return
		}
		yield(Entry{Path: filepath.Base(string(d)), Size: info.Size()}, nil)
	}
}

type diskFile struct {
	*os.File
	size int64
}

func (f diskFile) Size() int64 { return f.size }

func (d disk) Open(_ context.Context, e Entry) (File, error) {
	f, err := os.Open(string(d))
	return diskFile{f, e.Size}, err
}

func (d disk) Digest(context.Context, Entry) (z [32]byte, err error) { return z, nil }

const benchProps = `{name: id, logicalType: integer, required: true, logicalTypeOptions: {minimum: 1}}, {name: code, logicalType: string, required: true, logicalTypeOptions: {pattern: "[A-Z]{2}-[0-9]{6}"}},
 {name: price, logicalType: number, required: true, logicalTypeOptions: {minimum: 0, maximum: 100000}}, {name: quantity, logicalType: integer, logicalTypeOptions: {minimum: 0}},
 {name: state, logicalType: string, quality: [{metric: invalidValues, mustBe: 0, arguments: {validValues: [open, paid, sent, returned, lost]}}]}, {name: day, logicalType: date}`

// BenchmarkFloor is the least that any checker of this table has to do: find the line ends, cut the fields, parse the numbers. All processors do it, each
// on blocks of lines of 1 MiB.
func BenchmarkFloor(b *testing.B) {
	name := benchFile(b)
	info, err := os.Stat(name)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	start := cpu(b)
	for b.Loop() {
		if got, err := floor(name); err != nil || got != int64(*benchRows) {
			b.Fatalf("%d rows, %v", got, err)
		}
	}
	b.ReportMetric((cpu(b)-start)/float64(b.N), "cpu-s/op")
}

func floor(name string) (rows int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	blocks := make(chan []byte)
	counts := make([]int64, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for i := range counts {
		wg.Go(func() {
			for b := range blocks {
				counts[i] += floorBlock(b)
			}
		})
	}
	r := bufio.NewReaderSize(f, 1<<20)
	if _, err := r.ReadSlice('\n'); err != nil {
		return 0, err
	}
	for rest := []byte(nil); ; {
		b := make([]byte, 1<<20)
		n := copy(b, rest)
		m, rerr := r.Read(b[n:])
		b = b[:n+m]
		end := bytes.LastIndexByte(b, '\n') + 1
		rest = b[end:]
		blocks <- b[:end]
		if rerr != nil {
			break
		}
	}
	close(blocks)
	wg.Wait()
	for _, n := range counts {
		rows += n
	}
	return rows, nil
}

func floorBlock(b []byte) (rows int64) {
	var sum float64
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		line := b[:end]
		b = b[end+1:]
		for col := 0; ; col++ {
			i := bytes.IndexByte(line, ',')
			v := line
			if i >= 0 {
				v = line[:i]
			}
			switch col {
			case 0, 3:
				n, _ := cell.ParseInt(v)
				sum += float64(n)
			case 2:
				f, _ := cell.ParseFloat(v)
				sum += f
			}
			if i < 0 {
				break
			}
			line = line[i+1:]
		}
		rows++
	}
	if sum == 0.5 {
		return -1
	}
	return rows
}

func BenchmarkCSV(b *testing.B) {
	name := benchFile(b)
	info, err := os.Stat(name)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	in := testInput(b, tableContract(benchProps, ""), disk(name))
	in.Workers = 0
	in.Single = true
	var res *report.Result
	start := cpu(b)
	for b.Loop() {
		if res, err = Run(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
	if res.Rows != int64(*benchRows) || res.Count().Errors != 3 {
		b.Fatalf("%d rows\n%s", res.Rows, outcome(res))
	}
	b.ReportMetric((cpu(b)-start)/float64(b.N), "cpu-s/op")
}
