// Package transfer moves blobs between a local store and packs on a remote, in parallel and within a bound of memory. It knows digests, packs and byte
// ranges; it does not know paths, manifests, or who asked.
package transfer

import (
	"context"
	"errors"
	"io"

	"tarn/store/digest"
	"tarn/store/pack"
	"tarn/store/remote"
)

// Packs is where packs are; remote.Remote is one. Retries are its business.
type Packs interface {
	Putter
	Getter
}

// Putter takes whole packs.
type Putter interface {
	PutPack(ctx context.Context, name digest.Digest, body []byte) error
}

// Getter gives n bytes of a pack from off.
type Getter interface {
	GetPack(ctx context.Context, name digest.Digest, off, n int64) (io.ReadCloser, error)
}

// Source gives verified local bytes; cache.Cache is one. Errors: fs.ErrNotExist where they are not there; ErrElsewhere of a reader, see there.
type Source interface {
	Open(d digest.Digest) (io.ReadCloser, error)
	Bytes(d digest.Digest, max int64) ([]byte, error)
}

// ErrElsewhere is how reading an object fails where the next Open of it reads it from another place.
var ErrElsewhere = errors.New("it is to be read from another place")

// Sink stores bytes that it checks against their digest; cache.Writer is one.
type Sink interface {
	AddVerified(want digest.Digest, size int64, r io.Reader) error
}

// BlobSink is a Sink that also takes bytes that were checked: b is the object want. It does not keep b.
type BlobSink interface {
	AddChecked(want digest.Digest, b []byte) error
}

// Resumer is a Sink that keeps what it has of a large object where its reader fails, and reads only the rest the next time: piece gives digest and
// size of piece i of n, rest the bytes from a piece on. rest is called once.
type Resumer interface {
	AddResumed(want digest.Digest, size int64, n int, piece func(i int) (digest.Digest, int64), rest func(from int) io.Reader) error
}

// Known is what is thought to be on the remote already; remote.Ledger is one.
type Known interface {
	Locate(d digest.Digest) (remote.Place, bool)
	LearnPack(p remote.PackRef, records []pack.Record) error
}

// JobsWithin is how many transfers at once stay within so many bytes of memory, at least 1.
func JobsWithin(memory int64) int {
	return int(max((memory-64<<20)/packMost-2, 1)) // see NewUpload; a download holds a range and its raw bytes, about as much
}

// Sizes in bytes.
const (
	packMost   = 17 << 20  // of a pack in memory
	packTarget = 16 << 20  // a pack is closed once it has this
	gapMost    = 256 << 10 // a smaller gap between two wanted ranges is read and dropped, for a request costs more
	resumeFrom = 64 << 20  // a file of this size or more is kept in part, if the sink can
	rangeMost  = 16 << 20  // a range request asks for no more than about this
)
