package check

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// agreement is a case that frictionless 5.21 judged: testdata/frictionless-5.21.json, which testdata/make_agreement.py made.
type agreement struct {
	Name   string          `json:"name"`
	Schema json.RawMessage `json:"schema"`
	Text   string          `json:"text"`
	Errors [][2]any        `json:"errors"` // row (the header is row 1; 0: none), type
}

// apart are the cases where tarn differs from frictionless on purpose: what it finds, and why.
var apart = map[string]struct {
	why  string
	want []string
}{
	"integer {}{}":                  {"1_000 and digits that are not ASCII are Python's integers, not Table Schema's", []string{"008 type-error", "009 type-error", "010 type-error", "011 type-error", "015 type-error", "016 type-error", "017 type-error"}},
	"date {}{}":                     {"2024-1-1 is not ISO 8601", []string{"003 type-error", "004 type-error", "005 type-error", "006 type-error", "007 type-error", "009 type-error"}},
	"time {}{}":                     {"24:00:00 is the end of a day, and not a time in it", []string{"003 type-error", "004 type-error", "006 type-error"}},
	`string {}{"pattern": "ab|cd"}`: {"a pattern is of the whole value; frictionless puts ^ and $ around it without a group", []string{"003 constraint-error", "005 constraint-error"}},
	`year {"title": "more"}{}`:      {"a gYear may have a sign", []string{"004 type-error", "005 type-error", "006 type-error", "008 type-error"}},
	`string {"format": "uri"}{}`:    {"RFC 3986 has no spaces and no < > in a URI, and % only before two digits", []string{"004 type-error", "005 type-error", "006 type-error", "007 type-error"}},
	"shape swapped":                 {"columns go by their names, also where their order is wrong, so the cells are right", []string{"000 incorrect-label"}},
}

// TestAgreesWithFrictionless compares rows and codes of all violations.
func TestAgreesWithFrictionless(t *testing.T) {
	b, err := os.ReadFile("testdata/frictionless-5.21.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []agreement
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 150 {
		t.Fatalf("only %d cases", len(cases))
	}
	used := map[string]bool{}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			in := testInput(t, string(c.Schema), files{"t.csv": c.Text})
			in.Single, in.Shown = true, 1000
			res, err := Run(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, k := range res.Checks {
				for _, v := range k.Violations {
					got = append(got, place(v.Row, v.Code))
				}
			}
			var want []string
			for _, e := range c.Errors {
				want = append(want, place(int64(e[0].(float64)), e[1].(string)))
			}
			if a, ok := apart[c.Name]; ok {
				used[c.Name] = true
				want = a.want
			}
			slices.Sort(got)
			slices.Sort(want)
			if d := cmp.Diff(slices.Compact(want), slices.Compact(got)); d != "" {
				t.Errorf("%q\n%s", c.Text, d)
			}
		})
	}
	for name := range apart {
		if !used[name] {
			t.Errorf("there is no case %q", name)
		}
	}
}

// place is a row and a code; of labels the row does not matter.
func place(row int64, code string) string {
	switch code {
	case "extra-label", "missing-label", "incorrect-label", "blank-label", "duplicate-label":
		row = 0
	}
	return fmt.Sprintf("%03d %s", row, code)
}
