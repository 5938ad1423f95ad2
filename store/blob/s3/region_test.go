package s3

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// Amazon names the region also to those who may not enter.
func TestAskRegion(t *testing.T) {
	region := "ap-south-2"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodHead || r.URL.Path != "/data" || r.Header.Get("Authorization") != "" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		w.Header().Set("X-Amz-Bucket-Region", region)
		w.WriteHeader(http.StatusForbidden)
	}))
	defer srv.Close()
	b, err := New(Options{Bucket: "data"})
	if err != nil {
		t.Fatal(err)
	}
	b.global = srv.URL
	for range 2 { // it is asked for once
		core, err := b.client(t.Context())
		if err != nil || core == nil {
			t.Fatalf("%v, %v", core, err)
		}
	}
	if b.Requests() != 1 {
		t.Errorf("%d requests", b.Requests())
	}
	region = ""
	if got, err := b.askRegion(t.Context()); err != nil || got != "us-east-1" {
		t.Errorf("%q, %v", got, err)
	}
}
