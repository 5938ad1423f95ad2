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
	"syscall"

	"tarn/index"
	"tarn/index/scan"
	"tarn/internal/config"
)

// Moved is what mv did.
type Moved struct {
	From, To string
	Data     bool     // there were files in the workspace
	Stage    []string // files that Git has to hear of: git add -A
}

// Move gives a dataset another name: its data, manifest, lines in .gitignore, configuration and stat index, together or not at all. A destination that is a
// directory is where it goes, as with mv(1). Files are not read, neither now nor afterwards.
func (r *Repo) Move(ctx context.Context, src, dst string) (*Moved, error) {
	moves, err := r.lockMove(ctx)
	if err != nil {
		return nil, err
	}
	defer moves.Unlock()
	if err := r.finishBegun(ctx); err != nil { // what came to a stop since the repository was opened
		return nil, err
	}
	if r.stuck != nil {
		return nil, r.stuckBy
	}
	m := &moving{r: r}
	if m.from, err = r.moveSource(ctx, src, dst); err != nil {
		return nil, err
	}
	if m.to, err = r.moveTarget(m.from, dst); err != nil {
		return nil, err
	}
	switch {
	case m.to == m.from:
		return nil, fmt.Errorf("%w: %s and %s are the same", ErrUsage, src, dst)
	case under(m.to, m.from):
		return nil, fmt.Errorf("%w: %s can't go into itself", ErrUsage, src)
	}
	unlock, err := r.lockBoth(ctx, m)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := r.checkMove(ctx, m, src); err != nil {
		return nil, err
	}
	return m.do(ctx)
}

// do begins the move and goes through with it.
func (m *moving) do(ctx context.Context) (*Moved, error) {
	r, res := m.r, &Moved{From: m.from, To: m.to}
	if info, err := os.Lstat(r.abs(m.from)); err == nil {
		res.Data = true
		m.trusted = info.Mode().IsRegular() && r.knows(m.from, scan.StatOf(info))
	}
	touched := m.touched()
	// An index that is left of a dataset of that name says nothing about this one.
	if err := r.removeIndex(m.to); err != nil {
		return nil, err
	}
	if err := m.begin(); err != nil {
		return nil, errors.Join(err, r.removeDurably(r.movePath()))
	}
	if err := m.run(); err != nil {
		return nil, m.explain(err)
	}
	for _, f := range touched {
		_, err := os.Lstat(r.abs(f))
		known := err == nil
		if !known { // gone: Git hears of it only if it knew it
			tracked, err := r.git.Tracked(ctx, []string{f})
			if err != nil {
				return nil, err
			}
			known = len(tracked) > 0
		}
		if known {
			res.Stage = append(res.Stage, f)
		}
	}
	return res, nil
}

// touched are the files in the work tree that the move changes, beside the data.
func (m *moving) touched() []string {
	from, _ := ignoreLine(m.from)
	to, _ := ignoreLine(m.to)
	files := []string{from, to, m.from + ManifestSuffix, m.to + ManifestSuffix}
	if slices.Contains(m.r.datasetLevels(m.from), config.Repository) {
		files = append(files, ".tarn/config")
	}
	slices.Sort(files)
	return slices.Compact(files)
}

func (m *moving) explain(err error) error {
	switch {
	case errors.Is(err, syscall.EXDEV):
		return m.otherDisk(err)
	case m.r.isManifest(m.from) && m.untouched():
		return err
	}
	return &Hinted{err, "tarn status"}
}

func (m *moving) otherDisk(err error) error {
	return &Hinted{err, fmt.Sprintf("cp -a %s %s && tarn add %s && tarn rm --delete %s", m.from, m.to, m.to, m.from)}
}

// knows says that the index vouches for the dataset's one file as it is now.
func (r *Repo) knows(dataset string, now scan.Stat) bool {
	idx := r.openIndex(dataset)
	if idx == nil {
		return false
	}
	defer idx.Close()
	rec, ok := idx.Lookup(".")
	return ok && rec.Trusted(now, r.trust())
}

