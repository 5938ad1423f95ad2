package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"tarn/index"
)

// addTargets checks what is asked for before anything is written.
func (r *Repo) addTargets(ctx context.Context, o AddOptions) ([]Target, error) {
	if err := r.needWorkTree(); err != nil {
		return nil, err
	}
	if o.Update {
		ts, err := r.targets(ctx, o.Paths)
		if err != nil {
			return nil, err
		}
		var here []Target
		for _, t := range ts { // a dataset that was never checked out here did not change
			if _, err := os.Lstat(r.abs(t.Dataset)); err == nil {
				here = append(here, t)
			}
		}
		return here, nil
	}
	if len(o.Paths) == 0 {
		return nil, fmt.Errorf("%w: name a file or directory to add, or use --update", ErrUsage)
	}
	var ts []Target
	for _, arg := range o.Paths {
		t, err := r.addTarget(ctx, arg)
		if err != nil {
			return nil, err
		}
		ts = append(ts, t)
	}
	ts = tidy(ts)
	for i, t := range ts {
		for _, o := range ts[:i] {
			if o.Dataset != t.Dataset && under(t.Dataset, o.Dataset) {
				return nil, fmt.Errorf("%w: %s is inside %s; add one of them", ErrUsage, t.Dataset, o.Dataset)
			}
		}
	}
	return ts, nil
}

func (r *Repo) addTarget(ctx context.Context, arg string) (Target, error) {
	p, err := r.rel(arg)
	if err != nil {
		return Target{}, err
	}
	if p == "" {
		return Target{}, fmt.Errorf("%w: %s is the root of the repository; add a directory in it", ErrUsage, arg)
	}
	if t, ok := r.owner(p); ok {
		if err := r.notNested(path.Dir(t.Dataset), arg); err != nil {
			return Target{}, err
		}
		return t, r.checkPart(t, arg)
	}
	switch top, nested, err := r.git.Nested(ctx, path.Dir(p)); {
	case err != nil:
		return Target{}, err
	case nested:
		return Target{}, inRepository(arg, top)
	}
	if err := r.checkNew(ctx, p, arg); err != nil {
		return Target{}, err
	}
	return Target{Dataset: p}, nil
}

// checkPart lets a part of a dataset that is gone be added, which deletes it, if it ever was here.
func (r *Repo) checkPart(t Target, arg string) error {
	if t.Prefix == "" {
		// A dataset that is gone as a whole is taken for an unmounted disk, not for deleted.
		if _, err := os.Lstat(r.abs(t.Dataset)); errors.Is(err, fs.ErrNotExist) {
			return &Hinted{fmt.Errorf("%w: %s: no such file or directory", ErrUsage, arg), "tarn checkout " + arg}
		}
		if _, ok := r.cacheLink(t.Dataset); ok {
			return nil
		}
		return checkLink(r.abs(t.Dataset), arg)
	}
	if _, err := os.Lstat(r.abs(t.String())); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	idx := r.openIndex(t.Dataset)
	if idx != nil {
		defer idx.Close()
		for range idx.Records(t.Prefix) {
			return nil
		}
	}
	return fmt.Errorf("%w: %s: no such file or directory", ErrUsage, arg)
}

func checkLink(abs, arg string) error {
	info, err := os.Lstat(abs)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return nil
	}
	target, err := os.Readlink(abs)
	if err != nil {
		return err
	}
	return &Hinted{fmt.Errorf("%w: %s is a symbolic link to %s", ErrUsage, arg, target), "tarn add " + target}
}

// checkNew says why a path can't become a dataset, with the remedy.
func (r *Repo) checkNew(ctx context.Context, p, arg string) error {
	abs := r.abs(p)
	info, err := os.Lstat(abs)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s: no such file or directory", ErrUsage, arg)
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return checkLink(abs, arg)
	case !info.IsDir() && !info.Mode().IsRegular():
		return fmt.Errorf("%w: %s is neither a file nor a directory", ErrUsage, arg)
	}
	if err := index.CheckPath(p); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrUsage, arg, err)
	}
	if strings.HasSuffix(p, ManifestSuffix) {
		return fmt.Errorf("%w: %s has the name of a manifest", ErrUsage, arg)
	}
	return r.checkGit(ctx, p, arg)
}

func (r *Repo) checkGit(ctx context.Context, p, arg string) error {
	nested, err := r.below(ctx, p)
	if err != nil {
		return err
	}
	nested = slices.DeleteFunc(nested, func(t Target) bool { return t.Dataset == p }) // its manifest was deleted, and Git still has it
	if len(nested) > 0 {
		n := nested[0].Dataset
		return &Hinted{fmt.Errorf("%w: %s holds the dataset %s, and datasets can't overlap", ErrUsage, arg, n),
			fmt.Sprintf("git rm --cached %s && rm %s, or add other directories", n+ManifestSuffix, n+ManifestSuffix)}
	}
	tracked, err := r.git.Tracked(ctx, []string{p})
	if err != nil {
		return err
	}
	if len(tracked) > 0 {
		return &Hinted{fmt.Errorf("%w: Git tracks %s (or something in it) already", ErrUsage, arg), "git rm -r --cached " + arg}
	}
	m := p + ManifestSuffix
	ignored, err := r.git.Ignored(ctx, []string{m})
	if err != nil {
		return err
	}
	if ignored[m] {
		return &Hinted{fmt.Errorf("%w: Git ignores %s, so nobody else would see it", ErrUsage, m), "git check-ignore -v " + m}
	}
	return nil
}

// ignoreInGit makes Git ignore a dataset, by a line in the .gitignore beside it.
func (r *Repo) ignoreInGit(dataset string) error {
	file, line := ignoreLine(dataset)
	old, err := os.ReadFile(r.abs(file))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for l := range strings.Lines(string(old)) {
		if strings.TrimRight(l, "\r\n") == line {
			return nil
		}
	}
	if n := len(old); n > 0 && old[n-1] != '\n' {
		old = append(old, '\n')
	}
	if err := r.disk.WriteFile(r.abs(file), append(old, line+"\n"...), 0o666); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}

// escapeIgnore writes a name so that gitignore(5) takes it literally. A line break can't be written there; '?' stands for it.
func escapeIgnore(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		trailing := strings.Trim(name[i:], " ") == ""
		switch {
		case strings.IndexByte(`!*#[]?\`, c) >= 0, c == ' ' && (i == 0 || trailing), c == '\t' && trailing:
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteByte('?')
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
