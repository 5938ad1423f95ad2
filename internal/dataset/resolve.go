package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"tarn/index"
	"tarn/store/cache"
	"tarn/store/digest"
)

// ResolveOptions say what to resolve, and how.
type ResolveOptions struct {
	Paths []string // datasets, or paths in them; none: all that is not merged
	Take  Take     // for the conflicts at and below Paths that are not decided
	Force bool     // also where the manifest was changed after the merge
}

// Conflict is a path that the sides disagree about. Path is "" where it is the dataset as a whole, of which Whole says why.
type Conflict struct {
	index.Conflict
	Whole string
}

// Kind says in words what the sides did.
func (c *Conflict) Kind() string {
	switch {
	case c.Whole != "":
		return c.Whole
	case c.OursDir:
		return "directory in ours, file in theirs"
	case c.TheirsDir:
		return "file in ours, directory in theirs"
	case c.Ours == nil:
		return "deleted in ours"
	case c.Theirs == nil:
		return "deleted in theirs"
	case c.Base == nil:
		return "both added"
	}
	return "both changed"
}

// Resolved is how the merge of one dataset stands.
type Resolved struct {
	Dataset                  string
	Verb                     string     // what Git was doing: merge, rebase, cherry-pick, revert; "" where it does not say
	Merged                   bool       // nothing is left to decide, and the manifest is that of the merge
	Changed                  bool       // the manifest was written, or removed
	Removed                  bool       // it was decided that there is no such dataset
	Nothing                  bool       // there was nothing to merge
	Added, Modified, Deleted int64      // entries, against ours
	Decided                  int64      // conflicts
	Open                     int64      // conflicts that are not decided
	Conflicts                []Conflict // the first of these
}

// maxListed is how many conflicts are kept.
const maxListed = 10_000

// ResolveResult is what resolve did.
type ResolveResult struct {
	Datasets []Resolved
	Seconds  float64
	Problems []Problem
}

// openError says that somebody has to decide.
type openError int64

func (n openError) Error() string        { return plural(int(n), "conflict") + " to decide" }
func (n openError) Is(target error) bool { return target == ErrIncomplete }

// Resolve merges the manifests that Git could not merge, path by path. Where the sides disagree the manifest stays as it is until Take decided about each
// conflict, in one run or in several; then the error wraps ErrIncomplete.
func (r *Repo) Resolve(ctx context.Context, o ResolveOptions) (*ResolveResult, error) {
	start := time.Now()
	res := &ResolveResult{}
	todo, err := r.unresolved(ctx, o.Paths, res)
	if err != nil {
		return nil, err
	}
	store, lock, err := r.holdCache(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.Unlock()
	var open int64
	for _, u := range todo {
		v := &resolving{r: r, o: o, unresolved: u, store: store, res: res, out: Resolved{Dataset: u.dataset, Verb: u.sides.verb}}
		if err = v.run(ctx); err != nil {
			break
		}
		open += v.out.Open
	}
	res.Seconds = time.Since(start).Seconds()
	if err = checkoutOutcome(outcome(err, res.Problems), res.Problems); err == nil && open > 0 {
		err = &Hinted{openError(open), "tarn resolve --ours PATH (or --theirs, or --both)"}
	}
	return res, err
}

// resolving is the merge of one dataset.
type resolving struct {
	unresolved
	r     *Repo
	o     ResolveOptions
	store *cache.Cache
	res   *ResolveResult
	out   Resolved
	d     *decisions
}

func (v *resolving) problem(side string, err error) {
	v.res.Problems = append(v.res.Problems, Problem{Dataset: v.dataset, Side: side, Err: err})
}

// run returns only what ends the whole command.
func (v *resolving) run(ctx context.Context) error {
	lock, err := v.r.lock(ctx, v.dataset)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	v.d = v.r.decisionsOf(v.dataset, v.sides)
	if v.o.Take != TakeNone {
		for _, p := range v.prefixes {
			v.d.takes[p] = v.o.Take
		}
	}
	m := &manifestMerge{r: v.r, dataset: v.dataset, sides: v.sides, choose: v.d.of, named: v.prefixes}
	switch err := m.run(ctx, v.store); {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errNoPage), isCorrupt(err):
		v.problem("cache", err)
		return nil
	case err != nil:
		v.problem("git", err)
		return nil
	}
	v.out.Added, v.out.Modified, v.out.Deleted = m.added, m.modified, m.deleted
	v.out.Decided, v.out.Open, v.out.Conflicts = m.decided, m.open, m.conflicts
	if v.o.Take != TakeNone && len(m.unmet) > 0 {
		return fmt.Errorf("%w: there is no conflict at or below %s", ErrUsage, index.Quote(Target{v.dataset, m.unmet[0]}.String()))
	}
	if m.open == 0 {
		if err := v.write(m); err != nil {
			v.problem("workspace", err)
			return nil
		}
	}
	v.res.Datasets = append(v.res.Datasets, v.out)
	return v.r.keepDecisions(v.dataset, v.d)
}

// write puts the merged manifest into the work tree, or takes away one that is to be deleted.
func (v *resolving) write(m *manifestMerge) error {
	v.out.Merged, v.out.Removed = true, m.root == nil
	name := v.r.abs(v.dataset + ManifestSuffix)
	old, err := readBounded(name, index.MaxRoot)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch there := err == nil; {
	case !there && m.root == nil, there && m.root != nil && digest.Sum(old) == m.id:
		v.d.wrote = m.id
		return nil
	case there && !v.o.Force && !v.ofMerge(old):
		return &Hinted{fmt.Errorf("%w: %s was changed after the merge", ErrRefused, v.dataset+ManifestSuffix), "git add " + v.dataset + ManifestSuffix + ", to keep it, or tarn resolve --force"}
	}
	v.out.Changed, v.d.wrote = true, m.id
	if m.root == nil {
		return v.r.disk.Remove(name)
	}
	return v.r.disk.WriteFile(name, m.root, 0o666)
}

// ofMerge says that a manifest in the work tree is what the merge left there: broken, one of its versions, or what resolve wrote.
func (v *resolving) ofMerge(raw []byte) bool {
	if _, err := index.Parse(raw); err != nil {
		return isMergeError(err)
	}
	id := digest.Sum(raw)
	for _, x := range append([]*version{v.sides.ours.v, v.sides.theirs.v}, v.sides.bases...) {
		if x != nil && x.id == id {
			return true
		}
	}
	return id == v.d.wrote
}
