package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"tarn/internal/check/cell"
	"tarn/internal/check/contract"
	"tarn/internal/check/report"
)

type formatRow struct {
	ID    *int64   `parquet:"id,optional"`
	State *string  `parquet:"state,optional,dict"`
	Name  string   `parquet:"name"`
	Price *float64 `parquet:"price,optional"`
	Day   int32    `parquet:"day,date"`
}

// TestFormats: the same rows as CSV, JSON lines and Parquet break the same checks as often, at the same rows.
func TestFormats(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var csv, jsonl strings.Builder
	var pq bytes.Buffer
	w := parquet.NewGenericWriter[formatRow](&pq, parquet.PageBufferSize(300), parquet.MaxRowsPerRowGroup(700))
	csv.WriteString("id,state,name,price,day\n")
	for i := range 2000 {
		row := formatRow{Name: fmt.Sprintf("n%d", r.IntN(1200)), Day: int32(r.IntN(3000))}
		cells := []string{"", "", row.Name, "", fmt.Sprintf("%04d-%02d-%02d", 1970+i%40, 1+i%12, 1+i%28)}
		row.Day = int32(daysOf(t, cells[4]))
		js := []string{fmt.Sprintf(`"name": %q`, row.Name), fmt.Sprintf(`"day": %q`, cells[4])}
		if r.IntN(10) > 0 {
			id := int64(i - r.IntN(3))
			row.ID, cells[0] = &id, fmt.Sprint(id)
			js = append(js, `"id": `+cells[0])
		} else {
			js = append(js, `"id": null`)
		}
		if r.IntN(10) > 0 {
			s := []string{"open", "paid", "lost", "sent", "toolong"}[r.IntN(5)]
			row.State, cells[1] = &s, s
			js = append(js, fmt.Sprintf(`"state": %q`, s))
		}
		if r.IntN(10) > 0 {
			p := float64(r.IntN(400)-40) / 4
			row.Price, cells[3] = &p, fmt.Sprint(p)
			js = append(js, `"price": `+cells[3])
		}
		csv.WriteString(strings.Join(cells, ",") + "\n")
		jsonl.WriteString("{" + strings.Join(js, ", ") + "}\n")
		if _, err := w.Write([]formatRow{row}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	text := tableContract(`{name: id, logicalType: integer, required: true, unique: true, logicalTypeOptions: {minimum: 5, multipleOf: 1}}, {name: state, logicalType: string, required: true, logicalTypeOptions: {maxLength: 4, pattern: "[a-z]+"},
	 quality: [{metric: invalidValues, mustBe: 0, arguments: {validValues: [open, paid, sent, toolong]}}, {metric: nullValues, mustBeLessThan: 5, unit: percent}]}, {name: name, logicalType: string, logicalTypeOptions: {pattern: "n[0-9]{1,3}"}}, {name: price, logicalType: number, logicalTypeOptions: {minimum: 0, maximum: 80}}, {name: day, logicalType: date, logicalTypeOptions: {minimum: "1971-01-01"}}`,
		`{type: custom, engine: tarn, implementation: {check: rowRule, expr: "price == nil or price < 70"}}, {type: custom, engine: tarn, implementation: {check: duplicateRows, columns: [state, name]}}, {type: custom, engine: tarn, implementation: {check: conflictingLabels, label: state, columns: [name]}}, {type: custom, engine: tarn, implementation: {check: classBalance, column: state, minShare: 0.19}}`)
	summary := func(src files, header int64) string {
		var b strings.Builder
		failed := 0
		for _, c := range runCheck(t, text, src).Checks {
			fmt.Fprintf(&b, "%s %s %d/%d", c.Key, c.Status, c.Count, c.Total)
			for _, v := range c.Violations {
				if v.Row > 0 {
					fmt.Fprintf(&b, " %d", v.Row-header)
				}
			}
			b.WriteByte('\n')
			if c.Status == report.Failed {
				failed++
			}
		}
		if failed < 12 {
			t.Errorf("only %d checks failed", failed)
		}
		return b.String()
	}
	want := summary(files{"t.csv": csv.String()}, 1)
	if d := cmp.Diff(want, summary(files{"t.jsonl": jsonl.String()}, 0)); d != "" {
		t.Errorf("JSON lines: %s", d)
	}
	if d := cmp.Diff(want, summary(files{"t.parquet": pq.String()}, 0)); d != "" {
		t.Errorf("Parquet: %s", d)
	}
}

func daysOf(t *testing.T, s string) int64 {
	t.Helper()
	n, ok := cell.ParseDate([]byte(s))
	if !ok {
		t.Fatal(s)
	}
	return n
}

// TestNestedChecks: lists and maps of Parquet are checked as those of JSON lines are.
func TestNestedChecks(t *testing.T) {
	type row struct {
		ID   int64          `parquet:"id" json:"id"`
		Tags []string       `parquet:"tags,list" json:"tags"`
		Map  map[string]int `parquet:"map,optional" json:"map"`
	}
	var pq, jsonl bytes.Buffer
	w := parquet.NewGenericWriter[row](&pq)
	for _, r := range []row{{1, []string{"a"}, map[string]int{"k": 1}}, {2, []string{"a", "b"}, nil}, {3, []string{"a"}, map[string]int{"k": 1}}} {
		if _, err := w.Write([]row{r}); err != nil {
			t.Fatal(err)
		}
		js, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		jsonl.Write(append(js, '\n'))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	text := tableContract(`{name: tags, logicalType: array, unique: true}, {name: map, logicalType: array, required: true}`,
		custom(`check: rowRule, expr: 'tags != nil and tags != "[\"a\",\"b\"]"'`)+", "+custom(`check: duplicateRows`))
	for name, file := range map[string]string{"t.parquet": pq.String(), "t.jsonl": jsonl.String()} {
		got := map[string]int64{}
		for _, c := range runCheck(t, text, files{name: file}).Checks {
			if c.Status == report.Errored {
				t.Errorf("%s: %s: %s", name, c.Key, c.Note)
			}
			if c.Status == report.Failed {
				got[c.Key] = c.Count
			}
		}
		want := map[string]int64{"t.tags.unique": 1, "t.map.type": 2, "t.map.required": 1, "t.rowRule": 1, "t.duplicateRows": 1}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// TestJSONTypes: a value of JSON is of a type where its text in CSV is, or where it has that type already.
func TestJSONTypes(t *testing.T) {
	for field, values := range map[string]map[string]bool{
		`"type": "year"`:                                  {`2024`: true, `24`: true, `-44`: true, `"2024"`: true, `"24"`: false, `99999`: false, `-10000`: false, `2024.0`: true, `2024.5`: false, `1e300`: false},
		`"type": "list", "itemType": "integer"`:           {`[1, "2"]`: true, `[]`: true, `[1.5]`: false, `["x"]`: false, `[null]`: false, `[[1]]`: false, `"1,2"`: true, `"1;2"`: false, `{}`: false, `1`: false},
		`"type": "list"`:                                  {`["a", "b"]`: true, `[1]`: false, `[true]`: false, `"a"`: true},
		`"type": "list", "itemType": "boolean"`:           {`[true, "false", "1"]`: true, `[1]`: false},
		`"type": "geopoint"`:                              {`"10,20"`: true, `[10, 20]`: false},
		`"type": "geopoint", "format": "array"`:           {`[10, 20]`: true, `"[10, 20]"`: true, `[10]`: false, `"10,20"`: false, `{"lon": 10, "lat": 20}`: false},
		`"type": "geopoint", "format": "object"`:          {`{"lon": 10, "lat": 20}`: true, `{"lon": 10, "lat": 200}`: false, `[10, 20]`: false},
		`"type": "geojson", "format": "topojson"`:         {`{"type": "Topology", "objects": {}, "arcs": []}`: true, `{"type": "Point"}`: false},
		`"type": "datetime", "format": "%d/%m/%Y"`:        {`"1/2/2024"`: true, `"1/2/24"`: false, `1`: false},
		`"type": "year", "constraints": {"minimum": 900}`: {`900`: true, `899`: false, `"0900"`: true},
	} {
		for v, want := range values {
			res := runCheck(t, `{"fields": [{"name": "a", `+field+`}]}`, files{"t.jsonl": `{"a": ` + v + "}\n"})
			if got := outcome(res); (got == "") != want {
				t.Errorf("%s: %s: %s", field, v, got)
			}
		}
	}
	type row struct {
		Year int64   `parquet:"a"`
		List []int64 `parquet:"b,list"`
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b)
	if _, err := w.Write([]row{{2024, []int64{1}}, {99999, nil}, {-44, []int64{1, 2}}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got := outcome(runCheck(t, `{"fields": [{"name": "a", "type": "year"}, {"name": "b", "type": "list", "itemType": "integer"}]}`, files{"t.parquet": b.String()}))
	if want := "x.a.type failed 1/3 \n  type-error t.parquet:2 a \"99999\" it is not of type year\n"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestSameKeys: a number has one key, whatever format it is in.
func TestSameKeys(t *testing.T) {
	type row struct {
		Int    int64   `parquet:"int"`
		Float  float32 `parquet:"float"`
		Double float64 `parquet:"double"`
	}
	var pq bytes.Buffer
	w := parquet.NewGenericWriter[row](&pq)
	if _, err := w.Write([]row{{1000000, 0.1, 0.1}, {1<<53 + 1, 1e10, 1e300}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	src := files{
		"a.parquet": pq.String(),
		"b.csv":     "int,float,double\n1e6,0.10,1e-1\n9007199254740993,10000000000.0,1e300\n",
		"c.jsonl":   `{"int":1000000.0,"float":0.1,"double":0.1}` + "\n" + `{"int":9007199254740993,"float":1e10,"double":1e300}` + "\n",
	}
	columns := `{name: int, logicalType: number, unique: true}, {name: float, logicalType: number, unique: true}, {name: double, logicalType: number, unique: true}`
	res := runCheck(t, tableContract(columns, custom("check: classBalance, column: int, minShare: 0.5")), src)
	for _, c := range res.Checks {
		if c.Kind == string(contract.Unique) && c.Count != 4 || c.Kind == string(contract.Balance) && c.Status != report.Passed {
			t.Errorf("%s: %d\n%s", c.Key, c.Count, outcome(res))
		}
	}
}
