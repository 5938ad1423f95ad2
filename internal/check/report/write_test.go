package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func sample() []*Result {
	check := func(key, severity string, s Status, vs ...Violation) Check {
		return Check{Key: key, Kind: "type", Code: "type-error", Object: "t", Columns: []string{"a"}, Severity: severity, Text: "a is of type integer", Line: 7, Status: s, Count: int64(len(vs)) + 3, Total: 10, Violations: vs, Note: map[Status]string{Errored: "read x: disk", Skipped: "nothing"}[s]}
	}
	odd := Violation{Code: "type-error", File: "a\x1b[31m,b\xff\x9b:c.csv", Row: 3, Column: "a|b", Value: "<x>\n%\x00]]>", Note: "no, it: is\r\nnot"}
	r := &Result{Subject: "data:\x1b\xffx", Contract: "v:data.contract.yaml", Path: "data.contract.yaml", Rows: 10, Files: 2}
	r.Checks = []Check{check("t.ok", "error", Passed), check("t.bad", "error", Failed, odd), check("t.warn", "warning", Failed), check("t.info", "info", Failed), check("t.broken", "error", Errored), check("t.skip", "error", Skipped)}
	for i := range 25 {
		r.Checks = append(r.Checks, check(fmt.Sprintf("t.many-%02d", i), "error", Failed))
	}
	return []*Result{r, {Subject: "other", Contract: "o.yaml", Path: "a: b%.yaml", Checks: []Check{check("t.bad", "error", Failed)}}}
}

func written(t *testing.T, format string) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, format, sample()); err != nil {
		t.Fatal(err)
	}
	if i := strings.IndexAny(b.String(), "\x1b\x00"); i >= 0 || !utf8.Valid(b.Bytes()) {
		t.Errorf("%s has a control character at %d, or is no UTF-8", format, i)
	}
	return b.String()
}

func TestClean(t *testing.T) {
	for s, want := range map[string]string{
		"a b ü 🐟": "a b ü 🐟", "\x1b[31m\n\r\t": `\u001b[31m\n\r\t`, "a\xff\x9b31m": `a\xff\x9b31m`, "\u009b\u202e": `\u009b\u202e`,
		"\uFFFD": "\uFFFD", "\uFFFD\xef\xbf": "\uFFFD" + `\xef\xbf`,
	} {
		if got := Clean(s); got != want {
			t.Errorf("%q: %s, not %s", s, got, want)
		}
	}
}

// TestSARIF validates against the schema of OASIS.
func TestSARIF(t *testing.T) {
	schema, err := os.ReadFile("testdata/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("sarif.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	out, err := jsonschema.UnmarshalJSON(strings.NewReader(written(t, "sarif")))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(out); err != nil {
		t.Error(err)
	}
	for _, uri := range []string{"data.contract.yaml", "./a:%20b%25.yaml"} {
		if !strings.Contains(written(t, "sarif"), fmt.Sprintf("%q", uri)) {
			t.Errorf("no %s", uri)
		}
	}
	out.(map[string]any)["runs"].([]any)[0].(map[string]any)["results"].([]any)[0].(map[string]any)["level"] = "bad"
	if s.Validate(out) == nil {
		t.Error("the schema takes anything")
	}
}

// TestJUnit reads the report back: the numbers of a suite are those of its cases, as Jenkins and GitLab expect.
func TestJUnit(t *testing.T) {
	var back struct {
		Suites []struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Errors   int `xml:"errors,attr"`
			Skipped  int `xml:"skipped,attr"`
			Cases    []struct {
				Name    string    `xml:"name,attr"`
				Class   string    `xml:"classname,attr"`
				Failure *struct{} `xml:"failure"`
				Error   *struct{} `xml:"error"`
				Skipped *struct{} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(written(t, "junit")), &back); err != nil {
		t.Fatal(err)
	}
	for _, s := range back.Suites {
		n := [4]int{len(s.Cases)}
		for _, c := range s.Cases {
			if c.Name == "" || c.Class == "" {
				t.Error("a case without a name")
			}
			for i, p := range []*struct{}{c.Failure, c.Error, c.Skipped} {
				if p != nil {
					n[i+1]++
				}
			}
		}
		if want := [4]int{s.Tests, s.Failures, s.Errors, s.Skipped}; n != want {
			t.Errorf("cases %v, suite %v", n, want)
		}
	}
	if len(back.Suites) != 2 {
		t.Errorf("%d suites", len(back.Suites))
	}
}

// TestGitLab has what GitLab's documentation asks of a code quality report; of equal fingerprints it would show one.
func TestGitLab(t *testing.T) {
	var issues []map[string]any
	if err := json.Unmarshal([]byte(written(t, "gitlab")), &issues); err != nil {
		t.Fatal(err)
	}
	prints := map[any]bool{}
	for _, i := range issues {
		for _, key := range []string{"description", "check_name", "fingerprint", "severity", "location"} {
			if i[key] == nil || i[key] == "" {
				t.Errorf("an issue lacks %s: %v", key, i)
			}
		}
		if s := i["severity"]; !strings.Contains(" info minor major critical blocker ", fmt.Sprintf(" %s ", s)) {
			t.Errorf("severity %s", s)
		}
		at := i["location"].(map[string]any)
		if p := at["path"]; p != "data.contract.yaml" && p != "a: b%.yaml" {
			t.Errorf("path %s", p)
		}
		if at["lines"].(map[string]any)["begin"].(float64) < 1 {
			t.Error("no line")
		}
		prints[i["fingerprint"]] = true
	}
	if len(issues) != 30 || len(prints) != len(issues) {
		t.Errorf("%d issues, %d fingerprints", len(issues), len(prints))
	}
	if !strings.HasPrefix(strings.TrimSpace(written(t, "gitlab")), "[") {
		t.Error("not a list")
	}
}

func TestGitHub(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(written(t, "github")), "\n")
	count := map[string]int{}
	for _, l := range lines {
		level, rest, ok := strings.Cut(strings.TrimPrefix(l, "::"), " ")
		props, text, ok2 := strings.Cut(rest, "::")
		if !ok || !ok2 || text == "" || strings.Count(props, ",") != 2 || strings.Count(props, ":") != 0 || !strings.HasPrefix(l, "::") {
			t.Errorf("%q", l)
		}
		count[level]++
	}
	if count["error"] != annotations || count["warning"] != 1 || count["notice"] != 1 {
		t.Error(count)
	}
	if !strings.Contains(lines[annotations-1], "%0A+18 more") {
		t.Errorf("%q", lines[annotations-1])
	}
	if got := Outputs(sample(), ""); !strings.HasPrefix(got, "status=failed\npassed=1\n") {
		t.Error(got)
	}
	if got := Outputs(sample(), Skipped); !strings.HasPrefix(got, "status=skipped\n") {
		t.Error(got)
	}
}

func TestMarkdown(t *testing.T) {
	md := written(t, "markdown")
	for line := range strings.Lines(md) {
		if strings.HasPrefix(line, "| ") {
			if n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|"); n != 5 {
				t.Errorf("%d bars: %s", n, line)
			}
		}
	}
	if strings.Contains(md, "<x>") || !strings.Contains(md, "### data:") {
		t.Error(md)
	}
	if err := Write(&bytes.Buffer{}, "pdf", nil); err == nil {
		t.Error("pdf is a format")
	}
}
