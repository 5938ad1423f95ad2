package wrap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"tarn/store/blob"
)

// watch lets writes through to a bucket and records those that break an invariant.
type watch struct {
	b blob.Bucket

	mu         sync.Mutex
	keys       map[string]*watched
	violations []string
}

// watched is what is known of a key; its lock is held over a write, so that what is known is so.
type watched struct {
	mu      sync.Mutex
	deleted bool
}

func newWatch(b blob.Bucket) *watch { return &watch{b: b, keys: map[string]*watched{}} }

func (w *watch) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.violations)
}

func (w *watch) violate(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violations = append(w.violations, fmt.Sprintf(format, args...))
}

// lock is nil for a key that has no invariant.
func (w *watch) lock(key string) *watched {
	if !strings.HasPrefix(key, "pack/") && !strings.HasPrefix(key, "pin/") {
		return nil
	}
	w.mu.Lock()
	k := w.keys[key]
	if k == nil {
		k = &watched{}
		w.keys[key] = k
	}
	w.mu.Unlock()
	k.mu.Lock()
	return k
}

func (w *watch) put(ctx context.Context, key string, body []byte, cond blob.Condition) (blob.Info, error) {
	k := w.lock(key)
	if k == nil {
		return w.b.Put(ctx, key, body, cond)
	}
	defer k.mu.Unlock()
	old, there, err := w.read(ctx, key)
	if err != nil {
		return blob.Info{}, err
	}
	info, err := w.b.Put(ctx, key, body, cond)
	if err != nil {
		return info, err
	}
	if k.deleted && !there {
		w.violate("%s was deleted and is created again", key)
	}
	if there && strings.HasPrefix(key, "pack/") && !bytes.Equal(old, body) {
		w.violate("%s is overwritten with other bytes", key)
	}
	return info, nil
}

func (w *watch) read(ctx context.Context, key string) (body []byte, there bool, err error) {
	r, _, err := w.b.Get(ctx, key, 0, -1)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer r.Close()
	body, err = io.ReadAll(r)
	return body, true, err
}

func (w *watch) delete(ctx context.Context, key string) error {
	k := w.lock(key)
	if k == nil {
		return w.b.Delete(ctx, key)
	}
	defer k.mu.Unlock()
	_, there, err := w.read(ctx, key)
	if err != nil {
		return err
	}
	if err := w.b.Delete(ctx, key); err != nil {
		return err
	}
	k.deleted = k.deleted || there
	return nil
}
