package check

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"tarn/internal/check/contract"
	"tarn/internal/check/report"
)

// mutant is a check with data that it accepts, and data that differ from them in one thing, which it must see.
type mutant struct {
	kind      contract.Kind
	text      string // the contract
	good, bad files
	count     int64 // of violations, or what the check counted, in bad
}

const (
	abProps = `{name: a, logicalType: integer}, {name: b, logicalType: string}`
	abGood  = "a,b\n1,x\n2,y\n"
)

func ab(options, quality string) string {
	return tableContract(`{name: a, logicalType: integer`+options+`}, {name: b, logicalType: string}`, quality)
}

func partial(constraints string) string {
	return `{"fieldsMatch":"partial","fields":[{"name":"a","type":"integer","constraints":` + constraints + `},{"name":"b","type":"string"}]}`
}

func bounded(kind, option, limit string) string {
	return `{"fields":[{"name":"a","type":"` + kind + `","constraints":{"` + option + `":` + limit + `}}]}`
}

func numbers(multipleOf float64) string {
	return tableContract(fmt.Sprintf("{name: a, logicalType: number, logicalTypeOptions: {multipleOf: %v}}", multipleOf), "")
}

func custom(body string) string {
	return `{type: custom, engine: tarn, implementation: {` + body + `}}`
}

func one(text string) files { return files{"t.csv": text} }

