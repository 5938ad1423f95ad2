package digest

import (
	"fmt"
	"io"
)

// Reader passes bytes through and, at their end, compares them with the digest and size that were promised.
type Reader struct {
	r    io.Reader
	h    *Hasher
	want Digest
	left int64
}

// NewReader verifies r against want and size (bytes; negative: any). Where they differ, Read returns an error that wraps
// ErrMismatch instead of io.EOF; what was read before that must not be given a name.
func NewReader(r io.Reader, want Digest, size int64) *Reader {
	if size < 0 {
		size = 1<<63 - 1
	}
	return &Reader{r: r, h: New(), want: want, left: size}
}

func (r *Reader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.h.Write(p[:n])
	if r.left -= int64(n); r.left < 0 {
		return n, fmt.Errorf("%w: more bytes than %s has", ErrMismatch, r.want.Short())
	}
	if err == io.EOF {
		if got := r.h.Sum(); got != r.want {
			return n, fmt.Errorf("%w: want %s, got %s", ErrMismatch, r.want.Short(), got.Short())
		}
	}
	return n, err
}
