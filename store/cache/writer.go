package cache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"tarn/internal/durable"
	"tarn/store/digest"
	"tarn/store/pack"
)

// Writer adds objects. What it was given is durable and can be read after Flush, or Close. Small objects are appended to a pack,
// large ones become files. It is safe for concurrent use, and so are many Writers, also of several processes. Once writing has failed in a way that
// may have lost what others had added, every method returns that error.
type Writer struct {
	c *Cache

	mu      sync.Mutex
	moved   sync.Cond              // one of the next four has changed; with mu
	open    []*openPack            // that nobody appends to
	taken   int                    // packs that somebody appends to
	adding  int                    // blobs that are claimed, and in no pack yet
	sealing bool                   // nobody may claim
	sealed  []*openPack            // closed, not yet published
	objects []*newObject           // written, not yet published
	bytes   int64                  // of objects
	pending map[digest.Digest]bool // added, not yet published
	relied  map[string]bool        // directories of own objects that were there already
	err     error

	published int // how often

	publishing sync.Mutex // one at a time; taken before mu
}

// Bounds of what is not published yet: a pack is as large, in bytes; as many objects, each with a descriptor; and as many bytes.
const (
	packTarget   = 64 << 20
	objectsMost  = 128
	objectsBytes = 4 << 30
)

type openPack struct {
	f   *durable.File
	w   *pack.Writer
	sum pack.Summary // when sealed
}

type newObject struct {
	d digest.Digest
	f *durable.File
}

// NewWriter starts to add objects; the caller closes it.
func (c *Cache) NewWriter() *Writer {
	w := &Writer{c: c, pending: map[digest.Digest]bool{}, relied: map[string]bool{}}
	w.moved.L = &w.mu
	return w
}

var errClosed = fmt.Errorf("add to the cache: the writer is %w", fs.ErrClosed)

// failed is the error of an earlier failure.
func (w *Writer) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// AddFile adds the content of f, which has size bytes and stands at its start. It reads f once, or shares its blocks. n is the number of
// bytes read; isNew says that the cache had no such object. A file with another size: ErrChanged.
func (w *Writer) AddFile(f *os.File, size int64) (d digest.Digest, n int64, isNew bool, err error) {
	if err = w.failed(); err != nil {
		return d, 0, false, err
	}
	if size >= w.c.ownMin {
		return w.addLarge(f, size)
	}
	if size < 0 {
		return d, 0, false, ErrChanged
	}
	buf := blobBuffers.Get().(*[]byte)
	defer blobBuffers.Put(buf)
	got, err := io.ReadFull(f, (*buf)[:size+1])
	n = int64(got)
	if err = noEOF(err); err != nil {
		return d, n, false, fmt.Errorf("add file: %w", err)
	}
	if n != size {
		return d, n, false, ErrChanged
	}
	d = digest.Sum((*buf)[:n])
	isNew, err = w.addSmall(d, (*buf)[:n])
	return d, n, isNew, err
}

// AddBytes adds b; it keeps no reference to it.
func (w *Writer) AddBytes(b []byte) (d digest.Digest, isNew bool, err error) {
	d = digest.Sum(b)
	isNew, err = w.add(d, b)
	return d, isNew, err
}

// AddChecked is AddBytes of the object want, of which the caller knows that b is it.
func (w *Writer) AddChecked(want digest.Digest, b []byte) error {
	_, err := w.add(want, b)
	return err
}

func (w *Writer) add(d digest.Digest, b []byte) (isNew bool, err error) {
	if err := w.failed(); err != nil {
		return false, err
	}
	if int64(len(b)) < w.c.ownMin {
		return w.addSmall(d, b)
	}
	if !w.lacks(d, int64(len(b))) {
		return false, nil
	}
	tmp, err := w.c.newTemp()
	if err != nil {
		return false, fmt.Errorf("add object: %w", err)
	}
	if _, err := tmp.Write(b); err != nil {
		tmp.Abort()
		return false, fmt.Errorf("add object: %w", err)
	}
	return w.addObject(d, int64(len(b)), tmp)
}

