package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"tarn/index"
	"tarn/index/scan"
	"tarn/internal/check"
	"tarn/internal/check/contract"
	"tarn/internal/check/report"
	"tarn/internal/durable"
	"tarn/store/digest"
)

// The names of contracts, beside the manifest of a dataset.
const (
	ContractSuffix = ".contract.yaml"
	SchemaSuffix   = ".schema.json"
)

// CheckOptions say what is held against which contract.
type CheckOptions struct {
	Targets  []string // [REV:]DATASET; none: all datasets of the work tree that have a contract
	Contract string   // a file; empty: that beside the manifest
	Remote   string   // where bytes that are not here come from; empty: that of each dataset
	CheckSettings
}

// CheckSettings are those of every run.
type CheckSettings struct {
	Shown    int  // violations that are kept of each check
	NoValues bool // nothing of the data in the result
	Now      time.Time
}

// CheckResult is what was found, by dataset.
type CheckResult struct {
	Results  []*report.Result
	NotAdded map[string]int // by subject: paths of the workspace whose changes are in no manifest, and so were not looked at
	Problems []Problem      // bytes that are not what they should be
}

// ErrNoContract says that there is nothing to check against.
var ErrNoContract = fmt.Errorf("%w: there is no contract", ErrUsage)

// Check holds versions of datasets against their contracts. What is wrong with the data is in the result; a wrong contract wraps ErrUsage. There is a result only
// of a run that came to its end, with ErrCorrupt where bytes are not what they should be.
func (r *Repo) Check(ctx context.Context, o CheckOptions) (*CheckResult, error) {
	if err := r.knownRemote(o.Remote); err != nil {
		return nil, err
	}
	ts, err := r.checkTargets(ctx, o)
	if err != nil {
		return nil, err
	}
	res, err := r.checkEach(ctx, ts, o)
	if err != nil {
		return nil, err
	}
	return res, outcome(nil, res.Problems)
}

func (r *Repo) checkEach(ctx context.Context, ts []checkTarget, o CheckOptions) (*CheckResult, error) {
	res := &CheckResult{NotAdded: map[string]int{}}
	for _, t := range ts {
		n, err := r.notAdded(ctx, t, o.Remote)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			res.NotAdded[t.subject] = n
			r.report.Warn(t.subject, notAddedText(n, r.typed(t.String())))
		}
		if err := r.checkOne(ctx, t, o, res); err != nil {
			return nil, err
		}
	}
	return res, nil
}

func notAddedText(n int, name string) string {
	if n == 1 {
		return "1 path here differs from the version that is checked; tarn add " + name + ", to check it"
	}
	return fmt.Sprintf("%d paths here differ from the version that is checked; tarn add %s, to check them", n, name)
}

func (r *Repo) checkOne(ctx context.Context, t checkTarget, o CheckOptions, res *CheckResult) error {
	var opened []*versionSource
	open := func(w wanted) *versionSource {
		opened = append(opened, &versionSource{r: r, w: w, remote: o.Remote, problems: &res.Problems})
		return opened[len(opened)-1]
	}
	defer func() {
		for _, s := range opened {
			s.close()
		}
	}()
	in := check.Input{Contract: t.contract, Source: open(t.wanted), Subject: t.subject, Single: t.Form == index.FormFile, Part: t.Prefix != "" || t.Form == index.FormFile, Temp: r.checkTemp,
		Reference: func(ctx context.Context, name string) (check.Source, error) {
			w, err := r.checkReference(ctx, t, name)
			if err != nil {
				return nil, err
			}
			return open(w), nil
		}}
	if t.Prefix != "" {
		whole := t.wanted
		whole.Prefix = ""
		in.Whole = open(whole)
	}
	return o.run(ctx, in, t.at, r.report, res, t.Manifest)
}

// notAdded counts what a check of the manifest in the work tree does not see: the changes of the workspace, as Status finds them. Where that is not possible
// nothing is said, as the version can be checked all the same.
func (r *Repo) notAdded(ctx context.Context, t checkTarget, remote string) (int, error) {
	if t.rev != "" {
		return 0, nil
	}
	l := &looking{r: r, verb: "compare", t: t.Target, src: r.from(t.Dataset, remote), out: DatasetStatus{NotKept: true}}
	var err error
	if l.s, err = r.newSurvey(t.Target); err != nil {
		return 0, ctx.Err()
	}
	defer l.s.close()
	if l.s.v == nil || l.s.v.id != t.id || l.neverHere() || l.againstWorkspace(ctx) != nil {
		return 0, ctx.Err()
	}
	return l.out.NotAdded(), nil
}

