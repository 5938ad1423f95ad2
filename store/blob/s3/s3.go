package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/minio/crc64nvme"
	"github.com/minio/minio-go/v7"
	miniocreds "github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"

	"tarn/store/blob"
	"tarn/store/blob/s3/credentials"
)

// Styles of the address of a bucket.
const (
	StyleAuto    = ""        // virtual for Amazon and Google, path elsewhere
	StylePath    = "path"    // https://host/bucket/key
	StyleVirtual = "virtual" // https://bucket.host/key
)

// Checksums that a Put sends along, so that the server refuses what was changed on the way.
const (
	ChecksumCRC64NVME = "crc64nvme" // the default: x-amz-checksum-crc64nvme
	ChecksumMD5       = "md5"       // Content-MD5, for servers that don't know the other
	ChecksumNone      = "none"
)

// Kinds of encryption at rest.
const (
	EncryptAES256 = "AES256"  // SSE-S3
	EncryptKMS    = "aws:kms" // SSE-KMS
)

// Options say where the bucket is and how to talk to it. Only Bucket is needed.
type Options struct {
	Bucket       string
	Prefix       string // names with slashes between, none at the ends
	Endpoint     string // URL of the server, https:// if there is no scheme; empty: Amazon's
	Region       string // empty: Amazon is asked, others get us-east-1
	Style        string // StyleAuto, …
	CA           []byte // PEM: certificates that are trusted beside the system's
	Encrypt      string // EncryptAES256, EncryptKMS, or empty
	KMSKey       string // with EncryptKMS; empty: the account's own
	StorageClass string // of objects of classFrom bytes or more
	Checksum     string // ChecksumCRC64NVME, …; empty: that
	NoConditions bool   // the server has no conditional writes: each is a look and then a write, which is right for one writer at a time
	CacheControl func(key string) string
	Credentials  credentials.Source                           // nil: anonymous
	Pace         func(ctx context.Context, n int) (err error) // called for each n bytes of a body before they are sent; nil: as fast as it goes
	Stall        time.Duration                                // a connection on which nothing moves for so long is given up; default 60 s
}

const (
	// classFrom is from how many bytes on objects get the storage class: the cheaper ones cost more below that.
	classFrom = 128 << 10
	// signedMost is up to how many bytes a body is signed where there is no TLS. Larger ones are packs and pages, which readers check.
	signedMost = 64 << 10
)

// Bucket implements blob.Bucket. It does not retry.
type Bucket struct {
	o        Options
	endpoint endpoint
	sse      encrypt.ServerSide
	keys     *provider
	http     *transport
	requests atomic.Int64

	mu     sync.Mutex
	core   *minio.Core // nil: the region is not known yet
	global string      // where Amazon is asked for a region
}

