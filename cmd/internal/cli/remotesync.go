package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"tarn/internal/dataset"
)

type remoteSyncResult struct {
	From     string    `json:"from"`
	To       string    `json:"to"`
	Versions int       `json:"versions"`
	UpToDate int       `json:"up_to_date"`
	LeftOut  int       `json:"left_out"`
	Objects  int64     `json:"objects"`
	Bytes    int64     `json:"bytes"`
	Packs    amount    `json:"packs"`
	Pages    amount    `json:"pages"`
	Roots    amount    `json:"roots"`
	Pins     amount    `json:"pins"`
	There    amount    `json:"already_there"`
	Requests int64     `json:"requests"`
	DryRun   bool      `json:"dry_run"`
	Seconds  float64   `json:"seconds"`
	Problems []problem `json:"problems"`
}

type amount struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

func remoteSyncView(s *dataset.SyncResult) *remoteSyncResult {
	all := s.Copied()
	return &remoteSyncResult{
		s.From, s.To, s.Versions, s.UpToDate, s.LeftOut, all.Objects, all.Bytes, amount(s.Packs), amount(s.Pages), amount(s.Roots), amount(s.Pins), amount(s.There),
		s.Requests, s.DryRun, s.Seconds, problems(s.Problems),
	}
}

// Text says what was brought, and what was there.
func (r *remoteSyncResult) Text(p *printer) {
	did := "copied"
	if r.DryRun {
		did = "would be copied"
	}
	switch {
	case r.Objects == 0 && r.LeftOut > 0:
		p.f("Nothing %s\n", did)
	case r.Versions == 0:
		p.f("No version is pinned on %s.\n", r.From)
	case r.Objects == 0:
		p.f("%s has all that %s has (%s, %s).\n", r.To, r.From, many(int64(r.Versions), "version"), many(r.Requests, "request"))
		return
	default:
		p.f("%s %s from %s to %s, %s\n", many(r.Objects, "object"), did, r.From, r.To, size(r.Bytes))
		p.f("  %s\n", strings.Join([]string{
			many(r.Packs.Objects, "pack") + " (" + size(r.Packs.Bytes) + ")", many(r.Pages.Objects, "page"), many(r.Roots.Objects, "root"), many(r.Pins.Objects, "pin"),
		}, ", "))
	}
	if r.There.Objects > 0 {
		p.f("  already there: %s, %s\n", many(r.There.Objects, "object"), size(r.There.Bytes))
	}
	if r.LeftOut > 0 {
		p.f("  left out: %s of %s\n", count(int64(r.LeftOut)), many(int64(r.Versions), "version"))
	}
	p.f("%s\n", p.paint(dim, many(r.Requests, "request")+" in "+seconds(r.Seconds)+r.rate()))
}

func (r *remoteSyncResult) rate() string {
	if r.DryRun {
		return ""
	}
	return rate(r.Bytes, r.Seconds)
}

func (a *app) remoteSyncCommand() *cobra.Command {
	var o dataset.SyncOptions
	cmd := verb{
		use: "sync FROM TO", args: cobra.ExactArgs(2),
		short: "Bring to one remote what another one has",
		long: `FROM and TO are names of remotes. What is pinned on FROM, by whatever
repository, comes to TO: packs, pages, roots, and last the pins; of these only
what TO lacks. Each object is checked on its way. What is broken or gone on FROM
is named, and versions that need it are left out. Nothing on FROM is changed,
and nothing is deleted on TO. TO may be new.

Without changes that is a look at the pins of both. An interrupted sync goes on
where it was. --verify looks at every page and pack on TO, also of versions that
are pinned there, and heals what is missing. FROM can't be a web server, for its
objects can't be listed.`,
		example: "  tarn remote sync origin backup\n  tarn remote sync origin backup --dry-run\n  tarn remote sync origin backup -j 16 --limit-download 50m",
		codes:   []int{exitIncomplete, exitRefused, exitCorrupt},
		means:   map[int]string{exitRefused: "something was purged from TO, and is not brought back"},
	}.command(func(ctx context.Context, args []string) error {
		o.From, o.To = args[0], args[1]
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		res, err := r.Sync(ctx, o)
		if res == nil || err != nil && len(res.Problems) == 0 && res.Copied().Objects == 0 {
			return err // it did not begin
		}
		a.tell(res.Problems)
		if serr := a.show("remote-sync", remoteSyncView(res)); err == nil {
			err = serr
		}
		return err
	})
	a.transferFlags(cmd)
	cmd.Flags().BoolVarP(&o.DryRun, "dry-run", "n", false, "count what would be copied")
	cmd.Flags().BoolVar(&o.Verify, "verify", false, "look at everything on TO, and heal it")
	cmd.ValidArgsFunction = upTo(2, a.words(cobra.ShellCompDirectiveNoFileComp, remotes))
	return cmd
}
