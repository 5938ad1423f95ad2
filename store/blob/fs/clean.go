package fs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"tarn/internal/durable"
)

// RemoveTemp removes the temp files, of Puts that a crash cut short, that are older than age by the file system's clock, and says how
// many. An age of less than the longest Put would take those that are under way.
func (b *Bucket) RemoveTemp(ctx context.Context, age time.Duration) (n int, err error) {
	entries, err := os.ReadDir(b.tmp)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, b.fail("clean", tempDir, err)
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return n, b.fail("clean", tempDir, err)
		}
		info, err := e.Info()
		if err != nil || !durable.IsTemp(e.Name()) || b.clock.now().Sub(info.ModTime()) < age {
			continue
		}
		if err := b.disk.Remove(filepath.Join(b.tmp, e.Name())); err != nil && !isMissing(err) {
			return n, b.fail("clean", tempDir, err)
		}
		n++
	}
	return n, nil
}
