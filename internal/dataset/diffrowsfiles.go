package dataset

import (
	"context"
	"errors"
	"fmt"
	"os"

	"tarn/index"
	"tarn/internal/check"
	"tarn/internal/check/rows"
	"tarn/internal/check/spill"
)

// RowDiffFiles compares two files as they stand on the disk. No repository is needed.
func RowDiffFiles(ctx context.Context, dir, old, now string, set RowSettings, each func(TableDiff) error) (*RowDiffResult, error) {
	res := &RowDiffResult{DiffResult: &DiffResult{From: old, To: now}}
	t := TableDiff{Path: now, Old: &index.Entry{Path: old}, New: &index.Entry{Path: now}}
	var sides [2]rows.Side
	for i, p := range []string{old, now} {
		src, err := newDiskSource(absIn(dir, p))
		if err != nil {
			return nil, err
		}
		if src.single == "" {
			return nil, fmt.Errorf("%w: %s is a directory; rows are compared file by file", ErrUsage, p)
		}
		e := check.Entry{Path: src.single}
		f, err := src.Open(ctx, e)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		sides[i] = rows.Side{Name: src.single, File: f}
		d, err := src.Digest(ctx, e)
		if err != nil {
			return nil, err
		}
		entry := []*index.Entry{t.Old, t.New}[i]
		entry.Size, entry.Digest = f.Size(), d
	}
	if t.Old.Digest == t.New.Digest {
		return res, nil
	}
	err := set.compare(ctx, &t, sides, nil, func() (spill.Temp, error) { return tempIn(nil, os.TempDir()) })
	var bad *rows.Error
	switch {
	case errors.As(err, &bad):
		t.Err = err
	case err != nil:
		return nil, err
	}
	res.count(&t)
	if err := each(t); err != nil {
		return nil, err
	}
	return res, res.outcome()
}
