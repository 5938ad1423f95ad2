package remote

import (
	"context"
	"errors"
	"fmt"

	"tarn/store/blob"
	"tarn/store/digest"
)

// profileName is the object that holds the profile of a file, in one of its variants. What it says is for its readers.
func profileName(file digest.Digest, variant string) string {
	return "profile/" + file.String() + "/" + variant
}

// PutProfile keeps a profile; one that is there already stays.
func (r *Remote) PutProfile(ctx context.Context, file digest.Digest, variant string, b []byte) error {
	_, err := r.b.Put(ctx, profileName(file, variant), b, blob.Condition{Absent: true})
	switch {
	case errors.Is(err, blob.ErrPrecondition):
		return nil
	case errors.Is(err, blob.ErrUnsupported): // no conditions: the same bytes again do no harm
		_, err = r.b.Put(ctx, profileName(file, variant), b, blob.Condition{})
	}
	if err != nil {
		return fmt.Errorf("put %s to %s: %w", profileName(file, variant), r.b, err)
	}
	return nil
}

// Profile reads a profile of at most limit bytes, which is not checked. Error: blob.ErrNotFound.
func (r *Remote) Profile(ctx context.Context, file digest.Digest, variant string, limit int64) ([]byte, error) {
	b, _, err := r.read(ctx, profileName(file, variant), limit)
	if err != nil {
		return nil, fmt.Errorf("read %s from %s: %w", profileName(file, variant), r.b, err)
	}
	return b, nil
}
