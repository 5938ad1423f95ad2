package dataset

import (
	"bytes"
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"tarn/index"
	"tarn/store/digest"
)

// aheadMost is how many pages are asked for when one is missing.
const aheadMost = 32

// pagesAhead is a source for who goes through all pages of a version in order: where one is missing it gets those after it, too, several at once. It is
// used by one goroutine.
type pagesAhead struct {
	*pageSource
	coming []index.Ref // in the order in which they will be asked for, as far as it is known

	mu     sync.Mutex
	failed map[digest.Digest]error // pages that could not be had
}

func (r *Repo) pagesAhead(src *pageSource, v *version) *pagesAhead {
	return &pagesAhead{pageSource: src, coming: v.manifest().Pages, failed: map[digest.Digest]error{}}
}

// Page implements index.Source.
func (p *pagesAhead) Page(ctx context.Context, d digest.Digest) ([]byte, error) {
	store, err := p.r.openCache()
	if err != nil {
		return nil, err
	}
	for i := range p.coming {
		if p.coming[i].Digest == d {
			p.coming = p.coming[i:]
			break
		}
	}
	if !store.Has(d) && len(p.coming) > 1 && p.coming[0].Digest == d {
		if err := p.get(ctx, store.Has); err != nil {
			return nil, err
		}
	}
	if err := p.failed[d]; err != nil {
		return nil, err
	}
	b, err := p.pageSource.Page(ctx, d)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(b, leafStart) {
		return b, nil
	}
	if page, perr := index.ParsePage(b); perr == nil {
		p.coming = append(page.Refs[:len(page.Refs):len(page.Refs)], p.coming[min(1, len(p.coming)):]...)
	}
	return b, nil
}

// leafStart is how a page starts that has entries, not pages.
var leafStart = []byte("tarn 1 page 0\n")

// get brings the next pages into the cache. What goes wrong with one of them comes up when it is its turn.
func (p *pagesAhead) get(ctx context.Context, has func(digest.Digest) bool) error {
	c, err := p.remote(ctx)
	if err != nil {
		return nil
	}
	g := &errgroup.Group{}
	g.SetLimit(p.r.jobs())
	for _, ref := range p.coming[:min(len(p.coming), aheadMost)] {
		p.mu.Lock()
		err := p.failed[ref.Digest]
		p.mu.Unlock()
		if err != nil || has(ref.Digest) {
			continue
		}
		g.Go(func() error {
			if _, err := c.page(ctx, ref.Digest); err != nil {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.failed[ref.Digest] = err
			}
			return nil
		})
	}
	g.Wait()
	return ctx.Err()
}
