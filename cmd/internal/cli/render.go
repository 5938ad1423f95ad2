package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"tarn/index"
	"tarn/internal/check/report"
	"tarn/internal/dataset"
	"tarn/internal/human"
)

// result is what a verb found or did: text for people, and by its struct tags JSON.
type result interface {
	Text(p *printer)
}

// rower is a result that --jsonl prints row by row.
type rower interface {
	Rows(yield func(any) bool)
}

// show prints a result in the form that was asked for.
func (a *app) show(verb string, r result) error {
	a.endProgress()
	switch {
	case a.jsonl:
		enc := json.NewEncoder(a.Out)
		enc.SetEscapeHTML(false)
		var err error
		if rows, ok := r.(rower); ok {
			rows.Rows(func(row any) bool { err = enc.Encode(row); return err == nil })
			return err
		}
		return enc.Encode(r)
	case a.json:
		return a.showJSON(verb, r)
	case a.quiet:
		return nil
	}
	p := &printer{w: a.Out, app: a}
	r.Text(p)
	return p.err
}

// showJSON prints one document, with its schema as the first field.
func (a *app) showJSON(verb string, r result) error {
	b, err := marshal(r)
	if err != nil {
		return err
	}
	head := fmt.Sprintf(`{"schema":"tarn.%s/1"`, verb)
	if string(b) != "{}" {
		head += ","
	}
	_, err = fmt.Fprintf(a.Out, "%s%s\n", head, b[1:])
	return err
}

func marshal(v any) ([]byte, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(b.String(), "\n")), nil
}

// jsonPath is a path in JSON: as it is, or as manifests quote it where it is not UTF-8 or has control characters.
type jsonPath string

func (p jsonPath) MarshalJSON() ([]byte, error) { return marshal(index.Quote(string(p))) }

// problem is a dataset.Problem in JSON.
type problem struct {
	Path  jsonPath `json:"path"`
	Side  string   `json:"side"`
	Error string   `json:"error"`
	Hint  string   `json:"hint,omitempty"`
}

func problems(ps []dataset.Problem) []problem {
	out := make([]problem, len(ps))
	for i, p := range ps {
		out[i] = problem{jsonPath(p.String()), p.Side, errorText(p.Err), hintOf(p.Err)}
	}
	return out
}

// clean is a message that stderr gets, with escapes for what a terminal would obey. Its lines and tabs stay, but for a line that a CI runner would take for a
// command, ::error:: or ##[error]: names in a message may have line ends.
func clean(message string) string {
	var b strings.Builder
	for i, line := range strings.Split(message, "\n") {
		text := strings.TrimSpace(line)
		switch command := strings.HasPrefix(text, "::") || strings.HasPrefix(text, "##"); {
		case i > 0 && command:
			b.WriteString(`\n`)
		case i > 0:
			b.WriteByte('\n')
		}
		for j, part := range strings.Split(line, "\t") {
			if j > 0 {
				b.WriteByte('\t')
			}
			b.WriteString(report.Clean(part))
		}
	}
	return b.String()
}

const shownProblems = 20

// tell prints problems to stderr, the first ones of many; --json has all.
func (a *app) tell(ps []dataset.Problem) {
	if a.json || a.jsonl {
		return
	}
	a.endProgress()
	hints := map[string]bool{}
	for i, p := range ps {
		if i == shownProblems {
			fmt.Fprintf(a.Err, "  … and %s more; --json lists all\n", count(int64(len(ps)-i)))
			break
		}
		side := ""
		if p.Side != "" {
			side = " (" + p.Side + ")"
		}
		fmt.Fprintf(a.Err, "  %s%s: %s\n", index.Quote(p.String()), side, clean(errorText(p.Err)))
		if h := hintOf(p.Err); h != "" && !hints[h] {
			hints[h] = true
			fmt.Fprintf(a.Err, "    try: %s\n", clean(h))
		}
	}
}

// printer writes text for people and remembers the first error.
type printer struct {
	w   io.Writer
	app *app
	err error
}

func (p *printer) f(format string, args ...any) {
	if _, err := fmt.Fprintf(p.w, format, args...); err != nil && p.err == nil {
		p.err = err
	}
}

func (p *printer) paint(color, s string) string { return p.app.paint(p.app.OutTTY, color, s) }

// path is a path of the repository as the user would type it.
func (p *printer) path(name string) string { return index.Quote(p.rawPath(name)) }

// rawPath is path byte for byte.
func (p *printer) rawPath(name string) string {
	s := p.app.rel(name)
	if strings.HasSuffix(name, "/") && !strings.HasSuffix(s, "/") {
		s += "/"
	}
	return s
}

const (
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
	dim    = "2"
	bold   = "1"
)

// paint colors s if the stream is a terminal that wants it.
func (a *app) paint(tty bool, color, s string) string {
	on := tty && a.Getenv("NO_COLOR") == "" && a.Getenv("TERM") != "dumb"
	switch a.color {
	case colorAlways:
		on = true
	case colorNever:
		on = false
	}
	if !on {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}

var count, many, size = human.Count, human.Many, human.Size

// seconds writes a duration for people.
func seconds(s float64) string {
	switch d := time.Duration(s * float64(time.Second)); {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	default:
		return d.Round(time.Second).String()
	}
}

// rate writes bytes a second, or nothing where that says nothing.
func rate(n int64, s float64) string {
	if s < 0.001 || n < 1<<16 {
		return ""
	}
	return ", " + size(int64(float64(n)/s)) + "/s"
}
