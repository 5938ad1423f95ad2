package dataset

import (
	"bytes"
	"io"
	"sync"
	"time"

	"tarn/store/digest"
	"tarn/store/transfer"
)

// What arrived is made durable while more is on its way, so that a pull that is killed goes on from there: after so many bytes, though not more often than
// a disk likes, and after so long.
const (
	saveBytes = 32 << 20
	saveAfter = time.Second
	saveLate  = 10 * time.Second
)

// arrivals watches over files that come in.
type arrivals struct {
	dst    transfer.Sink
	report Reporter
	flush  func() error

	mu    sync.Mutex
	bytes int64 // since the last flush
	since time.Time
}

func (f *fetch) arrivals() *arrivals {
	a := &arrivals{dst: f.sink, report: f.r.report, since: time.Now()}
	if f.w != nil {
		a.flush = f.w.Flush
	}
	return a
}

// AddVerified implements transfer.Sink. It tells of the bytes while they come: a large file takes its time.
func (a *arrivals) AddVerified(want digest.Digest, size int64, r io.Reader) error {
	if err := a.dst.AddVerified(want, size, &toldReader{r, a.report}); err != nil {
		return err
	}
	return a.arrived(size)
}

// AddChecked implements transfer.BlobSink, as far as the sink can.
func (a *arrivals) AddChecked(want digest.Digest, b []byte) error {
	sink, ok := a.dst.(transfer.BlobSink)
	if !ok {
		return a.AddVerified(want, int64(len(b)), bytes.NewReader(b))
	}
	if err := sink.AddChecked(want, b); err != nil {
		return err
	}
	a.report.Add(0, int64(len(b)))
	return a.arrived(int64(len(b)))
}

// AddResumed implements transfer.Resumer, as far as the sink can.
func (a *arrivals) AddResumed(want digest.Digest, size int64, n int, piece func(int) (digest.Digest, int64), rest func(int) io.Reader) error {
	keeper, ok := a.dst.(transfer.Resumer)
	if !ok {
		return a.AddVerified(want, size, rest(0))
	}
	return keeper.AddResumed(want, size, n, piece, func(from int) io.Reader {
		var there int64
		for i := range from {
			_, raw := piece(i)
			there += raw
		}
		a.report.Add(0, there)
		return &toldReader{rest(from), a.report}
	})
}

// arrived makes durable what came, if it is time for that.
func (a *arrivals) arrived(size int64) error {
	if a.due(size) {
		return a.flush()
	}
	return nil
}

func (a *arrivals) due(size int64) bool {
	if a.flush == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bytes += size
	d := time.Since(a.since)
	if d < saveAfter || a.bytes < saveBytes && d < saveLate {
		return false
	}
	a.bytes, a.since = 0, time.Now()
	return true
}

type toldReader struct {
	r      io.Reader
	report Reporter
}

func (t *toldReader) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.report.Add(0, int64(n))
	return n, err
}
