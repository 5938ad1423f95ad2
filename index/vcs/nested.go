package vcs

import (
	"context"
	"path"
	"path/filepath"
	"strings"
)

// Nested is the repository inside this one, a submodule or a clone, that the path (from the root) is or lies in: what stands there is not for this
// repository to track. A submodule is found also where it is not checked out. The path need not exist.
func (r *Repo) Nested(ctx context.Context, name string) (top string, ok bool, err error) {
	if top, ok := r.NestedHere(name); ok {
		return top, true, nil
	}
	var dirs []string
	for d := path.Clean(name); d != "." && d != "/"; d = path.Dir(d) {
		dirs = append(dirs, exactly(d))
	}
	if len(dirs) == 0 {
		return "", false, nil
	}
	err = r.eachField(ctx, func(line string) {
		if head, path, cut := strings.Cut(line, "\t"); cut && strings.HasPrefix(head, "160000 ") {
			top, ok = path, true
		}
	}, append([]string{globbing, "ls-files", "-z", "--stage", "--"}, dirs...)...)
	return top, ok, err
}

// NestedHere is Nested for what is checked out, without running git.
func (r *Repo) NestedHere(name string) (top string, ok bool) {
	for d := path.Clean(name); r.Root != "" && d != "." && d != "/"; d = path.Dir(d) {
		if pathExists(filepath.Join(r.Root, filepath.FromSlash(d), ".git")) {
			return d, true
		}
	}
	return "", false
}

// exactly is a pattern that matches a path and, unlike a plain one, nothing below it: the escape makes it a pattern.
func exactly(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if i == 0 || strings.IndexByte(`*?[\`, name[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(name[i])
	}
	return b.String()
}
