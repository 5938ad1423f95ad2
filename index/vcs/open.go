package vcs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The errors of this package.
var (
	ErrNotRepo  = errors.New("not in a Git repository")
	ErrNoGit    = errors.New("git is not installed")
	ErrNotFound = errors.New("no such object in Git")
	ErrRev      = errors.New("no such revision")
)

// Options say how git runs.
type Options struct {
	Env []string // its environment; nil: the process's
}

// Repo is a repository, and the work tree if there is one. Its methods may be called at once.
type Repo struct {
	Root      string // top of the work tree, absolute; "" in a bare repository
	GitDir    string // of this work tree, absolute
	CommonDir string // what work trees share, absolute
	Bare      bool
	Shallow   bool // history is cut off

	env     []string
	cat     catFile
	partial bool // contents of files were left out
}

// Open finds the repository that dir (absolute) is in: ErrNotRepo, ErrNoGit. It runs git only where a variable such as GIT_DIR, or a bare repository, makes finding it
// a matter of Git's own rules.
func Open(ctx context.Context, dir string, o Options) (*Repo, error) {
	r := &Repo{env: environment(o.Env)}
	if !steered(r.env) {
		for d := dir; d != filepath.Dir(d); d = filepath.Dir(d) {
			if r.find(d) {
				return r, nil
			}
			if exists(filepath.Join(d, ".git")) || isGitDir(d) {
				break // not a plain one: git knows
			}
		}
	}
	if err := r.ask(ctx, dir); err != nil {
		return nil, err
	}
	return r, nil
}

// steered says that the environment tells Git where the repository is.
func steered(env []string) bool {
	return isSet(env, "GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM")
}

func isSet(env []string, names ...string) bool {
	return slices.ContainsFunc(env, func(s string) bool {
		name, value, _ := strings.Cut(s, "=")
		return value != "" && slices.Contains(names, name)
	})
}

// find takes d for the top of a work tree if it has a plain .git: a directory, or a file that names one (worktrees).
func (r *Repo) find(d string) bool {
	git := filepath.Join(d, ".git")
	info, err := os.Stat(git)
	if err != nil {
		return false
	}
	if !info.IsDir() {
		text, err := os.ReadFile(git)
		name, ok := strings.CutPrefix(strings.TrimRight(string(text), "\r\n"), "gitdir: ")
		if err != nil || !ok {
			return false
		}
		if git = name; !filepath.IsAbs(git) {
			git = filepath.Join(d, git)
		}
	}
	if _, err := os.Stat(filepath.Join(git, "HEAD")); err != nil {
		return false
	}
	common := git
	if text, err := os.ReadFile(filepath.Join(git, "commondir")); err == nil {
		if common = strings.TrimRight(string(text), "\r\n"); !filepath.IsAbs(common) {
			common = filepath.Join(git, common)
		}
	}
	// core.worktree and core.bare can say otherwise; Git is asked then.
	text, err := os.ReadFile(filepath.Join(common, "config"))
	if err != nil || unusual(string(text)) {
		return false
	}
	r.Root, r.GitDir, r.CommonDir = d, filepath.Clean(git), filepath.Clean(common)
	r.Shallow = exists(filepath.Join(r.CommonDir, "shallow"))
	return true
}

// isGitDir says that d looks like a bare repository, which may lie in a work tree of another one.
func isGitDir(d string) bool {
	return filepath.Base(d) != ".git" && exists(filepath.Join(d, "HEAD")) && exists(filepath.Join(d, "objects")) && exists(filepath.Join(d, "refs"))
}

// unusual says that a repository's configuration may move its work tree.
func unusual(config string) bool {
	for line := range strings.Lines(config) {
		l := strings.ToLower(strings.Join(strings.Fields(line), ""))
		if strings.HasPrefix(l, "worktree=") || l == "bare=true" || l == "bare" || strings.HasPrefix(l, "[include") {
			return true
		}
	}
	return false
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// ask lets git find the repository. Paths are asked for one by one, since they may hold line feeds.
func (r *Repo) ask(ctx context.Context, dir string) error {
	out, err := r.runIn(ctx, dir, nil, "rev-parse", "--is-bare-repository", "--is-inside-git-dir", "--is-shallow-repository")
	var fault *GitError
	if errors.As(err, &fault) && strings.HasPrefix(fault.Stderr, "not a git repository") {
		return ErrNotRepo
	}
	if err != nil {
		return err
	}
	is := strings.Fields(string(out))
	if len(is) != 3 {
		return fmt.Errorf("git rev-parse answered %q", out)
	}
	r.Bare, r.Shallow = is[0] == "true", is[2] == "true"
	if r.GitDir, err = r.askPath(ctx, dir, "--git-dir"); err != nil {
		return err
	}
	if r.CommonDir, err = r.askPath(ctx, dir, "--git-common-dir"); err != nil {
		return err
	}
	if !r.Bare && is[1] == "false" {
		if r.Root, err = r.askPath(ctx, dir, "--show-toplevel"); err == nil {
			r.Root, err = filepath.EvalSymlinks(r.Root)
		}
	}
	r.pin()
	return err
}

func (r *Repo) askPath(ctx context.Context, dir string, what ...string) (string, error) {
	out, err := r.runIn(ctx, dir, nil, append([]string{"rev-parse", "--path-format=absolute"}, what...)...)
	return filepath.FromSlash(strings.TrimSuffix(string(out), "\n")), err
}

// pin makes the paths in the environment absolute, since git runs elsewhere from now on.
func (r *Repo) pin() {
	for name, path := range map[string]string{"GIT_DIR": r.GitDir, "GIT_COMMON_DIR": r.CommonDir, "GIT_WORK_TREE": r.Root} {
		if path != "" && isSet(r.env, name) {
			r.env = append(r.env, name+"="+path)
		}
	}
}
