package vcs

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Clone makes a bare repository below dir with as little of the one at from, a URL, as is needed to read the commit that rev names ("" is its HEAD): of a
// local path nothing is copied, else one commit without the contents of its files, which Git brings when they are asked for, as far as the server can do that;
// probe is a file with which that is tried. The caller removes dir. Errors: ErrRev, *GitError.
func Clone(ctx context.Context, from, rev, dir, probe string, o Options) (r *Repo, commit string, err error) {
	if strings.HasPrefix(from, "-") || from == "" {
		return nil, "", fmt.Errorf("clone %q: not a URL", from) // git would take it for an option
	}
	rev = orHead(rev)
	if _, local := IsLocal(from); local && !isFile(from) {
		return shared(ctx, from, rev, filepath.Join(dir, "shared"), o)
	}
	r, commit, err = partial(ctx, from, rev, filepath.Join(dir, "partial"), "--filter=blob:none", o)
	if err != nil {
		return nil, "", err
	}
	if _, perr := r.Contents(ctx, commit+":"+probe, 1<<20); perr != nil && !errors.Is(perr, ErrNotFound) && ctx.Err() == nil {
		r.Close()
		return partial(ctx, from, rev, filepath.Join(dir, "full"), "--no-filter", o)
	}
	r.partial = true
	return r, commit, nil
}

func newClone(dir string, o Options) *Repo {
	return &Repo{GitDir: dir, CommonDir: dir, Bare: true, env: environment(foreign(o.Env))}
}

// made is for the end of making a clone.
func (r *Repo) made(commit string, err error) (*Repo, string, error) {
	if err != nil {
		r.Close()
		return nil, "", err
	}
	r.Shallow = exists(filepath.Join(r.CommonDir, "shallow"))
	return r, commit, nil
}

// shared clones a local path.
func shared(ctx context.Context, from, rev, dir string, o Options) (*Repo, string, error) {
	r := newClone(dir, o)
	_, err := r.runIn(ctx, filepath.Dir(dir), nil, "clone", "--quiet", "--bare", "--shared", "--template=", "--", from, dir)
	if err != nil {
		return r.made("", err)
	}
	r.env = append(r.env, "GIT_DIR="+dir)
	return r.made(r.ReadRev(ctx, rev))
}

// partial clones one commit from a server, or where that can't be asked for, all of them.
func partial(ctx context.Context, from, rev, dir, filter string, o Options) (*Repo, string, error) {
	r := newClone(dir, o)
	if _, err := r.runIn(ctx, filepath.Dir(dir), nil, "init", "--quiet", "--bare", "--template=", dir); err != nil {
		return r.made("", err)
	}
	r.env = append(r.env, "GIT_DIR="+dir)
	if _, err := r.run(ctx, "config", "remote.origin.url", from); err != nil {
		return r.made("", err)
	}
	commit, err := r.fetchOne(ctx, rev, filter)
	if fallsBack(err) {
		commit, err = r.fetchAll(ctx, rev, filter)
	}
	return r.made(commit, err)
}

func orHead(rev string) string {
	if rev == "" {
		return "HEAD"
	}
	return rev
}

