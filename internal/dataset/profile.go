package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"tarn/index"
	"tarn/internal/check"
	"tarn/internal/check/contract"
	"tarn/internal/check/table"
	"tarn/internal/profile"
	"tarn/store/digest"
)

// ProfileOptions say what is profiled.
type ProfileOptions struct {
	Targets  []string // [REV:]DATASET, or a part of one; none: all datasets of the work tree
	Contract string   // a file; empty: that beside the manifest, if there is one
	Remote   string   // where bytes that are not here come from; empty: that of each dataset
	Media    bool     // pictures and texts as well
}

// ProfileResult is the tables that there are.
type ProfileResult struct {
	Tables   []*TableProfile
	Others   int64 // files that are no tables
	Problems []Problem
}

// TableProfile is what a table holds.
type TableProfile struct {
	Subject string // REV:DATASET, or the file
	Name    string // of the table
	Known   int64  // files that were not read, since their profiles were there
	*profile.Profile
}

// Profile profiles the tables of versions. A file that can't be had is a Problem, and the error then wraps ErrIncomplete.
func (r *Repo) Profile(ctx context.Context, o ProfileOptions) (*ProfileResult, error) {
	if err := r.knownRemote(o.Remote); err != nil {
		return nil, err
	}
	sides, err := r.profileSides(ctx, o)
	if err != nil {
		return nil, err
	}
	res := &ProfileResult{}
	for _, s := range sides {
		if err := s.profile(ctx, o.Media, r.report, res); err != nil {
			return res, err
		}
	}
	return res, outcome(nil, res.Problems)
}

// ProfileFiles profiles files and directories, the targets, as they stand on the disk. No repository is needed; r is where profiles are kept, or nil.
func ProfileFiles(ctx context.Context, dir string, o ProfileOptions, r *Repo, rep Reporter) (*ProfileResult, error) {
	res := &ProfileResult{}
	for _, p := range o.Targets {
		s, err := diskSide(dir, p, o.Contract, r)
		if err != nil {
			return res, err
		}
		if err := s.profile(ctx, o.Media, rep, res); err != nil {
			return res, err
		}
	}
	return res, outcome(nil, res.Problems)
}

// profileSide is something with tables: a version of a dataset, or what stands on the disk.
type profileSide struct {
	subject  string
	dataset  string // "" on the disk
	src      check.Source
	version  *versionSource // src, or nil on the disk
	contract *contract.Contract
	at       string // where the contract stands, from the root of the repository
	single   bool
	repo     *Repo // keeps profiles; nil: nobody does
	close    func()
	lost     []Problem // bytes that are not what they should be
}

func (r *Repo) profileSides(ctx context.Context, o ProfileOptions) (sides []*profileSide, err error) {
	args := o.Targets
	if len(args) == 0 {
		args = []string{""}
	}
	for _, arg := range args {
		rev, p := splitRev(arg)
		var paths []string
		if p != "" {
			paths = []string{p}
		}
		more, err := r.versionSides(ctx, rev, paths, o.Remote)
		if err == nil {
			err = r.sideContracts(ctx, rev, more, o.Contract)
		}
		if err != nil {
			return nil, err
		}
		if len(more) == 0 && arg != "" {
			return nil, fmt.Errorf("%w: there is no dataset %s", ErrUsage, arg)
		}
		sides = append(sides, more...)
	}
	if len(sides) == 0 {
		return nil, &Hinted{fmt.Errorf("%w: there is no dataset", ErrUsage), "tarn add PATH"}
	}
	return sides, nil
}

// versionSides are the datasets below paths in a revision; rev is empty for the manifests of the work tree, and no paths are all.
func (r *Repo) versionSides(ctx context.Context, rev string, paths []string, remote string) (sides []*profileSide, err error) {
	ws, err := r.versionsAt(ctx, rev, paths)
	for _, w := range ws {
		sides = append(sides, r.versionSide(w, rev, remote))
	}
	return sides, err
}

// versionSide is a version, of which rev is what the user called its commit; empty for that of the work tree.
func (r *Repo) versionSide(w wanted, rev, remote string) *profileSide {
	s := &profileSide{subject: subject(rev, w.Target), dataset: w.String(), single: w.Form == index.FormFile, repo: r}
	src := &versionSource{r: r, w: w, remote: remote, problems: &s.lost}
	s.src, s.version, s.close = src, src, src.close
	return s
}

