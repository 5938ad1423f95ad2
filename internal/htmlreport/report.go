package htmlreport

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"sync"

	"tarn/internal/check/report"
	"tarn/internal/profile"
	"tarn/internal/profile/compare"
)

// MaxSize is what a page is always smaller than, in bytes, whatever there is to show.
const MaxSize = 2_000_000

// The parts of a page and how many bytes each may have. Where one is full the rest is counted; what is worst comes first. What is left by others is for the
// lines of columns.
const (
	columnsMax    = 900_000 // columns with their histograms
	sectionsMax   = 100_000 // heads of tables
	summaryMax    = 80_000  // lines of the table of tables
	changesMax    = 120_000
	violationsMax = 150_000
	checksMax     = 230_000 // violations with the heads of what they are of
	problemsMax   = 40_000
	frameMax      = 20_000 // the style sheet and all that does not grow
)

// Report is what a page shows. Parts that are nil are left out.
type Report struct {
	Title    string
	From, To Version
	Tables   []Table
	Compared bool // there was a comparison, also one of no table
	Changes  *Changes
	Checks   []*report.Result
	Unasked  string // the command that would bring Checks
	Problems []string
	NoValues bool // nothing on the page is a value of the data
}

// Version is one of the two sides.
type Version struct {
	Name    string // what was asked for
	Commit  string // hexadecimal; empty where it is none
	Date    string // of the commit
	Subject string
}

// Table is a table with how its columns differ.
type Table struct {
	Subject, Name string
	Ref, Cur      *profile.Profile // one may be nil: it has no such table. Of an unchanged one both are
	Unchanged     bool
	Columns       []*compare.Result
}

// Changes are the files that the two versions do not have in common.
type Changes struct {
	Added, Removed, Modified, Renamed int64
	BytesAdded, BytesRemoved          int64
	BytesBefore, BytesAfter           int64 // of modified files
	List                              []Change
}

// Total is how many there are.
func (c *Changes) Total() int64 { return c.Added + c.Removed + c.Modified + c.Renamed }

// Change is one file.
type Change struct {
	Kind     string // added, removed, modified, …
	Path     string
	From     string // of a renamed one
	Old, New int64  // bytes; negative: it is not there
}

var (
	//go:embed page.html.tmpl
	pageText string
	//go:embed page.css
	style string
)

// pages are the templates; parsing them is left to who needs them, since each start of the program would pay for it.
var pages = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{"count": counted, "size": size, "text": text, "mark": mark}).Parse(pageText))
})

// piece is a part of the page, and how much of it did not fit.
type piece struct {
	HTML template.HTML
	Left int
}

// lines runs a template for each thing until the part has most bytes.
func lines[T any](name string, most int, things []T) (piece, error) {
	var b bytes.Buffer
	for i, t := range things {
		before := b.Len()
		if err := pages().ExecuteTemplate(&b, name, t); err != nil {
			return piece{}, err
		}
		if b.Len() > most {
			b.Truncate(before)
			return piece{template.HTML(b.String()), len(things) - i}, nil
		}
	}
	return piece{template.HTML(b.String()), 0}, nil
}

// page is what the template is filled with.
type page struct {
	*Report
	CSS      template.CSS
	Policy   string
	Status   string
	Verdict  string
	Counts   tally
	Summary  piece
	Sections []*section
	More     int // sections that did not fit
	Files    piece
	Found    piece
	Lost     piece
}

// Render writes the page.
func Render(r *Report) ([]byte, error) {
	css := sha256.Sum256([]byte(style))
	p := &page{Report: r, CSS: template.CSS(style),
		Policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(css[:]) + "'; base-uri 'none'; form-action 'none'"}
	for _, fill := range []func() error{p.changes, p.checks, p.problems, p.tables} {
		if err := fill(); err != nil {
			return nil, err
		}
	}
	p.judge()
	var b bytes.Buffer
	if err := pages().ExecuteTemplate(&b, "page", p); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (p *page) changes() (err error) {
	if p.Changes != nil {
		p.Files, err = lines("change", changesMax, p.Changes.List)
		p.Files.Left += int(p.Changes.Total()) - len(p.Changes.List)
	}
	return err
}

func (p *page) problems() (err error) {
	p.Lost, err = lines("problem", problemsMax, p.Problems)
	return err
}
