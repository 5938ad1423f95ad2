package cli

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"tarn/internal/dataset"
)

// notKept is a flag that says that the cache does not keep a dataset's bytes; --flag=false says that it does.
type notKept struct{ keep dataset.Keeping }

// flag adds it to a command.
func (n *notKept) flag(cmd *cobra.Command, name, usage string) {
	cmd.Flags().Var(n, name, usage+"; remembered")
	cmd.Flags().Lookup(name).NoOptDefVal = "true"
}

// Set is of pflag.Value, as String and Type are.
func (n *notKept) Set(s string) error {
	not, err := strconv.ParseBool(s)
	if n.keep = dataset.KeepInCache; not {
		n.keep = dataset.KeepNot
	}
	return err
}

func (n *notKept) String() string {
	if n.keep == dataset.KeepNot {
		return "true"
	}
	return "false"
}

func (n *notKept) Type() string { return "bool" }

// remembered says what is different from now on, and how to undo it.
func (p *printer) remembered(datasets []jsonPath, keep dataset.Keeping, undo string) {
	if len(datasets) == 0 {
		return
	}
	var names []string
	for _, d := range datasets {
		names = append(names, p.path(string(d)))
	}
	all := strings.Join(names, " ")
	if keep == dataset.KeepInCache {
		p.f("From now on the cache keeps %s.\n", all)
		return
	}
	p.f("From now on the cache does not keep %s; to undo this:\n  %s=false %s\n", all, undo, all)
}
