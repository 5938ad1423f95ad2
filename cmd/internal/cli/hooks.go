package cli

import (
	"context"

	"github.com/spf13/cobra"

	"tarn/internal/dataset"
)

type hooksResult struct {
	Dir      string      `json:"dir"`
	PrePush  string      `json:"pre_push"`
	Hooks    []hookState `json:"hooks"`
	Problems []problem   `json:"problems"`
}

type hookState struct {
	Name    string `json:"hook"`
	State   string `json:"state"`
	Chained bool   `json:"chained"`
	Changed bool   `json:"changed"`
}

func (a *app) hooksCommand() *cobra.Command {
	cmd := verb{
		use: "hooks", group: "other",
		short: "Let git push, checkout and merge take care of data",
		long: `Git's hooks: before a push tarn looks whether the data of the commits is on the
remote (or pushes it, if hooks.prePush is "push"; "off" turns it off); after a
checkout, merge or rebase the data follows the manifests, from the cache, and
what was changed here stays. Hooks that you have keep running, first.`,
		example: "  tarn hooks install\n  tarn hooks status\n  tarn hooks uninstall",
		args:    cobra.NoArgs,
	}.command(nil)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.AddCommand(a.hooksInstallCommand(), a.hooksUninstallCommand(), a.hooksStatusCommand(), a.hooksRunCommand())
	return cmd
}

func (a *app) hooksInstallCommand() *cobra.Command {
	o := dataset.HooksOptions{Exe: a.Self}
	cmd := verb{
		use: "install", args: cobra.NoArgs,
		short: "Write Git's hooks",
		long: `The hooks are post-checkout, post-merge, post-rewrite and pre-push. One that is
there already is renamed to NAME.before-tarn, and runs first. One that calls
"tarn hooks run NAME" stays as it is. Each is a few lines of shell.`,
		example: "  tarn hooks install\n  git config core.hooksPath .githooks && tarn hooks install",
		codes:   []int{exitIncomplete, exitRefused},
	}.command(func(ctx context.Context, _ []string) error {
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		res, err := r.InstallHooks(ctx, o)
		return a.showHooks(res, err)
	})
	cmd.Flags().BoolVarP(&o.Force, "force", "f", false, "also into a directory that other repositories share")
	return cmd
}

func (a *app) hooksUninstallCommand() *cobra.Command {
	return verb{
		use: "uninstall", args: cobra.NoArgs,
		short:   "Take the hooks away",
		long:    "Hooks that were there before get their names back. Those of others stay.",
		example: "  tarn hooks uninstall",
		codes:   []int{exitIncomplete},
	}.command(func(ctx context.Context, _ []string) error {
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		res, err := r.UninstallHooks(ctx)
		return a.showHooks(res, err)
	})
}

func (a *app) hooksStatusCommand() *cobra.Command {
	return verb{
		use: "status", args: cobra.NoArgs,
		short:   "Show which hooks are installed",
		long:    "Where Git looks for hooks, which of them are tarn's, and what pre-push does.",
		example: "  tarn hooks status",
	}.command(func(ctx context.Context, _ []string) error {
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		res, err := r.HookStates(ctx)
		return a.showHooks(res, err)
	})
}

func (a *app) showHooks(res *dataset.HooksResult, err error) error {
	if res == nil {
		return err
	}
	a.tell(res.Problems)
	v := &hooksResult{Dir: res.Dir, PrePush: res.PrePush, Hooks: []hookState{}, Problems: problems(res.Problems)}
	for _, h := range res.Hooks {
		v.Hooks = append(v.Hooks, hookState{h.Name, string(h.State), h.Chained, h.Changed})
	}
	if serr := a.show("hooks", v); err == nil {
		err = serr
	}
	return err
}

// Rows are the hooks.
func (r *hooksResult) Rows(yield func(any) bool) {
	for _, h := range r.Hooks {
		if !yield(h) {
			return
		}
	}
}

// Text is a line a hook.
func (r *hooksResult) Text(p *printer) {
	missing := 0
	for _, h := range r.Hooks {
		p.f("%s%s", pad(h.Name, 15), h.State)
		if h.State == string(dataset.HookMissing) {
			missing++
		}
		if h.Chained {
			p.f("; %s.before-tarn runs first", h.Name)
		}
		if kind := dataset.HookKind(h.State); h.Name == "pre-push" && (kind == dataset.HookInstalled || kind == dataset.HookCalls) {
			p.f("; hooks.prePush is %s", r.PrePush)
		}
		p.f("\n")
	}
	p.f("in %s\n", r.Dir)
	if missing == len(r.Hooks) {
		p.f("Next: tarn hooks install\n")
	}
}
