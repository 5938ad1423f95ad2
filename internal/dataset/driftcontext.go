package dataset

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"tarn/index"
)

// DriftContext is what a report shows beside the drift: which commits these are, and the files that they do not have in common.
type DriftContext struct {
	From, To CommitHead
	Counts
	Changes []DiffChange // the first ones, by dataset and path
}

// CommitHead says of a commit when and what; of none only its name is there.
type CommitHead struct {
	Name    string // what the user called it
	Date    string // of the author, RFC 3339
	Subject string
}

// driftAlso adds what was asked for besides the drift.
func (r *Repo) driftAlso(ctx context.Context, revs []revRange, ref, cur []*profileSide, o DriftOptions, res *DriftResult) error {
	from, to := sideNames(revs, o)
	if o.Context > 0 {
		if err := r.driftContext(ctx, ref, cur, o.Context, res); err != nil {
			return err
		}
		res.Context.From.Name, res.Context.To.Name = from, to
	}
	if !o.Check {
		return nil
	}
	var ts []checkTarget
	for _, s := range cur {
		if s.contract == nil {
			continue
		}
		called := ""
		if res.To != "" {
			called = to
		}
		ts = append(ts, checkTarget{s.version.w, res.To, subject(called, s.version.w.Target), s.contract, s.at})
	}
	var err error
	if res.Checks, err = r.checkEach(ctx, ts, CheckOptions{Contract: o.Contract, Remote: o.Remote, CheckSettings: o.CheckSettings}); err != nil {
		return err
	}
	res.Problems = append(res.Problems, res.Checks.Problems...)
	return nil
}

// wantContract says, before any work is done, that there is nothing to check against.
func wantContract(sides []*profileSide, o DriftOptions) error {
	if !o.Check || slices.ContainsFunc(sides, func(s *profileSide) bool { return s.contract != nil }) {
		return nil
	}
	return &Hinted{fmt.Errorf("%w of what is compared", ErrNoContract), "tarn drift --check --contract FILE"}
}

func (r *Repo) driftContext(ctx context.Context, ref, cur []*profileSide, most int, res *DriftResult) error {
	c := &DriftContext{}
	res.Context = c
	for _, x := range []struct {
		commit string
		head   *CommitHead
	}{{res.From, &c.From}, {res.To, &c.To}} {
		if x.commit == "" {
			continue
		}
		commit, err := r.git.ReadCommit(ctx, x.commit)
		if err != nil {
			return fmt.Errorf("read commit %s: %w", x.commit, err)
		}
		x.head.Date, x.head.Subject = commit.Date, commit.Subject
	}
	find := renames{limit: DefaultRenameLimit, emit: func(ch DiffChange) error {
		c.count(&ch)
		if len(c.Changes) < most {
			ch.Path, ch.Old, ch.New = strings.Clone(ch.Path), detached(ch.Old), detached(ch.New)
			c.Changes = append(c.Changes, ch)
		}
		return nil
	}}
	for _, p := range pairSides(ref, cur) {
		var old, new *index.Manifest
		if p[0] != nil {
			old = p[0].version.w.Manifest
		}
		if p[1] != nil {
			new = p[1].version.w.Manifest
		}
		w := either(p).version.w
		src := r.anywhere(w.Dataset)
		for ch, err := range index.Diff(ctx, old, new, src, src) {
			if err != nil {
				return fmt.Errorf("compare files of %s: %w", w.String(), err)
			}
			if same(ch.Old, ch.New) || !covers([]Target{w.Target}, ch.Path) {
				continue
			}
			if err := find.add(DiffChange{Dataset: w.Dataset, Path: ch.Path, Old: ch.Old, New: ch.New}); err != nil {
				return err
			}
		}
	}
	return find.flush()
}

func either(p [2]*profileSide) *profileSide {
	if p[1] != nil {
		return p[1]
	}
	return p[0]
}

// sideNames are what the user called the two sides.
func sideNames(revs []revRange, o DriftOptions) (from, to string) {
	from, to = "HEAD", "work tree"
	switch {
	case len(revs) == 2:
		from, to = revs[0].typed[0], revs[1].typed[0]
	case len(revs) == 1 && revs[0].dots == "..":
		from, to = revs[0].typed[0], revs[0].typed[1]
	case len(revs) == 1 && revs[0].dots == "...":
		from, to = revs[0].typed[0]+"..."+revs[0].typed[1], revs[0].typed[1]
	case len(revs) == 1 && o.Against != "":
		to = revs[0].typed[0]
	case len(revs) == 1:
		from = revs[0].typed[0]
	}
	if o.Against != "" {
		from = o.Against
	}
	return from, to
}
