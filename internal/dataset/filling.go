package dataset

import (
	"bytes"
	"os"
)

// A checkout gives files their names at once where it made the directory itself. Whoever kills it may leave a file of which only the start is written;
// for this case a mark stands beside the index while it does so (docs/adr/0008-direct-names.md).

// fillingPath is where the mark of a dataset stands.
func (r *Repo) fillingPath(dataset string) string { return r.indexPath(dataset) + ".filling" }

// filling says that a checkout of the dataset is at work, or was killed.
func (r *Repo) filling(dataset string) bool {
	_, err := os.Lstat(r.fillingPath(dataset))
	return err == nil
}

// markFilling sets the mark, durably.
func (r *Repo) markFilling(dataset string) error {
	return r.disk.WriteFile(r.fillingPath(dataset), nil, 0o666)
}

// directMost is above what is ever written with its name, in bytes: the cache does it only with what is read from a pack in one piece.
const directMost = 1 << 20

// cutShort says that the item has the start of what the manifest has there, and no more. Who takes it for nothing loses nothing.
func (s *survey) cutShort(it *item) bool {
	if !s.filling || it.m == nil || !regular(it.m) || it.w.Stat.Size >= it.m.Size || it.m.Size > directMost {
		return false
	}
	store, err := s.r.openCache()
	if err != nil {
		return false
	}
	is, err := os.ReadFile(s.file(it.path))
	if err != nil {
		return false
	}
	whole, err := store.Bytes(it.m.Digest, directMost)
	return err == nil && len(is) < len(whole) && bytes.HasPrefix(whole, is)
}

// markFilling is called before files are written with their names, by one at a time.
func (c *checkout) markFilling() error {
	if c.marked || c.s.filling {
		return nil
	}
	err := c.r.markFilling(c.t.Dataset)
	c.marked = err == nil
	return err
}

// unmark takes the mark away, once all that was written is on the disk. That of another run stays until the whole dataset was gone through.
func (c *checkout) unmark(complete bool) {
	if c.marked || c.s.filling && complete && c.t.Prefix == "" {
		_ = c.r.disk.Remove(c.r.fillingPath(c.t.Dataset)) // one that is left costs a second look at some files
	}
}
