package http

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tarn/store/blob"
)

const text = "0123456789abcdef"

// serve starts a server over a directory with one object pack/ab, and returns the bucket.
func serve(t *testing.T, handler func(http.Handler) http.Handler) *Bucket {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "pack"), 0o777); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]string{"pack/ab": text, "tarn.json": "{}", "empty": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(s), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	s := httptest.NewServer(handler(http.StripPrefix("/data", http.FileServer(http.Dir(dir)))))
	t.Cleanup(s.Close)
	b, err := New(s.URL+"/data", Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func plain(h http.Handler) http.Handler { return h }

// rangeless is a server that knows no ranges.
func rangeless(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Range")
		h.ServeHTTP(w, r)
	})
}

func TestGet(t *testing.T) {
	for name, handler := range map[string]func(http.Handler) http.Handler{"ranges": plain, "no ranges": rangeless} {
		b := serve(t, handler)
		for _, c := range []struct {
			off, n int64
			want   string
		}{
			{0, -1, text}, {0, 4, "0123"}, {4, 4, "4567"}, {4, -1, text[4:]}, {12, 100, "cdef"}, {15, 1, "f"}, {16, 4, ""}, {99, 4, ""}, {99, -1, ""}, {0, 0, ""}, {3, 1<<63 - 1, text[3:]},
		} {
			r, info, err := b.Get(context.Background(), "pack/ab", c.off, c.n)
			if err != nil {
				t.Errorf("%s: %+v: %v", name, c, err)
				continue
			}
			got, err := io.ReadAll(r)
			if err != nil || string(got) != c.want || info.Size != int64(len(text)) || info.ETag == "" || info.Key != "pack/ab" {
				t.Errorf("%s: %+v: %q, %+v, %v", name, c, got, info, err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
		if r, info, err := b.Get(context.Background(), "empty", 0, -1); err != nil || info.Size != 0 {
			t.Errorf("%s: the empty object: %+v, %v", name, info, err)
		} else {
			r.Close()
		}
	}
}

func TestStat(t *testing.T) {
	b := serve(t, plain)
	info, err := b.Stat(context.Background(), "tarn.json")
	if err != nil || info.Size != 2 || time.Since(info.Now) > time.Minute || info.Modified.IsZero() {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestErrors(t *testing.T) {
	ctx := context.Background()
	code := 0
	b := serve(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if code != 0 {
				w.WriteHeader(code)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	for c, want := range map[int]error{0: blob.ErrNotFound, 404: blob.ErrNotFound, 410: blob.ErrNotFound, 401: blob.ErrAccess, 403: blob.ErrAccess} {
		code = c
		if _, _, err := b.Get(ctx, "nothing", 0, -1); !errors.Is(err, want) {
			t.Errorf("get, %d: %v", c, err)
		}
		if _, err := b.Stat(ctx, "nothing"); !errors.Is(err, want) {
			t.Errorf("stat, %d: %v", c, err)
		}
	}
	code = 503
	if _, _, err := b.Get(ctx, "tarn.json", 0, -1); err == nil || errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrAccess) {
		t.Errorf("503: %v", err)
	}
	if _, err := b.Put(ctx, "x", nil, blob.Condition{}); !errors.Is(err, blob.ErrReadOnly) {
		t.Errorf("put: %v", err)
	}
	if err := b.Delete(ctx, "x"); !errors.Is(err, blob.ErrReadOnly) {
		t.Errorf("delete: %v", err)
	}
	for _, err := range b.List(ctx, "pin/", "") {
		if !errors.Is(err, blob.ErrUnsupported) {
			t.Errorf("list: %v", err)
		}
	}
	for _, key := range []string{"../x", "", "a//b", "a b", ".git"} {
		if _, _, err := b.Get(ctx, key, 0, -1); !errors.Is(err, blob.ErrKey) {
			t.Errorf("get %q: %v", key, err)
		}
	}
	if _, _, err := b.Get(ctx, "tarn.json", -1, 4); !errors.Is(err, blob.ErrRange) {
		t.Errorf("a negative offset: %v", err)
	}
}

// TestLyingServer: what does not fit to the request is an error, not data.
func TestLyingServer(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter){
		"another range": func(w http.ResponseWriter) {
			w.Header().Set("Content-Range", "bytes 0-3/16")
			w.WriteHeader(206)
			fmt.Fprint(w, "0123")
		},
		"no content range": func(w http.ResponseWriter) { w.WriteHeader(206); fmt.Fprint(w, "4567") },
		"a negative size":  func(w http.ResponseWriter) { w.Header().Set("Content-Range", "bytes 4-7/-16"); w.WriteHeader(206) },
		"no size":          func(w http.ResponseWriter) { w.WriteHeader(200); w.(http.Flusher).Flush(); fmt.Fprint(w, text) },
		"an error page":    func(w http.ResponseWriter) { w.WriteHeader(204) },
	} {
		b := serve(t, func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) })
		})
		if r, _, err := b.Get(context.Background(), "pack/ab", 4, 4); err == nil {
			got, _ := io.ReadAll(r)
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestSecretsStayHidden(t *testing.T) {
	b, err := New("http://user:hunter2@127.0.0.1:1/data", Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = b.Get(context.Background(), "tarn.json", 0, -1)
	if err == nil || strings.Contains(err.Error()+b.String(), "hunter2") {
		t.Errorf("%v, %s", err, b)
	}
	for _, bad := range []string{"ftp://user:hunter2@h/x", "http://user:hunter2@h/x?q", "http://us er:hunter2@h\x7f/", "https://"} {
		if _, err := New(bad, Options{}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("New(%q): %v", bad, err)
		}
	}
}

func TestRedirect(t *testing.T) {
	var to string
	b := serve(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "moved") {
				http.Redirect(w, r, to, http.StatusFound)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	to = b.base.String() + "/pack/ab"
	r, _, err := b.Get(context.Background(), "moved", 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, _ := io.ReadAll(r); string(got) != "234" {
		t.Errorf("%q", got)
	}
	if err := redirect(&http.Request{URL: b.base}, []*http.Request{{URL: &url.URL{Scheme: "https"}}}); err == nil {
		t.Error("a redirect from https to http is followed")
	}
}
