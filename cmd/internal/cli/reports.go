package cli

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tarn/internal/check/report"
	"tarn/internal/dataset"
	"tarn/internal/htmlreport"
)

const htmlForm = "html"

// resultForms are the forms of reports of check and drift.
var resultForms = slices.Sorted(slices.Values(append(slices.Clone(report.Formats), htmlForm)))

// checkReports refuses a report in a form that is none of forms, and one on stdout beside JSON, of which there is one document.
func (a *app) checkReports(reports, forms []string) error {
	for _, r := range reports {
		form, file, _ := strings.Cut(r, "=")
		switch {
		case !slices.Contains(forms, form):
			return fmt.Errorf("%w: --report is one of %s, not %q", dataset.ErrUsage, strings.Join(forms, ", "), form)
		case file == "" && (a.json || a.jsonl):
			return fmt.Errorf("%w: --report %s is printed on stdout, and so is JSON: give it a file, --report %s=FILE", dataset.ErrUsage, form, form)
		}
	}
	return nil
}

// wantFailOn refuses what --fail-on does not know.
func wantFailOn(failOn string) error {
	if !slices.Contains([]string{"error", "warning", "never"}, failOn) {
		return fmt.Errorf("%w: --fail-on is error, warning or never, not %q", dataset.ErrUsage, failOn)
	}
	return nil
}

// failed says that what was found is to end with exit code 1.
func failed(n report.Counts, failOn string) bool {
	return n.Errors > 0 && failOn != "never" || n.Warnings > 0 && failOn == "warning"
}

// writeReports writes the reports that were asked for, in the form that text gives; one without a file goes to stdout. With that of github the files that the
// runner names get something too: the step summary Markdown, and the outputs. One that can't be written keeps no other one from being written.
func (a *app) writeReports(reports []string, text func(form string) ([]byte, error), outputs func() string) error {
	var errs []error
	write := func(file string, add bool, b []byte, err error) {
		switch {
		case err != nil:
		case file == "":
			_, err = a.Out.Write(b)
		default:
			err = dataset.WriteReport(a.dir, file, b, add)
		}
		errs = append(errs, err)
	}
	github := false
	for _, r := range reports {
		form, file, _ := strings.Cut(r, "=")
		b, err := text(form)
		write(file, false, b, err)
		github = github || form == "github"
	}
	if file := a.Getenv("GITHUB_STEP_SUMMARY"); github && file != "" {
		b, err := text("markdown")
		write(file, true, b, err)
	}
	if file := a.Getenv("GITHUB_OUTPUT"); github && file != "" {
		write(file, true, []byte(outputs()), nil)
	}
	return errors.Join(errs...)
}

// report writes reports about results of a run that ended with err, and with verdict about what it found. page is the report in HTML.
func (a *app) report(reports []string, rs []*report.Result, err, verdict error, page func() ([]byte, error)) error {
	var status report.Status
	switch {
	case err != nil:
		status = report.Errored
	case errors.Is(verdict, dataset.ErrUsage):
		status = report.Skipped
	}
	return a.writeReports(reports, func(form string) ([]byte, error) {
		if form == htmlForm {
			return page()
		}
		var b bytes.Buffer
		err := report.Write(&b, form, rs)
		return b.Bytes(), err
	}, func() string { return report.Outputs(rs, status) })
}

// listedChanges is how many files that changed a page lists.
const listedChanges = 200

// prepareReports looks at --report, and asks for what a page needs.
func (o *driftOptions) prepareReports(a *app) error {
	o.Now, o.Shown = time.Now(), 5
	for _, r := range o.reports {
		if form, _, _ := strings.Cut(r, "="); form == htmlForm {
			o.Context = listedChanges
		}
	}
	return a.checkReports(o.reports, resultForms)
}

// page is the report in HTML.
func (o *driftOptions) page(res *dataset.DriftResult) ([]byte, error) {
	r := &htmlreport.Report{Title: "Drift", Compared: true, Unasked: "tarn drift --check", NoValues: o.NoValues, Problems: problemTexts(res.Problems)}
	r.From, r.To = htmlreport.Version{Name: res.From}, htmlreport.Version{Name: res.To}
	if res.Checks != nil {
		r.Checks = res.Checks.Results
	}
	if c := res.Context; c != nil {
		r.From = htmlreport.Version{Name: c.From.Name, Commit: res.From, Date: day(c.From.Date), Subject: c.From.Subject}
		r.To = htmlreport.Version{Name: c.To.Name, Commit: res.To, Date: day(c.To.Date), Subject: c.To.Subject}
		if res.To == "" {
			r.To.Subject = "as its manifests say"
		}
		r.Changes = changesOf(c)
	}
	var subjects []string
	for _, t := range res.Tables {
		x := htmlreport.Table{Subject: t.Subject, Name: t.Name, Unchanged: t.Unchanged, Columns: t.Columns}
		if t.Ref != nil {
			x.Ref = t.Ref.Profile
		}
		if t.Cur != nil {
			x.Cur = t.Cur.Profile
		}
		r.Tables = append(r.Tables, x)
		subjects = append(subjects, t.Subject)
	}
	if subjects = slices.Compact(subjects); len(subjects) == 1 {
		r.Title = "Drift of " + subjects[0]
	}
	return htmlreport.Render(r)
}

// day is a time of RFC 3339 as people write it.
func day(s string) string {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.Format("2006-01-02 15:04 -0700")
	}
	return s
}

func changesOf(c *dataset.DriftContext) *htmlreport.Changes {
	out := &htmlreport.Changes{Added: c.Added, Removed: c.Removed, Modified: c.Modified, Renamed: c.Renamed,
		BytesAdded: c.BytesAdded, BytesRemoved: c.BytesRemoved, BytesBefore: c.BytesBefore, BytesAfter: c.BytesAfter}
	for i := range c.Changes {
		ch := &c.Changes[i]
		x := htmlreport.Change{Kind: ch.Kind().String(), Path: ch.Name(), Old: -1, New: -1}
		if ch.FromPath != "" {
			x.From = ch.FromName()
		}
		if ch.Old != nil {
			x.Old = ch.Old.Size
		}
		if ch.New != nil {
			x.New = ch.New.Size
		}
		out.List = append(out.List, x)
	}
	return out
}

// checkPage is the report of check in HTML.
func checkPage(res *dataset.CheckResult, noValues bool) ([]byte, error) {
	r := &htmlreport.Report{Title: "Checks", Checks: res.Results, NoValues: noValues, Problems: problemTexts(res.Problems)}
	if len(res.Results) == 1 {
		r.Title = "Checks of " + res.Results[0].Subject
	}
	return htmlreport.Render(r)
}

func problemTexts(ps []dataset.Problem) (texts []string) {
	for _, p := range problems(ps) {
		texts = append(texts, string(p.Path)+": "+p.Error)
	}
	return texts
}
