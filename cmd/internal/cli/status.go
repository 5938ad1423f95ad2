package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"tarn/internal/dataset"
)

type statusResult struct {
	Datasets []datasetStatus `json:"datasets"`
	Remotes  []remoteStatus  `json:"remotes,omitempty"`
	Problems []problem       `json:"problems"`
	onRemote bool
	short    bool
}

type datasetStatus struct {
	Dataset jsonPath    `json:"dataset"`
	Head    string      `json:"head"` // "", new, modified, deleted
	Staged  []pathState `json:"head_to_manifest"`
	Work    []pathState `json:"manifest_to_workspace"`
	Absent  int64       `json:"not_checked_out"`
	Missing int64       `json:"missing_from_cache"`
	Unsaved int64       `json:"missing_everywhere_here"`
	Files   int64       `json:"files"`
	Bytes   int64       `json:"bytes"`
	NotKept bool        `json:"no_cache,omitempty"`
	failed  bool
}

type pathState struct {
	Path  jsonPath `json:"path"`
	State string   `json:"state"`
	code  string
}

type remoteStatus struct {
	Dataset  jsonPath `json:"dataset"`
	Remote   string   `json:"remote"`
	Root     string   `json:"root"`
	Pushed   bool     `json:"pushed"`
	Complete bool     `json:"complete"`
	Pages    int      `json:"pages"`
	Packs    int      `json:"packs"`
	Missing  []string `json:"missing"`
}

func (a *app) statusCommand() *cobra.Command {
	var o dataset.StatusOptions
	var short, code bool
	cmd := verb{
		use: "status [PATH…]", group: "data",
		short: "Show what changed in datasets",
		long: `Compares the last commit with the manifests, and the manifests with the
workspace. Files that did not change are not read. Stale: Git moved the
manifest, and "tarn checkout" brings the data; diverged: the data changed here
as well. --on-remote asks instead whether every byte that HEAD needs is on the
remote; it looks at each page and pack and downloads no data.`,
		example: "  tarn status\n  tarn status --short data\n  tarn status --on-remote --exit-code",
		codes:   []int{exitDiffers, exitIncomplete},
	}.command(func(ctx context.Context, args []string) error {
		o.Paths = args
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		res, err := r.Status(ctx, o)
		if res == nil {
			return err
		}
		a.tell(res.Problems)
		v := statusView(res)
		v.onRemote, v.short = o.OnRemote, short
		if serr := a.show("status", v); err == nil {
			err = serr
		}
		if err == nil && code && res.Differs() {
			err = dataset.ErrDiffers
		}
		return err
	})
	f := cmd.Flags()
	f.BoolVarP(&short, "short", "s", false, "a line a path")
	f.BoolVar(&code, "exit-code", false, "exit with 1 if anything differs")
	f.BoolVar(&o.OnRemote, "on-remote", false, "is every byte that HEAD needs on the remote?")
	f.StringVarP(&o.Remote, "remote", "r", "", "`NAME` of the remote, for --on-remote")
	return cmd
}

func statusView(res *dataset.StatusResult) *statusResult {
	v := &statusResult{Datasets: []datasetStatus{}, Problems: problems(res.Problems)}
	for _, d := range res.Datasets {
		v.Datasets = append(v.Datasets, datasetStatus{jsonPath(d.Dataset), d.Head, pathStates(d.Staged), pathStates(d.Work), d.Absent, d.Missing, d.Unsaved, d.Files, d.Bytes, d.NotKept, d.Err != nil})
	}
	for _, r := range res.Remotes {
		v.Remotes = append(v.Remotes, remoteStatus{jsonPath(r.Dataset), r.Remote, r.Root, r.Pushed, r.Complete(), r.Pages, r.Packs, append([]string{}, r.Missing...)})
	}
	return v
}

func pathStates(ps []dataset.PathState) []pathState {
	out := make([]pathState, len(ps))
	for i, p := range ps {
		out[i] = pathState{jsonPath(p.Path), p.State.String(), p.State.Letter()}
	}
	return out
}

// Rows are the datasets, or what is on the remote.
func (s *statusResult) Rows(yield func(any) bool) {
	for _, d := range s.Datasets {
		if !yield(d) {
			return
		}
	}
	for _, r := range s.Remotes {
		if !yield(r) {
			return
		}
	}
}

// Text is like git status.
func (s *statusResult) Text(p *printer) {
	switch {
	case s.onRemote:
		s.remoteText(p)
	case s.short:
		s.shortText(p)
	default:
		s.longText(p)
	}
}

func (s *statusResult) shortText(p *printer) {
	for _, d := range s.Datasets {
		for _, st := range d.Staged {
			p.f("%s  %s\n", p.paint(green, st.code), p.path(string(d.Dataset)+"/"+string(st.Path)))
		}
		for _, st := range d.Work {
			p.f(" %s %s\n", p.paint(red, st.code), p.path(string(d.Dataset)+"/"+string(st.Path)))
		}
		if d.Absent > 0 {
			p.f(" - %s\n", p.path(string(d.Dataset)))
		}
	}
}

