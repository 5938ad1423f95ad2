package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"tarn/index"
	"tarn/index/scan"
	"tarn/internal/durable"
	"tarn/store/cache"
)

// CheckoutOptions say what to bring into the workspace.
type CheckoutOptions struct {
	Paths []string
	Clean bool // remove untracked files, too
	Force bool // also where it loses bytes that are not in the cache

	follow bool // do only what Git's move of the manifests asks for, without a remote: as a hook
}

// CheckedOut is what happened to one dataset.
type CheckedOut struct {
	Dataset string
	Written int64 // files, links and empty directories that were made or replaced
	Bytes   int64 // of the files
	Removed int64
	Same    int64 // that were as they should be
	Kept    int64 // untracked, left alone
}

// CheckoutResult is what checkout did.
type CheckoutResult struct {
	Datasets []CheckedOut
	Seconds  float64
	Problems []Problem
}

// Checkout makes the workspace match the manifests and touches only what differs. What would lose bytes that are not in the cache is left as it is: a Problem,
// and the error wraps ErrRefused. What the cache does not have is a Problem too (ErrIncomplete); the rest is done.
func (r *Repo) Checkout(ctx context.Context, o CheckoutOptions) (*CheckoutResult, error) {
	return r.checkout(ctx, o, nil)
}