// sideContracts reads the contracts of sides, where there are any.
func (r *Repo) sideContracts(ctx context.Context, rev string, sides []*profileSide, named string) error {
	for _, s := range sides {
		c, at, err := r.findContract(ctx, rev, s.version.w, named)
		if err != nil && (named != "" || !errors.Is(err, ErrNoContract)) {
			return err
		}
		s.contract, s.at = c, at
	}
	return nil
}

func diskSide(dir, p, contractFile string, r *Repo) (*profileSide, error) {
	src, err := newDiskSource(absIn(dir, p))
	if err != nil {
		return nil, err
	}
	s := &profileSide{subject: p, src: src, single: src.single != "", repo: r, close: func() {}}
	if contractFile != "" {
		if s.contract, err = readContract(contractFile, absIn(dir, contractFile)); err != nil {
			return nil, err
		}
		s.at = r.place(contractFile)
	}
	return s, nil
}

// profile adds the side's tables to res.
func (s *profileSide) profile(ctx context.Context, media bool, rep Reporter, res *ProfileResult) error {
	defer s.close()
	ts, others, err := findTables(ctx, s.src, s.contract, s.single, media)
	if err != nil {
		return err
	}
	res.Others += others
	rep.Phase("profile "+s.subject, -1, -1)
	for _, t := range ts {
		p, problems, err := s.table(ctx, t, rep)
		if err != nil {
			return err
		}
		res.Problems = append(res.Problems, problems...)
		if len(problems) < len(t.files) {
			res.Tables = append(res.Tables, p)
		}
	}
	return nil
}

// Files up to smallFile bytes are profiled side by side, larger ones each by all processors; together so many are held until they are merged.
const (
	smallFile    = 4 << 20
	filesAtATime = 64
)

// table gives the profile of a table. That of many files is kept as a whole, besides those of the files: then it is one file to read, and not one for each.
func (s *profileSide) table(ctx context.Context, t *tableFiles, rep Reporter) (*TableProfile, []Problem, error) {
	if t.media != "" {
		return s.mediaTable(ctx, t, rep)
	}
	id, options, ok := s.tableID(t)
	if ok {
		if p := s.repo.keptProfile(id, options); p != nil {
			size := int64(0)
			for _, e := range t.files {
				size += e.Size
			}
			rep.Add(int64(len(t.files)), size)
			return &TableProfile{Subject: s.subject, Name: t.name, Known: int64(len(t.files)), Profile: p}, nil, nil
		}
	}
	all, problems, err := s.merged(ctx, t, rep)
	if err == nil && ok && len(problems) == 0 && all.Problem == "" { // a problem has a path in it, and the name of the profile has none
		err = s.repo.keepProfile(id, options, all.Profile)
	}
	return all, problems, err
}

// manyFiles is how many files a table has whose profile is kept.
const manyFiles = 16

// tableID names the profile of a table; ok says that it can be kept, and be known without a look at the bytes.
func (s *profileSide) tableID(t *tableFiles) (id, options digest.Digest, ok bool) {
	if s.repo == nil || s.version == nil || len(t.files) < manyFiles {
		return id, options, false
	}
	of := map[[2]string]digest.Digest{}
	parts := make([]profile.Part, 0, len(t.files))
	for _, e := range t.files {
		format, compression := table.FormatOf(e.Path)
		o, ok := of[[2]string{format, compression}]
		if !ok {
			o = t.o.Digest(e.Path)
			of[[2]string{format, compression}] = o
		}
		parts = append(parts, profile.Part{File: e.Digest, Options: o})
	}
	id, options = profile.Table(parts)
	return id, options, true
}

