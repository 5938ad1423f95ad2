package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"tarn/index/scan"
	"tarn/index/vcs"
	"tarn/internal/config"
	"tarn/internal/durable"
	"tarn/store/blob"
	"tarn/store/cache"
	"tarn/store/digest"
	"tarn/store/pack"
	"tarn/store/transfer"
)

// Options say where and how verbs work; the caller fills them from flags and environment.
type Options struct {
	Dir          string        // where the user stands; empty: the process's directory
	SystemConfig string        // path of the system's configuration
	UserConfig   string        // path of the user's
	Env          []string      // environment for git and for the keys of remotes; nil: the process's for git, and none
	Machine      string        // what tells this machine from others, for the identity of local paths
	Jobs         int           // transfers at once; 0: as configured
	LimitUp      int64         // bytes a second to remotes; 0: as configured
	LimitDown    int64         // bytes a second from remotes; 0: as configured
	Disk         *durable.Disk // nil: the real disk
	Report       Reporter      // nil: silent

	wrapBucket func(blob.Bucket) blob.Bucket // for tests: goes around a remote's bucket, outside of the retries
	peek       bool                          // only to look at: an interrupted move is left to others
	batch      int                           // for tests: how many files a fetch plans, or a pull past the cache takes, at a time
	stall      time.Duration                 // for tests: how long a connection may be silent
	retryFirst time.Duration                 // for tests: the first pause before another attempt
}

// Repo is an opened repository. A verb is a method of it; verbs are run one after the other.
type Repo struct {
	o      Options
	disk   *durable.Disk
	report Reporter
	git    *vcs.Repo
	cfg    *config.Config
	root   string // of the work tree, absolute, symlinks resolved; "" in a bare repository
	base   string // where relative paths in the configuration start: root, or the bare repository itself; "" where that is not on this machine
	prefix string // of Dir below root, slashes, "" at the root
	common string // what worktrees share: cache, local configuration, ledgers
	own    string // of this worktree: stat indexes

	storeMu sync.Mutex
	store   *cache.Cache

	stuck   *moving // a move that was interrupted and can't be finished, for the reason stuckBy
	stuckBy error

	tracked string // where there is no work tree: the name of .tarn/config in a commit, REV:PATH
	text    []byte // and what it says
	sparse  []byte // .tarn/config, where a sparse checkout leaves it out

	connMu sync.Mutex
	conns  connections

	ratesOnce sync.Once
	limits    rates
	fewer     sync.Once  // jobs than asked for: said
	locateMu  sync.Mutex // looking for bytes on a remote, file by file
}

// ManifestSuffix ends the name of a manifest: data/ is tracked by data.tarn.
const ManifestSuffix = ".tarn"

// ErrNoRepo says that there is no repository that tarn can work in.
var ErrNoRepo = fmt.Errorf("%w: not in a Git repository", ErrUsage)

