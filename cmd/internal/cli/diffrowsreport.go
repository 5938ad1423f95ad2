package cli

import (
	"fmt"
	"strings"

	"tarn/internal/check/report"
)

// rowsMarkdown gathers tables, as many as fit into a comment.
type rowsMarkdown struct {
	b    strings.Builder
	left int64 // tables that did not fit
}

func (m *rowsMarkdown) table(v *diffTable) {
	var b strings.Builder
	plain := func(s string) string { return s }
	fmt.Fprintf(&b, "### %s\n\n", report.Markdown(v.title(plain)))
	if by := v.by(); by != "" {
		fmt.Fprintf(&b, "Rows compared %s.\n\n", report.Markdown(by))
	}
	for _, n := range v.notes() {
		fmt.Fprintf(&b, "- %s\n", report.Markdown(n))
	}
	if len(v.Rows) > 0 {
		b.WriteString("\n| | row | key | cells |\n| --- | --- | --- | --- |\n")
	}
	for i := range v.Rows {
		r := &v.Rows[i]
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.Kind, report.Markdown(r.place()), report.Markdown(r.keyText()), report.Markdown(r.cellsText()))
		if last := i+1 == len(v.Rows) || v.Rows[i+1].Kind != r.Kind; last && v.more(r.Kind) > 0 {
			fmt.Fprintf(&b, "| %s | … and %s more | | |\n", r.Kind, count(v.more(r.Kind)))
		}
	}
	b.WriteByte('\n')
	if m.left > 0 || m.b.Len()+b.Len() > report.SummaryMax {
		m.left++
		return
	}
	m.b.WriteString(b.String())
}

// end puts the sum in front.
func (m *rowsMarkdown) end(r *rowsResult) string {
	s := "## Rows that differ\n\n" + report.Markdown(r.sentence()) + "\n\n" + m.b.String()
	if m.left > 0 {
		s += fmt.Sprintf("… and %s more\n", many(m.left, "table"))
	}
	return s
}