func mutants() []mutant {
	good := one(abGood)
	return []mutant{
		{contract.Source, ab("", ""), good, one("a,b\n1,x\n2,\"y\n"), 1},
		{contract.Source, ab("", ""), good, one("a,b\n1,x\n2,\xff\n"), 1},
		{contract.Source, ab("", ""), good, one(""), 1},
		{contract.Source, ab("", ""), good, files{}, 1},
		{contract.Labels, ab("", ""), good, one("a,c\n1,x\n2,y\n"), 1},
		{contract.Labels, ab("", ""), good, one("a,b,b\n1,x,x\n2,y,y\n"), 1},
		{contract.Shape, ab("", ""), good, one("a,b\n1,x\n2\n"), 1},
		{contract.Shape, ab("", ""), good, one("a,b\n1,x\n\n2,y\n"), 1},
		{contract.Shape, ab("", ""), good, one("a,b\n1,x,3\n2,y\n"), 1},
		{contract.TypeOf, ab("", ""), good, one("a,b\n1.0,x\n2,y\n"), 1},
		{contract.Required, ab(", required: true", ""), good, one("a,b\n,x\n2,y\n"), 1},
		{contract.Required, ab(", required: true", ""), files{"a=1/t.csv": "b\nx\n"}, files{"a=__HIVE_DEFAULT_PARTITION__/t.csv": "b\nx\n"}, 1},
		{contract.Enum, `{"fields":[{"name":"b","type":"string","constraints":{"enum":["New York"]}},{"name":"a","type":"any"}]}`, files{"b=New%20York/t.csv": "a\nx\n"}, files{"b=York/t.csv": "a\nx\n"}, 1},
		{contract.Minimum, ab(", logicalTypeOptions: {minimum: 1}", ""), good, one("a,b\n0,x\n2,y\n"), 1},
		{contract.Maximum, ab(", logicalTypeOptions: {maximum: 2}", ""), good, one("a,b\n1,x\n3,y\n"), 1},
		{contract.AboveMin, ab(", logicalTypeOptions: {exclusiveMinimum: 0}", ""), good, one("a,b\n0,x\n2,y\n"), 1},
		{contract.BelowMax, ab(", logicalTypeOptions: {exclusiveMaximum: 3}", ""), good, one("a,b\n1,x\n3,y\n"), 1},
		{contract.MultipleOf, ab(", logicalTypeOptions: {multipleOf: 2}", ""), one("a,b\n4,x\n2,y\n"), one("a,b\n3,x\n2,y\n"), 1},
		{contract.MultipleOf, numbers(0.01), one("a\n0.1\n-0.07\n12345678.9\n5000001\n1e300\n99999999999.99\n"), one("a\n12345678.905\n5000001.005\n5000000.123\n99999999999.995\nINF\n"), 5},
		{contract.MultipleOf, numbers(1), one("a\n600000000\n1e20\n"), one("a\n600000000.5\n499999999.5\n0.0000000001\n"), 3},
		{contract.Maximum, bounded("integer", "maximum", "100000000000000000000"), one("a\n100000000000000000000\n"), one("a\n100000000000000000001\n"), 1},
		{contract.Maximum, bounded("number", "maximum", "9007199254740992"), one("a\n9007199254740992.0\n"), one("a\n9007199254740993\n9007199254740992.00000001\n"), 2},
		{contract.BelowMax, bounded("number", "exclusiveMaximum", "18446744073709551616"), one("a\n18446744073709551615.9\n"), one("a\n18446744073709551616\n"), 1},
		{contract.Minimum, bounded("integer", "minimum", "-18446744073709551615"), one("a\n-18446744073709551615\n"), one("a\n-18446744073709551616\n"), 1},
		{contract.Minimum, ab(", logicalTypeOptions: {minimum: 18446744073709551615}", ""), one("a,b\n18446744073709551615,x\n"), one("a,b\n18446744073709551614,x\n"), 1},
		{contract.Enum, `{"fields":[{"name":"a","type":"integer","constraints":{"enum":[100000000000000000001]}}]}`, one("a\n100000000000000000001\n"), one("a\n100000000000000000000\n"), 1},
		{contract.Unique, `{"fields":[{"name":"a","type":"integer","constraints":{"unique":true}}]}`, one("a\n18446744073709551615\n18446744073709551614\n"), one("a\n18446744073709551615\n+018446744073709551615\n"), 1},
		{contract.Unique, `{"fields":[{"name":"a","type":"number","constraints":{"unique":true}}]}`, one("a\n9007199254740992\n9007199254740993\n"), one("a\n9007199254740993\n9007199254740993.0\n"), 1},
		{contract.Unique, `{"fields":[{"name":"a","type":"integer","constraints":{"unique":true}}]}`, files{"t.jsonl": "{\"a\":18446744073709551615}\n{\"a\":18446744073709551614}\n"}, files{"t.jsonl": "{\"a\":18446744073709551615}\n{\"a\":18446744073709551615.0}\n"}, 1},
		{contract.Enum, `{"fields":[{"name":"a","type":"integer","constraints":{"enum":["100000000000000000001"]}}]}`, one("a\n+100000000000000000001\n"), one("a\n100000000000000000002\n"), 1},
		{contract.MultipleOf, numbers(0.1), one("a\n0.3\n0.1\n1e15\n"), one("a\n0.30000000000000004\n0.10000000000000002\n"), 2},
		{contract.MultipleOf, tableContract("{name: a, logicalType: integer, logicalTypeOptions: {multipleOf: 9007199254740992}}", ""), one("a\n9007199254740992\n-18014398509481984\n"), one("a\n9007199254740993\n"), 1},
		{contract.Minimum, bounded("number", "minimum", "0"), one("a\n0\n-0.0\n1e-400\n"), one("a\n-1e-400\n"), 1},
		{contract.PrimaryKey, ab(", primaryKey: true", ""), files{"t.jsonl": `{"a":1,"b":"x"}` + "\n"}, files{"t.jsonl": `{"a":"","b":"x"}` + "\n"}, 1},
		{contract.Required, partial(`{"required":true}`), files{"x.csv": "a,b\n1,x\n", "y.csv": "b,a\nx,1\n"}, files{"x.csv": "a,b\n1,x\n", "y.csv": "b\ny\nz\n"}, 2},
		{contract.DupRows, ab("", custom("check: duplicateRows")), files{"x.csv": "a,c\n1,x\n2,x\n"}, files{"x.csv": "a,c\n1,x\n1,y\n"}, 1},
		{contract.RowRule, ab("", custom(`check: rowRule, expr: "row[\"a\"] < 3"`)), files{"x.csv": "a,b\n1,x\n", "y.csv": "a,c\n2,x\n"}, files{"x.csv": "a,b\n1,x\n", "y.csv": "a,c\n3,x\n"}, 1},
		{contract.RowRule, tableContract("{name: a, logicalType: boolean}", custom(`check: rowRule, expr: "a"`)), files{"t.jsonl": `{"a":"True"}` + "\n" + `{"a":true}` + "\n"}, files{"t.jsonl": `{"a":"False"}` + "\n"}, 1},
		{contract.Unique, `{"fields":[{"name":"a","type":"time","constraints":{"unique":true}}]}`, one("a\n23:00:00Z\n01:00:00Z\n"), one("a\n23:00:00Z\n01:00:00+02:00\n"), 1},
		{contract.MinLength, tableContract(`{name: b, logicalType: string, logicalTypeOptions: {minLength: 1}}`, ""), one("b,c\n👍,1\nxy,2\n"), files{"t.jsonl": "{\"b\":\"\"}\n"}, 1},
		{contract.MaxLength, tableContract(`{name: b, logicalType: string, logicalTypeOptions: {maxLength: 1}}`, ""), one("b\n👍\nx\n"), one("b\n👍\nxy\n"), 1},
		{contract.PatternOf, tableContract(`{name: b, logicalType: string, logicalTypeOptions: {pattern: "x|y"}}`, ""), good, one("b\nx\nyz\n"), 1},
		{contract.Enum, `{"fields":[{"name":"b","type":"string","constraints":{"enum":["x","y"]}}]}`, one("b\nx\ny\n"), one("b\nx\nz\n"), 1},
		{contract.Nulls, tableContract(`{name: a, logicalType: integer, quality: [{metric: nullValues, mustBeLessThan: 50, unit: percent}]}`, ""), one("a,b\n1,\n,x\n3,y\n"), one("a,b\n1,\n,x\n"), 1},
		{contract.MissingOf, tableContract(`{name: b, logicalType: string, quality: [{metric: missingValues, mustBe: 0, arguments: {missingValues: ["", "n/a"]}}]}`, ""), good, one("a,b\n1,n/a\n2,y\n"), 1},
		{contract.Invalid, tableContract(`{name: b, logicalType: string, quality: [{metric: invalidValues, mustBe: 0, arguments: {validValues: [x, y]}}]}`, ""), good, one("a,b\n1,x\n2,z\n"), 1},
		{contract.Invalid, tableContract(`{name: b, logicalType: string, quality: [{metric: invalidValues, mustBe: 0, arguments: {pattern: "[xy]"}}]}`, ""), good, one("a,b\n1,x\n2,z\n"), 1},
		{contract.RowRule, ab("", custom(`check: rowRule, expr: "a < 3 and b != \"z\""`)), good, one("a,b\n1,x\n2,z\n"), 1},
		{contract.RowRule, ab("", custom(`check: rowRule, expr: "a < 3"`)), good, one("a,b\n1,x\n,y\n"), 1}, // null < 3 is no pass
		{contract.Unique, ab(", unique: true", ""), one("a,b\n1,x\n2,y\n,x\n,y\n"), one("a,b\n1,x\n01,y\n"), 1},
		{contract.PrimaryKey, ab(", primaryKey: true", ""), good, one("a,b\n1,x\n1,y\n"), 1},
		{contract.PrimaryKey, ab(", primaryKey: true", ""), good, one("a,b\n1,x\n,y\n"), 1},
		{contract.Duplicates, ab("", `{metric: duplicateValues, mustBe: 0, arguments: {properties: [a, b]}}`), one("a,b\n1,x\n1,y\n"), one("a,b\n1,x\n1,x\n"), 1},
		{contract.DupRows, ab("", custom("check: duplicateRows")), one("a,b\n1,x\n1,y\n"), one("a,b\n1,x\n1,x\n"), 1},
		{contract.ForeignKey, ab("", custom(`check: foreignKey, columns: [a], to: "ref/r.csv#id"`)), files{"t.csv": abGood, "ref/r.csv": "id\n01\n2\n"}, files{"t.csv": abGood, "ref/r.csv": "id\n1\n3\n"}, 1},
		{contract.ForeignKey, ab("", custom(`check: foreignKey, columns: [a], to: "ref/r.csv#id"`)), files{"t.csv": abGood, "ref/r.csv": "id\n1\n2\n"}, good, 2},
		{contract.Labelled, ab("", custom("check: conflictingLabels, label: b")), good, one("a,b\n1,x\n1,y\n"), 1},
		{contract.Labelled, ab("", custom("check: conflictingLabels, label: b")), one("a,b\n1,x\n1,x\n2,y\n"), one("a,b\n1,x\n1,y\n1,y\n1,x\n1,\n"), 3},
		{contract.RowCount, ab("", "{metric: rowCount, mustBeBetween: [2, 3]}"), good, one("a,b\n1,x\n"), 1},
		{contract.Freshness, tableContract("{name: d, logicalType: date}", custom("check: freshness, column: d, maxAge: 2d")), one("d\n2020-01-01\n2025-12-31\n"), one("d\n2020-01-01\n2025-12-29\n"), 1},
		{contract.Freshness, tableContract("{name: d, logicalType: date}", custom("check: freshness, column: d, maxAge: 2d")), one("d\n2025-12-31\n"), one("d\n"), 1},
		{contract.Balance, ab("", custom("check: classBalance, column: b, minShare: 0.4")), good, one("a,b\n1,x\n2,x\n3,y\n"), 1},
		{contract.Balance, ab("", custom("check: classBalance, column: b, maxRatio: 1.5")), good, one("a,b\n1,x\n2,x\n3,y\n"), 1},
		{contract.Balance, ab("", custom("check: classBalance, column: a, maxShare: 0.6")), good, one("a,b\n1,x\n01,x\n+1,y\n2,y\n"), 1},
		{contract.FileCount, tableContract("", custom("check: fileCount, min: 2")), files{"a": "", "b": ""}, files{"a": ""}, 1},
		{contract.FileNames, tableContract("", custom(`check: fileNames, allow: ["*.txt"]`)), files{"a.txt": ""}, files{"a.exe": ""}, 1},
		{contract.FileNames, tableContract("", custom(`check: fileNames, forbid: ["**/*.exe"]`)), files{"a.txt": ""}, files{"d/a.exe": ""}, 1},
		{contract.FileNames, tableContract("", custom(`check: fileNames, require: ["README*"]`)), files{"README.md": ""}, files{"a": ""}, 1},
		{contract.FileNames, tableContract("", custom(`check: fileNames, require: ["README*"]`)), files{"README.md": ""}, files{}, 1},
		{contract.FileSize, tableContract("", custom("check: fileSize, min: 1, max: 3")), files{"a": "x"}, files{"a": "", "b": "1234", "c": "1"}, 2},
		{contract.FileDigests, tableContract("", custom("check: digests, digests: {a: \""+digestOf("x")+"\"}")), files{"a": "x"}, files{"a": "y"}, 1},
		{contract.FileDigests, tableContract("", custom("check: digests, digests: {a: \""+digestOf("x")+"\"}")), files{"a": "x"}, files{"b": "x"}, 1},
		{contract.DupFiles, tableContract("", custom("check: duplicateFiles")), files{"a": "x", "b": "y", "c": "", "d": ""}, files{"a": "x", "b": "x"}, 1},
		{contract.Leakage, tableContract("", custom("check: leakage, by: file, splits: {train: train, test: test}")), files{"train/a": "x", "train/b": "x", "test/a": "y"}, files{"train/a": "x", "test/b": "x"}, 1},
		{contract.Leakage, ab("", custom("check: leakage, by: row, splits: {train: train.csv, test: test.csv}")), files{"train.csv": abGood, "test.csv": "a,b\n1,y\n"}, files{"train.csv": abGood, "test.csv": "b,a\nx,01\n"}, 1},
		{contract.Leakage, ab("", custom("check: leakage, by: key, columns: [a], splits: {train: train.csv, test: test.csv}")), files{"train.csv": abGood, "test.csv": "a,b\n3,x\n"}, files{"train.csv": abGood, "test.csv": "a,b\n2,z\n"}, 1},
		{contract.Leakage, tableContract("", custom(`check: leakage, by: file, splits: {train: "train/**", test: "test/**"}`)), files{"train/a": "x", "test/a": "y"}, files{"train/a": "x", "tset/a": "x"}, 1},
		{contract.Leakage, tableContract("", custom(`check: leakage, by: file, splits: {train: "*a", test: "t*"}`)), files{"a": "x", "t": "y"}, files{"a": "x", "t": "y", "ta": "z"}, 1},
		{contract.Leakage, ab("", custom("check: leakage, by: row, splits: {train: train.csv, test: test.csv}")), files{"train.csv": abGood, "test.csv": "a,b\n1,y\n"}, files{"train.csv": abGood, "tset.csv": abGood}, 1},
		{contract.Leakage, ab("", custom(`check: leakage, by: row, splits: {train: "*a.csv", test: "t*.csv"}`)), files{"a.csv": abGood, "t.csv": "a,b\n1,y\n"}, files{"a.csv": abGood, "t.csv": "a,b\n1,y\n", "ta.csv": "a,b\n"}, 1},
		{contract.Decode, tableContract("", custom("check: decode")), files{"a.json": "{}", "b.zip": zipOf("x")}, files{"a.json": "{", "b.zip": zipOf("x")[:40]}, 2},
		{contract.Encoding, tableContract("", custom("check: encoding, encoding: ascii")), files{"a": "x"}, files{"a": "é"}, 1},
	}
}

