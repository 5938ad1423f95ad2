package blobtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"tarn/store/blob"
)

const racers = 32

func testAbsent(t *testing.T, b blob.Bucket) {
	ctx := context.Background()
	info, err := b.Put(ctx, "a/x", []byte("first"), blob.Condition{Absent: true})
	isTrue(t, err == nil && info.ETag != "" && info.Size == 5, "%+v, %v", info, err)
	_, err = b.Put(ctx, "a/x", []byte("second"), blob.Condition{Absent: true})
	is(t, err, blob.ErrPrecondition)
	holds(t, b, "a/x", "first")
	if err := b.Delete(ctx, "a/x"); err != nil {
		t.Fatal(err)
	}
	_, err = b.Put(ctx, "a/x", []byte("third"), blob.Condition{Absent: true})
	isTrue(t, err == nil, "after delete: %v", err)
	holds(t, b, "a/x", "third")
}

func testMatch(t *testing.T, b blob.Bucket) {
	ctx := context.Background()
	first := put(t, b, "a/x", "first")
	second, err := b.Put(ctx, "a/x", []byte("second"), blob.Condition{Match: first.ETag})
	if err != nil {
		t.Fatal(err)
	}
	isTrue(t, second.ETag != first.ETag && second.Size == 6, "after %+v: %+v", first, second)
	for _, stale := range []string{first.ETag, "0-0-0"} {
		_, err = b.Put(ctx, "a/x", []byte("third"), blob.Condition{Match: stale})
		is(t, err, blob.ErrPrecondition)
	}
	holds(t, b, "a/x", "second")
	info, err := b.Stat(ctx, "a/x")
	isTrue(t, err == nil && info.ETag == second.ETag, "stat %+v, %v; want ETag %s", info, err, second.ETag)
	if err := b.Delete(ctx, "a/x"); err != nil {
		t.Fatal(err)
	}
	_, err = b.Put(ctx, "a/x", []byte("fourth"), blob.Condition{Match: second.ETag})
	is(t, err, blob.ErrPrecondition)
	_, err = b.Stat(ctx, "a/x")
	is(t, err, blob.ErrNotFound)
}

// race lets racers write own bodies under a condition; exactly one may win, and its body is what stays.
func race(t *testing.T, b blob.Bucket, key string, cond blob.Condition) {
	t.Helper()
	var wins atomic.Int32
	var winner atomic.Value
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range racers {
		wg.Go(func() {
			<-start
			// Another body than in any race before: an ETag may be a digest of the bytes.
			body := fmt.Sprintf("%s by racer %02d of %d, after %s", key, i, racers, cond.Match)
			switch _, err := b.Put(context.Background(), key, []byte(body), cond); {
			case err == nil:
				wins.Add(1)
				winner.Store(body)
			case !errors.Is(err, blob.ErrPrecondition):
				t.Errorf("racer %d: %v", i, err)
			}
		})
	}
	close(start)
	wg.Wait()
	if wins.Load() != 1 {
		t.Fatalf("%s has %d winners", key, wins.Load())
	}
	holds(t, b, key, winner.Load().(string))
}

func testAbsentRace(t *testing.T, b blob.Bucket) {
	for i := range 4 {
		race(t, b, fmt.Sprintf("a/%d/x", i), blob.Condition{Absent: true})
	}
}

func testMatchRace(t *testing.T, b blob.Bucket) {
	put(t, b, "a/x", "start")
	for range 4 {
		info, err := b.Stat(context.Background(), "a/x")
		if err != nil {
			t.Fatal(err)
		}
		race(t, b, "a/x", blob.Condition{Match: info.ETag})
	}
}

// Who reads while others write sees one whole version, and its size.
func testReadersSeeWhole(t *testing.T, b blob.Bucket) {
	bodies := map[string]bool{}
	for i := range 4 {
		bodies[noise(uint64(i), 1000*(i+1))] = true
	}
	put(t, b, "a/x", noise(0, 1000))
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				got, info, err := get(b, "a/x", 0, -1)
				if errors.Is(err, blob.ErrPrecondition) {
					continue // it broke, and went on with a version that was replaced: an error, and nothing mixed
				}
				if err != nil || !bodies[got] || info.Size != int64(len(got)) {
					t.Errorf("read %d bytes of %d, %v", len(got), info.Size, err)
					return
				}
			}
		})
	}
	for i := range 20 {
		put(t, b, "a/x", noise(uint64(i%4), 1000*(i%4+1)))
	}
	close(done)
	wg.Wait()
}
