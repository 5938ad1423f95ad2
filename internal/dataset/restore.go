package dataset

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"path/filepath"
	"strings"
	"time"

	"tarn/index"
	"tarn/store/cache"
	"tarn/store/digest"
)

// RestoreOptions say what to roll back.
type RestoreOptions struct {
	From   string   // the revision
	Paths  []string // datasets, parts of them, or directories above datasets
	Remote string   // for what is not in the cache; empty: that of each dataset
	Force  bool     // also where it loses bytes that are not in the cache
}

// Restored is what happened to one dataset.
type Restored struct {
	CheckedOut
	Prefix   string // the part that was restored; "" for all
	Manifest string // its path
	Changed  bool   // the manifest was written
	Fetched  int64  // files that came from the remote
	Received int64  // bytes of them
}

// RestoreResult is what restore did.
type RestoreResult struct {
	Commit   string // hexadecimal
	Datasets []Restored
	Seconds  float64
	Problems []Problem
}

// Restore makes datasets, or parts of them, what they were in a revision: manifest and workspace. A dataset whose bytes can't all be had
// (ErrIncomplete, ErrCorrupt), or in whose workspace something would be lost (ErrRefused), stays as it is. Bytes come first, then the manifest, then the
// workspace: after a crash the manifest has moved on at most, and checkout does the rest. Bytes that the cache does not keep come last; first it is found out
// where they are.
func (r *Repo) Restore(ctx context.Context, o RestoreOptions) (*RestoreResult, error) {
	start := time.Now()
	res := &RestoreResult{}
	todo, err := r.restoreTargets(ctx, o, res)
	if err != nil {
		return nil, err
	}
	store, lock, err := r.holdCache(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.Unlock()
	for _, w := range todo {
		x := &restoring{r: r, o: o, w: w, store: store, res: res, out: Restored{Prefix: w.Prefix, Manifest: w.Dataset + ManifestSuffix}}
		if err = x.run(ctx); err != nil {
			break
		}
	}
	res.Seconds = time.Since(start).Seconds()
	return res, checkoutOutcome(outcome(err, res.Problems), res.Problems)
}

// restoreTargets checks what is asked for before anything is changed.
func (r *Repo) restoreTargets(ctx context.Context, o RestoreOptions, res *RestoreResult) ([]wanted, error) {
	if err := r.needWorkTree(); err != nil {
		return nil, err
	}
	if len(o.Paths) == 0 {
		return nil, fmt.Errorf("%w: name a dataset or a path in one to restore", ErrUsage)
	}
	if err := r.knownRemote(o.Remote); err != nil {
		return nil, err
	}
	var err error
	if res.Commit, err = r.commit(ctx, o.From); err != nil {
		return nil, err
	}
	var ts []Target
	for _, arg := range o.Paths {
		p := revPath{arg: arg, rev: o.From, commit: res.Commit}
		if p.path, err = r.rel(arg); err != nil {
			return nil, err
		}
		more, err := r.restoreTarget(ctx, p, o.Remote)
		if err != nil {
			return nil, err
		}
		ts = append(ts, more...)
	}
	var ws []wanted
	for _, t := range tidy(ts) {
		v, err := r.versionAt(ctx, res.Commit, t.Dataset)
		if err != nil {
			return nil, err
		}
		ws = append(ws, wanted{t, v, res.Commit})
	}
	return ws, nil
}

func (r *Repo) restoreTarget(ctx context.Context, p revPath, asked string) ([]Target, error) {
	t, v, err := r.ownerAt(ctx, p.commit, p.path)
	if err != nil {
		return nil, err
	}
	ts := []Target{t}
	if v == nil {
		names, err := r.datasetsAt(ctx, p.commit, p.path)
		if err != nil {
			return nil, err
		}
		if len(names) == 0 {
			return nil, p.noDataset()
		}
		ts = nil
		for _, n := range names {
			ts = append(ts, Target{Dataset: n})
		}
	} else if t.Prefix != "" {
		found, err := hasAny(ctx, v, r.from(t.Dataset, asked), t.Prefix)
		if err != nil {
			return nil, fmt.Errorf("%s in %s: %w", index.Quote(t.String()), p.rev, missingPages(err))
		}
		if !found {
			return nil, p.noPath(t)
		}
	}
	for _, t := range ts {
		if err := r.checkPlace(ctx, t, asked); err != nil {
			return nil, err
		}
	}
	return ts, nil
}

// checkPlace refuses to restore what has no place now: the dataset was removed and something else stands there, or it became a file.
func (r *Repo) checkPlace(ctx context.Context, t Target, asked string) error {
	cur, err := r.versionAt(ctx, "", t.Dataset)
	if err != nil {
		return err
	}
	if cur == nil {
		if other, ok := r.owner(t.Dataset); ok {
			return fmt.Errorf("%w: %s is in the dataset %s now", ErrUsage, index.Quote(t.Dataset), index.Quote(other.Dataset))
		}
		return r.checkGit(ctx, t.Dataset, t.Dataset)
	}
	if t.Prefix == "" {
		return nil
	}
	if cur.Form == index.FormFile {
		return &Hinted{fmt.Errorf("%w: the dataset %s is one file now", ErrUsage, index.Quote(t.Dataset)), "tarn restore --from REV " + t.Dataset}
	}
	for d := path.Dir(t.Prefix); d != "."; d = path.Dir(d) {
		_, ok, err := index.Lookup(ctx, cur.Manifest, r.from(t.Dataset, asked), d)
		if err != nil {
			return fmt.Errorf("%s: %w", index.Quote(t.Dataset), missingPages(err))
		}
		if name := path.Join(t.Dataset, d); ok {
			return &Hinted{fmt.Errorf("%w: %s is no directory now", ErrUsage, index.Quote(name)), "tarn restore --from REV " + name}
		}
	}
	return nil
}

// restoring is the restore of one dataset.
type restoring struct {
	r     *Repo
	o     RestoreOptions
	w     wanted // what it was in the revision
	store *cache.Cache
	res   *RestoreResult
	out   Restored
}

func (x *restoring) problem(side string, err error) {
	x.res.Problems = append(x.res.Problems, Problem{x.w.Dataset, x.w.Prefix, side, err})
}

// run returns only what ends the whole command; what concerns this dataset is a problem.
func (x *restoring) run(ctx context.Context) error {
	lock, err := x.r.lock(ctx, x.w.Dataset)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	v, cur, err := x.build(ctx)
	if err != nil {
		if ctx.Err() != nil || !lacking(err) {
			return err
		}
		x.problem("", missingPages(err))
		return nil
	}
	had := len(x.res.Problems)
	c, got := x.checkout(true)
	err = c.rehearse(ctx, v)
	x.take(c, got)
	if err == nil && len(x.res.Problems) == had {
		err = x.fetch(ctx)
	}
	if err != nil || len(x.res.Problems) > had {
		return err
	}
	if err := x.publish(v, cur); err != nil {
		return err
	}
	c, got = x.checkout(false)
	err = c.locked(ctx)
	x.take(c, got)
	x.out.CheckedOut = c.out
	x.out.Fetched, x.out.Received = x.out.Fetched+got.Files, x.out.Received+got.Bytes
	x.res.Datasets = append(x.res.Datasets, x.out)
	return err
}

// checkout is that of the new version. Bytes that the cache does not keep it fetches itself; dry, it only finds out where they are.
func (x *restoring) checkout(dry bool) (c *checkout, got *TransferResult) {
	got = &TransferResult{}
	c = x.r.newCheckout(CheckoutOptions{Force: x.o.Force}, x.w.Target, x.store, &CheckoutResult{})
	c.pastCache(&pulling{FetchOptions{Remote: x.o.Remote, DryRun: dry}, got})
	if c.direct != nil {
		c.direct.from = x.w.version
	}
	return c, got
}

// take takes over problems.
func (x *restoring) take(c *checkout, got *TransferResult) {
	x.res.Problems = append(append(x.res.Problems, got.Problems...), c.res.Problems...)
}

// build writes the pages and the root of the new version into the cache. cur is the version in the work tree, nil if there is none.
func (x *restoring) build(ctx context.Context) (v, cur *version, err error) {
	if cur, err = x.r.versionAt(ctx, "", x.w.Dataset); err != nil {
		return nil, nil, err
	}
	w := x.store.NewWriter()
	b := index.NewBuilder(x.w.Form, func(_ digest.Digest, page []byte) error {
		_, _, err := w.AddBytes(page)
		return err
	})
	for e, err2 := range x.entries(ctx, cur) {
		if err = err2; err == nil {
			err = b.Add(e)
		}
		if err != nil {
			break
		}
	}
	var root []byte
	if err == nil {
		root, _, err = b.Finish()
	}
	if err == nil {
		_, _, err = w.AddBytes(root)
	}
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		v, err = parseVersion(root)
	}
	return v, cur, err
}

