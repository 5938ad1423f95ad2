package vcs

import (
	"context"
	"path/filepath"
	"strings"
)

// History calls each with every content that a *.tarn file has in a commit that the arguments of git log lead to, such as --all, --reflog or --remotes:
// merges are compared with each parent, and no branch is left out. The same content may come several times.
func (r *Repo) History(ctx context.Context, each func(TreeFile), from ...string) error {
	args := append([]string{globbing, "log"}, from...)
	args = append(args, "--full-history", "-m", "--root", "--raw", "--no-abbrev", "--no-renames", "--no-ext-diff", "--no-color", "--no-show-signature", "-z", "--format=", "--", "**/*"+manifestSuffix)
	var mode, object string
	return r.eachField(ctx, func(s string) {
		// Two fields an entry: ":MODE MODE OBJECT OBJECT STATUS" and the path.
		if f := strings.Fields(s); object == "" && strings.HasPrefix(strings.TrimLeft(s, "\n"), ":") && len(f) == 5 {
			mode, object = f[1], f[3]
			return
		}
		if object != "" && strings.HasPrefix(mode, "100") && filepath.Base(s) != manifestSuffix {
			each(TreeFile{Path: s, Object: object, Mode: mode})
		}
		object = ""
	}, args...)
}

// Staged are the *.tarn files of Git's index, those of a merge with each of their contents.
func (r *Repo) Staged(ctx context.Context) ([]TreeFile, error) {
	if r.Root == "" {
		return nil, nil
	}
	var files []TreeFile
	err := r.eachField(ctx, func(line string) {
		head, path, ok := strings.Cut(line, "\t")
		f := strings.Fields(head)
		if ok && len(f) == 3 && strings.HasPrefix(f[0], "100") && filepath.Base(path) != manifestSuffix {
			files = append(files, TreeFile{path, f[1], f[0]})
		}
	}, globbing, "ls-files", "-z", "--stage", "--", "**/*"+manifestSuffix)
	return files, err
}

// Worktrees are the tops of the work trees that exist, as absolute paths; a bare repository may have none.
func (r *Repo) Worktrees(ctx context.Context) ([]string, error) {
	args := []string{"worktree", "list", "--porcelain", "-z"}
	out, err := r.run(ctx, args...)
	split := "\x00"
	if exitCode(err) == 129 { // before Git 2.36
		out, err = r.run(ctx, args[:3]...)
		split = "\n"
	}
	if err != nil {
		return nil, err
	}
	var tops []string
	for block := range strings.SplitSeq(string(out), split+split) {
		lines := strings.Split(strings.TrimPrefix(block, split), split)
		top, ok := strings.CutPrefix(lines[0], "worktree ")
		bare := len(lines) > 1 && lines[1] == "bare"
		if ok && !bare && pathExists(top) {
			tops = append(tops, top)
		}
	}
	return tops, nil
}

// HasRemoteBranches says whether there are branches of a remote.
func (r *Repo) HasRemoteBranches(ctx context.Context) (bool, error) {
	refs, err := r.refs(ctx, "refs/remotes/")
	return len(refs) > 0, err
}
