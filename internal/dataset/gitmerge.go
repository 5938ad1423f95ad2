package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"tarn/index"
	"tarn/internal/durable"
)

// GitMergeOptions are what Git gives to a merge driver: files, as absolute paths, and the path of what they are versions of.
type GitMergeOptions struct {
	Base   string // %O; an empty file where there is no ancestor
	Ours   string // %A; takes the result
	Theirs string // %B
	Path   string // %P
}

// GitMerged is what the driver found.
type GitMerged struct {
	Dataset   string
	Open      int64
	Conflicts []Conflict // the first of these
}

// GitMerge merges a manifest for Git. With conflicts, and where it can't merge, it leaves a text with conflict markers, so that nobody takes one side for the
// whole; the error wraps ErrDiffers if that is due to conflicts.
func (r *Repo) GitMerge(ctx context.Context, o GitMergeOptions) (*GitMerged, error) {
	res := &GitMerged{Dataset: strings.TrimSuffix(o.Path, ManifestSuffix)}
	ours, err := readBounded(o.Ours, index.MaxRoot)
	if err != nil {
		return res, err
	}
	theirs, err := readBounded(o.Theirs, index.MaxRoot)
	if err != nil {
		return res, err
	}
	base, err := readBounded(o.Base, index.MaxRoot)
	if err != nil {
		return res, err
	}
	s := &sides{ours: sideOf(ours), theirs: sideOf(theirs)}
	if len(base) > 0 && s.whole() == "" {
		s.bases = basesOf(base, s.ours, s.theirs)
	}
	if err := r.disk.Remove(r.decisionsPath(res.Dataset)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return res, err // of an earlier merge, which may have been given up
	}
	m := &manifestMerge{r: r, dataset: res.Dataset, sides: s, choose: func(string) Take { return TakeNone }}
	text, err := r.gitMerge(ctx, m)
	res.Open, res.Conflicts = m.open, m.conflicts
	if text == nil {
		text = index.MarkedWhole(ours, theirs)
	}
	if werr := r.disk.WriteFile(o.Ours, text, 0o666); err == nil {
		err = werr
	}
	if err == nil && m.open > 0 {
		err = fmt.Errorf("%w: %s", ErrDiffers, openError(m.open))
	}
	return res, err
}

// gitMerge is the text of the merged manifest, with markers around entries if there are only few and they stand in it; nil where that can't be.
func (r *Repo) gitMerge(ctx context.Context, m *manifestMerge) ([]byte, error) {
	store, lock, err := r.holdCache(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.Unlock()
	if err := m.run(ctx, store); err != nil {
		return nil, err
	}
	if m.open == 0 {
		return m.root, nil
	}
	byPath := func(c Conflict) bool { return c.Whole == "" && !c.OursDir && !c.TheirsDir }
	if m.open > int64(len(m.conflicts)) || slices.ContainsFunc(m.conflicts, func(c Conflict) bool { return !byPath(c) }) {
		return nil, nil
	}
	root, _, err := r.applyMerge(ctx, m.sides.merge(r.anywhere(m.dataset)), store, func(index.Conflict) index.Choice { return index.TakeOurs })
	if err != nil {
		return nil, err
	}
	merged, err := index.Parse(root)
	if err != nil || len(merged.Pages) > 0 {
		return nil, err
	}
	var conflicts []index.Conflict
	for _, c := range m.conflicts {
		conflicts = append(conflicts, c.Conflict)
	}
	return index.Marked(merged, conflicts), nil
}

// readBounded reads a file of at most max bytes.
func readBounded(name string, max int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, max+1))
	if err == nil && int64(len(b)) > max {
		err = fmt.Errorf("%s has more than %d bytes", name, max)
	}
	return b, err
}

// LeaveConflict does what GitMerge does where it can't merge; it is for a caller that can't open the repository.
func LeaveConflict(o GitMergeOptions) error {
	ours, err := readBounded(o.Ours, index.MaxRoot)
	if err != nil {
		return err
	}
	theirs, err := readBounded(o.Theirs, index.MaxRoot)
	if err != nil {
		return err
	}
	var disk *durable.Disk
	return disk.WriteFile(o.Ours, index.MarkedWhole(ours, theirs), 0o666)
}
