package cache

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"tarn/internal/durable"
	"tarn/store/digest"
)

const smallFiles, smallSize = 20_000, 2048

// smallTree makes files of one directory each hundred, and returns their paths.
func smallTree(b *testing.B) []string {
	dir := b.TempDir()
	paths := make([]string, smallFiles)
	for i := range paths {
		sub := filepath.Join(dir, fmt.Sprint(i/100))
		must(b, os.MkdirAll(sub, 0o777))
		paths[i] = filepath.Join(sub, fmt.Sprint(i))
		must(b, os.WriteFile(paths[i], content(smallSize, uint64(i)), 0o666))
	}
	return paths
}

func addAll(b *testing.B, w *Writer, paths []string, workers int) {
	var wg sync.WaitGroup
	for g := range workers {
		wg.Go(func() {
			for i := g; i < len(paths); i += workers {
				f, info, err := durable.OpenRegular(paths[i])
				if err == nil {
					_, _, _, err = w.AddFile(f, info.Size())
					f.Close()
				}
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkAddSmall(b *testing.B) {
	paths := smallTree(b)
	b.SetBytes(smallFiles * smallSize)
	for b.Loop() {
		w := newCache(b).NewWriter()
		addAll(b, w, paths, 2)
		must(b, w.Close())
	}
}

const largeSize = 256 << 20

func largeFile(b *testing.B) string {
	path := filepath.Join(b.TempDir(), "large")
	f, err := os.Create(path)
	must(b, err)
	block := content(1<<20, 1)
	for i := range largeSize >> 20 {
		block[0] = byte(i)
		_, err := f.Write(block)
		must(b, err)
	}
	must(b, f.Sync())
	must(b, f.Close())
	return path
}

func BenchmarkAddLarge(b *testing.B) {
	path := largeFile(b)
	b.SetBytes(largeSize)
	for b.Loop() {
		c := newCache(b)
		w := c.NewWriter()
		addAll(b, w, []string{path}, 1)
		must(b, w.Close())
		b.StopTimer()
		must(b, os.RemoveAll(c.dir))
		b.StartTimer()
	}
}

// What AddLarge is measured by.
func BenchmarkPlainCopy(b *testing.B) {
	path := largeFile(b)
	b.SetBytes(largeSize)
	for b.Loop() {
		from, err := os.Open(path)
		must(b, err)
		to, err := os.Create(filepath.Join(b.TempDir(), "copy"))
		must(b, err)
		_, err = io.Copy(struct{ io.Writer }{to}, struct{ io.Reader }{from})
		must(b, err)
		must(b, to.Sync())
		must(b, to.Close())
		must(b, from.Close())
		b.StopTimer()
		must(b, os.Remove(to.Name()))
		b.StartTimer()
	}
}

func BenchmarkCheckoutSmall(b *testing.B) {
	c := newCache(b)
	w := c.NewWriter()
	digests := make([]digest.Digest, smallFiles)
	for i := range digests {
		d, _, err := w.AddBytes(content(smallSize, uint64(i)))
		must(b, err)
		digests[i] = d
	}
	must(b, w.Close())
	b.SetBytes(smallFiles * smallSize)
	for b.Loop() {
		b.StopTimer()
		ws := newWorkspace(b)
		b.StartTimer()
		checkoutAll(b, c, ws, digests)
		must(b, ws.SyncFS())
	}
}

func checkoutAll(b *testing.B, c *Cache, ws workspace, digests []digest.Digest) {
	var wg sync.WaitGroup
	for g := range 2 {
		wg.Go(func() {
			for first := g * 100; first < len(digests); first += 200 {
				dir := fmt.Sprint(first)
				must(b, ws.Mkdir(dir, 0o777))
				sub, err := ws.Sub(dir)
				must(b, err)
				for i := range 100 {
					must(b, second(c.Checkout(digests[first+i], smallSize, false, sub, fmt.Sprint(i))))
				}
				must(b, sub.Close())
			}
		})
	}
	wg.Wait()
}

// What CheckoutSmall is measured by: cp -r of such a tree.
func BenchmarkPlainSmall(b *testing.B) {
	paths := smallTree(b)
	b.SetBytes(smallFiles * smallSize)
	for b.Loop() {
		b.StopTimer()
		dst := b.TempDir()
		ws := newWorkspace(b)
		b.StartTimer()
		for _, path := range paths {
			sub := filepath.Join(dst, filepath.Base(filepath.Dir(path)))
			os.Mkdir(sub, 0o777)
			body, err := os.ReadFile(path)
			must(b, err)
			must(b, os.WriteFile(filepath.Join(sub, filepath.Base(path)), body, 0o666))
		}
		must(b, ws.SyncFS())
	}
}

func BenchmarkHasAllPacked(b *testing.B) {
	c := newCache(b)
	w := c.NewWriter()
	var digests []digest.Digest
	for i := range 100_000 {
		d, _, err := w.AddBytes(fmt.Append(nil, i))
		must(b, err)
		digests = append(digests, d)
	}
	must(b, w.Close())
	hasAll(b, c.dir, digests)
}

func BenchmarkHasAllOwn(b *testing.B) {
	c := newCache(b)
	var digests []digest.Digest
	for i := range 100_000 { // made by hand
		d := digest.Sum(fmt.Append(nil, i))
		must(b, os.MkdirAll(filepath.Dir(c.ownPath(d)), 0o777))
		must(b, os.WriteFile(c.ownPath(d), nil, 0o444))
		digests = append(digests, d)
	}
	hasAll(b, c.dir, digests)
}

func hasAll(b *testing.B, dir string, digests []digest.Digest) {
	for b.Loop() {
		c, err := Open(nil, dir, Options{})
		must(b, err)
		for _, has := range c.HasAll(digests) {
			if !has {
				b.Fatal("lost")
			}
		}
		must(b, c.Close())
	}
}

func BenchmarkOpen(b *testing.B) {
	c := newCache(b)
	for i := range 8 {
		store(b, c, content(100, uint64(i)), content(ownMin, uint64(i)))
	}
	d := digest.Sum(content(100, 3))
	for b.Loop() {
		fresh, err := Open(nil, c.dir, Options{})
		must(b, err)
		if !fresh.Has(d) {
			b.Fatal("lost")
		}
		must(b, fresh.Close())
	}
}
