package vcs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// manifestSuffix ends the names of the files that this package looks for.
const manifestSuffix = ".tarn"

// TreeFile is a file of a commit.
type TreeFile struct {
	Path   string // from the root of the repository
	Object string // id, hexadecimal
	Mode   string // as git prints it: 100644, 120000
}

// Ref is a branch or tag.
type Ref struct {
	Name   string // refs/heads/main
	Commit string // hexadecimal
}

// Manifests are the *.tarn files of the work tree that are tracked, or untracked and not ignored; also tracked ones that were deleted, but not those that a
// sparse checkout leaves out. Sorted.
func (r *Repo) Manifests(ctx context.Context) ([]string, error) {
	if r.Root == "" {
		return nil, nil
	}
	out, err := r.runIn(ctx, r.Root, nil, globbing, "ls-files", "-z", "-t", "--cached", "--others", "--exclude-standard", "--", "**/*"+manifestSuffix)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range fields(out) {
		tag, name, _ := strings.Cut(f, " ")
		if filepath.Base(name) == manifestSuffix || tag == skipped && !pathExists(filepath.Join(r.Root, filepath.FromSlash(name))) {
			continue
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// skipped is what ls-files calls a file that a sparse checkout leaves out.
const skipped = "S"

// Sparse is a manifest, of the path (from the root), above it or below it, that a sparse checkout leaves out; "" if there is none.
func (r *Repo) Sparse(ctx context.Context, name string) (manifest string, err error) {
	specs := []string{exactly(name) + "/**/*" + manifestSuffix}
	for d := path.Clean(name); d != "." && d != "/"; d = path.Dir(d) {
		specs = append(specs, exactly(d+manifestSuffix))
	}
	err = r.eachField(ctx, func(line string) {
		if tag, name, _ := strings.Cut(line, " "); tag == skipped && manifest == "" {
			manifest = name
		}
	}, append([]string{globbing, "ls-files", "-z", "-t", "--"}, specs...)...)
	return manifest, err
}

// ManifestsAt are the *.tarn files of a commit, sorted by path.
func (r *Repo) ManifestsAt(ctx context.Context, commit string) ([]TreeFile, error) {
	var files []TreeFile
	err := r.lsTree(ctx, func(kind string, f TreeFile) {
		if kind == "blob" && strings.HasSuffix(f.Path, manifestSuffix) && path.Base(f.Path) != manifestSuffix {
			files = append(files, f)
		}
	}, "-r", commit)
	return files, err
}

// SparseContents is the bytes of a tracked file that a sparse checkout leaves out; nil for any other.
func (r *Repo) SparseContents(ctx context.Context, name string, max int64) ([]byte, error) {
	if r.Root == "" || pathExists(filepath.Join(r.Root, filepath.FromSlash(name))) || !pathExists(filepath.Join(r.GitDir, "info", "sparse-checkout")) {
		return nil, nil
	}
	b, err := r.Contents(ctx, ":"+name, max)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return b, err
}

// ReadRev is the commit that a revision names; ErrRev if there is none.
func (r *Repo) ReadRev(ctx context.Context, rev string) (string, error) {
	if strings.ContainsRune(rev, 0) {
		return "", fmt.Errorf("%w: %q", ErrRev, rev)
	}
	out, err := r.run(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", rev+"^{commit}")
	commit := strings.TrimSpace(string(out))
	if exitCode(err) >= 0 || strings.HasPrefix(commit, "^") { // ^rev is a set of commits
		return "", fmt.Errorf("%w: %q", ErrRev, rev)
	}
	return commit, err
}

// Head is the commit that HEAD names; ok is false before the first commit.
func (r *Repo) Head(ctx context.Context) (commit string, ok bool, err error) {
	o, err := r.object(ctx, "HEAD^{commit}", maxCommit) // by the process that reads manifests, too: to start another one takes longer
	if errors.Is(err, ErrNotFound) {
		return "", false, nil
	}
	return o.id, err == nil, err
}

// maxCommit is above the size of any commit object, in bytes.
const maxCommit = 64 << 20

// Parents are the commits before a commit. A shallow clone names some that it does not have.
func (r *Repo) Parents(ctx context.Context, commit string) ([]string, error) {
	// The object itself, since git log hides what a shallow clone has cut off.
	out, err := r.run(ctx, "cat-file", "commit", commit)
	if err != nil {
		return nil, err
	}
	var parents []string
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			break
		}
		if p, ok := strings.CutPrefix(line, "parent "); ok {
			parents = append(parents, p)
		}
	}
	return parents, nil
}

// Branches are the local branches and those of remotes.
func (r *Repo) Branches(ctx context.Context) ([]Ref, error) {
	return r.refs(ctx, "refs/heads/", "refs/remotes/")
}

// Tags are the tags that lead to commits.
func (r *Repo) Tags(ctx context.Context) ([]Ref, error) { return r.refs(ctx, "refs/tags/") }

func (r *Repo) refs(ctx context.Context, prefixes ...string) ([]Ref, error) {
	out, err := r.run(ctx, append([]string{"for-each-ref", "--format=%(refname)%00%(objecttype)%00%(objectname)%00%(*objecttype)%00%(*objectname)"}, prefixes...)...)
	if err != nil {
		return nil, err
	}
	var refs []Ref
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\x00")
		switch {
		case len(f) != 5:
		case f[1] == "commit":
			refs = append(refs, Ref{f[0], f[2]})
		case f[3] == "commit":
			refs = append(refs, Ref{f[0], f[4]})
		case f[3] == "tag": // a tag of a tag, which git before 2.45 follows one step only
			c, err := r.ReadRev(ctx, f[0])
			if err == nil {
				refs = append(refs, Ref{f[0], c})
			} else if !errors.Is(err, ErrRev) {
				return nil, err
			}
		}
	}
	return refs, nil
}

// Ignored says which of the paths (from the root) Git ignores. A tracked path is not ignored.
func (r *Repo) Ignored(ctx context.Context, paths []string) (map[string]bool, error) {
	var in strings.Builder
	for _, p := range paths {
		in.WriteString("./" + p + "\x00") // so that none is taken for pathspec magic, ":(top)x"
	}
	out, err := r.runIn(ctx, r.dir(), []byte(in.String()), "check-ignore", "-z", "--stdin")
	if err != nil && exitCode(err) != 1 {
		return nil, err
	}
	ignored := map[string]bool{}
	for _, p := range fields(out) {
		ignored[strings.TrimPrefix(p, "./")] = true
	}
	return ignored, nil
}

// Tracked are those of the paths (from the root) at or below which Git tracks something.
func (r *Repo) Tracked(ctx context.Context, paths []string) ([]string, error) {
	var tracked []string
	for _, p := range paths {
		out, err := r.run(ctx, "ls-files", "-z", "--cached", "--", p)
		if err != nil {
			return nil, err
		}
		if len(out) > 0 {
			tracked = append(tracked, p)
		}
	}
	return tracked, nil
}

// OriginURL is the URL of the remote "origin"; ok is false if there is none.
func (r *Repo) OriginURL(ctx context.Context) (url string, ok bool, err error) {
	out, err := r.run(ctx, "config", "--get", "remote.origin.url")
	if exitCode(err) == 1 {
		return "", false, nil
	}
	url = strings.TrimRight(string(out), "\n")
	// A relative one starts at the work tree, as git fetch sees it.
	if err == nil && isLocal(url) && !filepath.IsAbs(url) && !strings.HasPrefix(url, "file:") {
		if abs := filepath.Join(r.dir(), url); pathExists(abs) {
			url = abs
		}
	}
	return url, err == nil, err
}

func pathExists(p string) bool {
	_, err := os.Stat(p)
	return err == nil
}
