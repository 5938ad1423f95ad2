package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tarn/internal/dataset"
)

type transferResult struct {
	Versions int       `json:"versions"`
	UpToDate int       `json:"up_to_date"`
	Skipped  int       `json:"skipped,omitempty"`
	Files    int64     `json:"files"`
	Bytes    int64     `json:"bytes"`
	Reused   int64     `json:"bytes_reused"`
	Raw      int64     `json:"bytes_uncompressed"`
	Sent     int64     `json:"bytes_transferred"`
	Requests int64     `json:"requests"`
	DryRun   bool      `json:"dry_run"`
	Seconds  float64   `json:"seconds"`
	Problems []problem `json:"problems"`
	verb     string    // pushed, fetched
}

func transferView(verb string, t *dataset.TransferResult) *transferResult {
	return &transferResult{t.Versions, t.UpToDate, t.Skipped, t.Files, t.Bytes, t.Reused, t.Raw, t.Sent, t.Requests, t.DryRun, t.Seconds, problems(t.Problems), verb}
}

// Text says what moved, in one line.
func (t *transferResult) Text(p *printer) {
	switch {
	case t.DryRun:
		p.f("%s, %s would be %s\n", many(t.Files, "file"), size(t.Bytes), t.verb)
	case t.Versions == 0 && t.Skipped > 0 && len(t.Problems) == 0:
		p.f("Nothing to push: push = false is set for %s.\n", many(int64(t.Skipped), "version"))
	case t.Versions == 0 && len(t.Problems) == 0:
		p.f("No datasets here.\n")
	case t.Versions == t.UpToDate && len(t.Problems) == 0:
		p.f("Everything is up to date (%s, %s).\n", many(int64(t.Versions), "version"), many(t.Requests, "request"))
	default:
		p.f("%s %s, %s (%s over the wire, %s reused)\n", many(t.Files, "file"), t.verb, size(t.Bytes), size(t.Sent), size(t.Reused))
		p.f("%s\n", p.paint(dim, many(t.Requests, "request")+" in "+seconds(t.Seconds)+rate(t.Sent, t.Seconds)+t.ratios()))
	}
}

// ratios say what was saved on the way, where that is a per cent or more.
func (t *transferResult) ratios() string {
	var b strings.Builder
	for _, r := range []struct {
		name     string
		of, were int64
	}{{"dedup", t.Bytes, t.Bytes - t.Reused}, {"compression", t.Raw, t.Sent}} {
		if x := float64(r.of) / float64(max(r.were, 1)); t.Sent > 0 && x >= 1.01 {
			fmt.Fprintf(&b, ", %s %.3g×", r.name, x)
		}
	}
	return b.String()
}

func (a *app) selectionFlags(cmd *cobra.Command, s *dataset.Selection, remote *string) {
	f := cmd.Flags()
	f.StringVarP(remote, "remote", "r", "", "the remote `NAME` (default: the dataset's, or yours)")
	a.transferFlags(cmd)
	if s != nil {
		f.StringArrayVar(&s.Revs, "rev", nil, "the manifests of commit `REV`, not of the work tree")
		f.BoolVar(&s.AllBranches, "all-branches", false, "the manifests of all branches")
		f.BoolVar(&s.AllTags, "all-tags", false, "the manifests of all tags")
	}
}

// transferFlags say how much may move at once.
func (a *app) transferFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVarP(&a.jobs, "jobs", "j", 0, "transfers at once (default: transfer.jobs, or 6)")
	f.Var(&a.limitUp, "limit-upload", "at most `RATE` bytes a second go out, as 500k or 10m")
	f.Var(&a.limitDown, "limit-download", "at most `RATE` bytes a second come in")
}

