package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"tarn/index"
	"tarn/index/scan"
	"tarn/internal/durable"
	"tarn/store/cache"
	"tarn/store/digest"
)

// Unprotected is what happened to one dataset, or to a part of it.
type Unprotected struct {
	Dataset string
	Prefix  string
	Files   int64 // that were links into the cache
	Bytes   int64 // of those
	Private int64 // files that were not
}

// UnprotectResult is what unprotect did.
type UnprotectResult struct {
	Datasets []Unprotected
	Seconds  float64
	Problems []Problem
}

// Unprotect replaces links into the cache, as cache.link = hardlink or symlink makes them, by copies that can be written to.
func (r *Repo) Unprotect(ctx context.Context, paths []string) (*UnprotectResult, error) {
	start := time.Now()
	ts, err := r.targets(ctx, paths)
	if err != nil {
		return nil, err
	}
	store, lock, err := r.holdCache(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.Unlock()
	res := &UnprotectResult{}
	for _, t := range ts {
		u := &unprotecting{r: r, t: t, store: store, res: res, out: Unprotected{Dataset: t.Dataset, Prefix: t.Prefix}}
		if err = u.run(ctx); err != nil {
			break
		}
		res.Datasets = append(res.Datasets, u.out)
	}
	res.Seconds = time.Since(start).Seconds()
	return res, outcome(err, res.Problems)
}

// unprotecting is that of one dataset.
type unprotecting struct {
	r     *Repo
	t     Target
	store *cache.Cache
	res   *UnprotectResult
	out   Unprotected

	s    *survey
	root *durable.Root // of the directory that the dataset is in
	next *scan.IndexWriter
	met  bool
}

func (u *unprotecting) problem(entry, side string, err error) {
	u.res.Problems = append(u.res.Problems, problemAt(u.t.Dataset, entry, side, err))
}

func (u *unprotecting) run(ctx context.Context) error {
	lock, err := u.r.lock(ctx, u.t.Dataset)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	if u.s, err = u.r.newSurvey(u.t); err != nil {
		u.problem("", "workspace", err)
		return nil
	}
	defer u.s.close()
	if _, err := os.Lstat(u.r.abs(u.t.Dataset)); errors.Is(err, fs.ErrNotExist) {
		return nil // not checked out
	}
	if u.root, err = u.r.disk.OpenRoot(filepath.Dir(u.r.abs(u.t.Dataset))); err != nil {
		return err
	}
	defer u.root.Close()
	err = u.all(ctx)
	if errors.Is(err, errNoPage) {
		u.problem("", "cache", &Hinted{fmt.Errorf("%w from the cache: pages of its manifest", ErrIncomplete), "tarn fetch " + u.t.Dataset})
		return nil
	}
	return err
}

func (u *unprotecting) nextPath() string { return u.r.indexPath(u.t.Dataset) + ".next" }

func (u *unprotecting) all(ctx context.Context) error {
	rows, err := u.s.rows(ctx, u.r.local())
	if err != nil {
		return err
	}
	if u.next, err = scan.NewWriter(u.r.disk, u.nextPath(), u.t.Dataset); err != nil {
		return err
	}
	entries, bytes := index.Totals(u.s.v.manifest())
	u.r.report.Phase("unprotect "+u.t.String(), entries, bytes)
	weight := func(it *item) int64 {
		if it.w == nil {
			return 0
		}
		return it.w.Stat.Size
	}
	err = inOrder(ctx, workers(), u.s.items(rows), weight, u.do, func(it *item) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return u.take(it)
	})
	if err == nil && !u.met && u.t.Prefix != "" {
		u.problem(u.t.Prefix, "workspace", errNoPath)
	}
	return u.keepIndex(err)
}

// do replaces one file, if it is a link into a cache; by several workers.
func (u *unprotecting) do(ctx context.Context, it *item) {
	if ctx.Err() != nil || it.err != nil || it.w == nil || !u.s.inside(it) {
		return
	}
	switch it.w.Kind {
	case index.Link:
		if d, ok := objectAt(it.w.Target); ok {
			it.err = u.replace(it, filepath.FromSlash(it.w.Target), &d)
		}
	case index.File, index.Exec:
		file := u.s.file(it.path)
		info, err := os.Lstat(file)
		if err == nil && u.store.Shares(info, it.digests()...) {
			err = u.replace(it, file, nil)
		}
		it.err = err
	}
	u.r.report.Add(1, it.w.Stat.Size)
}

// digests are those that the file can have as an object.
func (it *item) digests() (ds []digest.Digest) {
	if it.r != nil {
		ds = append(ds, it.r.Digest, it.r.BaseDigest)
	}
	if it.m != nil {
		ds = append(ds, it.m.Digest)
	}
	return ds
}

