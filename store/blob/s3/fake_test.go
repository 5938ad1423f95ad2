package s3_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"tarn/store/blob"
	"tarn/store/blob/s3"
	"tarn/store/blob/s3/credentials"
	"tarn/store/blob/s3/s3test"
	"tarn/store/blob/wrap"
)

var static = credentials.Static{ID: "AKIDEXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG", Token: "sessiontokensecret"}

// fake is a server that answers as it is told and keeps what it was asked.
type fake struct {
	*httptest.Server
	mu     sync.Mutex
	seen   []*http.Request
	answer http.HandlerFunc
}

func newFake(t *testing.T, tls bool, answer http.HandlerFunc) *fake {
	f := &fake{answer: answer}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		f.mu.Lock()
		f.seen = append(f.seen, r)
		f.mu.Unlock()
		f.answer(w, r)
	})
	if tls {
		f.Server = httptest.NewUnstartedServer(handler)
		f.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that fail are part of the test
		f.StartTLS()
	} else {
		f.Server = httptest.NewServer(handler)
	}
	t.Cleanup(f.Close)
	return f
}

func (f *fake) last() *http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[len(f.seen)-1]
}

func fine(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("ETag", `"0123"`)
	w.Header().Set("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
}

func refuse(status int, code, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
	}
}

