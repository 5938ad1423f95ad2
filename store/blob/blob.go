// Package blob is the contract of a place that keeps named, immutable-by-convention objects: a directory, an S3 bucket,
// memory, a static web server. It knows keys and bytes; it does not know what tarn stores under them.
package blob

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// The errors that a Bucket returns, wrapped. Everything else is a failure that may or may not have been applied.
var (
	ErrNotFound     = errors.New("no such object")
	ErrPrecondition = errors.New("the object is not in the expected state")
	ErrAccess       = errors.New("access denied")
	ErrReadOnly     = errors.New("the remote can only be read")
	ErrUnsupported  = errors.New("not supported by the remote")
	ErrNoSpace      = errors.New("no space left on the remote")
	ErrNoBucket     = errors.New("there is no such bucket")
	ErrRejected     = errors.New("the remote does not take the request") // and would not the next time
)

// Info describes one stored object.
type Info struct {
	Key      string
	Size     int64     // bytes
	ETag     string    // changes whenever the bytes do; opaque. Where the same bytes are written again it may stay
	Modified time.Time // when it was written, by the remote's clock
	Now      time.Time // the remote's clock when it answered; compare Modified with this, never with our clock. Zero: it did not say
}

// Condition makes a Put depend on the state of the object; the zero value writes always.
type Condition struct {
	Absent bool   // write only if there is no such object
	Match  string // write only if the object has this ETag
}

// Bucket keeps objects. Keys are relative, with '/' between names, ASCII letters, digits and "-_./" only, at most 512 bytes; no key is
// another one's directory. All methods may be called at once, from many goroutines and processes.
//
// Durability: when Put returns without an error the object survives a crash, is whole, and every later Get, Stat and List sees it.
// When Put fails, nothing or all of the object may be there, never a part of it.
//
// Retries: a Bucket does not retry; wrap.Retry does. Get's reader may fail midway; the caller reads again from there.
type Bucket interface {
	// Put writes an object whole; the Info is of what was written. A condition that does not hold: ErrPrecondition. The bucket keeps no reference to body.
	Put(ctx context.Context, key string, body []byte, cond Condition) (Info, error)
	// Get reads n bytes from off; n < 0: to the end. A range beyond the end is cut; the reader then ends early. Info.Size is that of the whole object.
	Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, Info, error)
	// Stat is Get without the bytes.
	Stat(ctx context.Context, key string) (Info, error)
	// List yields the objects whose keys start with prefix, ascending by key as bytes, those after `after` only. ETag may be empty.
	// An error ends the sequence. A prefix with nothing below is an empty sequence.
	List(ctx context.Context, prefix, after string) iter.Seq2[Info, error]
	// Delete removes an object; one that is not there is not an error.
	Delete(ctx context.Context, key string) error
	// String names the place for messages; it never holds a secret.
	String() string
}
