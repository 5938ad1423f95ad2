package vcs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// Stages are the objects of a path that Git could not merge: of the ancestor, of ours, of theirs; "" where that side has none.
type Stages struct{ Base, Ours, Theirs string }

// Unmerged are the manifests that Git's index has more than one version of, by path.
func (r *Repo) Unmerged(ctx context.Context) (map[string]Stages, error) {
	if r.Root == "" {
		return nil, nil
	}
	found := map[string]Stages{}
	out, err := r.runIn(ctx, r.Root, nil, globbing, "ls-files", "-z", "--unmerged", "--", "**/*"+manifestSuffix)
	for _, line := range fields(out) {
		head, path, _ := strings.Cut(line, "\t")
		f := strings.Fields(head)
		if len(f) != 3 || !strings.HasPrefix(f[0], "100") || filepath.Base(path) == manifestSuffix {
			continue
		}
		s := found[path]
		switch f[2] {
		case "1":
			s.Base = f[1]
		case "2":
			s.Ours = f[1]
		case "3":
			s.Theirs = f[1]
		}
		found[path] = s
	}
	return found, err
}

// Merging is what a file of the work tree was, or is being, merged from: commits.
type Merging struct {
	Verb         string // merge, cherry-pick, revert, rebase
	Ours, Theirs string
	Bases        []string // none where the two have no commit in common
	Began        int64    // when it stopped, ns since the epoch; 0 for one that was committed
}

// Merging finds out what Git is merging now or, if that is nothing, which merge made the file what it is in HEAD. ok is false if there is none.
func (r *Repo) Merging(ctx context.Context, path string) (m Merging, ok bool, err error) {
	head, ok, err := r.Head(ctx)
	if err != nil || !ok {
		return m, false, err
	}
	for _, c := range []struct{ ref, verb string }{{"MERGE_HEAD", "merge"}, {"REBASE_HEAD", "rebase"}, {"CHERRY_PICK_HEAD", "cherry-pick"}, {"REVERT_HEAD", "revert"}} {
		info, err := os.Stat(filepath.Join(r.GitDir, c.ref))
		if err != nil || c.verb == "rebase" && !r.Rebasing() {
			continue
		}
		commit, err := r.ReadRev(ctx, c.ref)
		if err != nil {
			return m, false, err
		}
		m, err := r.mergingOf(ctx, c.verb, head, commit)
		m.Began = info.ModTime().UnixNano()
		return m, err == nil, err
	}
	return r.mergedBy(ctx, head, path)
}

// mergingOf is a merge into head: of a commit, of what it changed, or of the reverse of that.
func (r *Repo) mergingOf(ctx context.Context, verb, head, commit string) (Merging, error) {
	if verb == "merge" {
		bases, err := r.mergeBases(ctx, head, commit)
		return Merging{Verb: verb, Ours: head, Theirs: commit, Bases: bases}, err
	}
	parents, err := r.Parents(ctx, commit)
	if err != nil || verb != "revert" {
		return Merging{Verb: verb, Ours: head, Theirs: commit, Bases: parents[:min(1, len(parents))]}, err
	}
	if len(parents) == 0 {
		return Merging{}, errors.New("the first commit can't be reverted by path")
	}
	return Merging{Verb: verb, Ours: head, Theirs: parents[0], Bases: []string{commit}}, nil
}

// mergedBy is the merge that last changed a file on the line of first parents.
func (r *Repo) mergedBy(ctx context.Context, head, path string) (m Merging, ok bool, err error) {
	out, err := r.run(ctx, "rev-list", "--max-count=1", "--first-parent", head, "--", path)
	commit := strings.TrimSpace(string(out))
	if err != nil || commit == "" {
		return m, false, err
	}
	parents, err := r.Parents(ctx, commit)
	if err != nil || len(parents) != 2 {
		return m, false, err
	}
	for _, p := range parents {
		if _, err := r.ReadRev(ctx, p); err != nil {
			return m, false, nil // cut off in a shallow clone
		}
	}
	bases, err := r.mergeBases(ctx, parents[0], parents[1])
	return Merging{Verb: "merge", Ours: parents[0], Theirs: parents[1], Bases: bases}, err == nil, err
}

func (r *Repo) mergeBases(ctx context.Context, a, b string) ([]string, error) {
	out, err := r.run(ctx, "merge-base", "--all", a, b)
	if exitCode(err) == 1 {
		return nil, nil
	}
	return strings.Fields(string(out)), err
}

// Rebasing says that a rebase, or a series of patches by mail, is under way.
func (r *Repo) Rebasing() bool {
	return pathExists(filepath.Join(r.GitDir, "rebase-merge")) || pathExists(filepath.Join(r.GitDir, "rebase-apply"))
}
