package dataset

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"tarn/index/vcs"
)

// revRange is what a user writes for a revision or two: "A", "A..B", "A...B". Commits are ids.
type revRange struct {
	from, to string    // of a single revision from only
	dots     string    // "", ".." or "..."
	typed    [2]string // what the user wrote for them
}

// String is the range as git takes it.
func (s revRange) String() string { return s.from + s.dots + s.to }

// readRange finds the commits; an end that is left out is HEAD. An error wraps vcs.ErrRev where one is none.
func (r *Repo) readRange(ctx context.Context, arg string) (revRange, error) {
	var s revRange
	from, to := arg, ""
	for _, dots := range []string{"...", ".."} {
		if a, b, ok := strings.Cut(arg, dots); ok {
			from, to, s.dots = orHead(a), orHead(b), dots
			break
		}
	}
	s.typed = [2]string{from, to}
	var err error
	if s.from, err = r.git.ReadRev(ctx, from); err != nil || s.dots == "" {
		return s, err
	}
	s.to, err = r.git.ReadRev(ctx, to)
	return s, err
}

func orHead(rev string) string {
	if rev == "" {
		return "HEAD"
	}
	return rev
}

// splitArgs tells revisions from paths, as git does: what stands before "--" is a revision, and what after, a path; dash is how many stand before, negative where
// there is no "--". Without it the first that is no revision ends them, and what could be both has to be told apart.
func (r *Repo) splitArgs(ctx context.Context, args []string, dash int) (revs []revRange, paths []string, err error) {
	most := len(args)
	if dash >= 0 {
		most = dash
	}
	for i, arg := range args[:most] {
		s, err := r.readRange(ctx, arg)
		switch {
		case errors.Is(err, vcs.ErrRev) && dash < 0:
			return revs, args[i:], r.checkPaths(args[i:])
		case errors.Is(err, vcs.ErrRev):
			return nil, nil, fmt.Errorf("%w: %w", ErrUsage, err)
		case err != nil:
			return nil, nil, err
		case dash < 0 && r.isPath(arg):
			return nil, nil, fmt.Errorf(`%w: %q is a revision and a path; write "--" after revisions and before paths`, ErrUsage, arg)
		}
		revs = append(revs, s)
	}
	return revs, args[most:], nil
}

// checkPaths wants paths that are there, since what is not may be a revision with a slip.
func (r *Repo) checkPaths(paths []string) error {
	for _, p := range paths {
		if !r.isPath(p) {
			return fmt.Errorf(`%w: there is no revision and no path %q; write "--" before a path that is not here any more`, ErrUsage, p)
		}
	}
	return nil
}

// isPath says that something is at the path, if only a manifest.
func (r *Repo) isPath(arg string) bool {
	p, err := r.rel(arg)
	if err != nil || r.root == "" {
		return false
	}
	_, err = os.Lstat(r.abs(p))
	return err == nil || r.isManifest(p)
}

// picks are paths from the root, of datasets, of parts of them, or of directories with datasets; none stand for all.
type picks []string

func (r *Repo) picks(args []string) (picks, error) {
	var ps picks
	for _, arg := range args {
		p, err := r.rel(arg)
		if err != nil {
			return nil, err
		}
		ps = append(ps, strings.TrimSuffix(p, ManifestSuffix))
	}
	return ps, nil
}

// of is the parts of a dataset that are picked; none where it is not.
func (ps picks) of(dataset string) []Target {
	if len(ps) == 0 {
		return []Target{{Dataset: dataset}}
	}
	var ts []Target
	for _, p := range ps {
		switch {
		case under(dataset, p):
			return []Target{{Dataset: dataset}}
		case under(p, dataset):
			ts = append(ts, Target{dataset, p[len(dataset)+1:]})
		}
	}
	return tidy(ts)
}

// covers says that an entry is in one of the parts.
func covers(parts []Target, entry string) bool {
	for _, t := range parts {
		if under(strings.TrimSuffix(entry, "/"), t.Prefix) || entry == "." {
			return true
		}
	}
	return false
}
