package cli

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

// TestProgressPlain: without a terminal, short work prints nothing and long work a line every five seconds.
func TestProgressPlain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, stderr := testApp()
		r := a.reporter()
		r.Phase("hash", 4000, 400<<20)
		r.Add(500, 50<<20)
		time.Sleep(spaced - time.Millisecond)
		synctest.Wait()
		a.progress.mu.Lock()
		if stderr.Len() > 0 {
			t.Errorf("too early: %q", stderr)
		}
		a.progress.mu.Unlock()
		time.Sleep(time.Millisecond)
		synctest.Wait()
		r.Add(500, 50<<20)
		time.Sleep(spaced + time.Second)
		a.endProgress()
		a.endProgress()
		want := "hash: 500 of 4,000 files, 50 MiB of 400 MiB, 10 MiB/s, 35.0 s left\nhash: 1,000 of 4,000 files, 100 MiB of 400 MiB, 10 MiB/s, 30.0 s left\n"
		if got := stderr.String(); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	})
}

// TestProgressTotal: totals that are put right leave what was done, and the rate, as they are.
func TestProgressTotal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, _ := testApp()
		r := a.reporter()
		defer a.endProgress()
		r.Phase("fetch", -1, -1)
		r.Add(500, 50<<20)
		time.Sleep(10 * time.Second)
		r.Total(1000, 100<<20)
		if got, want := a.progress.line(time.Since(a.progress.begun)), "fetch: 500 of 1,000 files, 50 MiB of 100 MiB, 5.0 MiB/s, 10.0 s left"; got != want {
			t.Errorf("%q, not %q", got, want)
		}
	})
}

func TestProgressSilent(t *testing.T) {
	for name, set := range map[string]func(*app){
		"quiet": func(a *app) { a.quiet = true }, "no-progress": func(a *app) { a.noProgress = true }, "json": func(a *app) { a.json = true }, "jsonl": func(a *app) { a.jsonl = true },
	} {
		synctest.Test(t, func(t *testing.T) {
			a, _, stderr := testApp()
			set(a)
			a.reporter().Phase("hash", -1, -1)
			time.Sleep(time.Minute)
			a.endProgress()
			if stderr.Len() > 0 {
				t.Errorf("%s: %q", name, stderr)
			}
		})
	}
}

// TestProgressTerminal: one line, never wider than the terminal, taken away for a warning and at the end.
func TestProgressTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, stderr := testApp()
		a.ErrTTY, a.Width, a.color = true, 30, colorNever
		r := a.reporter()
		r.Phase("push "+strings.Repeat("ü", 40), 10, -1)
		time.Sleep(2*redraw + time.Millisecond)
		r.Warn("a\nb", "is a socket; skipped")
		time.Sleep(redraw)
		a.endProgress()
		got := stderr.String()
		if !strings.Contains(got, "\r\x1b[Kwarning: \"a\\x0ab\": is a socket; skipped\n\r\x1b[K") || !strings.HasSuffix(got, "\r\x1b[K") {
			t.Errorf("%q", got)
		}
		if n := strings.Count(got, "\n"); n != 1 {
			t.Errorf("%d lines: %q", n, got)
		}
		for s := range strings.SplitSeq(got, "\r\x1b[K") {
			if n := utf8.RuneCountInString(s); n >= 30 && !strings.HasPrefix(s, "warning") {
				t.Errorf("%d columns: %q", n, s)
			}
		}
	})
}

func TestWarn(t *testing.T) {
	for _, c := range []struct {
		set  func(*app)
		want string
	}{
		{func(*app) {}, "warning: d/x: skipped\n"},
		{func(a *app) { a.noProgress = true }, "warning: d/x: skipped\n"},
		{func(a *app) { a.quiet = true }, ""},
		{func(a *app) { a.json = true }, `{"schema":"tarn.warning/1","path":"d/x","message":"skipped"}` + "\n"},
	} {
		a, _, stderr := testApp()
		c.set(a)
		a.reporter().Warn("d/x", "skipped")
		if got := stderr.String(); got != c.want {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
}
