package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"tarn/index"
	"tarn/index/scan"
	"tarn/internal/durable"
	"tarn/store/digest"
)

// survey is a look at one dataset from three sides: workspace, index, manifest.
type survey struct {
	r       *Repo
	t       Target
	v       *version    // the manifest in the work tree; nil: none
	idx     *scan.Index // nil: none
	seen    fs.FileInfo // of the index file
	trust   scan.Trust
	started int64 // the file system's clock when it began, ns
	blind   string
	filling bool              // a checkout is at work, or was killed: see cutShort
	temp    func(path string) // hears of tarn's temp files; nil: nobody does
}

// item is a row with what stands in the workspace, once that is known.
type item struct {
	row
	entry  *index.Entry // of the workspace; nil: nothing there, or nothing that counts
	stat   scan.Stat    // that entry belongs to
	fresh  bool         // its bytes were read in this run
	isNew  bool         // and were not in the cache
	at     int64        // when the bytes were hashed, by the file system's clock; what the record says where it was trusted
	lacks  bool         // the cache should have the bytes of the manifest's entry, and has not: see looking.lacks
	linked bool         // the bytes are those of an object of the cache, by a hard link
}

func (r *Repo) newSurvey(t Target) (*survey, error) {
	v, err := r.readManifest(t.Dataset)
	if err != nil {
		return nil, err
	}
	s := &survey{r: r, t: t, v: v, idx: r.openIndex(t.Dataset), trust: r.trust()}
	s.seen, _ = os.Stat(r.indexPath(t.Dataset))
	s.filling = r.filling(t.Dataset)
	s.started = r.probe(filepath.Dir(r.abs(t.Dataset)))
	return s, nil
}

func (s *survey) close() {
	if s.idx != nil {
		s.idx.Close()
	}
}

// probe is the clock of the file system that holds dir; ours where it can't be written.
func (r *Repo) probe(dir string) int64 {
	root, err := r.disk.OpenRoot(dir)
	if err != nil {
		return time.Now().UnixNano()
	}
	defer root.Close()
	if ns, err := scan.ProbeTime(root, "."); err == nil {
		return ns
	}
	return time.Now().UnixNano()
}

// rows joins the three sides; of the workspace only what is in the target.
func (s *survey) rows(ctx context.Context, src index.Source) (iter.Seq2[row, error], error) {
	return s.rowsUnder(ctx, src, "")
}

// rowsUnder is rows with only a part of the manifest: pages that have nothing at or below manifestPrefix are not read.
func (s *survey) rowsUnder(ctx context.Context, src index.Source, manifestPrefix string) (iter.Seq2[row, error], error) {
	return s.rowsOf(ctx, index.Walk(ctx, s.v.manifest(), src, manifestPrefix))
}

func (s *survey) rowsOf(ctx context.Context, manifest iter.Seq2[index.Entry, error]) (iter.Seq2[row, error], error) {
	rules, err := scan.LoadIgnore(s.r.root, s.t.Dataset)
	if err != nil {
		return nil, err
	}
	ws := scan.Walk(ctx, scan.Options{
		Root: s.r.abs(s.t.Dataset), Name: s.t.Dataset, Ignore: rules, Prefix: s.t.Prefix,
		Warn: func(p, why string) { s.r.report.Warn(filepath.ToSlash(filepath.Join(s.t.Dataset, p)), why+"; skipped") },
		Temp: s.temp,
	})
	if f, ok := s.r.cacheLink(s.t.Dataset); ok {
		ws = func(yield func(scan.File, error) bool) { yield(f, nil) }
	}
	return join(s.present(ws), s.records(), manifest), nil
}

// cacheLink is a dataset that is one file, and that a link into the cache stands for (cache.link = symlink).
func (r *Repo) cacheLink(dataset string) (scan.File, bool) {
	target, err := os.Readlink(r.abs(dataset))
	if err != nil {
		return scan.File{}, false
	}
	info, err := os.Lstat(r.abs(dataset))
	f := scan.File{Path: ".", Kind: index.Link, Target: filepath.ToSlash(target)}
	if err != nil || !r.cached(&index.Entry{Target: f.Target}) {
		return scan.File{}, false
	}
	f.Stat = scan.StatOf(info)
	return f, true
}

