package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"tarn/internal/dataset"
)

// hooksRunCommand is what Git's hooks call: with the arguments and the input that Git gives them, or with the environment that the pre-commit framework gives
// instead of both.
func (a *app) hooksRunCommand() *cobra.Command {
	cmd := verb{
		use: "run HOOK [ARG…]", args: cobra.MinimumNArgs(1),
		short: "Do what a hook does",
		long: `HOOK is post-checkout, post-merge, post-rewrite, pre-push or pre-commit; the
ARGs are those that Git gives it. pre-commit fails if data was changed and not
added. The hooks that come after Git's work warn, and never fail.`,
		example: "  tarn hooks run pre-push origin git@example.com:r.git\n  tarn hooks run pre-commit",
		codes:   []int{exitDiffers, exitIncomplete, exitRefused, exitCorrupt},
	}.command(func(ctx context.Context, args []string) error {
		switch args[0] {
		case "pre-push":
			return a.prePush(ctx, args[1:])
		case "pre-commit":
			return a.preCommit(ctx)
		case "post-checkout", "post-merge", "post-rewrite":
			if err := a.follow(ctx, args[0], args[1:]); err != nil {
				a.reportError(fmt.Errorf("%s: %w", args[0], err))
			}
			return nil
		}
		return fmt.Errorf("%w: there is no hook %q", dataset.ErrUsage, args[0])
	})
	cmd.Hidden = true
	return cmd
}

// follow brings data that was here in line with the manifests that Git moved.
func (a *app) follow(ctx context.Context, name string, args []string) error {
	arg := func(i int, env string) string {
		if i < len(args) {
			return args[i]
		}
		return a.Getenv(env)
	}
	switch name {
	case "post-checkout": // of a branch, not of files
		if arg(2, "PRE_COMMIT_CHECKOUT_TYPE") != "1" {
			return nil
		}
	case "post-rewrite": // the end of a rebase
		if arg(0, "PRE_COMMIT_REWRITE_COMMAND") != "rebase" {
			return nil
		}
	}
	r, err := a.open(ctx)
	if err != nil {
		return err
	}
	res, err := r.Follow(ctx)
	if res == nil {
		return err
	}
	a.endProgress()
	if told := a.tellFollow(res); told && (errors.Is(err, dataset.ErrIncomplete) || errors.Is(err, dataset.ErrRefused) || errors.Is(err, dataset.ErrCorrupt)) {
		return nil
	}
	return err
}

// tellFollow is a line or two for each dataset that something is to be said about.
func (a *app) tellFollow(res *dataset.CheckoutResult) (told bool) {
	p := &printer{w: a.Err, app: a}
	for _, d := range res.Datasets {
		if d.Written+d.Removed > 0 && !a.quiet {
			p.f("tarn: %s  %s written (%s), %s removed\n", p.path(d.Dataset), count(d.Written), size(d.Bytes), count(d.Removed))
		}
	}
	type sum struct{ refused, missing int64 }
	sums, order := map[string]*sum{}, []string(nil)
	for _, pr := range res.Problems {
		s := sums[pr.Dataset]
		if s == nil {
			s = &sum{}
			sums[pr.Dataset], order = s, append(order, pr.Dataset)
		}
		switch {
		case errors.Is(pr.Err, dataset.ErrRefused):
			s.refused++
		case errors.Is(pr.Err, dataset.ErrIncomplete):
			s.missing++
		default:
			p.f("tarn: %s: %s\n", p.path(pr.String()), errorText(pr.Err))
		}
	}
	for _, name := range order {
		if s := sums[name]; s.missing > 0 {
			p.f("tarn: %s: %s not in the cache; next: tarn pull %s\n", p.path(name), many(s.missing, "path"), p.path(name))
		}
		if s := sums[name]; s.refused > 0 {
			p.f("tarn: %s: %s left alone, for what is here would be lost; next: tarn status\n", p.path(name), many(s.refused, "path"))
		}
	}
	return len(order) > 0
}

// prePush looks whether the data of what is pushed is on its remote.
func (a *app) prePush(ctx context.Context, args []string) error {
	remote, refs, err := a.pushedRefs(args)
	if err != nil {
		return err
	}
	r, err := a.open(ctx)
	if err != nil {
		return err
	}
	res, err := r.PrePush(ctx, remote, refs)
	if res == nil {
		return err
	}
	a.tell(res.Problems)
	a.endProgress()
	p := &printer{w: a.Err, app: a}
	for i, m := range res.Missing {
		if i == shownPaths {
			p.f("  … and %s more\n", count(int64(len(res.Missing)-i)))
			break
		}
		p.f("  %s at %.12s: %s missing on remote %s\n", p.path(m.Dataset), m.Commit, many(int64(len(m.Missing)), "object"), m.Remote)
	}
	if res.Pushed != nil && res.Pushed.Files > 0 && !a.quiet {
		p.f("tarn: ")
		transferView("pushed", res.Pushed).Text(p)
	}
	if err != nil && ctx.Err() == nil {
		a.reportError(err)
		fmt.Fprintf(a.Err, "  or: git push --no-verify, to push without the data\n")
		return dataset.ErrDiffers // it is told
	}
	return err
}

// pushedRefs reads what Git, or the pre-commit framework, says is pushed, and where to.
func (a *app) pushedRefs(args []string) (remote string, refs []dataset.PushedRef, err error) {
	if name := a.Getenv("PRE_COMMIT_REMOTE_NAME"); len(args) == 0 && name != "" {
		to := firstOf(a.Getenv("PRE_COMMIT_TO_REF"), a.Getenv("PRE_COMMIT_LOCAL_BRANCH")) // the latter where all of a branch is pushed
		return name, []dataset.PushedRef{{Local: to, Remote: a.Getenv("PRE_COMMIT_FROM_REF")}}, nil
	}
	if len(args) == 0 {
		return "", nil, fmt.Errorf("%w: pre-push needs the name of Git's remote", dataset.ErrUsage)
	}
	in := bufio.NewReader(a.In)
	for {
		line, rerr := in.ReadString('\n')
		if f := strings.Fields(line); len(f) == 4 {
			refs = append(refs, dataset.PushedRef{Local: f[1], Remote: f[3]})
		} else if len(f) > 0 {
			return "", nil, fmt.Errorf("%w: pre-push reads %q", dataset.ErrUsage, line)
		}
		if rerr == io.EOF {
			return args[0], refs, nil
		}
		if rerr != nil {
			return "", nil, rerr
		}
	}
}

// preCommit fails if data was changed and not added.
func (a *app) preCommit(ctx context.Context) error {
	r, err := a.open(ctx)
	if err != nil {
		return err
	}
	res, err := r.Status(ctx, dataset.StatusOptions{})
	if res == nil {
		return err
	}
	a.tell(res.Problems)
	a.endProgress()
	p := &printer{w: a.Out, app: a}
	for i := range res.Datasets {
		if n := res.Datasets[i].NotAdded(); n > 0 {
			p.f("%s  %s changed and not added\n  Next: tarn add %[1]s && git add %[1]s.tarn\n", p.path(res.Datasets[i].Dataset), many(int64(n), "path"))
			if err == nil {
				err = dataset.ErrDiffers
			}
		}
	}
	return err
}
