package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
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

// RemoveOptions say what to stop tracking.
type RemoveOptions struct {
	Paths  []string
	Delete bool // the files in the workspace, too
	Force  bool // with Delete: also what is modified, or not in the cache
}

// Removed is what happened to one dataset.
type Removed struct {
	Dataset   string
	Stage     []string // of the manifest and the .gitignore that changed, those that Git tracks
	Files     int64    // deleted: files, links and empty directories
	Bytes     int64    // of the files
	Left      int64    // untracked, kept
	Untracked []string // the first of them, relative to the dataset
	Stays     bool     // something is there still
}

// RemoveResult is what rm did.
type RemoveResult struct {
	Datasets []Removed
	Seconds  float64
	Problems []Problem
}

// mostNamed bounds the paths that a result names where they are not the result itself.
const mostNamed = 1000

// Remove stops tracking datasets: their manifests, lines in .gitignore and stat indexes go. The files stay, unless Delete is set; then it looks at all of them
// first, and if one is modified or not in the cache nothing of that dataset is touched: a Problem, and the error wraps ErrRefused.
func (r *Repo) Remove(ctx context.Context, o RemoveOptions) (*RemoveResult, error) {
	start := time.Now()
	names, err := r.removeTargets(ctx, o.Paths)
	if err != nil {
		return nil, err
	}
	store, err := r.openCache()
	if err != nil {
		return nil, err
	}
	if o.Delete { // relies on what the cache has
		lock, err := store.Lock(ctx, true)
		if err != nil {
			return nil, err
		}
		defer lock.Unlock()
	}
	res := &RemoveResult{}
	for _, name := range names {
		d := &removing{r: r, o: o, t: Target{Dataset: name}, store: store, res: res, out: Removed{Dataset: name}}
		if err = d.run(ctx); err != nil {
			break
		}
	}
	res.Seconds = time.Since(start).Seconds()
	return res, checkoutOutcome(outcome(err, res.Problems), res.Problems)
}

