package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultStall = 60 * time.Second
	idlePerHost  = 64
	buffer       = 64 << 10
	paceStep     = 4 << 10 // bytes that wait for their turn together: at any rate something moves before the connection counts as stalled
)

// transport sends requests, counts them, and writes down when they were answered by the server's clock.
type transport struct {
	base     http.RoundTripper
	requests *atomic.Int64
	pace     func(context.Context, int) error
}

func newTransport(o *Options, requests *atomic.Int64) *transport {
	stall := o.Stall
	if stall <= 0 {
		stall = defaultStall
	}
	dialer := &net.Dialer{Timeout: min(stall, 15*time.Second), KeepAlive: 30 * time.Second}
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &stallConn{Conn: c, stall: stall}, nil
		},
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots(o.CA)},
		MaxIdleConns:          256,
		MaxIdleConnsPerHost:   idlePerHost,
		IdleConnTimeout:       30 * time.Second,
		TLSHandshakeTimeout:   min(stall, 15*time.Second),
		ResponseHeaderTimeout: stall,
		DisableCompression:    true, // what is stored is what is read
		WriteBufferSize:       buffer,
		ReadBufferSize:        buffer,
	}
	if o.Pace != nil {
		t.WriteBufferSize = paceStep
	}
	return &transport{base: t, requests: requests, pace: o.Pace}
}

// roots are the system's certificates and those of pem; nil: the system's.
func roots(pem []byte) *x509.CertPool {
	if len(pem) == 0 {
		return nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pool.AppendCertsFromPEM(pem)
	return pool
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	t.requests.Add(1)
	if t.pace != nil && req.Body != nil && req.Body != http.NoBody {
		body := req.Body
		req = req.WithContext(req.Context()) // a copy
		req.Body = &pacedBody{ctx: req.Context(), ReadCloser: body, pace: t.pace}
	}
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if a, ok := req.Context().Value(answerKey{}).(*answer); ok {
		a.set(resp.Header.Get("Date"))
	}
	return resp, nil
}

// pacedBody is sent no faster than pace allows.
type pacedBody struct {
	io.ReadCloser
	ctx  context.Context
	pace func(context.Context, int) error
}

func (p *pacedBody) Read(b []byte) (int, error) {
	n, err := p.ReadCloser.Read(b[:min(len(b), paceStep)])
	if n > 0 {
		if wait := p.pace(p.ctx, n); wait != nil {
			return 0, wait
		}
	}
	return n, err
}

// stallConn fails where nothing moves, in either direction, for too long. Each call moves the deadline of both: while a body is sent, a read
// that waits for the answer is in no hurry.
type stallConn struct {
	net.Conn
	stall time.Duration
}

func (c *stallConn) Read(p []byte) (int, error) {
	c.SetDeadline(time.Now().Add(c.stall))
	return c.Conn.Read(p)
}

func (c *stallConn) Write(p []byte) (int, error) {
	c.SetDeadline(time.Now().Add(c.stall))
	return c.Conn.Write(p)
}

// answer is when the last answer of a call was given, by the server's clock.
type answer struct {
	mu   sync.Mutex
	date time.Time
}

type answerKey struct{}

func withAnswer(ctx context.Context) (context.Context, *answer) {
	a := &answer{}
	return context.WithValue(ctx, answerKey{}, a), a
}

func (a *answer) set(header string) {
	date, err := http.ParseTime(header)
	if err != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.date = date
}

// now is zero where the server did not say.
func (a *answer) now() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.date
}
