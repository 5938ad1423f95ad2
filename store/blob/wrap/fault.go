package wrap

import (
	"context"
	"errors"
	"io"
	"iter"
	"math/rand/v2"
	"sync"

	"tarn/store/blob"
)

// ErrFault is the failure that Fault makes up; it is transient.
var ErrFault = errors.New("fault made by a test")

// Outcome is what becomes of a request.
type Outcome uint8

// The outcomes of a Plan.
const (
	OK         Outcome = iota
	FailBefore         // the request fails, nothing was applied
	FailMidway         // a Get's reader or a List fails halfway; other requests fail before
	FailAfter          // a Put or Delete is applied, then it fails; other requests fail before
)

// Plan says what becomes of request n (the first is 1), a "put", "get", "stat", "list" or "delete". It is called one at a time.
type Plan func(n int, verb, key string) Outcome

// Random is a plan that fails each request with the given probability, in one of the ways, the same for a seed and order of requests.
func Random(seed uint64, probability float64) Plan {
	r := rand.New(rand.NewPCG(seed, 0))
	return func(int, string, string) Outcome {
		if r.Float64() >= probability {
			return OK
		}
		return FailBefore + Outcome(r.IntN(3))
	}
}

// Fault is a bucket that fails by plan and watches what is done to it.
type Fault struct {
	b     blob.Bucket
	watch *watch

	mu   sync.Mutex
	plan Plan
	n    int
}

// NewFault wraps b; a nil plan makes no faults.
func NewFault(b blob.Bucket, plan Plan) *Fault {
	return &Fault{b: b, watch: newWatch(b), plan: plan}
}

// With is the same bucket seen by another client, with a plan of its own; the violations of both are recorded together.
func (f *Fault) With(plan Plan) *Fault {
	return &Fault{b: f.b, watch: f.watch, plan: plan}
}

// Violations lists what was done to the bucket against the invariants: a key under pack/ is never overwritten with other bytes, and
// one under pack/ or pin/ that was deleted is never created again.
func (f *Fault) Violations() []string { return f.watch.all() }

func (f *Fault) String() string { return f.b.String() }

func (f *Fault) next(verb, key string) Outcome {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	if f.plan == nil {
		return OK
	}
	return f.plan(f.n, verb, key)
}

// Put implements blob.Bucket.
func (f *Fault) Put(ctx context.Context, key string, body []byte, cond blob.Condition) (blob.Info, error) {
	o := f.next("put", key)
	if o == FailBefore || o == FailMidway {
		return blob.Info{}, ErrFault
	}
	info, err := f.watch.put(ctx, key, body, cond)
	if err == nil && o == FailAfter {
		return blob.Info{}, ErrFault
	}
	return info, err
}

// Get implements blob.Bucket.
func (f *Fault) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, blob.Info, error) {
	o := f.next("get", key)
	if o == FailBefore || o == FailAfter {
		return nil, blob.Info{}, ErrFault
	}
	r, info, err := f.b.Get(ctx, key, off, n)
	if err != nil || o == OK {
		return r, info, err
	}
	size := max(info.Size-off, 0)
	if n >= 0 {
		size = min(size, n)
	}
	return &halfReader{r, size / 2}, info, nil
}

// halfReader fails after left bytes.
type halfReader struct {
	io.ReadCloser
	left int64
}

func (h *halfReader) Read(p []byte) (int, error) {
	if h.left == 0 {
		return 0, ErrFault
	}
	n, err := h.ReadCloser.Read(p[:min(int64(len(p)), h.left)])
	h.left -= int64(n)
	return n, err
}

// Stat implements blob.Bucket.
func (f *Fault) Stat(ctx context.Context, key string) (blob.Info, error) {
	if f.next("stat", key) != OK {
		return blob.Info{}, ErrFault
	}
	return f.b.Stat(ctx, key)
}

// Delete implements blob.Bucket.
func (f *Fault) Delete(ctx context.Context, key string) error {
	o := f.next("delete", key)
	if o == FailBefore || o == FailMidway {
		return ErrFault
	}
	err := f.watch.delete(ctx, key)
	if err == nil && o == FailAfter {
		return ErrFault
	}
	return err
}

// List implements blob.Bucket.
func (f *Fault) List(ctx context.Context, prefix, after string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		o := f.next("list", prefix)
		if o == FailBefore || o == FailAfter {
			yield(blob.Info{}, ErrFault)
			return
		}
		if o == FailMidway {
			f.half(ctx, prefix, after, yield)
			return
		}
		f.b.List(ctx, prefix, after)(yield)
	}
}

// half yields the first half of a listing and then fails.
func (f *Fault) half(ctx context.Context, prefix, after string, yield func(blob.Info, error) bool) {
	var all []blob.Info
	for info, err := range f.b.List(ctx, prefix, after) {
		if err != nil {
			yield(blob.Info{}, err)
			return
		}
		all = append(all, info)
	}
	for _, info := range all[:(len(all)+1)/2] {
		if !yield(info, nil) {
			return
		}
	}
	yield(blob.Info{}, ErrFault)
}
