package wrap

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tarn/store/blob"
	"tarn/store/blob/mem"
)

// slow takes a second for each Stat and knows how many there are at once.
type slow struct {
	blob.Bucket
	now, most atomic.Int64
}

func (s *slow) Stat(ctx context.Context, key string) (blob.Info, error) {
	n := s.now.Add(1)
	defer s.now.Add(-1)
	for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
	}
	time.Sleep(time.Second)
	return s.Bucket.Stat(ctx, key)
}

func TestLimitRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{Bucket: mem.New()}
		l := NewLimit(s, LimitOptions{Requests: 3})
		start := time.Now()
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				if _, err := l.Stat(context.Background(), "x"); !errors.Is(err, blob.ErrNotFound) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if s.most.Load() != 3 || time.Since(start) != 4*time.Second {
			t.Errorf("%d at once, %v", s.most.Load(), time.Since(start))
		}
	})
}

func TestLimitGetHoldsItsSlot(t *testing.T) {
	m := mem.New()
	_, err := m.Put(ctx, "x", []byte("abc"), blob.Condition{})
	must(t, err)
	l := NewLimit(m, LimitOptions{Requests: 1})
	r, _, err := l.Get(ctx, "x", 0, -1)
	must(t, err)
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := l.Stat(short, "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("beside an open reader: %v", err)
	}
	r.Close()
	r.Close()
	for range 3 { // a failed Get gives its slot back
		if _, _, err := l.Get(ctx, "none", 0, -1); !errors.Is(err, blob.ErrNotFound) {
			t.Error(err)
		}
	}
	for range l.List(ctx, "", "") {
		_, err := l.Stat(ctx, "x") // inside a List
		must(t, err)
		break
	}
	_, err = l.Stat(ctx, "x")
	must(t, err)
	if len(l.slots) != 0 {
		t.Errorf("%d slots are lost", len(l.slots))
	}
}

func TestLimitBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		l := NewLimit(mem.New(), LimitOptions{Up: NewRate(1000), Down: NewRate(500)})
		start := time.Now()
		for range 5 {
			_, err := l.Put(ctx, "x", make([]byte, 1000), blob.Condition{})
			must(t, err)
		}
		// The first goes at once, with a burst of 100 ms; the fifth waits for four.
		if took := time.Since(start); took < 3800*time.Millisecond || took > 4*time.Second {
			t.Errorf("5000 bytes at 1000/s, the last at %v", took)
		}
		start = time.Now()
		r, _, err := l.Get(ctx, "x", 0, -1)
		must(t, err)
		defer r.Close()
		n, err := io.Copy(io.Discard, r)
		if took := time.Since(start); n != 1000 || err != nil || took < 1800*time.Millisecond || took > 2*time.Second {
			t.Errorf("%d bytes at 500/s took %v, %v", n, took, err)
		}
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		if _, err := l.Put(short, "x", make([]byte, 1000), blob.Condition{}); err == nil {
			_, err = l.Put(short, "x", make([]byte, 1000), blob.Condition{})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("waiting does not end: %v", err)
			}
		}
	})
}
