package check

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"tarn/internal/check/contract"
	"tarn/internal/check/report"
	"tarn/internal/check/spill"
)

// files is a Source of files in memory.
type files map[string]string

func (f files) Entries(context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for _, name := range slices.Sorted(maps.Keys(f)) {
			if !yield(Entry{Path: name, Size: int64(len(f[name]))}, nil) {
				return
			}
		}
	}
}

type memFile struct{ *bytes.Reader }

func (memFile) Close() error { return nil }

func (f files) Open(_ context.Context, e Entry) (File, error) {
	b, ok := f[e.Path]
	if !ok {
		return nil, fmt.Errorf("no file %s", e.Path)
	}
	return memFile{bytes.NewReader([]byte(b))}, nil
}

func (f files) Digest(_ context.Context, e Entry) (d [32]byte, err error) {
	h := spill.Hash([]byte(f[e.Path]))
	copy(d[:], fmt.Sprintf("%016x%016x", h[0], h[1]))
	return d, nil
}

// tempFile is a spill.Temp in memory.
type tempFile struct{ bytes.Buffer }

func (t *tempFile) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(t.Bytes()).ReadAt(p, off)
}
func (t *tempFile) Close() error { return nil }

var testNow = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)

func testInput(t testing.TB, text string, src Source) Input {
	t.Helper()
	name := "x.yaml"
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		name = "x.json"
	}
	c, err := contract.Load(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return Input{Contract: c, Source: src, Now: testNow, Workers: 2, Temp: func() (spill.Temp, error) { return &tempFile{}, nil }}
}

func runCheck(t testing.TB, text string, src Source) *report.Result {
	t.Helper()
	res, err := Run(t.Context(), testInput(t, text, src))
	if err != nil {
		t.Fatal(err)
	}
	return res
}

const head = "apiVersion: v3.1.0\nkind: DataContract\nid: x\nversion: 1.0.0\nstatus: active\nschema:\n"

// table is a contract of one table; props and quality are YAML in flow style.
func tableContract(props, quality string) string {
	s := head + "  - name: t\n"
	if props != "" {
		s += "    properties: [" + props + "]\n"
	}
	if quality != "" {
		s += "    quality: [" + quality + "]\n"
	}
	return s
}

// outcome is a line for each check that did not pass.
func outcome(res *report.Result) string {
	var b strings.Builder
	for _, c := range res.Checks {
		if c.Status == report.Passed {
			continue
		}
		fmt.Fprintf(&b, "%s %s %d/%d %s\n", c.Key, c.Status, c.Count, c.Total, c.Note)
		for _, v := range c.Violations {
			fmt.Fprintf(&b, "  %s %s:%d %s %q %s\n", v.Code, v.File, v.Row, v.Column, v.Value, v.Note)
		}
	}
	return b.String()
}