// foreign is an environment without what says which repository git works in, as in a hook.
func foreign(env []string) []string {
	if env == nil {
		env = os.Environ()
	}
	return slices.DeleteFunc(slices.Clone(env), func(s string) bool {
		return isSet([]string{s}, "GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
			"GIT_NAMESPACE", "GIT_PREFIX", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE", "GIT_QUARANTINE_PATH", "GIT_NO_LAZY_FETCH")
	})
}

// fetchOne brings one commit and its trees.
func (r *Repo) fetchOne(ctx context.Context, rev, filter string) (string, error) {
	if strings.ContainsAny(rev, ":^~@{*?[\\ ") || strings.HasPrefix(rev, "+") || strings.HasPrefix(rev, "-") {
		return "", errNoName
	}
	if err := r.fetch(ctx, filter, "--depth=1", "--no-tags", "--", "origin", rev); err != nil {
		return "", err
	}
	return r.ReadRev(ctx, "FETCH_HEAD")
}

// errNoName says that a revision is an expression, which a server does not understand.
var errNoName = errors.New("not the name of a ref")

// fetchAll brings all branches and tags, with their commits and trees, and looks the revision up.
func (r *Repo) fetchAll(ctx context.Context, rev, filter string) (string, error) {
	args := []string{filter, "--", "origin", "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"}
	head := strings.HasPrefix(rev, "HEAD") || strings.HasPrefix(rev, "@")
	if head {
		args = append(args, "+HEAD:refs/tarn/HEAD")
	}
	err := r.fetch(ctx, args...)
	if saysNoRef(err) {
		err = fmt.Errorf("%w: %q", ErrRev, rev)
	}
	if err == nil && head { // its own HEAD names the branch that new repositories have here
		_, err = r.run(ctx, "update-ref", "--no-deref", "HEAD", "refs/tarn/HEAD")
	}
	if err != nil {
		return "", err
	}
	return r.ReadRev(ctx, rev)
}

func (r *Repo) fetch(ctx context.Context, args ...string) error {
	_, err := r.run(ctx, append([]string{"fetch", "--quiet", "--no-auto-gc"}, args...)...)
	return err
}

func saysNoRef(err error) bool {
	var g *GitError
	return errors.As(err, &g) && strings.Contains(g.Stderr, "couldn't find remote ref")
}

// fallsBack says that a server, reached and willing, can't give one commit by the name that it has: an abbreviated or unadvertised id, an expression, or it
// can't do shallow clones.
func fallsBack(err error) bool {
	var g *GitError
	return errors.Is(err, errNoName) || errors.Is(err, ErrRev) || saysNoRef(err) || errors.As(err, &g) && slices.ContainsFunc(
		[]string{"not our ref", "unadvertised object", "shallow", "filter"}, func(s string) bool { return strings.Contains(g.Stderr, s) })
}

// SplitRev takes URL@REV apart; rev is "" where there is none. An '@' belongs to the URL where it stands before the host, or at the start of a name; of a
// local path it does where exists says so, the longest path that exists being the URL.
func SplitRev(arg string, exists func(path string) bool) (from, rev string) {
	at := -1
	if isLocal(arg) {
		if exists(filePath(arg)) {
			return arg, ""
		}
		for i := range len(arg) {
			if arg[i] == '@' && exists(filePath(arg[:i])) {
				at = i
			}
		}
	} else {
		at = revMark(arg, hostEnd(arg))
	}
	if at <= 0 || at == len(arg)-1 {
		return arg, ""
	}
	return arg[:at], arg[at+1:]
}

// revMark is the first '@' from start on that is not at the start of a name; -1 if there is none.
func revMark(arg string, start int) int {
	for i := start + 1; i < len(arg); i++ {
		if arg[i] == '@' && arg[i-1] != '/' {
			return i
		}
	}
	return -1
}

// hostEnd is where the host of a URL, or of git's user@host:path, ends.
func hostEnd(arg string) int {
	if _, rest, ok := strings.Cut(arg, "://"); ok {
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			return len(arg) - len(rest) + i
		}
		return len(arg)
	}
	from := strings.LastIndexByte(arg, ']') + 1
	if i := strings.IndexByte(arg[from:], ':'); i >= 0 {
		return from + i
	}
	return len(arg)
}

// IsLocal says that git takes a URL for a path on this machine, and which one that is.
func IsLocal(raw string) (path string, ok bool) {
	if !isLocal(raw) {
		return "", false
	}
	return filePath(raw), true
}

func isFile(url string) bool { return len(url) >= 7 && strings.EqualFold(url[:7], "file://") }

// filePath is the path of a local URL.
func filePath(raw string) string {
	if isFile(raw) {
		if u, err := url.Parse(raw); err == nil {
			raw = u.Path
		}
	}
	return filepath.FromSlash(raw)
}
