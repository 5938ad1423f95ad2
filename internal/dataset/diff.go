package dataset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"tarn/index"
	"tarn/index/vcs"
	"tarn/store/blob"
	"tarn/store/cache"
)

// DiffOptions say what to compare.
type DiffOptions struct {
	Args        []string               // revisions, then paths: none or one revision are compared with the workspace
	Dash        int                    // how many of Args stand before "--"; negative: there was none
	RenameLimit int                    // most changes that are held to find renames among them; 0 or less: none are looked for
	Each        func(DiffChange) error // takes the changes; an error of it ends the run
}

// DefaultRenameLimit takes some 30 MB.
const DefaultRenameLimit = 100_000

// Counts is how much changed.
type Counts struct {
	Added, Removed, Modified, Renamed int64 // entries; modified: bytes, mode, type or target
	BytesAdded, BytesRemoved          int64
	BytesBefore, BytesAfter           int64 // of modified files
}

// Any says that something changed.
func (c *Counts) Any() bool { return c.Added+c.Removed+c.Modified+c.Renamed > 0 }

func (c *Counts) add(o *Counts) {
	c.Added, c.Removed, c.Modified, c.Renamed = c.Added+o.Added, c.Removed+o.Removed, c.Modified+o.Modified, c.Renamed+o.Renamed
	c.BytesAdded, c.BytesRemoved = c.BytesAdded+o.BytesAdded, c.BytesRemoved+o.BytesRemoved
	c.BytesBefore, c.BytesAfter = c.BytesBefore+o.BytesBefore, c.BytesAfter+o.BytesAfter
}

func (c *Counts) count(ch *DiffChange) {
	switch ch.Kind() {
	case ChangeAdded:
		c.Added, c.BytesAdded = c.Added+1, c.BytesAdded+ch.New.Size
	case ChangeRemoved:
		c.Removed, c.BytesRemoved = c.Removed+1, c.BytesRemoved+ch.Old.Size
	case ChangeRenamed:
		c.Renamed++
	default:
		c.Modified++
		c.BytesBefore, c.BytesAfter = c.BytesBefore+ch.Old.Size, c.BytesAfter+ch.New.Size
	}
}

// DatasetDiff is how one dataset differs.
type DatasetDiff struct {
	Dataset string
	From    string // its name before, where Git sees that its manifest was renamed
	Status  string // of the manifest: "", "added", "removed", "renamed", "modified"
	Counts
	Absent int64 // entries that were never checked out here, and count as their manifest has them
	Moved  int64 // entries whose manifest Git moved, and whose data are still the former ones
}

// DiffResult is what two sides do not have in common.
type DiffResult struct {
	From, To       string         // commits; From is empty before the first commit, To where it is the workspace
	Datasets       []*DatasetDiff // that differ, or could not be compared, by name
	RenamesSkipped bool           // there were more changes than RenameLimit
	Problems       []Problem
}

// Total sums up the datasets.
func (d *DiffResult) Total() Counts {
	var c Counts
	for _, ds := range d.Datasets {
		c.add(&ds.Counts)
	}
	return c
}

// Differs says that there is a difference: what --exit-code asks.
func (d *DiffResult) Differs() bool {
	return slices.ContainsFunc(d.Datasets, func(ds *DatasetDiff) bool { return ds.Any() || ds.Status != "" && ds.Status != "modified" })
}

// Diff hands each entry that two commits, or a commit and the workspace, do not have in common to o.Each: by dataset and path, with names after a rename. It reads
// no page that both sides have, and no file of the workspace that the index knows. A dataset that can't be compared is a Problem, and the error then wraps
// ErrIncomplete.
func (r *Repo) Diff(ctx context.Context, o DiffOptions) (*DiffResult, error) {
	return r.diff(ctx, o, &DiffResult{})
}

// diff is Diff; o.Each may look at what res has so far: the sides, and the dataset of the change.
func (r *Repo) diff(ctx context.Context, o DiffOptions, res *DiffResult) (*DiffResult, error) {
	revs, args, err := r.splitArgs(ctx, o.Args, o.Dash)
	if err != nil {
		return nil, err
	}
	if res.From, res.To, err = r.diffSides(ctx, revs); err != nil {
		return nil, err
	}
	if res.To == "" && r.root == "" {
		return nil, fmt.Errorf("%w: a bare repository has no workspace; name two revisions", ErrUsage)
	}
	d := &differ{r: r, res: res, sources: r.sources()}
	if d.store, err = r.openCache(); err != nil {
		return nil, err
	}
	if d.picks, err = r.picks(args); err != nil {
		return nil, err
	}
	d.renames = renames{limit: o.RenameLimit, emit: func(c DiffChange) error {
		d.entry(c.Dataset).count(&c)
		if o.Each == nil {
			return nil
		}
		return o.Each(c)
	}}
	pairs, err := d.pairs(ctx, args)
	if err != nil {
		return nil, err
	}
	if err = d.run(ctx, pairs); err == nil {
		err = d.renames.flush()
	}
	res.RenamesSkipped = d.renames.skipped
	res.Datasets = slices.DeleteFunc(res.Datasets, func(ds *DatasetDiff) bool {
		return ds.Status == "" && !ds.Any() && ds.Absent+ds.Moved == 0
	})
	return res, outcome(err, res.Problems)
}

