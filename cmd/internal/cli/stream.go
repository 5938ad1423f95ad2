package cli

import (
	"bufio"
	"fmt"
)

// stream prints a result whose rows are too many to hold: one after the other as they come. In a JSON document they are the list that is its first field.
type stream struct {
	a          *app
	verb, list string
	out        *bufio.Writer
	rows       int
	begun      bool
}

func (a *app) stream(verb, list string) *stream {
	return &stream{a: a, verb: verb, list: list, out: bufio.NewWriterSize(aside{a}, 64<<10)}
}

// aside writes to stdout beside the progress that is drawn on the same terminal.
type aside struct{ a *app }

func (w aside) Write(b []byte) (int, error) {
	if w.a.OutTTY && w.a.ErrTTY {
		w.a.endProgress()
	}
	return w.a.Out.Write(b)
}

// row prints one row; text is it for people.
func (s *stream) row(v any, text func(p *printer)) error {
	if !s.a.json && !s.a.jsonl {
		if s.a.quiet {
			return nil
		}
		p := &printer{w: s.out, app: s.a}
		text(p)
		return p.err
	}
	b, err := marshal(v)
	if err != nil {
		return err
	}
	end := ""
	switch {
	case s.a.jsonl:
		end = "\n"
	case s.begin() && s.rows > 0:
		s.out.WriteByte(',')
	}
	s.rows++
	s.out.Write(b)
	_, err = s.out.WriteString(end)
	return err
}

// begin opens the document.
func (s *stream) begin() bool {
	if !s.begun {
		s.begun = true
		fmt.Fprintf(s.out, `{"schema":"tarn.%s/1",%q:[`, s.verb, s.list)
	}
	return true
}

// flush shows what there is, where rows take their time.
func (s *stream) flush() error { return s.out.Flush() }

// end prints what comes after the rows, which are not among rest's fields.
func (s *stream) end(rest result) error {
	s.a.endProgress()
	switch {
	case s.a.jsonl:
	case s.a.json:
		b, err := marshal(rest)
		if err != nil {
			return err
		}
		s.begin()
		fmt.Fprintf(s.out, "],%s\n", b[1:])
	case !s.a.quiet:
		rest.Text(&printer{w: s.out, app: s.a})
	}
	return s.out.Flush()
}
