package rows

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"tarn/internal/check/spill"
)

// modelRow is a row as the three formats can have it.
type modelRow struct {
	ID int64    `parquet:"id" json:"id"`
	S  string   `parquet:"s,dict" json:"s"`
	X  float64  `parquet:"x" json:"x"`
	N  *int64   `parquet:"n,optional" json:"n"`
	B  bool     `parquet:"b" json:"b"`
	_  struct{} `parquet:"-"`
}

var modelColumns = []string{"id", "s", "x", "n", "b"}

// texts are the row's values, with what tells none from the others.
func (r modelRow) texts() []string {
	n := "-"
	if r.N != nil {
		n = fmt.Sprint(*r.N)
	}
	return []string{fmt.Sprint(r.ID), r.S, fmt.Sprint(r.X), n, fmt.Sprint(r.B)}
}

func encodeCSV(t *testing.T, rows []modelRow) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write(modelColumns)
	for _, r := range rows {
		v := r.texts()
		if r.N == nil {
			v[3] = ""
		}
		w.Write(v)
	}
	if w.Flush(); w.Error() != nil {
		t.Fatal(w.Error())
	}
	return b.Bytes()
}

func encodeJSONL(t *testing.T, rows []modelRow) []byte {
	var b bytes.Buffer
	for i, r := range rows {
		v, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 { // n comes late
			v = bytes.ReplaceAll(v, []byte(`"n":null,`), nil)
		}
		b.Write(append(v, '\n'))
	}
	return b.Bytes()
}

