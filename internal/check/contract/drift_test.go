package contract

import (
	"math"
	"strings"
	"testing"
)

const driftContract = `apiVersion: v3.1.0
kind: DataContract
id: a
version: 1.0.0
status: active
schema:
  - name: t
    customProperties: [{property: tarn.drift, value: OBJECT}]
    properties:
      - {name: x, logicalType: number, customProperties: [{property: tarn.drift, value: COLUMN}]}
`

func loadDrift(object, column string) (*Contract, error) {
	return Load("c.yaml", []byte(strings.NewReplacer("OBJECT", object, "COLUMN", column).Replace(driftContract)))
}

func TestDrift(t *testing.T) {
	c, err := loadDrift("{psi: {warn: 0.05, fail: 0.5}, ks: 0.3, nulls: false}", "{exclude: true, wasserstein: {warn: 1}}")
	if err != nil {
		t.Fatal(err)
	}
	again, lost, err := EncodeODCS(c, "a", nil)
	if err != nil || len(lost) > 0 {
		t.Fatal(lost, err)
	}
	second, err := Load("c.yaml", again)
	if err != nil {
		t.Fatalf("%v\n%s", err, again)
	}
	for _, c := range []*Contract{c, second} {
		o, x := c.Objects[0].Drift, c.Objects[0].Columns[0].Drift
		if o.Limits["psi"] != (DriftLimits{.05, .5}) || !math.IsNaN(o.Limits["ks"].Warn) || o.Limits["ks"].Fail != .3 || !math.IsNaN(o.Limits["nulls"].Fail) || !math.IsNaN(o.Limits["nulls"].Warn) {
			t.Errorf("%+v", o)
		}
		if !x.Exclude || x.Limits["wasserstein"].Warn != 1 || !math.IsNaN(x.Limits["wasserstein"].Fail) {
			t.Errorf("%+v", x)
		}
	}
	if _, lost, err = EncodeTableSchema(c, c.Objects[0]); err != nil || len(lost) != 2 {
		t.Errorf("a Table Schema loses %v, %v", lost, err)
	}
}

func TestDriftWrong(t *testing.T) {
	for _, c := range []struct{ object, column, want string }{
		{"{psy: 1}", "{}", `8:60: unknown key "psy"`}, {"{exclude: true}", "{}", `unknown key "exclude"`}, {"{psi: -1}", "{}", "a limit is"}, {"{psi: much}", "{}", "a limit is"},
		{"{psi: {warn: 2, fail: 1}}", "{}", "psi warns above 2"}, {"{psi: {error: 2}}", "{}", `unknown key "error"`}, {"3", "{}", "is a mapping"}, {"{}", "{exclude: 3}", "exclude is"},
		{"{psi: true}", "{}", "a limit is"},
	} {
		if _, err := loadDrift(c.object, c.column); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %s", c.object, c.column, err, c.want)
		}
	}
	text := strings.NewReplacer("OBJECT", "{}", "COLUMN", "{}", "logicalType: number, customProperties: [{property: tarn.drift", "logicalType: number, customProperties: [{property: tarn.drifd").Replace(driftContract)
	if _, err := Load("c.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), `unknown property "tarn.drifd"`) {
		t.Error(err)
	}
}
