package dataset

import (
	"context"
	"errors"
	"slices"
)

// PullResult is what pull did: its two halves. Checkout is nil after a dry run, or where fetch could not begin.
type PullResult struct {
	Fetch      *TransferResult // also what the checkout fetched, of datasets that the cache does not keep
	Checkout   *CheckoutResult
	Remembered []string // datasets whose setting became FetchOptions.Keep
}

// Pull is Fetch and Checkout. What fetch could not get does not keep the rest from being checked out; files that fetch named are not named again. The bytes of
// datasets that the cache does not keep go straight into the workspace.
func (r *Repo) Pull(ctx context.Context, f FetchOptions, c CheckoutOptions) (*PullResult, error) {
	res := &PullResult{}
	if f.Keep != KeepAsSet && !f.DryRun {
		ts, err := r.targets(ctx, f.Paths)
		if err == nil {
			err = r.checkRemotes(ts, f.Keep, f.Remote)
		}
		if err == nil {
			res.Remembered, err = r.remember(datasetsOf(ts), f.Keep)
		}
		if err != nil {
			return nil, err
		}
	}
	fetched, err := r.fetch(ctx, f)
	if res.Fetch = fetched; fetched == nil {
		return nil, err
	}
	if f.DryRun && len(fetched.notKept) == 0 || err != nil && !errors.Is(err, ErrIncomplete) && !errors.Is(err, ErrCorrupt) {
		return res, err
	}
	out, cerr := r.checkout(ctx, c, &pulling{f, fetched})
	fetched.Requests = r.requests()
	err = outcome(nil, fetched.Problems)
	if !f.DryRun {
		res.Checkout = out
	}
	if out != nil {
		out.Problems = slices.DeleteFunc(out.Problems, func(p Problem) bool {
			return slices.ContainsFunc(fetched.Problems, func(q Problem) bool { return p.Dataset == q.Dataset && p.Path == q.Path })
		})
	}
	if severity(cerr) > severity(err) {
		err = cerr
	}
	return res, err
}

// severity orders what two halves of a verb say: what ended one, corrupt bytes, what is for the user to decide, what is missing.
func severity(err error) int {
	for i, kind := range []error{nil, ErrIncomplete, ErrRefused, ErrCorrupt} {
		if errors.Is(err, kind) {
			return i
		}
	}
	return 4
}
