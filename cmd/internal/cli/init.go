package cli

import (
	"context"

	"github.com/spf13/cobra"
)

type initResult struct {
	Root    jsonPath `json:"root"`
	Written []string `json:"written"`
}

func (a *app) initCommand() *cobra.Command {
	return verb{
		use: "init", group: "data", args: cobra.NoArgs,
		short: "Prepare a Git repository for datasets",
		long: `Writes .tarn/config with the repository's id, .tarnignore, and the line
"*.tarn -text" in .gitattributes. What is there already stays as it is. Nothing
is staged in Git.`,
		example: "  git init && tarn init && git add -A && git commit -m 'Use tarn'",
	}.command(func(ctx context.Context, _ []string) error {
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		res, err := r.Init()
		if err != nil {
			return err
		}
		return a.show("init", &initResult{jsonPath(res.Root), append([]string{}, res.Written...)})
	})
}

// Text says what there is to commit.
func (r *initResult) Text(p *printer) {
	if len(r.Written) == 0 {
		p.f("%s is set up already.\n", r.Root)
		return
	}
	for _, w := range r.Written {
		p.f("wrote %s\n", w)
	}
	p.f("\nNext: git add .tarn .tarnignore .gitattributes && tarn add DATA\n")
}
