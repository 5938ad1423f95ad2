package profile

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"tarn/internal/check/table"
	"tarn/internal/drift"
	"tarn/store/digest"
)

func build(t testing.TB, text string, o Options) *Profile {
	t.Helper()
	p, err := Build(context.Background(), "t.csv", bytes.NewReader([]byte(text)), digest.Sum([]byte(text)), o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func encoded(p *Profile) []byte { return p.Encode(digest.Digest{1}, digest.Digest{2}) }

const small = `n,f,t,s,b,e,m
1,0.5,2024-01-01,apple,true,,1
2,-1.5,2024-01-02,apple,true,,x
2,NaN,2024-01-03,pear,false,,2
,INF,2024-01-03T12:00:00Z,,true,,-0
`

func TestBuild(t *testing.T) {
	p := build(t, small, Options{})
	if p.Rows != 4 || p.Problem != "" || len(p.Columns) != 7 {
		t.Fatalf("%+v", p)
	}
	var got []string
	for _, c := range p.Columns {
		n, exact := c.Distinct()
		d := c.Dist()
		got = append(got, fmt.Sprintf("%s %s nulls %d values %d distinct %d %v nan %d inf %d [%v, %v] mean %v var %.4g", c.Name, c.Kind(), c.Nulls, c.Values(), n, exact, d.NaN, d.Inf, d.Min, d.Max, d.Mean, d.Variance()))
	}
	want := []string{
		"n number nulls 1 values 3 distinct 2 true nan 0 inf 0 [1, 2] mean 1.6666666666666667 var 0.2222",
		"f number nulls 0 values 4 distinct 3 true nan 1 inf 1 [-1.5, +Inf] mean -0.5 var 1",
		"t time nulls 0 values 4 distinct 4 false nan 0 inf 0 [1.7040672e+09, 1.7042832e+09] mean 1.704186e+09 var 6.882e+09",
		"s text nulls 1 values 3 distinct 2 true nan 0 inf 0 [4, 5] mean 4.666666666666667 var 0.2222",
		"b text nulls 0 values 4 distinct 2 true nan 0 inf 0 [4, 5] mean 4.25 var 0.1875",
		"e empty nulls 4 values 0 distinct 0 true nan 0 inf 0 [0, 0] mean 0 var NaN",
		"m text nulls 0 values 4 distinct 4 true nan 0 inf 0 [1, 1] mean 1 var 0",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if top := p.Column("s").Top.Values(); top[0] != (Value{Text: "apple", N: 2}) {
		t.Errorf("%v", top)
	}
	if p := build(t, "a,a,\n1,2,3\n", Options{Nulls: Nulls{"2"}}); p.Columns[1].Name != "a#2" || p.Columns[2].Name != "#3" || p.Columns[1].Nulls != 1 {
		t.Errorf("%+v", p.Columns[1])
	}
	if p := build(t, "zip,n\n01234,1\n1234,2\n", Options{Texts: []string{"zip"}}); p.Columns[0].Kind() != Text || p.Columns[0].Top.Len() != 2 || p.Columns[1].Kind() != Number {
		t.Errorf("%+v", p.Columns[0])
	}
	a, b := Options{}, Options{Workers: 3}
	if a.Digest("x.csv") != b.Digest("y/z.CSV") || a.Digest("x.csv") == a.Digest("x.tsv") {
		t.Error("digests of options")
	}
	if p := build(t, "", Options{}); !strings.Contains(p.Problem, "empty") || len(p.Columns) != 0 {
		t.Errorf("%+v", p)
	}
}

// Integers, numbers and texts are counted alike, whatever the format.
func TestFormats(t *testing.T) {
	js := "{\"n\": 1, \"s\": \"1\", \"b\": true}\n{\"n\": 2.5, \"s\": \"x\", \"b\": null}\n"
	p, err := Build(context.Background(), "t.jsonl", bytes.NewReader([]byte(js)), digest.Digest{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n, s, b := p.Column("n"), p.Column("s"), p.Column("b"); n.Numbers.N != 2 || s.Lengths.N != 2 || s.Numbers.N != 0 || b.Nulls != 1 || b.Top.Values()[0].Text != "true" {
		t.Errorf("%+v", p)
	}
}

// A key of JSON lines that comes late is a column all the same.
func TestLateKey(t *testing.T) {
	js := strings.Repeat("{\"n\": 1}\n", 50_000) + "{\"late\": 2}\n"
	p, err := Build(context.Background(), "t.jsonl", bytes.NewReader([]byte(js)), digest.Digest{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c := p.Column("late"); c == nil || c.Nulls != 50_000 || c.Numbers.N != 1 {
		t.Errorf("%+v", c)
	}
}

func TestParquet(t *testing.T) {
	type row struct {
		N    int64     `parquet:"n"`
		F    *float64  `parquet:"f,optional"`
		S    string    `parquet:"s,dict"`
		B    bool      `parquet:"b"`
		Day  int32     `parquet:"day,date"`
		At   time.Time `parquet:"at,timestamp(millisecond)"`
		List []int64   `parquet:"list,list"`
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b, parquet.MaxRowsPerRowGroup(1000))
	for i := range 2500 {
		r := row{N: int64(i), S: []string{"a", "b"}[i%2], B: i%5 == 0, Day: int32(i % 10), At: time.Unix(int64(i), 0), List: []int64{1}}
		if f := float64(i) / 2; i%4 > 0 {
			r.F = &f
		}
		if i == 7 {
			r.At = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
		}
		if _, err := w.Write([]row{r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	p, err := Build(context.Background(), "t.parquet", bytes.NewReader(b.Bytes()), digest.Digest{}, Options{})
	if err != nil || p.Problem != "" || p.Rows != 2500 {
		t.Fatal(err, p.Problem, p.Rows)
	}
	var got []string
	for _, c := range p.Columns {
		n, exact := c.Distinct()
		got = append(got, fmt.Sprintf("%s %s %d %d %v [%v, %v]", c.Name, c.Kind(), c.Nulls, n/10*10, exact, c.Dist().Min, c.Dist().Max))
	}
	want := []string{"n number 0 2500 true [0, 2499]", "f number 625 1870 true [0.5, 1249.5]", "s text 0 0 true [1, 1]", "b text 0 0 true [4, 5]", "day time 0 10 false [0, 777600]"}
	if d := cmp.Diff(want, got[:5]); d != "" {
		t.Error(d)
	}
	if at := p.Column("at"); at.Kind() != Time || at.Times.N != 2500 || at.Times.Max != 253402300799 {
		t.Errorf("%s, %d, %v", at.Kind(), at.Times.N, at.Times.Max)
	}
	if l := p.Column("list"); l == nil || l.Kind() != Text || l.Top.Values()[0] != (Value{Text: "[1]", N: 2500}) { // as JSON
		t.Errorf("%+v", p.Columns[6].Top)
	}
	vs := map[string]*Values{"f": {}}
	if err := Collect(context.Background(), "t.parquet", bytes.NewReader(b.Bytes()), Options{}, vs); err != nil || len(vs["f"].Numbers) != 1875 {
		t.Error(err, len(vs["f"].Numbers))
	}
}

// wide is a table with columns of every kind, larger than a block.
func wide(rows int, seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	b.WriteString("id,normal,class,word,day\n")
	for i := range rows {
		fmt.Fprintf(&b, "%d,%.6f,%d,w%d,2024-%02d-%02d\n", i, r.NormFloat64(), r.IntN(5), r.IntN(20000), 1+r.IntN(12), 1+r.IntN(28))
	}
	return b.String()
}

// The profile is a function of the file: not of the workers, nor of chance.
func TestDeterministic(t *testing.T) {
	text := wide(30_000, 1)
	o := Options{Table: table.Options{BlockSize: 64 << 10}, Workers: 1}
	want := encoded(build(t, text, o))
	for _, o.Workers = range []int{1, 2, 7} {
		if !bytes.Equal(want, encoded(build(t, text, o))) {
			t.Fatalf("%d workers make another profile", o.Workers)
		}
	}
}

func exact(t *testing.T, text string, col string, k Kind) drift.Sample {
	t.Helper()
	v := &Values{}
	if err := Collect(context.Background(), "t.csv", bytes.NewReader([]byte(text)), Options{}, map[string]*Values{col: v}); err != nil {
		t.Fatal(err)
	}
	return v.Of(k)
}

// farthest is the largest difference of the two distribution functions.
func farthest(a, b drift.Sample) float64 { return drift.KolmogorovSmirnov(a, b).D }

// Merged profiles of parts say within their bands what there is in all.
func TestMergeWithinBand(t *testing.T) {
	whole := "id,normal,class,word,day\n"
	merged := &Profile{}
	var parts []*Profile
	for i := range 8 {
		text := wide(8000+1000*i, uint64(i))
		_, body, _ := strings.Cut(text, "\n")
		whole += body
		p := build(t, text, Options{Table: table.Options{BlockSize: 100 << 10}})
		parts = append(parts, p)
		merged.Merge(p)
	}
	all := build(t, whole, Options{})
	for _, name := range []string{"id", "normal", "day"} {
		m, a := merged.Column(name), all.Column(name)
		e := exact(t, whole, name, m.Kind())
		for _, c := range []*Column{m, a} {
			s := c.Dist().Sketch.Sample()
			if s.N() != e.N() || s.Eps == 0 {
				t.Errorf("%s: %d values, band %v", name, s.N(), s.Eps)
			}
			if d := farthest(s, e); d > s.Eps {
				t.Errorf("%s: off by %v, more than %v", name, d, s.Eps)
			}
		}
		if dm, da := m.Dist(), a.Dist(); dm.Min != da.Min || dm.Max != da.Max || math.Abs(dm.Mean-da.Mean) > 1e-9*math.Abs(da.Mean)+1e-9 || math.Abs(dm.Variance()/da.Variance()-1) > 1e-9 {
			t.Errorf("%s: %+v, %+v", name, dm, da)
		}
	}
	if d := cmp.Diff(all.Column("class").Top.Values(), merged.Column("class").Top.Values()); d != "" {
		t.Error(d)
	}
	if n, exact := merged.Column("id").Distinct(); exact || math.Abs(float64(n)/15000-1) > .06 {
		t.Errorf("distinct %d", n)
	}
	// In another order: the same but for the last digits, and the band.
	slices.Reverse(parts)
	other := &Profile{}
	for _, p := range parts {
		other.Merge(p)
	}
	for i, c := range other.Columns {
		m := merged.Columns[i]
		if c.Rows != m.Rows || c.Nulls != m.Nulls || c.distinct != m.distinct || c.Numbers.N != m.Numbers.N || c.Numbers.Min != m.Numbers.Min || c.Numbers.Max != m.Numbers.Max {
			t.Errorf("%s depends on the order", c.Name)
		}
		if d := farthest(c.Dist().Sketch.Sample(), m.Dist().Sketch.Sample()); c.Dist().N > 0 && d > 2*m.Dist().Sketch.Eps() {
			t.Errorf("%s: %v", c.Name, d)
		}
	}
}

// A value is there at most Missed times more often than it says.
func TestTopBound(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	truth := map[string]int64{}
	var b strings.Builder
	b.WriteString("w,x\n")
	for range 60_000 {
		w := fmt.Sprintf("w%d", int(math.Exp(r.Float64()*11)))
		truth[w]++
		b.WriteString(w + ",\n")
	}
	top := build(t, b.String(), Options{Table: table.Options{BlockSize: 64 << 10}}).Columns[0].Top
	if top.Exact() || top.Len() == 0 || top.Len() > topKept {
		t.Fatalf("%d values, missed %d", top.Len(), top.Missed)
	}
	seen := map[string]bool{}
	for _, v := range top.Values() {
		seen[v.Text] = true
		if n := truth[v.Text]; v.N > n || v.N+top.Missed < n {
			t.Errorf("%s: %d+%d, is %d", v.Text, v.N, top.Missed, n)
		}
	}
	for w, n := range truth {
		if !seen[w] && n > top.Missed {
			t.Errorf("%s is missing, %d > %d", w, n, top.Missed)
		}
	}
}

func TestDistinct(t *testing.T) {
	for _, n := range []int{0, 1, 10, 100, 1000, 5000, 50_000, 500_000} {
		var h HLL
		for i := range n {
			h.add(hashBits(math.Float64bits(float64(i))))
		}
		if e := h.Estimate(); math.Abs(e-float64(n)) > .05*float64(n) {
			t.Errorf("%d: %v", n, e)
		}
	}
	var h HLL
	for i := range 20_000 {
		h.add(hashText(fmt.Appendf(nil, "user-%d@example.org", i)))
	}
	if e := h.Estimate(); math.Abs(e/20_000-1) > .05 {
		t.Errorf("texts: %v", e)
	}
}

func TestEncode(t *testing.T) {
	for _, text := range []string{small, "", "a\n", wide(20_000, 2)} {
		p := build(t, text, Options{Table: table.Options{BlockSize: 64 << 10}})
		b := encoded(p)
		q, file, options, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if file != (digest.Digest{1}) || options != (digest.Digest{2}) || !bytes.Equal(encoded(q), b) {
			t.Error("it changed")
		}
		// What was decoded merges as what was made.
		m1, m2 := &Profile{}, &Profile{}
		for _, x := range []*Profile{p, p} {
			m1.Merge(x)
		}
		for _, x := range []*Profile{q, q} {
			m2.Merge(x)
		}
		m1.Finish()
		m2.Finish()
		if !bytes.Equal(encoded(m1), encoded(m2)) {
			t.Error("it merges in another way")
		}
		for i := range b {
			if len(b) > 10_000 && i%9973 != 0 {
				continue
			}
			c := bytes.Clone(b)
			c[i] ^= 4
			if _, _, _, err := Decode(c); err == nil {
				t.Fatalf("byte %d of %d can be changed", i, len(b))
			}
			if _, _, _, err := Decode(b[:i]); err == nil {
				t.Fatalf("%d bytes of %d are enough", i, len(b))
			}
		}
	}
}

// FuzzDecode puts the right checksum behind what it is given: it is not what keeps wrong bytes out.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{small, "", "a\n", "a,b\nx,1\ny,2024-01-01\n"} {
		b := encoded(build(f, text, Options{}))
		f.Add(b[:len(b)-32])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		sum := digest.Sum(b)
		b = append(b, sum[:]...)
		p, file, options, err := Decode(b)
		if err != nil {
			return
		}
		if !bytes.Equal(p.Encode(file, options), b) {
			t.Error("two encodings")
		}
		q := &Profile{}
		q.Merge(p)
		q.Merge(p)
		for _, c := range q.Columns {
			c.Distinct()
			c.Dist().Sketch.Sample()
		}
	})
}

var update = flag.Bool("update", false, "write testdata anew; then Version has to change")

// The bytes of a profile are pinned: profiles that are kept merge with those that will be made.
func TestVector(t *testing.T) {
	var b strings.Builder
	b.WriteString("n,word,day\n")
	for i := range 40_000 { // values of which all sums are exact, whatever a processor does
		fmt.Fprintf(&b, "%d,w%d,2024-01-%02d\n", i*2654435761%65536, i*i%11, 1+i%31)
	}
	got := encoded(build(t, b.String(), Options{Table: table.Options{BlockSize: 64 << 10}}))
	const file = "testdata/vector-2.profile"
	if *update {
		if err := os.WriteFile(file, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := Decode(want); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(want, got) && runtime.GOARCH == "amd64" {
		t.Errorf("%d bytes, not the %d of %s: another format, hash or sketch needs another Version", len(got), len(want), file)
	}
}