func digestOf(s string) string {
	d, _ := files{"x": s}.Digest(context.TODO(), Entry{Path: "x"})
	return fmt.Sprintf("%x", d)
}

func zipOf(s string) string {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, _ := z.Create("x")
	w.Write([]byte(s))
	z.Close()
	return b.String()
}

// sees runs a check over data, with the checks of one kind made blind, and says whether it failed.
func sees(t *testing.T, m mutant, src files, planted contract.Kind) (failed bool, count int64) {
	t.Helper()
	in := testInput(t, m.text, src)
	in.planted = planted
	res, err := Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range res.Checks {
		if c.Kind == string(m.kind) {
			failed, count = failed || c.Status == report.Failed, count+c.Count
			if c.Status == report.Errored || c.Status == report.Skipped {
				t.Fatalf("%s: %s %s", c.Key, c.Status, c.Note)
			}
		}
	}
	return failed, count
}

// TestMutants breaks the data under each kind of check: it passes before, fails after, and counts right; and where it is made blind, the test sees that.
func TestMutants(t *testing.T) {
	tested := map[contract.Kind]bool{}
	for i, m := range mutants() {
		tested[m.kind] = true
		t.Run(fmt.Sprintf("%s-%d", m.kind, i), func(t *testing.T) {
			if failed, _ := sees(t, m, m.good, ""); failed {
				t.Error("it fails on good data:\n" + outcome(runCheck(t, m.text, m.good)))
			}
			failed, count := sees(t, m, m.bad, "")
			if !failed || count != m.count {
				t.Errorf("it failed: %t, with %d violations, want %d:\n%s", failed, count, m.count, outcome(runCheck(t, m.text, m.bad)))
			}
			if failed, _ := sees(t, m, m.bad, m.kind); failed {
				t.Error("a check that sees nothing was not caught")
			}
		})
	}
	for _, k := range allKinds(t) {
		if !tested[k] {
			t.Errorf("there is no mutant for %s", k)
		}
	}
}

