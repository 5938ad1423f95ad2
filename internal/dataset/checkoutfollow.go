package dataset

import (
	"context"
	"os"

	"tarn/index"
)

// Follow is the checkout that Git's hooks run after Git moved the manifests: what was here follows them, and what the user did stays. It does not bring
// what never was here, nor restores what was deleted, nor asks a remote. It refuses as Checkout does.
func (r *Repo) Follow(ctx context.Context) (*CheckoutResult, error) {
	if r.git.RebaseLeft() {
		return &CheckoutResult{}, nil // it moves the manifests once more
	}
	return r.Checkout(ctx, CheckoutOptions{follow: true})
}

// here says that a part of the dataset was checked out, and that it was not removed as a whole.
func (c *checkout) here() bool {
	if c.s.idx == nil || c.s.v == nil {
		return false
	}
	_, err := os.Lstat(c.r.abs(c.t.Dataset))
	return err == nil
}

// pages is where the manifest's pages come from.
func (c *checkout) pages() index.Source {
	if c.o.follow {
		return c.r.local()
	}
	if c.direct != nil {
		return c.r.from(c.t.Dataset, c.direct.Remote)
	}
	return c.r.anywhere(c.t.Dataset)
}

// decideAsHook is decide for what Git moved only.
func (c *checkout) decideAsHook(ctx context.Context, it *item) action {
	switch state := stateOf(it.entry, it.base(), it.m); state {
	case Clean, New:
		return leave
	case NotCheckedOut:
		if _, whole := c.s.base(); whole {
			return write
		}
		return leave
	case Stale:
		if !c.saved(ctx, it) {
			return refuse
		}
		if it.m == nil {
			return remove
		}
		return write
	case Diverged:
		if it.entry == nil {
			return write
		}
		return refuse
	}
	if it.base() == nil { // Git brought a path that the user has made, too
		return refuse
	}
	return leave
}
