package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/snappy"

	"tarn/store/chunk"
	"tarn/store/digest"
	"tarn/store/pack"
)

// versions are two versions of one file.
type versions struct {
	name     string
	old, new []byte
}

// perChunk is what a chunk costs beside its bytes: a record in a pack and one in a page.
const perChunk = 48 + 45

// chunks prints how well files are cut with each average size: the table of ADR 2. Memory: about 1 GB.
func chunks() error {
	pairs, err := pairs()
	if err != nil {
		return err
	}
	enc, err := pack.NewEncoder(pack.LevelDefault)
	if err != nil {
		return err
	}
	fmt.Println("| change of a file | first push | 64 KiB | 128 KiB | 256 KiB | 512 KiB | 1 MiB |\n| --- | --- | --- | --- | --- | --- | --- |")
	averages := []int{64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20}
	for _, p := range pairs {
		var cells []string
		var first float64
		for _, avg := range averages {
			s := chunk.Sizes{Min: avg / 4, Avg: avg, Max: 4 * avg}
			_, before, _ := send(enc, s, p.old, map[digest.Digest]bool{})
			known := map[digest.Digest]bool{}
			send(enc, s, p.old, known)
			raw, stored, n := send(enc, s, p.new, known)
			if avg == chunk.Avg {
				first = float64(before) / float64(len(p.old))
			}
			cells = append(cells, fmt.Sprintf("%.2f %% → %.2f %% (%d)", 100*float64(raw)/float64(len(p.new)), 100*float64(stored+n*perChunk)/float64(len(p.new)), n))
		}
		fmt.Printf("| %s, %d MB | %.0f %%", p.name, len(p.new)/1e6, 100*first)
		for _, c := range cells {
			fmt.Print(" | ", c)
		}
		fmt.Println(" |")
	}
	random := noise(64<<20, 9)
	fmt.Print("| cut and hash bytes that don't compress, MB/s | ")
	for _, avg := range averages {
		start := time.Now()
		s := chunk.Sizes{Min: avg / 4, Avg: avg, Max: 4 * avg}
		for b := random; len(b) > 0; {
			n := s.Cut(b)
			digest.Sum(b[:n])
			b = b[n:]
		}
		fmt.Printf("| %.0f ", float64(len(random))/1e6/time.Since(start).Seconds())
	}
	fmt.Println("|")
	return nil
}

// send cuts data and counts what known lacks: bytes, bytes as they are stored, chunks.
func send(enc *pack.Encoder, s chunk.Sizes, data []byte, known map[digest.Digest]bool) (raw, stored, n int) {
	for b := data; len(b) > 0; {
		c := b[:s.Cut(b)]
		b = b[len(c):]
		d := digest.Sum(c)
		if known[d] {
			continue
		}
		known[d] = true
		frame, _, err := enc.Encode(c)
		if err != nil {
			panic(err)
		}
		raw, stored, n = raw+len(c), stored+len(frame), n+1
	}
	return raw, stored, n
}

func noise(n int, seed byte) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

type measurement struct {
	ID     int64   `parquet:"id"`
	Time   int64   `parquet:"time"`
	Sensor string  `parquet:"sensor,dict"`
	Value  float64 `parquet:"value"`
	Note   string  `parquet:"note"`
}

func measurements(n int, seed uint64) []measurement {
	r := rand.New(rand.NewPCG(seed, 2))
	ms := make([]measurement, n)
	for i := range ms {
		ms[i] = measurement{int64(i), 1_700_000_000 + int64(i)*7 + r.Int64N(5), fmt.Sprintf("sensor-%03d", r.IntN(400)), 20 + 5*r.NormFloat64(), words[r.IntN(len(words))] + " " + words[r.IntN(len(words))]}
	}
	return ms
}

var words = []string{"ok", "low battery", "door open", "restart", "calibrated", "drift", "noise", "offline", "replaced", "check"}

func csvOf(ms []measurement) []byte {
	b := []byte("id,time,sensor,value,note\n")
	for _, m := range ms {
		b = fmt.Appendf(b, "%d,%d,%s,%.4f,%s\n", m.ID, m.Time, m.Sensor, m.Value, m.Note)
	}
	return b
}

func parquetOf(ms []measurement, o ...parquet.WriterOption) ([]byte, error) {
	var b bytes.Buffer
	w := parquet.NewGenericWriter[measurement](&b, o...)
	for part := range slices.Chunk(ms, 200_000) {
		if _, err := w.Write(part); err != nil {
			return nil, err
		}
		if err := w.Flush(); err != nil { // a row group
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

// weights are tensors of 32-bit floats; of a version, the last tenth was trained further.
func weights(n int, version byte) []byte {
	b := make([]byte, 0, 4*n)
	for layer := range 10 {
		seed := uint64(layer)
		if layer == 9 {
			seed += uint64(version)
		}
		r := rand.New(rand.NewPCG(seed, 3))
		for range n / 10 {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(0.02*r.NormFloat64())))
		}
	}
	return b
}

func pairs() ([]versions, error) {
	const rows = 2_000_000
	old := measurements(rows, 1)
	inserted := slices.Concat(old[:rows/2], measurements(1000, 5), old[rows/2:], measurements(rows/100, 6))
	changed := slices.Clone(old)
	r := rand.New(rand.NewPCG(8, 8))
	for range 100 {
		changed[r.IntN(rows)].Value++
	}
	ps := []versions{
		{"CSV: 1,000 rows inserted in the middle, 1 % appended", csvOf(old), csvOf(inserted)},
		{"CSV: 100 cells changed, anywhere", csvOf(old), csvOf(changed)},
	}
	late := slices.Clone(old)
	for i := range 1000 {
		late[rows-300_000+i].Value++
	}
	for _, v := range []struct {
		name string
		ms   []measurement
	}{{"1 % appended", slices.Concat(old, measurements(rows/100, 6))}, {"1,000 values changed in one row group", late}, {"1,000 rows inserted in the middle", slices.Concat(old[:rows/2], measurements(1000, 5), old[rows/2:])}} {
		for _, c := range []struct {
			name string
			o    []parquet.WriterOption
		}{{"Parquet, plain", nil}, {"Parquet, snappy", []parquet.WriterOption{parquet.Compression(&snappy.Codec{})}}} {
			a, err := parquetOf(old, c.o...)
			if err != nil {
				return nil, err
			}
			b, err := parquetOf(v.ms, c.o...)
			if err != nil {
				return nil, err
			}
			ps = append(ps, versions{c.name + ": " + v.name, a, b})
		}
	}
	random := noise(128<<20, 4)
	return append(ps,
		versions{"weights, float32: a tenth trained further", weights(25_000_000, 0), weights(25_000_000, 1)},
		versions{"does not compress: 1 KB inserted in the middle", random, slices.Concat(random[:64<<20], noise(1000, 5), random[64<<20:])},
	), nil
}
