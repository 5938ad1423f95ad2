package vcs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// ManifestChange is a manifest that two sides do not have in common. A side that has none, or no regular file there, is the zero TreeFile. Where one was
// renamed, with changes or without, the paths differ.
type ManifestChange struct {
	Old, New TreeFile
}

// Commit is one commit of a log, and the manifests that it changed.
type Commit struct {
	ID            string   // hexadecimal
	Parents       []string // none where a shallow clone has cut them off
	Author, Email string
	Date          string // of the author, RFC 3339
	Subject       string
	Manifests     []ManifestChange
}

// manifestGlob matches the manifests; with it git needs globbing.
const manifestGlob = "**/*" + manifestSuffix

// ChangedManifests compares the manifests of two commits; an empty one is the work tree, as far as Git tracks it: object ids of that side may be unknown,
// and are all zeros then.
func (r *Repo) ChangedManifests(ctx context.Context, from, to string) ([]ManifestChange, error) {
	args := []string{globbing, "diff-tree", "-r", "-z", "--raw", "--no-abbrev", "-M", "--no-ext-diff", from, to, "--", manifestGlob}
	if to == "" {
		args = []string{globbing, "diff-index", "-z", "--raw", "--no-abbrev", "-M", "--no-ext-diff", from, "--", manifestGlob}
	}
	var raw rawDiff
	err := r.eachField(ctx, raw.field, args...)
	if err == nil {
		err = raw.err
	}
	return raw.changes, err
}

// LogOptions say which history is wanted.
type LogOptions struct {
	Revs        []string // commits and ranges, as git takes them, checked before; none: HEAD
	FirstParent bool     // follow the first parent of merges only
}

// logFormat begins with a byte that no line of a raw diff begins with.
const logFormat = "--format=%x01%H%x00%P%x00%aN%x00%aE%x00%aI%x00%s"

// Log yields the commits that changed a manifest, newest first, each against its first parent. A merge is one of them where the manifest is unlike that of each
// parent; with FirstParent, where it is unlike that of the first. It stops after an error.
func (r *Repo) Log(ctx context.Context, o LogOptions) iter.Seq2[Commit, error] {
	args := []string{globbing, "log", "-z", "--raw", "--no-abbrev", "-M", "--no-color", "--no-ext-diff", "--no-show-signature", "--no-notes", "--encoding=UTF-8", logFormat}
	if o.FirstParent {
		args = append(args, "--first-parent", "-m")
	} else {
		args = append(args, "-c", "--combined-all-paths")
	}
	args = append(append(append(args, "--end-of-options"), o.Revs...), "--", manifestGlob)
	return func(yield func(Commit, error) bool) {
		var c Commit
		var raw rawDiff
		head := 0 // fields of the commit's head that are still to come
		done := func() bool {
			c.Manifests = raw.changes
			return c.ID == "" || yield(c, nil)
		}
		for f, err := range r.fieldsOf(ctx, nil, args...) {
			if err == nil {
				err = raw.err
			}
			if err != nil {
				yield(Commit{}, err)
				return
			}
			switch {
			case head > 0:
				c.set(head, f)
				head--
			case raw.idle() && strings.HasPrefix(f, "\x01"):
				if !done() {
					return
				}
				c, raw, head = Commit{ID: f[1:]}, rawDiff{}, 5
			default:
				raw.field(f)
			}
		}
		if raw.err != nil {
			yield(Commit{}, raw.err)
			return
		}
		done()
	}
}

// ReadCommit is the commit of an id, without its manifests.
func (r *Repo) ReadCommit(ctx context.Context, id string) (c Commit, err error) {
	out, err := r.run(ctx, "log", "-1", "--no-patch", "--no-color", "--no-show-signature", "--no-notes", "--encoding=UTF-8", logFormat, "--end-of-options", id)
	if err != nil {
		return c, err
	}
	fields := strings.Split(strings.TrimPrefix(strings.TrimSuffix(string(out), "\n"), "\x01"), "\x00")
	if len(fields) != 6 {
		return c, fmt.Errorf("git printed %q for a commit", out)
	}
	c.ID = fields[0]
	for i, f := range fields[1:] {
		c.set(5-i, f)
	}
	return c, nil
}

// set takes the field of a commit's head after which, with itself, so many are left.
func (c *Commit) set(left int, f string) {
	switch left {
	case 5:
		c.Parents = strings.Fields(f)
	case 4:
		c.Author = f
	case 3:
		c.Email = f
	case 2:
		c.Date = f
	case 1:
		c.Subject = f
	}
}

// rawDiff reads the fields of git's --raw -z: of each change a head, ":MODE MODE ID ID STATUS", and its paths. The head of a merge has a colon more for each
// further parent; of the parents only the first counts here.
type rawDiff struct {
	changes []ManifestChange
	cur     ManifestChange
	paths   int // that are still to come
	first   bool
	err     error
}

// idle says that the next field is no path.
func (d *rawDiff) idle() bool { return d.paths == 0 }

func (d *rawDiff) field(f string) {
	switch {
	case d.err != nil:
	case d.paths > 0:
		d.path(f)
	case strings.Trim(f, "\n") != "":
		d.head(strings.TrimLeft(f, "\n"))
	}
}

func (d *rawDiff) head(f string) {
	text := strings.TrimLeft(f, ":")
	parents := len(f) - len(text)
	w := strings.Fields(text)
	if parents == 0 || len(w) != 2*(parents+1)+1 {
		d.err = fmt.Errorf("git printed %q for a change", f)
		return
	}
	ids := w[parents+1:]
	d.cur = ManifestChange{TreeFile{Mode: w[0], Object: ids[0]}, TreeFile{Mode: w[parents], Object: ids[parents]}}
	d.first = true
	switch status := w[len(w)-1]; {
	case parents > 1:
		d.paths = parents + 1
	case status[0] == 'R' || status[0] == 'C':
		d.paths = 2
	default:
		d.paths = 1
	}
}

// path takes a path: the first is that of the old side, the last that of the new one.
func (d *rawDiff) path(f string) {
	d.paths--
	if d.first {
		d.cur.Old.Path, d.first = f, false
	}
	d.cur.New.Path = f
	if d.paths > 0 {
		return
	}
	for _, side := range []*TreeFile{&d.cur.Old, &d.cur.New} {
		if !strings.HasPrefix(side.Mode, "100") || path.Base(side.Path) == manifestSuffix {
			*side = TreeFile{}
		}
	}
	if d.cur != (ManifestChange{}) {
		d.changes = append(d.changes, d.cur)
	}
}

// MergeBase is the best common ancestor of two commits; ErrRev if they have none.
func (r *Repo) MergeBase(ctx context.Context, a, b string) (string, error) {
	out, err := r.run(ctx, "merge-base", a, b)
	if exitCode(err) == 1 {
		return "", fmt.Errorf("%w: %s and %s have no common ancestor", ErrRev, a, b)
	}
	return strings.TrimSpace(string(out)), err
}

// Boundary are the commits whose parents a shallow clone does not have.
func (r *Repo) Boundary() (map[string]bool, error) {
	b, err := os.ReadFile(filepath.Join(r.CommonDir, "shallow"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	cut := map[string]bool{}
	for _, id := range strings.Fields(string(b)) {
		cut[id] = true
	}
	return cut, err
}
