package wrap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"time"

	"tarn/store/blob"
)

// RetryOptions say how patient Retry is; the zero value has the defaults.
type RetryOptions struct {
	Attempts int           // requests in all, at least 1; default 6. A Get or List that got further starts to count again
	First    time.Duration // bound of the first pause; default 200 ms. It doubles each time
	Max      time.Duration // bound of any pause; default 20 s
	// OnRetry hears of each failure that is followed by another attempt; it is called from many goroutines.
	OnRetry func(verb, key string, attempt int, err error)
	// Sleep is for tests; the default waits for d or the end of ctx.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Retry is a bucket that asks again where a failure may pass. The pause is random between nothing and its bound ("full jitter",
// Brooker 2015), so that many clients don't come back at once.
type Retry struct {
	blob.Bucket
	o RetryOptions
}

// NewRetry wraps b.
func NewRetry(b blob.Bucket, o RetryOptions) *Retry {
	if o.Attempts < 1 {
		o.Attempts = 6
	}
	if o.First <= 0 {
		o.First = 200 * time.Millisecond
	}
	if o.Max <= 0 {
		o.Max = 20 * time.Second
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	return &Retry{b, o}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Permanent says that asking again would get the same answer. A deadline that passed is permanent for the caller's context only,
// which Retry looks at itself; within a request it is a slow network.
func Permanent(err error) bool {
	for _, e := range []error{
		blob.ErrNotFound, blob.ErrPrecondition, blob.ErrAccess, blob.ErrReadOnly, blob.ErrUnsupported, blob.ErrNoSpace, blob.ErrNoBucket, blob.ErrRejected,
		blob.ErrKey, blob.ErrRange, context.Canceled,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// attempts counts the requests of one call.
type attempts struct {
	o    *RetryOptions
	verb string
	key  string
	n    int // failures in a row
}

// again waits and returns nil if the failure err should be followed by another request; else the error to return.
func (a *attempts) again(ctx context.Context, err error) error {
	a.n++
	switch {
	case Permanent(err):
		return err
	case ctx.Err() != nil:
		if !errors.Is(err, ctx.Err()) {
			err = fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		return err
	case a.n >= a.o.Attempts:
		return fmt.Errorf("%w (%d attempts)", err, a.n)
	}
	if a.o.OnRetry != nil {
		a.o.OnRetry(a.verb, a.key, a.n, err)
	}
	bound := a.o.Max
	if shift := a.n - 1; shift < 32 && a.o.First<<shift>>shift == a.o.First {
		bound = min(bound, a.o.First<<shift)
	}
	if stopped := a.o.Sleep(ctx, rand.N(bound+1)); stopped != nil {
		return fmt.Errorf("%w: %w", stopped, err)
	}
	return nil
}

func (b *Retry) attempts(verb, key string) *attempts {
	return &attempts{o: &b.o, verb: verb, key: key}
}

// Put implements blob.Bucket. Where a condition does not hold after an attempt that failed, that attempt may have been applied: the
// object is read back, and if it has our bytes the Put has succeeded.
func (b *Retry) Put(ctx context.Context, key string, body []byte, cond blob.Condition) (blob.Info, error) {
	for a := b.attempts("put", key); ; {
		info, err := b.Bucket.Put(ctx, key, body, cond)
		if err == nil {
			return info, nil
		}
		if a.n > 0 && errors.Is(err, blob.ErrPrecondition) {
			return b.ours(ctx, key, body, err)
		}
		if err := a.again(ctx, err); err != nil {
			return blob.Info{}, err
		}
	}
}

// ours turns the failed condition err into success where the object holds body.
func (b *Retry) ours(ctx context.Context, key string, body []byte, err error) (blob.Info, error) {
	r, info, readErr := b.Get(ctx, key, 0, -1)
	if errors.Is(readErr, blob.ErrNotFound) {
		return blob.Info{}, err
	}
	if readErr != nil {
		return blob.Info{}, fmt.Errorf("read back after a put that may have been applied: %w", readErr)
	}
	defer r.Close()
	if info.Size != int64(len(body)) {
		return blob.Info{}, err
	}
	got, readErr := io.ReadAll(io.LimitReader(r, info.Size))
	if readErr != nil {
		return blob.Info{}, fmt.Errorf("read back after a put that may have been applied: %w", readErr)
	}
	if !bytes.Equal(got, body) {
		return blob.Info{}, err
	}
	return info, nil
}

// Stat implements blob.Bucket.
func (b *Retry) Stat(ctx context.Context, key string) (blob.Info, error) {
	for a := b.attempts("stat", key); ; {
		info, err := b.Bucket.Stat(ctx, key)
		if err == nil {
			return info, nil
		}
		if err := a.again(ctx, err); err != nil {
			return blob.Info{}, err
		}
	}
}

// Delete implements blob.Bucket. A name that is deleted must not be written again by others before ctx ends: a second attempt would
// delete that.
func (b *Retry) Delete(ctx context.Context, key string) error {
	for a := b.attempts("delete", key); ; {
		err := b.Bucket.Delete(ctx, key)
		if err == nil {
			return nil
		}
		if err := a.again(ctx, err); err != nil {
			return err
		}
	}
}

// List implements blob.Bucket: after a failure it goes on behind the last object.
func (b *Retry) List(ctx context.Context, prefix, after string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		for a, after := b.attempts("list", prefix), after; ; {
			var failed error
			for info, err := range b.Bucket.List(ctx, prefix, after) {
				if failed = err; err != nil {
					break
				}
				after, a.n = info.Key, 0
				if !yield(info, nil) {
					return
				}
			}
			if failed == nil {
				return
			}
			if err := a.again(ctx, failed); err != nil {
				yield(blob.Info{}, err)
				return
			}
		}
	}
}