func bucket(t *testing.T, o s3.Options) *s3.Bucket {
	t.Helper()
	if o.Bucket == "" {
		o.Bucket = "data"
	}
	b, err := s3.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestHeaders(t *testing.T) {
	f := newFake(t, false, fine)
	large, small := make([]byte, 128<<10), []byte("123456789")
	for _, tt := range []struct {
		name string
		o    s3.Options
		body []byte
		cond blob.Condition
		want map[string]string
	}{
		// 0xAE8B14860A799888 is the check value of CRC-64/NVME.
		{"plain", s3.Options{}, small, blob.Condition{}, map[string]string{"X-Amz-Checksum-Crc64nvme": "rosUhgp5mIg=", "If-None-Match": "", "If-Match": "", "X-Amz-Storage-Class": "", "X-Amz-Security-Token": "sessiontokensecret"}},
		{"absent", s3.Options{}, small, blob.Condition{Absent: true}, map[string]string{"If-None-Match": "*"}},
		{"match", s3.Options{}, small, blob.Condition{Match: "abc"}, map[string]string{"If-Match": `"abc"`, "If-None-Match": ""}},
		{"small is signed", s3.Options{}, small, blob.Condition{}, map[string]string{"X-Amz-Content-Sha256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"}},
		{"large is not", s3.Options{}, large, blob.Condition{}, map[string]string{"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}},
		{"md5", s3.Options{Checksum: s3.ChecksumMD5}, small, blob.Condition{}, map[string]string{"Content-Md5": "JfnnlDI7RTiF9RgfG2JNCw==", "X-Amz-Checksum-Crc64nvme": ""}},
		{"no checksum", s3.Options{Checksum: s3.ChecksumNone}, small, blob.Condition{}, map[string]string{"Content-Md5": "", "X-Amz-Checksum-Crc64nvme": ""}},
		{"class of small", s3.Options{StorageClass: "STANDARD_IA"}, small, blob.Condition{}, map[string]string{"X-Amz-Storage-Class": ""}},
		{"class of large", s3.Options{StorageClass: "STANDARD_IA"}, large, blob.Condition{}, map[string]string{"X-Amz-Storage-Class": "STANDARD_IA"}},
		{"sse", s3.Options{Encrypt: s3.EncryptAES256}, small, blob.Condition{}, map[string]string{"X-Amz-Server-Side-Encryption": "AES256"}},
		{"kms", s3.Options{Encrypt: s3.EncryptKMS, KMSKey: "alias/tarn"}, small, blob.Condition{}, map[string]string{"X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "alias/tarn"}},
		{"cache control", s3.Options{CacheControl: func(key string) string { return "no-cache, " + key }}, small, blob.Condition{}, map[string]string{"Cache-Control": "no-cache, a/x"}},
	} {
		tt.o.Endpoint, tt.o.Credentials, tt.o.Prefix = f.URL, static, "pre fix"
		if _, err := bucket(t, tt.o).Put(t.Context(), "a/x", tt.body, tt.cond); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		r := f.last()
		if r.URL.Path != "/data/pre fix/a/x" || r.ContentLength != int64(len(tt.body)) || len(r.TransferEncoding) > 0 {
			t.Errorf("%s: %s, %d bytes, %v", tt.name, r.URL.Path, r.ContentLength, r.TransferEncoding)
		}
		for k, want := range tt.want {
			if got := r.Header.Get(k); got != want {
				t.Errorf("%s: %s: %q, want %q", tt.name, k, got, want)
			}
		}
	}
}

func TestAnonymous(t *testing.T) {
	f := newFake(t, false, fine)
	if _, err := bucket(t, s3.Options{Endpoint: f.URL}).Stat(t.Context(), "a/x"); err != nil {
		t.Fatal(err)
	}
	if r := f.last(); r.Header.Get("Authorization") != "" {
		t.Errorf("it is signed: %v", r.Header)
	}
}

// The region is in the signature; where nobody knows it, servers that are not Amazon's get us-east-1.
func TestRegionAndStyle(t *testing.T) {
	f := newFake(t, false, fine)
	for region, want := range map[string]string{"": "/us-east-1/s3/", "eu-x-1": "/eu-x-1/s3/"} {
		if _, err := bucket(t, s3.Options{Endpoint: f.URL, Region: region, Credentials: static}).Stat(t.Context(), "a/x"); err != nil {
			t.Fatal(err)
		}
		if got := f.last().Header.Get("Authorization"); !strings.Contains(got, want) {
			t.Errorf("%q: %s", region, got)
		}
	}
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(f.URL, "http://"))
	b := bucket(t, s3.Options{Bucket: "data", Endpoint: "http://localhost:" + port, Style: s3.StyleVirtual, Credentials: static})
	if _, err := b.Stat(t.Context(), "a/x"); err != nil {
		t.Skip("data.localhost does not resolve here:", err)
	}
	if r := f.last(); r.Host != "data.localhost:"+port || r.URL.Path != "/a/x" {
		t.Errorf("virtual style: host %s, path %s", r.Host, r.URL.Path)
	}
}

func TestTLS(t *testing.T) {
	f := newFake(t, true, fine)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw})
	if _, err := bucket(t, s3.Options{Endpoint: f.URL, CA: ca, Credentials: static}).Put(t.Context(), "a/x", []byte("x"), blob.Condition{}); err != nil {
		t.Errorf("with its CA: %v", err)
	}
	if sha := f.last().Header.Get("X-Amz-Content-Sha256"); sha != "UNSIGNED-PAYLOAD" {
		t.Errorf("under TLS the payload is signed: %s", sha)
	}
	_, err := bucket(t, s3.Options{Endpoint: f.URL, Credentials: static}).Stat(t.Context(), "a/x")
	if !errors.Is(err, blob.ErrRejected) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without its CA: %v", err)
	}
	plain := newFake(t, false, fine)
	_, err = bucket(t, s3.Options{Endpoint: strings.Replace(plain.URL, "http:", "https:", 1), Credentials: static}).Stat(t.Context(), "a/x")
	if !errors.Is(err, blob.ErrRejected) {
		t.Errorf("TLS to a server without: %v", err)
	}
}

func TestErrors(t *testing.T) {
	f := newFake(t, false, nil)
	b := bucket(t, s3.Options{Endpoint: f.URL, Credentials: static, Prefix: "p"})
	for _, tt := range []struct {
		status    int
		code, msg string
		want      error // nil: it may pass
		text      string
	}{
		{404, "NoSuchKey", "gone", blob.ErrNotFound, "no such object"},
		{404, "NoSuchBucket", "", blob.ErrNoBucket, "there is no such bucket"},
		{403, "AccessDenied", "Access Denied.", blob.ErrAccess, "access denied: Access Denied (AccessDenied)"},
		{403, "SignatureDoesNotMatch", "The request signature we calculated does not match.", blob.ErrAccess, "SignatureDoesNotMatch"},
		{403, "SomethingNew", "no", blob.ErrAccess, "no (SomethingNew)"},
		{401, "Unauthorized", "", blob.ErrAccess, ""},
		{412, "PreconditionFailed", "", blob.ErrPrecondition, "expected state"},
		{409, "ConditionalRequestConflict", "", nil, "ConditionalRequestConflict"},
		{400, "BadDigest", "", nil, "BadDigest"},
		{400, "RequestTimeout", "", nil, ""},
		{400, "InvalidRequest", "what\nis \x1b[31mthis", blob.ErrRejected, "what is "},
		{400, "ExpiredToken", "The provided token has expired.", blob.ErrAccess, "has expired"},
		{501, "NotImplemented", "A header you provided implies functionality that is not implemented", blob.ErrUnsupported, "NotImplemented"},
		{405, "MethodNotAllowed", "", blob.ErrUnsupported, ""},
		{507, "XMinioStorageFull", "", blob.ErrNoSpace, "no space"},
		{429, "TooMany", "", nil, ""},
		{500, "InternalError", "", nil, ""},
		{503, "SlowDown", "Please reduce your request rate.", nil, "SlowDown"},
	} {
		f.answer = refuse(tt.status, tt.code, tt.msg)
		_, err := b.Put(t.Context(), "a/x", []byte("x"), blob.Condition{})
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) || wrap.Permanent(err) != (tt.want != nil) {
			t.Errorf("%s: %v, want %v", tt.code, err, tt.want)
			continue
		}
		if text := err.Error(); !strings.HasPrefix(text, "put a/x to s3://data/p: ") || !strings.Contains(text, tt.text) || strings.ContainsAny(text, "\n\x1b") {
			t.Errorf("%s: %q", tt.code, text)
		}
		showsNoSecret(t, err.Error())
	}
	f.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("x-amz-bucket-region", "eu-north-1")
		refuse(400, "AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong")(w, nil)
	}
	if _, err := b.Stat(t.Context(), "a/x"); err == nil {
		t.Error("a wrong region is fine")
	}
	var region *s3.RegionError
	if _, err := b.Put(t.Context(), "a/x", nil, blob.Condition{}); !errors.Is(err, blob.ErrRejected) || !errors.As(err, &region) || region.Region != "eu-north-1" || !strings.Contains(err.Error(), "in the region eu-north-1") {
		t.Errorf("wrong region: %v", err)
	}
}

