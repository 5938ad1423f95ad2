package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tarn/index"
	"tarn/index/scan"
	"tarn/internal/durable"
	"tarn/store/cache"
	"tarn/store/digest"
)

// AddOptions say what to add.
type AddOptions struct {
	Paths  []string // datasets, or paths in them
	Update bool     // every tracked dataset (below Paths) that changed
	Force  bool     // also where the manifest moved on since the last checkout
	Keep   Keeping  // where their bytes go; remembered
	Remote string   // for those that the cache does not keep; empty: that of each dataset
}

// Added is what happened to one dataset.
type Added struct {
	Dataset  string
	Prefix   string // the part that was added; "" for all
	Manifest string // path of the manifest
	Changed  bool   // the manifest was written
	Files    int64  // in the dataset, after it
	Bytes    int64
	Remote   string // that the bytes went to; "": to the cache
	NewFiles int64  // whose bytes the cache did not have, or which were sent
	NewBytes int64
	Reused   int64 // files that were read, and whose bytes the cache had
	Kept     int64 // files that were not read, for nothing about them changed
	Counts   map[State]int64
}

// AddResult is what add did.
type AddResult struct {
	Datasets   []Added
	Read       int64    // bytes read from the workspace, to hash them
	Sent       int64    // bytes that went to remotes
	Remembered []string // datasets whose setting became AddOptions.Keep
	Seconds    float64
	Problems   []Problem
}

// Add hashes datasets into the cache, or to a remote, and writes their manifests. A dataset with a file that can't be read keeps its manifest as it is, and what was
// hashed is not hashed again; then the error wraps ErrIncomplete. It wraps ErrRefused where the manifest moved on since the last checkout.
func (r *Repo) Add(ctx context.Context, o AddOptions) (*AddResult, error) {
	start := time.Now()
	ts, err := r.addTargets(ctx, o)
	if err == nil {
		err = r.checkRemote(ts, o)
	}
	if err != nil {
		return nil, err
	}
	store, lock, err := r.holdCache(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.Unlock()
	res := &AddResult{}
	res.Remembered, err = r.remember(datasetsOf(ts), o.Keep)
	for _, t := range ts {
		if err != nil {
			break
		}
		a := &adding{r: r, o: o, t: t, store: store, direct: !r.keeps(t.Dataset, o.Keep), res: res}
		err = a.run(ctx)
	}
	res.Seconds = time.Since(start).Seconds()
	if err = outcome(err, res.Problems); refusals(err, res.Problems) > 0 {
		err = fmt.Errorf("%w: the manifest moved on since the last checkout", ErrRefused)
		if slices.ContainsFunc(res.Problems, func(p Problem) bool { return errors.Is(p.Err, errMoved) }) {
			err = &Hinted{err, "tarn checkout, or --force, to undo what Git brought"}
		}
	}
	return res, err
}

// adding is the add of one dataset.
type adding struct {
	r     *Repo
	o     AddOptions
	t     Target
	store *cache.Cache
	res   *AddResult

	direct bool // the bytes go to a remote, and not into the cache

	s     *survey
	w     *cache.Writer
	b     *index.Builder
	next  *scan.IndexWriter
	form  index.Form
	out   Added
	bad   bool // something could not be read, or was refused: the manifest stays
	whole bool // every entry has a record
}

func (a *adding) problem(entry, side string, err error) {
	a.bad = true
	a.res.Problems = append(a.res.Problems, problemAt(a.t.Dataset, entry, side, err))
}

// run returns only what ends the whole command; what concerns this dataset is a problem.
func (a *adding) run(ctx context.Context) error {
	lock, err := a.r.lock(ctx, a.t.Dataset)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	if a.s, err = a.r.newSurvey(a.t); err != nil {
		a.problem("", "workspace", err)
		return nil
	}
	defer a.s.close()
	if a.s.v == nil && !a.o.Force && a.s.hasBase() {
		a.problem("", "git", &Hinted{fmt.Errorf("%w: Git took its manifest away since it was added or checked out here", ErrRefused), "tarn add --force " + a.t.Dataset})
		return nil
	}
	if a.form, err = a.dataForm(); err != nil {
		a.problem("", "workspace", err)
		return nil
	}
	a.w = a.store.NewWriter()
	err = a.hash(ctx)
	if ferr := a.w.Close(); err == nil {
		err = ferr
	}
	if a.next == nil {
		return err
	}
	if err == nil && !a.bad {
		done, err := a.finish(ctx)
		if !done {
			err = errors.Join(err, a.keepHashes())
		}
		return err
	}
	if kerr := a.keepHashes(); kerr != nil && err == nil {
		err = kerr
	}
	if errors.Is(err, cache.ErrReadOnly) {
		return &Hinted{err, "set cache.dir to a directory that you can write to"}
	}
	if err != nil && ctx.Err() == nil && (errors.Is(err, errNoPage) || errors.Is(err, fs.ErrPermission)) {
		a.problem("", "workspace", err)
		return nil
	}
	return err
}

// dataForm is whether the dataset is a file or a directory. A dataset that is gone as a whole is taken for an unmounted disk, not for deleted.
func (a *adding) dataForm() (index.Form, error) {
	info, err := os.Lstat(a.r.abs(a.t.Dataset))
	switch {
	case errors.Is(err, fs.ErrNotExist) && a.t.Prefix == "":
		return 0, &Hinted{fmt.Errorf("%w: %s: no such file or directory", ErrUsage, a.t.Dataset), "tarn checkout " + a.t.Dataset}
	case errors.Is(err, fs.ErrNotExist):
		return index.FormDir, nil
	case err != nil:
		return 0, err
	case info.IsDir():
		return index.FormDir, nil
	}
	return index.FormFile, nil
}

// hash goes through the dataset once: hashes and stores what is new, and writes the new manifest's pages and the new index beside the old ones.
func (a *adding) hash(ctx context.Context) error {
	a.out = Added{Dataset: a.t.Dataset, Prefix: a.t.Prefix, Manifest: a.t.Dataset + ManifestSuffix, Counts: map[State]int64{}}
	a.whole = true
	a.b = index.NewBuilder(a.form, func(d digest.Digest, page []byte) error {
		_, _, err := a.w.AddBytes(page)
		return err
	})
	if a.s.v != nil && a.s.v.Form != a.form {
		a.s.v = nil // a file became a directory, or the other way round: nothing of the old one remains
	}
	rows, err := a.s.rows(ctx, a.r.anywhere(a.t.Dataset))
	if err != nil {
		return err
	}
	if err := a.r.disk.MkdirAll(filepath.Dir(a.nextPath()), 0o777); err != nil {
		return err
	}
	if a.next, err = scan.NewWriter(a.r.disk, a.nextPath(), a.t.Dataset); err != nil {
		return err
	}
	entries, bytes := index.Totals(a.s.v.manifest())
	a.r.report.Phase("add "+a.t.String(), max(entries, -1), max(bytes, -1))
	return inOrder(ctx, workers(), a.s.items(rows), a.s.weight, a.look, func(it *item) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return a.take(it)
	})
}

