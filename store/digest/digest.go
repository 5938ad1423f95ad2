// Package digest is the one name that bytes have in tarn: their BLAKE3-256.
// It knows hashing and the text form of a digest, and nothing of where bytes live.
package digest

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	"github.com/zeebo/blake3"
)

// Size is the length of a digest in bytes; its text has twice as many characters.
const Size = 32

// Digest is the BLAKE3-256 of some bytes. The zero value is no digest.
type Digest [Size]byte

// Empty is the digest of no bytes.
var Empty = Sum(nil)

// ErrMismatch says that bytes are not the ones that their digest promises.
var ErrMismatch = errors.New("bytes do not match their digest")

// Sum hashes b.
func Sum(b []byte) Digest { return blake3.Sum256(b) }

// Parse reads the text form: exactly 64 lower-case hexadecimal digits.
func Parse(s string) (Digest, error) {
	var d Digest
	if len(s) != 2*Size {
		return d, fmt.Errorf("digest has %d characters, not %d", len(s), 2*Size)
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return d, fmt.Errorf("digest has %q, want lower-case hexadecimal digits", c)
		}
	}
	_, err := hex.Decode(d[:], []byte(s))
	return d, err
}

// String is the text form, 64 lower-case hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Short is the first 12 digits, for messages.
func (d Digest) Short() string { return hex.EncodeToString(d[:6]) }

// IsZero says that d is no digest.
func (d Digest) IsZero() bool { return d == Digest{} }

// Compare orders digests as bytes.
func (d Digest) Compare(o Digest) int { return bytes.Compare(d[:], o[:]) }

// Hasher computes a digest piece by piece; it never fails. Not for concurrent use.
type Hasher struct{ h *blake3.Hasher }

var hashers = sync.Pool{New: func() any { return blake3.New() }}

// New returns a fresh hasher; Release gives its memory (some KiB) back.
func New() *Hasher { return &Hasher{hashers.Get().(*blake3.Hasher)} }

// Write adds b.
func (h *Hasher) Write(b []byte) (int, error) { return h.h.Write(b) }

// Sum is the digest of what was written so far.
func (h *Hasher) Sum() Digest {
	var d Digest
	h.h.Sum(d[:0])
	return d
}

// Reset forgets what was written.
func (h *Hasher) Reset() { h.h.Reset() }

// Release ends the use of h.
func (h *Hasher) Release() {
	h.h.Reset()
	hashers.Put(h.h)
	h.h = nil
}
