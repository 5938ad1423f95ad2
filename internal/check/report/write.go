package report

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Formats are the forms that Write knows.
var Formats = []string{"github", "gitlab", "junit", "markdown", "sarif"}

// Write writes results in a form of Formats.
func Write(w io.Writer, format string, rs []*Result) error {
	switch format {
	case "junit":
		return writeJUnit(w, rs)
	case "sarif":
		return writeSARIF(w, rs)
	case "gitlab":
		return writeGitLab(w, rs)
	case "github":
		return writeGitHub(w, rs)
	case "markdown":
		return writeMarkdown(w, rs)
	}
	return fmt.Errorf("unknown format %q", format)
}

// Place is file, row and column of a violation, as far as they are known.
func (v *Violation) Place() string {
	s := v.File
	if v.Row > 0 {
		s += fmt.Sprintf(" row %d", v.Row)
	}
	if v.Column != "" {
		s += " column " + v.Column
	}
	return Clean(strings.TrimSpace(s))
}

// String is a violation in one line.
func (v *Violation) String() string {
	s := v.Place()
	if v.Value != "" {
		s += ": " + Quote(v.Value)
	}
	if v.Note != "" {
		s += ": " + Clean(v.Note)
	}
	return strings.TrimPrefix(s, ": ")
}

// Quote puts a value between quotes; what a terminal or a log would take for a command is written as an escape.
func Quote(s string) string { return `"` + strings.ReplaceAll(Clean(s), `"`, `\"`) + `"` }

// Clean writes control characters, others that are not seen, and bytes that are no UTF-8, as escapes.
func Clean(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, unseen) {
		return s
	}
	var b strings.Builder
	for i, c := range s {
		switch {
		case c == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\r':
			b.WriteString(`\r`)
		case unseen(c):
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

func unseen(c rune) bool { return c != ' ' && !unicode.IsGraphic(c) }

// Message says in one line how a check ended.
func (c *Check) Message() string {
	s := Clean(c.Text)
	switch {
	case c.Status == Errored:
		s += ": could not be checked: " + Clean(c.Note)
		return s
	case c.Status == Failed && c.Note != "":
		s += ": " + Clean(c.Note)
	case c.Status == Failed:
		s += fmt.Sprintf(": %d of %d", c.Count, c.Total)
	case c.Status == Skipped:
		s += ": " + Clean(c.Note)
	}
	return s
}

// bad are the checks that failed or could not be run, worst first, with the results they are of.
type found struct {
	r *Result
	c *Check
}

func bad(rs []*Result) []found {
	var fs []found
	for _, r := range rs {
		for i := range r.Checks {
			if c := &r.Checks[i]; c.Status == Failed || c.Status == Errored {
				fs = append(fs, found{r, c})
			}
		}
	}
	slices.SortStableFunc(fs, func(a, b found) int { return Worst(*a.c, *b.c) })
	return fs
}

func (f *found) level() string {
	if f.c.Status == Errored {
		return "error"
	}
	return f.c.Severity
}

// JUnit: a suite a result, a case a check.

type junitSuites struct {
	XMLName xml.Name `xml:"testsuites"`
	Suites  []junitSuite
}

type junitSuite struct {
	XMLName  xml.Name `xml:"testsuite"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Errors   int      `xml:"errors,attr"`
	Skipped  int      `xml:"skipped,attr"`
	Cases    []junitCase
}

type junitCase struct {
	XMLName xml.Name   `xml:"testcase"`
	Name    string     `xml:"name,attr"`
	Class   string     `xml:"classname,attr"`
	File    string     `xml:"file,attr,omitempty"`
	Line    int        `xml:"line,attr,omitempty"`
	Failure *junitText `xml:"failure"`
	Error   *junitText `xml:"error"`
	Skipped *junitText `xml:"skipped"`
}

type junitText struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

func writeJUnit(w io.Writer, rs []*Result) error {
	var all junitSuites
	for _, r := range rs {
		n := r.Count()
		s := junitSuite{Name: Clean(r.Subject), Tests: len(r.Checks), Failures: n.Errors + n.Warnings + n.Infos, Errors: n.Broken, Skipped: n.Skipped}
		for i := range r.Checks {
			c := &r.Checks[i]
			k := junitCase{Name: Clean(c.Key), Class: Clean(r.Subject + "." + strings.Join(append([]string{c.Object}, c.Columns...), ".")), File: Clean(r.Path), Line: c.Line}
			t := &junitText{Message: c.Message(), Type: c.Code}
			switch c.Status {
			case Failed:
				t.Text = c.lines()
				k.Failure = t
			case Errored:
				k.Error = t
			case Skipped:
				k.Skipped = t
			}
			s.Cases = append(s.Cases, k)
		}
		all.Suites = append(all.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", " ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// lines are the violations that are shown, one a line.
func (c *Check) lines() string {
	var b strings.Builder
	for i := range c.Violations {
		b.WriteString(c.Violations[i].String() + "\n")
	}
	if more := c.Count - int64(len(c.Violations)); more > 0 && len(c.Violations) > 0 {
		fmt.Fprintf(&b, "and %d more\n", more)
	}
	return b.String()
}

// GitLab's code quality report shows only the first of those that have the same fingerprint.

type gitlabIssue struct {
	Description string `json:"description"`
	CheckName   string `json:"check_name"`
	Fingerprint string `json:"fingerprint"`
	Severity    string `json:"severity"`
	Location    struct {
		Path  string `json:"path"`
		Lines struct {
			Begin int `json:"begin"`
		} `json:"lines"`
	} `json:"location"`
}

func writeGitLab(w io.Writer, rs []*Result) error {
	issues := []gitlabIssue{}
	for _, f := range bad(rs) {
		g := gitlabIssue{Description: f.c.Message(), CheckName: Clean(f.c.Key), Fingerprint: fingerprint(f.r.Subject, f.c.Key), Severity: map[string]string{"error": "critical", "warning": "minor", "info": "info"}[f.level()]}
		g.Location.Path, g.Location.Lines.Begin = f.r.Path, max(f.c.Line, 1)
		issues = append(issues, g)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	return enc.Encode(issues)
}

func fingerprint(parts ...string) string {
	h := fnv.New128a()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}