// removeTargets are the datasets that the arguments name, each as a whole; also one of which an interrupted rm has left something.
func (r *Repo) removeTargets(ctx context.Context, args []string) ([]string, error) {
	var names []string
	for _, arg := range args {
		p, err := r.rel(arg)
		if err != nil {
			return nil, err
		}
		t, ok := r.owner(p)
		if !ok {
			if t.Dataset, err = r.remains(ctx, strings.TrimSuffix(p, ManifestSuffix)); err != nil {
				return nil, err
			}
		}
		if t.Dataset == "" {
			return nil, r.notDataset(ctx, p, arg)
		}
		if t.Prefix != "" {
			return nil, &Hinted{fmt.Errorf("%w: %s is a part of the dataset %s", ErrUsage, arg, t.Dataset), fmt.Sprintf("rm -r %s && tarn add %s", arg, arg)}
		}
		names = append(names, t.Dataset)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// remains is p where its manifest is gone from the work tree, and Git still has it, or it still has a stat index; else "".
func (r *Repo) remains(ctx context.Context, p string) (string, error) {
	if p == "" {
		return "", nil
	}
	if _, err := os.Lstat(r.indexPath(p)); err == nil {
		return p, nil
	}
	tracked, err := r.git.Tracked(ctx, []string{p + ManifestSuffix})
	if err != nil || len(tracked) == 0 {
		return "", err
	}
	return p, nil
}

// notDataset says what the path is instead.
func (r *Repo) notDataset(ctx context.Context, p, arg string) error {
	below, err := r.below(ctx, p)
	if err != nil {
		return err
	}
	if len(below) == 0 {
		return &Hinted{fmt.Errorf("%w: %s is not a dataset", ErrUsage, arg), "tarn status"}
	}
	hint := "tarn rm"
	for _, t := range below[:min(len(below), 4)] {
		hint += " " + path.Join(arg, strings.TrimPrefix(t.Dataset, p))
	}
	return &Hinted{fmt.Errorf("%w: %s is not a dataset, but holds %s", ErrUsage, arg, plural(len(below), "dataset")), hint}
}

// removing is the removal of one dataset.
type removing struct {
	r     *Repo
	o     RemoveOptions
	t     Target
	store *cache.Cache
	res   *RemoveResult
	out   Removed

	s    *survey
	gone *confirming   // of a dataset that the cache does not keep
	root *durable.Root // of the directory that the dataset is in
	dirs []string      // entered ones, each in the one before: to be removed when all in them is done
	at   *durable.Root // of the directory in which something was removed last; nil: none
	dir  string        // its name
	bad  bool
}

func (d *removing) problem(entry, side string, err error) {
	d.bad = true
	d.res.Problems = append(d.res.Problems, problemAt(d.t.Dataset, entry, side, err))
}

// run returns only what ends the whole command. Nothing is deleted before all was looked at; the manifest goes only when the files are gone, then the line
// in .gitignore, then the index, by which an interrupted rm is known.
func (d *removing) run(ctx context.Context) error {
	if d.o.Delete {
		if err := d.check(ctx); err != nil || d.bad {
			return err
		}
	}
	lock, err := d.r.lock(ctx, d.t.Dataset)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	if d.o.Delete {
		if err := d.delete(ctx); err != nil || d.bad {
			return err
		}
	}
	if err := d.forget(ctx); err != nil {
		return fmt.Errorf("rm %s: %w", d.t.Dataset, err)
	}
	_, err = os.Lstat(d.r.abs(d.t.Dataset))
	d.out.Stays = err == nil
	d.res.Datasets = append(d.res.Datasets, d.out)
	return nil
}

// forget removes what makes a path a dataset.
func (d *removing) forget(ctx context.Context) error {
	name, manifest := d.t.Dataset, d.t.Dataset+ManifestSuffix
	if err := d.r.removeDurably(d.r.abs(manifest)); err != nil {
		return err
	}
	changed := []string{manifest}
	file, err := d.r.unignoreInGit(name)
	if err != nil {
		return err
	}
	if file != "" {
		changed = append(changed, file)
	}
	if d.out.Stage, err = d.r.git.Tracked(ctx, changed); err != nil {
		return err
	}
	return d.r.removeIndex(name)
}

// removeIndex forgets what is known about a dataset in the workspace.
func (r *Repo) removeIndex(dataset string) error {
	if err := r.removeDurably(r.fillingPath(dataset)); err != nil {
		return err
	}
	return r.removeDurably(r.indexPath(dataset))
}

// removeDurably removes a file, which need not be there.
func (r *Repo) removeDurably(path string) error {
	if err := r.disk.Remove(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return r.disk.SyncDir(filepath.Dir(path))
}

// check looks whether all that would be deleted can be had again. What it reads it saves in the index, as status does.
func (d *removing) check(ctx context.Context) error {
	v, err := d.r.readManifest(d.t.Dataset)
	switch {
	case err != nil:
		d.problem("", "workspace", err)
		return nil
	case v == nil:
		d.problem("", "workspace", &Hinted{fmt.Errorf("%w: %s is not there, and says what its files are", ErrIncomplete, d.t.Dataset+ManifestSuffix), "git checkout -- " + d.t.Dataset + ManifestSuffix})
		return nil
	case d.o.Force:
		return nil
	}
	committed, err := d.r.inHead(ctx, d.t.Dataset, v.id)
	if err != nil {
		return err
	}
	if !committed {
		d.problem("", "git", &Hinted{fmt.Errorf("%w: its manifest is not committed, and nothing else names its files", ErrRefused), "git add " + d.t.Dataset + ManifestSuffix + " && git commit"})
		return nil
	}
	l := &looking{r: d.r, verb: "rm", t: d.t, store: d.store, src: d.r.local()}
	l.visit = func(it *item, _ State) error { return d.judge(ctx, it) }
	if l.s, err = d.r.newSurvey(d.t); err != nil {
		return err
	}
	defer l.s.close()
	d.gone = l.s.confirming(KeepAsSet, "")
	err = l.againstWorkspace(ctx)
	if len(l.problems) > 0 {
		d.bad = true
		d.res.Problems = append(d.res.Problems, l.problems...)
	}
	return d.outcome(ctx, err)
}

// outcome makes what concerns this dataset alone a problem.
func (d *removing) outcome(ctx context.Context, err error) error {
	switch {
	case err == nil || errors.Is(err, errEnough):
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errNoPage):
		err = &Hinted{fmt.Errorf("%w from the cache: pages of its manifest", ErrIncomplete), "tarn fetch " + d.t.Dataset}
	}
	d.problem("", "workspace", err)
	return nil
}

// errEnough ends a run that has named as many paths as it may.
var errEnough = errors.New("enough was named")

func (d *removing) judge(ctx context.Context, it *item) error {
	if it.err != nil || it.w == nil || d.untracked(it) || d.saved(ctx, it) {
		return nil
	}
	d.problem(it.path, "workspace", d.refusal(it))
	if len(d.res.Problems) >= mostNamed {
		return errEnough
	}
	return nil
}

func (d *removing) untracked(it *item) bool { return it.m == nil && it.base() == nil }

// saved says that what is in the workspace is named, and can be had again.
func (d *removing) saved(ctx context.Context, it *item) bool {
	named := same(it.entry, it.m) || same(it.entry, it.base())
	return named && (!hasBytes(it.entry) || d.store.Has(it.entry.Digest) || d.gone.has(ctx, it.entry))
}

func (d *removing) refusal(it *item) error {
	if it.entry == nil || same(it.entry, it.m) || same(it.entry, it.base()) {
		err := fmt.Errorf("%w: its bytes are not in the cache", ErrRefused)
		if d.gone != nil {
			err = fmt.Errorf("%w, and %w", err, d.gone.why())
		}
		return &Hinted{err, "tarn add " + d.t.Dataset + ", or tarn rm --delete --force, to lose them"}
	}
	return &Hinted{fmt.Errorf("%w: it was changed, and no manifest names it as it is", ErrRefused), "tarn add " + d.t.Dataset + ", and commit, or tarn rm --delete --force, to lose it"}
}

// delete removes what is tracked. It looks once more at each file right before.
func (d *removing) delete(ctx context.Context) (err error) {
	if d.s, err = d.r.newSurvey(d.t); err != nil {
		return err
	}
	defer d.s.close()
	if d.root, err = d.r.disk.OpenRoot(filepath.Dir(d.r.abs(d.t.Dataset))); err != nil {
		return err
	}
	defer d.root.Close()
	rows, err := d.s.rows(ctx, d.r.local())
	if err != nil {
		return err
	}
	entries, bytes := index.Totals(d.s.v.manifest())
	d.r.report.Phase("rm "+d.t.Dataset, entries, bytes)
	err = inOrder(ctx, workers(), d.s.items(rows), d.s.weight, d.look, func(it *item) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return d.take(ctx, it)
	})
	d.leave("")
	d.close()
	if err == nil && !d.bad && d.s.v != nil && d.s.v.Form == index.FormDir {
		removeDir(d.root, path.Base(d.t.Dataset))
	}
	if err == nil && d.out.Files > 0 { // before the manifest goes, which says what is to be deleted
		err = d.root.SyncFS()
	}
	return d.outcome(ctx, err)
}

// look is survey.look; with Force nothing needs to be known but what kind of thing is there.
func (d *removing) look(ctx context.Context, it *item) {
	if ctx.Err() != nil {
		return
	}
	if !d.o.Force {
		d.s.look(it, hashOnly)
	} else if it.w != nil && it.err == nil {
		it.stat, it.entry = it.w.Stat, &index.Entry{Path: it.w.Path, Kind: it.w.Kind, Size: it.w.Stat.Size}
	}
}

func (d *removing) take(ctx context.Context, it *item) error {
	d.enter(it.path)
	switch {
	case it.err != nil:
		d.problem(it.path, "workspace", it.err)
	case it.w == nil:
	case d.untracked(it):
		if d.out.Left++; len(d.out.Untracked) < mostNamed {
			d.out.Untracked = append(d.out.Untracked, it.path)
		}
	case !d.o.Force && !d.saved(ctx, it):
		d.problem(it.path, "workspace", d.refusal(it))
	default:
		return d.remove(it)
	}
	return nil
}

func (d *removing) remove(it *item) error {
	err := d.unlink(path.Join(path.Base(d.t.Dataset), strings.TrimSuffix(it.path, "/")), it)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		d.problem(it.path, "workspace", err)
		return nil
	}
	d.out.Files++
	if regular(it.entry) {
		d.out.Bytes += it.entry.Size
	}
	d.r.report.Add(1, it.entry.Size)
	return nil
}

