package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"tarn/internal/dataset"
)

func (a *app) cacheCommand() *cobra.Command {
	cmd := verb{
		use: "cache", group: "other",
		short:   "Look at the local store, move it, make room in it",
		long:    "The cache has the bytes of datasets by their digests. It is below Git's\ndirectory, or where cache.dir says.",
		example: "  tarn cache info\n  tarn cache prune --dry-run",
		args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &dataset.Hinted{Err: cobra.NoArgs(cmd, args), Hint: "tarn cache --help"}
			}
			return nil
		},
	}.command(func(context.Context, []string) error { return nil })
	cmd.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	cmd.AddCommand(a.cacheInfoCommand(), a.cacheDirCommand(), a.cachePruneCommand())
	return cmd
}

type cacheInfo struct {
	Dir         string      `json:"dir"`
	Origin      string      `json:"origin"`
	Exists      bool        `json:"exists"`
	Objects     int         `json:"objects"`
	ObjectBytes int64       `json:"object_bytes"`
	Packs       int         `json:"packs"`
	PackBytes   int64       `json:"pack_bytes"`
	Corrupt     int         `json:"corrupt"`
	Free        *int64      `json:"free_bytes,omitempty"`
	Links       []string    `json:"links"`
	Works       []string    `json:"links_that_work"`
	Users       []cacheUser `json:"repositories"`
	probed      bool
}

type cacheUser struct {
	Path string `json:"path"`
	Here bool   `json:"this"`
	Gone bool   `json:"gone"`
}

func (a *app) cacheInfoCommand() *cobra.Command {
	return verb{
		use: "info", args: cobra.NoArgs,
		short: "Show where the cache is, what it has, and who uses it",
		long: `Which kinds of links work is found out by a try: files of 4 KiB are made in the
cache and at the top of the work tree, and removed.`,
		example: "  tarn cache info --json",
	}.command(func(ctx context.Context, _ []string) error {
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		info, err := r.CacheInfo()
		if err != nil {
			return err
		}
		return a.show("cache-info", cacheInfoView(info))
	})
}

func cacheInfoView(i *dataset.CacheInfo) *cacheInfo {
	v := &cacheInfo{
		Dir: i.Dir, Origin: i.Origin, Exists: i.Exists, Objects: i.Objects, ObjectBytes: i.ObjectBytes, Packs: i.Packs, PackBytes: i.PackBytes,
		Corrupt: i.Corrupt, Links: i.Links, Works: []string{}, Users: []cacheUser{}, probed: i.Works != nil,
	}
	if i.Free >= 0 {
		v.Free = &i.Free
	}
	for _, kind := range []string{"reflink", "hardlink", "symlink", "copy"} {
		if i.Works[kind] {
			v.Works = append(v.Works, kind)
		}
	}
	for _, u := range i.Users {
		v.Users = append(v.Users, cacheUser(u))
	}
	return v
}

// Text is a line a fact.
func (i *cacheInfo) Text(p *printer) {
	line := func(name, format string, args ...any) { p.f("%s%s\n", pad(name, 13), fmt.Sprintf(format, args...)) }
	where := "the default"
	if i.Origin != "" {
		where = i.Origin
	}
	line("directory:", "%s %s", i.Dir, p.paint(dim, "("+where+")"))
	if !i.Exists {
		line("", "it is not there yet; the first add makes it")
	}
	line("objects:", "%s, %s", many(int64(i.Objects), "file"), size(i.ObjectBytes))
	line("packs:", "%s, %s", many(int64(i.Packs), "file"), size(i.PackBytes))
	if i.Corrupt > 0 {
		line("corrupt:", "%s put aside", many(int64(i.Corrupt), "object"))
	}
	if i.Free != nil {
		line("free:", "%s", size(*i.Free))
	}
	line("cache.link:", "%s", strings.Join(i.Links, ","))
	if i.probed {
		line("works here:", "%s", strings.Join(i.Works, ", "))
	} else {
		line("works here:", "not known: the cache or the work tree can't be written to")
	}
	for n, u := range i.Users {
		name := ""
		if n == 0 {
			name = "used by:"
		}
		note := ""
		if u.Gone {
			note = ", which is not there"
		}
		line(name, "%s%s", u.Path, note)
	}
}

type cacheDir struct {
	Dir   string `json:"dir"`
	Old   string `json:"old,omitempty"`
	moved *dataset.CacheMoved
}

func (a *app) cacheDirCommand() *cobra.Command {
	return verb{
		use: "dir [DIR]", args: cobra.MaximumNArgs(1),
		short: "Print where the cache is, or use another directory",
		long: `With DIR, sets cache.dir in this clone's configuration, which Git does not
track. Nothing is moved or deleted; what to do with the old cache is printed.`,
		example: "  tarn cache dir\n  tarn cache dir /mnt/fast/tarn-cache",
	}.command(func(ctx context.Context, args []string) error {
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		if len(args) == 0 {
			return a.show("cache-dir", &cacheDir{Dir: r.CacheDir()})
		}
		m, err := r.SetCacheDir(ctx, args[0])
		if err != nil {
			return err
		}
		return a.show("cache-dir", &cacheDir{m.New, m.Old, m})
	})
}

// Text is the path alone, or what to do with the old cache.
func (d *cacheDir) Text(p *printer) {
	p.f("%s\n", d.Dir)
	m := d.moved
	if m == nil || m.Old == m.New {
		return
	}
	if m.Visible {
		p.f("\nIt is in the work tree, and Git does not ignore it: add it to .gitignore.\n")
	}
	if m.OldObjects == 0 {
		return
	}
	p.f("\nThe old one keeps %s, %s. To take them along:\n", many(int64(m.OldObjects), "object"), size(m.OldBytes))
	if m.Linked {
		p.f("  tarn unprotect PATH…, of datasets whose files are links into it, before it goes\n")
	}
	switch {
	case m.NewExists || m.Shared:
		p.f("  mkdir -p %s && cp -Rn %s/. %s/\n", m.New, m.Old, m.New)
		if !m.Shared {
			p.f("  rm -rf %s\n", m.Old)
		}
	default:
		p.f("  mkdir -p %s && mv %s %s\n", filepath.Dir(m.New), m.Old, m.New)
	}
}