// checkout is Checkout, or the second half of a pull, which brings what the cache does not keep from the remote.
func (r *Repo) checkout(ctx context.Context, o CheckoutOptions, pull *pulling) (*CheckoutResult, error) {
	start := time.Now()
	ts, err := r.targets(ctx, o.Paths)
	if err != nil {
		return nil, err
	}
	store, lock, err := r.holdCache(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.Unlock()
	res := &CheckoutResult{}
	for _, t := range ts {
		if !r.isManifest(t.Dataset) {
			continue // it was removed or moved, and Git does not know yet
		}
		c := r.newCheckout(o, t, store, res)
		c.pastCache(pull)
		if pull != nil && pull.DryRun && c.direct == nil || o.follow && !r.keeps(t.Dataset, KeepAsSet) {
			continue // nothing to count; or it can't follow without a remote
		}
		if err = c.run(ctx); err != nil {
			break
		}
		res.Datasets = append(res.Datasets, c.out)
	}
	res.Seconds = time.Since(start).Seconds()
	return res, checkoutOutcome(outcome(err, res.Problems), res.Problems)
}

// checkoutOutcome prefers "refused" to "incomplete": the user has to decide something.
func checkoutOutcome(err error, problems []Problem) error {
	refused := refusals(err, problems)
	if refused == 0 {
		return err
	}
	return fmt.Errorf("%w: %s left alone, for what is in the workspace would be lost", ErrRefused, plural(refused, "path"))
}

// refusals counts problems that --force would solve; none where err tells something worse.
func refusals(err error, problems []Problem) (n int) {
	if errors.Is(err, ErrCorrupt) || errors.Is(err, context.Canceled) {
		return 0
	}
	for _, p := range problems {
		if errors.Is(p.Err, ErrRefused) {
			n++
		}
	}
	return n
}

// checkout is that of one dataset.
type checkout struct {
	r     *Repo
	o     CheckoutOptions
	t     Target
	store *cache.Cache
	res   *CheckoutResult
	out   CheckedOut

	s       *survey
	root    *durable.Root
	next    *scan.IndexWriter
	whole   bool
	touched bool
	emptied map[string]bool // directories from which something was removed
	empty   map[string]bool // directories that the manifest has as empty
	late    []late          // entries in whose place a directory stood when their turn came
	changed bool            // the index differs
	collide map[string]string
	met     bool // there is something at the target, on some side
	dirs    *openDirs
	marked  bool // by this run, see markFilling

	remote *confirming // of a dataset that the cache does not keep
	direct *direct     // of a pull of such a dataset
}

func (r *Repo) newCheckout(o CheckoutOptions, t Target, store *cache.Cache, res *CheckoutResult) *checkout {
	return &checkout{r: r, o: o, t: t, store: store, res: res, out: CheckedOut{Dataset: t.Dataset}, emptied: map[string]bool{}, empty: map[string]bool{}}
}

// action is what is to be done at one path.
type action byte

const (
	leave action = iota
	write
	remove
	refuse
	chmod
)

// doing is an item with what is done about it.
type doing struct {
	item
	act    action
	judged bool // act is known
	late   bool
}

func (c *checkout) problem(entry, side string, err error) {
	c.res.Problems = append(c.res.Problems, problemAt(c.t.Dataset, entry, side, err))
}

func (c *checkout) run(ctx context.Context) error {
	lock, err := c.r.lock(ctx, c.t.Dataset)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	return c.locked(ctx)
}

// locked is run by who has locked the dataset.
func (c *checkout) locked(ctx context.Context) (err error) {
	if err := c.look(); err != nil {
		c.problem("", "workspace", err)
		return nil
	}
	defer c.s.close()
	if c.o.follow && !c.here() {
		return nil
	}
	if c.s.v == nil {
		c.problem("", "workspace", fmt.Errorf("%w: %s is not there", ErrIncomplete, c.t.Dataset+ManifestSuffix))
		return nil
	}
	if err := c.prepare(ctx); err != nil {
		return err
	}
	defer c.closeDirs()
	if c.direct != nil && c.direct.DryRun {
		err = c.count(ctx)
	} else {
		err = c.all(ctx)
	}
	if errors.Is(err, errNoPage) {
		c.problem("", "cache", err)
		err = nil
	}
	return err
}

// prepare checks the space and opens the place where the dataset goes.
func (c *checkout) prepare(ctx context.Context) error {
	abs := c.r.abs(c.t.Dataset)
	if err := c.r.disk.MkdirAll(filepath.Dir(abs), 0o777); err != nil {
		return err
	}
	if err := c.checkSpace(ctx, filepath.Dir(abs)); err != nil {
		return err
	}
	var err error
	if c.root, err = c.r.disk.OpenRoot(filepath.Dir(abs)); err != nil {
		return err
	}
	c.dirs = newOpenDirs(c.root, path.Base(c.t.Dataset))
	c.dirs.before = c.markFilling
	return c.findCollisions(ctx)
}

func (c *checkout) closeDirs() {
	c.dirs.close()
	c.root.Close()
}

// checkSpace refuses before anything is written what can't fit. The sum of the manifest bounds what is needed, so that most checkouts need no second look.
func (c *checkout) checkSpace(ctx context.Context, dir string) error {
	free, err := durable.FreeSpace(dir)
	if err != nil || c.o.Force || c.direct == nil && c.store.Reflinks(dir) {
		return nil
	}
	if _, total := index.Totals(c.s.v.Manifest); total <= free {
		return nil
	}
	rows, err := c.s.rowsUnder(ctx, c.pages(), c.s.manifestPrefix())
	if err != nil {
		return err
	}
	var need int64
	for it, err := range rows {
		if err != nil {
			return err
		}
		if it.m != nil && (under(it.path, c.t.Prefix) || it.path == ".") && (it.w == nil || it.w.Stat.Size != it.m.Size) {
			need += it.m.Size
		}
	}
	if need <= free {
		return nil
	}
	return &Hinted{fmt.Errorf("check out %s: it needs %d bytes and %d are free", c.t, need, free), "free some space, or check out a part: tarn checkout " + c.t.Dataset + "/…"}
}

func (c *checkout) nextPath() string { return c.r.indexPath(c.t.Dataset) + ".next" }

func (c *checkout) all(ctx context.Context) error {
	c.s.temp = c.removeTemp
	rows, err := c.s.rowsUnder(ctx, c.pages(), c.s.manifestPrefix())
	if err != nil {
		return err
	}
	if err := c.r.disk.MkdirAll(filepath.Dir(c.nextPath()), 0o777); err != nil {
		return err
	}
	if c.next, err = scan.NewWriter(c.r.disk, c.nextPath(), c.t.Dataset); err != nil {
		return err
	}
	c.whole = c.s.restWhole()
	entries, bytes := index.Totals(c.s.v.Manifest)
	verb := "checkout "
	if c.direct != nil {
		verb = "pull "
	}
	c.r.report.Phase(verb+c.t.String(), entries, bytes)
	// Removing comes before looking further, since a file may stand where a directory is to be: work decides, take acts on what needs an order.
	err = inOrderTogether(ctx, workers(), c.doings(ctx, rows), c.weight, siblings, c.do, func(d *doing) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return c.take(d)
	})
	if err == nil {
		err = c.finishLate(ctx)
	}
	if err == nil && !c.met && c.t.Prefix != "" {
		c.problem(c.t.Prefix, "workspace", errNoPath)
	}
	c.removeEmptied(ctx)
	var serr error
	if c.touched {
		serr = c.root.SyncFS()
	}
	if serr == nil {
		c.unmark(err == nil)
	} else if err == nil {
		err = serr
	}
	return c.keepIndex(err)
}

