package dataset

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"strings"

	"tarn/index"
	"tarn/internal/durable"
)

// errCollides says that two names are one on this file system.
var errCollides = errors.New("names that differ in case or normalisation only are one here")

// folds says whether the file system of root takes names that differ in case or in Unicode normalisation for the same.
func folds(root *durable.Root) bool {
	for _, pair := range [][2]string{{".tarn-case-a", ".tarn-case-A"}, {".tarn-norm-\u00e9", ".tarn-norm-e\u0301"}} {
		f, err := root.CreateTemp(".")
		if err != nil {
			return false
		}
		if err := f.Commit(pair[0], 0o666); err != nil {
			return false
		}
		_, err = root.Lstat(pair[1])
		root.Remove(pair[0])
		if err == nil {
			return true
		}
	}
	return false
}

// collisions maps each path that can't stand beside an earlier one, where names fold, to that one. A directory spelled in two ways collides, too.
func collisions(entries iter.Seq2[index.Entry, error]) (map[string]string, error) {
	first, out := map[string]string{}, map[string]string{}
	for e, err := range entries {
		if err != nil {
			return nil, err
		}
		for p := strings.TrimSuffix(e.Path, "/"); p != "."; p = path.Dir(p) {
			key := index.Fold(p)
			if other, ok := first[key]; !ok {
				first[key] = p
			} else if other != p {
				out[e.Path] = other
			} else if p != e.Path {
				break // a directory that was seen with all above it
			}
		}
	}
	return out, nil
}

// findCollisions prepares a checkout for a file system that folds names.
func (c *checkout) findCollisions(ctx context.Context) (err error) {
	if !folds(c.root) {
		return nil
	}
	c.collide, err = collisions(index.Walk(ctx, c.s.v.Manifest, c.r.anywhere(c.t.Dataset), ""))
	return err
}

// collides refuses to write an entry over another one of the same version.
func (c *checkout) collides(it *item) error {
	if other, ok := c.collide[it.path]; ok {
		return fmt.Errorf("%w: it collides with %s: %w", ErrIncomplete, index.Quote(other), errCollides)
	}
	return nil
}
