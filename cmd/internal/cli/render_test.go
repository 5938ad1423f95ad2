package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"tarn/index"
	"tarn/internal/dataset"
)

// testApp is an app without a terminal; what it prints can be read.
func testApp() (a *app, stdout, stderr *bytes.Buffer) {
	stdout, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	return &app{Streams: Streams{Out: stdout, Err: stderr, Width: 80, Getenv: func(string) string { return "" }}, color: colorAuto}, stdout, stderr
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{count(0), "0"}, {count(999), "999"}, {count(1000), "1,000"}, {count(12345), "12,345"}, {count(1234567), "1,234,567"},
		{count(-1), "-1"}, {count(-999), "-999"}, {count(-1000), "-1,000"}, {count(-123456), "-123,456"},
		{many(1, "file"), "1 file"}, {many(0, "file"), "0 files"}, {many(1234, "entry"), "1,234 entries"},
		{size(0), "0 B"}, {size(1023), "1023 B"}, {size(1024), "1.0 KiB"}, {size(1536), "1.5 KiB"}, {size(10 << 20), "10 MiB"}, {size(999 << 10), "999 KiB"},
		{size(1023 << 10), "1.0 MiB"}, {size(5 << 30), "5.0 GiB"}, {size(1 << 62), "4096 PiB"},
		{seconds(0), "0 ms"}, {seconds(0.0421), "42 ms"}, {seconds(1.25), "1.2 s"}, {seconds(59.9), "59.9 s"}, {seconds(61), "1m1s"}, {seconds(3600), "1h0m0s"},
		{rate(1<<20, 0), ""}, {rate(100, 1), ""}, {rate(10<<20, 2), ", 5.0 MiB/s"},
	} {
		if c.got != c.want {
			t.Errorf("%q, not %q", c.got, c.want)
		}
	}
}

// TestCountDigits: separators change no digit and stand at each third place.
func TestCountDigits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64().Draw(t, "n")
		s := count(n)
		if strings.ReplaceAll(s, ",", "") != fmt.Sprint(n) {
			t.Fatalf("%d: %s", n, s)
		}
		parts := strings.Split(strings.TrimPrefix(s, "-"), ",")
		for i, p := range parts {
			if len(p) != 3 && (i > 0 || len(p) == 0 || len(p) > 3) {
				t.Fatalf("%d: %s", n, s)
			}
		}
	})
}

// TestCleanMessages: names in messages neither command a terminal nor a CI runner; the lines of a message stay.
func TestCleanMessages(t *testing.T) {
	evil := "a\x1b[31m\xff\r\u009b\n::error::x\n ##[error]y"
	const want = `a\u001b[31m\xff\r\u009b\n::error::x\n ##[error]y`
	a, _, stderr := testApp()
	err := &dataset.Hinted{Err: fmt.Errorf("%w: c.yaml:1:2: one %s\n\tc.yaml:3:4: two", dataset.ErrUsage, evil), Hint: "tarn add " + evil}
	a.reportError(err)
	a.tell([]dataset.Problem{{Path: "p", Err: err}})
	a.reporter().Warn("p", evil)
	lines := "c.yaml:1:2: one " + want + "\n\tc.yaml:3:4: two\n"
	if got := stderr.String(); got != "tarn: "+lines+"  try: tarn add "+want+"\n  p: "+lines+"    try: tarn add "+want+"\nwarning: p: "+want+"\n" {
		t.Errorf("%q", got)
	}
}

// TestJSONPath: each path, whatever bytes it has, is valid JSON that gives back exactly that path.
func TestJSONPath(t *testing.T) {
	for path, want := range map[string]string{"a/b": `"a/b"`, "a<b&c": `"a<b&c"`, "漢": `"漢"`, "\xff": `"\"\\xff\""`} {
		if b, err := marshal(jsonPath(path)); err != nil || string(b) != want {
			t.Errorf("%q: %s, %v; not %s", path, b, err, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		path := string(rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "path"))
		b, err := marshal(struct{ P jsonPath }{jsonPath(path)})
		var back struct{ P string }
		if err != nil || !utf8.Valid(b) || json.Unmarshal(b, &back) != nil {
			t.Fatalf("%q: %s, %v", path, b, err)
		}
		if got, err := index.Unquote(back.P); err != nil || got != path {
			t.Fatalf("%q: %s, back %q, %v", path, b, got, err)
		}
	})
}

