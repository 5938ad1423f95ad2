package check

import (
	"strings"
	"testing"

	"tarn/internal/check/contract"
)

// TestRuleNames has columns whose names mean something else in an expression.
func TestRuleNames(t *testing.T) {
	columns := `{name: row, logicalType: integer}, {name: count, logicalType: integer}, {name: date, logicalType: string}, {name: a, logicalType: integer}`
	data := one("row,count,date,a\n1,2,2024-01-01,3\n")
	for expr, want := range map[string]string{
		`count == 2`: "", `count != 2`: "fails", `a + count == 5 and date startsWith "2024"`: "",
		`row["row"] == 1`: "", `row["row"] != 1`: "fails", `row["count"] == 2 and len(row["date"]) == 10`: "",
		`count([1, a], # > 2) == 1`:              "",
		`row == 1`:                               `row is a column, and has another meaning here, too: write row["row"]`,
		`date(date) > date("2023-01-01")`:        `date is a column, and has another meaning here, too: write row["date"]`,
		`date(row["date"]) > date("2023-01-01")`: "",
		`b == 1`:                                 `there is no column "b"`, `row["b"] == 1`: `there is no column "b"`, `let z = a; z == 3`: "",
		`nothing(a)`: `there is no column "nothing"`,
	} {
		res, err := Run(t.Context(), testInput(t, tableContract(columns, custom("check: rowRule, expr: '"+expr+"'")), data))
		switch {
		case err != nil:
			if want == "" || want == "fails" || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "x.yaml:9:") {
				t.Errorf("%s: %v", expr, err)
			}
		case strings.Contains(outcome(res), string(contract.RowRule)) != (want == "fails"):
			t.Errorf("%s: %s", expr, outcome(res))
		}
	}
}

// TestRuleNoValues has rules whose own errors would show values.
func TestRuleNoValues(t *testing.T) {
	for _, expr := range []string{"int(b) > 3", "date(b) > date(\"2020-01-01\")", `b matches ("[" + b)`} {
		in := testInput(t, ab("", custom("check: rowRule, expr: '"+expr+"'")), one("a,b\n1,"+strings.Repeat("SECRET", 30)+"\n"))
		res, err := Run(t.Context(), in)
		if err != nil || !strings.Contains(outcome(res), "SECRET") || len(outcome(res)) > 400 {
			t.Errorf("%s: %v, %s", expr, err, outcome(res))
		}
		in.NoValues = true
		if res, err = Run(t.Context(), in); err != nil || strings.Contains(outcome(res), "SEC") || !strings.Contains(outcome(res), "it can't be evaluated") {
			t.Errorf("%s, without values: %v, %s", expr, err, outcome(res))
		}
	}
}
