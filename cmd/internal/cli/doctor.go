package cli

import (
	"context"

	"github.com/spf13/cobra"

	"tarn/internal/dataset"
)

type doctorResult struct {
	OK       int       `json:"ok"`
	Warn     int       `json:"warn"`
	Fail     int       `json:"fail"`
	Findings []finding `json:"findings"`
}

type finding struct {
	Area    string `json:"area"`
	Health  string `json:"health"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func (a *app) doctorCommand() *cobra.Command {
	return verb{
		use: "doctor", group: "other", args: cobra.NoArgs,
		short: "Look for what is wrong with the set-up",
		long: `Looks at Git, the configuration, manifests, hooks, the cache and how files come
out of it, the file system of the work tree, and the remotes. Each finding is
ok, warn or fail, with what to type. Nothing is changed; probe files are made
in the work tree and the cache, and removed. If something fails, the exit code
is 3.`,
		example: "  tarn doctor\n  tarn doctor --json",
	}.command(func(ctx context.Context, _ []string) error {
		res, err := dataset.Doctor(ctx, a.options())
		if res == nil {
			return err
		}
		if serr := a.show("doctor", doctorView(res)); err == nil {
			err = serr
		}
		return err
	})
}

func doctorView(res *dataset.Diagnosis) *doctorResult {
	v := &doctorResult{res.Count(dataset.Fine), res.Count(dataset.Warning), res.Count(dataset.Failing), []finding{}}
	for _, f := range res.Findings {
		v.Findings = append(v.Findings, finding{f.Area, f.Health.String(), f.Message, f.Hint})
	}
	return v
}

// Rows are the findings.
func (r *doctorResult) Rows(yield func(any) bool) {
	for _, f := range r.Findings {
		if !yield(f) {
			return
		}
	}
}

// Text is a line a finding, with what to type below.
func (r *doctorResult) Text(p *printer) {
	color := map[string]string{"ok": green, "warn": yellow, "fail": red}
	for _, f := range r.Findings {
		p.f("%s %s%s\n", p.paint(color[f.Health], pad(f.Health, 5)), pad(f.Area, 15), f.Message)
		if f.Hint != "" {
			p.f("        try: %s\n", f.Hint)
		}
	}
	p.f("\n%d ok, %s, %d failed\n", r.OK, many(int64(r.Warn), "warning"), r.Fail)
}