func (a *adding) nextPath() string { return a.r.indexPath(a.t.Dataset) + ".next" }

// look is survey.look that stores what it reads. A file that the index knows is read again if the cache should have it, and has lost it.
func (a *adding) look(ctx context.Context, it *item) {
	if ctx.Err() != nil || !a.s.inside(it) {
		return
	}
	a.s.look(it, a.read)
	if e := it.entry; e != nil && hasBytes(e) && !a.direct && !it.fresh && !a.store.Has(e.Digest) {
		it.r, it.entry, it.at, it.linked = doubted(it.r), nil, a.s.started, false
		a.s.look(it, a.read)
	}
	if it.w != nil {
		a.r.report.Add(1, it.w.Stat.Size)
	}
}

func (a *adding) read(path string, size int64) (hashed, error) {
	if a.direct {
		return hashOnly(path, size)
	}
	return readStable(path, func(f *os.File, size int64) (digest.Digest, bool, error) {
		d, _, isNew, err := a.w.AddFile(f, size)
		if errors.Is(err, cache.ErrChanged) {
			err = nil // the stat after it says so, too, and it is tried again
		}
		return d, isNew, err
	})
}

// take decides about one path, in order.
func (a *adding) take(it *item) error {
	if it.err != nil {
		if errors.Is(it.err, cache.ErrReadOnly) {
			return it.err
		}
		if a.s.inside(it) {
			a.problem(it.path, "workspace", it.err)
		}
		return nil
	}
	if !a.s.inside(it) || it.entry == nil && it.r == nil {
		return a.keep(it)
	}
	base := it.base()
	state := stateOf(it.entry, base, it.m)
	if (state == Stale || state == Diverged) && !a.o.Force {
		a.problem(it.path, "git", errMoved)
		return nil
	}
	if state != Clean {
		a.out.Counts[state]++
	}
	if it.entry == nil {
		return nil // deleted
	}
	if it.entry.Kind == index.Link {
		if err := index.CheckTarget(it.path, it.entry.Target); err != nil {
			a.problem(it.path, "workspace", linkError(it.entry.Target, err))
			return nil
		}
	}
	a.count(it)
	if err := a.b.Add(*it.entry); err != nil {
		return fmt.Errorf("add %s: %w", a.t, err)
	}
	return a.next.Add(it.record(it.entry))
}

