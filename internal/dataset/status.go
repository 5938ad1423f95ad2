package dataset

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"tarn/index"
	"tarn/index/scan"
	"tarn/store/cache"
)

// StatusOptions say what to look at.
type StatusOptions struct {
	Paths    []string
	OnRemote bool   // is every byte that HEAD needs on the remote?
	Remote   string // for OnRemote; empty: that of each dataset
}

// PathState is one path that is not as it should be.
type PathState struct {
	Path  string // relative to the dataset
	State State
}

// DatasetStatus is how one dataset stands.
type DatasetStatus struct {
	Dataset string
	Head    string      // of the manifest against HEAD: "", "new", "modified", "deleted", "not in the commit"
	Staged  []PathState // what differs between HEAD's manifest and the one in the work tree: New, Modified, ModeChanged, TypeChanged, Deleted
	Work    []PathState // what differs between the manifest and the workspace, but for NotCheckedOut
	Absent  int64       // entries that were never checked out here
	NotKept bool        // the cache does not keep its bytes, so that nothing is missing there
	Missing int64       // files that are not in the cache
	Unsaved int64       // of those, files that are not in the workspace either, or changed there
	Files   int64       // in the manifest
	Bytes   int64
	Err     error // the manifest can't be read, and so on
}

// StatusResult is what status found.
type StatusResult struct {
	Branch   string
	Datasets []DatasetStatus
	Problems []Problem
	Remotes  []RemoteStatus // with OnRemote
}

// Clean says that nothing is to be done.
func (d *DatasetStatus) Clean() bool {
	return d.Err == nil && d.Head == "" && len(d.Staged)+len(d.Work) == 0 && d.Absent+d.Missing == 0
}

// Differs says that there is a difference: what --exit-code asks.
func (s *StatusResult) Differs() bool {
	for i := range s.Datasets {
		if !s.Datasets[i].Clean() {
			return true
		}
	}
	for _, r := range s.Remotes {
		if !r.Complete() {
			return true
		}
	}
	return false
}

// Status compares HEAD, manifests and workspace. Files that the index knows are not opened. The error wraps ErrIncomplete where a dataset could not be looked at.
func (r *Repo) Status(ctx context.Context, o StatusOptions) (*StatusResult, error) {
	res := &StatusResult{}
	if o.OnRemote {
		return res, r.statusOnRemote(ctx, o, res)
	}
	ts, err := r.targets(ctx, o.Paths)
	if err != nil {
		return nil, err
	}
	head, ok, err := r.git.Head(ctx)
	if err != nil {
		return nil, err
	}
	if !ok {
		head = ""
	}
	store, err := r.openCache()
	if err != nil {
		return nil, err
	}
	for _, t := range ts {
		l := &looking{r: r, verb: "status", t: t, store: store, src: r.local(), out: DatasetStatus{Dataset: t.Dataset, NotKept: !r.keeps(t.Dataset, KeepAsSet)}}
		if err := l.run(ctx, head); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			p := Problem{Dataset: t.Dataset, Side: "workspace", Err: err}
			if errors.Is(err, errNoPage) { // Git brought a version whose pages were not fetched yet
				p.Side, p.Err = "cache", &Hinted{fmt.Errorf("%w from the cache: pages of its manifest", ErrIncomplete), "tarn pull " + t.Dataset}
			}
			if errors.Is(err, index.ErrPage) { // Git may have put pages together that don't go together
				p.Err = &Hinted{err, "tarn resolve " + t.Dataset}
			}
			l.out.Err = p.Err
			res.Problems = append(res.Problems, p)
		}
		res.Problems = append(res.Problems, l.problems...)
		res.Datasets = append(res.Datasets, l.out)
	}
	return res, outcome(nil, res.Problems)
}

// looking is the status of one dataset.
type looking struct {
	r        *Repo
	verb     string
	t        Target
	store    *cache.Cache
	s        *survey
	out      DatasetStatus
	problems []Problem
	next     *scan.IndexWriter // a better index; nil as long as the records so far are as in the present one
	carried  int               // records so far, while next is nil
	stuck    bool              // there can be no next
	whole    bool

	src   index.Source                      // of pages
	visit func(it *item, state State) error // if set, takes each path in place of out; what can't be read counts as Clean
}