func encodeParquet(t *testing.T, rows []modelRow) []byte {
	var b bytes.Buffer
	w := parquet.NewGenericWriter[modelRow](&b, parquet.PageBufferSize(200), parquet.MaxRowsPerRowGroup(60))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var encoders = []struct {
	name   string
	first  int64 // number of the first row
	encode func(*testing.T, []modelRow) []byte
}{{"t.csv", 2, encodeCSV}, {"t.jsonl", 1, encodeJSONL}, {"t.parquet", 1, encodeParquet}}

// model compares by simple means.
type model struct {
	Counts
	ByColumn map[string]int64
	Repeated [2]int64
	Rows     map[string][]string // by kind: the rows that are shown
}

func compareModel(old, now []modelRow, key []int, firstOld, firstNew int64, shown int) *model {
	m := &model{ByColumn: map[string]int64{}, Rows: map[string][]string{}}
	keyOf := func(r modelRow) string {
		v := r.texts()
		var parts []string
		for _, k := range key {
			parts = append(parts, fmt.Sprintf("%q", v[k]))
		}
		return strings.Join(parts, ",")
	}
	whole := func(r modelRow) string { return fmt.Sprintf("%q", r.texts()) }
	type group struct{ rows [2][]int }
	groups := map[string]*group{}
	if len(key) == 0 {
		keyOf = whole
	}
	for side, rows := range [][]modelRow{old, now} {
		for i, r := range rows {
			g := groups[keyOf(r)]
			if g == nil {
				g = &group{}
				groups[keyOf(r)] = g
			}
			if g.rows[side] = append(g.rows[side], i); len(key) > 0 && len(g.rows[side]) > 1 {
				m.Repeated[side]++
			}
		}
	}
	changed := map[int]string{}
	multiset := func(g *group) {
		have := map[string]int64{}
		for _, i := range g.rows[0] {
			have[whole(old[i])]++
		}
		for _, i := range g.rows[1] {
			if w := whole(now[i]); have[w] > 0 {
				have[w]--
				m.Same++
			} else {
				m.Added++
			}
		}
		for _, n := range have {
			m.Removed += n
		}
	}
	for _, g := range groups {
		o, n := g.rows[0], g.rows[1]
		switch {
		case len(key) == 0 || len(o) > 1 || len(n) > 1:
			multiset(g)
		case len(o) == 0:
			m.Added++
		case len(n) == 0:
			m.Removed++
		default:
			a, b := old[o[0]].texts(), now[n[0]].texts()
			var cells []string
			for c := range a {
				if a[c] != b[c] {
					cells = append(cells, fmt.Sprintf("%s %s→%s", modelColumns[c], a[c], b[c]))
					m.ByColumn[modelColumns[c]]++
					m.Cells++
				}
			}
			slices.Sort(cells)
			if len(cells) == 0 {
				m.Same++
				continue
			}
			m.Changed++
			changed[n[0]] = fmt.Sprintf("%d→%d %s", int64(o[0])+firstOld, int64(n[0])+firstNew, strings.Join(cells, ", "))
		}
	}
	for i := range now {
		if c, ok := changed[i]; ok && len(m.Rows["changed"]) < shown {
			m.Rows["changed"] = append(m.Rows["changed"], c)
		}
	}
	return m
}

// asModel is a result in the form of the model.
func asModel(res *Result) *model {
	m := &model{Counts: res.Counts, ByColumn: map[string]int64{}, Repeated: res.Repeated, Rows: map[string][]string{}}
	for _, c := range res.ByColumn {
		m.ByColumn[c.Column] = c.Cells
	}
	text := func(s *string, column string) string {
		if s == nil || *s == "" && column == "n" {
			return "-"
		}
		return *s
	}
	for _, r := range res.Rows {
		if r.Kind != Changed {
			continue
		}
		var cells []string
		for _, c := range r.Cells {
			cells = append(cells, fmt.Sprintf("%s %s→%s", c.Column, text(c.Old, c.Column), text(c.New, c.Column)))
		}
		slices.Sort(cells)
		m.Rows["changed"] = append(m.Rows["changed"], fmt.Sprintf("%d→%d %s", r.OldRow, r.NewRow, strings.Join(cells, ", ")))
	}
	return m
}

func randomRow(r *rand.Rand, id int64) modelRow {
	words := []string{"a", "b,c", `say "x"`, "two\nlines", "ünï", "-", "long " + strings.Repeat("w", 20)}
	row := modelRow{ID: id, S: words[r.IntN(len(words))], X: float64(r.IntN(40)) / 8, B: r.IntN(2) == 0}
	if r.IntN(3) > 0 {
		n := int64(r.IntN(5))
		row.N = &n
	}
	return row
}

// edit makes another version of a table.
func edit(r *rand.Rand, rows []modelRow) []modelRow {
	var out []modelRow
	for _, row := range rows {
		switch r.IntN(8) {
		case 0:
			continue
		case 1:
			out = append(out, randomRow(r, int64(r.IntN(2*len(rows)))))
		case 2:
			other := randomRow(r, row.ID)
			if r.IntN(2) == 0 {
				other.S, other.X = row.S, row.X
			}
			row = other
		}
		out = append(out, row)
	}
	switch r.IntN(3) {
	case 0:
		r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	case 1:
		slices.Reverse(out)
	}
	return out
}

type memTemp struct{ *os.File }

func (m memTemp) Close() error { return errors.Join(m.File.Close(), os.Remove(m.Name())) }

func tempFiles(t *testing.T) func() (spill.Temp, error) {
	dir := t.TempDir()
	return func() (spill.Temp, error) {
		f, err := os.CreateTemp(dir, "")
		return memTemp{f}, err
	}
}

func source(b []byte) *bytes.Reader { return bytes.NewReader(b) }

// TestModel: random tables, keys and edits give what simple means give, in all formats and between them, in memory and with temporary files.
func TestModel(t *testing.T) {
	spilled := 0
	for seed := range uint64(80) {
		r := rand.New(rand.NewPCG(seed, 7))
		var old []modelRow
		size, spread := r.IntN(120), 1+r.IntN(300)
		if seed%10 == 0 {
			size, spread = 700, 2500
		}
		for i := range size {
			id := int64(i)
			if seed%3 == 0 {
				id = int64(r.IntN(spread))
			}
			old = append(old, randomRow(r, id))
		}
		now := edit(r, old)
		var key []int
		switch r.IntN(4) {
		case 0, 1:
			key = []int{0}
		case 2:
			key = []int{1, 0}
		}
		eo, en := encoders[r.IntN(3)], encoders[r.IntN(3)]
		if len(old) == 0 || len(now) == 0 { // a file of no rows has no columns as JSON lines
			eo, en = encoders[0], encoders[0]
		}
		in := Input{Old: Side{Name: eo.name, File: source(eo.encode(t, old))}, New: Side{Name: en.name, File: source(en.encode(t, now))}, Asked: true, Shown: 5, Temp: tempFiles(t)}
		for _, s := range []*Side{&in.Old, &in.New} {
			s.Options.BlockSize = 500
		}
		for _, k := range key {
			in.Key = append(in.Key, modelColumns[k])
		}
		if seed%2 == 0 {
			in.Memory = 1000
		}
		res, err := Compare(context.Background(), in)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		want := compareModel(old, now, key, eo.first, en.first, in.Shown)
		if diff := cmp.Diff(want, asModel(res)); diff != "" {
			t.Fatalf("seed %d, %s and %s, key %v (-want +got):\n%s", seed, eo.name, en.name, in.Key, diff)
		}
		if len(res.Problems) > 0 || len(res.Columns.Added)+len(res.Columns.Removed) > 0 {
			t.Fatalf("seed %d: %+v", seed, res)
		}
		if res.Before() != int64(len(old)) || res.After() != int64(len(now)) {
			t.Fatalf("seed %d: %d and %d rows, not %d and %d", seed, res.Before(), res.After(), len(old), len(now))
		}
		if res.Spilled > 0 {
			spilled++
		}
		for side, e := range []struct {
			s    Side
			want []modelRow
		}{{in.Old, old}, {in.New, now}} {
			if n, err := Count(context.Background(), e.s); err != nil || n != int64(len(e.want)) {
				t.Fatalf("seed %d side %d: %d rows, %v", seed, side, n, err)
			}
		}
	}
	if spilled < 5 {
		t.Errorf("only %d runs used temporary files", spilled)
	}
}

func compareText(t *testing.T, name, old, now string, in Input) *Result {
	t.Helper()
	in.Old, in.New = Side{Name: name, File: source([]byte(old))}, Side{Name: name, File: source([]byte(now))}
	if in.Shown == 0 {
		in.Shown = 10
	}
	res, err := Compare(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// lines are the rows that are shown, in short.
func lines(res *Result) (out []string) {
	text := func(s *string) string {
		if s == nil {
			return "∅"
		}
		return *s
	}
	for _, r := range res.Rows {
		s := fmt.Sprintf("%s %d %d", r.Kind, r.OldRow, r.NewRow)
		for _, c := range r.Cells {
			s += fmt.Sprintf(" %s=%s/%s", c.Column, text(c.Old), text(c.New))
		}
		out = append(out, s)
	}
	return out
}

func TestColumns(t *testing.T) {
	res := compareText(t, "a.csv", "id,x,gone\n1,5,a\n2,6,b\n", "x,id,come\n5,1,q\n6.5,2,q\n", Input{Key: []string{"id"}})
	want := Columns{Added: []string{"come"}, Removed: []string{"gone"}, Types: []TypeChange{{"x", "integer", "number"}}}
	if diff := cmp.Diff(want, res.Columns); diff != "" {
		t.Error(diff)
	}
	if res.Same != 1 || res.Changed != 1 || res.Cells != 1 {
		t.Errorf("%+v", res.Counts)
	}
	// The same label twice: the first with the first, the second with the second.
	if res = compareText(t, "a.csv", "a,a\n1,2\n", "a,a\n1,3\n", Input{}); res.Added != 1 || res.Removed != 1 {
		t.Errorf("%+v", res.Counts)
	}
	if res = compareText(t, "a.csv", "a\n1\n", "a\n1\n", Input{Key: []string{"k"}}); res.Key != nil || res.KeyLess != "k" || res.Same != 1 {
		t.Errorf("a key of the contract that is not there: %+v", res)
	}
	_, err := Compare(context.Background(), Input{Old: Side{Name: "a.csv", File: source([]byte("a\n1\n"))}, New: Side{Name: "a.csv", File: source([]byte("a\n1\n"))}, Key: []string{"k"}, Asked: true})
	var bad *Error
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), `no column "k"`) {
		t.Error(err)
	}
}

func TestRows(t *testing.T) {
	for _, c := range []struct {
		name, file, old, now string
		key                  []string
		want                 []string
	}{
		{"values", "a.csv", "id,v\n1,a\n2,b\n3,c\n", "id,v\n3,\n4,d\n1,a\n", []string{"id"}, []string{"changed 4 2 v=c/", "removed 3 0 id=2/∅ v=b/∅", "added 0 3 id=∅/4 v=∅/d"}},
		{"no key", "a.csv", "v\na\na\nb\n", "v\nb\na\nc\n", nil, []string{"removed 2 0 v=a/∅", "added 0 4 v=∅/c"}},
		{"repeated", "a.csv", "id,v\n1,a\n1,b\n", "id,v\n1,b\n1,b\n", []string{"id"}, []string{"removed 2 0 id=1/∅ v=a/∅", "added 0 3 id=∅/1 v=∅/b", "repeated 3 0", "repeated 0 3"}},
		{"null is no empty string", "a.jsonl", `{"id":1,"v":null}`, `{"id":1,"v":""}`, []string{"id"}, []string{"changed 1 1 v=∅/"}},
		{"numbers", "a.jsonl", `{"id":1,"v":1.0}` + "\n" + `{"id":2,"v":9007199254740993}`, `{"id":1,"v":1}` + "\n" + `{"id":2,"v":9007199254740992}`, []string{"id"}, []string{"changed 2 2 v=9007199254740993/9007199254740992"}},
		{"nested", "a.jsonl", `{"id":1,"v":{"a":1,"b":[1, 2]}}`, `{"id":1,"v":{"b":[1,2],"a":1}}`, []string{"id"}, nil},
		{"text of digits is no number", "a.jsonl", `{"id":1,"v":"1"}`, `{"id":1,"v":1}`, []string{"id"}, []string{"changed 1 1 v=1/1"}},
		{"null key", "a.csv", "id,v\n,a\n", "id,v\n,b\n", []string{"id"}, []string{"changed 2 2 v=a/b"}},
		{"all came", "a.csv", "", "id\n1\n", []string{"id"}, []string{"added 0 2 id=∅/1"}},
		{"no column in common", "a.csv", "a\n1\n", "b\n1\n", nil, []string{"removed 2 0 a=1/∅", "added 0 2 b=∅/1"}},
		{"where cells end", "a.csv", "a,b\nx\x01y,z\n", "a,b\nx,y\x01z\n", nil, []string{"removed 2 0 a=x\x01y/∅ b=z/∅", "added 0 2 a=∅/x b=∅/y\x01z"}},
		{"blank rows", "a.csv", "id\n1\n\n2\n", "id\n1\n2\n", []string{"id"}, nil},
		{"far in a value", "a.csv", "id,v\n1," + strings.Repeat("x", 100) + "abc\n", "id,v\n1," + strings.Repeat("x", 100) + "adc\n", []string{"id"},
			[]string{"changed 2 2 v=…xxxxxxxxxxxxxxxxxxxabc/…xxxxxxxxxxxxxxxxxxxadc"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, lines(compareText(t, c.file, c.old, c.now, Input{Key: c.key}))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestLateKey: a key of JSON lines that stands behind what is looked at first is compared, too.
func TestLateKey(t *testing.T) {
	fill := strings.Repeat(`{"id":0,"text":"`+strings.Repeat("x", 1000)+`"}`+"\n", 1100)
	res := compareText(t, "a.jsonl", fill+`{"id":1,"late":1}`, fill+`{"id":1,"late":2}`, Input{Key: []string{"id"}})
	if res.Changed != 1 || len(res.ByColumn) != 1 || res.ByColumn[0].Column != "late" {
		t.Errorf("%+v", res)
	}
}

func TestProblems(t *testing.T) {
	res := compareText(t, "a.csv", "a,b\n1,2\n", "a,b\n1,2,3\n4,5,6\n", Input{})
	if len(res.Problems) != 1 || res.Problems[0].Count != 2 || res.Problems[0].Row != 2 || res.Problems[0].Old {
		t.Errorf("%+v", res.Problems)
	}
	_, err := Compare(context.Background(), Input{Old: Side{Name: "a.parquet", File: source([]byte("a\n1\n"))}, New: Side{Name: "a.csv", File: source([]byte("a\n1\n"))}})
	var bad *Error
	if !errors.As(err, &bad) || !bad.Old {
		t.Error(err)
	}
}

// TestNoValues: nothing of the data is in the result but names of columns.
func TestNoValues(t *testing.T) {
	res := compareText(t, "a.csv", "id,v\n1,secret1\n2,secret2\n2,secret3\n4,secret\n", "id,v\n1,secret4\n3,secret5\n", Input{Key: []string{"id"}, NoValues: true})
	b, err := json.Marshal(res)
	if err != nil || strings.Contains(string(b), "secret") {
		t.Errorf("%s %v", b, err)
	}
	if res.Changed != 1 || res.Cells != 1 || res.Rows[0].Cells[0].Column != "v" {
		t.Errorf("%+v", res)
	}
}

// failing is a file that breaks.
type failing struct{ *bytes.Reader }

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off > 100 {
		return 0, io.ErrClosedPipe
	}
	return f.Reader.ReadAt(p, off)
}

func TestFailure(t *testing.T) {
	data := []byte("v\n" + strings.Repeat("abcdefg\n", 1<<16))
	in := Input{Old: Side{Name: "a.csv", File: source(data)}, New: Side{Name: "a.csv", File: failing{bytes.NewReader(data)}}}
	_, err := Compare(context.Background(), in)
	var bad *Error
	if !errors.Is(err, io.ErrClosedPipe) || errors.As(err, &bad) {
		t.Errorf("a failure of the machine is no finding: %v", err)
	}
	in.New, in.Memory = in.Old, 1000
	if _, err = Compare(context.Background(), in); err == nil || !strings.Contains(err.Error(), "no place for the rest") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err = Compare(ctx, in); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestTextAndTypes: where only one side has types, the other one is read as these.
func TestTextAndTypes(t *testing.T) {
	in := Input{Key: []string{"id"}, Shown: 9, New: Side{Name: "a.csv", File: source([]byte("id,s,b,n\n1,,true,2.50\n2,x,false,007\n3,,true,\n"))},
		Old: Side{Name: "a.jsonl", File: source([]byte(`{"id":1,"s":"","b":true,"n":2.5}` + "\n" + `{"id":2,"s":"x","b":true,"n":7}` + "\n" + `{"id":3,"s":null,"b":true}`))}}
	res, err := Compare(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"changed 2 3 b=true/false"}, lines(res)); diff != "" {
		t.Error(diff)
	}
}

// TestDecimals: all digits count between two files of Parquet; with other files, as much as a number of 64 bits holds.
func TestDecimals(t *testing.T) {
	type row struct {
		ID    int64    `parquet:"id"`
		Small int32    `parquet:"small,decimal(2:9)"`
		Big   int64    `parquet:"big,decimal(4:18)"`
		Fixed [16]byte `parquet:"fixed,decimal(3:38)"`
		Maybe *int64   `parquet:"maybe,optional,decimal(1:18)"`
	}
	encode := func(rows ...row) *bytes.Reader {
		var b bytes.Buffer
		w := parquet.NewGenericWriter[row](&b)
		if _, err := w.Write(rows); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return source(b.Bytes())
	}
	minus := [16]byte{0: 0xff, 15: 0xfe}
	for i := range minus[:15] {
		minus[i] = 0xff
	}
	one := int64(15)
	old := []row{{1, 250, 123456789012345678, minus, nil}, {2, -5, 10000, [16]byte{15: 0}, &one}, {3, 0, 0, [16]byte{}, nil}}
	now := slices.Clone(old)
	now[0].Big++
	now[2].Fixed[15] = 1
	in := Input{Old: Side{Name: "a.parquet", File: encode(old...)}, New: Side{Name: "b.parquet", File: encode(now...)}, Key: []string{"id"}, Asked: true, Shown: 9}
	res, err := Compare(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"changed 1 1 big=12345678901234.5678/12345678901234.5679", "changed 3 3 fixed=0/0.001"}
	if diff := cmp.Diff(want, lines(res)); diff != "" {
		t.Error(diff)
	}
	in.New = Side{Name: "b.csv", File: source([]byte("id,small,big,fixed,maybe\n1,2.50,12345678901234.5678,-0.002,\n2,-0.05,1.0,0,1.5\n3,0.00,0,0,0\n"))}
	if res, err = Compare(context.Background(), in); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"changed 3 4 maybe=∅/0"}, lines(res)); diff != "" {
		t.Error(diff)
	}
	if res.Columns.Any() {
		t.Errorf("%+v", res.Columns)
	}
}

// TestTimes: an instant is the same in any unit and as text.
func TestTimes(t *testing.T) {
	type millis struct {
		ID int64 `parquet:"id"`
		At int64 `parquet:"at,timestamp(millisecond)"`
	}
	type micros struct {
		ID int64 `parquet:"id"`
		At int64 `parquet:"at,timestamp(microsecond)"`
	}
	encode := func(w func(*bytes.Buffer) error) *bytes.Reader {
		var b bytes.Buffer
		if err := w(&b); err != nil {
			t.Fatal(err)
		}
		return source(b.Bytes())
	}
	list := []time.Time{time.Date(1969, 12, 31, 23, 59, 59, 999e6, time.UTC), time.Date(1500, 1, 1, 0, 0, 0, 5e6, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC)}
	old := encode(func(b *bytes.Buffer) error {
		w := parquet.NewGenericWriter[millis](b)
		for i, at := range list {
			w.Write([]millis{{int64(i), at.UnixMilli()}})
		}
		return w.Close()
	})
	now := encode(func(b *bytes.Buffer) error {
		w := parquet.NewGenericWriter[micros](b)
		for i, at := range list {
			w.Write([]micros{{int64(i), at.UnixMicro() + int64(i/2)}})
		}
		return w.Close()
	})
	text := "id,at\n0,1969-12-31T23:59:59.999Z\n1,1500-01-01 00:00:00.005\n2,9999-12-31T23:59:59.999001Z\n"
	want := []string{"changed 3 3 at=9999-12-31T23:59:59.999Z/9999-12-31T23:59:59.999001Z"}
	for name, file := range map[string]*bytes.Reader{"b.parquet": now, "b.csv": source([]byte(text))} {
		res, err := Compare(t.Context(), Input{Old: Side{Name: "a.parquet", File: old}, New: Side{Name: name, File: file}, Key: []string{"id"}, Asked: true, Shown: 9})
		if err != nil {
			t.Fatal(err)
		}
		got := lines(res)
		for i := range got {
			got[i] = strings.Replace(got[i], "changed 3 4", "changed 3 3", 1)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