func (d *removing) unlink(name string, it *item) error {
	dir, err := d.open(path.Dir(name))
	if err != nil {
		return err
	}
	info, err := dir.Lstat(path.Base(name))
	if err == nil && it.w.Kind != index.Dir && !unchanged(scan.StatOf(info), it.stat) {
		err = fmt.Errorf("%w: it changed just now", ErrRefused)
	}
	if err != nil {
		return err
	}
	return dir.Remove(path.Base(name))
}

// open opens a directory, and keeps it open: the files of one follow each other.
func (d *removing) open(dir string) (*durable.Root, error) {
	if dir == "." {
		return d.root, nil
	}
	if d.at != nil && d.dir == dir {
		return d.at, nil
	}
	d.close()
	at, err := d.root.Sub(dir)
	if err == nil {
		d.at, d.dir = at, dir
	}
	return at, err
}

func (d *removing) close() {
	if d.at != nil {
		d.at.Close()
		d.at = nil
	}
}

// enter leaves the directories that the path is not in, for what is in one stands together, and notes those that it is in.
func (d *removing) enter(p string) {
	d.leave(p)
	for i := range len(strings.TrimSuffix(p, "/")) {
		if p[i] == '/' && (len(d.dirs) == 0 || len(d.dirs[len(d.dirs)-1]) < i) {
			d.dirs = append(d.dirs, p[:i])
		}
	}
}

// leave removes the directories that the path is not in, the deepest first; one stays where something is left in it.
func (d *removing) leave(p string) {
	for n := len(d.dirs) - 1; n >= 0 && (p == "" || !under(p, d.dirs[n])); n-- {
		d.close()
		removeDir(d.root, path.Join(path.Base(d.t.Dataset), d.dirs[n]))
		d.dirs = d.dirs[:n]
	}
}

// inHead says whether the last commit has this very manifest.
func (r *Repo) inHead(ctx context.Context, dataset string, id digest.Digest) (bool, error) {
	raw, err := r.git.Contents(ctx, "HEAD:"+dataset+ManifestSuffix, index.MaxRoot)
	if isNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read %s from git: %w", dataset+ManifestSuffix, err)
	}
	return digest.Sum(raw) == id, nil
}
