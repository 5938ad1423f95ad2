package mem

import (
	"context"
	"testing"
	"time"

	"tarn/store/blob"
	"tarn/store/blob/blobtest"
)

func TestBucket(t *testing.T) {
	blobtest.Run(t, func(*testing.T) blob.Bucket { return New() })
}

func TestClock(t *testing.T) {
	b, ctx := New(), context.Background()
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	b.SetClock(func() time.Time { return now })
	info, err := b.Put(ctx, "x", nil, blob.Condition{})
	if err != nil || !info.Modified.Equal(now) || !info.Now.Equal(now) {
		t.Errorf("put: %+v, %v", info, err)
	}
	written := now
	now = now.Add(time.Hour)
	info, err = b.Stat(ctx, "x")
	if err != nil || !info.Modified.Equal(written) || !info.Now.Equal(now) {
		t.Errorf("stat: %+v, %v", info, err)
	}
}

func TestSameBytesNewETag(t *testing.T) {
	b := New()
	a, _ := b.Put(context.Background(), "x", []byte("x"), blob.Condition{})
	c, _ := b.Put(context.Background(), "x", []byte("x"), blob.Condition{})
	if a.ETag == c.ETag {
		t.Error("the ETag stays")
	}
}
