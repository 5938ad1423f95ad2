package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"tarn/index"
	"tarn/index/vcs"
	"tarn/internal/durable"
	"tarn/store/digest"
)

// getting is one run of Get.
type getting struct {
	src *Repo // the other repository
	o   GetOptions
	dir string // where the user stands
	res *GetResult
	f   *fetch

	parts   []getPart      // datasets, or a part of one
	file    *index.Entry   // of the only part; nil: a directory is got, or files of Git
	tree    []vcs.TreeFile // that Git tracks
	one     bool           // it is one file
	getPart                // that is being written

	base    string        // the last element of the path, as it was asked for
	top     *durable.Root // that holds what is written
	name    string        // of it there
	dirs    *openDirs     // nil: it is one file
	fresh   bool          // nothing was there before
	collide map[string]string

	mu      sync.Mutex
	waiting map[digest.Digest][]index.Entry // for bytes that are downloaded
}

// getPart is a dataset, or what is below a path in one.
type getPart struct {
	w  wanted
	at string // where it goes, below what is written; "" is that
}

// below is where an entry of the part goes, below what is written.
func (p *getPart) below(name string) string {
	name = strings.TrimPrefix(strings.TrimSuffix(name, "/"), p.w.Prefix)
	return path.Join(p.at, strings.TrimPrefix(name, "/"))
}

func (x *getting) run(ctx context.Context) error {
	if err := x.target(ctx); err != nil {
		return err
	}
	for _, p := range x.parts { // before anything is written
		if _, err := x.connect(ctx, p.w.Dataset); err != nil {
			return err
		}
	}
	to, err := x.to(x.one)
	if err != nil {
		return err
	}
	_, err = os.Lstat(to)
	x.fresh = errors.Is(err, fs.ErrNotExist)
	x.res.To = to
	return x.into(ctx, to)
}

// to is the path that is written: a file goes into a directory that is there, or that is named with a slash behind.
func (x *getting) to(file bool) (string, error) {
	to := x.o.Out
	if to == "" {
		to = x.base
	}
	if to == "" {
		return "", &Hinted{fmt.Errorf("%w: the root of a repository has no name; say where it goes", ErrUsage), "tarn get URL . -o DIR"}
	}
	slash := os.IsPathSeparator(to[len(to)-1])
	to = absIn(x.dir, to)
	info, err := os.Stat(to)
	switch {
	case err != nil && file && slash:
		return filepath.Join(to, x.base), nil
	case err != nil:
		return filepath.Clean(to), nil
	case !info.IsDir() && file && !slash:
		return to, nil
	case !info.IsDir():
		return "", fmt.Errorf("%w: %s is not a directory", ErrUsage, to)
	}
	if to, err = filepath.EvalSymlinks(to); err == nil && file {
		to = filepath.Join(to, x.base)
	}
	return to, err
}

// connect opens the remote that has the bytes of a dataset.
func (x *getting) connect(ctx context.Context, dataset string) (*conn, error) {
	c, err := x.src.connectFor(ctx, dataset, x.o.Remote, false)
	if errors.Is(err, ErrUsage) {
		var h *Hinted
		if errors.As(err, &h) {
			err = h.Err
		}
		err = &Hinted{fmt.Errorf("%s: %w", x.res.URL, err), "tarn get --remote URL …"}
	}
	return c, sorted(err)
}

// into writes the file, or all that is in the directory, to the path to.
func (x *getting) into(ctx context.Context, to string) error {
	lock, err := x.src.store.Lock(ctx, true)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	if err := x.src.disk.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	if x.top, err = x.src.disk.OpenRoot(filepath.Dir(to)); err != nil {
		return err
	}
	defer x.top.Close()
	x.name, x.waiting = filepath.Base(to), map[digest.Digest][]index.Entry{}
	if !x.one {
		if err := x.prepare(ctx); err != nil {
			return err
		}
		defer x.dirs.close()
	}
	x.src.report.Phase("get "+path.Clean(x.res.Path), -1, -1)
	x.f.told.unknown = len(x.parts)
	err = x.tracked(ctx)
	for _, p := range x.parts {
		if err == nil {
			err = x.part(ctx, p)
		}
	}
	if serr := x.top.SyncFS(); err == nil {
		err = serr
	}
	x.res.Received, x.res.Requests = x.f.res.Sent, x.src.requests()
	x.res.Problems = append(x.res.Problems, x.f.res.Problems...)
	return err
}

// prepare makes the directory, and looks whether the file system can hold all names.
func (x *getting) prepare(ctx context.Context) error {
	x.dirs = newOpenDirs(x.top, x.name)
	if err := x.makeDir(""); err != nil {
		return err
	}
	var err error
	if folds(x.top) {
		x.collide, err = collisions(x.all(ctx))
	}
	return err
}

