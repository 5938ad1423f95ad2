package wrap

import (
	"context"
	"io"
	"iter"
	"sync/atomic"

	"tarn/store/blob"
)

// Counts says how often a bucket was asked, and for how many bytes. Requests that failed count too.
type Counts struct {
	Put, Get, Stat, List, Delete int64 // calls; a List may be several requests
	Failed                       int64 // calls and readers that returned an error
	Up                           int64 // bytes given to Put
	Down                         int64 // bytes read from Get's readers
}

// Requests is the sum of all calls.
func (c Counts) Requests() int64 { return c.Put + c.Get + c.Stat + c.List + c.Delete }

// Sub is what came since the earlier counts o.
func (c Counts) Sub(o Counts) Counts {
	return Counts{
		c.Put - o.Put, c.Get - o.Get, c.Stat - o.Stat, c.List - o.List, c.Delete - o.Delete, c.Failed - o.Failed, c.Up - o.Up, c.Down - o.Down,
	}
}

// Meter is a bucket that counts.
type Meter struct {
	blob.Bucket
	put, get, stat, list, delete, failed, up, down atomic.Int64
}

// NewMeter wraps b.
func NewMeter(b blob.Bucket) *Meter { return &Meter{Bucket: b} }

// Snapshot is the counts as of now.
func (m *Meter) Snapshot() Counts {
	return Counts{
		m.put.Load(), m.get.Load(), m.stat.Load(), m.list.Load(), m.delete.Load(), m.failed.Load(), m.up.Load(), m.down.Load(),
	}
}

func (m *Meter) count(verb *atomic.Int64, err error) {
	verb.Add(1)
	if err != nil {
		m.failed.Add(1)
	}
}

// Put implements blob.Bucket.
func (m *Meter) Put(ctx context.Context, key string, body []byte, cond blob.Condition) (blob.Info, error) {
	info, err := m.Bucket.Put(ctx, key, body, cond)
	m.count(&m.put, err)
	m.up.Add(int64(len(body)))
	return info, err
}

// Get implements blob.Bucket.
func (m *Meter) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, blob.Info, error) {
	r, info, err := m.Bucket.Get(ctx, key, off, n)
	m.count(&m.get, err)
	if err != nil {
		return nil, info, err
	}
	return &meteredReader{r, m}, info, nil
}

type meteredReader struct {
	io.ReadCloser
	m *Meter
}

func (r *meteredReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.m.down.Add(int64(n))
	if err != nil && err != io.EOF {
		r.m.failed.Add(1)
	}
	return n, err
}

// Stat implements blob.Bucket.
func (m *Meter) Stat(ctx context.Context, key string) (blob.Info, error) {
	info, err := m.Bucket.Stat(ctx, key)
	m.count(&m.stat, err)
	return info, err
}

// Delete implements blob.Bucket.
func (m *Meter) Delete(ctx context.Context, key string) error {
	err := m.Bucket.Delete(ctx, key)
	m.count(&m.delete, err)
	return err
}

// List implements blob.Bucket.
func (m *Meter) List(ctx context.Context, prefix, after string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		m.count(&m.list, nil)
		for info, err := range m.Bucket.List(ctx, prefix, after) {
			if err != nil {
				m.failed.Add(1)
			}
			if !yield(info, err) {
				return
			}
		}
	}
}