func (a *app) pushCommand() *cobra.Command {
	var o dataset.PushOptions
	cmd := verb{
		use: "push [PATH…]", group: "remote",
		short: "Bring datasets to the remote",
		long: `Sends what the remote lacks of the manifests in the work tree, and then marks
the versions as pushed. Without changes that is one request a dataset. An
interrupted push goes on where it was. --verify looks at every page and pack,
also of versions that were pushed, and heals what is missing.`,
		example: "  tarn push\n  tarn push data -r backup\n  tarn push --all-branches --all-tags\n  tarn push --dry-run",
		codes:   []int{exitIncomplete, exitRefused, exitCorrupt},
	}.command(func(ctx context.Context, args []string) error {
		o.Paths = args
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		res, err := r.Push(ctx, o)
		return a.showTransfer("push", "pushed", res, err)
	})
	a.selectionFlags(cmd, &o.Selection, &o.Remote)
	cmd.Flags().BoolVarP(&o.DryRun, "dry-run", "n", false, "count what would be sent")
	cmd.Flags().BoolVar(&o.Verify, "verify", false, "look at everything on the remote, and heal it")
	return cmd
}

func (a *app) showTransfer(verb, past string, res *dataset.TransferResult, err error) error {
	if res == nil || err != nil && res.Versions == 0 && len(res.Problems) == 0 {
		return err // it did not begin
	}
	a.tell(res.Problems)
	if serr := a.show(verb, transferView(past, res)); err == nil {
		err = serr
	}
	return err
}

func (a *app) fetchCommand() *cobra.Command {
	var o dataset.FetchOptions
	cmd := verb{
		use: "fetch [PATH…]", group: "remote",
		short: "Bring the bytes of datasets into the cache",
		long: `Gets what the cache lacks, and checks every byte. The workspace stays as it is;
"tarn checkout" or "tarn pull" changes it. What can be had is had even where
something is missing.`,
		example: "  tarn fetch\n  tarn fetch data/2024 --rev v1.2\n  tarn fetch --dry-run",
		codes:   []int{exitIncomplete, exitCorrupt},
	}.command(func(ctx context.Context, args []string) error {
		o.Paths = args
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		res, err := r.Fetch(ctx, o)
		return a.showTransfer("fetch", "fetched", res, err)
	})
	a.selectionFlags(cmd, &o.Selection, &o.Remote)
	cmd.Flags().BoolVarP(&o.DryRun, "dry-run", "n", false, "count what would be fetched")
	return cmd
}

type pullResult struct {
	Fetch      *transferResult `json:"fetch"`
	Checkout   *checkoutResult `json:"checkout,omitempty"`
	Remembered []jsonPath      `json:"remembered,omitempty"`
	keep       dataset.Keeping
}

func (a *app) pullCommand() *cobra.Command {
	var f dataset.FetchOptions
	var c dataset.CheckoutOptions
	var noCache notKept
	cmd := verb{
		use: "pull [PATH…]", group: "remote",
		short: "Fetch, then check out",
		long: `Brings the datasets of the work tree's manifests here, or the parts of them that
PATH names. What can be had is had even where something is missing.

--no-cache is for data that must not be kept twice: the files come straight into
the workspace, and not into the cache. It is remembered for the dataset, here;
--no-cache=false undoes it.`,
		example: "  git pull && tarn pull\n  tarn pull data/2024\n  tarn pull --no-cache data",
		codes:   []int{exitIncomplete, exitRefused, exitCorrupt},
	}.command(func(ctx context.Context, args []string) error {
		f.Paths, c.Paths, f.Keep = args, args, noCache.keep
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		res, err := r.Pull(ctx, f, c)
		if res == nil {
			return err
		}
		a.tell(res.Fetch.Problems)
		v := &pullResult{Fetch: transferView("fetched", res.Fetch), Remembered: jsonPaths(res.Remembered), keep: f.Keep}
		if res.Checkout != nil {
			a.tell(res.Checkout.Problems)
			v.Checkout = checkoutView(res.Checkout)
		}
		if serr := a.show("pull", v); err == nil {
			err = serr
		}
		return err
	})
	a.selectionFlags(cmd, nil, &f.Remote)
	addCheckoutFlags(cmd, &c)
	noCache.flag(cmd, "no-cache", "the files come into the workspace only")
	cmd.Flags().BoolVarP(&f.DryRun, "dry-run", "n", false, "count what would be fetched")
	return cmd
}

// Text is that of fetch and of checkout.
func (r *pullResult) Text(p *printer) {
	r.Fetch.Text(p)
	if r.Checkout != nil {
		r.Checkout.Text(p)
	}
	p.remembered(r.Remembered, r.keep, "tarn pull --no-cache")
}