func (x *getting) makeDir(at string) error {
	d, err := x.dirs.open(at)
	if err == nil {
		x.dirs.leave(d)
	}
	return err
}

// all goes through what is written, by its path below that.
func (x *getting) all(ctx context.Context) iter.Seq2[index.Entry, error] {
	return func(yield func(index.Entry, error) bool) {
		for _, f := range x.tree {
			if !yield(index.Entry{Path: x.inTree(f)}, nil) {
				return
			}
		}
		for _, p := range x.parts {
			for e, err := range index.Walk(ctx, p.w.Manifest, x.src.from(p.w.Dataset, x.o.Remote), p.w.Prefix) {
				if e.Path = p.below(e.Path); (e.Path != "" || err != nil) && !yield(e, err) {
					return
				}
			}
		}
	}
}

// part writes a dataset, or what is asked for of one.
func (x *getting) part(ctx context.Context, p getPart) (err error) {
	x.getPart = p
	if x.f.conn, err = x.connect(ctx, p.w.Dataset); err != nil {
		return err
	}
	if !x.one && p.w.Form != index.FormFile {
		if err := x.makeDir(p.at); err != nil { // for it may be empty
			x.problem("", "", err)
			return nil
		}
	}
	if err := x.leaves(ctx); err != nil {
		return err
	}
	x.f.told.unknown--
	return x.download(ctx)
}