func (l *looking) run(ctx context.Context, head string) error {
	var err error
	if l.s, err = l.r.newSurvey(l.t); err != nil {
		return err
	}
	defer l.s.close()
	if err := l.againstHead(ctx, head); err != nil {
		return err
	}
	if l.s.v == nil {
		return nil
	}
	l.out.Files, l.out.Bytes = index.Totals(l.s.v.Manifest)
	if done := l.neverHere(); done {
		return nil
	}
	return l.againstWorkspace(ctx)
}

// neverHere answers for a dataset that was not checked out yet, without going through its pages.
func (l *looking) neverHere() bool {
	if l.s.idx != nil {
		return false
	}
	if _, err := os.Lstat(l.r.abs(l.t.Dataset)); !errors.Is(err, os.ErrNotExist) {
		return false
	}
	l.out.Absent = l.out.Files
	for i := range l.s.v.Entries {
		if e := &l.s.v.Entries[i]; l.lacks(e) {
			l.out.Missing++
			l.out.Unsaved++
		}
	}
	return true
}

// againstHead compares the manifest of the work tree with that of the last commit.
func (l *looking) againstHead(ctx context.Context, head string) error {
	if head == "" {
		l.out.Head = "new"
		return nil
	}
	h, err := l.r.headManifest(ctx, head, l.t.Dataset)
	switch {
	case err != nil:
		return err
	case h == nil && l.s.v == nil:
		l.out.Head = "not in the commit"
		return nil
	case h == nil:
		l.out.Head = "new"
		return nil
	case l.s.v == nil:
		l.out.Head = "deleted"
		return nil
	case h.id == l.s.v.id:
		return nil
	}
	l.out.Head = "modified"
	for c, err := range index.Diff(ctx, h.Manifest, l.s.v.Manifest, l.r.local(), l.r.local()) {
		if errors.Is(err, errNoPage) {
			return nil // the old version's pages are not here; that it changed is known
		}
		if err != nil {
			return err
		}
		if under(c.Path, l.t.Prefix) {
			l.out.Staged = append(l.out.Staged, PathState{c.Path, diffState(c)})
		}
	}
	return nil
}

func diffState(c index.Change) State {
	switch {
	case c.Old == nil:
		return New
	case c.New == nil:
		return Deleted
	}
	return change(c.New, c.Old)
}

func (l *looking) againstWorkspace(ctx context.Context) error {
	rows, gaps, err := l.s.rowsHere(ctx, l.src)
	if err != nil {
		return err
	}
	l.whole = l.s.restWhole() && len(gaps.gaps) == 0
	l.r.report.Phase(l.verb+" "+l.t.String(), l.out.Files, -1)
	work := func(ctx context.Context, it *item) {
		if ctx.Err() == nil && l.s.inside(it) {
			l.s.look(it, hashOnly)
			it.lacks = l.visit == nil && it.m != nil && l.lacks(it.m)
		}
		l.r.report.Add(1, 0)
	}
	err = inOrder(ctx, workers(), l.s.items(rows), l.s.weight, work, func(it *item) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return l.take(it)
	})
	l.out.Absent += gaps.unseen()
	return l.keep(err)
}

// refresh begins a new index, if one may be written, with the records up to here: a file that had to be read need not be read next time.
func (l *looking) refresh() error {
	if l.next != nil || l.stuck {
		return nil
	}
	l.stuck = true
	if l.r.disk.MkdirAll(filepath.Dir(l.nextPath()), 0o777) != nil {
		return nil
	}
	w, err := scan.NewWriter(l.r.disk, l.nextPath(), l.t.Dataset)
	if err != nil {
		return nil
	}
	l.next, l.stuck = w, false
	for r := range l.s.records() {
		if l.carried--; l.carried < 0 {
			break
		}
		if err := w.Add(r); err != nil {
			return err
		}
	}
	return nil
}

