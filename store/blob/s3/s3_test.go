package s3_test

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"tarn/store/blob"
	"tarn/store/blob/blobtest"
	"tarn/store/blob/s3"
	"tarn/store/blob/s3/credentials"
	"tarn/store/blob/s3/s3test"
	"tarn/store/blob/wrap"
)

var buckets atomic.Int64

// open makes an empty bucket on the server, and opens it.
func open(t testing.TB, srv *s3test.Server, change func(*s3.Options)) *s3.Bucket {
	t.Helper()
	name := fmt.Sprint("bucket-", buckets.Add(1))
	if err := srv.MakeBucket(name); err != nil {
		t.Fatal(err)
	}
	o := s3.Options{Bucket: name, Endpoint: srv.URL, Credentials: credentials.Static{ID: srv.AccessKey, Secret: srv.SecretKey}}
	if change != nil {
		change(&o)
	}
	b, err := s3.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// servers are those that tests run on: MinIO's takes long to build, so it is asked for.
func servers() map[string]s3test.Kind {
	kinds := map[string]s3test.Kind{"versitygw": s3test.Versity}
	if os.Getenv("TARN_TEST_MINIO") != "" {
		kinds["minio"] = s3test.MinIO
	}
	return kinds
}

// TestBucket is the suite, with the retries that every S3 server needs now and then.
func TestBucket(t *testing.T) {
	for name, kind := range servers() {
		t.Run(name, func(t *testing.T) {
			srv := s3test.Run(t, kind)
			blobtest.Run(t, func(t *testing.T) blob.Bucket { return wrap.NewRetry(open(t, srv, nil), wrap.RetryOptions{}) })
			t.Run("Prefix", func(t *testing.T) {
				blobtest.Run(t, func(t *testing.T) blob.Bucket {
					b := open(t, srv, func(o *s3.Options) { o.Prefix = "team a/data" })
					return wrap.NewRetry(b, wrap.RetryOptions{})
				})
			})
		})
	}
}