// New checks the options; it makes no request.
func New(o Options) (*Bucket, error) {
	b := &Bucket{o: o, global: "https://s3.us-east-1.amazonaws.com"}
	if err := b.check(); err != nil {
		return nil, err
	}
	b.http = newTransport(&b.o, &b.requests)
	b.keys = &provider{src: o.Credentials}
	if o.Region != "" || !b.endpoint.amazon {
		if err := b.connect(firstOf(o.Region, "us-east-1")); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// noPause ends minio-go's habit to sleep up to this long after the last attempt as well, which here is the only one.
var noPause = sync.OnceFunc(func() { minio.DefaultRetryUnit = time.Nanosecond })

// connect makes the client; it needs the region, which signatures contain.
func (b *Bucket) connect(region string) error {
	noPause()
	lookup := map[string]minio.BucketLookupType{StylePath: minio.BucketLookupPath, StyleVirtual: minio.BucketLookupDNS}[b.o.Style]
	creds := miniocreds.NewStatic("", "", "", miniocreds.SignatureAnonymous)
	if b.o.Credentials != nil {
		creds = miniocreds.New(b.keys)
		b.keys.creds = creds
	}
	core, err := minio.NewCore(b.endpoint.host, &minio.Options{
		Creds: creds, Secure: b.endpoint.secure, Transport: b.http, Region: region, BucketLookup: lookup,
		MaxRetries: 1, // wrap.Retry's business
	})
	if err != nil {
		return err
	}
	core.SetS3EnableDualstack(false)
	core.SetAppInfo("tarn", "1")
	b.core = core
	return nil
}

// client is the one to use; it asks for the region first where that is needed.
func (b *Bucket) client(ctx context.Context) (*minio.Core, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.core != nil {
		return b.core, nil
	}
	region, err := b.askRegion(ctx)
	if err != nil {
		return nil, err
	}
	return b.core, b.connect(region)
}

// KeysFrom says where the keys of the last request were found; empty: it was anonymous, or there was none.
func (b *Bucket) KeysFrom() string { return b.keys.from() }

// Requests is how many HTTP requests were sent so far.
func (b *Bucket) Requests() int64 { return b.requests.Load() }

// String is the bucket's URL.
func (b *Bucket) String() string {
	s := "s3://" + b.o.Bucket
	if b.o.Prefix != "" {
		s += "/" + b.o.Prefix
	}
	return s
}

func (b *Bucket) name(key string) string {
	if b.o.Prefix == "" {
		return key
	}
	return b.o.Prefix + "/" + key
}

// begin checks a call; the context that it returns writes down the time of the answer.
func (b *Bucket) begin(ctx context.Context, key string) (context.Context, *minio.Core, *answer, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, nil, err
	}
	if err := blob.CheckKey(key); err != nil {
		return nil, nil, nil, err
	}
	core, err := b.client(ctx)
	ctx, a := withAnswer(ctx)
	return ctx, core, a, err
}

// Put implements blob.Bucket with one PUT.
func (b *Bucket) Put(ctx context.Context, key string, body []byte, cond blob.Condition) (blob.Info, error) {
	info, err := b.put(ctx, key, body, cond, b.sums(body))
	if err != nil {
		return blob.Info{}, b.failure("put", key, "to", cond, err)
	}
	return info, nil
}

func (b *Bucket) put(ctx context.Context, key string, body []byte, cond blob.Condition, s sums) (blob.Info, error) {
	ctx, core, a, err := b.begin(ctx, key)
	if err != nil {
		return blob.Info{}, err
	}
	o := minio.PutObjectOptions{DisableContentSha256: true, ServerSideEncryption: b.sse, UserMetadata: map[string]string{}}
	if s.crc64 != "" {
		o.UserMetadata["x-amz-checksum-crc64nvme"] = s.crc64
	}
	if len(body) >= classFrom {
		o.StorageClass = b.o.StorageClass
	}
	if b.o.CacheControl != nil {
		o.CacheControl = b.o.CacheControl(key)
	}
	if b.o.NoConditions {
		if err := b.holds(ctx, key, cond); err != nil {
			return blob.Info{}, err
		}
		cond = blob.Condition{}
	}
	switch {
	case cond.Absent:
		o.SetMatchETagExcept("*")
	case cond.Match != "":
		o.SetMatchETag(cond.Match)
	}
	up, err := core.PutObject(ctx, b.o.Bucket, b.name(key), bytes.NewReader(body), int64(len(body)), s.md5, s.sha256, o)
	if err != nil {
		return blob.Info{}, err
	}
	return blob.Info{Key: key, Size: int64(len(body)), ETag: up.ETag, Now: a.now()}, nil
}

// holds looks whether a condition holds now.
func (b *Bucket) holds(ctx context.Context, key string, cond blob.Condition) error {
	if cond == (blob.Condition{}) {
		return nil
	}
	info, err := b.Stat(ctx, key)
	there := err == nil
	switch {
	case err != nil && !errors.Is(err, blob.ErrNotFound):
		return err
	case cond.Absent && there, cond.Match != "" && (!there || info.ETag != cond.Match):
		return blob.ErrPrecondition
	}
	return nil
}

// Conditional says that conditions are the server's business, so that of two writers one wins.
func (b *Bucket) Conditional() bool { return !b.o.NoConditions }

// sums are what a server can check a body against, as headers have them; empty: not sent.
type sums struct{ crc64, md5, sha256 string }

func (b *Bucket) sums(body []byte) (s sums) {
	switch b.o.Checksum {
	case "", ChecksumCRC64NVME:
		s.crc64 = base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, crc64nvme.Checksum(body)))
	case ChecksumMD5:
		sum := md5.Sum(body)
		s.md5 = base64.StdEncoding.EncodeToString(sum[:])
	}
	if !b.endpoint.secure && len(body) <= signedMost {
		sum := sha256.Sum256(body)
		s.sha256 = hex.EncodeToString(sum[:])
	}
	return s
}

