package main

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// A workload is a tree of files that is the same for a name, a scale and a seed, on each machine.
type workload struct {
	name  string
	count int // files at scale 1
	size  func(r *rand.Rand) int64
	ext   string
}

const seed = 7

var (
	// small is 100,000 files of 64 B to 16 KiB, log-normal around 2.4 KB: labels, snippets, thumbnails.
	small = workload{"small", 100_000, func(r *rand.Rand) int64 { return int64(min(16384, max(64, math.Exp(7.8+0.9*r.NormFloat64())))) }, ".bin"}
	// images is 10,000 files of 60 to 140 KB that don't compress.
	images = workload{"images", 10_000, func(r *rand.Rand) int64 { return 60_000 + r.Int64N(80_000) }, ".jpg"}
	// large is one file of 2 GiB that doesn't compress.
	large = workload{"large", 1, func(*rand.Rand) int64 { return 2 << 30 }, ".bin"}
	// few is 20,000 files as those of small, 72 MB.
	few = workload{"few", 20_000, small.size, ".bin"}
	// table is a CSV of 382 MB.
	table = workload{name: "table", count: 1}
	// million is 1,000,000 files of 64 B to 1 KiB.
	million = workload{"million", 1_000_000, func(r *rand.Rand) int64 { return 64 + r.Int64N(960) }, ".bin"}
)

const perDirectory = 1000

// make writes the workload below dir. Scale changes how many files there are; of one file, its size.
func (w workload) make(dir string, scale float64) error {
	if w.name == table.name {
		return makeTable(filepath.Join(dir, "0000", "0000000.csv"), int(5_690_000*scale))
	}
	r := rand.New(rand.NewPCG(seed, 0))
	n := max(1, int(float64(w.count)*scale))
	for i := range n {
		size := w.size(r)
		if w.count == 1 {
			size = int64(float64(size) * scale)
		}
		path := filepath.Join(dir, fmt.Sprintf("%04d", i/perDirectory), fmt.Sprintf("%07d%s", i, w.ext))
		if i%perDirectory == 0 {
			if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
				return err
			}
		}
		if err := writeRandom(path, size, uint64(i)); err != nil {
			return err
		}
	}
	return nil
}

// mutate makes the second version: 1 % of the files get other bytes, 0.1 % go, 0.1 % come.
func (w workload) mutate(dir string) error {
	files, err := list(dir)
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(seed, 1))
	r.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	changed, gone := max(1, len(files)/100), len(files)/1000
	for i, f := range files[:changed] {
		info, err := os.Stat(f)
		if err != nil {
			return err
		}
		if err := writeRandom(f, info.Size()+1, uint64(1_000_000_000+i)); err != nil {
			return err
		}
	}
	for i, f := range files[changed : changed+gone] {
		if err := os.Remove(f); err != nil {
			return err
		}
		if err := writeRandom(filepath.Join(dir, "0000", fmt.Sprintf("new%06d%s", i, w.ext)), 2048, uint64(2_000_000_000+i)); err != nil {
			return err
		}
	}
	return nil
}

func list(dir string) (files []string, err error) {
	err = filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			files = append(files, p)
		}
		return err
	})
	slices.Sort(files)
	return files, err
}

// writeRandom writes size bytes that depend on id alone.
func writeRandom(path string, size int64, id uint64) error {
	var key [32]byte
	for i := range 8 {
		key[i], key[8+i] = byte(id>>(8*i)), byte(seed>>(8*i))
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := io.CopyN(f, rand.NewChaCha8(key), size); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
