package rows

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
)

// nestedRow has what a column of Parquet can hold: lists, lists of lists and of groups, maps, and a group, which is columns of its own.
type nestedRow struct {
	ID    int64                `parquet:"id" json:"id"`
	List  []int64              `parquet:"list,list" json:"list"`
	Deep  [][]string           `parquet:"deep,list" json:"deep"`
	Items []nestedItem         `parquet:"items,list" json:"items"`
	Map   map[string]float64   `parquet:"map" json:"map"`
	Ints  map[int32]nestedItem `parquet:"ints" json:"-"`
	Group nestedItem           `parquet:"group" json:"-"`
}

type nestedItem struct {
	Name string   `parquet:"name" json:"name"`
	X    *float64 `parquet:"x,optional" json:"x"`
}

func nestedRows() []nestedRow {
	x := 1.5
	return []nestedRow{
		{1, []int64{1, 2}, [][]string{{"a"}, {}, {"b", "c"}}, []nestedItem{{"p", nil}, {"q", &x}}, map[string]float64{"a": 1, "b": 2, "c": 3, "d": 1e20}, map[int32]nestedItem{1: {"m", &x}}, nestedItem{"g", nil}},
		{2, []int64{}, [][]string{}, []nestedItem{}, map[string]float64{}, map[int32]nestedItem{}, nestedItem{"h", &x}},
	}
}

func encodeRows[T any](t *testing.T, rows []T) *bytes.Reader {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return source(b.Bytes())
}

// TestNested: lists and maps of Parquet are compared by their values.
func TestNested(t *testing.T) {
	in := Input{Old: Side{Name: "a.parquet"}, New: Side{Name: "b.parquet"}, Key: []string{"id"}, Asked: true, Shown: 9}
	compare := func(now []nestedRow) []string {
		t.Helper()
		in.Old.File, in.New.File = encodeRows(t, nestedRows()), encodeRows(t, now)
		res, err := Compare(context.Background(), in)
		if err != nil || res.Columns.Any() || len(res.Problems) > 0 {
			t.Fatalf("%+v, %v", res, err)
		}
		return lines(res)
	}
	for range 5 { // the order of a map is another one each time
		if got := compare(nestedRows()); len(got) > 0 {
			t.Errorf("%q", got)
		}
	}
	x := 2.5
	for _, c := range []struct {
		change func(rows []nestedRow)
		want   string
	}{
		{func(r []nestedRow) { r[0].List[1] = 3 }, "changed 1 1 list=[1,2]/[1,3]"},
		{func(r []nestedRow) { slices.Reverse(r[0].List) }, "changed 1 1 list=[1,2]/[2,1]"},
		{func(r []nestedRow) { r[1].List = []int64{7} }, "changed 2 2 list=[]/[7]"},
		{func(r []nestedRow) { r[0].Deep[1] = []string{""} }, `changed 1 1 deep=[["a"],[],["b","c"]]/[["a"],[""],["b","c"]]`},
		{func(r []nestedRow) { r[0].Items[1].X = &x }, `changed 1 1 items=[{"name":"p","x":null},{"name":"q","x":1.5}]/…5},{"name":"q","x":2.5}]`},
		{func(r []nestedRow) { r[1].Map["k"] = 1 }, `changed 2 2 map={}/{"k":1}`},
		{func(r []nestedRow) { r[1].Ints[3] = nestedItem{"n", nil} }, `changed 2 2 ints=[]/[{"key":3,"value":{"name":"n","x":null}}]`},
		{func(r []nestedRow) { r[0].Group.X = &x }, "changed 1 1 group.x=∅/2.5"},
	} {
		now := nestedRows()
		c.change(now)
		got := compare(now)
		if strings.Contains(c.want, "…") { // where a long value is cut is not the point
			c.want, got[0] = c.want[:40], got[0][:40]
		}
		if d := cmp.Diff([]string{c.want}, got); d != "" {
			t.Error(d)
		}
	}
	// A list can be a key.
	in.Key, in.Old.File, in.New.File = []string{"list"}, encodeRows(t, nestedRows()), encodeRows(t, nestedRows()[:1])
	res, err := Compare(context.Background(), in)
	if err != nil || res.Same != 1 || res.Removed != 1 {
		t.Errorf("%+v, %v", res, err)
	}
}

