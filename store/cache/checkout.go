package cache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"
	"syscall"

	"tarn/internal/durable"
	"tarn/store/digest"
)

// The kinds of links in Options.
const (
	linkReflink = "reflink"
	linkHard    = "hardlink"
	linkSym     = "symlink"
	linkCopy    = "copy"
)

var blobBuffers = sync.Pool{New: func() any { b := make([]byte, ownMin+1); return &b }}

// Checkout brings the object d of size bytes into the workspace as name, relative to dst, replacing what is there. It is linked as Options
// say, else copied; executables and blobs of packs are always copied. Bytes are verified before they get the name, and of a blob before they are written: see
// durable.Root.CreateFor, which may give it its name earlier. Errors:
// fs.ErrNotExist, *CorruptError. The caller makes it durable: Root.SyncFS.
func (c *Cache) Checkout(d digest.Digest, size int64, exec bool, dst *durable.Root, name string) (Placed, error) {
	out := &output{dst: dst, name: name, exec: exec}
	err := c.checkout(d, size, out)
	return out.Placed, err
}

// Placed says how a file came into the workspace.
type Placed struct {
	Stamp  int64 // the modification time that it was given, see durable.RootFile.Stamp; 0: none
	Linked bool  // it is a hard link to an object of the cache
}

func (c *Cache) checkout(d digest.Digest, size int64, out *output) error {
	if size == 0 && d == digest.Empty {
		return out.write(nil)
	}
	buf := blobBuffers.Get().(*[]byte)
	defer blobBuffers.Put(buf)
	if size >= c.ownMin {
		if f, info, err := c.openOwn(d); err == nil {
			defer f.Close()
			return c.checkoutOwn(d, f, info, size, out)
		}
	}
	b, f, info, err := c.find(d, *buf)
	switch {
	case err != nil:
		return err
	case f != nil:
		defer f.Close()
		return c.checkoutOwn(d, f, info, size, out)
	case int64(len(b)) != size:
		return sizeError(d, int64(len(b)), size)
	}
	return out.write(b)
}

func sizeError(d digest.Digest, is, want int64) error {
	return fmt.Errorf("check out object %s: it has %d bytes, not %d", d.Short(), is, want)
}

// checkoutOwn tries the links in their order, and copies in the end.
func (c *Cache) checkoutOwn(d digest.Digest, f *os.File, info fs.FileInfo, size int64, out *output) error {
	for _, link := range c.links {
		var err error
		switch {
		case link == linkCopy:
			return c.copyOut(d, f, info, size, out)
		case link == linkReflink:
			err = c.cloneOut(d, f, info, size, out)
		case out.exec:
			continue
		default:
			err = c.linkOut(d, f, info, size, out, link)
		}
		if err == nil || !isNoLink(err) {
			return err
		}
	}
	return c.copyOut(d, f, info, size, out)
}

// isNoLink says that this kind of link can't be between these two places; another kind, or a copy, can.
func isNoLink(err error) bool {
	for _, no := range []error{durable.ErrNoReflink, errors.ErrUnsupported, syscall.EXDEV, syscall.EMLINK, syscall.EPERM} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}

// verifyFor is verify for a file of which the caller expects size bytes.
func (c *Cache) verifyFor(d digest.Digest, f *os.File, info fs.FileInfo, size int64) error {
	if err := c.verify(d, f, info); err != nil {
		return err
	}
	if info.Size() != size {
		return sizeError(d, info.Size(), size)
	}
	return nil
}

func (c *Cache) linkOut(d digest.Digest, f *os.File, info fs.FileInfo, size int64, out *output, link string) error {
	if err := c.verifyFor(d, f, info, size); err != nil {
		return err
	}
	if link == linkSym {
		return out.dst.Symlink(c.ownPath(d), out.name)
	}
	out.Linked = true
	return out.dst.LinkFrom(c.ownPath(d), out.name)
}

func (c *Cache) cloneOut(d digest.Digest, f *os.File, info fs.FileInfo, size int64, out *output) error {
	dir, err := out.dst.Lstat(path.Dir(out.name))
	if err != nil {
		return err
	}
	dev, _ := inodeOf(dir)
	if !c.mayClone(dev.dev) {
		return durable.ErrNoReflink
	}
	tmp, err := out.temp()
	if err != nil {
		return err
	}
	defer tmp.Abort()
	err = tmp.CloneFrom(f)
	if errors.Is(err, durable.ErrNoReflink) {
		c.noteNoClone(dev.dev)
	}
	if err != nil {
		return err
	}
	c.cloned.Store(true)
	// A clone shares what the object had: verified now, it stays as it is.
	if err := c.verifyFor(d, f, info, size); err != nil {
		return err
	}
	if cloned, err := tmp.OS().Stat(); err != nil || cloned.Size() != size {
		return errors.Join(fmt.Errorf("check out object %s: the clone has another size", d.Short()), err)
	}
	return out.commit(tmp)
}

func (c *Cache) copyOut(d digest.Digest, f *os.File, info fs.FileInfo, size int64, out *output) error {
	tmp, err := out.temp()
	if err != nil {
		return err
	}
	defer tmp.Abort()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	got, n, err := copyFile(tmp, f, info.Size())
	switch {
	case err != nil:
		return fmt.Errorf("check out object %s: %w", d.Short(), err)
	case got != d:
		return c.corruptObject(d, info)
	case n != size:
		return sizeError(d, n, size)
	}
	return out.commit(tmp)
}

// output is a file of the workspace that is checked out.
type output struct {
	dst  *durable.Root
	name string
	exec bool
	Placed
}

func (o *output) mode() fs.FileMode {
	if o.exec {
		return 0o777
	}
	return 0o666
}

func (o *output) temp() (*durable.RootFile, error) {
	return o.dst.CreateTempMode(path.Dir(o.name), o.mode())
}

func (o *output) commit(tmp *durable.RootFile) error {
	o.Stamp = tmp.Stamp()
	return tmp.Commit(o.name, o.mode())
}

func (o *output) write(b []byte) error {
	tmp, err := o.dst.CreateFor(o.name, o.mode())
	if err != nil {
		return err
	}
	defer tmp.Abort()
	if len(b) > 0 {
		if _, err := tmp.Write(b); err != nil {
			return err
		}
	}
	return o.commit(tmp)
}

// Reflinks says whether objects come into files of dir by reflink, so that they take no space there. The first answer is found out by a
// try in the cache.
func (c *Cache) Reflinks(dir string) bool {
	if len(c.links) == 0 || c.links[0] != linkReflink {
		return false
	}
	here, err1 := os.Stat(c.dir)
	there, err2 := os.Stat(dir)
	if err1 != nil || err2 != nil {
		return false
	}
	a, ok1 := inodeOf(here)
	b, ok2 := inodeOf(there)
	if !ok1 || !ok2 || a.dev != b.dev {
		return false
	}
	c.probeOnce.Do(func() { c.probed = c.probeClone() == nil })
	return c.probed
}

func (c *Cache) probeClone() error {
	if err := c.makeDir(c.path(tmpDir)); err != nil {
		return err
	}
	from, err := c.disk.CreateTemp(c.path(tmpDir))
	if err != nil {
		return err
	}
	defer from.Abort()
	if _, err := from.Write(make([]byte, 4096)); err != nil {
		return err
	}
	to, err := c.disk.CreateTemp(c.path(tmpDir))
	if err != nil {
		return err
	}
	defer to.Abort()
	return to.CloneFrom(from.OS())
}