// present makes a dataset that is not there an empty one.
func (s *survey) present(ws iter.Seq2[scan.File, error]) iter.Seq2[scan.File, error] {
	return func(yield func(scan.File, error) bool) {
		for f, err := range ws {
			if err != nil && f.Path == "." && errors.Is(err, fs.ErrNotExist) {
				return
			}
			if !yield(f, err) {
				return
			}
		}
	}
}

func (s *survey) records() iter.Seq[scan.Record] {
	if s.idx == nil {
		return func(func(scan.Record) bool) {}
	}
	return s.idx.Records("")
}

// items makes rows items, and marks what is below a directory that can't be read.
func (s *survey) items(rows iter.Seq2[row, error]) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		for r, err := range rows {
			if err == nil {
				s.shade(&r)
			}
			if !yield(item{row: r, at: s.started}, err) {
				return
			}
		}
	}
}

func (s *survey) shade(r *row) {
	if r.err != nil && strings.HasSuffix(r.path, "/") {
		s.blind = r.path
	}
	if r.err == nil && s.blind != "" && strings.HasPrefix(r.path, s.blind) {
		r.err = fmt.Errorf("below a directory that can't be read: %w", fs.ErrPermission)
	}
}

// inside says whether the survey looked for the item in the workspace.
func (s *survey) inside(it *item) bool { return under(it.path, s.t.Prefix) || it.path == "." }

// base is what was last checked out or added at the path; nil: nothing ever was.
func (it *item) base() *index.Entry {
	return baseOf(it.r)
}

// weight is how many bytes have to be read to know what the workspace has at the item.
func (s *survey) weight(it *item) int64 {
	if it.w == nil || it.r != nil && it.r.Trusted(it.w.Stat, s.trust) {
		return 0
	}
	return it.w.Stat.Size
}

// look finds out what the workspace has at the item, without reading a file that the index knows. Where it has to read one, hash does it.
func (s *survey) look(it *item, hash func(path string, size int64) (hashed, error)) {
	if it.err != nil || it.w == nil {
		return
	}
	it.stat = it.w.Stat
	e := &index.Entry{Path: it.w.Path, Kind: it.w.Kind}
	switch it.w.Kind {
	case index.Link:
		e.Target = it.w.Target
		if s.r.cached(e) && e.Size < 0 {
			return // it points to what the cache no longer has
		}
	case index.File, index.Exec:
		if it.r != nil && it.r.Trusted(it.w.Stat, s.trust) {
			e.Digest, e.Size, it.at, it.linked = it.r.Digest, it.w.Stat.Size, it.r.HashedAt, it.r.Hardlinked
			break
		}
		if s.cutShort(it) {
			return
		}
		h, err := hash(s.file(it.path), it.w.Stat.Size)
		if err != nil {
			it.err = err
			return
		}
		e.Digest, e.Size, it.stat, it.isNew, it.fresh = h.digest, h.stat.Size, h.stat, h.isNew, true
	}
	it.entry = e
}

// cached says that the entry is a link to an own object of the cache, which stands for a file (cache.link = symlink), and makes it that file; its size
// is negative if the object is gone.
func (r *Repo) cached(e *index.Entry) bool {
	rel, err := filepath.Rel(r.cacheDir(), filepath.FromSlash(e.Target))
	name, ok := strings.CutPrefix(filepath.ToSlash(rel), "b3/")
	if err != nil || !ok || !filepath.IsAbs(filepath.FromSlash(e.Target)) {
		return false
	}
	d, err := digest.Parse(strings.Replace(name, "/", "", 1))
	if err != nil {
		return false
	}
	*e = index.Entry{Path: e.Path, Kind: index.File, Digest: d, Size: -1}
	if info, err := os.Stat(filepath.Join(r.cacheDir(), rel)); err == nil && info.Mode().IsRegular() {
		e.Size = info.Size()
	}
	return true
}

func (s *survey) file(entry string) string { return s.r.entryPath(s.t.Dataset, entry) }

// entryPath is the absolute path of an entry in the workspace.
func (r *Repo) entryPath(dataset, entry string) string {
	if entry == "." {
		return r.abs(dataset)
	}
	return filepath.Join(r.abs(dataset), filepath.FromSlash(entry))
}

// hashed is what reading a file found.
type hashed struct {
	digest digest.Digest
	stat   scan.Stat
	isNew  bool
}

// errChanging says that a file was written to while it was read, each time.
var errChanging = errors.New("it changes while it is read")

const readTries = 3

