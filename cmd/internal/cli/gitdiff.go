package cli

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"tarn/index"
	"tarn/internal/dataset"
)

// expandMost is the most entries that git-textconv lists; Git compares the two lists as text then.
const expandMost = 100_000

// nowhere is how Git names the file of a side that has none.
const nowhere = "/dev/null"

// noID is the beginning of the id of no object.
const noID = "0000000"

// gitDiffCommand is diff.tarn.command. Whatever is wrong, it either fails before it prints, and Git's own diff is shown, or shows the text of the manifests.
func (a *app) gitDiffCommand() *cobra.Command {
	cmd := verb{
		use: "git-diff PATH [FILE ID MODE FILE ID MODE [PATH TEXT]]", args: diffArgs,
		short: "Compare manifests for git diff",
		long: `What "git diff" runs for manifests once "tarn init" has set it up: it prints the
entries in which two versions of a large one differ, and Git's own diff of a
small one. It reads the pages that the cache has, and never a remote.`,
		example: "  tarn git-diff data.tarn /tmp/old 8260414 100644 data.tarn 02b668b 100644",
	}.command(func(ctx context.Context, args []string) error {
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		out := bufio.NewWriterSize(a.Out, 64<<10)
		a.color = colorNever
		if r.DiffColors(ctx, a.OutTTY) {
			a.color = colorAlways
		}
		d := &gitDiff{p: &printer{w: out, app: a}, r: r}
		if err := d.run(ctx, args); err != nil {
			return err
		}
		return out.Flush()
	})
	cmd.Hidden = true
	return cmd
}

// diffArgs: a path alone is one that is not merged.
func diffArgs(_ *cobra.Command, args []string) error {
	if n := len(args); n != 1 && n != 7 && n != 9 {
		return fmt.Errorf("it takes 1, 7 or 9 arguments, not %d", n)
	}
	return nil
}

// gitDiff is one manifest in a git diff.
type gitDiff struct {
	p *printer
	r *dataset.Repo
}

func (d *gitDiff) run(ctx context.Context, args []string) error {
	if len(args) == 1 {
		d.p.f("* Unmerged path %s\n", index.Quote(args[0]))
		return d.p.err
	}
	from, a, old, err := readSide(args[1])
	if err != nil {
		return err
	}
	to, b, new, err := readSide(args[4])
	if err != nil {
		return err
	}
	same := bytes.Equal(old, new)
	d.head(args, same)
	if same {
		return d.p.err
	}
	if a != nil && b != nil && len(a.Pages)+len(b.Pages) > 0 && d.entries(ctx, a, b) {
		return d.p.err
	}
	if d.p.err != nil {
		return d.p.err
	}
	return d.r.DiffText(ctx, d.p.w, from, to, d.p.app.color == colorAlways)
}

// readSide reads what Git has put into a file, and tells its absolute path.
func readSide(name string) (file string, m *index.Manifest, text []byte, err error) {
	if name == nowhere {
		return nowhere, nil, nil, nil
	}
	if file, err = filepath.Abs(name); err == nil {
		m, text, err = dataset.ReadManifestFile(file)
	}
	return file, m, text, err
}

// head prints what stands above the hunks, as Git has it.
func (d *gitDiff) head(args []string, same bool) {
	line := func(format string, a ...any) { d.p.f("%s\n", d.p.paint(bold, fmt.Sprintf(format, a...))) }
	name, old, oldID, oldMode, new, newID, newMode := args[0], args[1], args[2], args[3], args[4], args[5], args[6]
	other := name
	if len(args) == 9 {
		other = args[7]
	}
	a, b := index.Quote("a/"+name), index.Quote("b/"+other)
	line("diff --git %s %s", a, b)
	switch {
	case len(args) == 9:
		line("%s", strings.TrimRight(args[8], "\n"))
	case old == nowhere:
		line("new file mode %s", newMode)
		a, oldID, oldMode = nowhere, noID, ""
	case new == nowhere:
		line("deleted file mode %s", oldMode)
		b, newID, oldMode = nowhere, noID, ""
	case oldMode != newMode:
		line("old mode %s", oldMode)
		line("new mode %s", newMode)
		oldMode = ""
	}
	if same {
		return
	}
	if len(args) == 7 {
		line("%s", strings.TrimRight(fmt.Sprintf("index %.7s..%.7s %s", oldID, newID, oldMode), " "))
	}
	line("--- %s", a)
	line("+++ %s", b)
}

// entries prints the entries that differ, and reports whether there were some and all pages were here.
func (d *gitDiff) entries(ctx context.Context, a, b *index.Manifest) bool {
	na, sa := index.Totals(a)
	nb, sb := index.Totals(b)
	d.p.f("%s\n", d.p.paint(cyan, fmt.Sprintf("@@ -%s, %s +%s, %s @@", many(na, "entry"), size(sa), many(nb, "entry"), size(sb))))
	n := 0
	err := d.r.DiffManifests(ctx, a, b, func(c index.Change) error {
		n++
		if c.Old != nil {
			d.p.f("%s\n", d.p.paint(red, "-"+c.Old.Line()))
		}
		if c.New != nil {
			d.p.f("%s\n", d.p.paint(green, "+"+c.New.Line()))
		}
		return d.p.err
	})
	if err != nil && d.p.err == nil && ctx.Err() == nil {
		d.p.f("\\ The rest can't be told, for pages are not in the cache. \"tarn diff\" gets them. The manifests as text:\n")
	}
	return err == nil && n > 0
}

// gitTextconvCommand is diff.tarn.textconv.
func (a *app) gitTextconvCommand() *cobra.Command {
	cmd := verb{
		use: "git-textconv FILE", args: cobra.ExactArgs(1),
		short: "List the entries of a manifest for git log -p",
		long: `What Git runs for manifests where it compares text, once "tarn init" has set it
up: "git log -p", "git show", "git blame". It prints FILE, a manifest, with
entries in the place of pages. A page that the cache lacks stays a line; a
manifest of more than 100,000 entries stays as it is, and "git log -p
--ext-diff" lists what differs there.`,
		example: "  tarn git-textconv data.tarn",
	}.command(func(ctx context.Context, args []string) error {
		m, text, err := dataset.ReadManifestFile(args[0])
		if err != nil {
			return err
		}
		if len(text) > index.MaxRoot {
			return fmt.Errorf("%s has more than %d bytes", args[0], index.MaxRoot) // and nothing was printed
		}
		if m != nil && len(m.Pages) > 0 {
			if r, err := a.open(ctx); err == nil {
				var b bytes.Buffer
				if err := r.ExpandManifest(ctx, &b, m, text, expandMost); err == nil {
					text = b.Bytes()
				}
			}
		}
		_, err = a.Out.Write(text)
		return err
	})
	cmd.Hidden = true
	return cmd
}