// AddVerified adds what r has if it is the object want of size bytes, else an error that wraps digest.ErrMismatch. It reads r to its end.
func (w *Writer) AddVerified(want digest.Digest, size int64, r io.Reader) error {
	if err := w.failed(); err != nil {
		return err
	}
	if size >= w.c.ownMin {
		return w.addVerifiedLarge(want, size, r)
	}
	if size < 0 {
		return mismatch(want, size, digest.Empty, 0)
	}
	buf := blobBuffers.Get().(*[]byte)
	defer blobBuffers.Put(buf)
	n, err := io.ReadFull(r, (*buf)[:size+1])
	if err = noEOF(err); err != nil {
		return fmt.Errorf("add object %s: %w", want.Short(), err)
	}
	if err := mismatch(want, size, digest.Sum((*buf)[:n]), int64(n)); err != nil {
		return err
	}
	_, err = w.addSmall(want, (*buf)[:n])
	return err
}

func mismatch(want digest.Digest, size int64, got digest.Digest, n int64) error {
	switch {
	case n > size:
		return fmt.Errorf("add object %s: %w: it has more than %d bytes", want.Short(), digest.ErrMismatch, size)
	case n < size:
		return fmt.Errorf("add object %s: %w: it has %d bytes, not %d", want.Short(), digest.ErrMismatch, n, size)
	case got != want:
		return fmt.Errorf("add object %s: %w: got %s", want.Short(), digest.ErrMismatch, got.Short())
	}
	return nil
}

func (w *Writer) addVerifiedLarge(want digest.Digest, size int64, r io.Reader) error {
	tmp, err := w.c.newTemp()
	if err != nil {
		return fmt.Errorf("add object %s: %w", want.Short(), err)
	}
	got, n, err := pump(tmp, r, size)
	if err != nil {
		err = fmt.Errorf("add object %s: %w", want.Short(), err)
	} else {
		err = mismatch(want, size, got, n)
	}
	if err != nil {
		tmp.Abort()
		return err
	}
	_, err = w.addObject(want, size, tmp)
	return err
}

func (c *Cache) newTemp() (f *durable.File, err error) {
	if err = c.makeDir(c.path(tmpDir)); err == nil {
		f, err = c.disk.CreateTemp(c.path(tmpDir))
	}
	if err != nil && isReadOnly(err) {
		err = fmt.Errorf("%w: %w", ErrReadOnly, err)
	}
	return f, err
}

// Writable makes a try: ErrReadOnly, or another reason why nothing can be added.
func (c *Cache) Writable() error {
	f, err := c.newTemp()
	if err == nil {
		f.Abort()
	}
	return err
}

// known hashes a file, for a cache that can only be read may have it.
func (w *Writer) known(f *os.File, size int64, err error) (digest.Digest, int64, bool, error) {
	d, n, herr := pump(nil, f, size)
	switch {
	case herr != nil:
		return d, n, false, wrapAdd(herr)
	case n != size:
		return d, n, false, ErrChanged
	case w.lacks(d, size):
		return d, n, false, wrapAdd(err)
	}
	return d, n, false, nil
}

func (w *Writer) addLarge(f *os.File, size int64) (d digest.Digest, n int64, isNew bool, err error) {
	tmp, err := w.c.newTemp()
	if errors.Is(err, ErrReadOnly) {
		return w.known(f, size, err)
	}
	if err != nil {
		return d, 0, false, fmt.Errorf("add file: %w", err)
	}
	d, n, err = w.take(tmp, f, size)
	if err == nil && n != size {
		err = ErrChanged
	}
	if err != nil {
		tmp.Abort()
		return d, n, false, err
	}
	isNew, err = w.addObject(d, size, tmp)
	return d, n, isNew, err
}

