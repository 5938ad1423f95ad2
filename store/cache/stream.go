package cache

import (
	"errors"
	"io"
	"sync"

	"tarn/store/digest"
)

// Buffers of a stream: so many of so many bytes. Linux takes pages for a write in blocks of up to its size: below 256 KiB that costs time for each block, and
// for 1 MiB it has to compact memory first once most of it is page cache, which doubles the time.
const (
	streamBuffer = 256 << 10
	streamRing   = 8
)

var streamBuffers = sync.Pool{New: func() any { b := make([]byte, streamBuffer); return &b }}

// pump passes r on to w (which may be nil) and hashes it, both at the same time, up to limit bytes and at most one buffer more, so
// that the caller sees by n that there was more. It starts one goroutine, and ends it.
func pump(w io.Writer, r io.Reader, limit int64) (d digest.Digest, n int64, err error) {
	if limit <= streamBuffer {
		return pumpOne(w, r, limit)
	}
	work, done := make(chan []byte, streamRing), make(chan struct{}, streamRing)
	h := digest.New()
	defer h.Release()
	go func() {
		defer close(done)
		for b := range work {
			h.Write(b)
			done <- struct{}{}
		}
	}()
	var ring [streamRing]*[]byte
	for i := range ring {
		ring[i] = streamBuffers.Get().(*[]byte)
	}
	for i := 0; n <= limit && err == nil; i++ {
		if i >= streamRing {
			<-done // the buffer that is used next has been hashed
		}
		b := *ring[i%streamRing]
		var got int
		got, err = io.ReadFull(r, b)
		n += int64(got)
		work <- b[:got]
		if w != nil && got > 0 {
			if _, werr := w.Write(b[:got]); werr != nil {
				err = werr
			}
		}
	}
	close(work)
	for range done {
	}
	for _, b := range ring {
		streamBuffers.Put(b)
	}
	return h.Sum(), n, noEOF(err)
}

// pumpOne is pump for what fits into one buffer.
func pumpOne(w io.Writer, r io.Reader, limit int64) (d digest.Digest, n int64, err error) {
	buf := streamBuffers.Get().(*[]byte)
	defer streamBuffers.Put(buf)
	h := digest.New()
	defer h.Release()
	for n <= limit && err == nil {
		var got int
		got, err = io.ReadFull(r, *buf)
		n += int64(got)
		h.Write((*buf)[:got])
		if w != nil && got > 0 {
			if _, werr := w.Write((*buf)[:got]); werr != nil {
				err = werr
			}
		}
	}
	return h.Sum(), n, noEOF(err)
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) || err == io.ErrUnexpectedEOF {
		return nil
	}
	return err
}
