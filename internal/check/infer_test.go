package check

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"tarn/internal/check/contract"
	"tarn/internal/check/report"
	"tarn/internal/check/spill"
)

// guessed is the contract that is guessed from files, as text and as it is read again.
func guessed(t *testing.T, src files) (string, *contract.Contract) {
	t.Helper()
	in := Input{Source: src, Now: testNow, Workers: 2, Temp: func() (spill.Temp, error) { return &tempFile{}, nil }}
	g, err := Infer(t.Context(), in, "data")
	if err != nil {
		t.Fatal(err)
	}
	text, lost, err := contract.EncodeODCS(g.Contract, "data", g.Comments)
	if err != nil || len(lost) > 0 || g.Left > 0 {
		t.Fatal(err, lost, g.Left)
	}
	c, err := contract.Load("x.yaml", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return string(text), c
}

// objects is a line for each object of a contract.
func objects(c *contract.Contract) string {
	var b strings.Builder
	for _, o := range c.Objects {
		fmt.Fprintf(&b, "%s %s", o.Name, o.Files)
		for _, col := range o.Columns {
			fmt.Fprintf(&b, " %s:%s", col.Name, col.Spec.Type)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(s))
	w.Close()
	return b.String()
}

// TestInferUnlike: files that have other columns are other tables, and each is in one.
func TestInferUnlike(t *testing.T) {
	src := files{
		"users.csv":                 "id,name\n1,x\n",
		"orders-2023.csv":           "id,price\n1,2.5\n",
		"orders-2024.csv":           "price,id\n3,7\n",
		"more/orders-1.csv":         "a;b\n1;2\n",
		"more/orders-2.csv.gz":      gzipped("a;b\n3;4\n"),
		"more/x,{y}[z].csv":         "a,b\n3,4\n",
		"log/year=2023/a.jsonl":     `{"k":1,"v":"x","w":[1]}` + "\n",
		"log/year=2024/b.jsonl":     `{"v":"x","k":"2","z":null}` + "\n",
		"log/year=2024/other.jsonl": `{"who":1}` + "\n",
		"README.md":                 "#",
		"x/a.zip":                   zipOf("x"),
		"deep/a/t.tsv":              "a\tb\n1\t2\n",
		"deep/b/t.tsv":              "a\tb\n1\t2\n",
		"deep/b/u.tsv":              "c\tb\n1\t2\n",
		"deep/c/u.tsv":              "c\tb\n1\t2\n",
		"one.csv/z.csv":             "h\n",
	}
	text, c := guessed(t, src)
	want := `t deep/**/t.tsv a:integer b:integer
u deep/**/u.tsv c:integer b:integer
log {log/year=2023/a.jsonl,log/year=2024/b.jsonl} k:any v:string w:array z:any year:integer
other log/year=2024/other.jsonl who:integer year:integer
orders more/orders-*{.csv,.csv.gz} a:integer b:integer
x,{y}[z] more/x[,][{]y[}][[]z].csv a:integer b:integer
z one.csv/z.csv h:any
orders-2 orders-*.csv id:integer price:number
users users.csv id:integer name:string
files` + " \n"

	if d := cmp.Diff(want, objects(c)); d != "" {
		t.Error(d)
	}
	for name := range src {
		n := 0
		for _, o := range c.Objects {
			if len(o.Columns) > 0 && o.Files.Match(name) {
				n++
			}
		}
		if rest := name == "README.md" || name == "x/a.zip"; rest == (n == 1) {
			t.Errorf("%s is in %d tables", name, n)
		}
	}
	if res := runCheck(t, text, src); outcome(res) != "" {
		t.Error(outcome(res))
	}
}

// TestInferBeyond: what holds for the rows that are looked at first, and not for all, is taken back.
func TestInferBeyond(t *testing.T) {
	var b strings.Builder
	b.WriteString("id,n,state,there\n")
	const last = 2*inferRows + 10
	for i := range last + 1 {
		id, n, state, there := i, "7", "open", "x"
		if i == last {
			id, n, state, there = 1, "7.5", "other", ""
		}
		fmt.Fprintf(&b, "%d,%s,%s,%s\n", id, n, state, there)
	}
	src := one(b.String())
	text, c := guessed(t, src)
	if got, want := objects(c), "t t.csv id:integer n:number state:string there:string\n"; got != want {
		t.Error(got)
	}
	for _, k := range c.Checks {
		if k.Kind == contract.Unique || k.Kind == contract.Invalid && k.Columns[0] == "state" || k.Kind == contract.Required && k.Columns[0] == "there" {
			t.Errorf("%s does not hold", k.Key)
		}
	}
	if res := runCheck(t, text, src); outcome(res) != "" {
		t.Error(outcome(res))
	}
}

// TestInferBroken: a file that can't be read is in some check, which finds it.
func TestInferBroken(t *testing.T) {
	for _, src := range []files{
		{"a.csv": "a,b\n1,2\n", "b.csv": ""},
		{"a.csv": "a,b\n1,2\n", "d/b.parquet": "PAR1"},
		{"b.csv": ""},
		{"a.csv": "a,b\n1,2\n", "b.csv": "a,b\n1,\"2\n"},
		{"a.csv": "a,b\n1,2\n", "d/b.PNG": "no picture"},
	} {
		text, _ := guessed(t, src)
		if res := runCheck(t, text, src); !slices.ContainsFunc(res.Checks, func(c report.Check) bool { return c.Status == report.Failed }) {
			t.Errorf("%v passes\n%s", src, text)
		}
	}
}

// inferNames are names of columns and values that YAML, globs or CSV could take for something else.
var inferNames = []string{"id", "name", "null", "~", "yes", "1e3", "#c", " lead", "a: b", "- x", "é", "{x}", "*", "0x1f", "2024-01-01", "true", "k,l", `q"q`, "?", "NaN", "01", "-", "=1", "%", "12:30:00", "[1]", "a.b"}

// randomTable is a file of some columns; what its values are goes by the column, and is sometimes something else.
func randomTable(r *rand.Rand, format string, cols []string) string {
	rows := []int{0, 1, 3, 150}[r.IntN(4)]
	value := func(c int) string {
		switch v := r.IntN(40); {
		case v == 0:
			return inferNames[r.IntN(len(inferNames))]
		case v < 3:
			return ""
		}
		switch len(cols[c]) % 5 {
		case 0:
			return fmt.Sprint(r.IntN(1000))
		case 1:
			return fmt.Sprint(r.Float64())
		case 2:
			return []string{"open", "paid", "no", "null"}[r.IntN(4)]
		case 3:
			return []string{"true", "False", "1", "0"}[r.IntN(4)]
		}
		return fmt.Sprintf("20%02d-01-02", r.IntN(100))
	}
	var b strings.Builder
	delim := map[string]string{"csv": ",", "tsv": "\t"}[format]
	quote := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
	line := func(cell func(c int) string) {
		for c := range cols {
			if c > 0 {
				b.WriteString(delim)
			}
			b.WriteString(quote(cell(c)))
		}
		b.WriteByte('\n')
	}
	if format != "jsonl" {
		line(func(c int) string { return cols[c] })
	}
	for range max(rows, 1) {
		switch {
		case format != "jsonl" && rows > 0:
			filled := r.IntN(len(cols)) // a row of empty cells is a blank row
			line(func(c int) string {
				if v := value(c); v != "" || c != filled {
					return v
				}
				return "x"
			})
		case format == "jsonl":
			m := map[string]any{"k": 1}
			for c, name := range cols {
				var v any = value(c)
				if r.IntN(3) > 0 && json.Unmarshal([]byte(v.(string)), &v) == nil && r.IntN(50) == 0 {
					v = []any{v}
				}
				if r.IntN(20) > 0 {
					m[name] = v
				}
			}
			line, _ := json.Marshal(m)
			b.Write(append(line, '\n'))
		}
	}
	return b.String()
}

// randomParquet is a file with values that may be absent, a list, and bytes.
func randomParquet(r *rand.Rand) string {
	type row struct {
		ID   int64    `parquet:"id"`
		F    *float64 `parquet:"f,optional"`
		Tags []string `parquet:"tags,list"`
		Raw  []byte   `parquet:"raw"`
		Day  int32    `parquet:"day,date"`
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b)
	for i := range r.IntN(150) {
		x := row{ID: int64(i), Tags: []string{"a"}, Raw: []byte{1, 0xff}, Day: int32(i)}
		if f := r.Float64(); f > .1 {
			x.F = &f
		}
		if _, err := w.Write([]row{x}); err != nil {
			panic(err)
		}
	}
	w.Close()
	return b.String()
}

// TestInferHolds: whatever the files are, what is guessed from them holds for them.
func TestInferHolds(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for n := range 60 {
		src := files{}
		shapes := [][]string{}
		for range 1 + r.IntN(3) {
			cols := slices.Clone(inferNames)
			r.Shuffle(len(cols), func(i, j int) { cols[i], cols[j] = cols[j], cols[i] })
			shapes = append(shapes, cols[:1+r.IntN(6)])
		}
		for i := range 1 + r.IntN(8) {
			dir := []string{"", "a/", "a/b/", "y=1/", "y=2/", "d,{x}/"}[r.IntN(6)]
			format := []string{"csv", "tsv", "jsonl", "parquet"}[r.IntN(4)]
			shape := r.IntN(len(shapes))
			name := fmt.Sprintf("%s%s%d.%s", dir, []string{"part-", "orders", "x*"}[shape], i, format)
			if r.IntN(4) == 0 {
				name = fmt.Sprintf("%s%s.%s", dir, []string{"part", "[orders]", "x"}[shape], format)
			}
			if format == "parquet" {
				src[name] = randomParquet(r)
			} else {
				src[name] = randomTable(r, format, shapes[shape])
			}
		}
		text, _ := guessed(t, src)
		if got := outcome(runCheck(t, text, src)); got != "" {
			t.Fatalf("%d: %s\n%s\n%q", n, got, text, src)
		}
	}
}
