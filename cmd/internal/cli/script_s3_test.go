package cli

import (
	"context"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

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
	ts.Setenv("BOTO3", os.Getenv("TARN_TEST_BOTO3"))
	for _, e := range s.server.Env() {
		k, v, _ := strings.Cut(e, "=")
		ts.Setenv(k, v)
	}
	s3Proxies.Store(ts, proxy)
	ts.Defer(func() { s3Proxies.Delete(ts) })
}

var s3Proxies sync.Map // of scripts

func proxyOf(ts *testscript.TestScript) *s3test.Proxy {
	p, ok := s3Proxies.Load(ts)
	usage(ts, ok, "s3server BUCKET first")
	return p.(*s3test.Proxy)
}

// ofMethod are the requests of a method; LIST is one, too, and an empty one is all.
func ofMethod(all []s3test.Request, method string) (some []s3test.Request) {
	for _, r := range all {
		list := r.Method == http.MethodGet && strings.Contains(r.Query, "list-type")
		if method == "" || r.Method == method && !list || list && method == "LIST" {
			some = append(some, r)
		}
	}
	return some
}

// s3requests MAX [METHOD] fails where the script has sent more requests since the last time; with "= N" where it is another number.
func cmdS3Requests(ts *testscript.TestScript, neg bool, args []string) {
	exact := len(args) > 0 && args[0] == "="
	if exact {
		args = args[1:]
	}
	usage(ts, !neg && (len(args) == 1 || len(args) == 2), "s3requests [=] N [METHOD]")
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	p := proxyOf(ts)
	all := p.Requests()
	p.Reset()
	ts.Logf("%s", s3test.Summary(all))
	n := len(ofMethod(all, append(args, "")[1]))
	if n > want || exact && n != want {
		for _, r := range all {
			ts.Logf("%s", r)
		}
		ts.Fatalf("%d requests, want %s", n, strings.Join(args, " "))
	}
}

// s3wait N METHOD waits until so many requests were answered.
func cmdS3Wait(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "s3wait N METHOD")
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	p := proxyOf(ts)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		n := 0
		for _, r := range ofMethod(p.Requests(), args[1]) {
			if r.Status != 0 {
				n++
			}
		}
		if n >= want {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%d requests in a minute", n)
		}
	}
}

// s3bytes up|down MIN MAX fails unless so many MiB went to the server, or came from it, since the last s3requests.
func cmdS3Bytes(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 3 && (args[0] == "up" || args[0] == "down"), "s3bytes up|down MIN MAX")
	low, err := strconv.ParseFloat(args[1], 64)
	ts.Check(err)
	high, err := strconv.ParseFloat(args[2], 64)
	ts.Check(err)
	var sum int64
	for _, r := range proxyOf(ts).Requests() {
		if args[0] == "up" {
			sum += r.Up
		} else {
			sum += r.Down
		}
	}
	if mib := float64(sum) / (1 << 20); mib < low || mib > high {
		ts.Fatalf("%.1f MiB %s", mib, args[0])
	} else {
		ts.Logf("%.1f MiB %s", mib, args[0])
	}
}
