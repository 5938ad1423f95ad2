package s3

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/minio/minio-go/v7"

	"tarn/store/blob"
)

// List implements blob.Bucket; a request for each 1,000 objects. Objects whose names tarn would not give are passed over.
func (b *Bucket) List(ctx context.Context, prefix, after string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		if err := b.list(ctx, prefix, after, func(i blob.Info) bool { return yield(i, nil) }); err != nil {
			yield(blob.Info{}, b.failure("list", prefix, "on", blob.Condition{}, err))
		}
	}
}

func (b *Bucket) list(ctx context.Context, prefix, after string, yield func(blob.Info) bool) error {
	if err := blob.CheckPrefix(prefix); err != nil {
		return err
	}
	core, err := b.client(ctx)
	if err != nil {
		return err
	}
	ctx, a := withAnswer(ctx)
	owner, top, last := false, b.name(""), after
	o := minio.ListObjectsOptions{Prefix: b.name(prefix), Recursive: true, FetchOwner: &owner}
	if after != "" {
		o.StartAfter = b.name(after)
	}
	for oi := range core.ListObjectsIter(ctx, b.o.Bucket, o) {
		if oi.Err != nil {
			return oi.Err
		}
		key, ok := strings.CutPrefix(oi.Key, top)
		if !ok || !strings.HasPrefix(key, prefix) {
			return fmt.Errorf("%w: it lists %.100q below %q", blob.ErrUnsupported, oi.Key, o.Prefix)
		}
		if key <= last && key != "" {
			return fmt.Errorf("%w: it lists %.100q after %.100q", blob.ErrUnsupported, key, last)
		}
		last = key
		if blob.CheckKey(key) != nil {
			continue
		}
		if !yield(blob.Info{Key: key, Size: oi.Size, ETag: oi.ETag, Modified: oi.LastModified, Now: a.now()}) {
			return nil
		}
	}
	return ctx.Err()
}