// dirOf is the directory of an entry; "" for the dataset's own.
func dirOf(entry string) string {
	dir, _ := path.Split(strings.TrimSuffix(entry, "/"))
	return strings.TrimSuffix(dir, "/")
}

// siblings: the kernel lets in one at a time who makes files in a directory.
func siblings(a, b *doing) bool { return dirOf(a.path) == dirOf(b.path) }

// weight is about how many bytes are read or written for an item.
func (c *checkout) weight(d *doing) int64 {
	if d.m == nil || d.r != nil && d.w != nil && d.r.Trusted(d.w.Stat, c.s.trust) {
		return 0
	}
	return d.m.Size
}

func (c *checkout) doings(ctx context.Context, rows iter.Seq2[row, error]) iter.Seq2[doing, error] {
	items := c.s.items(rows)
	ds := func(yield func(doing, error) bool) {
		for it, err := range items {
			if !yield(doing{item: it}, err) {
				return
			}
		}
	}
	if c.direct != nil {
		return c.direct.stage(ctx, ds)
	}
	return ds
}

// do looks at one path, decides, and writes what can be written at once; by several workers.
func (c *checkout) do(ctx context.Context, d *doing) {
	if ctx.Err() != nil || !c.s.inside(&d.item) {
		return
	}
	c.judge(ctx, d)
	if d.err != nil || d.late || d.placed() {
		return
	}
	if d.act == write || d.act == chmod {
		if d.err = c.place(&d.item, d.act); d.err != nil {
			return
		}
	}
	if d.m != nil {
		c.r.report.Add(1, d.m.Size)
	}
}

// judge looks at one path and decides, once.
func (c *checkout) judge(ctx context.Context, d *doing) {
	if d.judged || ctx.Err() != nil || !c.s.inside(&d.item) {
		return
	}
	d.judged = true
	c.s.look(&d.item, hashOnly)
	if d.err != nil {
		return
	}
	d.act = c.decide(ctx, &d.item)
	if d.act == write {
		if d.err = c.collides(&d.item); d.err != nil {
			return
		}
		if c.remote != nil && c.direct == nil && hasBytes(d.m) && !c.store.Has(d.m.Digest) {
			d.err = fs.ErrNotExist // the rule, and not the exception: not even its directory is made
			return
		}
	}
	d.late = (d.act == write || d.act == chmod) && c.inTheWay(d)
}

// inTheWay says that a directory stands where a file is to be, or a file where a directory is to be: rows that come later, or came just before, remove it.
func (c *checkout) inTheWay(d *doing) bool {
	if d.w != nil || d.path != "." && c.dirs.made(dirOf(d.path)) {
		return false
	}
	info, err := os.Lstat(c.s.file(strings.TrimSuffix(d.path, "/")))
	if err == nil {
		return d.m.Kind != index.Dir || !info.IsDir()
	}
	return !errors.Is(err, fs.ErrNotExist)
}

// decide says what brings the path in line with the manifest.
func (c *checkout) decide(ctx context.Context, it *item) action {
	if c.o.follow {
		return c.decideAsHook(ctx, it)
	}
	switch state := stateOf(it.entry, it.base(), it.m); {
	case state == Clean:
		return leave
	case it.entry == nil:
		return write
	case state == New && !c.o.Clean:
		return leave
	case !c.o.Force && (state == Diverged || !c.saved(ctx, it)):
		return refuse // an edit that no manifest names, even if an add that did not go through left its bytes in the cache
	case it.m == nil:
		return remove
	case state == ModeChanged:
		return chmod
	}
	return write
}

// refusal says why a path is left alone, and what the user can do.
func (c *checkout) refusal(it *item) error {
	if stateOf(it.entry, it.base(), it.m) == Diverged {
		return &Hinted{fmt.Errorf("%w: it was changed here, and its manifest changed too", ErrRefused), "move your version out of the dataset, then tarn checkout --force"}
	}
	return &Hinted{c.unsaved(it), "tarn add, to keep it, or tarn checkout --force, to lose it"}
}

