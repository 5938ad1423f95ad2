package dataset

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"path/filepath"
	"strings"

	"tarn/index"
	"tarn/index/vcs"
	"tarn/store/blob"
	"tarn/store/remote"
)

// revPath is what a user wrote as [REV:]PATH.
type revPath struct {
	arg    string
	rev    string // "" where he wrote none
	commit string // hexadecimal; "" is the work tree
	path   string // from the root of the repository; "" is that
}

// revPath takes arg apart as git show does: REV:p starts at the root, REV:./p where the user stands. Without a REV it is a path from where he
// stands, in the work tree; in a bare repository from the root, in HEAD. A path with a colon is written ./a:b.
func (r *Repo) revPath(ctx context.Context, arg string) (revPath, error) {
	p := revPath{arg: arg}
	rev, rest, ok := cutRev(arg)
	var err error
	if ok {
		if p.commit, err = r.commit(ctx, rev); err == nil {
			p.rev = rev
			p.path, err = r.fromRev(rest)
			return p, err
		}
		if plain, perr := r.rel(arg); perr == nil && r.root != "" {
			if _, here := r.owner(plain); here {
				p.path = plain
				return p, nil
			}
		}
		return p, err
	}
	if p.path, err = r.rel(arg); err == nil && r.root == "" {
		p.commit, err = r.commit(ctx, "HEAD")
	}
	return p, err
}

// cutRev finds the colon behind a revision: not one between braces, as in HEAD@{12:00}.
func cutRev(arg string) (rev, rest string, ok bool) {
	if filepath.IsAbs(arg) || strings.HasPrefix(arg, "./") || strings.HasPrefix(arg, "../") {
		return "", arg, false
	}
	depth := 0
	for i := range len(arg) {
		switch c := arg[i]; {
		case c == '{':
			depth++
		case c == '}' && depth > 0:
			depth--
		case c == ':' && depth == 0:
			return arg[:i], arg[i+1:], true
		}
	}
	return "", arg, false
}

// fromRev is the path from the root of what stands behind REV: .
func (r *Repo) fromRev(rest string) (string, error) {
	if first, _, _ := strings.Cut(rest, "/"); first == "." || first == ".." {
		rest = path.Join(r.prefix, rest)
	}
	return fromRoot(rest)
}

// commit is what a revision names.
func (r *Repo) commit(ctx context.Context, rev string) (string, error) {
	c, err := r.git.ReadRev(ctx, rev)
	if !errors.Is(err, vcs.ErrRev) {
		return c, err
	}
	err = fmt.Errorf("%w: %w", ErrUsage, err)
	if r.git.Shallow {
		err = &Hinted{err, "git fetch --unshallow"}
	}
	return "", err
}

// versionAt is the dataset's version in a commit or ("") the work tree; nil where there is none.
func (r *Repo) versionAt(ctx context.Context, commit, dataset string) (*version, error) {
	switch {
	case commit != "":
		return r.headManifest(ctx, commit, dataset)
	case r.isManifest(dataset):
		return r.readManifest(dataset)
	}
	return nil, nil
}

// ownerAt is owner for any commit, and reads the version; nil where the path is in no dataset.
func (r *Repo) ownerAt(ctx context.Context, commit, p string) (Target, *version, error) {
	if d, ok := strings.CutSuffix(p, ManifestSuffix); ok && d != "" && !strings.HasSuffix(d, "/") {
		if v, err := r.versionAt(ctx, commit, d); v != nil || err != nil {
			return Target{Dataset: d}, v, err
		}
	}
	for d := p; d != "." && d != ""; d = path.Dir(d) {
		if v, err := r.versionAt(ctx, commit, d); v != nil || err != nil {
			return Target{d, strings.TrimPrefix(strings.TrimPrefix(p, d), "/")}, v, err
		}
	}
	return Target{}, nil, nil
}

// datasetsAt are the datasets at or below a directory, in a commit or the work tree.
func (r *Repo) datasetsAt(ctx context.Context, commit, dir string) ([]string, error) {
	var names []string
	if commit == "" {
		ts, err := r.below(ctx, dir)
		for _, t := range ts {
			names = append(names, t.Dataset)
		}
		return names, err
	}
	files, err := r.git.ManifestsAt(ctx, commit)
	for _, f := range files {
		if d := strings.TrimSuffix(f.Path, ManifestSuffix); under(d, dir) {
			names = append(names, d)
		}
	}
	return names, err
}

// in says where the path was looked for.
func (p revPath) in() string {
	if p.rev == "" {
		return ""
	}
	return " in " + p.rev
}

// noDataset says that the path is in no dataset and has none below it.
func (p revPath) noDataset() error {
	hint := "tarn ls"
	if p.rev != "" {
		hint += " " + p.rev + ":"
	}
	return &Hinted{fmt.Errorf("%w: %s is not in a dataset%s, and there is none below it", ErrUsage, index.Quote(p.path), p.in()), hint}
}

// noPath says that a version of the dataset lacks a part.
func (p revPath) noPath(t Target) error {
	return fmt.Errorf("%w: there is no %s%s", ErrUsage, index.Quote(t.String()), p.in())
}

// hasAny says whether a version has something at or below prefix.
func hasAny(ctx context.Context, v *version, src index.Source, prefix string) (bool, error) {
	next, stop := iter.Pull2(index.List(ctx, v.Manifest, src, prefix))
	defer stop()
	_, err, ok := next()
	return ok, err
}

// lacking says that an error is about bytes of a version that are wrong or can't be had: what else was asked for can be.
func lacking(err error) bool {
	return errors.Is(err, ErrIncomplete) || isWrong(err) || errors.Is(err, errNoPage) || errors.Is(err, blob.ErrNotFound) || errors.Is(err, remote.ErrNoRemote)
}

func isWrong(err error) bool {
	return errors.Is(err, ErrCorrupt) || isCorrupt(err) || errors.Is(err, index.ErrPage)
}

// sorted gives an error of reading a version its kind.
func sorted(err error) error {
	switch {
	case errors.Is(err, ErrCorrupt) || errors.Is(err, ErrIncomplete):
		return err
	case isWrong(err):
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	case lacking(err):
		return fmt.Errorf("%w: %w", ErrIncomplete, err)
	}
	return err
}
