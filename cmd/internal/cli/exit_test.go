package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tarn/internal/config"
	"tarn/internal/dataset"
)

func TestExitCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{dataset.ErrDiffers, 1},
		{fmt.Errorf("%w: no such thing", dataset.ErrUsage), 2},
		{&dataset.Hinted{Err: fmt.Errorf("add x: %w", dataset.ErrUsage), Hint: "tarn add y"}, 2},
		{fmt.Errorf("open: %w", &config.Error{Path: "f", Line: 2, Msg: "bad"}), 2},
		{errors.New("disk full"), 3},
		{fs.ErrPermission, 3},
		{fmt.Errorf("get: %w", context.Canceled), 3}, // no signal came
		{context.DeadlineExceeded, 3},
		{fmt.Errorf("%w: 3 problems", dataset.ErrIncomplete), 4},
		{fmt.Errorf("%w: x", dataset.ErrRefused), 5},
		{errors.Join(dataset.ErrIncomplete, dataset.ErrCorrupt), 6}, // the worst one counts
		{errors.Join(dataset.ErrIncomplete, dataset.ErrRefused), 5},
		{errInterrupted, 130},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%v: exit code %d, not %d", c.err, got, c.want)
		}
	}
}

func TestReportError(t *testing.T) {
	hinted := fmt.Errorf("push: %w", &dataset.Hinted{Err: fmt.Errorf("%w: a<b is no remote", dataset.ErrUsage), Hint: "tarn remote list"})
	for _, c := range []struct {
		err  error
		json bool
		want string
	}{
		{nil, false, ""},
		{dataset.ErrDiffers, false, ""},
		{dataset.ErrDiffers, true, ""},
		{errors.New("no space"), false, "tarn: no space\n"},
		{hinted, false, "tarn: push: a<b is no remote\n  try: tarn remote list\n"},
		{hinted, true, `{"schema":"tarn.error/1","code":2,"kind":"usage","error":"push: a<b is no remote","hint":"tarn remote list"}` + "\n"},
		{&config.Error{Path: "f", Line: 2, Msg: "bad", Try: "tarn fix"}, false, "tarn: f:2: bad\n  try: tarn fix\n"},
		{errInterrupted, true, `{"schema":"tarn.error/1","code":130,"kind":"interrupted","error":"interrupted"}` + "\n"},
	} {
		a, _, stderr := testApp()
		a.json = c.json
		a.reportError(c.err)
		if got := stderr.String(); got != c.want {
			t.Errorf("%v, json %t: %q, not %q", c.err, c.json, got, c.want)
		}
	}
}

// TestInterrupted: whatever a verb returns after a signal, it was interrupted; without one, help is still help.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a, _, stderr := testApp()
	a.Getenv = func(string) string { return "" }
	if code := Main(ctx, []string{"-C", t.TempDir(), "status"}, a.Streams); code != 130 || stderr.String() != "tarn: interrupted\n" {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"psuh", "try: tarn push"},
		{"help psuh", "try: tarn push"},
		{"help remote nonsense", `no command "nonsense"`},
		{"remote nonsense", "try: tarn remote --help"},
		{"remote add a b --local --user", "exclude each other"},
		{"status --nope", "try: tarn status --help"},
		{"status --color sometimes", "auto, always or never"},
		{"--json --jsonl version", `"code":2`},
		{"completion", "received 0"},
		{"completion tcsh", "tcsh"},
		{"version extra", "try: tarn version --help"},
	} {
		a, stdout, stderr := testApp()
		if code := Main(t.Context(), strings.Fields(c.args), a.Streams); code != exitUsage || !strings.Contains(stderr.String(), c.want) || stdout.Len() > 0 {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", c.args, code, stdout, stderr)
		}
	}
}

// TestExitCodesDocumented holds the tables of the code and of docs/exit-codes.md together.
func TestExitCodesDocumented(t *testing.T) {
	b, err := os.ReadFile("../../../docs/exit-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	var inDoc, inCode []int
	for _, m := range regexp.MustCompile("(?m)^\\| *`?([0-9]+)`? *\\|").FindAllStringSubmatch(string(b), -1) {
		n, _ := strconv.Atoi(m[1])
		inDoc = append(inDoc, n)
	}
	for n := range exitMeaning {
		inCode = append(inCode, n)
		if kind, ok := exitKind[n]; n != exitOK && (!ok || !strings.Contains(string(b), kind)) {
			t.Errorf("exit code %d: its kind %q is not documented", n, kind)
		}
	}
	slices.Sort(inCode)
	slices.Sort(inDoc)
	if !slices.Equal(inCode, inDoc) {
		t.Errorf("exit codes %v in the code, %v in docs/exit-codes.md", inCode, inDoc)
	}
}
