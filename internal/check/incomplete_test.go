package check

import (
	"context"
	"errors"
	"strings"
	"testing"

	"tarn/internal/check/report"
)

// broken can't open some of its files.
type broken struct {
	files
	names map[string]bool
}

func (b broken) Open(ctx context.Context, e Entry) (File, error) {
	if b.names[e.Path] {
		return nil, errors.New("the remote is gone")
	}
	return b.files.Open(ctx, e)
}

// TestIncomplete has what can't be read: what is not known is neither passed nor failed.
func TestIncomplete(t *testing.T) {
	refers := func(to string) string { return custom(`check: foreignKey, columns: [a], to: "` + to + `"`) }
	for name, c := range map[string]struct {
		text       string
		src        Source
		check      string
		status     report.Status
		incomplete bool
	}{
		"count":                  {ab("", "{metric: rowCount, mustBeGreaterThan: 0}"), broken{one(abGood), map[string]bool{"t.csv": true}}, "rowCount", report.Errored, false},
		"values":                 {ab("", ""), broken{files{"a.csv": "a,b\nx,x\n", "t.csv": ""}, map[string]bool{"t.csv": true}}, "a.type", report.Failed, true},
		"good values":            {ab("", ""), broken{files{"a.csv": "a,b\n1,x\n", "t.csv": ""}, map[string]bool{"t.csv": true}}, "a.type", report.Errored, false},
		"reference":              {ab("", refers("r.csv#a")), broken{files{"t.csv": abGood, "r.csv": "a\n1\n"}, map[string]bool{"r.csv": true}}, "foreignKey", report.Errored, false},
		"reference that is torn": {ab("", refers("r.csv#a")), files{"t.csv": abGood, "r.csv": "a\n1\n\"2"}, "foreignKey", report.Errored, false},
		"no such dataset":        {ab("", custom(`check: foreignKey, columns: [a], dataset: other, to: "r.csv#a"`)), one(abGood), "foreignKey", report.Errored, false},
		"pictures":               {tableContract("", `{type: custom, engine: tarn, severity: warning, implementation: {check: decode}}`), broken{files{"a.png": "x", "b.png": "x"}, map[string]bool{"a.png": true}}, "decode", report.Failed, true},
		"no decoder":             {tableContract("", `{type: custom, engine: tarn, implementation: {check: decode}}`), files{"a.tif": "II+\x00\x08\x00\x00\x00"}, "decode", report.Errored, false},
		"no decoder, one broken": {tableContract("", `{type: custom, engine: tarn, implementation: {check: decode}}`), files{"a.tif": "II+\x00\x08\x00\x00\x00", "b.png": "x"}, "decode", report.Failed, true},
	} {
		found := false
		res := runCheck(t, c.text, c.src)
		for _, k := range res.Checks {
			if strings.Contains(k.Key, c.check) {
				found = true
				if k.Status != c.status || k.Incomplete != c.incomplete {
					t.Errorf("%s: it is %s (incomplete: %t): %s", name, k.Status, k.Incomplete, outcome(res))
				}
			}
		}
		if n := res.Count(); !found || n.Broken+n.Incomplete == 0 {
			t.Errorf("%s: %+v", name, n)
		}
	}
}
