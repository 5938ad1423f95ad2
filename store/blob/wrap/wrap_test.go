package wrap

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"tarn/store/blob"
	"tarn/store/blob/blobtest"
	"tarn/store/blob/fs"
	"tarn/store/blob/mem"
)

var ctx = context.Background()

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// at is a plan that fails the numbered requests.
func at(outcomes map[int]Outcome) Plan {
	return func(n int, _, _ string) Outcome { return outcomes[n] }
}

// patient makes pauses of no time.
var patient = RetryOptions{Attempts: 40, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}

func TestConformance(t *testing.T) {
	for base, open := range map[string]func(t *testing.T) blob.Bucket{
		"mem": func(*testing.T) blob.Bucket { return mem.New() },
		"fs":  func(t *testing.T) blob.Bucket { return fs.New(nil, filepath.Join(t.TempDir(), "b")) },
	} {
		for name, wrap := range map[string]func(blob.Bucket) blob.Bucket{
			"retry": func(b blob.Bucket) blob.Bucket { return NewRetry(b, RetryOptions{}) },
			"limit": func(b blob.Bucket) blob.Bucket {
				return NewLimit(b, LimitOptions{Requests: 3, Up: NewRate(1 << 30), Down: NewRate(1 << 30)})
			},
			"meter": func(b blob.Bucket) blob.Bucket { return NewMeter(b) },
			"fault": func(b blob.Bucket) blob.Bucket { return NewFault(b, nil) },
			"all": func(b blob.Bucket) blob.Bucket {
				return NewMeter(NewLimit(NewRetry(b, RetryOptions{}), LimitOptions{Requests: 40, Up: NewRate(1 << 32)}))
			},
		} {
			if base == "fs" && name != "all" { // the disk is slow
				continue
			}
			t.Run(base+"/"+name, func(t *testing.T) {
				blobtest.Run(t, func(t *testing.T) blob.Bucket { return wrap(open(t)) })
			})
		}
	}
}

// With every third request failing in one way or another, a bucket with Retry is still a bucket.
func TestConformanceDespiteFaults(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			blobtest.Run(t, func(t *testing.T) blob.Bucket {
				fault := NewFault(mem.New(), Random(seed, 0.3))
				t.Cleanup(func() {
					if v := fault.Violations(); len(v) != 0 {
						t.Errorf("violations: %v", v)
					}
				})
				return NewRetry(fault, patient)
			})
		})
	}
}

func TestPermanent(t *testing.T) {
	for _, err := range []error{
		blob.ErrNotFound, blob.ErrPrecondition, blob.ErrAccess, blob.ErrReadOnly, blob.ErrUnsupported, blob.ErrNoSpace, blob.ErrNoBucket, blob.ErrRejected, context.Canceled, blob.ErrKey, blob.ErrRange,
	} {
		if !Permanent(fmt.Errorf("put x: %w", err)) {
			t.Errorf("%v is retried", err)
		}
	}
	for _, err := range []error{ErrFault, errors.New("reset"), context.DeadlineExceeded} {
		if Permanent(err) {
			t.Errorf("%v is not retried", err)
		}
	}
}
