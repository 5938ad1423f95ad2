package htmlreport

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tarn/internal/check/report"
	"tarn/internal/profile"
	"tarn/internal/profile/compare"
	"tarn/store/digest"
)

// element is a start tag of a page.
type element struct {
	name  string
	attrs map[string]string
	text  string // of a heading, with what is in it
}

// parse reads a page, which is well-formed XML but for its first line.
func parse(t *testing.T, page []byte) (es []element) {
	t.Helper()
	body, ok := bytes.CutPrefix(page, []byte("<!DOCTYPE html>\n"))
	if !ok {
		t.Fatalf("the page begins with %.40q", page)
	}
	d := xml.NewDecoder(bytes.NewReader(body))
	heading := -1
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return es
		}
		if err != nil {
			t.Fatalf("the page is not well-formed: %v", err)
		}
		switch x := tok.(type) {
		case xml.StartElement:
			e := element{name: x.Name.Local, attrs: map[string]string{}}
			for _, a := range x.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			es = append(es, e)
			if strings.HasPrefix(e.name, "h") && len(e.name) == 2 {
				heading = len(es) - 1
			}
		case xml.EndElement:
			if heading >= 0 && x.Name.Local == es[heading].name {
				heading = -1
			}
		case xml.CharData:
			if heading >= 0 {
				es[heading].text += string(x)
			}
		}
	}
}

// sound checks what holds for every page.
func sound(t *testing.T, page []byte) []element {
	t.Helper()
	es := parse(t, page)
	ids := map[string]bool{}
	for _, e := range es {
		if id := e.attrs["id"]; id != "" && ids[id] {
			t.Errorf("id %q is there twice", id)
		} else if id != "" {
			ids[id] = true
		}
	}
	allowed := strings.Fields("html head meta title style body header main section h1 h2 h3 p span dl div dt dd ul li table thead tbody tr th td bdi a code em strong details summary figure figcaption svg path rect")
	for _, e := range es {
		if !slices.Contains(allowed, e.name) {
			t.Errorf("there is an element %s", e.name)
		}
		for name, v := range e.attrs {
			switch {
			case strings.HasPrefix(name, "on"), name == "src", name == "style", name == "srcdoc":
				t.Errorf("<%s %s=%q>", e.name, name, v)
			case strings.Contains(v, "http:"), strings.Contains(v, "https:"), strings.Contains(v, "//"):
				if e.name != "meta" && name != "aria-label" {
					t.Errorf("<%s %s=%q> is elsewhere", e.name, name, v)
				}
			}
		}
		if href, ok := e.attrs["href"]; ok && !ids[strings.TrimPrefix(href, "#")] {
			t.Errorf("nothing is at %q", href)
		}
		if by, ok := e.attrs["aria-labelledby"]; ok && !ids[by] {
			t.Errorf("nothing is at %q", by)
		}
		if e.name == "th" && e.attrs["scope"] == "" {
			t.Error("a th has no scope")
		}
		if e.name == "svg" && e.attrs["aria-hidden"] == "" && (e.attrs["aria-label"] == "" || e.attrs["role"] != "img") {
			t.Error("an svg has no label")
		}
	}
	return es
}

