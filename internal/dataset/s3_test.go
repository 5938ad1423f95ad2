package dataset

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tarn/internal/config"
	"tarn/store/blob/s3"
	"tarn/store/blob/s3/credentials"
	"tarn/store/blob/s3/s3test"
	"tarn/store/blob/wrap"
)

// s3Server is a real server with a bucket "data", and the scratch's environment has its keys.
func (s *scratch) s3Server() *s3test.Server {
	s.t.Helper()
	srv := s3test.Run(s.t, s3test.Versity)
	must(s.t, srv.MakeBucket("data"))
	s.env = append(s.env, srv.Env()...)
	return srv
}

// s3Repo makes a repository whose remote "s3" is a prefix of the bucket, and whose default remote is ../remote, for what checks.
func (s *scratch) s3Repo(dir string, srv *s3test.Server, prefix string) {
	s.t.Helper()
	s.repo(dir)
	s.do(dir, func(r *Repo) error {
		_, err := r.AddRemote("s3", "s3://data/"+prefix, config.Repository, false, RemoteSetting{"endpoint", srv.URL})
		return err
	})
	s.commit(dir, "s3")
}

func pushS3(r *Repo) error {
	_, err := r.Push(bg, PushOptions{Remote: "s3"})
	return err
}

// asDirectory copies what stands below the prefix of the bucket to top/remote.
func (s *scratch) asDirectory(top string, srv *s3test.Server, prefix string) {
	s.t.Helper()
	must(s.t, os.RemoveAll(filepath.Join(top, "remote")))
	s.copy(filepath.Join(srv.Data, "data", prefix), filepath.Join(top, "remote"))
}

// TestS3Faults: clones push the same and other versions at once, through a bucket that fails at random, before, midway and after it did what it was asked.
// A pack never changes, the name of a pack or pin does not come back, and all that is pinned is whole.
func TestS3Faults(t *testing.T) {
	s := newScratch(t)
	srv := s.s3Server()
	top := s.path("top")
	repo := filepath.Join(top, "repo")
	s.s3Repo(repo, srv, "faults")
	versions := map[string]tree{}
	for i, tr := range []tree{firstTree(), secondTree()} {
		tr.write(t, filepath.Join(repo, "data"))
		s.do(repo, add("data"))
		s.commit(repo, fmt.Sprint(i))
		versions[id(s.manifest(repo))] = tr
	}
	for i := range 3 {
		s.copy(repo, filepath.Join(top, fmt.Sprint("clone", i)))
	}
	s.git(filepath.Join(top, "clone2"), "checkout", "-q", "HEAD~1", "--", "data.tarn")
	bucket, err := s3.New(s3.Options{Bucket: "data", Prefix: "faults", Endpoint: srv.URL, Credentials: credentials.Static{ID: srv.AccessKey, Secret: srv.SecretKey}})
	must(t, err)
	base := wrap.NewFault(wrap.NewRetry(bucket, wrap.RetryOptions{First: time.Millisecond}), nil)
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			dir := filepath.Join(top, fmt.Sprint("clone", i))
			var err error
			for try := range 40 {
				plan := wrap.Random(uint64(100*i+try), 0.08)
				if err = s.with(dir, Options{wrapBucket: keepBucket(base.With(plan))}, pushS3); err == nil {
					return
				}
				if !errors.Is(err, wrap.ErrFault) {
					break
				}
			}
			t.Error(err)
		})
	}
	wg.Wait()
	s.asDirectory(top, srv, "faults")
	must(t, s.checkPinned(top, versions, slices.Collect(func(yield func(string) bool) {
		for v := range versions {
			if !yield(v) {
				return
			}
		}
	})...))
	if v := base.Violations(); len(v) > 0 {
		t.Error(v)
	}
}

// every does harm to each nth request, from the first on.
func every(n int, h s3test.Harm) func(int, *http.Request) s3test.Harm {
	return func(i int, _ *http.Request) s3test.Harm {
		if i%n == 1 {
			return h
		}
		return s3test.Harm{}
	}
}

