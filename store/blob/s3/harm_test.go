package s3_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"tarn/store/blob"
	"tarn/store/blob/s3"
	"tarn/store/blob/s3/s3test"
	"tarn/store/blob/wrap"
)

// once does harm to the first request of a method.
func once(method string, h s3test.Harm) func(int, *http.Request) s3test.Harm {
	done := false
	return func(_ int, r *http.Request) s3test.Harm {
		if r.Method != method || done {
			return s3test.Harm{}
		}
		done = true
		return h
	}
}

var quick = wrap.RetryOptions{First: time.Millisecond}

// TestHarm does each harm to a put and to a get, once. What comes out is right, and a put with a condition has one winner.
func TestHarm(t *testing.T) {
	srv := s3test.Run(t, s3test.Versity)
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for name, h := range map[string]s3test.Harm{
		"delay": {Delay: 50 * time.Millisecond}, "503": {Status: 503}, "500 after it was applied": {Status: 500, Applied: true}, "cut up": {CutUp: 100_000},
		"cut at once": {CutDown: 1}, "cut down": {CutDown: 500_000}, "flip up": {FlipUp: 12_345}, "stall": {Stall: true}, "no answer": {NoAnswer: true},
	} {
		t.Run(name, func(t *testing.T) {
			raw := open(t, srv, func(o *s3.Options) { o.Stall = 300 * time.Millisecond })
			b := wrap.NewRetry(raw, quick)
			defer srv.Proxy.Plan(nil)
			srv.Proxy.Plan(once(http.MethodPut, h))
			if _, err := b.Put(t.Context(), "a/x", body, blob.Condition{Absent: true}); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Put(t.Context(), "a/x", []byte("other"), blob.Condition{Absent: true}); !errors.Is(err, blob.ErrPrecondition) {
				t.Errorf("a second put: %v", err)
			}
			srv.Proxy.Plan(once(http.MethodGet, h))
			r, info, err := b.Get(t.Context(), "a/x", 0, -1)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body) || info.Size != int64(len(body)) {
				t.Errorf("%d bytes, %+v, %v", len(got), info, err)
			}
			srv.Proxy.Plan(once(http.MethodDelete, h))
			if err := b.Delete(t.Context(), "a/x"); err != nil {
				t.Error(err)
			}
		})
	}
}

// A put is one request, whatever its size, and goes on where it broke with what is missing only.
func TestRequests(t *testing.T) {
	srv := s3test.Run(t, s3test.Versity)
	b := open(t, srv, nil)
	retried := wrap.NewRetry(b, quick)
	body := bytes.Repeat([]byte("x"), 33<<20)
	count := func(what string, want int, do func() error) {
		t.Helper()
		srv.Proxy.Reset()
		before := b.Requests()
		if err := do(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		seen := srv.Proxy.Requests()
		if len(seen) != want || b.Requests()-before != int64(want) {
			t.Errorf("%s: %d requests, the bucket counts %d: %v", what, len(seen), b.Requests()-before, seen)
		}
	}
	put := func(key string, cond blob.Condition) func() error {
		return func() error { _, err := retried.Put(t.Context(), key, body, cond); return err }
	}
	count("put", 1, put("a/x", blob.Condition{}))
	count("put if absent", 1, put("a/y", blob.Condition{Absent: true}))
	count("stat", 1, func() error { _, err := retried.Stat(t.Context(), "a/x"); return err })
	count("list", 1, func() error {
		for _, err := range retried.List(t.Context(), "a/", "") {
			if err != nil {
				return err
			}
		}
		return nil
	})
	read := func(off, n int64) func() error {
		return func() error {
			r, _, err := retried.Get(t.Context(), "a/x", off, n)
			if err == nil {
				_, err = io.Copy(io.Discard, r)
				r.Close()
			}
			return err
		}
	}
	count("get", 1, read(0, -1))
	count("get a range", 1, read(100, 1000))
	if seen := srv.Proxy.Requests(); seen[0].Down != 1000 {
		t.Errorf("a range of 1000 bytes brought %d", seen[0].Down)
	}
	srv.Proxy.Plan(once(http.MethodGet, s3test.Harm{CutDown: 20 << 20}))
	count("get that breaks", 2, read(0, -1))
	if seen := srv.Proxy.Requests(); seen[0].Down+seen[1].Down > 34<<20 {
		t.Errorf("a get that broke was begun again: %+v", seen)
	}
	srv.Proxy.Plan(nil)
	count("delete", 1, func() error { return retried.Delete(t.Context(), "a/x") })
}

// A server that never gets well ends in an error that says what it said, and how often it was asked.
func TestGivesUp(t *testing.T) {
	srv := s3test.Run(t, s3test.Versity)
	b := wrap.NewRetry(open(t, srv, nil), quick)
	srv.Proxy.Plan(func(int, *http.Request) s3test.Harm { return s3test.Harm{Status: 503} })
	_, err := b.Stat(t.Context(), "a/x") // HEAD has no body to explain itself
	if err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "(6 attempts)") {
		t.Errorf("stat: %v", err)
	}
	_, err = b.Put(t.Context(), "a/x", nil, blob.Condition{})
	if err == nil || !strings.Contains(err.Error(), "SlowDown") || !strings.Contains(err.Error(), "put a/x to s3://") {
		t.Errorf("put: %v", err)
	}
}

// A wait can be broken off at any time.
func TestCancelStalled(t *testing.T) {
	srv := s3test.Run(t, s3test.Versity)
	b := wrap.NewRetry(open(t, srv, nil), quick)
	srv.Proxy.Plan(func(int, *http.Request) s3test.Harm { return s3test.Harm{Stall: true} })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := b.Put(ctx, "a/x", make([]byte, 8<<20), blob.Condition{})
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}