// carry takes a record over as it is.
func (l *looking) carry(r *scan.Record) error {
	if l.next == nil {
		l.carried++
		return nil
	}
	return l.next.Add(*r)
}

// renew puts a record in the place of the one there was.
func (l *looking) renew(r scan.Record) error {
	if err := l.refresh(); err != nil || l.next == nil {
		return err
	}
	return l.next.Add(r)
}

func (l *looking) nextPath() string {
	return fmt.Sprintf("%s.status-%d", l.r.indexPath(l.t.Dataset), os.Getpid())
}

func (l *looking) take(it *item) error {
	if it.err != nil {
		if l.s.inside(it) {
			l.problems = append(l.problems, Problem{l.t.Dataset, it.path, "workspace", it.err})
			if l.visit != nil {
				if err := l.visit(it, Clean); err != nil {
					return err
				}
			}
		}
		return l.record(it)
	}
	if !l.s.inside(it) {
		return l.record(it)
	}
	state := stateOf(it.entry, it.base(), it.m)
	if l.visit != nil {
		l.whole = l.whole && state == Clean
		if err := l.visit(it, state); err != nil {
			return err
		}
		return l.record(it)
	}
	switch state {
	case Clean:
	case NotCheckedOut:
		l.out.Absent++
	default:
		l.out.Work = append(l.out.Work, PathState{it.path, state})
	}
	if it.lacks {
		l.out.Missing++
		if state != Clean {
			l.out.Unsaved++
		}
	}
	return l.record(it)
}

// lacks says that the cache should have the bytes of an entry, and has not.
func (l *looking) lacks(e *index.Entry) bool {
	return hasBytes(e) && !l.out.NotKept && !l.store.Has(e.Digest)
}

// record carries the index over, with what was read in this run. Paths that never were here get none. Where the workspace has what the manifest says, that is
// the base from now on, as after a checkout: Git may have brought both.
func (l *looking) record(it *item) error {
	if it.m != nil && it.r == nil {
		l.whole = false
	}
	known := l.s.inside(it) && it.err == nil
	switch {
	case known && it.w == nil && it.m == nil:
		return l.refresh() // without it
	case it.entry == nil || it.r == nil && !same(it.entry, it.m):
		if it.r != nil {
			return l.carry(it.r)
		}
		return nil
	case known && same(it.entry, it.m) && !same(it.base(), it.m):
		return l.renew(it.record(it.m))
	case !it.fresh:
		return l.carry(it.r)
	}
	return l.renew(it.record(it.base()))
}

// keep puts the better index in place, unless another process has the dataset.
func (l *looking) keep(err error) error {
	if l.next == nil {
		return err
	}
	if err != nil {
		l.next.Abort()
		return err
	}
	lock, lerr := l.r.tryLock(l.t.Dataset)
	if lerr != nil || lock == nil {
		l.next.Abort()
		return nil
	}
	defer lock.Unlock()
	if !l.same() {
		l.next.Abort()
		return nil
	}
	base, whole := l.s.base()
	if !whole && l.whole && len(l.out.Work) == 0 {
		base, whole = l.s.v.id, true
	}
	if cerr := l.next.Commit(base, whole); cerr != nil {
		return nil // a cache of stats that can't be written costs time only
	}
	l.r.promote(l.nextPath(), l.r.indexPath(l.t.Dataset))
	return nil
}

// same says that no one replaced the index since it was opened.
func (l *looking) same() bool {
	now, _ := os.Stat(l.r.indexPath(l.t.Dataset))
	if now == nil || l.s.seen == nil {
		return now == nil && l.s.seen == nil
	}
	return os.SameFile(now, l.s.seen) && now.ModTime().Equal(l.s.seen.ModTime())
}

// Letter is one letter for short output, as git has it.
func (s State) Letter() string { return " AMMTDSU-"[s : s+1] }

// NotAdded counts paths whose changes here are in no manifest. What is stale has none.
func (d *DatasetStatus) NotAdded() (n int) {
	for _, p := range d.Work {
		if p.State != Stale {
			n++
		}
	}
	return n
}