// TestNestedNone: a list that is not there is no value, an empty one is.
func TestNestedNone(t *testing.T) {
	schema := parquet.NewSchema("x", parquet.Group{"id": parquet.Int(64), "list": parquet.Optional(parquet.List(parquet.Int(64)))})
	none, empty := parquet.NullValue().Level(0, 0, 1), parquet.NullValue().Level(0, 1, 1)
	encode := func(lists ...parquet.Value) *bytes.Reader {
		var b bytes.Buffer
		w := parquet.NewGenericWriter[any](&b, schema)
		for i, l := range lists {
			if _, err := w.WriteRows([]parquet.Row{{parquet.ValueOf(int64(i)).Level(0, 0, 0), l}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return source(b.Bytes())
	}
	in := Input{Old: Side{Name: "a.parquet", File: encode(empty, none)}, New: Side{Name: "b.parquet", File: encode(none, none)}, Key: []string{"id"}, Asked: true, Shown: 9}
	res, err := Compare(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"changed 1 1 list=[]/∅"}, lines(res)); d != "" {
		t.Error(d)
	}
}

// TestNestedFormats: JSON lines, and JSON in the cells of CSV, are the same as Parquet where their values are.
func TestNestedFormats(t *testing.T) {
	var jsonl bytes.Buffer
	for _, r := range nestedRows() {
		if err := json.NewEncoder(&jsonl).Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	spaced := strings.NewReplacer(":", " : ", "1.5", "15e-1", `"a"`, `"\u0061"`).Replace(jsonl.String())
	csv := "id,list,deep,items,map\n" +
		`1,"[1, 2.0]","[[""a""],[],[""b"",""c""]]","[{""x"":null,""name"":""p""},{""name"":""q"",""x"":1.50}]","{""b"":2,""a"":1,""d"":100000000000000000000,""c"":3}"` + "\n2,[],[],[],{}\n"
	for name, text := range map[string]string{"b.jsonl": jsonl.String(), "spaced.jsonl": spaced, "b.csv": csv} {
		for _, c := range []struct{ from, to, want string }{
			{"", "", ""},
			{"\n{\"id\":2,\"list\":[]", "\n{\"id\":2,\"list\":[3]", "changed 2 2 list=[]/[3]"},
			{"\n2,[],[]", "\n2,[],no JSON", "changed 2 3 deep=[]/no JSON"},
		} {
			if c.from != "" && !strings.Contains(text, c.from) {
				continue
			}
			now := strings.Replace(text, c.from, c.to, 1)
			in := Input{Old: Side{Name: "a.parquet", File: encodeRows(t, nestedRows())}, New: Side{Name: name, File: source([]byte(now))}, Key: []string{"id"}, Asked: true, Shown: 9}
			res, err := Compare(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(lines(res), "\n"); got != c.want {
				t.Errorf("%s: %s", name, got)
			}
		}
	}
}

func canonOf(s string) string { return string(appendJSON(nil, []byte(s))) }

func TestAppendJSON(t *testing.T) {
	same := [][]string{
		{`1`, `1.0`, `1e0`, `10E-1`, `0.1e+1`, ` 1 `, `100e-2`}, {`0`, `-0`, `0.00`, `0e9`, `-0.0e-5`}, {`-1.5`, `-15e-1`}, {`100`, `1e2`}, {`0.001`, `1e-3`},
		{`123456789012345678901234567890.5`, `1234567890123456789012345678905e-1`}, {`"a"`, `"\u0061"`}, {`"é"`, `"\u00e9"`}, {`[1,2]`, "[ 1 ,\t2.0\n]"}, {`[]`, `[ ]`}, {`{}`, `{ }`},
		{`{"a":1,"b":[{"c":null,"d":true}]}`, `{"b":[{"d":true,"c":null}],"a":1}`}, {`1e99999999999`},
	}
	seen := map[string]string{}
	for _, group := range same {
		for _, s := range group {
			if got, want := canonOf(s), canonOf(group[0]); got != want {
				t.Errorf("%s is %q, %s is %q", s, got, group[0], want)
			}
		}
		different := append([]string{group[0]}, `"1"`, `[1]`, `[[1,2]]`, `12345678901234567890.5`, `{"a":1}`, `{"a":1,"a":1}`, `["a","b"]`, `["ab"]`, `[12]`, `true`, `false`, `null`, `"true"`, ``, `{`, `[1,]`, `1 2`, `{"a"}`, `{a:1}`, `tru`, `"x`, `"x\`, `-`, `1e99999999998`)
		for _, s := range different {
			c := canonOf(s)
			if other, ok := seen[c]; ok && other != s {
				t.Errorf("%s and %s are both %q", s, other, c)
			}
			seen[c] = s
		}
	}
	if deep := strings.Repeat("[", 1<<20); canonOf(deep) != string(appendText(nil, markText, []byte(deep))) {
		t.Error("too deep is no text")
	}
}

// TestAppendJSONRandom: two values are the same if, and only if, Go's own reader says so.
func TestAppendJSONRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	var value func(depth int) string
	value = func(depth int) string {
		switch n := r.IntN(8 + min(depth, 3)); {
		case n < 2:
			var items []string
			for range r.IntN(3) {
				items = append(items, value(depth+1))
			}
			return "[" + strings.Join(items, ",") + "]"
		case n < 4:
			var members []string
			for _, k := range r.Perm(3)[:r.IntN(4)] {
				members = append(members, fmt.Sprintf(`"%c" :%s`, 'a'+k, value(depth+1)))
			}
			return "{" + strings.Join(members, ", ") + "}"
		case n < 5:
			return []string{`""`, `"a"`, `"\u0061"`, `"[1"`}[r.IntN(4)]
		case n < 6:
			return []string{"true", "false", "null"}[r.IntN(3)]
		}
		return []string{"0", "1", "1.0", "10", "1e1", "-1", "0.1", "100e-3"}[r.IntN(8)]
	}
	parsed := func(s string) any {
		dec := json.NewDecoder(strings.NewReader(s))
		dec.UseNumber()
		var v any
		if err := dec.Decode(&v); err != nil {
			t.Fatal(s, err)
		}
		return exact(v)
	}
	equal := 0
	for range 50_000 {
		a, b := value(1), value(1)
		same := reflect.DeepEqual(parsed(a), parsed(b))
		if same {
			equal++
		}
		if same != (canonOf(a) == canonOf(b)) {
			t.Fatalf("%s and %s", a, b)
		}
	}
	if equal < 100 {
		t.Errorf("%d pairs are the same", equal)
	}
}

// exact makes numbers comparable.
func exact(v any) any {
	switch v := v.(type) {
	case json.Number:
		r, _ := new(big.Rat).SetString(string(v))
		return "#" + r.String()
	case []any:
		for i := range v {
			v[i] = exact(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = exact(v[k])
		}
	}
	return v
}
