package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

type initResult struct {
	Root    jsonPath `json:"root"`
	Written []string `json:"written"`
	Drivers []string `json:"drivers"`
	Kept    []string `json:"kept"`
}

func (a *app) initCommand() *cobra.Command {
	return verb{
		use: "init", group: "data", args: cobra.NoArgs,
		short: "Prepare a Git repository for datasets",
		long: `Writes .tarn/config with the repository's id, .tarnignore, and the line
"*.tarn -text diff=tarn merge=tarn" in .gitattributes; and sets up these drivers
in the clone's Git configuration, so that "git diff", "git log -p" and
"git merge" know entries and not only text. In a clone of a repository that has
all this, it sets up the drivers. What is there already stays as it is. Nothing
is staged in Git.`,
		example: "  git init && tarn init && git add -A && git commit -m 'Use tarn'",
	}.command(func(ctx context.Context, _ []string) error {
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		res, err := r.Init(ctx)
		if err != nil {
			return err
		}
		return a.show("init", &initResult{jsonPath(res.Root), append([]string{}, res.Written...), append([]string{}, res.Set...), append([]string{}, res.Kept...)})
	})
}

// Text says what there is to commit.
func (r *initResult) Text(p *printer) {
	if len(r.Written)+len(r.Drivers) == 0 {
		p.f("%s is set up already.\n", r.Root)
	}
	for _, w := range r.Written {
		p.f("wrote %s\n", w)
	}
	if len(r.Drivers) > 0 {
		p.f("set %s in this clone's Git configuration\n", strings.Join(sections(r.Drivers), " and "))
	}
	for _, k := range r.Kept {
		p.f("left %s as you have set it\n", k)
	}
	if len(r.Written) > 0 {
		p.f("\nNext: git add .tarn .tarnignore .gitattributes && tarn add DATA\n")
	}
}

// sections are the parts of keys before the last dot, each once.
func sections(keys []string) []string {
	var out []string
	for _, k := range keys {
		out = append(out, k[:strings.LastIndexByte(k, '.')])
	}
	return slices.Compact(out)
}
