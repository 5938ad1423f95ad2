package dataset

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"tarn/index/vcs"
	"tarn/internal/check/contract"
	"tarn/internal/check/report"
	"tarn/internal/drift"
	"tarn/internal/profile"
	"tarn/internal/profile/compare"
)

// DriftOptions say what is compared with what.
type DriftOptions struct {
	Args     []string // revisions, then paths: none are HEAD and the work tree's manifests, one is that commit and these
	Dash     int      // how many of Args stand before "--"; negative: there was none
	Against  string   // the reference: a revision, or MergeBase
	Targets  []string // revisions that a merge base is looked for with; the first one that there is
	Contract string   // a file with limits; empty: that beside the manifest, if there is one
	Remote   string   // where bytes that are not here come from; empty: that of each dataset
	Exact    bool     // read all values, wherever and however many they are
	Compat   drift.Compat
	Media    bool // pictures and texts as well
	Context  int  // changed files to list, together with the commits; 0: neither is looked for
	Check    bool // hold the new side against its contract, too
	CheckSettings
}

// MergeBase stands for where HEAD left the branch that it will be merged into.
const MergeBase = "merge-base"

// DriftResult is how two versions differ.
type DriftResult struct {
	From, To string // of the reference and the other: a commit, "" for the work tree's manifests, a file
	Tables   []*TableDrift
	Reports  []*report.Result // the verdicts, by dataset
	Context  *DriftContext    // nil where it was not asked for, and of files
	Checks   *CheckResult     // of the new side, where that was asked for
	Problems []Problem
}

// TableDrift is how a table differs.
type TableDrift struct {
	Subject   string
	Name      string
	Ref, Cur  *TableProfile // one may be nil: it has no such table. Of an unchanged table both are
	Unchanged bool          // both sides have the same bytes: nothing was read
	Columns   []*compare.Result
}

// Drift compares the tables of two versions, column by column. A file that can't be had is a Problem, its table is left out, and the error wraps ErrIncomplete.
// With any other error but ErrCorrupt there is no result.
func (r *Repo) Drift(ctx context.Context, o DriftOptions) (*DriftResult, error) {
	if err := r.knownRemote(o.Remote); err != nil {
		return nil, err
	}
	revs, args, err := r.splitArgs(ctx, o.Args, o.Dash)
	if err != nil {
		return nil, err
	}
	res := &DriftResult{}
	if res.From, res.To, err = r.driftSides(ctx, revs, o); err != nil {
		return nil, err
	}
	cur, err := r.versionSides(ctx, res.To, args, o.Remote)
	if err == nil {
		err = r.sideContracts(ctx, res.To, cur, o.Contract)
	}
	if err == nil {
		err = wantContract(cur, o)
	}
	if err != nil {
		return nil, err
	}
	var ref []*profileSide
	if res.From != "" {
		if ref, err = r.versionSides(ctx, res.From, args, o.Remote); err != nil {
			return nil, err
		}
	}
	if len(ref)+len(cur) == 0 {
		return nil, fmt.Errorf("%w: there is no dataset to compare", ErrUsage)
	}
	if err := r.driftPairs(ctx, ref, cur, o, res); err != nil {
		return nil, err
	}
	if len(res.Problems) == 0 {
		if err := r.driftAlso(ctx, revs, ref, cur, o, res); err != nil {
			return nil, err
		}
	}
	return res, outcome(nil, res.Problems)
}

// driftSides are the commits to compare; to is "" for the work tree.
func (r *Repo) driftSides(ctx context.Context, revs []revRange, o DriftOptions) (from, to string, err error) {
	if o.Against == "" {
		return r.diffSides(ctx, revs)
	}
	if len(revs) > 1 || len(revs) == 1 && revs[0].dots != "" {
		return "", "", fmt.Errorf("%w: with --against there is one revision at most", ErrUsage)
	}
	head := "HEAD"
	if len(revs) == 1 {
		head, to = revs[0].from, revs[0].from
	}
	if o.Against != MergeBase {
		if from, err = r.git.ReadRev(ctx, o.Against); errors.Is(err, vcs.ErrRev) {
			err = fmt.Errorf("%w: %w", ErrUsage, err)
		}
		return from, to, err
	}
	for _, t := range o.Targets {
		target, err := r.git.ReadRev(ctx, t)
		if errors.Is(err, vcs.ErrRev) {
			continue
		}
		if err != nil {
			return "", "", err
		}
		if from, err = r.git.MergeBase(ctx, head, target); errors.Is(err, vcs.ErrRev) {
			err = fmt.Errorf("%w: %w", ErrUsage, err)
		}
		return from, to, err
	}
	return "", "", &Hinted{fmt.Errorf("%w: it is not known what this branch will be merged into: none of %s is here", ErrUsage, strings.Join(o.Targets, ", ")), "tarn drift --against REV"}
}

