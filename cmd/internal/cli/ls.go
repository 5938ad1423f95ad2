package cli

import (
	"bufio"
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"tarn/index"
	"tarn/internal/dataset"
)

type lsRow struct {
	Rev     string   `json:"rev,omitempty"`
	Dataset jsonPath `json:"dataset"`
	Path    jsonPath `json:"path,omitempty"`
	Kind    string   `json:"kind"`
	Files   *int64   `json:"files,omitempty"`
	Size    *int64   `json:"bytes,omitempty"`
	Digest  string   `json:"digest,omitempty"`
	Target  jsonPath `json:"target,omitempty"`
}

func (a *app) lsCommand() *cobra.Command {
	var o dataset.LsOptions
	var long bool
	cmd := verb{
		use: "ls [[REV:]PATH…]", group: "data",
		short: "List datasets, or what is in them, of any version",
		long: `Lists what stands in PATH: of a dataset, or a directory in one, its entries; of
a directory above datasets these. Without REV it is the manifest in the work
tree that counts, not the files. REV:PATH starts at the root of the repository,
REV:./PATH where you are; a path with a colon is written ./PATH. Nothing is
checked out: only pages of the manifest are read that the cache lacks.`,
		example: "  tarn ls\n  tarn ls -l data/2024\n  tarn ls -R v1.2:data",
		codes:   []int{exitIncomplete, exitCorrupt},
	}.command(func(ctx context.Context, args []string) error {
		o.Paths = args
		a.noProgress = a.noProgress || a.OutTTY // a line of progress would stand among the rows
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		p := &lsPrinter{a: a, long: long, w: bufio.NewWriterSize(a.Out, 64<<10)}
		problems, err := r.Ls(ctx, o, p.row)
		if perr := p.end(problems, err); err == nil {
			err = perr
		}
		a.tell(problems)
		return err
	})
	f := cmd.Flags()
	f.BoolVarP(&o.Recursive, "recursive", "R", false, "go into datasets and directories")
	f.BoolVarP(&long, "long", "l", false, "kind, bytes and digest, too")
	f.StringVarP(&o.Remote, "remote", "r", "", "`NAME` of the remote to read pages from")
	return cmd
}

// lsPrinter prints rows as they come, for there may be many.
type lsPrinter struct {
	a    *app
	long bool
	w    *bufio.Writer
	rows int64
}

func (p *lsPrinter) row(l dataset.Listed) error {
	p.rows++
	var err error
	switch {
	case p.a.json || p.a.jsonl:
		err = p.encode(rowOf(l))
	case !p.a.quiet:
		_, err = p.w.WriteString(p.text(l))
	}
	if err == nil && p.a.OutTTY {
		err = p.w.Flush()
	}
	return err
}

func (p *lsPrinter) encode(row lsRow) error {
	b, err := marshal(row)
	if err != nil {
		return err
	}
	before, after := p.head(), ""
	if p.a.jsonl {
		before, after = "", "\n"
	}
	_, err = fmt.Fprintf(p.w, "%s%s%s", before, b, after)
	return err
}

// head stands before a row of the document.
func (p *lsPrinter) head() string {
	if p.rows > 1 {
		return ","
	}
	return `{"schema":"tarn.ls/1","entries":[`
}

func rowOf(l dataset.Listed) lsRow {
	row := lsRow{Rev: l.Rev, Dataset: jsonPath(l.Dataset), Kind: "dataset"}
	e := l.Entry
	switch {
	case e == nil:
		row.Files, row.Size, row.Digest = &l.Files, &l.Bytes, l.Version
		return row
	case e.Path != ".":
		row.Path = jsonPath(e.Path)
	}
	row.Kind, row.Target = e.Kind.String(), jsonPath(e.Target)
	if e.Kind == index.File || e.Kind == index.Exec {
		row.Size, row.Digest = &e.Size, e.Digest.String()
	}
	return row
}

// lsKinds are short enough for a column.
var lsKinds = map[index.Kind]string{index.File: "file", index.Exec: "exec", index.Link: "link", index.Dir: "dir"}

// text is a line; a path is written so that it can be given to tarn again, from the root where a REV stood before it.
func (p *lsPrinter) text(l dataset.Listed) string {
	kind, bytes, digest, full := "dataset", fmt.Sprint(l.Bytes), l.Version, l.Dataset
	if e := l.Entry; e != nil {
		kind, bytes, digest = lsKinds[e.Kind], "-", "-"
		if e.Kind == index.File || e.Kind == index.Exec {
			bytes, digest = fmt.Sprint(e.Size), e.Digest.String()
		}
		if full = path.Join(l.Dataset, e.Path); strings.HasSuffix(e.Path, "/") {
			full += "/"
		}
	}
	shown := index.Quote(full)
	if l.Rev == "" {
		shown = (&printer{app: p.a}).path(full)
	}
	if !p.long {
		return shown + "\n"
	}
	if l.Entry != nil && l.Entry.Kind == index.Link {
		shown += " -> " + index.Quote(l.Entry.Target)
	}
	return fmt.Sprintf("%-7s %13s  %-12.12s  %s\n", kind, bytes, digest, shown)
}

// end ends the document. After an error that belongs to no row there is none, unless it was begun.
func (p *lsPrinter) end(ps []dataset.Problem, err error) error {
	p.a.endProgress()
	if p.a.json && (p.rows > 0 || err == nil || len(ps) > 0) {
		b, merr := marshal(problems(ps))
		if merr != nil {
			return merr
		}
		before := ""
		if p.rows == 0 {
			before = p.head()
		}
		fmt.Fprintf(p.w, `%s],"problems":%s}`+"\n", before, b)
	}
	return p.w.Flush()
}
