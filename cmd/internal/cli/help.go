package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"tarn/internal/dataset"
)

// helpCommand is cobra's, but a topic that does not exist is an error.
func (a *app) helpCommand() *cobra.Command {
	cmd := verb{
		use: "help [COMMAND…]", group: "other",
		short: "Show the help of a command", long: "Without a COMMAND it lists all commands. The same as tarn COMMAND --help.",
		example: "  tarn help add\n  tarn help remote add",
	}.command(nil)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		about, rest, err := cmd.Root().Find(args)
		if err != nil || len(rest) > 0 {
			last := args[len(args)-max(len(rest), 1)]
			return &dataset.Hinted{Err: fmt.Errorf("%w: there is no command %q", dataset.ErrUsage, last), Hint: suggest(about, last)}
		}
		about.InitDefaultHelpFlag()
		return about.Help()
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
		about, rest, err := cmd.Root().Find(args)
		if err != nil || len(rest) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		for _, sub := range about.Commands() {
			names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

func (a *app) completionCommand() *cobra.Command {
	var cmd *cobra.Command
	cmd = verb{
		use: "completion SHELL", group: "other", args: cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		short: "Print a script for the shell that completes commands",
		long: `SHELL is bash, zsh, fish or powershell. Load the script where the shell starts,
or put it where the shell looks for completions.`,
		example: "  source <(tarn completion bash)\n  tarn completion zsh > \"${fpath[1]}/_tarn\"\n  tarn completion fish > ~/.config/fish/completions/tarn.fish",
	}.command(func(_ context.Context, args []string) error {
		switch root := cmd.Root(); args[0] {
		case "bash":
			return root.GenBashCompletionV2(a.Out, true)
		case "zsh":
			return root.GenZshCompletion(a.Out)
		case "fish":
			return root.GenFishCompletion(a.Out, true)
		default:
			return root.GenPowerShellCompletionWithDesc(a.Out)
		}
	})
	cmd.ValidArgs = []cobra.Completion{"bash", "zsh", "fish", "powershell"}
	return cmd
}

// when says whether to color.
type when string

const (
	colorAuto   when = "auto"
	colorAlways when = "always"
	colorNever  when = "never"
)

func (w *when) String() string { return string(*w) }
func (w *when) Type() string   { return "when" }

func (w *when) Set(s string) error {
	switch v := when(s); v {
	case colorAuto, colorAlways, colorNever:
		*w = v
		return nil
	}
	return errors.New("must be auto, always or never")
}
