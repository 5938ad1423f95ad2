package dataset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"tarn/index/vcs"
)

// Target is a dataset, or what is at and below a path in it.
type Target struct {
	Dataset string // path relative to the repository root
	Prefix  string // relative to the dataset; "" is all of it
}

// String is the path of the target.
func (t Target) String() string { return path.Join(t.Dataset, t.Prefix) }

// Selection says which versions push and fetch are about.
type Selection struct {
	Paths       []string // as the user wrote them; none: all datasets
	Revs        []string // commits; none: the manifests in the work tree
	AllBranches bool
	AllTags     bool
}

// wanted is a version, or a part of one, that a transfer is about.
type wanted struct {
	Target
	*version
	commit string // hexadecimal; "" for the work tree
}

// Datasets are the paths of the datasets, relative to the root of the repository, sorted.
func (r *Repo) Datasets(ctx context.Context) ([]string, error) { return r.datasets(ctx) }

// datasets are the manifests in the work tree or in Git's index, sorted, without the suffix.
func (r *Repo) datasets(ctx context.Context) ([]string, error) {
	names, err := r.git.Manifests(ctx)
	if err != nil {
		return nil, fmt.Errorf("list manifests: %w", err)
	}
	for i, n := range names {
		names[i] = strings.TrimSuffix(n, ManifestSuffix)
	}
	slices.Sort(names)
	return names, nil
}

// targets turns what the user wrote into datasets and parts of them; no paths are all datasets.
func (r *Repo) targets(ctx context.Context, args []string) ([]Target, error) {
	if err := r.needWorkTree(); err != nil {
		return nil, err
	}
	if len(args) == 0 {
		return r.below(ctx, "")
	}
	var ts []Target
	for _, arg := range args {
		p, err := r.rel(arg)
		if err != nil {
			return nil, err
		}
		if t, ok := r.owner(p); ok {
			if err := r.notNested(path.Dir(t.Dataset), arg); err != nil {
				return nil, err
			}
			ts = append(ts, t)
			continue
		}
		found, err := r.below(ctx, p)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, r.noDataset(ctx, p, arg)
		}
		ts = append(ts, found...)
	}
	return tidy(ts), nil
}

// notNested refuses what is in a repository inside of this one, such as a submodule.
func (r *Repo) notNested(p, arg string) error {
	if top, ok := r.git.NestedHere(p); ok {
		return inRepository(arg, top)
	}
	return nil
}

func inRepository(arg, top string) error {
	return &Hinted{fmt.Errorf("%w: %s is in another repository, %s", ErrUsage, arg, top), "cd " + top}
}

// noDataset says why a path is in no dataset.
func (r *Repo) noDataset(ctx context.Context, p, arg string) error {
	if err := r.notNested(p, arg); err != nil {
		return err
	}
	m, err := r.git.Sparse(ctx, p)
	if err != nil {
		return err
	}
	if m == "" {
		return &Hinted{fmt.Errorf("%w: %s is not in a dataset and there is none below it", ErrUsage, arg), "tarn add " + arg}
	}
	dir := path.Dir(m)
	if dir == "." {
		dir = "/" + m
	}
	return &Hinted{fmt.Errorf("%w: %s is outside of the sparse checkout", ErrUsage, m), "git sparse-checkout add " + dir}
}

// below are the datasets at or below a directory.
func (r *Repo) below(ctx context.Context, dir string) ([]Target, error) {
	names, err := r.datasets(ctx)
	if err != nil {
		return nil, err
	}
	var ts []Target
	for _, n := range names {
		if under(n, dir) {
			ts = append(ts, Target{Dataset: n})
		}
	}
	return ts, nil
}

// owner finds the dataset that p is, or is in, or whose manifest p is.
func (r *Repo) owner(p string) (Target, bool) {
	if d, ok := strings.CutSuffix(p, ManifestSuffix); ok && d != "" && !strings.HasSuffix(d, "/") && r.isManifest(d) {
		return Target{Dataset: d}, true
	}
	for d := p; d != "." && d != ""; d = path.Dir(d) {
		if r.isManifest(d) {
			return Target{d, strings.TrimPrefix(strings.TrimPrefix(p, d), "/")}, true
		}
	}
	return Target{}, false
}

