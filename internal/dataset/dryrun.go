package dataset

import (
	"context"
	"maps"
	"slices"

	"tarn/store/digest"
)

// countNew counts what a push would send: the files that are in no version that is known to be on the remote, each once.
func (r *Repo) countNew(ctx context.Context, c *conn, ws []wanted, res *TransferResult) error {
	counted := map[digest.Digest]bool{}
	for _, w := range ws {
		b := &builder{p: &push{r: r, c: c, heal: map[digest.Digest]bool{}}, v: &published{wanted: w}}
		for l, err := range leaves(ctx, w.version, r.anywhere(w.Dataset), "") {
			if err != nil {
				return err
			}
			o, err := b.seen(ctx, l)
			if err != nil {
				return err
			}
			if o != nil {
				continue
			}
			_, send, err := b.plan(ctx, l)
			if err != nil {
				return err
			}
			for _, i := range send {
				if e := &l.entries[i]; !counted[e.Digest] {
					res.count(e.Size)
					counted[e.Digest] = true
				}
			}
		}
	}
	return nil
}

// countAll counts a push to a remote that holds nothing yet.
func (r *Repo) countAll(ctx context.Context, ws []wanted, res *TransferResult) error {
	counted := map[digest.Digest]bool{}
	res.Versions += len(ws)
	for _, w := range ws {
		for l, err := range leaves(ctx, w.version, r.local(), "") {
			if err != nil {
				return err
			}
			for i := range l.entries {
				if e := &l.entries[i]; hasBytes(e) && !counted[e.Digest] {
					res.count(e.Size)
					counted[e.Digest] = true
				}
			}
		}
	}
	return nil
}

func (t *TransferResult) count(size int64) {
	t.Files++
	t.Bytes += size
}

// requests is how many requests this run made to remotes.
func (r *Repo) requests() (n int64) {
	r.connMu.Lock()
	defer r.connMu.Unlock()
	for _, c := range r.conns {
		n += c.requests()
	}
	return n
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
