package cache

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"tarn/store/digest"
)

// The names in corrupt/: an own object that was moved there, `b3-DIGEST` or `b3-DIGEST-RANDOM`, and an empty file that says that a
// blob is wrong in that pack, `blob-DIGEST-PACK`. The pack stays where it is, for its other blobs; the same blob in another pack is good.
const (
	corruptOwn  = "b3-"
	corruptBlob = "blob-"
)

type blobIn struct{ blob, pack digest.Digest }

// corruptList knows what must not be served.
type corruptList struct {
	mu      sync.RWMutex
	blobs   map[blobIn]bool
	objects map[digest.Digest]fs.FileInfo // where they could not be moved away: the very files that are wrong
}

func (l *corruptList) load(dir string) error {
	l.blobs, l.objects = map[blobIn]bool{}, map[digest.Digest]fs.FileInfo{}
	names, err := readNames(dir)
	for _, name := range names {
		rest, ok := strings.CutPrefix(name, corruptBlob)
		blob, in, _ := strings.Cut(rest, "-")
		b, err1 := digest.Parse(blob)
		p, err2 := digest.Parse(in)
		if ok && err1 == nil && err2 == nil {
			l.blobs[blobIn{b, p}] = true
		}
	}
	return err
}

func (l *corruptList) blob(d, in digest.Digest) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.blobs) > 0 && l.blobs[blobIn{d, in}]
}

// object says whether that very file of d was found wrong.
func (l *corruptList) object(d digest.Digest, info fs.FileInfo) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	bad, ok := l.objects[d]
	return ok && os.SameFile(bad, info) && bad.ModTime().Equal(info.ModTime()) && bad.Size() == info.Size()
}

// corruptBlob notes that the bytes of a blob are wrong in that pack.
func (c *Cache) corruptBlob(p place) error {
	c.bad.mu.Lock()
	c.bad.blobs[blobIn{p.rec.Digest, p.pack}] = true
	c.bad.mu.Unlock()
	mark := c.path(corruptDir, corruptBlob+p.rec.Digest.String()+"-"+p.pack.String())
	if c.makeDir(c.path(corruptDir)) == nil {
		// Where it can't be written the next process finds out by itself: nothing is served unverified.
		c.disk.WriteFile(mark, nil, 0o666)
	}
	return &CorruptError{p.rec.Digest, c.packPath(p.pack)}
}

// corruptObject moves the own object that was read as info aside.
func (c *Cache) corruptObject(d digest.Digest, info fs.FileInfo) error {
	path := c.ownPath(d)
	c.own.set(d, false)
	to, err := c.moveAside(d, path, info)
	if err == nil {
		return &CorruptError{d, to}
	}
	c.bad.mu.Lock()
	c.bad.objects[d] = info
	c.bad.mu.Unlock()
	return &CorruptError{d, path}
}

// errHealed says that another process replaced the file meanwhile.
var errHealed = errors.New("another file is there now")

func (c *Cache) moveAside(d digest.Digest, path string, info fs.FileInfo) (string, error) {
	if err := c.makeDir(c.path(corruptDir)); err != nil {
		return "", err
	}
	to := c.path(corruptDir, corruptOwn+d.String())
	if _, err := os.Lstat(to); err == nil {
		var r [8]byte
		rand.Read(r[:])
		to += "-" + hex.EncodeToString(r[:])
	}
	if now, err := os.Lstat(path); err != nil || !os.SameFile(now, info) {
		return "", errHealed
	}
	if err := c.disk.Rename(path, to); err != nil {
		return "", fmt.Errorf("move corrupt object %s aside: %w", d.Short(), err)
	}
	return to, errors.Join(c.disk.SyncDir(c.path(corruptDir)), c.disk.SyncDir(filepath.Dir(path)))
}
