// Package http is a bucket that is read from a static web server or CDN, over HTTP or HTTPS. It can read whole objects and ranges, also where the
// server knows no ranges; it can't list, and it never writes. It knows no tarn.
package http

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tarn/store/blob"
)

// Options say how requests are made.
type Options struct {
	Transport http.RoundTripper // nil: Go's default with the time limits of this package; proxies are those of the environment
}

// The time limits of a request. The body may take as long as it moves: a stall is for wrap.Retry to end.
const (
	connectTime = 15 * time.Second
	answerTime  = 60 * time.Second
)

// Bucket is a directory of a web server. Safe for concurrent use.
type Bucket struct {
	base   *url.URL
	client *http.Client
}

// New makes a bucket of what is below the URL base, whose scheme is http or https. A user and password in it are sent as basic authentication.
func New(base string, o Options) (*Bucket, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, errors.New("not a valid URL") // the parser's own message holds all of it, also a password
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%s is not a URL of a web server's directory", u.Redacted())
	}
	t := o.Transport
	if t == nil {
		t = transport()
	}
	return &Bucket{u, &http.Client{Transport: t, CheckRedirect: redirect}}, nil
}

func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: connectTime, KeepAlive: 30 * time.Second}).DialContext
	t.ResponseHeaderTimeout = answerTime
	t.MaxIdleConnsPerHost = 64
	t.DisableCompression = true // ranges and sizes are of the bytes as they are
	return t
}

// redirect follows a CDN's redirects, but not from HTTPS to HTTP.
func redirect(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("10 redirects")
	}
	if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return fmt.Errorf("redirect from https to %s refused", req.URL.Scheme)
	}
	return nil
}

// String is the URL without its password.
func (b *Bucket) String() string { return b.base.Redacted() }

func (b *Bucket) ask(ctx context.Context, method, key, ranges string) (*http.Response, error) {
	if err := blob.CheckKey(key); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, b.base.JoinPath(strings.Split(key, "/")...).String(), nil)
	if err != nil {
		return nil, err
	}
	if ranges != "" {
		req.Header.Set("Range", ranges)
	}
	if volatile(key) {
		req.Header.Set("Cache-Control", "no-cache") // a cache in between asks the server whether it changed
	}
	res, err := b.client.Do(req)
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err // its message has the URL again
	}
	return res, err
}

// volatile says that an object may be replaced under its name: all but packs.
func volatile(key string) bool { return !strings.HasPrefix(key, "pack/") }

// status translates an answer that is no success.
func status(res *http.Response) error {
	switch res.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		return blob.ErrNotFound
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return fmt.Errorf("%w (%s)", blob.ErrAccess, res.Status)
	}
	return fmt.Errorf("the server answered %s", res.Status)
}

func (b *Bucket) failed(verb, key string, err error) error {
	return fmt.Errorf("%s %s from %s: %w", verb, key, b, err)
}

// Get implements blob.Bucket. From a server that ignores ranges it reads and drops what stands before off.
func (b *Bucket) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, blob.Info, error) {
	if off < 0 {
		return nil, blob.Info{}, b.failed("get", key, blob.ErrRange)
	}
	if n == 0 {
		info, err := b.Stat(ctx, key)
		return io.NopCloser(strings.NewReader("")), info, err
	}
	ranges := ""
	switch {
	case n > 0 && off+n > off:
		ranges = fmt.Sprintf("bytes=%d-%d", off, off+n-1)
	case off > 0:
		ranges = fmt.Sprintf("bytes=%d-", off)
	}
	res, err := b.ask(ctx, http.MethodGet, key, ranges)
	if err != nil {
		return nil, blob.Info{}, b.failed("get", key, err)
	}
	body, info, err := b.body(res, key, off, n)
	if err != nil {
		res.Body.Close()
		return nil, blob.Info{}, b.failed("get", key, err)
	}
	return body, info, nil
}

