package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manCommand is for packagers, so it is hidden.
func (a *app) manCommand() *cobra.Command {
	var cmd *cobra.Command
	cmd = verb{
		use: "man DIR", group: "other", args: cobra.ExactArgs(1),
		short:   "Write the manual pages",
		long:    "Writes tarn.1, tarn-add.1 and so on into DIR, which is made if it is not there.",
		example: "  tarn man /usr/local/share/man/man1",
	}.command(func(_ context.Context, args []string) error {
		if err := os.MkdirAll(args[0], 0o777); err != nil {
			return fmt.Errorf("write manual pages: %w", err)
		}
		root := cmd.Root()
		root.DisableAutoGenTag = true // no date: the same pages from the same build
		head := &doc.GenManHeader{Section: "1", Source: "tarn", Manual: "tarn manual", Date: &time.Time{}}
		if err := doc.GenManTree(root, head, args[0]); err != nil {
			return fmt.Errorf("write manual pages: %w", err)
		}
		return nil
	})
	cmd.Hidden = true
	return cmd
}
