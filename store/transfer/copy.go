package transfer

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"tarn/store/digest"
	"tarn/store/remote"
)

// Copy brings whole packs from src to dst, so many at once, in no more memory than as many packs of an upload take; a larger pack goes alone. Each is checked against its name, and by
// allow, if that is set, before dst gets it. done is called for each, from many goroutines, with what src or allow said where it was not copied: digest.ErrMismatch, blob.ErrNotFound, or
// another failure. What done returns then, and each failure of dst, ends the copy.
func Copy(ctx context.Context, src Getter, dst Putter, packs []remote.PackRef, jobs int, allow func(body []byte) error, done func(i int, err error) error) error {
	jobs = max(jobs, 1)
	most := int64(jobs) * packMost
	c := &copying{src, dst, allow, semaphore.NewWeighted(most), most, make(chan *bytes.Buffer, jobs)}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(jobs)
	for i, p := range packs {
		if gctx.Err() != nil {
			break
		}
		g.Go(func() error { return c.pack(gctx, p, func(err error) error { return done(i, err) }) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

type copying struct {
	src   Getter
	dst   Putter
	allow func([]byte) error
	room  *semaphore.Weighted
	most  int64
	used  chan *bytes.Buffer // to be used again
}

func (c *copying) pack(ctx context.Context, p remote.PackRef, done func(error) error) error {
	weight := min(p.Size, c.most)
	if err := c.room.Acquire(ctx, weight); err != nil {
		return err
	}
	defer c.room.Release(weight)
	body := c.buffer()
	defer c.drop(body)
	err := c.read(ctx, p, body)
	if err == nil && c.allow != nil {
		err = c.allow(body.Bytes())
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return done(err)
	}
	if err := c.dst.PutPack(ctx, p.Name, body.Bytes()); err != nil {
		return err
	}
	return done(nil)
}

// buffer has room for a pack of tarn's own.
func (c *copying) buffer() *bytes.Buffer {
	select {
	case b := <-c.used:
		b.Reset()
		return b
	default:
		return bytes.NewBuffer(make([]byte, 0, packMost+bytes.MinRead))
	}
}

func (c *copying) drop(b *bytes.Buffer) {
	if b.Cap() > 2*packMost {
		return // of a larger pack
	}
	select {
	case c.used <- b:
	default:
	}
}

// read gets a pack whose bytes are those of its name. Memory comes with the bytes, for the size may be a lie.
func (c *copying) read(ctx context.Context, p remote.PackRef, body *bytes.Buffer) error {
	r, err := c.src.GetPack(ctx, p.Name, 0, p.Size)
	if err != nil {
		return err
	}
	defer r.Close()
	n, err := io.Copy(body, io.LimitReader(r, p.Size))
	if err != nil {
		return fmt.Errorf("read pack %s: %w", p.Name.Short(), err)
	}
	if n != p.Size {
		return fmt.Errorf("read pack %s: %w: it has %d bytes, not %d", p.Name.Short(), digest.ErrMismatch, n, p.Size)
	}
	if got := digest.Sum(body.Bytes()); got != p.Name {
		return fmt.Errorf("read pack %s: %w: they are those of %s", p.Name.Short(), digest.ErrMismatch, got.Short())
	}
	return nil
}