// unsaved is the refusal of what can't be had again.
func (c *checkout) unsaved(it *item) error {
	err := fmt.Errorf("%w: its bytes are not in the cache", ErrRefused)
	if c.remote != nil && same(it.entry, it.base()) {
		err = fmt.Errorf("%w, and %w", err, c.remote.why())
	}
	return err
}

// saved says that what is in the workspace can be had again.
func (c *checkout) saved(ctx context.Context, it *item) bool {
	if it.entry.Kind == index.Link { // its target is in the manifest that it came from, and nowhere else
		return same(it.entry, it.base())
	}
	return !hasBytes(it.entry) || c.store.Has(it.entry.Digest) || same(it.entry, it.base()) && c.remote.has(ctx, it.entry)
}

// place writes one entry, and notes the stat that it has then.
func (c *checkout) place(it *item, act action) error {
	return c.placeWith(it, act, func(root *durable.Root, name string) (cache.Placed, error) {
		return c.store.Checkout(it.m.Digest, it.m.Size, it.m.Kind == index.Exec, root, name)
	})
}

// filling makes a regular file.
type filling func(root *durable.Root, name string) (cache.Placed, error)

func (c *checkout) placeWith(it *item, act action, fill filling) error {
	root, name := c.root, path.Base(c.t.Dataset)
	if it.path != "." {
		base := path.Base(it.path)
		d, err := c.dirs.open(dirOf(it.path))
		if err != nil {
			return err
		}
		defer c.dirs.leave(d)
		root, name = d.Root, base
	}
	placed, err := put(root, name, it.m, act, it.w, fill)
	if err != nil {
		return err
	}
	info, err := root.Lstat(name)
	if err != nil {
		return err
	}
	written := it.stat.MTime
	it.stat, it.entry, it.fresh, it.linked = scan.StatOf(info), it.m, true, placed.Linked
	if act != chmod || it.stat.MTime != written {
		it.at = c.s.started
	}
	it.stamped(placed.Stamp)
	return nil
}

// placed says that place wrote the entry.
func (it *item) placed() bool { return it.m != nil && it.entry == it.m }

func put(root *durable.Root, name string, m *index.Entry, act action, w *scan.File, fill filling) (none cache.Placed, err error) {
	if act == chmod {
		return none, root.Chmod(name, durable.WorkMode(m.Kind == index.Exec))
	}
	if w != nil && w.Kind == index.Dir && m.Kind != index.Dir {
		if err := root.Remove(name); err != nil {
			return none, err
		}
	}
	switch m.Kind {
	case index.Dir:
		if err = root.Mkdir(name, 0o777); errors.Is(err, fs.ErrExist) {
			err = nil
		}
		return none, err
	case index.Link:
		return none, root.Symlink(filepath.FromSlash(m.Target), name)
	}
	return fill(root, name)
}

// take does, in order, what was left to it, and writes the index.
func (c *checkout) take(d *doing) error {
	it := &d.item
	if it.m != nil && it.m.Kind == index.Dir {
		c.empty[strings.TrimSuffix(it.path, "/")] = true
	}
	c.met = c.met || c.s.inside(&d.item)
	switch {
	case !c.s.inside(it):
		return c.record(it)
	case d.err != nil:
		c.failed(it)
		return c.record(it)
	case d.act == leave:
		c.left(it)
	case d.act == refuse:
		c.problem(it.path, "workspace", c.refusal(it))
	case d.act == remove:
		return c.remove(it)
	case d.late:
		// The index is written in order, so its record is put there when all else is done.
		c.late = append(c.late, late{it: *it, rec: it.r})
		return nil
	default:
		c.touched, c.changed = true, true
		c.out.Written++
		c.out.Bytes += it.m.Size
	}
	return c.record(it)
}

func (c *checkout) left(it *item) {
	switch {
	case it.m != nil:
		c.out.Same++
	case it.entry != nil:
		c.out.Kept++
	}
}

func (c *checkout) failed(it *item) {
	err := it.err
	if errors.Is(err, errNamed) {
		return
	}
	side := "workspace"
	if isMissing(err) {
		side = "cache"
		if !isCorrupt(err) {
			err = &Hinted{fmt.Errorf("%w from the cache", ErrIncomplete), "tarn pull"}
		}
	}
	c.problem(it.path, side, err)
}
