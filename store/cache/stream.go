package cache

import (
	"errors"
	"io"
	"os"
	"sync"

	"tarn/internal/durable"
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
	h := digest.New()
	defer h.Release()
	if limit <= streamBuffer {
		n, err = pumpOne(h, w, r, limit)
	} else {
		n, err = pumpRing(h, w, 0, r, limit)
	}
	return h.Sum(), n, err
}

// pumpRing goes on with h and with w, which has at bytes.
func pumpRing(h *digest.Hasher, w io.Writer, at int64, r io.Reader, limit int64) (n int64, err error) {
	work, done := make(chan []byte, streamRing), make(chan struct{}, streamRing)
	go func() {
		defer close(done)
		out := syncing{at: at}
		out.file, _ = w.(startSyncer)
		for b := range work {
			out.wrote(len(b)) // but for the last buffer, which is written now
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
	return n, noEOF(err)
}

type startSyncer interface{ StartSync(off, n int64) }

// syncing lets a file that is written from byte at on go to the disk meanwhile, in steps.
type syncing struct {
	file startSyncer // nil: it is none
	at   int64
	size int64 // written behind at, and one buffer more
}

func (s *syncing) wrote(n int) {
	if s.file != nil && s.size >= copyStep {
		s.file.StartSync(s.at, s.size)
		s.at, s.size = s.at+s.size, 0
	}
	s.size += int64(n)
}

// copyStep is what the kernel copies at once. It is long enough that the disk gets long runs, and short enough that hashing is not far behind.
const copyStep = 4 << 20

// copied is a new file that the kernel can copy to.
type copied interface {
	io.Writer
	startSyncer
	CopyFrom(src *os.File, n int) (int, error)
	OS() *os.File
}

// copyFile is pump for two files, from where f stands into the empty w: the kernel copies, and what w then has is hashed a step behind, when it goes to the
// disk, too. That takes half of the time where memory is full of cached pages, for no page passes through this process twice.
func copyFile(w copied, f *os.File, limit int64) (d digest.Digest, n int64, err error) {
	if limit <= copyStep {
		return pump(w, f, limit)
	}
	got, err := w.CopyFrom(f, copyStep)
	if errors.Is(err, durable.ErrNoCopy) || err == nil && got == 0 { // files of /proc have content and no size
		return pump(w, f, limit)
	}
	steps, hashed := make(chan int64, streamRing), make(chan error, 1)
	h := digest.New()
	defer h.Release()
	go func() { hashed <- hashSteps(h, w, steps) }()
	for err == nil && got > 0 {
		n += int64(got)
		steps <- int64(got)
		if n > limit {
			break
		}
		got, err = w.CopyFrom(f, copyStep)
	}
	close(steps)
	if herr := <-hashed; err == nil {
		err = herr
	}
	return h.Sum(), n, err
}

// hashSteps hashes w in steps, as they become known.
func hashSteps(h *digest.Hasher, w copied, steps <-chan int64) (err error) {
	buf := streamBuffers.Get().(*[]byte)
	defer streamBuffers.Put(buf)
	var off int64
	for n := range steps {
		w.StartSync(off, n)
		if err == nil {
			_, err = io.CopyBuffer(struct{ io.Writer }{h}, io.NewSectionReader(w.OS(), off, n), *buf)
		}
		off += n
	}
	return err
}

// pumpOne is for what fits into one buffer.
func pumpOne(h *digest.Hasher, w io.Writer, r io.Reader, limit int64) (n int64, err error) {
	buf := streamBuffers.Get().(*[]byte)
	defer streamBuffers.Put(buf)
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
	return n, noEOF(err)
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) || err == io.ErrUnexpectedEOF {
		return nil
	}
	return err
}
