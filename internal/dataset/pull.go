package dataset

import (
	"context"
	"errors"
	"slices"
)

// PullResult is what pull did: its two halves. Checkout is nil after a dry run, or where fetch could not begin.
type PullResult struct {
	Fetch    *TransferResult
	Checkout *CheckoutResult
}

// Pull is Fetch and Checkout. What fetch could not get does not keep the rest from being checked out; files that fetch named are not named again.
func (r *Repo) Pull(ctx context.Context, f FetchOptions, c CheckoutOptions) (*PullResult, error) {
	fetched, err := r.Fetch(ctx, f)
	if fetched == nil {
		return nil, err
	}
	res := &PullResult{Fetch: fetched}
	if f.DryRun || err != nil && !errors.Is(err, ErrIncomplete) && !errors.Is(err, ErrCorrupt) {
		return res, err
	}
	out, cerr := r.Checkout(ctx, c)
	res.Checkout = out
	if out != nil {
		out.Problems = slices.DeleteFunc(out.Problems, func(p Problem) bool {
			return slices.ContainsFunc(fetched.Problems, func(q Problem) bool { return p.Dataset == q.Dataset && p.Path == q.Path })
		})
	}
	if err == nil || errors.Is(cerr, ErrRefused) {
		err = cerr
	}
	return res, err
}
