package vcs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// HooksDir is where Git looks for hooks, absolute. outside says that it is in no directory of this repository, as core.hooksPath may have it: hooks there are
// those of other repositories, too.
func (r *Repo) HooksDir(ctx context.Context) (dir string, outside bool, err error) {
	if dir, err = r.askPath(ctx, r.dir(), "--git-path", "hooks"); err != nil {
		return "", false, err
	}
	for _, top := range []string{r.Root, r.GitDir, r.CommonDir} {
		if rel, err := filepath.Rel(top, dir); top != "" && err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
			return dir, false, nil
		}
	}
	return dir, true, nil
}

// RebaseLeft says that a rebase is under way that has commits left to apply.
func (r *Repo) RebaseLeft() bool {
	if !r.Rebasing() {
		return false
	}
	todo, err := os.ReadFile(filepath.Join(r.GitDir, "rebase-merge", "git-rebase-todo"))
	if err != nil {
		return true // that of another kind, which keeps no such list
	}
	for line := range strings.Lines(string(todo)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' && line != "noop" {
			return true
		}
	}
	return false
}

// Introduced is a manifest that a commit has and its parents have not.
type Introduced struct {
	Commit string
	TreeFile
}

// Introduced hands over the manifests that are new in commits which tips (ids of commits or tags) lead to, newest first, and neither known ones nor what this clone has seen
// of the branches of the remote. Of the known ones those that are not here are passed over; so are tips that are no commits.
func (r *Repo) Introduced(ctx context.Context, tips, known []string, remote string, each func(Introduced)) error {
	var in strings.Builder
	n := 0
	for i, rev := range append(append([]string{}, tips...), known...) {
		commit, err := r.ReadRev(ctx, rev)
		switch {
		case errors.Is(err, ErrRev):
		case err != nil:
			return err
		case i < len(tips):
			in.WriteString(commit + "\n")
			n++
		default:
			in.WriteString("^" + commit + "\n")
		}
	}
	if n == 0 {
		return nil
	}
	args := []string{globbing, "-c", "core.quotePath=false", "log", "-z", "--raw", "-c", "--no-abbrev", "--no-renames", "--root", "--full-history", "--format=%H", "--stdin"}
	if remote != "" && !strings.ContainsAny(remote, `*?[\`) {
		args = append(args, "--not", "--remotes="+remote)
	}
	return r.eachFieldOf(ctx, []byte(in.String()), rawLog(each), append(args, "--", "**/*"+manifestSuffix)...)
}

// rawLog takes the fields of git log -z --raw: commits, and after them heads of changes and paths.
func rawLog(each func(Introduced)) func(string) {
	var now Introduced
	return func(field string) {
		field = strings.TrimPrefix(field, "\n")
		switch {
		case now.Object != "":
			now.Path = field
			if strings.HasPrefix(now.Mode, "100") && filepath.Base(field) != manifestSuffix {
				each(now)
			}
			now.TreeFile = TreeFile{}
		case strings.HasPrefix(field, ":"):
			// ":OLD NEW old new S"; of a merge with n parents "::OLD… NEW old… new SS"
			parents := len(field) - len(strings.TrimLeft(field, ":"))
			if f := strings.Fields(field[parents:]); len(f) == 2*parents+3 {
				now.Mode, now.Object = f[parents], f[2*parents+1]
			}
		case field != "":
			now = Introduced{Commit: field}
		}
	}
}
