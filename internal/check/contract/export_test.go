package contract

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tarn/internal/check/cell"
)

// TestExport writes all good contracts of testdata in both forms and reads them again: nothing may differ but what was named as lost.
func TestExport(t *testing.T) {
	files, err := filepath.Glob("testdata/*")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Load(f, b)
		if err != nil {
			continue
		}
		seen++
		t.Run(filepath.Base(f), func(t *testing.T) {
			text, lost, err := EncodeODCS(c, "x", nil)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, c.Objects, c, "x.yaml", text, lost)
			for _, o := range c.Objects {
				if !o.IsTable() {
					continue
				}
				if text, lost, err = EncodeTableSchema(c, o); err != nil {
					t.Fatal(err)
				}
				if c.Form == TableSchema && len(lost) > 0 {
					t.Errorf("a Table Schema loses %q", lost)
				}
				compare(t, []*Object{o}, c, "x.json", text, lost)
			}
		})
	}
	if seen < 6 {
		t.Errorf("only %d contracts", seen)
	}
}

func compare(t *testing.T, objects []*Object, c *Contract, name string, text []byte, lost []string) {
	t.Helper()
	again, err := Load(name, text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	saidLost := func(what string) bool {
		return slices.ContainsFunc(lost, func(l string) bool { return strings.HasPrefix(l, what) })
	}
	for i, o := range objects {
		options := cmp.Options{cmpopts.IgnoreFields(Column{}, "Line", "Col"), cmpopts.IgnoreFields(Drift{}, "Line"), cmpopts.IgnoreUnexported(cell.Spec{})}
		if name == "x.json" {
			options = append(options, cmpopts.IgnoreFields(Column{}, "Logical", "Partition", "Drift"))
		}
		if d := cmp.Diff(o.Columns, again.Objects[i].Columns, options); d != "" {
			t.Error(d)
		}
		if !slices.Equal(o.Missing, again.Objects[i].Missing) || o.Match != again.Objects[i].Match || !slices.Equal(o.PrimaryKey, again.Objects[i].PrimaryKey) {
			t.Errorf("%+v, not %+v", again.Objects[i], o)
		}
	}
	for _, k := range c.Checks {
		same := func(n *Check) bool {
			if n.Object.Name != k.Object.Name || !slices.Equal(n.Columns, k.Columns) {
				return false
			}
			if k.Ref != nil && n.Ref != nil {
				return cmp.Equal(k.Ref, n.Ref)
			}
			return n.Kind == k.Kind || k.Kind == Enum && n.Kind == Invalid && n.Pattern == nil || k.Kind == PatternOf && n.Kind == Invalid && n.Pattern != nil ||
				k.Kind == Unique && n.Kind == Duplicates || (n.Kind == Enum || n.Kind == PatternOf) && k.Kind == Invalid || n.Kind == Required && k.Kind == Nulls
		}
		if !slices.ContainsFunc(again.Checks, same) && !saidLost(k.Key+" (") {
			t.Errorf("%s is neither there nor named as lost\n%s\nlost %q", k.Key, text, lost)
		}
	}
	for _, n := range c.NotRun {
		if !slices.ContainsFunc(lost, func(l string) bool { return strings.HasSuffix(l, n.What) }) {
			t.Errorf("%s is not named as lost", n.What)
		}
	}
}

// TestExportNames are things that are no checks.
func TestExportNames(t *testing.T) {
	b, err := os.ReadFile("testdata/orders.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Load("c.yaml", b)
	if err != nil {
		t.Fatal(err)
	}
	c.Objects[0].Columns[1].Logical = "when"
	_, lost, err := EncodeTableSchema(c, c.Objects[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"orders: physicalName orders/*.csv", "orders: tarn.dialect", "orders.placed: its name when", "line 40: engine soda"} {
		if !slices.Contains(lost, want) {
			t.Errorf("%q is not in %q", want, lost)
		}
	}
}