// columnsOf profiles a CSV table.
func columnsOf(t testing.TB, text string) *profile.Profile {
	t.Helper()
	p, err := profile.Build(context.Background(), "t.csv", strings.NewReader(text), digest.Sum([]byte(text)), profile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func compared(name string, ref, cur *profile.Profile) Table {
	tab := Table{Subject: "data", Name: name, Ref: ref, Cur: cur}
	for _, c := range cur.Columns {
		tab.Columns = append(tab.Columns, compare.Columns(c.Name, compare.Side{Column: ref.Column(c.Name)}, compare.Side{Column: c}, compare.Defaults("")))
	}
	for _, c := range ref.Columns {
		if cur.Column(c.Name) == nil {
			tab.Columns = append(tab.Columns, compare.Columns(c.Name, compare.Side{Column: c}, compare.Side{}, compare.Defaults("")))
		}
	}
	compare.Adjust(tab.Columns)
	return tab
}

// secrets are values that a page without values must not show.
var secrets = []string{"4321.5", "9876", "secret", "vanishing"}

// sample is a report with all parts.
func sample(t testing.TB) *Report {
	r := rand.New(rand.NewPCG(1, 2))
	table := func(shift float64, words []string, end string) *profile.Profile {
		var b strings.Builder
		b.WriteString("amount,word,day,note," + end + "\n")
		for i := range 2000 {
			fmt.Fprintf(&b, "%.3f,%s,2024-01-%02d,%s,%d\n", r.NormFloat64()+shift, words[i%len(words)], 1+i%28, strings.Repeat("n", 1+i%300)+strconv.Itoa(i), i%7)
		}
		b.WriteString("-4321.5,secret,2024-01-01,x,1\n9876,secret,2024-01-01,y,2\n")
		return columnsOf(t, b.String())
	}
	ref, cur := table(0, []string{"a", "b", "vanishing"}, "gone"), table(1, []string{"a", "b", "<script>alert(1)</script>", `"""onload=x"`, "\u202egnp.exe"}, "new")
	return &Report{
		Title: "Drift of data", Compared: true, Unasked: "tarn drift --check",
		From: Version{Name: "v1", Commit: strings.Repeat("ab", 20), Date: "2024-01-02 10:00 +0000", Subject: "one & only"}, To: Version{Name: "work tree"},
		Tables:   []Table{{Subject: "data", Name: "same", Unchanged: true}, {Subject: "data", Name: "more", Cur: cur}, compared("*.csv", ref, cur)},
		Changes:  &Changes{Added: 1, Modified: 300, BytesAdded: 5, BytesBefore: 10, BytesAfter: 2000, List: []Change{{Kind: "added", Path: "a<b>.csv", Old: -1, New: 5}}},
		Problems: []string{"x.csv: it is gone"},
	}
}

func TestPage(t *testing.T) {
	r := sample(t)
	page, err := Render(r)
	if err != nil {
		t.Fatal(err)
	}
	var outline []string
	for _, e := range sound(t, page) {
		if e.text != "" {
			outline = append(outline, e.name+" "+strings.Join(strings.Fields(e.text), " "))
		}
	}
	want := []string{"h1 Drift of data", "h2 What could not be had", "h2 Tables", "h2 Files that changed", "h2 Violations of the contract", "h2 data *.csv ✖ drift",
		"h3 word", "h3 amount", "h3 gone", "h3 new", "h3 day", "h3 note", "h2 How to read this"}
	if !slices.Equal(outline, want) {
		t.Errorf("the headings are\n%q, want\n%q", outline, want)
	}
	for _, has := range []string{"&lt;script&gt;alert(1)&lt;/script&gt;", "New categories (3,", "Vanished categories (1,", `\u202egnp.exe`, "abababababab", "one &amp; only", "a&lt;b&gt;.csv", "… and 300 more", "tarn drift --check",
		"<th scope=\"row\">median</th>", "length of the texts"} {
		if !bytes.Contains(page, []byte(has)) {
			t.Errorf("the page lacks %q", has)
		}
	}
	again, err := Render(r)
	if err != nil || !bytes.Equal(page, again) {
		t.Errorf("the same report is another page: %v", err)
	}
	css := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindSubmatch(page)
	sum := sha256.Sum256(css[1])
	if !bytes.Contains(page, []byte("sha256-"+strings.ReplaceAll(base64.StdEncoding.EncodeToString(sum[:]), "+", "&#43;"))) {
		t.Error("the policy does not have the hash of the style sheet")
	}
}

func TestNoValues(t *testing.T) {
	r := sample(t)
	page, err := Render(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets {
		if !bytes.Contains(bytes.ReplaceAll(page, []byte(","), nil), []byte(s)) {
			t.Errorf("the page with values has no %s: this test would see nothing", s)
		}
	}
	r.NoValues = true
	for _, tab := range r.Tables {
		for _, c := range tab.Columns {
			c.Hide()
		}
	}
	if page, err = Render(r); err != nil {
		t.Fatal(err)
	}
	sound(t, page)
	for _, s := range append(secrets, "alert", "gnp.exe", "2024-01-28") {
		if bytes.Contains(bytes.ReplaceAll(page, []byte(","), nil), []byte(s)) {
			t.Errorf("the page without values has %q", s)
		}
	}
}

// Whatever there is to show, a page stays below its bound.
func TestSize(t *testing.T) {
	const columns, rows = 2000, 12
	long := strings.Repeat(`"<'&`, 60)
	side := func(k int) *profile.Profile {
		var b strings.Builder
		for c := range columns {
			fmt.Fprintf(&b, `"%d%s",`, c, strings.ReplaceAll(long, `"`, `""`))
		}
		text := b.String() + "end\n"
		b.Reset()
		for i := range rows {
			for c := range columns {
				if c%2 == 0 {
					fmt.Fprintf(&b, "%d.5,", (i*7+c)*k)
				} else {
					fmt.Fprintf(&b, `"%d%s",`, i*k, strings.ReplaceAll(long, `"`, `""`))
				}
			}
			b.WriteString("e\n")
		}
		return columnsOf(t, text+b.String())
	}
	one := compared("t", side(1), side(3))
	if len(one.Columns) != columns+1 {
		t.Fatalf("there are %d columns", len(one.Columns))
	}
	r := &Report{Title: long, Compared: true, From: Version{Name: long, Subject: long}, To: Version{Name: long}, Changes: &Changes{Added: 1e6}}
	for i := range 3 {
		tab := one
		tab.Name = fmt.Sprint(i, long)
		r.Tables = append(r.Tables, tab)
	}
	for range 2000 {
		r.Tables = append(r.Tables, Table{Subject: long, Name: long, Cur: &profile.Profile{Problem: long + long}})
		r.Changes.List = append(r.Changes.List, Change{Kind: "renamed", Path: long, From: long})
		r.Problems = append(r.Problems, long)
	}
	res := &report.Result{Subject: long, Contract: long}
	for range 500 {
		c := report.Check{Key: long, Text: long, Note: long, Severity: "error", Status: report.Failed, Count: 1000}
		for range 20 {
			c.Violations = append(c.Violations, report.Violation{File: long, Row: 1, Column: long, Value: long, Note: long})
		}
		res.Checks = append(res.Checks, c)
	}
	for range 300 {
		r.Checks = append(r.Checks, res)
	}
	page, err := Render(r)
	if err != nil {
		t.Fatal(err)
	}
	sound(t, page)
	if len(page) >= MaxSize || len(page) < MaxSize*3/4 {
		t.Errorf("the page has %d bytes", len(page))
	}
}

func TestChecks(t *testing.T) {
	res := &report.Result{Subject: "data", Contract: "data.contract.yaml", Checks: []report.Check{
		{Key: "t.a.required", Text: "a is there", Status: report.Failed, Severity: "error", Count: 7, Total: 9, Line: 12, Violations: []report.Violation{{File: "x.csv", Row: 3, Column: "a", Value: "<b>"}}},
		{Key: "t.b.unique", Text: "b is unique", Status: report.Errored, Severity: "error", Note: "no disk"},
		{Key: "t.rows", Status: report.Passed}}}
	page, err := Render(&Report{Title: "Checks", Checks: []*report.Result{res}})
	if err != nil {
		t.Fatal(err)
	}
	sound(t, page)
	for _, has := range []string{"x.csv row 3 column a: &#34;&lt;b&gt;&#34;", "… and 6 more", "could not be checked: no disk", `<span class="badge failed">`, "1 of 3 checks failed"} {
		if !bytes.Contains(page, []byte(has)) {
			t.Errorf("the page lacks %q", has)
		}
	}
	if bytes.Contains(page, []byte("t.rows")) || bytes.Contains(page, []byte("Tables")) {
		t.Error("the page has what passed, or tables")
	}
}

// What nobody judged is not ok, neither in the line of its column nor above its histograms.
func TestUnjudged(t *testing.T) {
	csv := func(from int) *profile.Profile {
		var b strings.Builder
		b.WriteString("id,day,x\n")
		for i := range 2000 {
			fmt.Fprintf(&b, "%d,20%02d-01-02,%d\n", from+i, 10+i%10+from%7, i%5)
		}
		return columnsOf(t, b.String())
	}
	page, err := Render(&Report{Title: "x", Compared: true, Tables: []Table{compared("t", csv(0), csv(5000))}})
	if err != nil {
		t.Fatal(err)
	}
	for column, want := range map[string]string{"id": "measured", "day": "measured", "x": "ok"} {
		for _, at := range []string{`(?s)<tr><th scope="row">(?:<a [^>]*>)?<bdi>` + column + `</bdi>.*?<span class="badge ([a-z]+)">`, `<summary><h3><bdi>` + column + `</bdi></h3> <span class="badge ([a-z]+)">`} {
			if m := regexp.MustCompile(at).FindSubmatch(page); m == nil || string(m[1]) != want {
				t.Errorf("%s: %s, want %s", column, m, want)
			}
		}
	}
}

// A constant, infinities and nothing are no chart, and no error.
func TestOddColumns(t *testing.T) {
	csv := func(lines ...string) *profile.Profile {
		return columnsOf(t, "x,e\n"+strings.Repeat(strings.Join(lines, ",e\n")+",e\n", 30))
	}
	for _, sides := range [][2]*profile.Profile{{csv("1"), csv("1")}, {csv("INF", "1", "2.5"), csv("-INF", "3")}, {csv(""), csv("")}, {csv("NaN"), csv("NaN")}, {csv("1", "2"), csv("a", "b")}, {csv("1e308", "-1e308"), csv("1", "2")},
		{csv("2024-01-01"), csv("2024-01-01", "2025-01-01")}} {
		page, err := Render(&Report{Title: "x", Compared: true, Tables: []Table{compared("t", sides[0], sides[1])}})
		if err != nil {
			t.Fatal(err)
		}
		es := sound(t, page)
		for _, e := range es {
			if strings.ContainsAny(e.attrs["d"], "NI+-") || strings.ContainsAny(e.attrs["width"], "NI+-") {
				t.Errorf("%v is no drawing", e.attrs)
			}
		}
	}
}

// Text has a contrast of 4.5 to 1 with what is behind it, and what is drawn 3 to 1, by day and by night (WCAG 2.2, 1.4.3 and 1.4.11).
func TestContrast(t *testing.T) {
	luminance := func(hex string) (l float64) {
		if len(hex) == 3 {
			hex = hex[:1] + hex[:1] + hex[1:2] + hex[1:2] + hex[2:] + hex[2:]
		}
		n, err := strconv.ParseUint(hex, 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range []float64{.0722, .7152, .2126} {
			c := float64(n>>(8*i)&255) / 255
			if c <= .04045 {
				c /= 12.92
			} else {
				c = math.Pow((c+.055)/1.055, 2.4)
			}
			l += w * c
		}
		return l
	}
	roots := regexp.MustCompile(`:root\{([^}]*)\}`).FindAllStringSubmatch(style, -1)
	if len(roots) != 3 {
		t.Fatalf("there are %d sets of colors", len(roots))
	}
	for i, root := range roots {
		v := map[string]float64{}
		for _, m := range regexp.MustCompile(`--(\w+):#(\w+)`).FindAllStringSubmatch(root[1], -1) {
			v[m[1]] = luminance(m[2])
		}
		for _, p := range []struct {
			a, b string
			want float64
		}{{"fg", "bg", 4.5}, {"fg", "panel", 4.5}, {"soft", "bg", 4.5}, {"soft", "panel", 4.5}, {"link", "bg", 4.5}, {"bad", "badbg", 4.5}, {"warn", "warnbg", 4.5}, {"warn", "panel", 4.5}, {"good", "goodbg", 4.5},
			{"plain", "plainbg", 4.5}, {"ref", "panel", 2.8}, {"cur", "panel", 3}} {
			a, b := v[p.a], v[p.b]
			if got := (math.Max(a, b) + .05) / (math.Min(a, b) + .05); got < p.want {
				t.Errorf("set %d: %s on %s has a contrast of %.2f, want %.1f", i, p.a, p.b, got, p.want)
			}
		}
	}
}