// Open finds the repository that Dir is in.
func Open(ctx context.Context, o Options) (*Repo, error) {
	r, err := locate(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := r.loadConfig(); err != nil {
		return r, err
	}
	if o.peek {
		return r, nil
	}
	return r, r.finishMove(ctx)
}

// locate is Open without a look at the configuration.
func locate(ctx context.Context, o Options) (*Repo, error) {
	if o.Report == nil {
		o.Report = Silent{}
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.EvalSymlinks(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is no directory %s", ErrUsage, o.Dir)
	}
	if err != nil {
		return nil, err
	}
	g, err := vcs.Open(ctx, dir, vcs.Options{Env: o.Env})
	if errors.Is(err, vcs.ErrNotRepo) {
		return nil, &Hinted{ErrNoRepo, "git init"}
	}
	if err != nil {
		return nil, err
	}
	r := newRepo(o, g)
	if err := r.settle(ctx, dir); err != nil {
		g.Close()
		return nil, err
	}
	return r, nil
}

// settle finds out where in the repository dir is, and where its configuration.
func (r *Repo) settle(ctx context.Context, dir string) error {
	if r.root == "" {
		return r.readTracked(ctx, "HEAD")
	}
	rel, err := filepath.Rel(r.root, dir)
	if err != nil {
		return err
	}
	if r.prefix = filepath.ToSlash(rel); r.prefix == "." {
		r.prefix = ""
	}
	r.sparse, err = r.git.SparseContents(ctx, ".tarn/config", config.MaxSize)
	return err
}

func newRepo(o Options, g *vcs.Repo) *Repo {
	r := &Repo{o: o, disk: o.Disk, report: o.Report, git: g, root: g.Root, base: g.Root}
	if r.base == "" {
		r.base = g.GitDir
	}
	r.common, r.own = filepath.Join(g.CommonDir, "tarn"), filepath.Join(g.GitDir, "tarn")
	return r
}

// readTracked takes .tarn/config from a commit; where there is none, or no commit yet, it is empty.
func (r *Repo) readTracked(ctx context.Context, rev string) (err error) {
	r.tracked = rev + ":.tarn/config"
	if r.text, err = r.git.Contents(ctx, r.tracked, config.MaxSize); err != nil && !isNotFound(err) {
		return fmt.Errorf("read %s from git: %w", r.tracked, err)
	}
	return nil
}

// needWorkTree is for what reads or changes files of a work tree.
func (r *Repo) needWorkTree() error {
	if r.root == "" {
		return fmt.Errorf("%w: a bare repository has no work tree", ErrUsage)
	}
	return nil
}

func (r *Repo) loadConfig() error {
	load, text := config.LoadSparse, r.sparse
	if r.tracked != "" {
		load, text = config.LoadTracked, r.text
	}
	c, err := load(r.configPaths(), text)
	if err != nil {
		return fmt.Errorf("%w: read configuration: %w", ErrUsage, err)
	}
	for _, w := range c.Warnings() {
		r.report.Warn(w.Origin.String(), w.Name+": "+w.Message)
	}
	r.cfg = c
	return nil
}

func (r *Repo) configPaths() (p config.Paths) {
	p[config.System], p[config.User] = r.o.SystemConfig, r.o.UserConfig
	p[config.Local] = filepath.Join(r.common, "config")
	if p[config.Repository] = r.tracked; r.tracked == "" {
		p[config.Repository] = config.RepositoryPath(r.root)
	}
	return p
}

// Close releases what the verbs opened.
func (r *Repo) Close() error {
	err := errors.Join(r.closeConns(), r.git.Close())
	if r.store != nil {
		err = errors.Join(err, r.store.Close())
	}
	return err
}

// Root is the top of the work tree, an absolute path.
func (r *Repo) Root() string { return r.root }

// openCache opens the local store, and makes it if it is not there; by the first of many goroutines who asks.
func (r *Repo) openCache() (*cache.Cache, error) {
	r.storeMu.Lock()
	defer r.storeMu.Unlock()
	if r.store != nil {
		return r.store, nil
	}
	c, err := cache.Open(r.disk, r.cacheDir(), r.cacheOptions())
	if err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	r.store = c
	return c, nil
}

// holdCache opens the local store and holds it against gc, for verbs that rely on what it has.
func (r *Repo) holdCache(ctx context.Context) (*cache.Cache, *cache.Lock, error) {
	store, err := r.openCache()
	if err != nil {
		return nil, nil, err
	}
	lock, err := store.Lock(ctx, true)
	return store, lock, err
}

func (r *Repo) cacheOptions() (o cache.Options) {
	if links, _, ok := r.cfg.Get("cache", "", "link"); ok {
		for l := range strings.SplitSeq(links, ",") {
			o.Links = append(o.Links, strings.TrimSpace(l))
		}
	}
	shared, _, ok := r.cfg.Get("cache", "", "shared")
	o.Group = shared == "group" || !ok && cache.GroupShared(r.cacheDir())
	if r.cacheDir() != r.ownCache() {
		o.Repository = r.git.CommonDir
	}
	return o
}

// ownCache is where the cache is unless cache.dir says something else.
func (r *Repo) ownCache() string { return filepath.Join(r.common, "cache") }

// cacheDir is <git-common-dir>/tarn/cache, or cache.dir: absolute, ~/… or relative to the root of the work tree, or to the bare repository.
func (r *Repo) cacheDir() string {
	dir, _, ok := r.cfg.Get("cache", "", "dir")
	if !ok || dir == "" {
		return r.ownCache()
	}
	return r.configured(dir)
}

// configured is a path of the configuration: absolute, ~/… or relative to the root of the work tree, or to the bare repository.
func (r *Repo) configured(p string) string {
	switch {
	case p == "" || filepath.IsAbs(p):
		return p
	case strings.HasPrefix(p, "~/"):
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, p[2:])
		}
	}
	return filepath.Join(r.base, filepath.FromSlash(p))
}

// abs is the absolute path of a slash path below the root.
func (r *Repo) abs(name string) string { return filepath.Join(r.root, filepath.FromSlash(name)) }

// absIn is a path that the user wrote in dir.
func absIn(dir, p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(dir, p)
}

// absHere is a path that the user wrote where he stands.
func (r *Repo) absHere(p string) string {
	return absIn(filepath.Join(r.root, filepath.FromSlash(r.prefix)), p)
}

// place is where a file that the user named stands, from the root of the repository and with "/". Where it is in none, as it was named; r may be nil.
func (r *Repo) place(named string) string {
	if r != nil && r.root != "" {
		if p, err := r.rel(named); err == nil {
			return p
		}
	}
	return filepath.ToSlash(named)
}

