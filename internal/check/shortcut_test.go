package check

import (
	"fmt"
	"strings"
	"testing"

	"tarn/internal/check/table"
)

// TestShortcuts asks of each value that the quick test of a column passes that no check finds anything wrong with it.
func TestShortcuts(t *testing.T) {
	values := strings.Split("|0|1|-1|5|7|9|10|11|5.0|5.5|10.0|10.5|1e1|0005|+5| 5|99999999|123456789|99999999999999999999|nan|NaN|inf|-inf|.5|5.|.|-|"+
		"true|false|2024-02-29|2023-02-29|2024-13-01|2024-00-10|0000-01-01|2024-01-01T10:00:00|2024|2024-05|10:00:00|P1D|AB-123456|AB-12345|ab-123456|AB-1234567|"+
		"é|éé|ééé|x|xy|xyz|x\xff|\xff\xff-123456|open|paid|opened|ope|a value of many bytes|a value of more bytes|n/a|-99", "|")
	fields := []string{
		`"type": "integer"`, `"type": "integer", "constraints": {"minimum": 1, "maximum": 10}`, `"type": "integer", "constraints": {"minimum": 5.5}`,
		`"type": "integer", "constraints": {"enum": ["5", "7"]}`, `"type": "integer", "groupChar": ","`, `"type": "integer", "bareNumber": false`,
		`"type": "number", "constraints": {"required": true, "exclusiveMinimum": 5, "exclusiveMaximum": 10.5}`, `"type": "number", "decimalChar": ","`,
		`"type": "date"`, `"type": "date", "constraints": {"minimum": "2024-01-01"}`, `"type": "date", "format": "%Y"`, `"type": "date", "format": "any"`,
		`"type": "datetime"`, `"type": "year", "constraints": {"maximum": "2023"}`, `"type": "yearmonth"`, `"type": "time"`, `"type": "boolean"`, `"type": "duration"`,
		`"type": "string", "constraints": {"pattern": "[A-Z]{2}-[0-9]{6}"}`, `"type": "string", "constraints": {"pattern": "..?-[0-9]*"}`, `"type": "string", "constraints": {"pattern": "(?=A)[A-Z].*"}`,
		`"type": "string", "constraints": {"enum": ["open", "paid", "a value of many bytes"]}`, `"type": "string", "constraints": {"enum": ["open", "AB-123456"], "pattern": "[A-Z].*"}`,
		`"type": "string", "constraints": {"minLength": 2}`, `"type": "string", "constraints": {"minLength": 2, "maxLength": 3}`, `"type": "string", "format": "uuid"`,
		`"type": "any", "constraints": {"enum": ["5", "x"]}`, `"type": "any"`, `"type": "object"`,
	}
	tests := map[quick]int{}
	for _, missing := range []string{`[""]`, `["", "n/a", "-99"]`, `["5"]`, `[]`} {
		for _, field := range fields {
			in := testInput(t, fmt.Sprintf(`{"fields": [{"name": "a", %s}], "missingValues": %s}`, field, missing), files{})
			r := newRun(in)
			p, err := newPass(r, r.objects[0])
			if err != nil {
				t.Fatal(err)
			}
			w := newWorker(p)
			w.of = &openFile{}
			for _, ru := range p.rules {
				tests[ru.test]++
				for _, v := range values {
					if v == "" || !ru.passes([]byte(v)) {
						continue
					}
					if w.text(ru, &table.Batch{First: 2, Rows: 1}, 0, []byte(v)); w.found != 0 || ru.isMissing([]byte(v)) {
						t.Fatalf("{%s}, missing %s: %q passes", field, missing, v)
					}
				}
			}
		}
	}
	for q := quickNone; q <= quickText; q++ {
		if tests[q] == 0 {
			t.Errorf("no column has the test %d", q)
		}
	}
}
