package fs

import (
	"context"
	"sync"
	"time"

	"tarn/internal/durable"
)

// clock is the file system's time, as files show it that were just written.
type clock struct {
	disk *durable.Disk
	tmp  string // where a probe file may be made

	mu     sync.Mutex
	offset time.Duration // file system's time less ours
	asked  time.Time     // our time of the last measurement or attempt
	seen   time.Time     // the latest file system's time that was seen
}

const (
	measureEach = time.Minute
	firstWait   = time.Millisecond
	lastWait    = 50 * time.Millisecond
	// tick is the coarsest resolution of a file system (FAT), with some room. A file that is further in the future was not dated by the
	// file system's clock; waiting for it would be no use.
	tick = 3 * time.Second
)

// now is the file system's time.
func (c *clock) now() time.Time {
	c.mu.Lock()
	stale := c.asked.IsZero() || time.Since(c.asked) > measureEach
	if stale {
		c.asked = time.Now()
	}
	c.mu.Unlock()
	if stale {
		c.probe()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now().Add(c.offset)
	if now.Before(c.seen) && c.seen.Sub(now) < tick {
		return c.seen
	}
	return now
}

// saw takes the time of a file that was written just now.
func (c *clock) saw(modified time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = time.Now()
	c.offset = modified.Sub(c.asked)
	if modified.After(c.seen) {
		c.seen = modified
	}
}

// probe writes an empty file. Where that can't be done, time goes on as before.
func (c *clock) probe() {
	f, err := c.disk.CreateTemp(c.tmp)
	if err != nil {
		return
	}
	defer f.Abort()
	if info, err := f.OS().Stat(); err == nil {
		c.saw(info.ModTime())
	}
}

// pass waits until the file system's time is after t.
func (c *clock) pass(ctx context.Context, t time.Time) error {
	for wait, until := firstWait, time.Now().Add(tick); ; wait = min(2*wait, lastWait) {
		if c.passed(t) {
			return nil
		}
		c.probe()
		if c.passed(t) || t.Sub(c.latest()) > tick || time.Now().After(until) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

func (c *clock) passed(t time.Time) bool { return c.latest().After(t) }

func (c *clock) latest() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen
}