// run adds the result of one run. at is where the contract stands in the repository.
func (s CheckSettings) run(ctx context.Context, in check.Input, at string, rep Reporter, res *CheckResult, m *index.Manifest) error {
	in.Now, in.Shown, in.NoValues = s.Now, s.Shown, s.NoValues
	in.Progress = rep.Add
	total := int64(-1)
	if m != nil {
		_, total = index.Totals(m)
	}
	rep.Phase("check "+in.Subject, -1, total)
	got, err := check.Run(ctx, in)
	var rule *check.RuleError
	if errors.As(err, &rule) {
		return fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if err != nil {
		return fmt.Errorf("check %s: %w", in.Subject, err)
	}
	got.Path = at
	for i := range got.Checks { // errors of sources became text
		c := &got.Checks[i]
		c.Note = Plain(c.Note)
		for j := range c.Violations {
			c.Violations[j].Note = Plain(c.Violations[j].Note)
		}
	}
	res.Results = append(res.Results, got)
	return nil
}

// checkTarget is a version with the contract that it is held against.
type checkTarget struct {
	wanted
	rev      string // "" for the work tree
	subject  string
	contract *contract.Contract
	at       string // where the contract stands, from the root of the repository
}

func (r *Repo) checkTargets(ctx context.Context, o CheckOptions) ([]checkTarget, error) {
	var ts []checkTarget
	args := o.Targets
	if len(args) == 0 {
		args = []string{""}
	}
	for _, arg := range args {
		more, err := r.checkTarget(ctx, arg, o)
		if err != nil {
			return nil, err
		}
		ts = append(ts, more...)
	}
	if len(ts) == 0 {
		return nil, &Hinted{fmt.Errorf("%w beside any dataset", ErrNoContract), "tarn check --init DATASET"}
	}
	return ts, nil
}

// checkTarget finds the datasets that an argument names. Of one that names many, those without a contract are left out.
func (r *Repo) checkTarget(ctx context.Context, arg string, o CheckOptions) ([]checkTarget, error) {
	rev, p := splitRev(arg)
	var paths []string
	if p != "" {
		paths = []string{p}
	}
	ws, err := r.versionsAt(ctx, rev, paths)
	if err != nil {
		return nil, err
	}
	if len(ws) == 0 && arg != "" {
		return nil, fmt.Errorf("%w: there is no dataset %s", ErrUsage, arg)
	}
	var ts []checkTarget
	for _, w := range ws {
		c, at, err := r.findContract(ctx, rev, w, o.Contract)
		if errors.Is(err, ErrNoContract) && (arg == "" || len(ws) > 1) {
			continue
		}
		if err != nil {
			return nil, err
		}
		ts = append(ts, checkTarget{w, rev, subject(rev, w.Target), c, at})
	}
	return ts, nil
}

// versionsAt are the datasets below paths in a revision; rev is empty for the manifests of the work tree, and no paths are all. A manifest that can't be read is an error.
func (r *Repo) versionsAt(ctx context.Context, rev string, paths []string) ([]wanted, error) {
	s := Selection{Paths: paths}
	if rev != "" {
		s.Revs = []string{rev}
	}
	ws, problems, err := r.versions(ctx, s)
	if err == nil && len(problems) > 0 {
		err = problems[0].Err
	}
	if err != nil {
		return nil, err
	}
	return ws, nil
}

// subject names what is looked at as a user would; rev is empty for the work tree.
func subject(rev string, t Target) string {
	if rev == "" {
		return t.String()
	}
	return rev + ":" + t.String()
}

// splitRev takes REV:PATH apart; a path may have a colon only after a "/", or with "./" in front.
func splitRev(arg string) (rev, p string) {
	before, after, ok := strings.Cut(arg, ":")
	if !ok || strings.Contains(before, string(filepath.Separator)) && strings.HasPrefix(before, ".") || len(before) == 1 && filepath.VolumeName(arg) != "" {
		return "", arg
	}
	return before, after
}

// findContract reads the contract of a version: the file that was named, else that beside the manifest, of the commit if it has one, else of the work tree.
// at is where it stands, from the root of the repository.
func (r *Repo) findContract(ctx context.Context, rev string, w wanted, named string) (c *contract.Contract, at string, err error) {
	if named != "" {
		c, err = readContract(named, r.absHere(named))
		return c, r.place(named), err
	}
	for _, suffix := range []string{ContractSuffix, SchemaSuffix} {
		name := w.Dataset + suffix
		if rev != "" {
			b, err := r.git.Contents(ctx, w.commit+":"+name, contract.MaxSize)
			if err == nil {
				c, err = loadContract(rev+":"+name, b)
				return c, name, err
			}
			if !isNotFound(err) {
				return nil, "", err
			}
		}
		if r.root == "" { // a bare repository has commits only
			continue
		}
		c, err := readContract(name, r.abs(name))
		if !errors.Is(err, ErrNoContract) {
			return c, name, err
		}
	}
	return nil, "", &Hinted{fmt.Errorf("%w beside %s", ErrNoContract, w.Dataset+ManifestSuffix), "tarn check --init " + r.typed(w.Dataset)}
}

func readContract(name, p string) (*contract.Contract, error) {
	f, info, err := durable.OpenRegular(p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w %s", ErrNoContract, name)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Size() > contract.MaxSize {
		return nil, fmt.Errorf("%w: %s has more than %d bytes", ErrUsage, name, contract.MaxSize)
	}
	b := make([]byte, info.Size())
	if _, err := f.ReadAt(b, 0); err != nil && len(b) > 0 {
		return nil, err
	}
	return loadContract(name, b)
}

func loadContract(name string, b []byte) (*contract.Contract, error) {
	c, err := contract.Load(name, b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	return c, nil
}

// checkReference is another dataset, in the version that goes with the target.
func (r *Repo) checkReference(ctx context.Context, t checkTarget, name string) (w wanted, err error) {
	name = path.Clean(path.Join(path.Dir(t.Dataset), name))
	ws, err := r.versionsAt(ctx, t.rev, []string{filepath.Join(r.root, filepath.FromSlash(name))})
	if err != nil {
		return w, err
	}
	if len(ws) != 1 {
		return w, fmt.Errorf("there is no dataset %s", name)
	}
	return ws[0], nil
}

// checkTemp is a file for keys, beside the index.
func (r *Repo) checkTemp() (spillFile, error) {
	dir := filepath.Join(r.own, "tmp")
	if err := r.disk.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	return tempIn(r.disk, dir)
}

// versionSource gives the files of a version: from the workspace where the index says that they are there unchanged, else from the cache, else in parts from
// the remote.
type versionSource struct {
	r        *Repo
	w        wanted
	remote   string
	mu       sync.Mutex
	problems *[]Problem
	idx      *scan.Index
	opened   bool
}

func (s *versionSource) close() {
	if s.idx != nil {
		s.idx.Close()
	}
}

func (s *versionSource) Entries(ctx context.Context) iter.Seq2[check.Entry, error] {
	return func(yield func(check.Entry, error) bool) {
		for e, err := range index.Walk(ctx, s.w.Manifest, s.r.from(s.w.Dataset, s.remote), s.w.Prefix) {
			if err != nil {
				yield(check.Entry{}, err)
				return
			}
			if e.Kind != index.File && e.Kind != index.Exec {
				continue
			}
			if !yield(check.Entry{Path: tableName(s.w.Dataset, e.Path), Size: e.Size, Digest: e.Digest}, nil) {
				return
			}
		}
	}
}

func (s *versionSource) Digest(_ context.Context, e check.Entry) ([32]byte, error) {
	return e.Digest, nil
}

func (s *versionSource) Open(ctx context.Context, e check.Entry) (check.File, error) {
	f, err := s.open(ctx, e)
	s.noted(e.Path, err)
	return f, err
}

// noted makes a problem of corrupt bytes, one for each file.
func (s *versionSource) noted(path string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	named := func(p Problem) bool { return p.Dataset == s.w.Dataset && p.Path == path }
	if isCorrupt(err) && !slices.ContainsFunc(*s.problems, named) {
		*s.problems = append(*s.problems, Problem{Dataset: s.w.Dataset, Path: path, Err: err})
	}
}

// entry is the entry as manifests have it.
func (s *versionSource) entry(e check.Entry) index.Entry {
	entry := index.Entry{Path: e.Path, Kind: index.File, Digest: digest.Digest(e.Digest), Size: e.Size}
	if s.w.Form == index.FormFile {
		entry.Path = "."
	}
	return entry
}

// here says that the bytes of an entry are in the workspace or in the cache.
func (s *versionSource) here(e check.Entry) bool {
	entry := s.entry(e)
	if f := s.workspace(&entry); f != nil {
		f.Close()
		return true
	}
	store, err := s.r.openCache()
	return err == nil && store.Has(entry.Digest)
}

func (s *versionSource) open(ctx context.Context, e check.Entry) (check.File, error) {
	entry := s.entry(e)
	if f := s.workspace(&entry); f != nil {
		return f, nil
	}
	store, err := s.r.openCache()
	if err != nil {
		return nil, err
	}
	at, err := store.OpenAt(entry.Digest)
	switch {
	case err == nil:
		return at, nil
	case !isMissing(err):
		return nil, err
	}
	return orRemote(s.r, path.Join(s.w.Dataset, e.Path), err, func() (check.File, error) {
		f, err := s.r.openRemote(ctx, s.w, &entry, s.remote, func(err error) { s.noted(e.Path, err) })
		if err != nil {
			return nil, fmt.Errorf("it is neither in the workspace nor in the cache, and: %w", err)
		}
		return f, nil
	})
}

// workspace opens the file that stands there, if the index knows that it has the entry's bytes.
func (s *versionSource) workspace(e *index.Entry) check.File {
	s.mu.Lock()
	if !s.opened {
		s.idx, s.opened = s.r.openIndex(s.w.Dataset), true
	}
	if s.idx == nil {
		s.mu.Unlock()
		return nil
	}
	rec, ok := s.idx.Lookup(e.Path)
	s.mu.Unlock()
	if !ok || rec.Digest != e.Digest {
		return nil
	}
	f, info, err := durable.OpenRegular(s.r.entryPath(s.w.Dataset, e.Path))
	if err != nil {
		return nil
	}
	if st := scan.StatOf(info); st.Size != e.Size || !rec.Trusted(st, s.r.trust()) {
		f.Close()
		return nil
	}
	return osFile{f, e.Size}
}

type osFile struct {
	*os.File
	size int64
}

func (f osFile) Size() int64 { return f.size }
