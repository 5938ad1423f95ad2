package cache

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"

	"tarn/internal/durable"
	"tarn/store/digest"
	"tarn/store/pack"
	"tarn/store/table"
)

// From so many files, or directories, on one sync of the file system is faster than one of each.
const (
	filesSynced = 4
	dirsSynced  = 8
)

func (c *Cache) newPack() (*openPack, error) {
	f, err := c.newTemp()
	if err != nil {
		return nil, err
	}
	var random [16]byte
	rand.Read(random[:])
	w, err := pack.NewWriter(f, random)
	if err != nil {
		f.Abort()
		return nil, err
	}
	return &openPack{f: f, w: w}, nil
}

// seal writes the footer.
func (p *openPack) seal() (err error) {
	if p.sum, err = p.w.Close(); err != nil {
		err = fmt.Errorf("close pack: %w", err)
	}
	return err
}

// sealAll seals what is open; the caller holds mu. It waits for what others are adding, for the caller may rely on that: it was pending.
func (w *Writer) sealAll() error {
	for w.sealing {
		w.moved.Wait()
	}
	w.sealing = true
	for w.adding > 0 {
		w.moved.Wait()
	}
	w.sealing = false
	w.moved.Broadcast()
	if w.err != nil {
		return w.err
	}
	for _, p := range w.open {
		if w.err = p.seal(); w.err != nil {
			return w.err
		}
	}
	w.sealed, w.open = append(w.sealed, w.open...), nil
	return nil
}

// Flush makes all that was added so far durable and visible.
func (w *Writer) Flush() error {
	w.mu.Lock()
	err := w.sealAll()
	w.mu.Unlock()
	if err == nil {
		err = w.publish()
	}
	return err
}

// Close is Flush, and the end of w. What could not be flushed is dropped.
func (w *Writer) Close() error {
	err := w.Flush()
	w.mu.Lock()
	defer w.mu.Unlock()
	abort(w.open, w.objects)
	abort(w.sealed, nil)
	w.open, w.sealed, w.objects = nil, nil, nil
	w.err = errClosed
	if errors.Is(err, errClosed) {
		return nil
	}
	return err
}

func abort(packs []*openPack, objects []*newObject) {
	for _, p := range packs {
		p.f.Abort()
	}
	for _, o := range objects {
		o.f.Abort()
	}
}

// publish makes what is sealed and written durable, then visible: content, names, directories, tables. Those who come meanwhile wait,
// for theirs may be in what is published.
func (w *Writer) publish() error {
	w.publishing.Lock()
	defer w.publishing.Unlock()
	w.mu.Lock()
	packs, objects, relied, err := w.sealed, w.objects, w.relied, w.err
	w.sealed, w.objects, w.bytes, w.relied = nil, nil, 0, map[string]bool{}
	w.mu.Unlock()
	if err == nil {
		err = w.c.publish(packs, objects, relied)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		abort(packs, objects)
		w.err = err
		return err
	}
	w.published++
	for _, p := range packs {
		for _, r := range p.sum.Records {
			delete(w.pending, r.Digest)
		}
	}
	for _, o := range objects {
		delete(w.pending, o.d)
	}
	return nil
}

// target is a file that gets its name.
type target struct {
	f    *durable.File
	path string
}

// publish also makes the names in the directories relied on durable: an object that was there already may have been named just now, by
// another process or by a Writer that failed after it.
func (c *Cache) publish(packs []*openPack, objects []*newObject, relied map[string]bool) error {
	var files []target
	for _, p := range packs {
		files = append(files, target{p.f, c.packPath(p.sum.Name)})
	}
	for _, o := range objects {
		files = append(files, target{o.f, c.ownPath(o.d)})
	}
	dirs := relied
	err := c.makeDirs(files, dirs)
	if err == nil {
		err = c.commit(files)
	}
	if err == nil {
		err = c.syncNames(dirs)
	}
	if len(files) == 0 && err != nil && isReadOnly(err) {
		return nil // what is there is there to stay
	}
	if err != nil {
		return fmt.Errorf("store objects: %w", err)
	}
	for _, o := range objects {
		c.own.set(o.d, true)
		c.noteWritten(o.d)
	}
	return c.tableOf(packs)
}

// makeDirs makes the directories that files will be in, and adds them to dirs.
func (c *Cache) makeDirs(files []target, dirs map[string]bool) error {
	for _, t := range files {
		dir := filepath.Dir(t.path)
		if err := c.makeDir(dir); err != nil {
			return err
		}
		dirs[dir] = true
	}
	return nil
}

// commit makes the content durable, with the mode, and only then gives the names.
func (c *Cache) commit(files []target) error {
	mode := c.fileMode()
	for _, t := range files {
		if err := t.f.Chmod(mode); err != nil {
			return err
		}
	}
	if len(files) == 0 {
		return nil
	}
	together := len(files) >= filesSynced && runtime.GOOS == "linux" // elsewhere the call may return before it is done
	if together {
		if err := c.disk.SyncFS(c.dir); err != nil {
			return err
		}
	}
	for _, t := range files {
		if !together {
			if err := t.f.Sync(); err != nil {
				return err
			}
		}
	}
	for _, t := range files {
		if err := t.f.Commit(t.path, mode, false); err != nil && !taken(err, t.path) {
			return err
		}
	}
	return nil
}

// taken says that a rename failed because another process has put the same object there, and somebody reads it: Windows can't replace it then.
func taken(err error, path string) bool {
	info, serr := os.Stat(path)
	return runtime.GOOS == "windows" && errors.Is(err, fs.ErrPermission) && serr == nil && info.Mode().IsRegular()
}

// syncNames makes the names in dirs durable, and once in the life of a Cache the names of the directories themselves: a directory that is
// there already may have been made just now, by another process or by an attempt that failed after it.
func (c *Cache) syncNames(dirs map[string]bool) error {
	var chain []string
	c.mu.Lock()
	for dir := range dirs {
		for d := dir; !c.anchored[d]; d = filepath.Dir(d) {
			chain = append(chain, d)
			if d == c.dir {
				break
			}
		}
	}
	c.mu.Unlock()
	all := maps.Clone(dirs)
	for _, d := range chain {
		all[filepath.Dir(d)] = true
	}
	if err := c.syncDirs(all); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range chain {
		c.anchored[d] = true
	}
	return nil
}

func (c *Cache) syncDirs(dirs map[string]bool) error {
	if len(dirs) >= dirsSynced && runtime.GOOS == "linux" {
		return c.disk.SyncFS(c.dir)
	}
	for dir := range dirs {
		if err := c.disk.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// noteWritten remembers an object that was hashed while it was written, where it may be linked unread.
func (c *Cache) noteWritten(d digest.Digest) {
	if c.ownMin != ownMinLinked && !c.cloned.Load() {
		return
	}
	if info, err := os.Lstat(c.ownPath(d)); err == nil {
		c.verified.note(c, d, info)
	}
}

// tableOf covers new packs.
func (c *Cache) tableOf(packs []*openPack) error {
	if len(packs) == 0 {
		return nil
	}
	var sources []digest.Digest
	var entries []table.Entry
	for _, p := range packs {
		c.packs.note(p.sum.Name, true)
		sources = append(sources, p.sum.Name)
		for _, r := range p.sum.Records {
			entries = append(entries, entryOf(p.sum.Name, r))
		}
	}
	err := c.makeDir(c.path(packIndexDir))
	if err == nil {
		err = c.set.Add(sources, entries)
	}
	if err != nil {
		return fmt.Errorf("store objects: %w", err)
	}
	return nil
}
