package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"tarn/store/blob"
	"tarn/store/digest"
)

// Pin is a repository's claim on a version; gc deletes nothing that a foreign pin holds.
type Pin struct {
	Dataset    string    `json:"dataset"` // path, quoted as in a manifest
	Commit     string    `json:"commit"`  // hexadecimal, or empty
	Repository string    `json:"repository"`
	Time       time.Time `json:"time"` // of the client, for people; decisions go by the remote's clock
}

func pinPrefix(origin string, root digest.Digest) string {
	return "pin/" + origin + "/" + root.String() + "/"
}

// Pinned says whether origin has a pin on root that is younger than maxAge by the remote's clock. One request.
func (r *Remote) Pinned(ctx context.Context, origin string, root digest.Digest, maxAge time.Duration) (bool, error) {
	for info, err := range r.b.List(ctx, pinPrefix(origin, root), "") {
		if err != nil {
			return false, fmt.Errorf("list pins on %s: %w", r.b, err)
		}
		if fresh(info, maxAge) {
			return true, nil
		}
	}
	return false, nil
}

// PinnedAll is every root on which origin has a pin younger than maxAge; one LIST (a request per 1,000 pins).
func (r *Remote) PinnedAll(ctx context.Context, origin string, maxAge time.Duration) (map[digest.Digest]bool, error) {
	prefix, roots := "pin/"+origin+"/", map[digest.Digest]bool{}
	for info, err := range r.b.List(ctx, prefix, "") {
		if err != nil {
			return nil, fmt.Errorf("list pins on %s: %w", r.b, err)
		}
		if d, ok := pinRoot(info.Key, prefix); ok && fresh(info, maxAge) {
			roots[d] = true
		}
	}
	return roots, nil
}

// Roots yields the pinned roots of origin, newest pin first.
func (r *Remote) Roots(ctx context.Context, origin string) ([]digest.Digest, error) {
	prefix, newest := "pin/"+origin+"/", map[digest.Digest]time.Time{}
	for info, err := range r.b.List(ctx, prefix, "") {
		if err != nil {
			return nil, fmt.Errorf("list pins on %s: %w", r.b, err)
		}
		if d, ok := pinRoot(info.Key, prefix); ok && info.Modified.After(newest[d]) {
			newest[d] = info.Modified
		}
	}
	return byTime(newest), nil
}

func pinRoot(key, prefix string) (digest.Digest, bool) {
	if len(key) < len(prefix)+2*digest.Size {
		return digest.Digest{}, false
	}
	d, err := digest.Parse(key[len(prefix) : len(prefix)+2*digest.Size])
	return d, err == nil
}

// PinRef is a pin as it is listed.
type PinRef struct {
	Origin string
	Root   digest.Digest
	blob.Info
}

// Younger says that a pin is younger than maxAge by the remote's clock.
func (p PinRef) Younger(maxAge time.Duration) bool { return fresh(p.Info, maxAge) }

// Pins lists the pins of all origins; a request per 1,000. Error: blob.ErrUnsupported where nothing can be listed.
func (r *Remote) Pins(ctx context.Context) ([]PinRef, error) {
	var refs []PinRef
	for info, err := range r.b.List(ctx, "pin/", "") {
		if err != nil {
			return nil, fmt.Errorf("list pins on %s: %w", r.b, err)
		}
		parts := strings.Split(info.Key, "/")
		if len(parts) != 4 {
			continue
		}
		if d, err := digest.Parse(parts[2]); err == nil {
			refs = append(refs, PinRef{parts[1], d, info})
		}
	}
	return refs, nil
}

// ReadPin gets what a pin says. Errors: blob.ErrNotFound, ErrObject.
func (r *Remote) ReadPin(ctx context.Context, ref PinRef) (p Pin, err error) {
	data, _, err := r.read(ctx, ref.Key, 64<<10)
	if err != nil {
		return p, err // it names verb, object and place
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return p, fmt.Errorf("read %s from %s: %w: %w", ref.Key, r.b, ErrObject, err)
	}
	return p, nil
}

// fresh is false where the remote does not tell the time: then a pin is put anew.
func fresh(info blob.Info, maxAge time.Duration) bool {
	return !info.Now.IsZero() && info.Now.Sub(info.Modified) < maxAge
}

// PutPin makes a version visible as wanted by origin. It comes last: all that root needs is on the remote by then.
func (r *Remote) PutPin(ctx context.Context, origin string, root digest.Digest, p Pin) error {
	data, err := json.Marshal(p)
	if err == nil {
		_, err = r.b.Put(ctx, pinPrefix(origin, root)+randomHex(), data, blob.Condition{})
	}
	if err != nil {
		return fmt.Errorf("put pin of %s to %s: %w", root.Short(), r.b, err)
	}
	return nil
}