// diffSides are the commits to compare; see DiffResult.
func (r *Repo) diffSides(ctx context.Context, revs []revRange) (from, to string, err error) {
	switch {
	case len(revs) > 2 || len(revs) == 2 && revs[0].dots+revs[1].dots != "":
		return "", "", &Hinted{fmt.Errorf("%w: a diff has two sides at most", ErrUsage), "tarn diff --help"}
	case len(revs) == 2:
		return revs[0].from, revs[1].from, nil
	case len(revs) == 1 && revs[0].dots == "...":
		base, err := r.git.MergeBase(ctx, revs[0].from, revs[0].to)
		if errors.Is(err, vcs.ErrRev) {
			err = fmt.Errorf("%w: %w", ErrUsage, err)
		}
		return base, revs[0].to, err
	case len(revs) == 1:
		return revs[0].from, revs[0].to, nil
	}
	from, _, err = r.git.Head(ctx)
	return from, "", err
}

// differ is one Diff.
type differ struct {
	r       *Repo
	res     *DiffResult
	picks   picks
	renames renames
	store   *cache.Cache
	sources func(dataset string) index.Source
}

// pair is a dataset on both sides.
type pair struct {
	name, from string   // now, and before; equal where it was not renamed
	parts      []Target // of name
	old, new   vcs.TreeFile
}

// entry is the result for a dataset; it is made when it is first asked for.
func (d *differ) entry(name string) *DatasetDiff {
	if n := len(d.res.Datasets); n > 0 && d.res.Datasets[n-1].Dataset == name {
		return d.res.Datasets[n-1]
	}
	i, ok := slices.BinarySearchFunc(d.res.Datasets, name, func(ds *DatasetDiff, n string) int { return cmp.Compare(ds.Dataset, n) })
	if !ok {
		d.res.Datasets = slices.Insert(d.res.Datasets, i, &DatasetDiff{Dataset: name})
	}
	return d.res.Datasets[i]
}

// pairs are the datasets to compare, by name: those whose manifest differs and, where one side is the workspace, all that are in the work tree.
func (d *differ) pairs(ctx context.Context, args []string) ([]pair, error) {
	var changes []vcs.ManifestChange
	var err error
	if d.res.From != "" {
		if changes, err = d.r.git.ChangedManifests(ctx, d.res.From, d.res.To); err != nil {
			return nil, err
		}
	}
	var ps []pair
	seen := map[string]bool{}
	for _, c := range changes {
		p := newPair(c)
		seen[p.name] = true
		if p.parts = p.picked(d.picks); len(p.parts) > 0 {
			ps = append(ps, p)
		}
	}
	if d.res.To == "" {
		names, err := d.r.datasets(ctx)
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			p := pair{name: n, from: n, new: vcs.TreeFile{Path: n + ManifestSuffix}}
			if p.parts = d.picks.of(n); len(p.parts) > 0 && !seen[n] {
				ps = append(ps, p)
			}
		}
	}
	slices.SortFunc(ps, func(a, b pair) int { return cmp.Compare(a.name, b.name) })
	return ps, d.checkPicks(ctx, args, ps)
}

func datasetOf(manifest string) string { return strings.TrimSuffix(manifest, ManifestSuffix) }

func newPair(c vcs.ManifestChange) pair {
	return pair{name: datasetOf(cmp.Or(c.New.Path, c.Old.Path)), from: datasetOf(cmp.Or(c.Old.Path, c.New.Path)), old: c.Old, new: c.New}
}

// picked are the parts of a dataset that are picked, under either name.
func (p pair) picked(ps picks) []Target {
	parts := ps.of(p.name)
	for _, t := range ps.of(p.from) {
		parts = append(parts, Target{p.name, t.Prefix})
	}
	return tidy(parts)
}

// checkPicks refuses a path that no dataset of either side has to do with: a slip would else look like no difference.
func (d *differ) checkPicks(ctx context.Context, args []string, ps []pair) error {
	met := func(pick, dataset string) bool { return under(dataset, pick) || under(pick, dataset) }
	for i, pick := range d.picks {
		if pick == "" || slices.ContainsFunc(ps, func(p pair) bool { return met(pick, p.name) || met(pick, p.from) }) {
			continue
		}
		found := false
		for _, rev := range []string{d.res.From, d.res.To} {
			if rev == "" || found {
				continue
			}
			files, err := d.r.git.ManifestsAt(ctx, rev)
			if err != nil {
				return err
			}
			found = slices.ContainsFunc(files, func(f vcs.TreeFile) bool { return met(pick, datasetOf(f.Path)) })
		}
		if !found {
			return fmt.Errorf("%w: %s is not in a dataset of either side and there is none below it", ErrUsage, args[i])
		}
	}
	return nil
}

