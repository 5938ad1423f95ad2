package dataset

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tarn/index/vcs"
	"tarn/internal/config"
	"tarn/store/cache"
	"tarn/store/digest"
)

// GetOptions say what to get.
type GetOptions struct {
	URL    string // of a Git repository, as git clone takes it; @REV may stand behind it
	Rev    string // the revision; empty: what stands behind the URL, else HEAD
	Path   string // from the root of that repository: a dataset, something in one, or what Git tracks there
	Out    string // where it goes; empty: the last element of Path, here
	Remote string // one of that repository's, or the URL of one; empty: that of the dataset
	Force  bool   // replace files
	Temp   string // a directory for what is needed meanwhile
}

// GetResult is what get did.
type GetResult struct {
	URL      string // without secrets
	Commit   string // hexadecimal
	Path     string // in that repository, links followed; "" is its root
	Dataset  string // that Path is, or is in; "" if it is none
	Prefix   string // the part of it; "" for all
	To       string // the file or directory that was written, absolute
	Written  int64  // files, links and empty directories
	Bytes    int64  // of the files
	Same     int64  // entries that were there already
	Received int64  // bytes over the wire
	Requests int64
	Seconds  float64
	Problems []Problem
}

// Get brings a file or directory of another repository here, of a dataset or of Git, without its history and what else it has. Each file is checked before it
// gets its name. What is there already is kept if it is right, so that an interrupted get goes on; else it is a Problem, and the error wraps ErrRefused. Where the
// user stands in a repository, its cache is read, too; nothing but pages of manifests is written there.
func Get(ctx context.Context, o Options, g GetOptions) (res *GetResult, err error) {
	start := time.Now()
	if o.Report == nil {
		o.Report = Silent{}
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, err
	}
	temp, err := makeTemp(o, g.Temp)
	if err != nil {
		return nil, err
	}
	defer func() {
		if rerr := o.Disk.RemoveAll(temp); err == nil && rerr != nil {
			err = fmt.Errorf("remove what was needed meanwhile: %w", rerr)
		}
	}()
	src, commit, err := openOther(ctx, o, &g, temp)
	if err != nil {
		return nil, err
	}
	res = &GetResult{URL: config.RedactURL(g.URL), Commit: commit}
	x := &getting{src: src, o: g, dir: o.Dir, res: res}
	x.f = &fetch{r: src, o: FetchOptions{Remote: g.Remote}, res: &TransferResult{}, store: src.store, sink: x, asked: map[digest.Digest]bool{}}
	err = errors.Join(x.run(ctx), src.Close())
	if res.To == "" {
		return nil, err
	}
	res.Seconds = time.Since(start).Seconds()
	return res, getOutcome(outcome(err, res.Problems), res.Problems)
}

// getOutcome prefers "refused" to "incomplete", as checkout does.
func getOutcome(err error, problems []Problem) error {
	if n := refusals(err, problems); n > 0 {
		return fmt.Errorf("%w: %s there already with other content", ErrRefused, plural(n, "path"))
	}
	return err
}

func makeTemp(o Options, parent string) (string, error) {
	var name [8]byte
	rand.Read(name[:])
	dir := filepath.Join(parent, "tarn-get-"+hex.EncodeToString(name[:]))
	return dir, o.Disk.MkdirAll(dir, 0o700)
}

// openOther clones the repository at g.URL into temp and opens it as of the revision; g.URL and g.Rev are what they are then.
func openOther(ctx context.Context, o Options, g *GetOptions, temp string) (*Repo, string, error) {
	at := func(p string) string { return absIn(o.Dir, p) }
	if g.Rev == "" {
		g.URL, g.Rev = vcs.SplitRev(g.URL, func(p string) bool { _, err := os.Stat(at(p)); return err == nil })
	}
	if g.URL == "" || strings.HasPrefix(g.URL, "-") {
		return nil, "", fmt.Errorf("%w: %q is not the URL of a repository", ErrUsage, g.URL)
	}
	from, base := g.URL, ""
	if p, ok := vcs.IsLocal(g.URL); ok {
		if base = at(p); !strings.Contains(g.URL, "://") {
			from = base
		}
		if filepath.Base(base) == ".git" {
			base = filepath.Dir(base)
		}
	}
	shown := config.RedactURL(g.URL)
	o.Report.Phase("clone "+shown, -1, -1)
	git, commit, err := vcs.Clone(ctx, from, g.Rev, temp, ".tarn/config", vcs.Options{Env: o.Env})
	if err != nil {
		return nil, "", cloneError(err, g.URL, shown)
	}
	src := newRepo(o, git)
	src.base = base
	if err = src.readTracked(ctx, commit); err == nil {
		err = src.loadConfig()
	}
	if err == nil {
		src.o.Jobs = min(src.jobs(), mostJobs)
		src.store, err = cacheOf(ctx, o, filepath.Join(temp, "cache"))
	}
	if err == nil {
		err = src.takeRemote(g, at)
	}
	if err != nil {
		src.Close()
		return nil, "", err
	}
	return src, commit, nil
}

// mostJobs is the most transfers at once that another repository's configuration may ask for: each takes memory.
const mostJobs = 16

// cloneError says why a repository could not be cloned, without a password of its URL.
func cloneError(err error, url, shown string) error {
	var g *vcs.GitError
	if errors.As(err, &g) {
		g.Stderr = strings.ReplaceAll(reason(g.Stderr), url, shown)
	}
	if errors.Is(err, vcs.ErrRev) {
		return fmt.Errorf("%w: %s: %w", ErrUsage, shown, err)
	}
	return fmt.Errorf("clone %s: %w", shown, err)
}

// reason is the first line of what git says that is no mere warning.
func reason(said string) string {
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(strings.TrimPrefix(line, "fatal: "))
		if line != "" && !strings.HasPrefix(line, "warning: ") && !strings.HasPrefix(line, "hint: ") {
			return line
		}
	}
	return said
}

// cacheOf is the cache of the repository that the user stands in, else one in temp. Files come out of it as copies or reflinks, whatever is configured, for
// they are not the workspace of that repository.
func cacheOf(ctx context.Context, o Options, temp string) (*cache.Cache, error) {
	dir, co := temp, cache.Options{}
	here, err := Open(ctx, o)
	if err == nil {
		dir, co = here.cacheDir(), here.cacheOptions()
		co.Links = nil
		err = here.Close()
	} else if errors.Is(err, ErrNoRepo) {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	return cache.Open(o.Disk, dir, co)
}

// takeRemote lets --remote be a URL, which is then the remote of that name.
func (r *Repo) takeRemote(g *GetOptions, at func(string) string) error {
	if g.Remote == "" {
		return nil
	}
	if _, err := r.Remote(g.Remote); err == nil {
		return nil
	}
	url := g.Remote
	if !strings.Contains(url, "://") {
		if !strings.ContainsAny(url, `/\`) {
			return fmt.Errorf("%w: that repository has no remote %q; a URL or path has a slash", ErrUsage, url)
		}
		url = at(url)
	}
	g.Remote = config.RedactURL(url)
	r.cfg = r.cfg.With("remote", g.Remote, "url", url)
	return nil
}
