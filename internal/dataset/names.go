package dataset

import (
	"context"
	"strings"
)

// Revisions are HEAD, branches and tags, by the names that people type: for completion.
func (r *Repo) Revisions(ctx context.Context) ([]string, error) {
	names := []string{"HEAD"}
	branches, err := r.git.Branches(ctx)
	if err != nil {
		return nil, err
	}
	tags, err := r.git.Tags(ctx)
	if err != nil {
		return nil, err
	}
	for _, ref := range append(branches, tags...) {
		for _, prefix := range []string{"refs/heads/", "refs/remotes/", "refs/tags/"} {
			if name, ok := strings.CutPrefix(ref.Name, prefix); ok {
				names = append(names, name)
			}
		}
	}
	return names, nil
}
