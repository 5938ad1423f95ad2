package cli

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"tarn/store/blob/s3/s3test"
)

// s3Scripts is the S3 server that scripts share. It is built and started when the first script asks for it.
type s3Scripts struct {
	once   sync.Once
	server *s3test.Server
	err    error
}

func (s *s3Scripts) close() {
	if s.server != nil {
		s.server.Close()
	}
}

// s3server BUCKET… makes empty buckets, whose names must be the script's own, and sets $S3 to the URL of the server and the keys for it.
func (s *s3Scripts) cmdServer(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) > 0, "s3server BUCKET…")
	s.once.Do(func() { s.server, s.err = s3test.Start(context.Background(), s3test.Versity) })
	ts.Check(s.err)
	for _, b := range args {
		ts.Check(s.server.MakeBucket(b))
	}
	proxy, err := s.server.NewProxy()
	ts.Check(err)
	ts.Defer(proxy.Close)
	ts.Setenv("S3", proxy.URL)
	ts.Setenv("S3DATA", s.server.Data)
	for _, e := range s.server.Env() {
		k, v, _ := strings.Cut(e, "=")
		ts.Setenv(k, v)
	}
	s3Proxies.Store(ts, proxy)
	ts.Defer(func() { s3Proxies.Delete(ts) })
}

var s3Proxies sync.Map // of scripts

// s3requests MAX [METHOD] fails where the script has sent more requests since the last time; with "= N" where it is another number.
func (s *s3Scripts) cmdRequests(ts *testscript.TestScript, neg bool, args []string) {
	exact := len(args) > 0 && args[0] == "="
	if exact {
		args = args[1:]
	}
	usage(ts, !neg && (len(args) == 1 || len(args) == 2), "s3requests [=] N [METHOD]")
	p, ok := s3Proxies.Load(ts)
	usage(ts, ok, "s3server BUCKET first")
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	proxy := p.(*s3test.Proxy)
	seen := proxy.Requests()
	proxy.Reset()
	n := len(seen)
	if len(args) == 2 {
		n = 0
		for _, r := range seen {
			if r.Method == args[1] || args[1] == "LIST" && r.Method == http.MethodGet && strings.Contains(r.Query, "list-type") {
				n++
			}
		}
	}
	ts.Logf("%s", s3test.Summary(seen))
	if n > want || exact && n != want {
		for _, r := range seen {
			ts.Logf("%s", r)
		}
		ts.Fatalf("%d requests, want %s", n, strings.Join(args, " "))
	}
}