// errMoved is what add says instead of reverting a colleague's change.
var errMoved = &Hinted{fmt.Errorf("%w: its manifest changed since it was checked out here (git pull, checkout, rebase)", ErrRefused), "tarn checkout"}

func linkError(target string, err error) error {
	return &Hinted{fmt.Errorf("the link to %s: %w", index.Quote(target), err), "replace it by a copy of what it points to, or name it in .tarnignore"}
}

// keep takes an entry over as it is: it is outside of the part that is added, or was never checked out.
func (a *adding) keep(it *item) error {
	if it.r != nil {
		if err := a.next.Add(*it.r); err != nil {
			return err
		}
	}
	if it.m == nil {
		return nil
	}
	if it.r == nil {
		a.whole = false
	}
	a.out.Files++
	a.out.Bytes += it.m.Size
	return a.b.Add(*it.m)
}

func (a *adding) count(it *item) {
	e := it.entry
	a.out.Files++
	a.out.Bytes += e.Size
	switch {
	case it.isNew:
		a.out.NewFiles++
		a.out.NewBytes += e.Size
	case it.fresh && !a.direct:
		a.out.Reused++
	case !it.fresh:
		a.out.Kept++
	}
	if it.fresh {
		a.res.Read += e.Size
	}
}

// finish makes the new version. done is false where its bytes did not reach the remote; then nothing is visible, and the index is not written.
func (a *adding) finish(ctx context.Context) (done bool, err error) {
	v, err := a.version()
	if err == nil && a.direct {
		if err := a.send(ctx, v); err != nil || a.bad {
			return false, err
		}
	}
	if err == nil {
		err = a.show(v)
	}
	if err != nil {
		a.next.Abort()
		return true, err
	}
	a.res.Datasets = append(a.res.Datasets, a.out)
	if err := a.next.Commit(v.id, a.whole); err != nil {
		return true, err
	}
	return true, a.r.promote(a.nextPath(), a.r.indexPath(a.t.Dataset))
}

// version ends the manifest: its last pages and itself are in the cache then.
func (a *adding) version() (*version, error) {
	a.w = a.store.NewWriter() // the builder's last pages go through it
	root, id, err := a.b.Finish()
	if err == nil {
		_, _, err = a.w.AddBytes(root)
	}
	if cerr := a.w.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, fmt.Errorf("add %s: %w", a.t, err)
	}
	m, err := index.Parse(root)
	return &version{m, id, root}, err
}

// show makes the version visible, whose bytes are where they belong: the line in .gitignore, then the manifest.
func (a *adding) show(v *version) error {
	if err := a.r.ignoreInGit(a.t.Dataset); err != nil {
		return err
	}
	if old, err := a.r.readManifest(a.t.Dataset); err == nil && old != nil && old.id == v.id {
		return nil
	}
	a.out.Changed = true
	if err := a.r.disk.WriteFile(a.r.abs(a.out.Manifest), v.raw, 0o666); err != nil {
		return fmt.Errorf("write %s: %w", a.out.Manifest, err)
	}
	return nil
}

// keepHashes writes the index after an add that did not go through: what was hashed is kept, what it counts as based on stays as it was.
func (a *adding) keepHashes() error {
	_, whole := a.s.base()
	return a.s.mergeIndex(a.next, a.nextPath(), whole, func(n, old *scan.Record) scan.Record {
		switch {
		case n == nil:
			return *old
		case old == nil:
			return withBase(*n, nil)
		}
		return withBase(*n, baseOf(old))
	})
}

// promote gives a finished index its name.
func (r *Repo) promote(next, path string) error {
	if err := r.disk.Rename(next, path); err != nil {
		return err
	}
	r.disk.RemoveStale(filepath.Dir(path), staleIndex, isUnfinished)
	return r.disk.SyncDir(filepath.Dir(path))
}

// staleIndex is the age from which nobody writes to an unfinished index any more.
const staleIndex = 24 * time.Hour

// isUnfinished says that a name beside the indexes is that of one that is being written.
func isUnfinished(name string) bool {
	return durable.IsTemp(name) || strings.Contains(name, ".status-")
}