// take fills tmp from f, and hashes what tmp then has: of a clone the clone, so that a change of f meanwhile does not matter.
func (w *Writer) take(tmp *durable.File, f *os.File, size int64) (digest.Digest, int64, error) {
	info, err := f.Stat()
	if err != nil {
		return digest.Digest{}, 0, fmt.Errorf("add file: %w", err)
	}
	from, _ := inodeOf(info)
	if w.c.mayClone(from.dev) {
		switch err := tmp.CloneFrom(f); {
		case err == nil:
			w.c.cloned.Store(true)
			d, n, err := pump(nil, whole(tmp.OS()), size)
			return d, n, wrapAdd(err)
		case !errors.Is(err, durable.ErrNoReflink):
			return digest.Digest{}, 0, wrapAdd(err)
		}
		w.c.noteNoClone(from.dev)
	}
	d, n, err := copyFile(tmp, f, size)
	return d, n, wrapAdd(err)
}

func wrapAdd(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("add file: %w", err)
}

// lacks says whether the cache has no such object. An own object of another size was broken by something else; it goes aside.
func (w *Writer) lacks(d digest.Digest, size int64) bool {
	if _, ok := w.c.packed(d); ok || d == digest.Empty {
		return false
	}
	info, ok := w.c.statOwn(d)
	if ok && info.Size() != size {
		w.c.corruptObject(d, info)
		return true
	}
	if ok {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.relied[filepath.Dir(w.c.ownPath(d))] = true
	}
	return !ok
}

// claim decides who adds d: it returns true, with mu held, to exactly one of those who come at the same time.
func (w *Writer) claim(d digest.Digest, size int64) (bool, error) {
	for {
		w.mu.Lock()
		before := w.published
		w.mu.Unlock()
		lacks := w.lacks(d, size)
		w.mu.Lock()
		for w.sealing {
			w.moved.Wait()
		}
		switch {
		case w.err != nil || !lacks || w.pending[d]:
			err := w.err
			w.mu.Unlock()
			return false, err
		case w.published == before: // else it may have been published between the look and the lock
			w.pending[d] = true
			return true, nil
		}
		w.mu.Unlock()
	}
}

// addSmall appends b to an open pack.
func (w *Writer) addSmall(d digest.Digest, b []byte) (isNew bool, err error) {
	if isNew, err = w.claim(d, int64(len(b))); !isNew {
		return false, err
	}
	w.adding++
	p := w.takePack()
	w.mu.Unlock()
	if p == nil {
		p, err = w.c.newPack()
	}
	full := false
	if err == nil {
		full, err = p.append(d, b)
	}
	w.mu.Lock()
	w.adding--
	w.leavePack(p, full)
	if p == nil {
		delete(w.pending, d)
	} else if err != nil {
		w.err = err
	}
	w.mu.Unlock()
	if err != nil {
		return false, fmt.Errorf("add object %s: %w", d.Short(), err)
	}
	if full {
		err = w.publish()
	}
	return true, err
}

// takePack is called with mu held. It finds an open pack for the caller alone; nil: the caller makes one. There are as many as can be written at the same time.
func (w *Writer) takePack() (p *openPack) {
	for len(w.open) == 0 && w.taken >= runtime.GOMAXPROCS(0) {
		w.moved.Wait()
	}
	w.taken++
	if n := len(w.open); n > 0 {
		p, w.open = w.open[n-1], w.open[:n-1]
	}
	return p
}

// leavePack is called with mu held.
func (w *Writer) leavePack(p *openPack, full bool) {
	w.taken--
	w.moved.Broadcast()
	switch {
	case p == nil:
	case full:
		w.sealed = append(w.sealed, p)
	default:
		w.open = append(w.open, p)
	}
}

// append says that the pack is full, and then sealed.
func (p *openPack) append(d digest.Digest, b []byte) (full bool, err error) {
	if _, err := p.w.Add(d, pack.Stored, uint32(len(b)), b); err != nil {
		return false, err
	}
	if p.w.Size() < packTarget {
		return false, nil
	}
	return true, p.seal()
}

// addObject takes over tmp, which holds d.
func (w *Writer) addObject(d digest.Digest, size int64, tmp *durable.File) (isNew bool, err error) {
	if isNew, err = w.claim(d, size); !isNew {
		tmp.Abort()
		return false, err
	}
	w.objects = append(w.objects, &newObject{d, tmp})
	w.bytes += size
	full := len(w.objects) >= objectsMost || w.bytes >= objectsBytes
	w.mu.Unlock()
	if full {
		err = w.publish()
	}
	return true, err
}
