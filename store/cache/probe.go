package cache

import (
	"os"
	"path/filepath"

	"tarn/internal/durable"
)

// LinkKinds are the kinds of links that Options know.
func LinkKinds() []string { return []string{linkReflink, linkHard, linkSym, linkCopy} }

// Links are the kinds that this cache is opened with, in their order.
func (c *Cache) Links() []string { return c.links }

// Probe tries which kinds of links work from the cache into the directory dst, besides copies. It makes files of 4 KiB in both, and removes them. A cache that
// is not there yet is tried where it would be made.
func (c *Cache) Probe(dst *durable.Root) (works map[string]bool, err error) {
	dir := c.path(tmpDir)
	for info, err := os.Stat(dir); (err != nil || !info.IsDir()) && dir != filepath.Dir(dir); info, err = os.Stat(dir) {
		dir = filepath.Dir(dir)
	}
	from, err := c.disk.CreateTemp(dir)
	if err != nil {
		return nil, err
	}
	defer from.Abort()
	if _, err := from.Write(make([]byte, ownMinLinked)); err != nil {
		return nil, err
	}
	to, err := dst.CreateTemp(".")
	if err != nil {
		return nil, err
	}
	works = map[string]bool{linkCopy: true, linkReflink: to.CloneFrom(from.OS()) == nil}
	name := to.Name()
	to.Abort()
	for kind, link := range map[string]func() error{
		linkHard: func() error { return dst.LinkFrom(from.Name(), name) },
		linkSym:  func() error { return dst.Symlink(from.Name(), name) },
	} {
		if works[kind] = link() == nil; works[kind] {
			if err := dst.Remove(name); err != nil {
				return nil, err
			}
		}
	}
	return works, nil
}
