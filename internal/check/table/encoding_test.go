package table

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
)

func TestGuessEncoding(t *testing.T) {
	long := strings.Repeat("x", 64<<10-1)
	for text, want := range map[string]string{
		"": ASCII, "a,b\n": ASCII, "\xef\xbb\xbfa\n": ASCII, "é\n": UTF8, long + "é": UTF8, long + "\xe9\n": Windows1252, "caf\xe9": Windows1252, "é\xc3": UTF8, "caf\xe9\n": Windows1252, "\xe9\x80\n": Windows1252,
		"ä\xe4\n": UTF8, "ä\xe4\xe4\n": Windows1252, "\xe9\x00\n": UTF8, "\xe9\x9d\n": UTF8, "\xff\xfea\x00": UTF8, "\xfe\xff\x00a": UTF8, "\uFFFD\n": UTF8, "ab\xf0\x9f\x98\x80": UTF8,
	} {
		got, err := GuessEncoding(t.Context(), "x.csv", strings.NewReader(text), 0)
		if err != nil || got != want {
			t.Errorf("%.20q…: %s, %v, want %s", text, got, err, want)
		}
		var whole, bytes encodingCount
		err = errors.Join(whole.read(strings.NewReader(text)), bytes.read(iotest.OneByteReader(strings.NewReader(text))))
		if err != nil || whole != bytes {
			t.Errorf("%.20q…: %v, byte by byte %v, %v", text, whole, bytes, err)
		}
	}
	if got, err := GuessEncoding(t.Context(), "x.csv", strings.NewReader("abé\n"), 3); err != nil || got != ASCII {
		t.Errorf("the begin: %s, %v", got, err)
	}
	if got, err := GuessEncoding(t.Context(), "x.csv.gz", strings.NewReader("\x1f\x8bno gzip"), 0); err != nil || got != ASCII {
		t.Errorf("no gzip: %s, %v", got, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := GuessEncoding(ctx, "x.csv", strings.NewReader("a\xe9\n"), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}
