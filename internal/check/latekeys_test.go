package check

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	"tarn/internal/check/report"
)

// TestLateKeys: which columns JSON lines have is known at their end, wherever in them a key comes first.
func TestLateKeys(t *testing.T) {
	schema := func(match string) string {
		return `{` + match + `"fields": [{"name": "a", "type": "integer"}, {"name": "b", "type": "string"}, {"name": "c", "type": "string"}]}`
	}
	pad := strings.Repeat("x", 1000)
	var many strings.Builder
	for i := range 1200 {
		fmt.Fprintf(&many, "{\"a\":%d,\"b\":%q}\n", i, pad)
	}
	var gz bytes.Buffer
	z := gzip.NewWriter(&gz)
	z.Write([]byte("{\"a\":1,\"b\":\"\"}\n"))
	z.Close()
	torn := gz.String()[:gz.Len()-5] // what comes behind is not known
	exact, equal, superset, partial, subset := schema(""), schema(`"fieldsMatch": "equal", `), schema(`"fieldsMatch": "superset", `), schema(`"fieldsMatch": "partial", `), schema(`"fieldsMatch": "subset", `)
	for name, c := range map[string]struct{ text, file, want string }{
		"long first row":     {exact, `{"a":1,"b":"` + strings.Repeat("x", 2<<20) + `","c":"z"}` + "\n" + `{"a":"x","b":"x","c":"y"}` + "\n", "type-error 2 a"},
		"late key":           {exact, many.String() + `{"a":1,"b":"x","c":3}` + "\n", "type-error 1201 c"},
		"late key, equal":    {equal, many.String() + `{"c":"x"}` + "\n", ""},
		"late key, superset": {superset, many.String() + `{"c":"x"}` + "\n", ""},
		"no key":             {exact, many.String(), "missing-label 0 c; skipped c"},
		"no key, equal":      {equal, many.String(), "missing-label 0 c; skipped c"},
		"no key, superset":   {superset, many.String(), "skipped c"},
		"no key, subset":     {subset, many.String(), ""},
		"no keys, partial":   {partial, "{\"d\":1}\n", "missing-label 0 ; skipped a; skipped b; skipped c"},
		"late strange key":   {exact, many.String() + `{"a":1,"b":"x","c":"y","d":3}` + "\n", "extra-cell 1201 "},
		"order":              {exact, "{\"b\":\"\",\"c\":\"\"}\n{\"a\":1}\n", "incorrect-label 0 a; incorrect-label 0 b; incorrect-label 0 c"},
		"torn":               {exact, torn, "compression-error 2 ; skipped c"},
		"blank begin":        {equal, strings.Repeat(strings.Repeat(" ", 3000)+"\n", 1000) + "{\"a\":1,\"b\":\"\",\"c\":\"\",\"d\":1}\n", "extra-label 0 d; blank-row 1 ; blank-row 2 ; blank-row 3 "},
	} {
		t.Run(name, func(t *testing.T) {
			in := testInput(t, c.text, files{"t.jsonl": c.file})
			in.Shown = 3
			res, err := Run(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, k := range res.Checks {
				for _, v := range k.Violations {
					got = append(got, fmt.Sprintf("%s %d %s", v.Code, v.Row, v.Column))
				}
				if k.Status == report.Skipped {
					got = append(got, "skipped "+k.Columns[0])
				}
			}
			if got := strings.Join(got, "; "); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