// run compares one dataset after the other. It ends early only where its result can't be handed on.
func (d *differ) run(ctx context.Context, ps []pair) error {
	for _, p := range ps {
		var given *emitError
		d.r.report.Phase("diff "+p.name, -1, -1)
		err := d.pair(ctx, p)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &given):
			return given.err
		case err != nil:
			d.res.Problems = append(d.res.Problems, d.r.pageProblem(p.name, err))
		}
	}
	return nil
}

// emitError is what the taker of changes said.
type emitError struct{ err error }

func (e *emitError) Error() string { return e.err.Error() }

func (d *differ) pair(ctx context.Context, p pair) error {
	ds := d.entry(p.name)
	old, err := d.read(ctx, p.old)
	if err != nil {
		return err
	}
	if d.res.To == "" {
		return d.work(ctx, p, old)
	}
	new, err := d.read(ctx, p.new)
	if err != nil {
		return err
	}
	ds.stand(p, old, new)
	return d.versions(ctx, p, old, new)
}

// stand says what became of the manifest.
func (ds *DatasetDiff) stand(p pair, old, new *version) {
	switch {
	case old == nil && new == nil || old != nil && new != nil && old.id == new.id && p.from == p.name:
	case old == nil:
		ds.Status = "added"
	case new == nil:
		ds.Status = "removed"
	case p.from != p.name:
		ds.Status, ds.From = "renamed", p.from
	default:
		ds.Status = "modified"
	}
}

// read is the version of a manifest in Git; nil where there is none.
func (d *differ) read(ctx context.Context, f vcs.TreeFile) (*version, error) {
	if f.Object == "" {
		return nil, nil
	}
	return d.r.manifestObject(ctx, f)
}

// manifestObject reads a manifest by its id in Git.
func (r *Repo) manifestObject(ctx context.Context, f vcs.TreeFile) (*version, error) {
	raw, err := r.git.Contents(ctx, f.Object, index.MaxRoot)
	if err != nil {
		return nil, fmt.Errorf("read %s from git: %w", f.Path, err)
	}
	v, err := parseVersion(raw)
	if err != nil {
		return nil, fmt.Errorf("read %s of git (%s): %w", f.Path, f.Object[:min(len(f.Object), 12)], err)
	}
	return v, nil
}

// versions compares two manifests.
func (d *differ) versions(ctx context.Context, p pair, old, new *version) error {
	src := d.sources(p.name)
	for c, err := range index.Diff(ctx, old.manifest(), new.manifest(), src, src) {
		if err != nil {
			return err
		}
		if err := d.put(p, c.Path, c.Old, c.New); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// put hands on what two sides have at a path, if that differs and is asked for.
func (d *differ) put(p pair, path string, old, new *index.Entry) error {
	if same(old, new) || !covers(p.parts, path) {
		return nil
	}
	if err := d.renames.add(DiffChange{Dataset: p.name, Path: path, Old: old, New: new}); err != nil {
		return &emitError{err}
	}
	return nil
}

// sources gives, for each dataset, pages from the cache, else from its remote. A remote that could not be opened is not tried again.
func (r *Repo) sources() func(dataset string) index.Source {
	var mu sync.Mutex
	failed := map[string]error{}
	return func(dataset string) index.Source {
		return &pageSource{r: r, remote: func(ctx context.Context) (*conn, error) {
			name, err := r.remoteFor(dataset, "")
			if err != nil {
				return nil, err
			}
			mu.Lock()
			defer mu.Unlock()
			if err := failed[name]; err != nil {
				return nil, err
			}
			c, err := r.connectFor(ctx, dataset, name, false)
			if err != nil && ctx.Err() == nil {
				failed[name] = err
			}
			return c, err
		}}
	}
}

// pageProblem says why a version could not be looked at.
func (r *Repo) pageProblem(dataset string, err error) Problem {
	name, rerr := r.remoteFor(dataset, "")
	switch {
	case isCorrupt(err):
		return Problem{Dataset: dataset, Err: err}
	case errors.Is(err, errNoPage) && rerr != nil:
		return Problem{Dataset: dataset, Side: "cache", Err: fmt.Errorf("%w: pages of a version are not in the cache: %w", ErrIncomplete, rerr)}
	case errors.Is(err, blob.ErrNotFound):
		return Problem{Dataset: dataset, Side: "remote " + name, Err: &Hinted{
			fmt.Errorf("%w: pages of a version are neither in the cache nor on the remote", ErrIncomplete), "tarn push --all-branches, in a clone that has them"}}
	case errors.Is(err, errNoPage):
		return Problem{Dataset: dataset, Side: "remote " + name, Err: err}
	}
	return Problem{Dataset: dataset, Side: "git", Err: err}
}
