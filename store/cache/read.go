package cache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"tarn/internal/durable"
	"tarn/store/digest"
)

// Open reads an object. What is read is verified: where the bytes are wrong the last Read fails with a *CorruptError, and nothing
// that was read may be given a name. An object that is not there: fs.ErrNotExist. Blobs of packs are read at once.
func (c *Cache) Open(d digest.Digest) (io.ReadCloser, error) {
	if d == digest.Empty {
		return io.NopCloser(bytes.NewReader(nil)), nil
	}
	b, f, info, err := c.find(d, nil)
	if err != nil {
		return nil, err
	}
	if f == nil {
		return io.NopCloser(bytes.NewReader(b)), nil
	}
	return &object{c: c, d: d, f: f, info: info, r: digest.NewReader(f, d, info.Size())}, nil
}

// OpenRange reads n bytes from off of an object of size bytes, which were verified before the first is given out: those of a file were read once,
// unless it is as it was when it last was verified. Where all is asked for they are hashed on the way again, as by Open. An object that is not there:
// fs.ErrNotExist; a range beyond its end is an error.
func (c *Cache) OpenRange(d digest.Digest, size, off, n int64) (io.ReadCloser, error) {
	if d == digest.Empty && size == 0 && off == 0 && n == 0 {
		return io.NopCloser(bytes.NewReader(nil)), nil
	}
	if off < 0 || n < 0 || n > size-off {
		return nil, fmt.Errorf("read object %s of the cache: no bytes %d to %d of %d", d.Short(), off, off+n, size)
	}
	b, f, info, err := c.findVerified(d)
	switch {
	case err != nil:
		return nil, err
	case f == nil && int64(len(b)) != size:
		return nil, sizeError(d, int64(len(b)), size)
	case f == nil:
		return io.NopCloser(bytes.NewReader(b[off : off+n])), nil
	case info.Size() != size:
		f.Close()
		return nil, sizeError(d, info.Size(), size)
	}
	if n == size {
		return &object{c: c, d: d, f: f, info: info, r: digest.NewReader(f, d, size)}, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, off, n), f}, nil
}

// findVerified is find where a file, too, was verified: read once, unless nothing about it changed since it last was.
func (c *Cache) findVerified(d digest.Digest) (b []byte, f *os.File, info fs.FileInfo, err error) {
	if b, f, info, err = c.find(d, nil); err != nil || f == nil {
		return b, f, info, err
	}
	if err = c.verify(d, f, info); err != nil {
		f.Close()
		return nil, nil, nil, err
	}
	return nil, f, info, nil
}

// object is an own object that is read.
type object struct {
	c    *Cache
	d    digest.Digest
	f    *os.File
	info fs.FileInfo
	r    *digest.Reader
	err  error
}

func (o *object) Read(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.r.Read(p)
	if errors.Is(err, digest.ErrMismatch) {
		err = o.c.corruptObject(o.d, o.info)
	}
	o.err = err
	return n, err
}

func (o *object) Close() error { return o.f.Close() }

// Bytes reads a whole object of at most max bytes, verified. Errors: fs.ErrNotExist, *CorruptError, ErrTooLarge.
func (c *Cache) Bytes(d digest.Digest, max int64) ([]byte, error) { return c.ReadBlob(d, nil, max) }

// ReadBlob is Bytes with the space for them: buf is used, and overwritten, where its capacity suffices.
func (c *Cache) ReadBlob(d digest.Digest, buf []byte, max int64) ([]byte, error) {
	if d == digest.Empty {
		return buf[:0], nil
	}
	b, f, info, err := c.find(d, buf)
	if err == nil && f != nil {
		defer f.Close()
		b, err = c.readOwn(d, f, info, buf, max)
	}
	if err == nil && int64(len(b)) > max {
		return nil, fmt.Errorf("read object %s of the cache: %w: %d bytes", d.Short(), ErrTooLarge, len(b))
	}
	return b, err
}

func (c *Cache) readOwn(d digest.Digest, f *os.File, info fs.FileInfo, buf []byte, max int64) ([]byte, error) {
	size := info.Size()
	if size > max {
		return nil, fmt.Errorf("read object %s of the cache: %w: %d bytes", d.Short(), ErrTooLarge, size)
	}
	if int64(cap(buf)) < size {
		buf = make([]byte, size)
	}
	if _, err := io.ReadFull(f, buf[:size]); err != nil && !isWrong(err) {
		return nil, fmt.Errorf("read object %s of the cache: %w", d.Short(), err)
	} else if err != nil || digest.Sum(buf[:size]) != d {
		return nil, c.corruptObject(d, info)
	}
	return buf[:size], nil
}

// find returns the verified bytes of a packed blob (maybe in buf), or else the open own object, not verified. Where one copy of a
// blob is wrong another one is taken.
func (c *Cache) find(d digest.Digest, buf []byte) (b []byte, f *os.File, info fs.FileInfo, err error) {
	b, f, info, err = c.findOnce(d, buf)
	if errors.Is(err, fs.ErrNotExist) && c.Refresh() == nil {
		return c.findOnce(d, buf)
	}
	return b, f, info, err
}

func (c *Cache) findOnce(d digest.Digest, buf []byte) ([]byte, *os.File, fs.FileInfo, error) {
	var wrong error
	for {
		p, ok := c.packed(d)
		if !ok {
			break
		}
		b, err := c.readPlace(p, buf)
		var corrupt *CorruptError
		switch {
		case err == nil:
			return b, nil, nil, nil
		case errors.As(err, &corrupt):
			wrong = err
		case !errors.Is(err, fs.ErrNotExist):
			return nil, nil, nil, err
		}
	}
	f, info, err := c.openOwn(d)
	if errors.Is(err, fs.ErrNotExist) {
		err = c.notFound(d)
		if wrong != nil {
			err = wrong
		}
	}
	return nil, f, info, err
}

// openOwn opens an own object; fs.ErrNotExist where there is none, or one that is known to be wrong.
func (c *Cache) openOwn(d digest.Digest) (*os.File, fs.FileInfo, error) {
	f, info, err := durable.OpenRegular(c.ownPath(d))
	if err != nil {
		return nil, nil, fmt.Errorf("read object %s of the cache: %w", d.Short(), err)
	}
	if c.bad.object(d, info) {
		f.Close()
		return nil, nil, fs.ErrNotExist
	}
	return f, info, nil
}

// At is an object that can be read at any place, by many goroutines.
type At struct {
	io.ReaderAt
	size int64
	f    *os.File
}

// Size is the object's size in bytes.
func (a *At) Size() int64 { return a.size }

// Close releases the file.
func (a *At) Close() error {
	if a.f == nil {
		return nil
	}
	return a.f.Close()
}

// OpenAt opens an object for reads at any place. Its bytes are verified before: an own object is read once, unless nothing about it changed since it
// was verified. Errors: fs.ErrNotExist, *CorruptError.
func (c *Cache) OpenAt(d digest.Digest) (*At, error) {
	if d == digest.Empty {
		return &At{ReaderAt: bytes.NewReader(nil)}, nil
	}
	b, f, info, err := c.findVerified(d)
	if err != nil {
		return nil, err
	}
	if f == nil {
		return &At{ReaderAt: bytes.NewReader(b), size: int64(len(b))}, nil
	}
	return &At{f, info.Size(), f}, nil
}