// objectAt says whether a link leads to an own object of a cache, wherever that is.
func objectAt(target string) (d digest.Digest, ok bool) {
	dir, name := path.Split(target)
	up, sub := path.Split(strings.TrimSuffix(dir, "/"))
	if !filepath.IsAbs(filepath.FromSlash(target)) || path.Base(up) != "b3" || len(sub) != 2 {
		return d, false
	}
	d, err := digest.Parse(sub + name)
	return d, err == nil
}

// replace puts a copy of src in the place of the item. What is copied must be want, if that is given, and may not change meanwhile.
func (u *unprotecting) replace(it *item, src string, want *digest.Digest) error {
	root, name := u.root, path.Base(u.t.Dataset)
	if it.path != "." {
		sub, err := u.root.Sub(path.Join(name, path.Dir(it.path)))
		if err != nil {
			return err
		}
		defer sub.Close()
		root, name = sub, path.Base(it.path)
	}
	f, info, err := durable.OpenRegular(src)
	if err != nil {
		return err
	}
	defer f.Close()
	perm := fs.FileMode(0o666)
	if it.w.Kind == index.Exec {
		perm = 0o777
	}
	tmp, err := root.CreateTempMode(".", perm)
	if err != nil {
		return err
	}
	defer tmp.Abort()
	got, err := copyHashed(tmp, f)
	if err == nil {
		err = tmp.Sync() // before the link goes, for what was edited through it the cache may not have
	}
	if err != nil {
		return err
	}
	// The change time does not count: it moves with each name that the file gets or loses.
	after, err := f.Stat()
	switch {
	case err != nil:
		return err
	case after.Size() != info.Size() || !after.ModTime().Equal(info.ModTime()):
		return errChanging
	case want != nil && got != *want:
		return fmt.Errorf("%w: its object in the cache", digest.ErrMismatch)
	}
	stamp := tmp.Stamp()
	if err := tmp.Commit(name, perm); err != nil {
		return err
	}
	now, err := root.Lstat(name)
	if err != nil {
		return err
	}
	kind := index.File
	if it.w.Kind == index.Exec {
		kind = index.Exec
	}
	it.entry = &index.Entry{Path: it.path, Kind: kind, Digest: got, Size: info.Size()}
	it.stat, it.fresh, it.at, it.linked = scan.StatOf(now), true, u.s.started, false
	it.stamped(stamp)
	return nil
}

func copyHashed(dst io.Writer, src io.Reader) (digest.Digest, error) {
	h, buf := digest.New(), readBuffers.Get().(*[]byte)
	defer h.Release()
	defer readBuffers.Put(buf)
	_, err := io.CopyBuffer(io.MultiWriter(struct{ io.Writer }{dst}, h), struct{ io.Reader }{src}, *buf)
	return h.Sum(), err
}

// take counts, and writes the index in order.
func (u *unprotecting) take(it *item) error {
	u.met = u.met || u.s.inside(it)
	switch {
	case !u.s.inside(it):
	case it.err != nil:
		u.failed(it)
	case it.fresh:
		u.out.Files++
		u.out.Bytes += it.entry.Size
	case it.w != nil && it.w.Kind != index.Dir && it.w.Kind != index.Link:
		u.out.Private++
	}
	base := it.base()
	switch {
	case !it.fresh && it.r != nil:
		return u.next.Add(*it.r)
	case !it.fresh || it.r == nil && !same(it.entry, it.m):
		return nil
	case it.r == nil:
		base = it.m
	}
	return u.next.Add(it.record(base))
}

func (u *unprotecting) failed(it *item) {
	switch {
	case it.w != nil && it.w.Kind == index.Link && errors.Is(it.err, fs.ErrNotExist):
		u.problem(it.path, "cache", &Hinted{fmt.Errorf("%w from the cache: what it links to", ErrIncomplete), "tarn pull " + u.t.Dataset})
	case isCorrupt(it.err):
		u.problem(it.path, "cache", it.err)
	default:
		u.problem(it.path, "workspace", it.err)
	}
}

// keepIndex makes the copies durable, and then the index that knows them; also after an interruption, for what was done is done.
func (u *unprotecting) keepIndex(err error) error {
	if u.out.Files == 0 {
		u.next.Abort()
		return err
	}
	if serr := u.root.SyncFS(); serr != nil {
		u.next.Abort()
		return errors.Join(err, serr)
	}
	if err != nil {
		_, whole := u.s.base()
		return errors.Join(err, u.s.mergeIndex(u.next, u.nextPath(), whole, func(n, old *scan.Record) scan.Record {
			if n == nil {
				return *old
			}
			return *n
		}))
	}
	if err := u.next.Commit(u.s.base()); err != nil {
		return err
	}
	return u.r.promote(u.nextPath(), u.r.indexPath(u.t.Dataset))
}