// readStable opens a file and lets read have it, again if it changed meanwhile: size, mtime, ctime and inode must be the same before and after.
func readStable(path string, read func(f *os.File, size int64) (digest.Digest, bool, error)) (hashed, error) {
	var h hashed
	for try := range readTries {
		if try > 0 {
			time.Sleep(time.Duration(try) * 50 * time.Millisecond)
		}
		stable, err := func() (bool, error) {
			f, info, err := durable.OpenRegular(path)
			if err != nil {
				return false, err
			}
			defer f.Close()
			h.stat = scan.StatOf(info)
			h.digest, h.isNew, err = read(f, h.stat.Size)
			after, serr := f.Stat()
			if serr != nil {
				return false, serr
			}
			if st := scan.StatOf(after); !unchanged(h.stat, st) {
				return false, nil
			}
			return true, err
		}()
		if err != nil || stable {
			return h, err
		}
	}
	return h, errChanging
}

func unchanged(a, b scan.Stat) bool {
	return a.Size == b.Size && a.MTime == b.MTime && a.CTime == b.CTime && a.Inode == b.Inode
}

var readBuffers = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

// hashOnly reads a file for its digest.
func hashOnly(path string, _ int64) (hashed, error) {
	return readStable(path, func(f *os.File, _ int64) (digest.Digest, bool, error) {
		h, buf := digest.New(), readBuffers.Get().(*[]byte)
		defer h.Release()
		defer readBuffers.Put(buf)
		_, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{f}, *buf)
		return h.Sum(), false, err
	})
}

// stamped notes that tarn wrote the file, and with which modification time: if that is the one that it has, nobody wrote since.
func (it *item) stamped(ns int64) {
	if ns != 0 && it.stat.MTime == ns {
		it.at = scan.Stamped
	}
}

// record is what the index keeps about an item: what is there now, and the entry that it counts as based on.
func (it *item) record(base *index.Entry) scan.Record {
	r := newRecord(*it.entry, it.stat, base, it.at)
	r.Hardlinked = it.linked
	return r
}

// base is the version that the index counts as checked out, and whether each of its entries has a record: none was left out.
func (s *survey) base() (digest.Digest, bool) {
	if s.idx == nil {
		return digest.Digest{}, false
	}
	return s.idx.Base()
}

// hasBase says that something of the dataset was checked out or added here.
func (s *survey) hasBase() bool {
	for r := range s.records() {
		if r.BaseKind != 0 {
			return true
		}
	}
	return false
}

// mergeIndex puts a part of a new index in place after a run that did not finish: join says what becomes of each record, of which one may be nil.
func (s *survey) mergeIndex(next *scan.IndexWriter, path string, whole bool, join func(next, old *scan.Record) scan.Record) error {
	id, _ := s.base()
	return s.weave(next, path, s.records(), id, whole, join)
}

// weave puts the index in place that next, which writes to path, has together with others.
func (s *survey) weave(next *scan.IndexWriter, path string, others iter.Seq[scan.Record], id digest.Digest, whole bool, join func(next, other *scan.Record) scan.Record) error {
	if err := next.Commit(id, false); err != nil {
		return err
	}
	defer s.r.disk.Remove(path)
	part, err := scan.Open(path)
	if err != nil {
		return err
	}
	defer part.Close()
	w, err := scan.NewWriter(s.r.disk, s.r.indexPath(s.t.Dataset), s.t.Dataset)
	if err != nil {
		return err
	}
	for n, old := range pairs(part.Records(""), others) {
		if err := w.Add(join(n, old)); err != nil {
			w.Abort()
			return err
		}
	}
	return w.Commit(id, whole)
}

// pairs joins two ascending sequences of records by path.
func pairs(as, bs iter.Seq[scan.Record]) iter.Seq2[*scan.Record, *scan.Record] {
	return func(yield func(*scan.Record, *scan.Record) bool) {
		nextB, stop := iter.Pull(bs)
		defer stop()
		b, ok := nextB()
		for a := range as {
			for ; ok && b.Path < a.Path; b, ok = nextB() {
				if old := b; !yield(nil, &old) {
					return
				}
			}
			if !ok || b.Path != a.Path {
				if !yield(&a, nil) {
					return
				}
				continue
			}
			old := b
			if !yield(&a, &old) {
				return
			}
			b, ok = nextB()
		}
		for ; ok; b, ok = nextB() {
			if old := b; !yield(nil, &old) {
				return
			}
		}
	}
}