// entries are those of the revision in the part that is restored, and those of now elsewhere.
func (x *restoring) entries(ctx context.Context, cur *version) iter.Seq2[index.Entry, error] {
	src := x.r.from(x.w.Dataset, x.o.Remote)
	old := index.Walk(ctx, x.w.Manifest, src, x.w.Prefix)
	if x.w.Prefix == "" || cur == nil {
		return old
	}
	return merged(old, func(yield func(index.Entry, error) bool) {
		for e, err := range index.Walk(ctx, cur.Manifest, src, "") {
			// An empty directory above the part is no longer empty.
			if err == nil && (under(e.Path, x.w.Prefix) || under(x.w.Prefix, strings.TrimSuffix(e.Path, "/"))) {
				continue
			}
			if !yield(e, err) {
				return
			}
		}
	})
}

// merged joins two ascending sequences that have no path in common. It ends with an error.
func merged(as, bs iter.Seq2[index.Entry, error]) iter.Seq2[index.Entry, error] {
	return func(yield func(index.Entry, error) bool) {
		nextB, stop := iter.Pull2(bs)
		defer stop()
		b, berr, ok := nextB()
		before := func(path string, all bool) bool {
			for ; ok && (all || berr != nil || b.Path < path); b, berr, ok = nextB() {
				if !yield(b, berr) || berr != nil {
					return false
				}
			}
			return true
		}
		for a, err := range as {
			if err == nil && !before(a.Path, false) || !yield(a, err) || err != nil {
				return
			}
		}
		before("", true)
	}
}