// merged merges the profiles of a table's files, in their order.
func (s *profileSide) merged(ctx context.Context, t *tableFiles, rep Reporter) (*TableProfile, []Problem, error) {
	all := &TableProfile{Subject: s.subject, Name: t.name, Profile: &profile.Profile{}}
	var known atomic.Int64
	var problems []Problem
	for files := range slices.Chunk(t.files, filesAtATime) {
		ps, errs := make([]*profile.Profile, len(files)), make([]error, len(files))
		one := func(ctx context.Context, i, workers int) {
			var had bool
			if ps[i], had, errs[i] = s.file(ctx, files[i], t.o, workers); had {
				known.Add(1)
			}
			rep.Add(1, files[i].Size)
		}
		var g errgroup.Group
		g.SetLimit(runtime.GOMAXPROCS(0))
		for i, f := range files {
			if f.Size <= smallFile {
				g.Go(func() error { one(ctx, i, 1); return nil })
			}
		}
		_ = g.Wait() // none of them fails
		for i, f := range files {
			if f.Size > smallFile {
				one(ctx, i, 0)
			}
		}
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		for i, p := range ps {
			if errs[i] != nil {
				problems = append(problems, Problem{Dataset: s.dataset, Path: files[i].Path, Err: errs[i]})
				continue
			}
			if p.Problem != "" {
				p.Problem = files[i].Path + ": " + p.Problem
			}
			all.Merge(p)
		}
	}
	all.Finish()
	all.Known = known.Load()
	return all, problems, nil
}

// file gives the profile of a file; had says that it was kept.
func (s *profileSide) file(ctx context.Context, e check.Entry, o profile.Options, workers int) (p *profile.Profile, had bool, err error) {
	d := digest.Digest(e.Digest)
	if d.IsZero() {
		if d, err = s.src.Digest(ctx, e); err != nil {
			return nil, false, err
		}
	}
	od := o.Digest(e.Path)
	if s.repo != nil {
		if p := s.repo.keptProfile(d, od); p != nil {
			return p, true, nil
		}
		if s.version != nil && e.Size >= profileSize && !s.version.here(e) {
			if p := s.version.remoteProfile(ctx, d, od); p != nil {
				return p, true, s.repo.keepProfile(d, od, p)
			}
		}
	}
	f, err := s.src.Open(ctx, e)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	o.Workers = workers
	if p, err = profile.Build(ctx, e.Path, f, d, o); err != nil {
		return nil, false, err
	}
	if s.repo != nil {
		err = s.repo.keepProfile(d, od, p)
	}
	return p, false, err
}

// shortOptions stands for the options in names.
func shortOptions(options digest.Digest) string { return options.String()[:16] }

// profilePath is where a profile is kept; options are short.
func (r *Repo) profilePath(d digest.Digest, options string) string {
	name := d.String()
	return filepath.Join(r.common, "profile", name[:2], name[2:]+"-"+options)
}

// decodeProfile is the profile that b is of a file, read with options; nil if it is none.
func decodeProfile(b []byte, d, options digest.Digest) *profile.Profile {
	p, file, opts, err := profile.Decode(b)
	if err != nil || file != d || opts != options {
		return nil
	}
	return p
}

// keptProfile is the profile of a file, or nil where there is none that can be used.
func (r *Repo) keptProfile(d, options digest.Digest) *profile.Profile {
	name := r.profilePath(d, shortOptions(options))
	info, err := os.Stat(name)
	if err != nil || info.Size() > profile.MaxSize {
		return nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	return decodeProfile(b, d, options)
}

// keepProfile writes a profile. Where the repository can't be written to, it is made again the next time.
func (r *Repo) keepProfile(d, options digest.Digest, p *profile.Profile) error {
	name := r.profilePath(d, shortOptions(options))
	err := r.writeProfile(name, p.Encode(d, options))
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

// writeProfile does not sync: what a crash leaves of it has no right checksum, and is made again.
func (r *Repo) writeProfile(name string, b []byte) error {
	dir := filepath.Dir(name)
	if err := r.disk.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	f, err := r.disk.CreateTempMode(dir, 0o666)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(b); err != nil {
		return err
	}
	return f.Commit(name, 0o666, false)
}

// Tracks says that a path, relative to where the user stands, is of a dataset, or a directory with datasets.
func (r *Repo) Tracks(ctx context.Context, p string) bool {
	if r.root == "" {
		return false
	}
	ts, err := r.targets(ctx, []string{p})
	return err == nil && len(ts) > 0
}

// Files tells arguments that are files or directories on the disk from those that name a version, [REV:]DATASET. r may be nil.
func (r *Repo) Files(ctx context.Context, dir string, args []string) bool {
	if len(args) == 0 {
		return false
	}
	for _, p := range args {
		if r != nil && r.Tracks(ctx, p) {
			return false
		}
		if _, err := os.Stat(absIn(dir, p)); err != nil {
			return false
		}
	}
	return true
}