// IsFilePair says that two arguments are files or directories on the disk that are to be compared as they stand: names of datasets are not. r may be nil.
func (r *Repo) IsFilePair(ctx context.Context, dir string, args []string) bool {
	if len(args) != 2 {
		return false
	}
	for _, p := range args {
		if r != nil {
			if _, err := r.readRange(ctx, p); err == nil {
				return false
			}
		}
		info, err := os.Stat(absIn(dir, p))
		if err != nil || !info.Mode().IsRegular() && r != nil && r.Tracks(ctx, p) {
			return false
		}
	}
	return true
}

// DriftFiles compares two files, or directories, as they stand on the disk. r keeps profiles, and may be nil.
func DriftFiles(ctx context.Context, dir string, o DriftOptions, r *Repo, rep Reporter) (*DriftResult, error) {
	res := &DriftResult{From: o.Args[0], To: o.Args[1]}
	var sides []*profileSide
	for _, p := range o.Args {
		s, err := diskSide(dir, p, o.Contract, r)
		if err != nil {
			return nil, err
		}
		sides = append(sides, s)
	}
	if err := wantContract(sides, o); err != nil {
		return nil, err
	}
	d := &drifting{o: o, res: res, rep: rep}
	if err := d.pair(ctx, sides[0], sides[1], o.Args[0]+" → "+o.Args[1]); err != nil {
		return nil, err
	}
	if o.Check && len(res.Problems) == 0 {
		var err error
		if res.Checks, err = CheckFiles(ctx, dir, o.Args[1:], o.Contract, o.CheckSettings, r, rep); err != nil {
			return nil, err
		}
	}
	return res, outcome(nil, res.Problems)
}

func (r *Repo) driftPairs(ctx context.Context, ref, cur []*profileSide, o DriftOptions, res *DriftResult) error {
	d := &drifting{o: o, res: res, rep: r.report}
	for _, p := range pairSides(ref, cur) {
		if err := d.pair(ctx, p[0], p[1], either(p).dataset); err != nil {
			return err
		}
	}
	return nil
}

// pairSides puts the datasets of both versions together, by name; one of a pair may be nil.
func pairSides(ref, cur []*profileSide) (pairs [][2]*profileSide) {
	var names []string
	find := func(sides []*profileSide, name string) *profileSide {
		for _, s := range sides {
			if s.dataset == name {
				return s
			}
		}
		return nil
	}
	for _, s := range append(slices.Clone(ref), cur...) {
		names = append(names, s.dataset)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		pairs = append(pairs, [2]*profileSide{find(ref, name), find(cur, name)})
	}
	return pairs
}

// drifting is one comparison.
type drifting struct {
	o   DriftOptions
	res *DriftResult
	rep Reporter
}

// pair compares a dataset of both sides, of which one may be nil. Both are read as the contract of the new side says.
func (d *drifting) pair(ctx context.Context, ref, cur *profileSide, subject string) error {
	var c *contract.Contract
	shown, at := "", "" // the file in which a report shows what was found: that of the limits, else what was compared
	for _, s := range []*profileSide{ref, cur} {
		if s != nil && s.version != nil {
			shown = s.version.w.Dataset + ManifestSuffix
			at = shown
		} else if s != nil {
			shown, at = s.subject, s.repo.place(s.subject)
		}
	}
	if cur != nil && cur.contract != nil {
		c, shown, at = cur.contract, cur.contract.File, cur.at
	}
	rep := &report.Result{Subject: subject, Contract: shown, Path: at}
	d.res.Reports = append(d.res.Reports, rep)
	byName := map[string][2]*tableFiles{}
	var names []string
	for i, s := range []*profileSide{ref, cur} {
		if s == nil {
			continue
		}
		defer s.close()
		ts, _, err := findTables(ctx, s.src, c, s.single, d.o.Media)
		if err != nil {
			return err
		}
		for _, t := range ts {
			both := byName[t.name]
			both[i] = t
			byName[t.name] = both
			names = append(names, t.name)
		}
	}
	slices.Sort(names)
	d.rep.Phase("compare "+subject, -1, -1)
	for _, name := range slices.Compact(names) {
		p := &tablePair{d: d, sides: [2]*profileSide{ref, cur}, files: byName[name], t: &TableDrift{Subject: subject, Name: name}, contract: c}
		if err := p.compare(ctx, rep); err != nil {
			return err
		}
	}
	return nil
}

// sameFiles says that two tables are made of the same bytes under the same names.
func sameFiles(a, b *tableFiles) bool {
	if a == nil || b == nil || len(a.files) != len(b.files) {
		return false
	}
	for i := range a.files {
		if a.files[i].Digest == [32]byte{} || a.files[i].Digest != b.files[i].Digest || a.files[i].Path != b.files[i].Path {
			return false
		}
	}
	return true
}

// union is the columns of both sides: those of the new one in its order, then those that are no more.
func union(ref, cur *profile.Profile) (names []string) {
	seen := map[string]bool{}
	for _, p := range []*profile.Profile{cur, ref} {
		for _, c := range p.Columns {
			if !seen[c.Name] {
				names = append(names, c.Name)
			}
			seen[c.Name] = true
		}
	}
	return names
}
