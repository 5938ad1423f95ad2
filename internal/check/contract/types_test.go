package contract

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tarn/internal/check/cell"
)

// TestExportTypes: the options of types stay in a Table Schema that is written, and what ODCS can't say is named.
func TestExportTypes(t *testing.T) {
	load := func(text []byte) *Contract {
		t.Helper()
		c, err := Load("t.schema.json", text)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := load([]byte(`{"fields": [{"name": "a", "type": "list", "delimiter": ";", "itemType": "integer"}, {"name": "b", "type": "geopoint", "format": "array"},
		{"name": "c", "type": "geojson", "format": "topojson"}, {"name": "d", "type": "year", "constraints": {"minimum": 900}}]}`))
	text, lost, err := EncodeTableSchema(c, c.Objects[0])
	if err != nil || len(lost) > 0 {
		t.Fatal(lost, err)
	}
	again := load(text)
	for i, col := range c.Objects[0].Columns {
		if d := cmp.Diff(col.Spec, again.Objects[0].Columns[i].Spec, cmpopts.IgnoreUnexported(cell.Spec{})); d != "" {
			t.Error(d)
		}
	}
	text, lost, err = EncodeODCS(c, "x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"c: the format topojson"}, lost); d != "" {
		t.Error(d)
	}
	if again, err = Load("x.contract.yaml", text); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for i, col := range c.Objects[0].Columns {
		want := col.Spec
		if want.Type == cell.Geojson {
			want.Format = ""
		}
		if d := cmp.Diff(want, again.Objects[0].Columns[i].Spec, cmpopts.IgnoreUnexported(cell.Spec{})); d != "" {
			t.Error(d)
		}
	}
}
