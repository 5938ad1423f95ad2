package report

import (
	"fmt"
	"io"
	"strings"
)

// GitHub shows ten errors, ten warnings and ten notices of a step.
const annotations = 10

var (
	githubText = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubProp = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// writeGitHub writes workflow commands, at the lines of the contract; the last one of a level says how many there are besides.
func writeGitHub(w io.Writer, rs []*Result) error {
	count := map[string]int{}
	all := bad(rs)
	for i := range all {
		count[all[i].level()]++
	}
	shown := map[string]int{}
	for i := range all {
		f := &all[i]
		level := f.level()
		if shown[level]++; shown[level] > annotations {
			continue
		}
		text := f.c.Message()
		if lines := f.c.lines(); lines != "" {
			text += "\n" + strings.TrimSuffix(lines, "\n")
		}
		if more := count[level] - annotations; shown[level] == annotations && more > 0 {
			text += fmt.Sprintf("\n+%d more", more)
		}
		command := map[string]string{"error": "error", "warning": "warning", "info": "notice"}[level]
		_, err := fmt.Fprintf(w, "::%s file=%s,line=%d,title=%s::%s\n", command, githubProp.Replace(Clean(f.r.Path)), max(f.c.Line, 1), githubProp.Replace(Clean(f.r.Subject+" "+f.c.Key)), githubText.Replace(text))
		if err != nil {
			return err
		}
	}
	return nil
}

// Outputs are the lines for $GITHUB_OUTPUT. status is how the run ended where the checks don't say: Errored or Skipped; else empty.
func Outputs(rs []*Result, status Status) string {
	c := Total(rs)
	switch {
	case status != "":
	case c.Errors > 0:
		status = Failed
	case c.Broken+c.Incomplete > 0:
		status = Errored
	case c.Warnings > 0:
		status = "warning"
	default:
		status = Passed
	}
	return fmt.Sprintf("status=%s\npassed=%d\nfailed=%d\nwarnings=%d\nerrors=%d\n", status, c.Passed, c.Errors, c.Warnings, c.Broken)
}

var markdownText = strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "@", "&#64;")

// Markdown writes text so that it is shown as it is, in a cell of a table as well.
func Markdown(s string) string { return markdownText.Replace(Clean(s)) }

// Notice is a workflow command of GitHub that shows a message.
func Notice(title, text string) string {
	return fmt.Sprintf("::notice title=%s::%s\n", githubProp.Replace(Clean(title)), githubText.Replace(text))
}

// SummaryMax is how long a step summary may be, in bytes; less than GitHub's 1 MiB.
const SummaryMax = 900 << 10

// writeMarkdown writes a table a result, worst first.
func writeMarkdown(w io.Writer, rs []*Result) error {
	left := SummaryMax
	for _, r := range rs {
		n := r.Count()
		var b strings.Builder
		fmt.Fprintf(&b, "### %s\n\n%d passed, %d failed, %d warnings, %d could not be checked, %d skipped; %d rows, %d files.\n\n", markdownText.Replace(Clean(r.Subject)), n.Passed, n.Errors, n.Warnings+n.Infos, n.Broken, n.Skipped, r.Rows, r.Files)
		fs := bad([]*Result{r})
		if len(fs) > 0 {
			b.WriteString("| | check | what | where |\n| --- | --- | --- | --- |\n")
		}
		for i := range fs {
			f := &fs[i]
			where := ""
			if len(f.c.Violations) > 0 {
				where = f.c.Violations[0].String()
			}
			row := fmt.Sprintf("| %s | %s | %s | %s |\n", f.level(), markdownText.Replace(Clean(f.c.Key)), markdownText.Replace(f.c.Message()), markdownText.Replace(where))
			if b.Len()+len(row) > left {
				fmt.Fprintf(&b, "\n… and %d more\n", len(fs)-i)
				break
			}
			b.WriteString(row)
		}
		b.WriteByte('\n')
		left -= b.Len()
		if _, err := io.WriteString(w, b.String()); err != nil {
			return err
		}
		if left < 1<<10 {
			break
		}
	}
	return nil
}
