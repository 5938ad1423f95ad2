// Package mem is a bucket in memory: the reference that the other buckets are compared with, and a remote for tests.
package mem

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tarn/store/blob"
)

// Bucket implements blob.Bucket; all of it is lost with the process.
type Bucket struct {
	mu      sync.RWMutex
	objects map[string]object
	writes  uint64
	now     func() time.Time
}

type object struct {
	body     []byte // never changed
	etag     string
	modified time.Time
}

// New returns an empty bucket with the time of this machine.
func New() *Bucket { return &Bucket{objects: map[string]object{}, now: time.Now} }

// SetClock makes now the bucket's clock.
func (b *Bucket) SetClock(now func() time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = now
}

func (b *Bucket) String() string { return "memory" }

func (o object) info(key string, now time.Time) blob.Info {
	return blob.Info{Key: key, Size: int64(len(o.body)), ETag: o.etag, Modified: o.modified, Now: now}
}

func check(ctx context.Context, verb, key string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s %s: %w", verb, key, err)
	}
	if err := blob.CheckKey(key); err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	return nil
}

// Put implements blob.Bucket.
func (b *Bucket) Put(ctx context.Context, key string, body []byte, cond blob.Condition) (blob.Info, error) {
	if err := check(ctx, "put", key); err != nil {
		return blob.Info{}, err
	}
	body = bytes.Clone(body)
	b.mu.Lock()
	defer b.mu.Unlock()
	old, there := b.objects[key]
	if cond.Absent && there || cond.Match != "" && (!there || old.etag != cond.Match) {
		return blob.Info{}, fmt.Errorf("put %s in memory: %w", key, blob.ErrPrecondition)
	}
	b.writes++
	o := object{body, strconv.FormatUint(b.writes, 10), b.now()}
	b.objects[key] = o
	return o.info(key, o.modified), nil
}

func (b *Bucket) get(ctx context.Context, verb, key string) (object, blob.Info, error) {
	if err := check(ctx, verb, key); err != nil {
		return object{}, blob.Info{}, err
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	o, there := b.objects[key]
	if !there {
		return object{}, blob.Info{}, fmt.Errorf("%s %s in memory: %w", verb, key, blob.ErrNotFound)
	}
	return o, o.info(key, b.now()), nil
}

// Get implements blob.Bucket.
func (b *Bucket) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, blob.Info, error) {
	if off < 0 {
		return nil, blob.Info{}, fmt.Errorf("get %s in memory: %w: offset %d", key, blob.ErrRange, off)
	}
	o, info, err := b.get(ctx, "get", key)
	if err != nil {
		return nil, blob.Info{}, err
	}
	body := o.body[min(off, info.Size):]
	if n >= 0 {
		body = body[:min(n, int64(len(body)))]
	}
	return io.NopCloser(bytes.NewReader(body)), info, nil
}

// Stat implements blob.Bucket.
func (b *Bucket) Stat(ctx context.Context, key string) (blob.Info, error) {
	_, info, err := b.get(ctx, "stat", key)
	return info, err
}

// List implements blob.Bucket: the objects that are there when it starts and still when they are reached.
func (b *Bucket) List(ctx context.Context, prefix, after string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		if err := blob.CheckPrefix(prefix); err != nil {
			yield(blob.Info{}, fmt.Errorf("list: %w", err))
			return
		}
		for _, key := range b.keys(prefix, after) {
			if err := ctx.Err(); err != nil {
				yield(blob.Info{}, fmt.Errorf("list %s: %w", prefix, err))
				return
			}
			b.mu.RLock()
			o, there := b.objects[key]
			now := b.now()
			b.mu.RUnlock()
			if there && !yield(o.info(key, now), nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(blob.Info{}, fmt.Errorf("list %s: %w", prefix, err))
		}
	}
}

func (b *Bucket) keys(prefix, after string) []string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.Sorted(func(yield func(string) bool) {
		for key := range maps.Keys(b.objects) {
			if strings.HasPrefix(key, prefix) && key > after && !yield(key) {
				return
			}
		}
	})
}

// Delete implements blob.Bucket.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	if err := check(ctx, "delete", key); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.objects, key)
	return nil
}