func (r *Repo) isManifest(dataset string) bool {
	info, err := os.Lstat(r.abs(dataset + ManifestSuffix))
	return err == nil && info.Mode().IsRegular()
}

// tidy sorts targets and drops those that another one covers.
func tidy(ts []Target) []Target {
	slices.SortFunc(ts, func(a, b Target) int {
		return cmp.Or(cmp.Compare(a.Dataset, b.Dataset), cmp.Compare(a.Prefix, b.Prefix))
	})
	var out []Target
	for _, t := range ts {
		covered := slices.ContainsFunc(out, func(o Target) bool { return o.Dataset == t.Dataset && under(t.Prefix, o.Prefix) })
		if !covered {
			out = append(out, t)
		}
	}
	return out
}

// versions finds the manifests that a selection names, each version once. Those that can't be read are problems; the others go on.
func (r *Repo) versions(ctx context.Context, s Selection) ([]wanted, []Problem, error) {
	revs, err := r.revs(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	if len(revs) == 0 {
		return r.workVersions(ctx, s.Paths)
	}
	var ws []wanted
	var problems []Problem
	for _, rev := range revs {
		more, bad, err := r.revVersions(ctx, rev, s.Paths)
		if err != nil {
			return nil, nil, err
		}
		ws, problems = append(ws, more...), append(problems, bad...)
	}
	return unique(ws), problems, nil
}

// revs are the commits of a selection.
func (r *Repo) revs(ctx context.Context, s Selection) ([]string, error) {
	var commits []string
	for _, rev := range s.Revs {
		c, err := r.git.ReadRev(ctx, rev)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUsage, err)
		}
		commits = append(commits, c)
	}
	for _, list := range []struct {
		on   bool
		refs func(context.Context) ([]vcs.Ref, error)
	}{{s.AllBranches, r.git.Branches}, {s.AllTags, r.git.Tags}} {
		if !list.on {
			continue
		}
		refs, err := list.refs(ctx)
		if err != nil {
			return nil, err
		}
		for _, ref := range refs {
			commits = append(commits, ref.Commit)
		}
	}
	slices.Sort(commits)
	return slices.Compact(commits), nil
}

func (r *Repo) workVersions(ctx context.Context, paths []string) ([]wanted, []Problem, error) {
	ts, err := r.targets(ctx, paths)
	if err != nil {
		return nil, nil, err
	}
	commit, _, err := r.git.Head(ctx)
	if err != nil {
		return nil, nil, err
	}
	var ws []wanted
	var problems []Problem
	for _, t := range ts {
		v, err := r.readManifest(t.Dataset)
		switch {
		case err != nil:
			problems = append(problems, Problem{Dataset: t.Dataset, Side: "workspace", Err: err})
		case v != nil:
			ws = append(ws, wanted{t, v, commit})
		}
	}
	return unique(ws), problems, nil
}

func (r *Repo) revVersions(ctx context.Context, commit string, paths []string) ([]wanted, []Problem, error) {
	tree, err := r.git.ManifestsAt(ctx, commit)
	if err != nil {
		return nil, nil, err
	}
	ps, err := r.picks(paths)
	if err != nil {
		return nil, nil, err
	}
	var ws []wanted
	var problems []Problem
	for _, f := range tree {
		d := strings.TrimSuffix(f.Path, ManifestSuffix)
		parts := ps.of(d)
		if len(parts) == 0 {
			continue
		}
		v, err := r.headManifest(ctx, commit, d)
		if err != nil {
			problems = append(problems, Problem{Dataset: d, Side: "git", Err: err})
			continue
		}
		for _, t := range parts {
			if v != nil {
				ws = append(ws, wanted{t, v, commit})
			}
		}
	}
	return ws, problems, nil
}

// unique drops what is asked for twice: the same part of the same version.
func unique(ws []wanted) []wanted {
	seen := map[string]bool{}
	return slices.DeleteFunc(ws, func(w wanted) bool {
		key := w.id.String() + "/" + w.Dataset + "/" + w.Prefix
		dup := seen[key]
		seen[key] = true
		return dup
	})
}

// isNotFound says that Git has no such object or path.
func isNotFound(err error) bool { return errors.Is(err, vcs.ErrNotFound) }
