package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"tarn/internal/config"
	"tarn/internal/dataset"
)

type configResult struct {
	Values []configValue `json:"values"`
	form   string        // list, get, set
	origin bool
}

type configValue struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Secret bool   `json:"secret"`
	Level  string `json:"level"`
	Origin string `json:"origin"`
	bare   bool
}

// configOptions are the flags of config.
type configOptions struct {
	list, unset, origin         bool
	system, global, repo, local bool
}

// level is the one that was asked for; nil: none.
func (o *configOptions) level() *config.Level {
	for _, f := range []struct {
		on    bool
		level config.Level
	}{{o.system, config.System}, {o.global, config.User}, {o.repo, config.Repository}, {o.local, config.Local}} {
		if f.on {
			return &f.level
		}
	}
	return nil
}

func (a *app) configCommand() *cobra.Command {
	var o configOptions
	cmd := verb{
		use: "config [NAME [VALUE]]", group: "other", args: cobra.MaximumNArgs(2),
		short: "Show and change the configuration",
		long: `Like git config: NAME prints the value that counts, NAME VALUE sets it, in this
clone's file unless another one is named. Later files win: --system, --global
(the user's), --repo (.tarn/config, which Git tracks), --local (this clone's).
Unknown names and wrong values are refused, secrets also where Git tracks the
file; they are never printed. Exit code 1 says that NAME is not set.

Names:
` + configNames(),
		example: "  tarn config cache.link hardlink,copy\n  tarn config --list --show-origin\n  tarn config --unset --global cache.dir\n  tarn config dataset.data/raw.push false",
		codes:   []int{exitDiffers},
	}.command(func(ctx context.Context, args []string) error { return a.config(ctx, &o, args) })
	f := cmd.Flags()
	f.BoolVarP(&o.list, "list", "l", false, "all values that are set")
	f.BoolVar(&o.unset, "unset", false, "remove NAME")
	f.BoolVar(&o.origin, "show-origin", false, "say in which file and line a value is set")
	f.BoolVar(&o.system, "system", false, "the machine's file")
	f.BoolVar(&o.global, "global", false, "the user's file")
	f.BoolVar(&o.repo, "repo", false, "the file that Git tracks")
	f.BoolVar(&o.local, "local", false, "this clone's file")
	cmd.MarkFlagsMutuallyExclusive("system", "global", "repo", "local")
	cmd.ValidArgsFunction = a.completeConfig
	return cmd
}

// configNames lists the keys for the help, in 80 columns.
func configNames() string {
	const column, width = 24, 80
	var b strings.Builder
	for i, k := range config.Known() {
		if i > 0 {
			b.WriteByte('\n')
		}
		line := "  " + pad(k.String(), column-2)
		for word := range strings.FieldsSeq(k.Help) {
			if utf8.RuneCountInString(line+word) > width {
				b.WriteString(strings.TrimRight(line, " ") + "\n")
				line = strings.Repeat(" ", column)
			}
			line += word + " "
		}
		b.WriteString(strings.TrimRight(line, " "))
	}
	return b.String()
}

func (a *app) config(ctx context.Context, o *configOptions, args []string) error {
	s, err := dataset.OpenSettings(ctx, a.options())
	if err != nil {
		return err
	}
	defer s.Close()
	v := &configResult{Values: []configValue{}, origin: o.origin}
	switch {
	case o.unset && (len(args) != 1 || o.list):
		err = fmt.Errorf("%w: --unset takes one NAME", dataset.ErrUsage)
	case o.list && len(args) > 0:
		err = fmt.Errorf("%w: --list takes no NAME", dataset.ErrUsage)
	case o.unset:
		v.form = "set"
		err = s.Unset(o.write(), args[0])
	case len(args) == 2:
		v.form = "set"
		err = a.setConfig(s, o, args[0], args[1], v)
	case len(args) == 1:
		v.form = "get"
		err = getConfig(s, o, args[0], v)
	default:
		v.form = "list"
		var all []dataset.Setting
		all, err = s.List(o.level())
		v.add(all...)
	}
	if err != nil && !errors.Is(err, dataset.ErrDiffers) {
		return err
	}
	if serr := a.show("config", v); serr != nil {
		return serr
	}
	return err
}

// write is the level to write to.
func (o *configOptions) write() config.Level {
	if l := o.level(); l != nil {
		return *l
	}
	return config.Local
}

func (a *app) setConfig(s *dataset.Settings, o *configOptions, name, value string, v *configResult) error {
	over, err := s.Set(o.write(), name, value)
	if err != nil {
		return err
	}
	if over != nil {
		a.progress.Warn(over.Origin, "sets "+over.Name+" as well, and counts")
	}
	level := o.write()
	set, _, err := s.Get(name, &level)
	v.add(set)
	return err
}

// getConfig is ErrDiffers where nothing is set, as git config exits with 1.
func getConfig(s *dataset.Settings, o *configOptions, name string, v *configResult) error {
	found, ok, err := s.Get(name, o.level())
	if err != nil {
		return err
	}
	if !ok {
		return dataset.ErrDiffers
	}
	v.add(found)
	return nil
}

func (c *configResult) add(all ...dataset.Setting) {
	for _, s := range all {
		c.Values = append(c.Values, configValue{s.Name, s.Value, s.Secret, s.Level, s.Origin, s.Bare})
	}
}

// Rows are the values.
func (c *configResult) Rows(yield func(any) bool) {
	for _, v := range c.Values {
		if !yield(v) {
			return
		}
	}
}

// Text is as git config prints it.
func (c *configResult) Text(p *printer) {
	if c.form == "set" {
		return
	}
	for _, v := range c.Values {
		if c.origin {
			p.f("%s\t", v.Origin)
		}
		switch {
		case c.form == "get":
			p.f("%s\n", v.Value)
		case v.bare:
			p.f("%s\n", v.Name)
		default:
			p.f("%s=%s\n", v.Name, v.Value)
		}
	}
}

// completeConfig completes names, those with a subsection for each remote and dataset that is there, and values that can be listed.
func (a *app) completeConfig(cmd *cobra.Command, args []string, _ string) (out []cobra.Completion, _ cobra.ShellCompDirective) {
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	subs := map[string][]string{}
	if r, err := a.open(ctx); err == nil {
		for _, remote := range r.Remotes() {
			subs["NAME"] = append(subs["NAME"], remote.Name)
		}
		subs["PATH"], _ = r.Datasets(ctx)
	}
	if len(args) == 0 {
		for _, k := range config.Known() {
			names := []string{""}
			if k.Sub != "" {
				names = subs[k.Sub]
			}
			for _, sub := range names {
				out = append(out, cobra.CompletionWithDesc(config.JoinName(k.Section, sub, k.Name), k.Help))
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
	section, sub, key, err := config.SplitName(args[0])
	k, ok := config.Lookup(section, sub, key)
	switch {
	case err != nil || !ok || len(args) > 1:
	case k.Kind == config.Bool:
		out = []cobra.Completion{"true", "false"}
	case k.Name == "remote":
		out = subs["NAME"]
	case k.Name == "dir" || k.Kind == config.URL:
		return nil, cobra.ShellCompDirectiveFilterDirs
	default:
		out = k.Values
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
