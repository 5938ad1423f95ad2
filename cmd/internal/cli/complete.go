package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"tarn/internal/dataset"
)

// lister gives the words that may stand somewhere.
type lister func(context.Context, *dataset.Repo) ([]string, error)

// complete gives every command and flag its completion, by what its help calls its arguments: PATH, REV, NAME of a remote.
func (a *app) complete(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		a.complete(sub)
	}
	_, args, _ := strings.Cut(cmd.Use, " ")
	switch {
	case cmd.ValidArgsFunction != nil || len(cmd.ValidArgs) > 0:
	case strings.Contains(args, "REV"):
		cmd.ValidArgsFunction = a.words(cobra.ShellCompDirectiveDefault, revisions, a.datasets)
	case strings.Contains(args, "PATH") && cmd.Name() != "add":
		cmd.ValidArgsFunction = a.words(cobra.ShellCompDirectiveDefault, a.datasets)
	case strings.HasPrefix(args, "NAME") && cmd.HasParent() && cmd.Parent().Name() == "remote" && cmd.Name() != "add":
		cmd.ValidArgsFunction = upTo(1, a.words(cobra.ShellCompDirectiveNoFileComp, remotes))
	case !strings.ContainsAny(args, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"):
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	for flag, list := range map[string]lister{"remote": remotes, "rev": revisions, "from": revisions, "since": revisions} {
		if cmd.Flags().Lookup(flag) != nil {
			_ = cmd.RegisterFlagCompletionFunc(flag, a.words(cobra.ShellCompDirectiveNoFileComp, list)) // fails only where it has one
		}
	}
}

// words completes with what the lists have; where there is no repository, with nothing.
func (a *app) words(then cobra.ShellCompDirective, lists ...lister) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, start string) (out []cobra.Completion, _ cobra.ShellCompDirective) {
		r, err := a.open(cmd.Context())
		if err != nil {
			return nil, then
		}
		for _, list := range lists {
			names, err := list(cmd.Context(), r)
			if err != nil {
				return nil, then
			}
			for _, n := range names {
				if strings.HasPrefix(n, start) {
					out = append(out, n)
				}
			}
		}
		return out, then
	}
}

// upTo completes the first n arguments only.
func upTo(n int, f cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= n {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return f(cmd, args, start)
	}
}

func revisions(ctx context.Context, r *dataset.Repo) ([]string, error) { return r.Revisions(ctx) }

func remotes(_ context.Context, r *dataset.Repo) (names []string, err error) {
	for _, i := range r.Remotes() {
		names = append(names, i.Name)
	}
	return names, nil
}

// datasets are named as seen from where the user stands.
func (a *app) datasets(ctx context.Context, r *dataset.Repo) ([]string, error) {
	names, err := r.Datasets(ctx)
	for i, n := range names {
		names[i] = a.rel(n)
	}
	return names, err
}
