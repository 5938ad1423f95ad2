package cache

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"tarn/internal/durable"
	"tarn/store/digest"
)

// fussy is a file whose kernel copy fails from call number fail on; 0: it works.
type fussy struct {
	*durable.File
	fail, calls int
	err         error
}

func (f *fussy) CopyFrom(src *os.File, n int) (int, error) {
	if f.calls++; f.calls == f.fail {
		return 0, f.err
	}
	return f.File.CopyFrom(src, n)
}

func TestCopyFile(t *testing.T) {
	dir := t.TempDir()
	var disk *durable.Disk
	broken := errors.New("broken")
	b := content(3*copyStep+5, 1)
	for _, size := range []int{10, copyStep, copyStep + 1, len(b)} {
		for name, w := range map[string]fussy{
			"kernel": {}, "none": {fail: 1, err: durable.ErrNoCopy}, "empty": {fail: 1}, "first": {fail: 1, err: broken}, "second": {fail: 2, err: broken}} {
			f := fileOf(t, b[:size])
			tmp, err := disk.CreateTemp(dir)
			must(t, err)
			w.File = tmp
			d, n, err := copyFile(&w, f, int64(size))
			if w.err == broken && w.calls >= w.fail {
				if !errors.Is(err, broken) {
					t.Errorf("%s, %d bytes: %v", name, size, err)
				}
				tmp.Abort()
				continue
			}
			if err != nil || n != int64(size) || d != digest.Sum(b[:size]) {
				t.Errorf("%s, %d bytes: %d of them, %v", name, size, n, err)
			}
			path := filepath.Join(dir, "x")
			must(t, tmp.Commit(path, 0o644, false))
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, b[:size]) {
				t.Errorf("%s, %d bytes: the copy differs, %v", name, size, err)
			}
		}
	}
}

// A file that grows or shrinks is seen by what was copied, and a digest is always that of the bytes that are kept.
func TestCopyFileOfAnotherSize(t *testing.T) {
	b := content(3*copyStep+5, 2)
	for _, said := range []int64{copyStep + 1, int64(len(b)) - 1, int64(len(b)) + 1, 5 * copyStep} {
		var disk *durable.Disk
		tmp, err := disk.CreateTemp(t.TempDir())
		must(t, err)
		defer tmp.Abort()
		d, n, err := copyFile(tmp, fileOf(t, b), said)
		if err != nil || (n > said) != (int64(len(b)) > said) || n < said && n != int64(len(b)) || d != digest.Sum(b[:n]) {
			t.Errorf("said to have %d bytes: %d, %v", said, n, err)
		}
		if got, err := io.ReadAll(whole(tmp.OS())); err != nil || !bytes.Equal(got, b[:n]) {
			t.Errorf("said to have %d bytes: the copy differs, %v", said, err)
		}
	}
}