func (s *statusResult) longText(p *printer) {
	if len(s.Datasets) == 0 {
		p.f("No datasets yet. Next: tarn add DATA\n")
	}
	clean := true
	for i := range s.Datasets {
		clean = s.Datasets[i].text(p) && clean
	}
	if clean && len(s.Datasets) > 0 {
		p.f("%s, %s as committed.\n", many(int64(len(s.Datasets)), "dataset"), all(len(s.Datasets)))
	}
}

func all(n int) string {
	if n == 1 {
		return "it is"
	}
	return "all"
}

// shownPaths is how many paths a section lists.
const shownPaths = 25

// text prints what is to be said about a dataset; it returns whether that is nothing.
func (d *datasetStatus) text(p *printer) bool {
	if d.failed {
		return false
	}
	if d.Head == "" && len(d.Staged)+len(d.Work) == 0 && d.Absent+d.Missing == 0 {
		return true
	}
	p.f("%s  %s, %s%s\n", p.paint(bold, p.path(string(d.Dataset))), many(d.Files, "file"), size(d.Bytes), map[bool]string{true: ", not kept in the cache"}[d.NotKept])
	switch d.Head {
	case "new":
		p.f("  the manifest is not committed yet\n")
	case "modified":
		p.f("  the manifest differs from the last commit:\n")
		d.list(p, d.Staged, green)
	case "deleted":
		p.f("  the manifest was deleted; the last commit has it\n")
	}
	moved := false
	if len(d.Work) > 0 {
		p.f("  the workspace differs from the manifest:\n")
		d.list(p, d.Work, red)
		for _, st := range d.Work {
			moved = moved || st.State == dataset.Stale.String() || st.State == dataset.Diverged.String()
		}
	}
	if d.Absent > 0 {
		p.f("  %s not checked out\n", many(d.Absent, "entry"))
	}
	if d.Missing > 0 {
		p.f("  %s missing from the cache\n", many(d.Missing, "file"))
	}
	d.next(p, moved)
	return false
}

func (d *datasetStatus) list(p *printer, states []pathState, color string) {
	for i, st := range states {
		if i == shownPaths {
			p.f("      … and %s more; --short lists all\n", count(int64(len(states)-i)))
			return
		}
		p.f("    %s\n", p.paint(color, pad(st.State+":", 14)+p.path(string(d.Dataset)+"/"+string(st.Path))))
	}
}

func (d *datasetStatus) next(p *printer, moved bool) {
	name := p.path(string(d.Dataset))
	switch {
	case moved && (d.Missing > 0 || d.NotKept):
		p.f("  Next: tarn pull %s\n", name)
	case moved:
		p.f("  Next: tarn checkout %s\n", name)
	case len(d.Work) > 0:
		undo := "checkout"
		if d.NotKept {
			undo = "pull"
		}
		p.f("  Next: tarn add %s, to record it, or tarn %s %s, to undo it\n", name, undo, name)
	case d.Absent > 0 && d.Missing == 0 && !d.NotKept && d.Absent < d.Files: // of one that never was here status does not look at pages: pull does what is needed
		p.f("  Next: tarn checkout %s\n", name)
	case d.Absent > 0 || d.Missing > 0:
		p.f("  Next: tarn pull %s\n", name)
	case d.Head == "new" || d.Head == "modified":
		p.f("  Next: git add %s.tarn && git commit\n", name)
	}
}

func pad(s string, n int) string { return s + strings.Repeat(" ", max(1, n-len(s))) }

func (s *statusResult) remoteText(p *printer) {
	if len(s.Remotes) == 0 && len(s.Problems) == 0 {
		p.f("The last commit has no datasets.\n")
	}
	for _, r := range s.Remotes {
		name := p.paint(bold, p.path(string(r.Dataset)))
		switch {
		case !r.Complete:
			p.f("%s  %s on %s: %s missing\n", name, p.paint(red, "not complete"), r.Remote, many(int64(len(r.Missing)), "object"))
			for i, m := range r.Missing {
				if i == shownPaths {
					p.f("    … and %s more\n", count(int64(len(r.Missing)-i)))
					break
				}
				p.f("    %s\n", m)
			}
			p.f("  Next: tarn push --verify -r %s, in a clone that has the data\n", r.Remote)
		case !r.Pushed:
			p.f("%s  complete on %s (%s), but not pushed as this version\n  Next: tarn push -r %s\n", name, r.Remote, many(int64(r.Packs), "pack"), r.Remote)
		default:
			p.f("%s  %s on %s: %s, %s\n", name, p.paint(green, "complete"), r.Remote, many(int64(r.Pages), "page"), many(int64(r.Packs), "pack"))
		}
	}
}
