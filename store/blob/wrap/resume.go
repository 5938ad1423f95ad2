package wrap

import (
	"context"
	"fmt"
	"io"

	"tarn/store/blob"
)

// Get implements blob.Bucket. Where the reader breaks, or ends too early, it goes on with a range request from there, unless the
// object was replaced: then the error wraps blob.ErrPrecondition.
func (b *Retry) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, blob.Info, error) {
	r := &resumer{ctx: ctx, b: b.Bucket, a: b.attempts("get", key), off: off, n: n}
	for {
		err := r.open()
		if err == nil {
			return r, r.info, nil
		}
		if err := r.a.again(ctx, err); err != nil {
			return nil, blob.Info{}, err
		}
	}
}

// resumer reads one object to the end of a range.
type resumer struct {
	ctx    context.Context
	b      blob.Bucket
	a      *attempts
	off, n int64 // what was asked for at first; then off moves on, and n is what is left
	info   blob.Info
	known  bool // info is set, n is known
	r      io.ReadCloser
}

func (r *resumer) open() error {
	body, info, err := r.b.Get(r.ctx, r.a.key, r.off, r.n)
	if err != nil {
		return err
	}
	if !r.known {
		left := max(info.Size-r.off, 0)
		if r.n < 0 || r.n > left {
			r.n = left
		}
		r.info, r.known = info, true
	} else if info.ETag != r.info.ETag || info.Size != r.info.Size {
		body.Close()
		return fmt.Errorf("get %s from %s: replaced while it was read: %w", r.a.key, r.b, blob.ErrPrecondition)
	}
	r.r = body
	return nil
}

func (r *resumer) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for r.n > 0 {
		n, err := r.read(p)
		if n > 0 {
			return n, nil // an error comes again, or goes away
		}
		if err == nil {
			continue
		}
		if r.r != nil {
			r.r.Close()
			r.r = nil
		}
		if err := r.a.again(r.ctx, err); err != nil {
			return 0, err
		}
	}
	return 0, io.EOF
}

// read reads what is left of the range, no more.
func (r *resumer) read(p []byte) (int, error) {
	if r.r == nil {
		if err := r.open(); err != nil {
			return 0, err
		}
	}
	n, err := r.r.Read(p[:min(int64(len(p)), r.n)])
	if n > 0 {
		r.off, r.n, r.a.n = r.off+int64(n), r.n-int64(n), 0
	}
	if err == io.EOF {
		err = fmt.Errorf("get %s from %s: %w", r.a.key, r.b, io.ErrUnexpectedEOF)
	}
	return n, err
}

// Close closes the reader that is open, if any.
func (r *resumer) Close() error {
	r.n = 0
	if r.r == nil {
		return nil
	}
	err := r.r.Close()
	r.r = nil
	return err
}
