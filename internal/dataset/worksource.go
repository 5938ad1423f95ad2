package dataset

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"

	"tarn/internal/durable"
	"tarn/store/cache"
	"tarn/store/digest"
	"tarn/store/transfer"
)

// errChanged says that a file in the workspace has other bytes than those that were hashed.
var errChanged = &Hinted{fmt.Errorf("%w: it changed after it was hashed", ErrIncomplete), "tarn add, once nothing writes to it"}

// errChangedHere is errChanged of a file that is not the only one of its bytes.
var errChangedHere = fmt.Errorf("%w; %w", errChanged, transfer.ErrElsewhere)

// workSource is a transfer.Source: the cache, and for what it lacks the files of the workspace that are on their way. It gives out verified bytes only.
type workSource struct {
	cache *cache.Cache

	mu    sync.Mutex
	files map[digest.Digest][]workFile
}

// workFile is a file that should have the bytes of a digest.
type workFile struct {
	path string // absolute
	size int64
}

// expect says where bytes are to be found until they are sent.
func (s *workSource) expect(d digest.Digest, f workFile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[d] = append(s.files[d], f)
}

// drop ends what expect said; left is whether other files should have the bytes.
func (s *workSource) drop(d digest.Digest, f workFile) (left bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.files[d]
	if i := slices.Index(all, f); i >= 0 {
		all = slices.Delete(all, i, i+1)
	}
	if s.files[d] = all; len(all) == 0 {
		delete(s.files, d)
	}
	return len(all) > 0
}

func (s *workSource) expected(d digest.Digest) []workFile {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.files[d])
}

// Bytes reads a whole object. Errors: fs.ErrNotExist, errChanged, and those of the cache.
func (s *workSource) Bytes(d digest.Digest, max int64) ([]byte, error) {
	files := s.expected(d)
	if len(files) == 0 || s.cache.Has(d) {
		b, err := s.cache.Bytes(d, max)
		if err == nil || len(files) == 0 || !isMissing(err) {
			return b, err
		}
	}
	b, err := []byte(nil), error(nil)
	for _, f := range files {
		if b, err = f.bytes(d); err == nil {
			break
		}
	}
	return b, err
}

func (w *workFile) bytes(d digest.Digest) ([]byte, error) {
	f, err := w.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, w.size)
	if _, err := io.ReadFull(f, b); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	if digest.Sum(b) != d {
		return nil, errChanged
	}
	return b, nil
}

func (w *workFile) open() (*os.File, error) {
	f, info, err := durable.OpenRegular(w.path)
	if err == nil && info.Size() != w.size {
		f.Close()
		err = errChanged
	}
	return f, err
}

// Open reads an object. What is not the object is noticed at its end, where Read fails: with transfer.ErrElsewhere if another file may be the object.
func (s *workSource) Open(d digest.Digest) (io.ReadCloser, error) {
	files := s.expected(d)
	if len(files) == 0 || s.cache.Has(d) {
		r, err := s.cache.Open(d)
		if err == nil || len(files) == 0 || !isMissing(err) {
			return r, err
		}
	}
	err := error(fs.ErrNotExist)
	for _, w := range files {
		var f *os.File
		if f, err = w.open(); err == nil {
			return &workReader{digest.NewReader(f, d, w.size), f, func() bool { return s.drop(d, w) }}, nil
		}
	}
	return nil, err
}

// workReader says of wrong bytes what they mean in the workspace.
type workReader struct {
	io.Reader
	io.Closer
	drop func() (left bool)
}

func (r *workReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if errors.Is(err, digest.ErrMismatch) {
		if err = errChanged; r.drop() {
			err = errChangedHere
		}
	}
	return n, err
}