func (r *Repo) moveSource(ctx context.Context, arg, dst string) (string, error) {
	p, err := r.rel(arg)
	if err != nil {
		return "", err
	}
	t, ok := r.owner(p)
	if !ok {
		return "", r.notDataset(ctx, p, arg)
	}
	if t.Prefix != "" {
		return "", &Hinted{fmt.Errorf("%w: %s is a part of the dataset %s", ErrUsage, arg, t.Dataset), fmt.Sprintf("mv %s %s && tarn add %s", arg, dst, t.Dataset)}
	}
	return t.Dataset, nil
}

// moveTarget is the new name: a directory that is there is where the dataset goes.
func (r *Repo) moveTarget(from, arg string) (string, error) {
	p, err := r.rel(arg)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(r.abs(p)); err != nil || !info.IsDir() {
		return p, nil
	}
	if real, err := filepath.EvalSymlinks(r.abs(p)); err == nil { // a link to a directory is one to mv(1)
		if p, err = r.rel(real); err != nil {
			return "", err
		}
	}
	return path.Join(p, path.Base(from)), nil
}

// checkMove says why the move can't be, before anything is written.
func (r *Repo) checkMove(ctx context.Context, m *moving, src string) error {
	if !r.isManifest(m.from) {
		return r.notDataset(ctx, m.from, src)
	}
	_, linked := r.cacheLink(m.from)
	if info, err := os.Lstat(r.abs(m.from)); err == nil && !linked && !info.IsDir() && !info.Mode().IsRegular() {
		if err := checkLink(r.abs(m.from), src); err != nil {
			return err
		}
		return fmt.Errorf("%w: %s is neither a file nor a directory", ErrUsage, src)
	}
	if err := r.checkFree(m.to); err != nil {
		return err
	}
	if err := r.checkName(ctx, m.to); err != nil {
		return err
	}
	for _, level := range r.datasetLevels(m.to) {
		if slices.Contains(r.datasetLevels(m.from), level) {
			return &Hinted{fmt.Errorf("%w: the %s configuration speaks of %s already", ErrUsage, level, m.to), "git config --file " + r.configPaths()[level] + " --remove-section dataset." + m.to}
		}
	}
	return m.checkDisk()
}

// checkFree says whether the name is free, and can be made.
func (r *Repo) checkFree(to string) error {
	dir := path.Dir(to)
	info, err := os.Stat(r.abs(dir))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Hinted{fmt.Errorf("%w: there is no directory %s", ErrUsage, dir), "mkdir -p " + dir}
	case err == nil && !info.IsDir(), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %s is not a directory", ErrUsage, dir)
	case err != nil:
		return err
	}
	for _, name := range []string{to, to + ManifestSuffix} {
		if _, err := os.Lstat(r.abs(name)); !errors.Is(err, fs.ErrNotExist) {
			if err == nil {
				err = fmt.Errorf("%w: %s: %w", ErrUsage, name, errTaken)
			}
			return err
		}
	}
	return nil
}

// checkName says whether a dataset may be there at all; as add does for what is there already.
func (r *Repo) checkName(ctx context.Context, to string) error {
	if err := index.CheckPath(to); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrUsage, to, err)
	}
	if strings.HasSuffix(to, ManifestSuffix) {
		return fmt.Errorf("%w: %s has the name of a manifest", ErrUsage, to)
	}
	if t, ok := r.owner(to); ok {
		return fmt.Errorf("%w: %s is in the dataset %s, and datasets can't overlap", ErrUsage, to, t.Dataset)
	}
	top, nested, err := r.git.Nested(ctx, to)
	if err != nil {
		return err
	}
	if nested {
		return fmt.Errorf("%w: %s is in %s, a repository of its own", ErrUsage, to, top)
	}
	return r.checkGit(ctx, to, to)
}

// checkDisk says whether a rename will do: a copy would be neither together nor at once.
func (m *moving) checkDisk() error {
	to, err := os.Stat(filepath.Dir(m.r.abs(m.to)))
	if err != nil {
		return err
	}
	for _, p := range []string{filepath.Dir(m.r.abs(m.from)), m.r.abs(m.from)} {
		info, err := os.Lstat(p)
		if err == nil && scan.StatOf(info).Dev != scan.StatOf(to).Dev {
			return m.otherDisk(fmt.Errorf("%w: %s and %s are on two file systems", ErrUsage, m.from, m.to))
		}
	}
	return nil
}
