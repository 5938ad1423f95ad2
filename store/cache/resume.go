package cache

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"tarn/internal/durable"
	"tarn/store/digest"
)

const (
	partialDir   = "partial"
	resumeBuffer = 1 << 20
)

// partial is a large object that is on its way, and whose start stays over an interruption: a temp file, and a mark with the temp file's name.
type partial struct {
	c    *Cache
	mark string
	lock *durable.Lock // as long as it is held nobody else has the temp file
	f    *durable.File
}

// AddResumed is AddVerified of an object in pieces: what an interrupted run left of it is checked, piece by piece, and only the rest is read. piece gives
// digest and size of piece i of n; rest gives the bytes from a piece on, once.
func (w *Writer) AddResumed(want digest.Digest, size int64, n int, piece func(i int) (digest.Digest, int64), rest func(from int) io.Reader) error {
	if err := w.failed(); err != nil {
		return err
	}
	p, err := w.c.openPartial(want)
	if err != nil {
		return fmt.Errorf("add object %s: %w", want.Short(), err)
	}
	if p == nil { // another one is at it
		return w.AddVerified(want, size, rest(0))
	}
	defer p.lock.Unlock()
	h := digest.New()
	defer h.Release()
	from, at, err := p.check(h, size, n, piece)
	if err == nil {
		var got int64
		got, err = pumpRing(h, p.f, at, rest(from), size-at)
		at += got
	}
	if err != nil {
		p.f.Leave()
		return fmt.Errorf("add object %s: %w", want.Short(), err)
	}
	if err := mismatch(want, size, h.Sum(), at); err != nil {
		p.f.Abort()
		return errors.Join(err, p.forget())
	}
	if _, err = w.addObject(want, size, p.f); err == nil {
		err = w.publish()
	}
	if err == nil {
		err = p.forget()
	}
	return err
}

// openPartial finds what is left of an object, or starts it; nil where another process or goroutine has it.
func (c *Cache) openPartial(want digest.Digest) (*partial, error) {
	dir, name := c.path(partialDir), want.String()
	if err := c.makeDir(dir); err != nil {
		return nil, err
	}
	lock := filepath.Join(dir, "lock-"+name[:2])
	l, err := c.disk.TryLock(lock, false)
	if l == nil || err != nil {
		return nil, err
	}
	c.share(lock, 0o664)
	p := &partial{c: c, mark: filepath.Join(dir, name), lock: l}
	if p.f = p.left(); p.f == nil {
		if err := p.start(); err != nil {
			l.Unlock()
			return nil, err
		}
	}
	return p, nil
}

// left is the temp file that the mark names, if there is one that can be written to.
func (p *partial) left() *durable.File {
	b, err := os.ReadFile(p.mark)
	if err != nil || !durable.IsTemp(string(b)) {
		return nil
	}
	f, err := p.c.disk.Adopt(p.c.path(tmpDir, string(b)))
	if err != nil {
		return nil
	}
	return f
}

func (p *partial) start() (err error) {
	if p.f, err = p.c.newTemp(); err != nil {
		return err
	}
	if err = p.c.disk.WriteFile(p.mark, []byte(filepath.Base(p.f.Name())), 0o666); err != nil {
		p.f.Abort()
	}
	return err
}

// check reads what is there, hashes as much of it as is right into h, and sets the place where writing goes on: before piece from, at byte at.
func (p *partial) check(h *digest.Hasher, size int64, n int, piece func(int) (digest.Digest, int64)) (from int, at int64, err error) {
	info, err := p.f.OS().Stat()
	if err != nil {
		return 0, 0, err
	}
	left := min(info.Size(), size)
	r := bufio.NewReaderSize(io.NewSectionReader(p.f.OS(), 0, left), resumeBuffer)
	var buf []byte
	for ; from < n; from++ {
		d, raw := piece(from)
		if at+raw > left {
			break
		}
		if int64(cap(buf)) < raw {
			buf = make([]byte, raw)
		}
		if _, err := io.ReadFull(r, buf[:raw]); err != nil {
			break // of the disk: read from the remote again
		}
		if digest.Sum(buf[:raw]) != d {
			break
		}
		h.Write(buf[:raw])
		at += raw
	}
	if info.Size() > size { // what can't be cut off is not used
		p.f.Abort()
		h.Reset()
		return 0, 0, p.start()
	}
	_, err = p.f.OS().Seek(at, io.SeekStart)
	return from, at, err
}

// forget removes the mark.
func (p *partial) forget() error { return p.c.disk.Remove(p.mark) }
