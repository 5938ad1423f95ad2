package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"tarn/store/blob"
	"tarn/store/digest"
)

// maxRecent is how many roots a list of recent ones keeps.
const maxRecent = 64

type recent struct {
	Roots []string `json:"roots"`
}

func recentName(repository string) string { return "recent/" + repository }

// Recent is the last roots that clones of this repository pushed, newest first. It is a hint: roots may be gone, or missing in it.
func (r *Remote) Recent(ctx context.Context, repository string) ([]digest.Digest, error) {
	roots, _, err := r.recent(ctx, repository)
	return roots, err
}

func (r *Remote) recent(ctx context.Context, repository string) ([]digest.Digest, string, error) {
	data, info, err := r.read(ctx, recentName(repository), 64<<10)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("read %s from %s: %w", recentName(repository), r.b, err)
	}
	var rec recent
	if json.Unmarshal(data, &rec) != nil {
		return nil, info.ETag, nil // a hint that can't be read is no hint, and is written anew
	}
	var roots []digest.Digest
	for _, s := range rec.Roots[:min(len(rec.Roots), maxRecent)] {
		if d, err := digest.Parse(s); err == nil {
			roots = append(roots, d)
		}
	}
	return roots, info.ETag, nil
}

// AddRecent puts roots in front of the list. After a few lost races it gives up without an error, for it is a hint.
func (r *Remote) AddRecent(ctx context.Context, repository string, roots []digest.Digest) error {
	for range 5 {
		old, etag, err := r.recent(ctx, repository)
		if err != nil {
			return err
		}
		data, err := json.Marshal(recent{mergeRecent(roots, old)})
		if err != nil {
			return err
		}
		_, err = r.b.Put(ctx, recentName(repository), data, blob.Condition{Absent: etag == "", Match: etag})
		if !errors.Is(err, blob.ErrPrecondition) {
			return err
		}
	}
	return nil
}

func mergeRecent(roots, old []digest.Digest) []string {
	var names []string
	for _, d := range slices.Concat(roots, old) {
		if s := d.String(); len(names) < maxRecent && !slices.Contains(names, s) {
			names = append(names, s)
		}
	}
	return names
}

// byTime is the keys of m, latest first.
func byTime(m map[digest.Digest]time.Time) []digest.Digest {
	ds := make([]digest.Digest, 0, len(m))
	for d := range m {
		ds = append(ds, d)
	}
	slices.SortFunc(ds, func(a, b digest.Digest) int {
		if c := m[b].Compare(m[a]); c != 0 {
			return c
		}
		return a.Compare(b)
	})
	return ds
}
