package durable

import (
	"context"
	"fmt"
	"time"

	"github.com/gofrs/flock"
)

// Lock is an advisory lock across processes, and between two locks of one process. It ends with the process.
type Lock struct{ f *flock.Flock }

// Locks are polled: a blocking wait could not be cancelled.
const (
	firstPoll = time.Millisecond
	lastPoll  = 50 * time.Millisecond
)

// Lock takes the lock that the file at path stands for, shared or alone, and waits for it until ctx is done. It creates the file,
// not its directory, and never removes it. Waiting is not fair.
func (d *Disk) Lock(ctx context.Context, path string, shared bool) (*Lock, error) {
	for delay := firstPoll; ; delay = min(2*delay, lastPoll) {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if l, err := d.TryLock(path, shared); l != nil || err != nil {
			return l, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(delay):
		}
	}
}

// TryLock is Lock without waiting: nil and no error where another one holds it.
func (d *Disk) TryLock(path string, shared bool) (*Lock, error) {
	f := flock.New(path, flock.SetPermissions(0o666))
	try := f.TryLock
	if shared {
		try = f.TryRLock
	}
	ok, err := try()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if !ok {
		return nil, f.Close()
	}
	return &Lock{f}, nil
}

// Unlock gives the lock up; a second call does nothing.
func (l *Lock) Unlock() error { return l.f.Unlock() }