// TestS3Toxic pushes and pulls through a network that does each kind of harm. All ends right; where bytes change on the way down, which nothing but their
// digests tells, it may end with an error that says so. What is in the workspace is right in any case.
func TestS3Toxic(t *testing.T) {
	s := newScratch(t)
	srv := s.s3Server()
	want := firstTree()
	want["large"] = "f" + randomBytes(9, 6<<20)
	for i := range 300 {
		want[fmt.Sprintf("many/%03d", i)] = "f" + randomBytes(uint64(i), 20_000)
	}
	for name, h := range map[string]s3test.Harm{
		"delay": {Delay: 30 * time.Millisecond}, "503": {Status: 503}, "500 although applied": {Status: 500, Applied: true}, "no answer": {NoAnswer: true},
		"cut up": {CutUp: 60}, "cut pack up": {CutUp: 3 << 20}, "cut down": {CutDown: 100}, "cut pack down": {CutDown: 1 << 20}, "flip up": {FlipUp: 50}, "flip pack up": {FlipUp: 2 << 20},
		"stall": {Stall: true}, "flip down": {FlipDown: 80}, "flip pack down": {FlipDown: 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			top := s.path(strings.ReplaceAll(name, " ", "-"))
			repo, prefix := filepath.Join(top, "repo"), filepath.Base(top)
			must(t, os.MkdirAll(top, 0o777))
			s.s3Repo(repo, srv, prefix)
			want.write(t, filepath.Join(repo, "data"))
			s.do(repo, add("data"))
			s.commit(repo, "data")
			o := Options{stall: time.Minute, retryFirst: time.Millisecond}
			if h.Stall {
				o.stall = 400 * time.Millisecond
			}
			srv.Proxy.Plan(every(3, h))
			defer srv.Proxy.Plan(nil)
			loud := h.FlipDown > 0
			if err := s.with(repo, o, pushS3); err != nil && !loud {
				t.Fatalf("push: %v", err)
			} else if err != nil && !isCorrupt(err) {
				t.Fatalf("push: the error does not say that bytes are wrong: %v", err)
			}
			if loud {
				srv.Proxy.Plan(nil)
				must(t, s.with(repo, o, pushS3))
				srv.Proxy.Plan(every(3, h))
			}
			clone := filepath.Join(top, "clone")
			s.git(top, "clone", "-q", "repo", "clone")
			pull := func(r *Repo) error {
				_, err := r.Pull(bg, FetchOptions{Remote: "s3"}, CheckoutOptions{})
				return err
			}
			err := s.with(clone, o, pull)
			if err != nil && !(loud && (errors.Is(err, ErrCorrupt) || isCorrupt(err))) {
				t.Fatalf("pull: %v", err)
			}
			for p, v := range readTree(t, filepath.Join(clone, "data")) {
				if v != "d" && want[p] != v { // the directory of a file that is missing may be there, and empty
					t.Errorf("%s has wrong bytes", p)
				}
			}
			srv.Proxy.Plan(nil)
			must(t, s.with(clone, o, pull))
			if d := want.differs(readTree(t, filepath.Join(clone, "data"))); d != "" {
				t.Error(d)
			}
			must(t, checkObjects(t, filepath.Join(clone, ".git", "tarn", "cache"), filepath.Join(srv.Data, "data", prefix)))
		})
	}
}

// TestS3GivesUp: a server that only refuses makes an error that says what was tried, how often, and what came back; no result is half.
func TestS3GivesUp(t *testing.T) {
	s := newScratch(t)
	srv := s.s3Server()
	repo := s.path("repo")
	s.s3Repo(repo, srv, "p")
	firstTree().write(t, filepath.Join(repo, "data"))
	s.do(repo, add("data"))
	o := Options{stall: 100 * time.Millisecond, retryFirst: time.Millisecond}
	for name, want := range map[string]struct {
		harm s3test.Harm
		text string
	}{
		"busy": {s3test.Harm{Status: 503}, "SlowDown"}, "stall": {s3test.Harm{Stall: true}, "timeout"}, "cut": {s3test.Harm{NoAnswer: true}, "Connection closed"},
	} {
		srv.Proxy.Plan(func(int, *http.Request) s3test.Harm { return want.harm })
		err := s.with(repo, o, pushS3)
		if err == nil || !strings.Contains(err.Error(), want.text) || !strings.Contains(err.Error(), "(6 attempts)") || !strings.Contains(err.Error(), "remote s3: get tarn.json from s3://data/p") {
			t.Errorf("%s: %v", name, err)
		}
	}
	srv.Proxy.Plan(nil)
	if all := keys(t, filepath.Join(srv.Data, "data")); len(all) > 0 {
		t.Errorf("there is something: %v", all)
	}
}
