package cli

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tarn/index"
	"tarn/store/cache"
	"tarn/store/digest"
)

// million makes a repository with two versions of a dataset of n files, of which some were changed, without the files themselves.
func million(tb testing.TB, n, changed int) string {
	dir := tb.TempDir()
	git := func(args ...string) {
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			tb.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	check := func(err error) {
		if err != nil {
			tb.Fatal(err)
		}
	}
	git("init", "-q", "--template=")
	check(os.WriteFile(filepath.Join(dir, ".gitattributes"), []byte("*.tarn -text\n"), 0o666))
	for version := range 2 {
		store, err := cache.Open(nil, filepath.Join(dir, ".git/tarn/cache"), cache.Options{})
		check(err)
		w := store.NewWriter()
		b := index.NewBuilder(index.FormDir, func(_ digest.Digest, page []byte) error {
			_, _, err := w.AddBytes(page)
			return err
		})
		for i := range n {
			var seed [16]byte
			binary.LittleEndian.PutUint64(seed[:], uint64(i))
			if version > 0 && i%(n/changed) == 7 {
				seed[15] = 1
			}
			check(b.Add(index.Entry{Path: fmt.Sprintf("images/%04d/%06d.jpg", i/1000, i), Kind: index.File, Digest: digest.Sum(seed[:]), Size: int64(1000 + i)}))
		}
		m, _, err := b.Finish()
		check(err)
		check(w.Close())
		check(store.Close())
		check(os.WriteFile(filepath.Join(dir, "data.tarn"), m, 0o666))
		git("add", "-A")
		git("commit", "-q", "-m", fmt.Sprint("version ", version))
	}
	return dir
}

// BenchmarkDiff is a whole process, with start-up: two versions of a million files, of which a hundred differ.
func BenchmarkDiff(b *testing.B) {
	dir := million(b, 1_000_000, 100)
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	tarn := filepath.Join(b.TempDir(), "tarn")
	if err := os.Symlink(self, tarn); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		cmd := exec.Command(tarn, "-C", dir, "diff", "HEAD~1", "HEAD")
		out, err := cmd.CombinedOutput()
		if err != nil || strings.Count(string(out), "\n") != 102 {
			b.Fatalf("%v\n%s", err, out)
		}
	}
}
