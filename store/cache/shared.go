package cache

import (
	"io/fs"
	"os"

	"tarn/store/digest"
)

// Shares says whether a file of a workspace, which info describes, is an object of a cache under another name, so that who writes to it changes the object: it
// is the own object of one of the digests, or can't be written to and has other names, as the objects of every cache.
func (c *Cache) Shares(info fs.FileInfo, ds ...digest.Digest) bool {
	if !info.Mode().IsRegular() || info.Size() < ownMinLinked {
		return false
	}
	s, ok := inodeOf(info)
	if ok && (s.links < 2 || info.Mode().Perm()&0o222 == 0) {
		return s.links > 1
	}
	for _, d := range ds {
		if own, err := os.Lstat(c.ownPath(d)); err == nil && os.SameFile(own, info) {
			return true
		}
	}
	return false
}
