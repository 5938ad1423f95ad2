package cli

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"tarn/index"
	"tarn/internal/config"
	"tarn/internal/dataset"
)

type remoteResult struct {
	Remotes []remoteInfo `json:"remotes"`
	did     string
}

type remoteInfo struct {
	Name    string `json:"name"`
	URL     string `json:"url"`
	Default bool   `json:"default"`
	Level   string `json:"level"`

	Settings map[string]string `json:"settings,omitempty"`
}

func remoteView(did string, infos ...dataset.RemoteInfo) *remoteResult {
	v := &remoteResult{Remotes: []remoteInfo{}, did: did}
	for _, i := range infos {
		info := remoteInfo{Name: i.Name, URL: i.URL, Default: i.Default, Level: i.Level}
		for _, s := range i.Settings {
			if info.Settings == nil {
				info.Settings = map[string]string{}
			}
			info.Settings[s.Key] = s.Value
		}
		v.Remotes = append(v.Remotes, info)
	}
	return v
}

// Rows are the remotes.
func (r *remoteResult) Rows(yield func(any) bool) {
	for _, i := range r.Remotes {
		if !yield(i) {
			return
		}
	}
}

// Text is a line a remote.
func (r *remoteResult) Text(p *printer) {
	if r.did != "" {
		p.f("%s\n", r.did)
	}
	for _, i := range r.Remotes {
		mark := " "
		if i.Default {
			mark = "*"
		}
		p.f("%s %s  %s  %s\n", mark, p.paint(bold, i.Name), i.URL, p.paint(dim, "("+i.Level+")"))
		for _, key := range slices.Sorted(maps.Keys(i.Settings)) {
			p.f("    %s: %s\n", key, index.Quote(i.Settings[key]))
		}
	}
}

func (a *app) remoteCommand() *cobra.Command {
	cmd := verb{
		use: "remote", group: "remote",
		short:   "Set up the places that data is pushed to",
		long:    "A remote is an S3 bucket (s3://BUCKET/PREFIX) or a directory (a path, or a\nfile:// URL); relative paths are kept relative to the root of the repository.",
		example: "  tarn remote add origin /mnt/shared/tarn\n  tarn remote list",
		args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &dataset.Hinted{Err: cobra.NoArgs(cmd, args), Hint: "tarn remote --help"}
			}
			return nil
		},
	}.command(func(context.Context, []string) error { return nil })
	cmd.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	cmd.AddCommand(a.remoteAddCommand(), a.remoteListCommand(), a.remoteShowCommand(), a.remoteRemoveCommand(), a.remoteRenameCommand(), a.remoteDefaultCommand(), a.remoteCheckCommand(), a.remoteSyncCommand())
	return cmd
}

// levelFlags let the user choose the configuration that is written; the tracked one is the default.
func levelFlags(cmd *cobra.Command) func() config.Level {
	local := cmd.Flags().Bool("local", false, "write to this clone's untracked configuration")
	user := cmd.Flags().Bool("user", false, "write to the user's configuration")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if *local && *user {
			return usageError(cmd, errors.New("--local and --user exclude each other"))
		}
		return nil
	}
	return func() config.Level {
		switch {
		case *local:
			return config.Local
		case *user:
			return config.User
		}
		return config.Repository
	}
}

func (a *app) remoteAddCommand() *cobra.Command {
	var level func() config.Level
	var settings func() []dataset.RemoteSetting
	var def bool
	cmd := verb{
		use: "add NAME URL", args: cobra.ExactArgs(2),
		short: "Add a remote; the first one is the default",
		long: `URL is s3://BUCKET, s3://BUCKET/PREFIX, a directory or a file:// URL. It is
written to .tarn/config, which Git tracks, unless --local or --user is given.
The other flags are for S3; keys are not among them, they are found where AWS's
own programs find them (docs/s3.md). "tarn remote check" tries the remote out.`,
		example: "  tarn remote add origin s3://my-bucket/datasets --region eu-central-1\n  tarn remote add lab s3://data --endpoint https://minio.lab:9000 --ca lab.pem\n" +
			"  tarn remote add origin /mnt/shared/tarn\n  tarn remote add backup file:///media/usb/tarn --local",
	}.command(func(ctx context.Context, args []string) error {
		return a.changeRemote(ctx, func(r *dataset.Repo) (*remoteResult, error) {
			info, err := r.AddRemote(args[0], args[1], level(), def, settings()...)
			return remoteView("added", info), err
		})
	})
	settings = settingFlags(cmd)
	level = levelFlags(cmd)
	cmd.Flags().BoolVarP(&def, "default", "d", false, "make it the default")
	return cmd
}

func (a *app) changeRemote(ctx context.Context, do func(*dataset.Repo) (*remoteResult, error)) error {
	r, err := a.open(ctx)
	if err != nil {
		return err
	}
	res, err := do(r)
	if err != nil {
		return err
	}
	return a.show("remote", res)
}

func (a *app) remoteListCommand() *cobra.Command {
	return verb{
		use: "list", args: cobra.NoArgs,
		short: "List the remotes", long: "The default is marked with '*'; then name, URL, and where it is configured.",
		example: "  tarn remote list --json",
	}.command(func(ctx context.Context, _ []string) error {
		return a.changeRemote(ctx, func(r *dataset.Repo) (*remoteResult, error) { return remoteView("", r.Remotes()...), nil })
	})
}

func (a *app) remoteShowCommand() *cobra.Command {
	return verb{
		use: "show NAME", args: cobra.ExactArgs(1),
		short: "Show one remote", long: "Prints its URL and where that is configured.",
		example: "  tarn remote show origin",
	}.command(func(ctx context.Context, args []string) error {
		return a.changeRemote(ctx, func(r *dataset.Repo) (*remoteResult, error) {
			info, err := r.Remote(args[0])
			return remoteView("", info), err
		})
	})
}

func (a *app) remoteRemoveCommand() *cobra.Command {
	return verb{
		use: "remove NAME", args: cobra.ExactArgs(1),
		short: "Forget a remote", long: "Only the configuration changes; what is on the remote stays there.",
		example: "  tarn remote remove backup",
	}.command(func(ctx context.Context, args []string) error {
		return a.changeRemote(ctx, func(r *dataset.Repo) (*remoteResult, error) {
			return remoteView("removed " + args[0]), r.RemoveRemote(args[0])
		})
	})
}

func (a *app) remoteRenameCommand() *cobra.Command {
	return verb{
		use: "rename OLD NEW", args: cobra.ExactArgs(2),
		short: "Give a remote another name", long: "Only the configuration changes.",
		example: "  tarn remote rename origin primary",
	}.command(func(ctx context.Context, args []string) error {
		return a.changeRemote(ctx, func(r *dataset.Repo) (*remoteResult, error) {
			err := r.RenameRemote(args[0], args[1])
			if err != nil {
				return nil, err
			}
			info, err := r.Remote(args[1])
			return remoteView("renamed", info), err
		})
	})
}

func (a *app) remoteDefaultCommand() *cobra.Command {
	var level func() config.Level
	cmd := verb{
		use: "default NAME", args: cobra.ExactArgs(1),
		short: "Choose the remote that is used where none is named", long: "It is written to .tarn/config, which Git tracks, unless --local or --user is\ngiven.",
		example: "  tarn remote default backup --local",
	}.command(func(ctx context.Context, args []string) error {
		return a.changeRemote(ctx, func(r *dataset.Repo) (*remoteResult, error) {
			info, err := r.DefaultRemote(args[0], level())
			return remoteView("the default is now", info), err
		})
	})
	level = levelFlags(cmd)
	return cmd
}