func showsNoSecret(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{static.Secret, static.Token} {
		if strings.Contains(text, secret) {
			t.Errorf("a secret is shown: %s", text)
		}
	}
}

// What a client makes of servers that are not quite S3.
func TestBadServers(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"no ranges": func(w http.ResponseWriter, r *http.Request) { fine(w, r); w.Write(make([]byte, 100)) },
		"another range": func(w http.ResponseWriter, r *http.Request) {
			fine(w, r)
			w.Header().Set("Content-Range", "bytes 0-9/100")
			w.WriteHeader(http.StatusPartialContent)
			w.Write(make([]byte, 10))
		},
	} {
		f := newFake(t, false, answer)
		_, _, err := bucket(t, s3.Options{Endpoint: f.URL, Credentials: static}).Get(t.Context(), "a/x", 10, 10)
		if !errors.Is(err, blob.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, keys := range map[string][]string{"unsorted": {"a/2", "a/1"}, "twice": {"a/1", "a/1"}, "foreign": {"b/1"}} {
		f := newFake(t, false, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "<ListBucketResult>")
			for _, k := range keys {
				fmt.Fprintf(w, "<Contents><Key>%s</Key><Size>1</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>", k)
			}
			fmt.Fprint(w, "</ListBucketResult>")
		})
		var last error
		for _, err := range bucket(t, s3.Options{Endpoint: f.URL, Credentials: static}).List(t.Context(), "a/", "") {
			last = err
		}
		if !errors.Is(last, blob.ErrUnsupported) {
			t.Errorf("%s: %v", name, last)
		}
	}
	f := newFake(t, false, func(w http.ResponseWriter, r *http.Request) { w.Header()["Date"] = nil; fine(w, r) })
	if info, err := bucket(t, s3.Options{Endpoint: f.URL, Credentials: static}).Stat(t.Context(), "a/x"); err != nil || !info.Now.IsZero() {
		t.Errorf("without a Date: %+v, %v", info, err)
	}
}

// renewed gives other keys each time.
type renewed struct {
	mu sync.Mutex
	n  int
}

func (r *renewed) Keys(context.Context) (credentials.Keys, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	return credentials.Keys{ID: fmt.Sprint("AKID", r.n), Secret: "s", Expires: time.Now().Add(time.Hour)}, nil
}

// Keys that the server calls expired are replaced, and the request is sent again.
func TestExpiredKeysAreRenewed(t *testing.T) {
	f := newFake(t, false, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Authorization"), "AKID1/") {
			refuse(400, "ExpiredToken", "The provided token has expired.")(w, r)
			return
		}
		fine(w, r)
	})
	b := wrap.NewRetry(bucket(t, s3.Options{Endpoint: f.URL, Credentials: &renewed{}}), quick)
	if _, err := b.Put(t.Context(), "a/x", []byte("x"), blob.Condition{}); err != nil {
		t.Error(err)
	}
}