type testResult struct {
	N    int `json:"n,omitempty"`
	rows []any
}

func (r *testResult) Text(p *printer) { p.f("n is %d\n", r.N) }
func (r *testResult) Rows(yield func(any) bool) {
	for _, row := range r.rows {
		if !yield(row) {
			return
		}
	}
}

func TestShow(t *testing.T) {
	for _, c := range []struct {
		set  func(*app)
		r    *testResult
		want string
	}{
		{func(*app) {}, &testResult{N: 7}, "n is 7\n"},
		{func(a *app) { a.quiet = true }, &testResult{N: 7}, ""},
		{func(a *app) { a.json = true }, &testResult{N: 7}, `{"schema":"tarn.x/1","n":7}` + "\n"},
		{func(a *app) { a.json, a.quiet = true, true }, &testResult{}, `{"schema":"tarn.x/1"}` + "\n"},
		{func(a *app) { a.jsonl = true }, &testResult{rows: []any{1, "<"}}, "1\n\"<\"\n"},
		{func(a *app) { a.jsonl = true }, &testResult{}, ""},
	} {
		a, stdout, stderr := testApp()
		c.set(a)
		if err := a.show("x", c.r); err != nil || stdout.String() != c.want || stderr.Len() > 0 {
			t.Errorf("%q, stderr %q, %v; not %q", stdout, stderr, err, c.want)
		}
	}
}

type brokenPipe struct{}

var errPipe = errors.New("broken pipe")

func (brokenPipe) Write([]byte) (int, error) { return 0, errPipe }

// TestShowFails: output that could not be written is a failure in every form.
func TestShowFails(t *testing.T) {
	for _, set := range []func(*app){func(*app) {}, func(a *app) { a.json = true }, func(a *app) { a.jsonl = true }} {
		a, _, _ := testApp()
		set(a)
		a.Out = brokenPipe{}
		if err := a.show("x", &testResult{rows: []any{1, 2}}); !errors.Is(err, errPipe) {
			t.Errorf("json %t, jsonl %t: %v", a.json, a.jsonl, err)
		}
	}
}

func TestTell(t *testing.T) {
	var ps []dataset.Problem
	for i := range shownProblems + 2 {
		err := error(&dataset.Hinted{Err: fmt.Errorf("%w: gone", dataset.ErrUsage), Hint: "tarn pull"})
		ps = append(ps, dataset.Problem{Dataset: "data", Path: fmt.Sprintf("%02d\xff", i), Side: "cache", Err: err})
	}
	a, stdout, stderr := testApp()
	a.tell(ps)
	got := stderr.String()
	if !strings.HasPrefix(got, `  "data/00\xff" (cache): gone`+"\n    try: tarn pull\n") || strings.Count(got, "try:") != 1 || strings.Count(got, "gone") != shownProblems {
		t.Errorf("%s", got)
	}
	if !strings.HasSuffix(got, "… and 2 more; --json lists all\n") || stdout.Len() > 0 {
		t.Errorf("%s; stdout %q", got, stdout)
	}
	stderr.Reset()
	a.json = true
	if a.tell(ps); stderr.Len() > 0 {
		t.Errorf("with --json: %s", stderr)
	}
}

func TestPaint(t *testing.T) {
	for _, c := range []struct {
		mode when
		tty  bool
		env  string // one variable
		want bool
	}{
		{colorAuto, true, "", true}, {colorAuto, false, "", false}, {colorAuto, true, "NO_COLOR=1", false}, {colorAuto, true, "TERM=dumb", false}, {colorAuto, true, "TERM=xterm", true},
		{colorAlways, false, "NO_COLOR=1", true}, {colorNever, true, "", false},
	} {
		a, _, _ := testApp()
		a.color = c.mode
		name, value, _ := strings.Cut(c.env, "=")
		a.Getenv = func(k string) string {
			if k == name {
				return value
			}
			return ""
		}
		if got := a.paint(c.tty, red, "x") != "x"; got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}