// allKinds are the constants of type Kind, as the source has them.
func allKinds(t *testing.T) (kinds []contract.Kind) {
	f, err := parser.ParseFile(token.NewFileSet(), "contract/model.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == 1 {
			if id, ok := v.Type.(*ast.Ident); ok && id.Name == "Kind" {
				s, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				kinds = append(kinds, contract.Kind(s))
			}
		}
		return true
	})
	if len(kinds) < 30 {
		t.Fatalf("only %d kinds", len(kinds))
	}
	return kinds
}

// TestPlaces pins what a violation says, and that all are counted and few shown.
func TestPlaces(t *testing.T) {
	src := files{"b.csv": "a,b\n1,x\nno,x\n", "a.csv": "a,b\n" + strings.Repeat("bad,y\n", 100)}
	in := testInput(t, ab("", ""), src)
	in.Shown = 2
	res, err := Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	want := "t.a.type failed 101/102 \n  type-error a.csv:2 a \"bad\" it is not of type integer\n  type-error a.csv:3 a \"bad\" it is not of type integer\n"
	if got := outcome(res); got != want {
		t.Error(got)
	}
	in.NoValues = true
	if res, err = Run(t.Context(), in); err != nil || strings.Contains(outcome(res), "bad") {
		t.Errorf("%v\n%s", err, outcome(res))
	}
}

// TestSpill forces keys to disk, which must not change what is found.
func TestSpill(t *testing.T) {
	var b strings.Builder
	b.WriteString("a,b\n")
	for i := range 20_000 {
		fmt.Fprintf(&b, "%d,x\n", i%15_000)
	}
	in := testInput(t, ab(", unique: true", ""), one(b.String()))
	want, err := Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	in.Memory = 1
	got, err := Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if got.Spilled == 0 || want.Spilled != 0 || want.Checks[4].Count != 5000 {
		t.Errorf("spilled %d and %d; %d duplicates", got.Spilled, want.Spilled, want.Checks[4].Count)
	}
	_, a, _ := strings.Cut(outcome(want), "\n") // the first line says what was spilled
	if _, b, _ := strings.Cut(outcome(got), "\n"); a != b {
		t.Errorf("%s\n%s", outcome(want), outcome(got))
	}
}