// RefusesWrong puts an object with a checksum that is not its body's, and says whether the server noticed; if it did not, the object is there.
func (b *Bucket) RefusesWrong(ctx context.Context, key string) (bool, error) {
	body := []byte("what was sent")
	s := b.sums(body)
	if s.crc64 == "" && s.md5 == "" {
		return false, nil
	}
	changed := []byte("what arrived.")
	other := b.sums(changed)
	s.sha256 = other.sha256 // the signature fits what is sent; the checksum does not
	_, err := b.put(ctx, key, changed, blob.Condition{}, s)
	if err == nil {
		return false, nil
	}
	if isDigestError(err) {
		return true, nil
	}
	return false, b.failure("put", key, "to", blob.Condition{}, err)
}

// Get implements blob.Bucket.
func (b *Bucket) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, blob.Info, error) {
	r, info, err := b.get(ctx, key, off, n)
	if err != nil {
		return nil, blob.Info{}, b.failure("get", key, "from", blob.Condition{}, err)
	}
	return r, info, nil
}

func (b *Bucket) get(ctx context.Context, key string, off, n int64) (io.ReadCloser, blob.Info, error) {
	if off < 0 {
		return nil, blob.Info{}, fmt.Errorf("%w: offset %d", blob.ErrRange, off)
	}
	if n == 0 {
		info, err := b.stat(ctx, key)
		return http.NoBody, info, err
	}
	rctx, core, a, err := b.begin(ctx, key)
	if err != nil {
		return nil, blob.Info{}, err
	}
	o, ranged := minio.GetObjectOptions{}, off > 0 || n > 0
	if ranged {
		o.Set("Range", rangeHeader(off, n))
	}
	body, oi, header, err := core.GetObject(rctx, b.o.Bucket, b.name(key), o)
	if codeOf(err) == "InvalidRange" { // nothing there, or an empty object
		info, err := b.stat(ctx, key)
		return http.NoBody, info, err
	}
	if err != nil {
		return nil, blob.Info{}, err
	}
	info := blob.Info{Key: key, Size: oi.Size, ETag: oi.ETag, Modified: oi.LastModified, Now: a.now()}
	if ranged {
		if info.Size, err = totalSize(header.Get("Content-Range"), off); err != nil {
			body.Close()
			return nil, blob.Info{}, err
		}
	}
	return body, info, nil
}

func rangeHeader(off, n int64) string {
	s := "bytes=" + strconv.FormatInt(off, 10) + "-"
	if end := off + n - 1; n > 0 && end >= off { // else it reaches beyond what a number can say
		s += strconv.FormatInt(end, 10)
	}
	return s
}

// totalSize reads the size of the whole object from "bytes 5-9/1234", and makes sure that the answer begins where it was asked to.
func totalSize(header string, off int64) (int64, error) {
	span, total, ok := strings.Cut(strings.TrimPrefix(header, "bytes "), "/")
	first, _, _ := strings.Cut(span, "-")
	size, err := strconv.ParseInt(total, 10, 64)
	if start, serr := strconv.ParseInt(first, 10, 64); !ok || err != nil || serr != nil || start != off || size < off {
		return 0, fmt.Errorf("%w: a range from %d was asked for, and the answer has %q", blob.ErrUnsupported, off, header)
	}
	return size, nil
}

// Stat implements blob.Bucket.
func (b *Bucket) Stat(ctx context.Context, key string) (blob.Info, error) {
	info, err := b.stat(ctx, key)
	if err != nil {
		return blob.Info{}, b.failure("stat", key, "on", blob.Condition{}, err)
	}
	return info, nil
}

func (b *Bucket) stat(ctx context.Context, key string) (blob.Info, error) {
	ctx, core, a, err := b.begin(ctx, key)
	if err != nil {
		return blob.Info{}, err
	}
	oi, err := core.StatObject(ctx, b.o.Bucket, b.name(key), minio.StatObjectOptions{})
	if err != nil {
		return blob.Info{}, err
	}
	return blob.Info{Key: key, Size: oi.Size, ETag: oi.ETag, Modified: oi.LastModified, Now: a.now()}, nil
}

// Delete implements blob.Bucket.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	ctx, core, _, err := b.begin(ctx, key)
	if err == nil {
		err = core.RemoveObject(ctx, b.o.Bucket, b.name(key), minio.RemoveObjectOptions{})
	}
	if err == nil {
		return nil
	}
	if err = b.failure("delete", key, "from", blob.Condition{}, err); errors.Is(err, blob.ErrNotFound) {
		return nil
	}
	return err
}
