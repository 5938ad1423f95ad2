package transfer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"tarn/store/chunk"
	"tarn/store/digest"
	"tarn/store/pack"
	"tarn/store/remote"
)

// Piece is a blob of a file with the pack that it went into, or already was in.
type Piece struct {
	Digest digest.Digest
	Offset uint32
	Stored uint32
	Raw    uint32
	Scheme pack.Scheme
	Pack   *Pack
}

// Pack is one that pieces are in; Ref is set when done is called.
type Pack struct{ Ref remote.PackRef }

// Placement is where a file ended up: its pieces in order, or why it could not be sent.
type Placement struct {
	Pieces []Piece
	Err    error // of reading the file; it alone is not sent
}

// Stats counts what a transfer did.
type Stats struct {
	Files  int64 // that were sent or fetched, those of the same bytes once
	Bytes  int64 // of those files
	Reused int64 // bytes of theirs that were on the remote already
	Raw    int64 // bytes of the blobs that were sent or received, before compression
	Sent   int64 // bytes of packs sent, or of ranges received
	Packs  int64 // packs sent, or range requests made
}

// Upload sends files as blobs in packs. Reading, packing and sending overlap; the order of blobs in packs is the order of File calls.
//
// File, Flush and Close are called by one goroutine; done by another one, in the order of the File calls. A failure of the remote ends the upload: every later call returns it.
type Upload struct {
	src   Source
	dst   Packs
	known Known
	enc   *pack.Encoder
	add   func(files, bytes int64)

	ctx    context.Context
	cancel context.CancelFunc
	jobs   chan *job    // in order, to the packer
	work   chan *job    // the same, to the readers
	sealed chan *sealed // to the senders
	order  chan *sealed // the same in order, to the one who calls done
	stage  [4]sync.WaitGroup

	batch  *job
	mu     sync.Mutex
	flight map[digest.Digest]Piece // in packs that known does not have yet
	stats  Stats
	fatal  error
}

// job is a run of small files, or one large file.
type job struct {
	files []jobFile
	size  int64
	out   chan encoded
	flush chan struct{} // not nil: a flush, closed when all before it is done
}

type jobFile struct {
	remote.File
	done func(Placement)
}

// encoded is one blob on its way into a pack; last ends a file, anew begins it a second time.
type encoded struct {
	file   *jobFile
	piece  Piece
	stored []byte // nil: the piece is on the remote
	anew   bool
	last   bool
	err    error
}

// sealed is a pack on its way, with the files that are whole once it and all packs before it have arrived.
type sealed struct {
	pack    *Pack
	body    *bytes.Buffer
	records []pack.Record
	arrived chan struct{}
	files   []finished
}

type finished struct {
	file *jobFile
	Placement
	sent bool
}

const (
	batchFiles = 128
	batchBytes = 1 << 20
	queue      = 32
	waitMost   = 1 << 16 // files that wait for one pack
)

const (
	reading = iota
	packing
	sending
	calling
)

// NewUpload starts an upload with so many packs in flight, of blobs that enc compresses. add hears of progress. Its memory is about (jobs + 2) × 17 MiB + 64 MiB.
func NewUpload(ctx context.Context, src Source, dst Packs, known Known, enc *pack.Encoder, jobs int, add func(files, bytes int64)) *Upload {
	ctx, cancel := context.WithCancel(ctx)
	u := &Upload{
		src: src, dst: dst, known: known, enc: enc, add: add, ctx: ctx, cancel: cancel,
		jobs: make(chan *job, queue), work: make(chan *job, queue),
		sealed: make(chan *sealed), order: make(chan *sealed, jobs+2),
		flight: map[digest.Digest]Piece{},
	}
	for range 3 {
		u.stage[reading].Go(u.read)
	}
	u.stage[packing].Go(u.packAll)
	for range max(jobs, 1) {
		u.stage[sending].Go(u.send)
	}
	u.stage[calling].Go(u.call)
	return u
}

