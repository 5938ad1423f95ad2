package cache

import (
	"errors"
	"fmt"
	"io/fs"

	"tarn/store/digest"
)

// ErrChanged says that a file changed while it was added: it has another size than was promised. Nothing was added.
var ErrChanged = errors.New("the file changed while it was read")

// ErrTooLarge says that an object is larger than the caller can take.
var ErrTooLarge = errors.New("object is too large")

// ErrReadOnly says that nothing can be added, since this user can't write to the cache.
var ErrReadOnly = errors.New("the cache can only be read")

// CorruptError says that the cache had wrong bytes for Digest; it wraps digest.ErrMismatch. They are not served again, Has is false,
// and whoever has the right bytes can add them.
type CorruptError struct {
	Digest digest.Digest
	Path   string // where the bytes are now: below corrupt/, or the pack that holds them
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("read object %s of the cache: wrong bytes, kept as %s", e.Digest.Short(), e.Path)
}

// Unwrap makes it a digest.ErrMismatch.
func (e *CorruptError) Unwrap() error { return digest.ErrMismatch }

// notFound is the error for an object that is not there; it wraps fs.ErrNotExist.
func (c *Cache) notFound(d digest.Digest) error {
	err := fmt.Errorf("read object %s of the cache: %w", d.Short(), fs.ErrNotExist)
	if c.scanErr != nil {
		err = fmt.Errorf("%w (list packs: %w)", err, c.scanErr)
	}
	return err
}