// typed is a path of the repository as the user would type it where he stands.
func (r *Repo) typed(name string) string {
	if rel, err := filepath.Rel(filepath.FromSlash(r.prefix), filepath.FromSlash(name)); err == nil {
		return rel
	}
	return name
}

// rel is the slash path below the root of what the user wrote, without following symlinks in its last element. In a bare repository paths start at its root.
func (r *Repo) rel(arg string) (string, error) {
	if r.root == "" {
		return fromRoot(arg)
	}
	p := filepath.Clean(r.absHere(arg))
	if dir, err := filepath.EvalSymlinks(filepath.Dir(p)); err == nil && p != r.root {
		p = filepath.Join(dir, filepath.Base(p))
	}
	rel, err := filepath.Rel(r.root, p)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return "", fmt.Errorf("%w: %s is outside the repository %s", ErrUsage, arg, r.root)
	}
	if rel = filepath.ToSlash(rel); rel == "." {
		return "", nil
	}
	return rel, nil
}

// fromRoot cleans a slash path that starts at the root.
func fromRoot(arg string) (string, error) {
	p := path.Clean(filepath.ToSlash(arg))
	switch {
	case p == ".." || strings.HasPrefix(p, "../") || path.IsAbs(p):
		return "", fmt.Errorf("%w: %s is outside the repository", ErrUsage, arg)
	case p == ".":
		return "", nil
	}
	return p, nil
}

// jobs is how many transfers run at once: no more than their memory allows.
func (r *Repo) jobs() int {
	n := 6
	if v, ok, err := r.cfg.GetInt("transfer", "", "jobs"); ok && err == nil {
		n = int(v)
	}
	if r.o.Jobs > 0 {
		n = r.o.Jobs
	}
	memory := int64(defaultMemory)
	if v, ok, err := r.cfg.GetInt("transfer", "", "memory"); ok && err == nil {
		memory = v
	}
	most := transfer.JobsWithin(memory)
	if n > most {
		r.fewer.Do(func() {
			r.report.Warn("transfer", fmt.Sprintf("%d at once, not %d: more than that needs a larger transfer.memory", most, n))
		})
	}
	return min(n, most)
}

// defaultMemory is transfer.memory, in bytes, where it is not set; the whole process then stays below 512 MiB.
const defaultMemory = 320 << 20

// encoder compresses what is pushed, as transfer.compress says.
func (r *Repo) encoder() (*pack.Encoder, error) {
	level, err := pack.LevelDefault, error(nil)
	switch v, from, _ := r.cfg.Get("transfer", "", "compress"); v {
	case "", "auto":
	case "off":
		level = pack.LevelStored
	default:
		if level, err = strconv.Atoi(v); err != nil || level < 1 || level > pack.LevelMost {
			return nil, fmt.Errorf("%w: %s: transfer.compress is %q, and must be auto, off or a level from 1 to %d", ErrUsage, from, v, pack.LevelMost)
		}
	}
	return pack.NewEncoder(level)
}

func workers() int { return max(2, runtime.GOMAXPROCS(0)) }

// trust says which parts of a stat count.
func (r *Repo) trust() scan.Trust {
	t := scan.Trust{CTime: true}
	if v, ok, err := r.cfg.GetBool("index", "", "trustCtime"); ok && err == nil {
		t.CTime = v
	}
	if v, _, _ := r.cfg.Get("index", "", "checkStat"); v != "" {
		t.CheckStat = scan.CheckStat(v)
	}
	return t
}

// indexPath is where the stat index of a dataset is.
func (r *Repo) indexPath(dataset string) string {
	return filepath.Join(r.own, "index", datasetID(dataset))
}

func datasetID(dataset string) string { return digest.Sum([]byte(dataset)).String()[:32] }

// lock keeps other processes of tarn from changing the dataset at the same time.
func (r *Repo) lock(ctx context.Context, dataset string) (*durable.Lock, error) {
	if r.stuck != nil && (dataset == r.stuck.from || dataset == r.stuck.to) {
		return nil, r.stuckBy
	}
	dir := filepath.Join(r.own, "lock")
	if err := r.disk.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	l, err := r.disk.Lock(ctx, filepath.Join(dir, datasetID(dataset)), false)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dataset, err)
	}
	return l, nil
}

// tryLock is lock without waiting.
func (r *Repo) tryLock(dataset string) (*durable.Lock, error) {
	dir := filepath.Join(r.own, "lock")
	if err := r.disk.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	return r.disk.TryLock(filepath.Join(dir, datasetID(dataset)), false)
}

// openIndex opens a dataset's stat index; one that is missing or broken is as none.
func (r *Repo) openIndex(dataset string) *scan.Index {
	idx, err := scan.Open(r.indexPath(dataset))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			r.report.Warn(dataset, "its index can't be read and is made anew: "+err.Error())
		}
		return nil
	}
	return idx
}
