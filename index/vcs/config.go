package vcs

import (
	"context"
	"strings"
)

// Config is the values that Git's configuration, at all its levels, has for keys that match an extended regular expression; of several the last.
func (r *Repo) Config(ctx context.Context, keys string) (map[string]string, error) {
	out, err := r.run(ctx, "config", "-z", "--get-regexp", keys)
	if exitCode(err) == 1 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for _, f := range fields(out) {
		key, value, _ := strings.Cut(f, "\n")
		values[key] = value
	}
	return values, nil
}

// SetConfig writes a value into the configuration of this clone.
func (r *Repo) SetConfig(ctx context.Context, key, value string) error {
	_, err := r.run(ctx, "config", "--local", key, value)
	return err
}
