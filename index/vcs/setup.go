package vcs

import (
	"context"
	"fmt"
	"strings"
)

// MinVersion is the oldest Git that has all that this package asks of it.
var MinVersion = [2]int{2, 31}

// Version is that of the git that runs, as it says it ("2.39.5"), and its first two numbers.
func (r *Repo) Version(ctx context.Context) (text string, n [2]int, err error) {
	out, err := r.run(ctx, "version")
	if err != nil {
		return "", n, err
	}
	text = strings.TrimPrefix(strings.TrimSpace(string(out)), "git version ")
	if _, err := fmt.Sscanf(text, "%d.%d", &n[0], &n[1]); err != nil {
		return text, n, fmt.Errorf("git version answered %q", out)
	}
	return text, n, nil
}

// Attribute is what .gitattributes say about a path: "set", "unset", "unspecified", or a value.
type Attribute struct{ Path, Name, Value string }

// Attributes asks for attributes of paths, from the root.
func (r *Repo) Attributes(ctx context.Context, paths []string, names ...string) ([]Attribute, error) {
	out, err := r.runIn(ctx, r.dir(), []byte(strings.Join(paths, "\x00")), append([]string{"check-attr", "-z", "--stdin"}, names...)...)
	if err != nil {
		return nil, err
	}
	f := fields(out)
	var all []Attribute
	for ; len(f) >= 3; f = f[3:] {
		all = append(all, Attribute{f[0], f[1], f[2]})
	}
	return all, nil
}

// Setting is a value of Git's configuration; ok is false where it is not set.
func (r *Repo) Setting(ctx context.Context, name string) (value string, ok bool, err error) {
	out, err := r.run(ctx, "config", "--get", name)
	if exitCode(err) == 1 {
		return "", false, nil
	}
	return strings.TrimSuffix(string(out), "\n"), err == nil, err
}

// TrackedBelow are those of the paths (from the root) at or below which Git tracks something; with few processes for many paths.
func (r *Repo) TrackedBelow(ctx context.Context, paths []string) ([]string, error) {
	const atOnce = 500
	var found []string
	for len(paths) > 0 {
		n := min(len(paths), atOnce)
		var some bool
		err := r.eachField(ctx, func(string) { some = true }, append([]string{"ls-files", "-z", "--cached", "--"}, paths[:n]...)...)
		if err == nil && some {
			var one []string
			one, err = r.Tracked(ctx, paths[:n])
			found = append(found, one...)
		}
		if err != nil {
			return nil, err
		}
		paths = paths[n:]
	}
	return found, nil
}
