package dataset

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"tarn/store/digest"
	"tarn/store/remote"
)

// pages publishes the pages of a version that are not on the remote, children first, then its root. again says that another client was first with other
// locations: they are learned, and the next round relies on them.
func (p *push) pages(ctx context.Context, v *published, missing *remote.Missing) (again bool, err error) {
	for _, group := range v.groups() {
		more, err := p.group(ctx, v, group, missing)
		again = again || more
		if err != nil {
			return again, err
		}
	}
	if again {
		return true, nil
	}
	o := v.root()
	if len(v.Pages) == 0 {
		var ok bool
		if o, ok = p.c.ledger.Object(remote.KindRoot, v.id); !ok {
			return true, nil
		}
	}
	return p.object(ctx, o, missing.Roots[v.id])
}

// groups are the pages of a version in the order in which they are published; those of one group don't need each other.
func (v *published) groups() [][]digest.Digest {
	var chunks, leaves []digest.Digest
	for _, d := range v.pages {
		if v.kinds[d] == remote.KindChunks {
			chunks = append(chunks, d)
		} else {
			leaves = append(leaves, d)
		}
	}
	out := [][]digest.Digest{chunks, leaves}
	for _, d := range v.uppers { // a thousand times fewer
		out = append(out, []digest.Digest{d})
	}
	return out
}

// group publishes pages at once, as many as there are jobs.
func (p *push) group(ctx context.Context, v *published, ds []digest.Digest, missing *remote.Missing) (bool, error) {
	var again atomic.Bool
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(p.r.jobs())
	for _, d := range ds {
		g.Go(func() error {
			more, err := p.page(ctx, v, d, missing.Pages[d])
			if more {
				again.Store(true)
			}
			return err
		})
	}
	err := g.Wait()
	return again.Load(), err
}

func (p *push) page(ctx context.Context, v *published, d digest.Digest, missing bool) (again bool, err error) {
	kind, ok := v.kinds[d]
	if !ok {
		kind = remote.KindPage
	}
	if p.settled(d, missing) {
		return false, nil
	}
	o, ok := p.c.ledger.Object(kind, d)
	if !ok {
		return true, p.c.ledger.Forget(nil, map[digest.Digest]bool{d: true})
	}
	if again, err = p.object(ctx, o, missing); !again && err == nil {
		p.mu.Lock()
		p.wrote[d] = true
		p.mu.Unlock()
	}
	return again, err
}

// settled says that nothing is to be done about a page: it is there, and as good as any other.
func (p *push) settled(d digest.Digest, missing bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wrote[d] || !missing && !p.heal[d] && !p.built[d]
}

// broken says that what the remote has under a name is known to be of no use.
func (p *push) broken(d digest.Digest) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heal[d]
}

// made says that this run built an object without having seen it on the remote.
func (p *push) made(d digest.Digest) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.built[d]
}
