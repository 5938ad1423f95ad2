package dataset

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"tarn/index"
	"tarn/index/vcs"
)

// target finds what PATH is in the other repository: a dataset or what is in one, else what Git tracks and the datasets below it. Links on the way are followed.
func (x *getting) target(ctx context.Context) error {
	p := revPath{arg: x.o.Path, rev: x.o.Rev, commit: x.res.Commit}
	var err error
	if p.path, err = fromRoot(x.o.Path); err != nil {
		return err
	}
	if x.o.Path == "" {
		return fmt.Errorf("%w: the path is empty; . is the root of a repository", ErrUsage)
	}
	found, err := x.inDataset(ctx, p)
	if err != nil || found {
		return err
	}
	if p.path != "" {
		x.base = path.Base(p.path)
	}
	to, err := x.src.git.Resolve(ctx, p.commit, p.path)
	if errors.Is(err, vcs.ErrLinks) {
		err = fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if err != nil {
		return err
	}
	if to != p.path {
		p.path = to
		if found, err := x.inDataset(ctx, p); err != nil || found {
			return err
		}
	}
	return x.inGit(ctx, p)
}

// inDataset is target for a path of a dataset.
func (x *getting) inDataset(ctx context.Context, p revPath) (found bool, err error) {
	t, v, err := x.src.ownerAt(ctx, p.commit, p.path)
	if err != nil || v == nil {
		return false, err
	}
	if x.base == "" {
		x.base = path.Base(t.String())
	}
	switch {
	case t.Prefix != "":
		err = x.inVersion(ctx, p, &t, v)
	case v.Form == index.FormFile:
		x.file = &v.Entries[0]
	}
	x.one = x.file != nil
	x.parts = []getPart{{w: wanted{t, v, p.commit}}}
	x.res.Path, x.res.Dataset, x.res.Prefix = t.String(), t.Dataset, t.Prefix
	return true, err
}

// inVersion finds the file or directory that t is in a version; t is without links then.
func (x *getting) inVersion(ctx context.Context, p revPath, t *Target, v *version) error {
	pages := x.src.from(t.Dataset, x.o.Remote)
	at, e, err := follow(ctx, v, pages, t.Prefix)
	if t.Prefix = at; err == nil && e == nil && at != "" {
		var found bool
		if found, err = hasAny(ctx, v, pages, at); err == nil && !found {
			err = fmt.Errorf("%w: %s has no %s%s", ErrUsage, x.res.URL, index.Quote(t.String()), p.in())
		}
	}
	x.file = e
	if errors.Is(err, ErrUsage) && !errors.Is(err, errNoPage) {
		return err
	}
	return missingPages(err)
}

// inGit is target for what Git tracks: a file, or a directory with the datasets below it. Their manifests are not got, nor what is tarn's own.
func (x *getting) inGit(ctx context.Context, p revPath) error {
	files, err := x.src.git.Tree(ctx, p.commit, p.path)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%w: %s has no dataset and no file %s%s", ErrUsage, x.res.URL, index.Quote(p.path), p.in())
	}
	x.res.Path = p.path
	x.one = files[0].Path == p.path
	if x.one && files[0].Mode == vcs.ModeSubmodule {
		return fmt.Errorf("%w: %s is a submodule; its files are in another repository", ErrUsage, index.Quote(p.path))
	}
	if err := x.prefetch(ctx, files); err != nil {
		return err
	}
	for _, f := range files {
		name := x.inTree(f)
		d, manifest := strings.CutSuffix(name, ManifestSuffix)
		switch {
		case f.Mode == vcs.ModeSubmodule:
			x.src.report.Warn(f.Path, "left out: it is a submodule, and its files are in another repository")
		case strings.HasPrefix(name, ManifestSuffix+"/"):
		case manifest && path.Base(name) != ManifestSuffix:
			x.dataset(ctx, p, d)
		default:
			x.tree = append(x.tree, f)
		}
	}
	return ctx.Err()
}

// dataset notes one that is below the directory that is got.
func (x *getting) dataset(ctx context.Context, p revPath, at string) {
	d := path.Join(p.path, at)
	v, err := x.src.versionAt(ctx, p.commit, d)
	switch {
	case err == nil && v == nil:
		err = fmt.Errorf("%w: Git lacks its manifest", ErrIncomplete)
		fallthrough
	case err != nil:
		x.res.Problems = append(x.res.Problems, problemAt(d, "", "git", err))
	default:
		x.parts = append(x.parts, getPart{wanted{Target{Dataset: d}, v, p.commit}, at})
	}
}
