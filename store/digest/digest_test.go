package digest

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestText(t *testing.T) {
	// The first vector of the BLAKE3 reference: no input.
	if got := Empty.String(); got != "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262" {
		t.Errorf("empty: %s", got)
	}
	d := Sum([]byte("x"))
	if got, err := Parse(d.String()); err != nil || got != d {
		t.Errorf("%v, %v", got, err)
	}
	for _, s := range []string{"", d.String()[1:], d.String() + "0", strings.ToUpper(d.String()), strings.Repeat("g", 64)} {
		if _, err := Parse(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
	h := New()
	defer h.Release()
	h.Write([]byte("x"))
	for range 2 { // asking changes nothing
		if h.Sum() != d {
			t.Error("piece by piece it differs")
		}
	}
}

func TestReader(t *testing.T) {
	data := bytes.Repeat([]byte("data"), 1000)
	want := Sum(data)
	got, err := io.ReadAll(NewReader(iotest.OneByteReader(bytes.NewReader(data)), want, int64(len(data))))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	for name, r := range map[string]*Reader{
		"other bytes": NewReader(bytes.NewReader(data), Sum([]byte("y")), -1),
		"too short":   NewReader(bytes.NewReader(data[:10]), want, int64(len(data))),
		"too long":    NewReader(bytes.NewReader(append(data, 'x')), want, int64(len(data))),
	} {
		if _, err := io.ReadAll(r); !errors.Is(err, ErrMismatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
