package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"tarn/store/blob"
	"tarn/store/blob/mem"
)

// lame is a bucket that can't do something, or does it wrong.
type lame struct {
	blob.Bucket
	fault string
}

func (l lame) Put(ctx context.Context, key string, body []byte, cond blob.Condition) (blob.Info, error) {
	switch l.fault {
	case "read only":
		return blob.Info{}, fmt.Errorf("put %s: %w", key, blob.ErrAccess)
	case "ignores if-none-match":
		cond.Absent = false
	case "ignores if-match":
		cond.Match = ""
	case "races":
		if strings.HasPrefix(string(body), "writer") {
			cond = blob.Condition{}
		}
	case "no conditions":
		if cond != (blob.Condition{}) {
			return blob.Info{}, blob.ErrUnsupported
		}
	}
	info, err := l.Bucket.Put(ctx, key, body, cond)
	if l.fault == "same etag" {
		info.ETag = "1"
	}
	return info, err
}

func (l lame) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, blob.Info, error) {
	switch {
	case l.fault == "closed":
		return nil, blob.Info{}, fmt.Errorf("get %s: %w", key, blob.ErrAccess)
	case l.fault == "no ranges" && key != "tarn.json":
		off, n = 0, -1
	}
	return l.Bucket.Get(ctx, key, off, n)
}

func (l lame) Stat(ctx context.Context, key string) (blob.Info, error) {
	info, err := l.Bucket.Stat(ctx, key)
	switch l.fault {
	case "no clock":
		info.Now = time.Time{}
	case "clock":
		info.Now = info.Now.Add(time.Hour)
	}
	return info, err
}

func (l lame) Delete(ctx context.Context, key string) error {
	if l.fault == "no delete" {
		return nil
	}
	return l.Bucket.Delete(ctx, key)
}

func (l lame) List(ctx context.Context, prefix, after string) iter.Seq2[blob.Info, error] {
	switch l.fault {
	case "no list":
		return func(yield func(blob.Info, error) bool) { yield(blob.Info{}, blob.ErrAccess) }
	case "late list":
		return func(func(blob.Info, error) bool) {}
	}
	return l.Bucket.List(ctx, prefix, after)
}

func TestCheckRemote(t *testing.T) {
	s := newScratch(t)
	repo := s.path("repo")
	s.repo(repo)
	for fault, missing := range map[string][]string{
		"none": nil, "read only": {"write"}, "ignores if-none-match": {"if-none-match"}, "ignores if-match": {"if-match"}, "races": {"race"},
		"no conditions": {"if-none-match", "if-match"}, "same etag": {"overwrite", "if-match"}, "no ranges": {"ranges"}, "no clock": {"clock"}, "clock": {"clock"}, "no delete": {"delete"},
		"no list": {"list"}, "late list": {"list after"},
	} {
		b := mem.New()
		var c *RemoteCheck
		err := s.with(repo, Options{wrapBucket: func(blob.Bucket) blob.Bucket { return lame{b, fault} }}, func(r *Repo) (err error) {
			c, err = r.CheckRemote(bg, "")
			return err
		})
		if c == nil {
			t.Errorf("%s: no result: %v", fault, err)
			continue
		}
		var got []string
		for _, p := range c.Probes {
			if p.State == CheckMissing {
				if got = append(got, p.Name); p.Meaning == "" || strings.Contains(p.Detail, "\n") {
					t.Errorf("%s: %+v", fault, p)
				}
			}
		}
		if !slices.Equal(got, missing) || (missing != nil) != errors.Is(err, ErrIncomplete) || c.Complete() != (missing == nil) {
			t.Errorf("%s: missing %v, want %v; %v", fault, got, missing, err)
		}
		for info := range b.List(bg, "", "") {
			if fault != "no delete" {
				t.Errorf("%s: it leaves %s", fault, info.Key)
			}
		}
	}
	err := s.with(repo, Options{wrapBucket: func(b blob.Bucket) blob.Bucket { return lame{b, "closed"} }}, func(r *Repo) error {
		_, err := r.CheckRemote(bg, "")
		return err
	})
	if !errors.Is(err, blob.ErrAccess) || errors.Is(err, ErrIncomplete) {
		t.Errorf("closed: %v", err)
	}
}
