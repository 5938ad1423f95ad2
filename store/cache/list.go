package cache

import (
	"errors"
	"io/fs"
	"os"

	"tarn/store/digest"
)

// Object is one that the cache has.
type Object struct {
	Digest digest.Digest
	Size   int64 // bytes, uncompressed
	Packed bool  // in a local pack; else a file of its own
}

// Objects yields the objects, first those that are files, then those in packs, each once of either kind. An error ends the sequence.
func (c *Cache) Objects(yield func(Object, error) bool) {
	done := errors.New("done")
	err := c.eachSub(ownDir, func(sub string, names []string) error {
		for _, name := range names {
			var o Object
			if !parseOwn(sub, name, &o.Digest) {
				continue
			}
			info, ok := c.statOwn(o.Digest)
			if !ok {
				continue
			}
			if o.Size = info.Size(); !yield(o, nil) {
				return done
			}
		}
		return nil
	})
	if err == nil {
		err = c.packedObjects(func(o Object) bool { return yield(o, nil) })
	} else if err == done {
		return
	}
	if err != nil {
		yield(Object{}, err)
	}
}

func (c *Cache) packedObjects(yield func(Object) bool) error {
	c.scanOnce.Do(c.scan)
	if c.scanErr != nil {
		return c.scanErr
	}
	var last digest.Digest
	for e, err := range c.set.Entries {
		if err != nil {
			return err
		}
		p, ok := c.usable(e)
		if !ok || e.Digest == last {
			continue
		}
		last = e.Digest
		if !yield(Object{e.Digest, int64(p.rec.Raw), true}) {
			return nil
		}
	}
	return nil
}

// Totals says how much is in a cache.
type Totals struct {
	Objects     int   // files of their own
	ObjectBytes int64 // their sizes
	Packs       int
	PackBytes   int64
	Corrupt     int // files and marks below corrupt/
}

// Totals counts what is in the cache, by the sizes of its files.
func (c *Cache) Totals() (t Totals, err error) {
	if t.Objects, t.ObjectBytes, err = c.sum(ownDir); err != nil {
		return t, err
	}
	if t.Packs, t.PackBytes, err = c.sum(packDir); err != nil {
		return t, err
	}
	t.Corrupt, err = c.Corrupt()
	return t, err
}

// Corrupt is how many files and marks are below corrupt/.
func (c *Cache) Corrupt() (int, error) {
	names, err := readNames(c.path(corruptDir))
	return len(names), err
}

func (c *Cache) sum(dir string) (n int, bytes int64, err error) {
	err = c.eachSub(dir, func(sub string, names []string) error {
		for _, name := range names {
			info, err := os.Lstat(c.path(dir, sub, name))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			n, bytes = n+1, bytes+info.Size()
		}
		return nil
	})
	return n, bytes, err
}
