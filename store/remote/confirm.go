package remote

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"tarn/store/blob"
	"tarn/store/digest"
)

// headsAtMost is how many objects are confirmed one by one without trying a LIST (1,000 names a request) first.
const headsAtMost = 16

// Missing is what Confirm did not find.
type Missing struct {
	Roots, Pages, Packs map[digest.Digest]bool
}

// Any says that something is missing.
func (m *Missing) Any() bool { return len(m.Roots)+len(m.Pages)+len(m.Packs) > 0 }

// Confirm looks at each name and downloads nothing. A pack of another size than the one promised is as good as missing.
func (r *Remote) Confirm(ctx context.Context, rel Relied, jobs int) (*Missing, error) {
	want := make(map[string]int64, len(rel.Roots)+len(rel.Pages)+len(rel.Packs)) // name to size; -1: any
	for _, d := range rel.Roots {
		want[Name(KindRoot, d)] = -1
	}
	for _, d := range rel.Pages {
		want[Name(KindPage, d)] = -1
	}
	for _, p := range rel.Packs {
		want[PackName(p.Name)] = p.Size
	}
	found, err := r.look(ctx, want, jobs)
	if err != nil {
		return nil, fmt.Errorf("confirm what is on %s: %w", r.b, err)
	}
	m := &Missing{map[digest.Digest]bool{}, map[digest.Digest]bool{}, map[digest.Digest]bool{}}
	for _, d := range rel.Roots {
		mark(m.Roots, d, found[Name(KindRoot, d)])
	}
	for _, d := range rel.Pages {
		mark(m.Pages, d, found[Name(KindPage, d)])
	}
	for _, p := range rel.Packs {
		mark(m.Packs, p.Name, found[PackName(p.Name)])
	}
	return m, nil
}

func mark(set map[digest.Digest]bool, d digest.Digest, found bool) {
	if !found {
		set[d] = true
	}
}

// look finds out which names are there. Where they are many, it lists as long as that is cheaper than asking for each: a bucket may hold far more
// than what is wanted.
func (r *Remote) look(ctx context.Context, want map[string]int64, jobs int) (map[string]bool, error) {
	found := map[string]bool{}
	if len(want) > headsAtMost {
		whole, err := r.lookByList(ctx, want, found)
		if whole || err != nil {
			return found, err
		}
	}
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(jobs, 1))
	for name, size := range want {
		mu.Lock()
		known := found[name]
		mu.Unlock()
		if known {
			continue
		}
		g.Go(func() error {
			info, err := r.b.Stat(ctx, name)
			if errors.Is(err, blob.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			if size < 0 || size == info.Size {
				mu.Lock()
				found[name] = true
				mu.Unlock()
			}
			return nil
		})
	}
	return found, g.Wait()
}

// lookByList lists packs, pages and roots, but no more names than a quarter of the single requests would be worth; whole says that it saw all.
func (r *Remote) lookByList(ctx context.Context, want map[string]int64, found map[string]bool) (whole bool, err error) {
	budget := 1000 * (len(want)/4 + 1)
	for _, prefix := range []string{"pack/", "page/", "root/"} {
		if !wants(want, prefix) {
			continue
		}
		for info, err := range r.b.List(ctx, prefix, "") {
			if errors.Is(err, blob.ErrUnsupported) {
				return false, nil // a web server can only be asked for each
			}
			if err != nil {
				return false, err
			}
			if size, ok := want[info.Key]; ok && (size < 0 || size == info.Size) {
				found[info.Key] = true
			}
			if budget--; budget < 0 {
				return false, nil
			}
		}
	}
	return true, nil
}

func wants(want map[string]int64, prefix string) bool {
	for name := range want {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