// fetch brings what the cache lacks; what can't be had is a problem.
func (x *restoring) fetch(ctx context.Context) error {
	got := &TransferResult{}
	f, err := x.r.newFetch(ctx, FetchOptions{Remote: x.o.Remote}, got)
	if err != nil {
		return err
	}
	f.told.expect([]wanted{x.w})
	err = errors.Join(f.version(ctx, x.w), f.close(ctx))
	x.out.Fetched, x.out.Received = got.Files, got.Bytes
	x.res.Problems = append(x.res.Problems, got.Problems...)
	if errors.Is(err, ErrUsage) && ctx.Err() == nil { // no remote is set up
		x.problem("cache", fmt.Errorf("%w from the cache: %w", ErrIncomplete, err))
		return nil
	}
	return err
}

// publish makes the new version that of the work tree.
func (x *restoring) publish(v, cur *version) error {
	if err := x.r.disk.MkdirAll(filepath.Dir(x.r.abs(x.w.Dataset)), 0o777); err != nil {
		return err
	}
	if err := x.r.ignoreInGit(x.w.Dataset); err != nil {
		return err
	}
	if cur != nil && cur.id == v.id {
		return nil
	}
	x.out.Changed = true
	if err := x.r.disk.WriteFile(x.r.abs(x.out.Manifest), v.raw, 0o666); err != nil {
		return fmt.Errorf("write %s: %w", x.out.Manifest, err)
	}
	return nil
}

// rehearse says, as problems, what checking v out would refuse, and whether there is room for it; nothing is changed.
func (c *checkout) rehearse(ctx context.Context, v *version) (err error) {
	if err := c.look(); err != nil {
		return err
	}
	defer c.s.close()
	c.s.v = v
	if err := c.checkSpace(ctx, filepath.Dir(c.r.abs(c.t.Dataset))); err != nil {
		return err
	}
	rows, err := c.s.rows(ctx, c.r.local())
	if err != nil {
		return err
	}
	entries, _ := index.Totals(v.Manifest)
	c.r.report.Phase("look at "+c.t.String(), entries, -1)
	look := func(ctx context.Context, d *doing) {
		if ctx.Err() == nil && c.s.inside(&d.item) {
			c.judge(ctx, d)
		}
		c.r.report.Add(1, 0)
	}
	return inOrder(ctx, workers(), c.doings(ctx, rows), c.weight, look, func(d *doing) error {
		switch {
		case d.err != nil && c.s.inside(&d.item):
			c.failed(&d.item)
		case d.act == refuse:
			c.problem(d.path, "workspace", c.restoreRefusal(ctx, &d.item))
		}
		return ctx.Err()
	})
}

// restoreRefusal is refusal in the words of restore.
func (c *checkout) restoreRefusal(ctx context.Context, it *item) error {
	why := fmt.Errorf("%w: it was changed here", ErrRefused)
	if !c.saved(ctx, it) {
		why = c.unsaved(it)
	}
	return &Hinted{why, "tarn add, to keep it, or tarn restore --force, to lose it"}
}