// TestNoConditions: a server that does not know conditions gets none, and who writes alone notices nothing.
func TestNoConditions(t *testing.T) {
	srv := s3test.Run(t, s3test.Versity)
	srv.Proxy.Plan(func(_ int, r *http.Request) s3test.Harm {
		if r.Header.Get("If-Match") != "" || r.Header.Get("If-None-Match") != "" {
			return s3test.Harm{Status: http.StatusNotImplemented}
		}
		return s3test.Harm{}
	})
	put := func(b *s3.Bucket, body string, cond blob.Condition) (blob.Info, error) {
		return b.Put(t.Context(), "a/x", []byte(body), cond)
	}
	with := open(t, srv, nil)
	if _, err := put(with, "1", blob.Condition{Absent: true}); !errors.Is(err, blob.ErrUnsupported) || !with.Conditional() {
		t.Errorf("with conditions: %v", err)
	}
	b := open(t, srv, func(o *s3.Options) { o.NoConditions = true })
	if _, err := put(b, "1", blob.Condition{Match: "0"}); !errors.Is(err, blob.ErrPrecondition) || b.Conditional() {
		t.Errorf("match of nothing: %v", err)
	}
	first, err := put(b, "1", blob.Condition{Absent: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := put(b, "2", blob.Condition{Absent: true}); !errors.Is(err, blob.ErrPrecondition) {
		t.Errorf("absent, and it is there: %v", err)
	}
	if _, err := put(b, "2", blob.Condition{Match: first.ETag}); err != nil {
		t.Errorf("match: %v", err)
	}
	if _, err := put(b, "3", blob.Condition{Match: first.ETag}); !errors.Is(err, blob.ErrPrecondition) {
		t.Errorf("match of an old one: %v", err)
	}
}

func TestOptions(t *testing.T) {
	for name, o := range map[string]s3.Options{
		"no bucket": {}, "bucket": {Bucket: "A b"}, "endpoint": {Bucket: "data", Endpoint: "ftp://x"}, "endpoint with a path": {Bucket: "data", Endpoint: "https://x/y"},
		"endpoint with a password": {Bucket: "data", Endpoint: "https://u:pw@x"}, "prefix": {Bucket: "data", Prefix: "a//b"}, "prefix up": {Bucket: "data", Prefix: "../b"},
		"style": {Bucket: "data", Style: "odd"}, "checksum": {Bucket: "data", Checksum: "crc1"}, "class": {Bucket: "data", StorageClass: "GLACIER"},
		"encryption": {Bucket: "data", Encrypt: "rot13"}, "key without kms": {Bucket: "data", KMSKey: "k"}, "ca": {Bucket: "data", CA: []byte("no")},
	} {
		if _, err := s3.New(o); err == nil {
			t.Errorf("%s is fine", name)
		} else if strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: %v shows a password", name, err)
		}
	}
}

// A server that checks checksums notices a body that was changed on the way, even where nothing is signed.
func TestRefusesWrong(t *testing.T) {
	srv := s3test.Run(t, s3test.Versity)
	for checksum, want := range map[string]bool{"": true, s3.ChecksumMD5: true, s3.ChecksumNone: false} {
		b := open(t, srv, func(o *s3.Options) { o.Checksum = checksum })
		got, err := b.RefusesWrong(t.Context(), "a/x")
		if err != nil || got != want {
			t.Errorf("%q: %v, %v", checksum, got, err)
		}
	}
}

// The pace hears of each byte of a body before it is sent.
func TestPace(t *testing.T) {
	srv := s3test.Run(t, s3test.Versity)
	var mu sync.Mutex
	sent, most := 0, 0
	b := open(t, srv, func(o *s3.Options) {
		o.Pace = func(_ context.Context, n int) error {
			mu.Lock()
			defer mu.Unlock()
			sent, most = sent+n, max(most, n)
			return nil
		}
	})
	if _, err := b.Put(t.Context(), "a/x", bytes.Repeat([]byte("x"), 1<<20), blob.Condition{}); err != nil {
		t.Fatal(err)
	}
	if sent != 1<<20 || most > 4<<10 {
		t.Errorf("%d bytes, at most %d at once", sent, most)
	}
	// A slow pace is no stalled connection.
	b = open(t, srv, func(o *s3.Options) {
		o.Stall = 300 * time.Millisecond
		o.Pace = func(context.Context, int) error { time.Sleep(100 * time.Millisecond); return nil }
	})
	if _, err := b.Put(t.Context(), "a/x", make([]byte, 48<<10), blob.Condition{}); err != nil {
		t.Errorf("slowly: %v", err)
	}
	stop := errors.New("stopped")
	b = open(t, srv, func(o *s3.Options) { o.Pace = func(context.Context, int) error { return stop } })
	if _, err := b.Put(t.Context(), "a/x", []byte("x"), blob.Condition{}); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}
