package contract

import (
	"errors"
	"strings"
	"testing"
)

// TestYAMLLine looks for the line that an error of YAML is at.
func TestYAMLLine(t *testing.T) {
	const head = "apiVersion: v3.1.0\nkind: DataContract\nid: x\nversion: 1.0.0\nstatus: active\nschema:\n  - name: t\n"
	for _, c := range []struct {
		name, text string
		line, col  int
	}{
		{"first line", "a: [1\n", 1, 0},
		{"no line end", "a: [1", 1, 0},
		{"indent", head + "    properties:\n      - name: a\n     logicalType: date\n    x: 1\n", 10, 0},
		{"brace", head + "    properties:\n      - {name: a\n      - {name: b}\n    quality: []\n", 9, 0},
		{"bracket over lines", head + "    tags: [a,\n      b,\n      c\n    x: 1\n    y: 2\n", 8, 0},
		{"after a list over lines", head + "    tags: [a,\n      b,\n      c]\n   y: 2\n", 11, 0},
		{"quote", head + "    description: \"a\n    x: 1\n    y: 2\n", 8, 0},
		{"anchor", head + "    tags: *no\n    x: 1\n", 8, 0},
		{"tab", head + "\tx: 1\n", 8, 0},
		{"colon", head + "    description: a: b\n", 8, 0},
		{"control character", head + "    description: \x01\n", 8, 0},
		{"quote on the first line", "a: \"\nb: 1\nc: 1\nd: 1\ne: 1\n", 1, 0},
		{"bracket on the first line", "a: [1\nb: 1\nc: 1\nd: 1\ne: 1\n", 1, 0},
		{"all in brackets", "{a: 1,\nb: {c: 1\nd: 2},\ne: 3,\nf: 4}\n", 2, 0},
		{"item among keys", head + "    a: 1\n    - b\n    c: 1\n", 9, 0},
		{"documents", head + "---\na: 1\n", 8, 1},
		{"second document", head + "---\na: [\n", 9, 0},
		{"duplicate", head + "    x: 1\n    x: 2\n", 9, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parse("x.yaml", []byte(c.text))
			var es Errors
			if !errors.As(err, &es) {
				t.Fatal(err)
			}
			if es[0].Line != c.line || es[0].Col != c.col {
				t.Errorf("%d:%d, not %d:%d: %v", es[0].Line, es[0].Col, c.line, c.col, es[0])
			}
			if c.col == 0 && strings.Count(es[0].Error(), ":") != strings.Count(es[0].Msg, ":")+2 {
				t.Errorf("%v has a column", es[0])
			}
		})
	}
}
