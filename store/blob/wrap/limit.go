package wrap

import (
	"context"
	"io"
	"iter"
	"sync"
	"time"

	"tarn/store/blob"
)

// LimitOptions bound what a bucket is asked for at once; a zero, or nil, is no bound.
type LimitOptions struct {
	Requests int   // at the same time; a Get counts until its reader is closed, a List while it fetches
	Up, Down *Rate // may be shared with other buckets
}

// Limit is a bucket with bounds. Who holds a Get open and waits for another request may wait for itself.
type Limit struct {
	blob.Bucket
	slots    chan struct{}
	up, down *Rate
}

// NewLimit wraps b.
func NewLimit(b blob.Bucket, o LimitOptions) *Limit {
	l := &Limit{Bucket: b, up: o.Up, down: o.Down}
	if o.Requests > 0 {
		l.slots = make(chan struct{}, o.Requests)
	}
	return l
}

func (l *Limit) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil || l.slots == nil {
		return err
	}
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Limit) leave() {
	if l.slots != nil {
		<-l.slots
	}
}

// Put implements blob.Bucket. A body is sent as fast as it goes, once it is its turn; those that follow wait for longer.
func (l *Limit) Put(ctx context.Context, key string, body []byte, cond blob.Condition) (blob.Info, error) {
	if err := l.enter(ctx); err != nil {
		return blob.Info{}, err
	}
	defer l.leave()
	if err := l.up.Wait(ctx, len(body)); err != nil {
		return blob.Info{}, err
	}
	return l.Bucket.Put(ctx, key, body, cond)
}

// Get implements blob.Bucket.
func (l *Limit) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, blob.Info, error) {
	if err := l.enter(ctx); err != nil {
		return nil, blob.Info{}, err
	}
	r, info, err := l.Bucket.Get(ctx, key, off, n)
	if err != nil {
		l.leave()
		return nil, info, err
	}
	return &limitedReader{ctx: ctx, r: r, down: l.down, leave: sync.OnceFunc(l.leave)}, info, nil
}

type limitedReader struct {
	ctx   context.Context
	r     io.ReadCloser
	down  *Rate
	leave func()
}

func (r *limitedReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p[:min(len(p), r.down.step())])
	if wait := r.down.Wait(r.ctx, n); wait != nil {
		return n, wait
	}
	return n, err
}

func (r *limitedReader) Close() error {
	defer r.leave()
	return r.r.Close()
}

// Stat implements blob.Bucket.
func (l *Limit) Stat(ctx context.Context, key string) (blob.Info, error) {
	if err := l.enter(ctx); err != nil {
		return blob.Info{}, err
	}
	defer l.leave()
	return l.Bucket.Stat(ctx, key)
}

// Delete implements blob.Bucket.
func (l *Limit) Delete(ctx context.Context, key string) error {
	if err := l.enter(ctx); err != nil {
		return err
	}
	defer l.leave()
	return l.Bucket.Delete(ctx, key)
}

// List implements blob.Bucket. While the caller looks at an object the List holds no slot, so that the caller can use the bucket.
func (l *Limit) List(ctx context.Context, prefix, after string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		if err := l.enter(ctx); err != nil {
			yield(blob.Info{}, err)
			return
		}
		inside := true
		defer func() {
			if inside {
				l.leave()
			}
		}()
		for info, err := range l.Bucket.List(ctx, prefix, after) {
			l.leave()
			inside = false
			if !yield(info, err) || err != nil {
				return
			}
			if err := l.enter(ctx); err != nil {
				yield(blob.Info{}, err)
				return
			}
			inside = true
		}
	}
}

// Rate lets so many bytes a second through, for all who wait together; nil lets all.
type Rate struct {
	perSecond int64
	mu        sync.Mutex
	free      time.Time // when all that was let through so far has had its time
}

// burst is how much of a pause may be made up for.
const burst = 100 * time.Millisecond

// NewRate is nil, and no bound, where perSecond is not above 0.
func NewRate(perSecond int64) *Rate {
	if perSecond <= 0 {
		return nil
	}
	return &Rate{perSecond: perSecond}
}

// step is how many bytes to take at once, about 20 times a second.
func (r *Rate) step() int {
	if r == nil {
		return 1<<31 - 1
	}
	return int(min(max(r.perSecond/20, 1), 1<<20))
}

// Wait waits for the turn of n bytes and takes it.
func (r *Rate) Wait(ctx context.Context, n int) error {
	if r == nil || n == 0 {
		return nil
	}
	r.mu.Lock()
	now := time.Now()
	if earliest := now.Add(-burst); r.free.Before(earliest) {
		r.free = earliest
	}
	turn := r.free
	r.free = r.free.Add(time.Duration(float64(n) / float64(r.perSecond) * float64(time.Second)))
	r.mu.Unlock()
	if !turn.After(now) {
		return nil
	}
	return sleep(ctx, turn.Sub(now))
}
