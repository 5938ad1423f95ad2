package cli

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tarn/internal/check/report"
	"tarn/internal/dataset"
	"tarn/internal/htmlreport"
)

const htmlForm = "html"

// wantForms refuses a report in a form that there is not.
func wantForms(reports []string) error {
	forms := append(slices.Clone(report.Formats), htmlForm)
	slices.Sort(forms)
	for _, r := range reports {
		if form, _, _ := strings.Cut(r, "="); !slices.Contains(forms, form) {
			return fmt.Errorf("%w: --report is one of %s, not %q", dataset.ErrUsage, strings.Join(forms, ", "), form)
		}
	}
	return nil
}

// report writes the reports that were asked for; one without a file goes to stdout, that of github also into the files that the runner names. page is the one
// in HTML.
func (a *app) report(reports []string, rs []*report.Result, page func() ([]byte, error)) error {
	for _, r := range reports {
		form, file, _ := strings.Cut(r, "=")
		b, err := writeForm(form, rs, page)
		if err != nil {
			return err
		}
		if file != "" {
			if !filepath.IsAbs(file) {
				file = filepath.Join(a.dir, file)
			}
			if err := dataset.WriteReport(file, b, false); err != nil {
				return err
			}
			continue
		}
		if _, err := a.Out.Write(b); err != nil {
			return err
		}
		if form == "github" {
			if err := a.stepFiles(rs); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeForm(form string, rs []*report.Result, page func() ([]byte, error)) ([]byte, error) {
	if form == htmlForm {
		return page()
	}
	var b bytes.Buffer
	err := report.Write(&b, form, rs)
	return b.Bytes(), err
}

func (a *app) stepFiles(rs []*report.Result) error {
	if file := a.Getenv("GITHUB_STEP_SUMMARY"); file != "" {
		var b bytes.Buffer
		if err := report.Write(&b, "markdown", rs); err != nil {
			return err
		}
		if err := dataset.WriteReport(file, b.Bytes(), true); err != nil {
			return err
		}
	}
	if file := a.Getenv("GITHUB_OUTPUT"); file != "" {
		return dataset.WriteReport(file, []byte(report.Outputs(rs)), true)
	}
	return nil
}

// listedChanges is how many files that changed a page lists.
const listedChanges = 200

// prepareReports looks at --report, and asks for what a page needs.
func (o *driftOptions) prepareReports() error {
	o.Now, o.Shown = time.Now(), 5
	for _, r := range o.reports {
		if form, _, _ := strings.Cut(r, "="); form == htmlForm {
			o.Context = listedChanges
		}
	}
	return wantForms(o.reports)
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
