package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// verb describes a command; the pattern of every file here: a description, flags, a run function that ends in show.
type verb struct {
	use     string // "add PATH…"
	group   string // data, remote, other; empty for a command below another
	short   string
	long    string
	example string
	codes   []int          // exit codes beside 0, 2, 3 and 130, which every command has
	means   map[int]string // what a code means here, where that is not what exitMeaning says
	args    cobra.PositionalArgs
}

func (v verb) command(run func(ctx context.Context, args []string) error) *cobra.Command {
	cmd := &cobra.Command{
		Use: v.use, GroupID: v.group, Short: v.short, Long: v.long + "\n\n" + exitSection(v.codes, v.means), Example: v.example, DisableFlagsInUseLine: true,
		Args: func(cmd *cobra.Command, args []string) error {
			err := cmd.ValidateFlagGroups() // here, since cobra's own check comes later and its error would not be one of usage
			if err == nil && v.args != nil {
				err = v.args(cmd, args)
			}
			if err != nil {
				return usageError(cmd, err)
			}
			return nil
		},
	}
	if run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error { return run(cmd.Context(), args) }
	}
	return cmd
}

// exitSection is the part of the help that says what exit codes mean.
func exitSection(codes []int, means map[int]string) string {
	var b strings.Builder
	b.WriteString("Exit codes:")
	for _, c := range []int{exitOK, exitDiffers, exitUsage, exitFailed, exitIncomplete, exitRefused, exitCorrupt, exitInterrupted} {
		common := c == exitOK || c == exitUsage || c == exitFailed || c == exitInterrupted
		for _, own := range codes {
			common = common || own == c
		}
		if common {
			fmt.Fprintf(&b, "\n  %3d  %s", c, firstOf(means[c], exitMeaning[c]))
		}
	}
	return b.String()
}
