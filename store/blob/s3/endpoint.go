package s3

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7/pkg/encrypt"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// endpoint is the server.
type endpoint struct {
	host   string // with its port
	secure bool
	amazon bool
}

func parseEndpoint(raw string) (endpoint, error) {
	if raw == "" {
		return endpoint{"s3.amazonaws.com", true, true}, nil
	}
	if !strings.Contains(raw, "://") {
		raw = "https://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
		return endpoint{}, fmt.Errorf("the endpoint must be a URL like https://s3.example.com:9000")
	}
	return endpoint{u.Host, u.Scheme == "https", s3utils.IsAmazonEndpoint(url.URL{Scheme: u.Scheme, Host: u.Host})}, nil
}

// slow are storage classes from which nothing can be read at once.
var slow = map[string]bool{"GLACIER": true, "DEEP_ARCHIVE": true, "ARCHIVE": true}

func (b *Bucket) check() (err error) {
	o := &b.o
	if b.endpoint, err = parseEndpoint(o.Endpoint); err != nil {
		return err
	}
	if err := s3utils.CheckValidBucketName(o.Bucket); err != nil {
		return fmt.Errorf("bucket %q: %s", o.Bucket, printable(err.Error(), 100))
	}
	if err := checkPrefix(o.Prefix); err != nil {
		return err
	}
	if len(o.CA) > 0 && !x509.NewCertPool().AppendCertsFromPEM(o.CA) {
		return fmt.Errorf("the file of certificate authorities has no PEM certificate")
	}
	switch o.Style {
	case StyleAuto, StylePath, StyleVirtual:
	default:
		return fmt.Errorf("style %q", o.Style)
	}
	switch o.Checksum {
	case "", ChecksumCRC64NVME, ChecksumMD5, ChecksumNone:
	default:
		return fmt.Errorf("checksum %q", o.Checksum)
	}
	if slow[strings.ToUpper(o.StorageClass)] {
		return fmt.Errorf("nothing can be read at once from storage class %s", o.StorageClass)
	}
	return b.checkEncrypt()
}

func (b *Bucket) checkEncrypt() (err error) {
	switch o := &b.o; {
	case o.KMSKey != "" && o.Encrypt != EncryptKMS:
		return fmt.Errorf("a KMS key goes with encryption %s", EncryptKMS)
	case o.Encrypt == EncryptAES256:
		b.sse = encrypt.NewSSE()
	case o.Encrypt == EncryptKMS:
		b.sse, err = encrypt.NewSSEKMS(o.KMSKey, nil)
	case o.Encrypt != "":
		return fmt.Errorf("encryption %q", o.Encrypt)
	}
	return err
}

// checkPrefix refuses what servers and tools take in different ways.
func checkPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	if len(prefix) > 400 {
		return fmt.Errorf("a prefix of %d bytes is too long", len(prefix))
	}
	for name := range strings.SplitSeq(prefix, "/") {
		if name == "" || name == "." || name == ".." || printable(name, 400) != name {
			return fmt.Errorf("prefix %q", prefix)
		}
	}
	return nil
}

// askRegion asks Amazon where a bucket is. It answers with a header, also to those who may not enter.
func (b *Bucket) askRegion(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, b.global+"/"+b.o.Bucket, nil)
	if err != nil {
		return "", err
	}
	resp, err := b.http.RoundTrip(req)
	if err != nil {
		return "", fmt.Errorf("ask for the bucket's region: %w", err)
	}
	resp.Body.Close()
	if region := resp.Header.Get("X-Amz-Bucket-Region"); region != "" {
		return region, nil
	}
	return "us-east-1", nil
}