// File sends one file of at least 1 byte. done is called once, when all of the file's packs are on the remote or it could not be read; never if the upload fails as a whole.
func (u *Upload) File(f remote.File, done func(Placement)) error {
	large := f.Size >= chunk.Threshold
	if large || u.batch == nil || len(u.batch.files) >= batchFiles || u.batch.size+f.Size > batchBytes {
		if err := u.submit(); err != nil {
			return err
		}
	}
	if u.batch == nil {
		u.batch = &job{out: make(chan encoded, 8)}
	}
	u.batch.files = append(u.batch.files, jobFile{f, done})
	u.batch.size += f.Size
	if large {
		return u.submit()
	}
	return nil
}

func (u *Upload) submit() error {
	j := u.batch
	u.batch = nil
	if j == nil {
		return u.err()
	}
	return u.enqueue(j)
}

func (u *Upload) enqueue(j *job) error {
	for _, c := range []chan *job{u.jobs, u.work} {
		select {
		case c <- j:
		case <-u.ctx.Done():
			return u.err()
		}
	}
	return nil
}

// Flush seals the open pack and waits until all that was given is on the remote and every done was called.
func (u *Upload) Flush() error {
	if err := u.submit(); err != nil {
		return err
	}
	j := &job{out: make(chan encoded), flush: make(chan struct{})}
	if err := u.enqueue(j); err != nil {
		return err
	}
	select {
	case <-j.flush:
	case <-u.ctx.Done():
	}
	return u.err()
}

// Close ends the upload; what was not flushed is dropped.
func (u *Upload) Close() Stats {
	u.cancel()
	close(u.work)
	close(u.jobs)
	u.stage[reading].Wait()
	u.stage[packing].Wait()
	close(u.sealed)
	u.stage[sending].Wait()
	close(u.order)
	u.stage[calling].Wait()
	return u.stats
}

func (u *Upload) err() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fatal == nil {
		return u.ctx.Err()
	}
	return u.fatal
}

func (u *Upload) fail(err error) {
	u.mu.Lock()
	if u.fatal == nil {
		u.fatal = err
	}
	u.mu.Unlock()
	u.cancel()
}

// read turns files into encoded blobs.
func (u *Upload) read() {
	for j := range u.work {
		for i := range j.files {
			if u.ctx.Err() != nil {
				break
			}
			u.readFile(j, &j.files[i])
		}
		close(j.out)
	}
}

func (u *Upload) readFile(j *job, f *jobFile) {
	if f.Size < chunk.Threshold {
		e := u.encode(f, f.Digest, func() ([]byte, error) { return u.src.Bytes(f.Digest, f.Size) })
		e.last = true
		u.emit(j, e)
		return
	}
	err := u.readLarge(j, f)
	for errors.Is(err, ErrElsewhere) && u.emit(j, encoded{file: f, anew: true}) {
		err = u.readLarge(j, f)
	}
	u.emit(j, encoded{file: f, err: err, last: true})
}

func (u *Upload) readLarge(j *job, f *jobFile) error {
	r, err := u.src.Open(f.Digest)
	if err != nil {
		return err
	}
	defer r.Close()
	return u.split(j, f, r)
}

func (u *Upload) split(j *job, f *jobFile, r io.Reader) error {
	s := chunk.NewSplitter(r)
	for {
		c, err := s.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if !u.emit(j, u.encode(f, digest.Sum(c), func() ([]byte, error) { return bytes.Clone(c), nil })) {
			return u.ctx.Err()
		}
	}
}

func (u *Upload) encode(f *jobFile, d digest.Digest, get func() ([]byte, error)) encoded {
	if p, ok := u.known.Locate(d); ok {
		return encoded{file: f, piece: Piece{d, p.Offset, p.Stored, p.Raw, p.Scheme, &Pack{p.Pack}}}
	}
	raw, err := get()
	if err != nil {
		return encoded{file: f, err: err}
	}
	stored, scheme, err := u.enc.Encode(raw)
	return encoded{file: f, piece: Piece{Digest: d, Raw: uint32(len(raw)), Stored: uint32(len(stored)), Scheme: scheme}, stored: stored, err: err}
}

func (u *Upload) emit(j *job, e encoded) bool {
	select {
	case j.out <- e:
		return true
	case <-u.ctx.Done():
		return false
	}
}