// leaves goes through the version; only a failure that ends the run is returned.
func (x *getting) leaves(ctx context.Context) error {
	for l, err := range leaves(ctx, x.w.version, x.src.from(x.w.Dataset, x.o.Remote), x.w.Prefix) {
		if err == nil {
			err = x.leaf(ctx, l)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !lacking(err) {
			return err
		}
		if err != nil {
			x.problem("", "", missingPages(err)) // the other pages are gone through all the same
		}
	}
	return nil
}

func (x *getting) problem(entry, side string, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.res.Problems = append(x.res.Problems, problemAt(x.w.Dataset, strings.TrimSuffix(entry, "/"), side, err))
}

// leaf writes what is here, and plans the download of the rest.
func (x *getting) leaf(ctx context.Context, l leaf) error {
	var missing []fileWant
	record := -1
	for i := range l.entries {
		e := &l.entries[i]
		if hasBytes(e) {
			record++
		}
		if x.file != nil && e.Path != x.file.Path || !under(e.Path, x.w.Prefix) && e.Path != "." {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		needs, err := x.entry(e)
		if err != nil {
			x.problem(e.Path, "", err)
		}
		if !needs {
			continue
		}
		first := len(x.waiting[e.Digest]) == 0
		x.waiting[e.Digest] = append(x.waiting[e.Digest], *e)
		if first {
			missing = append(missing, newWant(x.w, l, e, record))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	err := x.f.locate(ctx, x.f.conn, missing, false)
	if err == nil && len(x.f.wants) > x.f.most() {
		err = x.download(ctx)
	}
	return err
}

// download gets what is planned. Where bytes could not be had, fetch has named one file that needs them; the others are named here.
func (x *getting) download(ctx context.Context) error {
	err := x.f.download(ctx)
	for _, es := range x.waiting {
		for _, e := range es[min(len(es), 1):] {
			x.problem(e.Path, "", fmt.Errorf("%w: its bytes are those of %s", ErrIncomplete, index.Quote(es[0].Path)))
		}
	}
	clear(x.waiting)
	return err
}

// entry brings one entry into being, unless its bytes have to be downloaded.
func (x *getting) entry(e *index.Entry) (needs bool, err error) {
	if err := x.collides(e); err != nil {
		return false, err
	}
	if !x.one && x.below(e.Path) == "" { // the directory that is got, which is empty
		x.wrote(0)
		return false, nil
	}
	root, name, err := x.place(e)
	if err != nil {
		return false, err
	}
	defer x.leave(root)
	same, err := x.there(root.Root, name, e)
	if err != nil || same {
		if same {
			x.res.Same++
		}
		return false, err
	}
	switch {
	case e.Kind == index.Link:
		if err := x.checkLink(e); err != nil {
			return false, err
		}
		err = root.Symlink(filepath.FromSlash(e.Target), name)
	case e.Kind == index.Dir:
		err = root.Mkdir(name, 0o777)
	default:
		_, err = x.src.store.Checkout(e.Digest, e.Size, e.Kind == index.Exec, root.Root, name)
		if isMissing(err) {
			return true, nil
		}
	}
	if err == nil {
		x.src.report.Add(1, e.Size)
		if x.f.told.begun { // else it was told under another phase
			x.f.told.planned.add(amount{1, e.Size}, 1)
		}
		x.wrote(e.Size)
	}
	return false, err
}

// collides refuses to write an entry over another one.
func (x *getting) collides(e *index.Entry) error {
	if other, ok := x.collide[x.below(e.Path)]; ok {
		return fmt.Errorf("%w: it collides with %s: %w", ErrIncomplete, index.Quote(other), errCollides)
	}
	return nil
}

func (x *getting) wrote(size int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.res.Written++
	x.res.Bytes += size
}

// place opens the directory that an entry goes into, and makes it; leave closes it.
func (x *getting) place(e *index.Entry) (*openedDir, string, error) {
	if x.dirs == nil {
		return &openedDir{Root: x.top}, x.name, nil
	}
	dir, name := path.Split(x.below(e.Path))
	d, err := x.dirs.open(strings.TrimSuffix(dir, "/"))
	return d, name, err
}

func (x *getting) leave(d *openedDir) {
	if x.dirs != nil {
		x.dirs.leave(d)
	}
}

// there says whether an entry is there already; something else in its place is refused, unless it is to be replaced.
func (x *getting) there(root *durable.Root, name string, e *index.Entry) (same bool, err error) {
	if x.fresh {
		return false, nil
	}
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	switch {
	case info.IsDir() && e.Kind == index.Dir:
		return true, nil
	case info.IsDir():
		return false, fmt.Errorf("%w: a directory is there", ErrIncomplete)
	case e.Kind == index.Dir:
		return false, fmt.Errorf("%w: a file is there", ErrIncomplete)
	case info.Mode()&fs.ModeSymlink != 0 && e.Kind == index.Link:
		target, err := root.Readlink(name)
		if err != nil {
			return false, err
		}
		same = filepath.ToSlash(target) == e.Target
	case info.Mode().IsRegular() && regular(e) && info.Size() == e.Size:
		same, err = hasDigest(root, name, e.Digest)
		same = same && (info.Mode()&0o100 != 0) == (e.Kind == index.Exec)
	}
	if err != nil || same || x.o.Force {
		return same, err
	}
	return false, &Hinted{fmt.Errorf("%w: it is there already, with other content", ErrRefused), "tarn get --force …, to replace it, or tarn get -o DIR …"}
}

func hasDigest(root *durable.Root, name string, d digest.Digest) (bool, error) {
	f, err := root.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	h, buf := digest.New(), readBuffers.Get().(*[]byte)
	defer h.Release()
	defer readBuffers.Put(buf)
	_, err = io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{f}, *buf)
	return h.Sum() == d, err
}

// checkLink refuses a link that stays in the dataset, or in the repository, but not in the part of it that is got.
func (x *getting) checkLink(e *index.Entry) error {
	if index.CheckTarget(x.below(e.Path), e.Target) == nil {
		return nil
	}
	err := fmt.Errorf("%w: it leads out of %s", ErrIncomplete, index.Quote(path.Clean(x.res.Path)))
	switch {
	case x.w.Dataset != "":
		return &Hinted{err, "tarn get URL " + x.w.Dataset + " -o DIR"}
	case x.res.Path != "":
		return &Hinted{err, "tarn get URL . -o DIR"}
	}
	return err
}

// AddVerified writes the files that wait for the bytes of a digest.
func (x *getting) AddVerified(want digest.Digest, size int64, r io.Reader) error {
	x.mu.Lock()
	es := x.waiting[want]
	x.mu.Unlock()
	if len(es) == 0 {
		return fmt.Errorf("write %s: nobody waits for it", want.Short())
	}
	if err := x.write(&es[0], digest.NewReader(r, want, size)); err != nil {
		return err
	}
	for i := range es[1:] {
		if err := x.copy(&es[0], &es[i+1]); err != nil {
			x.problem(es[i+1].Path, "", err)
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.waiting, want)
	return nil
}

// write gives a file its name once r has come to its end without an error.
func (x *getting) write(e *index.Entry, r io.Reader) error {
	root, name, err := x.place(e)
	if err != nil {
		return err
	}
	defer x.leave(root)
	perm := fs.FileMode(0o666)
	if e.Kind == index.Exec {
		perm = 0o777
	}
	tmp, err := root.CreateTempMode(".", perm)
	if err != nil {
		return err
	}
	defer tmp.Abort()
	n, err := tmp.ReadFrom(r)
	if err != nil {
		return err
	}
	if err := tmp.Commit(name, perm); err != nil {
		return err
	}
	x.wrote(n)
	return nil
}

// copy writes a file that has the same bytes as one that was written.
func (x *getting) copy(from, to *index.Entry) error {
	root, name, err := x.place(from)
	if err != nil {
		return err
	}
	defer x.leave(root)
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return x.write(to, digest.NewReader(f, to.Digest, to.Size))
}
