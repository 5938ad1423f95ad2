package s3test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Request is one that the proxy saw.
type Request struct {
	Method string
	Path   string // /bucket/key
	Query  string
	Range  string // header
	Status int    // 0: no answer was given
	Up     int64  // bytes of the body that came from the client
	Down   int64  // bytes of the body that were sent to it
}

// String is for messages: method, path, query.
func (r Request) String() string {
	s := r.Method + " " + r.Path
	if r.Query != "" {
		s += "?" + r.Query
	}
	return fmt.Sprintf("%s → %d", s, r.Status)
}

// Harm is what the proxy does to a request; the zero value lets it through.
type Harm struct {
	Delay    time.Duration // before it is passed on
	Status   int           // the answer, in place of the server's
	Applied  bool          // with Status: the server gets the request all the same
	CutUp    int64         // above 0: the connection ends after so many bytes of the request's body
	CutDown  int64         // above 0: … of the answer's body
	FlipUp   int64         // above 0: so many bytes into the request's body a bit changes
	FlipDown int64         // above 0: … into the answer's
	Stall    bool          // nothing is answered until the client gives up
	NoAnswer bool          // the server gets the request, then the connection ends
}

// Proxy stands between a client and a server on loopback.
type Proxy struct {
	URL string

	target string
	srv    *http.Server
	out    *http.Transport
	ctx    context.Context
	cancel context.CancelFunc

	mu   sync.Mutex
	seen []*record
	plan func(n int, r *http.Request) Harm
	n    int
}

// record is a request on its way.
type record struct {
	Request
	status, up, down atomic.Int64
}

func (c *record) request() Request {
	r := c.Request
	r.Status, r.Up, r.Down = int(c.status.Load()), c.up.Load(), c.down.Load()
	return r
}

func newProxy(addr string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{URL: "http://" + l.Addr().String(), target: addr, out: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.srv = &http.Server{Handler: p}
	go p.srv.Serve(l)
	return p, nil
}

// Close ends the proxy and all connections through it.
func (p *Proxy) Close() {
	p.cancel()
	p.srv.Close()
	p.out.CloseIdleConnections()
}

// Plan makes plan decide what becomes of each request; n counts from 1 since Plan was called. A nil plan does no harm.
func (p *Proxy) Plan(plan func(n int, r *http.Request) Harm) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan, p.n = plan, 0
}

// Reset forgets the requests that were seen.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = nil
}

// Requests are those seen since the last Reset, in order.
func (p *Proxy) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]Request, len(p.seen))
	for i, c := range p.seen {
		out[i] = c.request()
	}
	return out
}

// Summary counts requests by method and the first name of the key, for messages.
func Summary(rs []Request) string {
	counts := map[string]int{}
	for _, r := range rs {
		name := r.Method
		if r.Method == http.MethodGet && strings.Contains(r.Query, "list-type") {
			name = "LIST"
		}
		counts[name]++
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return fmt.Sprintf("%d requests: %s", len(rs), strings.Join(parts, ", "))
}

func (p *Proxy) harm(r *http.Request) Harm {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	if p.plan == nil {
		return Harm{}
	}
	return p.plan(p.n, r)
}

// ServeHTTP passes a request on, and its answer back.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := p.harm(r)
	seen := &record{Request: Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Range: r.Header.Get("Range")}}
	p.mu.Lock()
	p.seen = append(p.seen, seen)
	p.mu.Unlock()
	if h.Delay > 0 {
		p.wait(r, h.Delay)
	}
	if h.Stall {
		p.wait(r, time.Hour)
		panic(http.ErrAbortHandler)
	}
	if h.Status != 0 && !h.Applied {
		io.Copy(io.Discard, r.Body)
		seen.status.Store(int64(h.Status))
		p.refuse(w, h.Status)
		return
	}
	resp, err := p.forward(r, h, &seen.up)
	if err != nil || h.NoAnswer {
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close()
	if h.Status != 0 {
		seen.status.Store(int64(h.Status))
		p.refuse(w, h.Status)
		return
	}
	seen.status.Store(int64(resp.StatusCode))
	p.answer(w, r, resp, h, &seen.down)
}

func (p *Proxy) wait(r *http.Request, d time.Duration) {
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	case <-p.ctx.Done():
	}
}

func (p *Proxy) refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	code := "InternalError"
	if status == http.StatusServiceUnavailable {
		code = "SlowDown"
	}
	fmt.Fprintf(w, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>Please reduce your request rate.</Message></Error>", code)
}

func (p *Proxy) forward(r *http.Request, h Harm, up *atomic.Int64) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.RequestURI = ""
	out.URL.Scheme, out.URL.Host = "http", p.target // Host stays as it was signed
	out.Body = struct {
		io.Reader
		io.Closer
	}{&harmed{r: r.Body, n: up, cut: h.CutUp, flip: h.FlipUp}, r.Body}
	if r.ContentLength == 0 {
		out.Body = http.NoBody
	}
	return p.out.RoundTrip(out)
}

func (p *Proxy) answer(w http.ResponseWriter, r *http.Request, resp *http.Response, h Harm, down *atomic.Int64) {
	maps.Copy(w.Header(), resp.Header)
	if resp.Header.Get("Content-Type") == "" {
		w.Header()["Content-Type"] = nil
	}
	w.WriteHeader(resp.StatusCode)
	if r.Method == http.MethodHead {
		return
	}
	if _, err := io.Copy(w, &harmed{r: resp.Body, n: down, cut: h.CutDown, flip: h.FlipDown}); err != nil {
		http.NewResponseController(w).Flush() // what was sent arrives
		panic(http.ErrAbortHandler)
	}
}

// harmed reads r, with a bit changed or an end that comes too early.
type harmed struct {
	r         io.Reader
	n         *atomic.Int64
	cut, flip int64
}

func (h *harmed) Read(p []byte) (int, error) {
	at := h.n.Load()
	if h.cut > 0 {
		if at >= h.cut {
			return 0, fmt.Errorf("cut after %d bytes", h.cut)
		}
		p = p[:min(int64(len(p)), h.cut-at)]
	}
	n, err := h.r.Read(p)
	if i := h.flip - at; h.flip > 0 && i >= 0 && i < int64(n) {
		p[i] ^= 1
	}
	h.n.Add(int64(n))
	return n, err
}