func (b *Bucket) body(res *http.Response, key string, off, n int64) (io.ReadCloser, blob.Info, error) {
	switch res.StatusCode {
	case http.StatusPartialContent:
		from, size, err := contentRange(res.Header.Get("Content-Range"))
		if err == nil && from != off {
			err = fmt.Errorf("the server sent bytes from %d on, not from %d", from, off)
		}
		return limited(res.Body, n), info(res, key, size), err
	case http.StatusRequestedRangeNotSatisfiable: // the range is beyond the end, or the object is empty
		_, size, err := contentRange(res.Header.Get("Content-Range"))
		if err == nil {
			res.Body.Close()
		}
		return io.NopCloser(strings.NewReader("")), info(res, key, size), err
	case http.StatusOK:
		if res.ContentLength < 0 {
			return nil, blob.Info{}, errors.New("the server does not say how large the object is")
		}
		if _, err := io.CopyN(io.Discard, res.Body, off); err != nil && err != io.EOF {
			return nil, blob.Info{}, err
		}
		return limited(res.Body, n), info(res, key, res.ContentLength), nil
	}
	return nil, blob.Info{}, status(res)
}

// limited gives at most n bytes of r; n < 0: all.
func limited(r io.ReadCloser, n int64) io.ReadCloser {
	if n < 0 {
		return r
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(r, n), r}
}

// contentRange reads "bytes 0-99/1234" or "bytes */1234": where the range starts, and the size of the whole object (RFC 9110, 14.4).
func contentRange(s string) (from, size int64, err error) {
	bad := fmt.Errorf("the server sent the Content-Range %.100q", s)
	r, ok := strings.CutPrefix(s, "bytes ")
	span, total, ok2 := strings.Cut(r, "/")
	if size, err = strconv.ParseInt(total, 10, 64); err != nil || size < 0 || !ok || !ok2 {
		return 0, 0, bad
	}
	if span == "*" {
		return 0, size, nil
	}
	first, _, _ := strings.Cut(span, "-")
	if from, err = strconv.ParseInt(first, 10, 64); err != nil || from < 0 {
		return 0, 0, bad
	}
	return from, size, nil
}

func info(res *http.Response, key string, size int64) blob.Info {
	i := blob.Info{Key: key, Size: size, ETag: res.Header.Get("ETag")}
	i.Modified, _ = http.ParseTime(res.Header.Get("Last-Modified"))
	i.Now, _ = http.ParseTime(res.Header.Get("Date"))
	if i.ETag == "" {
		i.ETag = res.Header.Get("Last-Modified") + "/" + strconv.FormatInt(size, 10)
	}
	return i
}

// Stat implements blob.Bucket.
func (b *Bucket) Stat(ctx context.Context, key string) (blob.Info, error) {
	res, err := b.ask(ctx, http.MethodHead, key, "")
	if err != nil {
		return blob.Info{}, b.failed("stat", key, err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode != http.StatusOK:
		return blob.Info{}, b.failed("stat", key, status(res))
	case res.ContentLength < 0:
		return blob.Info{}, b.failed("stat", key, errors.New("the server does not say how large the object is"))
	}
	return info(res, key, res.ContentLength), nil
}

// Put implements blob.Bucket: ErrReadOnly.
func (b *Bucket) Put(_ context.Context, key string, _ []byte, _ blob.Condition) (blob.Info, error) {
	return blob.Info{}, b.failed("put", key, blob.ErrReadOnly)
}

// Delete implements blob.Bucket: ErrReadOnly.
func (b *Bucket) Delete(_ context.Context, key string) error {
	return b.failed("delete", key, blob.ErrReadOnly)
}

// List implements blob.Bucket: ErrUnsupported, since a web server has no list of its objects that programs could read.
func (b *Bucket) List(_ context.Context, prefix, _ string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		yield(blob.Info{}, b.failed("list", prefix, blob.ErrUnsupported))
	}
}
