package cli

import (
	"context"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"

	"tarn/index"
	"tarn/internal/dataset"
)

type getResult struct {
	URL      string    `json:"url"`
	Commit   string    `json:"commit"`
	Path     jsonPath  `json:"path"`
	Dataset  jsonPath  `json:"dataset,omitempty"`
	Part     jsonPath  `json:"part,omitempty"`
	To       jsonPath  `json:"to"`
	Written  int64     `json:"written"`
	Bytes    int64     `json:"bytes_written"`
	Same     int64     `json:"unchanged"`
	Received int64     `json:"bytes_transferred"`
	Requests int64     `json:"requests"`
	Seconds  float64   `json:"seconds"`
	Problems []problem `json:"problems"`
}

func (a *app) getCommand() *cobra.Command {
	var o dataset.GetOptions
	cmd := verb{
		use: "get URL[@REV] PATH", group: "data", args: cobra.ExactArgs(2),
		short: "Bring data of another repository here",
		long: `Writes PATH of another repository into a directory here, without the history and
the other data. PATH is a dataset, a file or directory in one, or what Git
tracks: a file, or a directory with its files and datasets; . is all. URL is
what git clone takes, REV a branch, tag or commit. The bytes of datasets come
from the remotes that the repository's .tarn/config names, or from --remote;
files of Git need none. It needs no repository here. Files that are there
already are kept if they are the same, and replaced only with --force. An
interrupted get goes on when it is run again.

Files of Git are written as Git stores them: no attributes are applied, so line
ends stay, and of a file of Git LFS there is the pointer. Links on the way to
PATH are followed. Manifests, .tarn and submodules are left out.`,
		example: "  tarn get https://example.com/team/models@v2 models/small\n  tarn get ../other data/2024/june.csv -o june.csv\n  tarn get ../other params.yaml\n  tarn get git@example.com:team/models --rev v2 models -o /srv/models",
		codes:   []int{exitIncomplete, exitRefused, exitCorrupt},
	}.command(func(ctx context.Context, args []string) error {
		o.URL, o.Path, o.Temp = args[0], args[1], os.TempDir()
		res, err := dataset.Get(ctx, a.options(), o)
		if res == nil {
			return err
		}
		a.tell(res.Problems)
		v := &getResult{res.URL, res.Commit, jsonPath(path.Clean(res.Path)), jsonPath(res.Dataset), jsonPath(res.Prefix), jsonPath(filepath.ToSlash(res.To)), res.Written, res.Bytes, res.Same,
			res.Received, res.Requests, res.Seconds, problems(res.Problems)}
		if serr := a.show("get", v); err == nil {
			err = serr
		}
		return err
	})
	f := cmd.Flags()
	f.StringVarP(&o.Out, "out", "o", "", "write into `DIR`; a file also as DIR (default: its own name)")
	f.StringVar(&o.Rev, "rev", "", "the revision `REV`, where the URL has an @ of its own")
	f.StringVarP(&o.Remote, "remote", "r", "", "`NAME` of a remote of that repository, or the URL of one")
	f.IntVarP(&a.jobs, "jobs", "j", 0, "transfers at once (default: transfer.jobs, or 6)")
	f.BoolVarP(&o.Force, "force", "f", false, "replace files that have other content")
	return cmd
}

// Text says what was written, in two lines.
func (g *getResult) Text(p *printer) {
	to := string(g.To)
	if dir, err := filepath.Abs(p.app.dir); err == nil {
		if rel, err := filepath.Rel(dir, filepath.FromSlash(to)); err == nil && filepath.IsLocal(rel) {
			to = rel
		}
	}
	p.f("%s  %s written (%s), %s unchanged\n", p.paint(bold, index.Quote(to)), count(g.Written), size(g.Bytes), count(g.Same))
	p.f("%s\n", p.paint(dim, size(g.Received)+" over the wire, "+many(g.Requests, "request")+" in "+seconds(g.Seconds)+rate(g.Received, g.Seconds)))
}
