package check

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
)

type momentRow struct {
	MS  int64            `parquet:"ms,timestamp(millisecond)"`
	US  int64            `parquet:"us,timestamp(microsecond)"`
	NS  *int64           `parquet:"ns,optional,timestamp(nanosecond)"` // not beyond 1678 to 2261
	Old deprecated.Int96 `parquet:"old"`
}

const momentLayout = "2006-01-02T15:04:05.000"

// momentFiles are the same instants, of milliseconds, in each format and unit.
func momentFiles(t *testing.T, list []time.Time) []files {
	t.Helper()
	var csv, jsonl strings.Builder
	var pq bytes.Buffer
	csv.WriteString("ms,us,ns,old\n")
	w := parquet.NewGenericWriter[momentRow](&pq)
	for _, at := range list {
		s := at.Format(momentLayout)
		r := momentRow{MS: at.UnixMilli(), US: at.UnixMicro()}
		ns, js := "", "null"
		if at.Year() > 1677 && at.Year() < 2262 {
			n := at.UnixNano()
			r.NS, ns, js = &n, s, `"`+s+`"`
		}
		day := at.Unix() / 86400
		if at.Unix()%86400 < 0 {
			day--
		}
		of := uint64(at.UnixMilli()-day*86400_000) * 1e6
		r.Old = deprecated.Int96{uint32(of), uint32(of >> 32), uint32(day + 2440588)}
		fmt.Fprintf(&csv, "%s,%s,%s,%s\n", s, s, ns, s)
		fmt.Fprintf(&jsonl, `{"ms": %q, "us": %q, "ns": %s, "old": %q}`+"\n", s, s, js, s)
		if _, err := w.Write([]momentRow{r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return []files{{"t.csv": csv.String()}, {"t.jsonl": jsonl.String()}, {"t.parquet": pq.String()}}
}

// momentRows are the rows, from 1, that each check found something in.
func momentRows(t *testing.T, text string, src files) map[string][]int64 {
	t.Helper()
	in := testInput(t, text, src)
	in.Shown = 1 << 20
	res, err := Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	header := int64(0)
	if src["t.csv"] != "" {
		header = 1
	}
	rows := map[string][]int64{}
	for _, c := range res.Checks {
		for _, v := range c.Violations {
			rows[c.Key] = append(rows[c.Key], v.Row-header)
		}
		slices.Sort(rows[c.Key])
	}
	return rows
}

// TestMoments: years from 1 to 9999 compare as they are, in each unit.
func TestMoments(t *testing.T) {
	list := []time.Time{time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC), time.Date(1500, 1, 1, 0, 0, 0, 0, time.UTC)}
	bounds := []time.Time{time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1970, 1, 1, 0, 0, 0, 5e6, time.UTC), time.Date(1969, 12, 31, 23, 59, 59, 500e6, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)}
	r := rand.New(rand.NewPCG(7, 7))
	for range 60 {
		at := bounds[r.IntN(4)]
		list = append(list, at.Add(time.Duration(r.IntN(5)-2)*time.Second/2), at.Add(time.Duration(r.IntN(3)-1)*time.Millisecond), list[0].Add(time.Duration(r.Int64N(290*365*24*3600))*time.Second).AddDate(r.IntN(9700), 0, 0))
	}
	list = slices.DeleteFunc(list, func(at time.Time) bool { return at.Year() > 9999 })
	all := momentFiles(t, list)
	ops := map[string]func(v, bound time.Time) bool{"minimum": time.Time.Before, "maximum": time.Time.After,
		"exclusiveMinimum": func(v, b time.Time) bool { return !v.After(b) }, "exclusiveMaximum": func(v, b time.Time) bool { return !v.Before(b) }, "enum": func(v, b time.Time) bool { return !v.Equal(b) }}
	keys := map[string]string{"minimum": "minimum", "maximum": "maximum", "exclusiveMinimum": "exclusiveMin", "exclusiveMaximum": "exclusiveMax", "enum": "enum"}
	for op, wrong := range ops {
		for _, bound := range bounds {
			constraint := fmt.Sprintf("%q: %q", op, bound.Format(momentLayout))
			if op == "enum" {
				constraint = fmt.Sprintf(`"enum": [%q]`, bound.Format("2006-01-02 15:04:05.000Z"))
			}
			want := map[string][]int64{}
			var fields []string
			for _, c := range []string{"ms", "us", "ns", "old"} {
				fields = append(fields, fmt.Sprintf(`{"name": %q, "type": "datetime", "constraints": {%s}}`, c, constraint))
				for i, at := range list {
					if key := "x." + c + "." + keys[op]; wrong(at, bound) && (c != "ns" || at.Year() > 1677 && at.Year() < 2262) {
						want[key] = append(want[key], int64(i+1))
					}
				}
			}
			for _, f := range all {
				if d := cmp.Diff(want, momentRows(t, `{"fields": [`+strings.Join(fields, ",")+`]}`, f)); d != "" {
					t.Errorf("%s, %v: %s", constraint, slices.Collect(maps.Keys(f)), d)
				}
			}
		}
	}
}

// TestMomentSummaries: keys, the newest value and expressions take instants as they are, also far from 1970.
func TestMomentSummaries(t *testing.T) {
	wrapped := func(at time.Time) time.Time { return at.Add(1<<62 + 1<<62 - 1).Add(1<<62 + 1<<62 - 1).Add(2) } // 2⁶⁴ ns later
	first := time.Date(2001, 2, 3, 4, 5, 6, 500e6, time.UTC)
	cases := []struct {
		what    string
		list    []time.Time
		quality string
		want    string // what the outcome has
	}{
		{"unique", []time.Time{first, wrapped(first).Truncate(time.Millisecond), first.Add(time.Millisecond), first.AddDate(7000, 0, 0)}, custom("check: duplicateRows, columns: [us]"), ""},
		{"repeated", []time.Time{first, first.AddDate(7000, 0, 0), first.AddDate(7000, 0, 0)}, custom("check: duplicateRows, columns: [us]"), "it stands in row"},
		{"new", []time.Time{first, time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}, custom("check: freshness, column: us, maxAge: 1d"), ""},
		{"old", []time.Time{time.Date(1500, 1, 1, 0, 0, 0, 0, time.UTC)}, custom("check: freshness, column: us, maxAge: 1d"), "the newest is 1500-01-01T00:00:00Z, 192119.0 days old"},
		{"rule", []time.Time{first, time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}, custom(`check: rowRule, expr: 'us > date("2000-01-01") and ms == us'`), ""},
		{"broken rule", []time.Time{first, time.Date(1500, 12, 31, 0, 0, 0, 0, time.UTC)}, custom(`check: rowRule, expr: 'us > date("2000-01-01")'`), "us=1500-12-31"},
	}
	for _, c := range cases {
		for _, f := range momentFiles(t, c.list) {
			got := outcome(runCheck(t, tableContract("{name: us, logicalType: timestamp}, {name: ms, logicalType: timestamp}", c.quality), f))
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("%s, %v: %s", c.what, slices.Collect(maps.Keys(f)), got)
			}
		}
	}
}
