package dataset

import (
	"bytes"
	"context"
	"io"
	"os"

	"tarn/index"
)

// What Git's diff drivers are made of (drivers.go). They look at what Git has put into files, at pages of the cache and at nothing else.

// ReadManifestFile reads the text of a manifest of at most index.MaxRoot bytes, and takes it apart; m is nil where it is none: conflict markers, or a file
// that only has such a name.
func ReadManifestFile(file string) (m *index.Manifest, raw []byte, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if raw, err = io.ReadAll(io.LimitReader(f, index.MaxRoot+1)); err != nil {
		return nil, nil, err
	}
	if m, err = index.Parse(raw); err != nil {
		return nil, raw, nil
	}
	return m, raw, nil
}

// DiffManifests hands the entries that two manifests do not have in common to each. An error that is not from each says that the cache lacks a page, or has a
// wrong one; what came before it is true.
func (r *Repo) DiffManifests(ctx context.Context, a, b *index.Manifest, each func(index.Change) error) error {
	if _, err := r.openCache(); err != nil {
		return err
	}
	for c, err := range index.Diff(ctx, a, b, r.local(), r.local()) {
		if err == nil {
			err = each(c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// DiffText writes the hunks of Git's own diff of two files (absolute).
func (r *Repo) DiffText(ctx context.Context, w io.Writer, from, to string, color bool) error {
	return r.git.DiffFiles(ctx, w, from, to, color)
}

// DiffColors says whether Git colors a diff that it prints to stdout, which is a terminal or not.
func (r *Repo) DiffColors(ctx context.Context, tty bool) bool { return r.git.Colors(ctx, tty) }

// ExpandManifest writes the text of a manifest with entries in the place of pages. A page that the cache lacks stays a line, and so do all where there are more
// than max entries.
func (r *Repo) ExpandManifest(ctx context.Context, w io.Writer, m *index.Manifest, raw []byte, max int64) error {
	entries, _ := index.Totals(m)
	if _, err := r.openCache(); err != nil || len(m.Pages) == 0 || entries > max {
		_, err = w.Write(raw)
		return err
	}
	head := raw[:bytes.IndexByte(raw, '\n')+1]
	if _, err := w.Write(head); err != nil {
		return err
	}
	x := &expansion{ctx: ctx, w: w, src: r.local(), left: max}
	return x.pages(m.Pages, raw[len(head):])
}

// expansion is one ExpandManifest.
type expansion struct {
	ctx  context.Context
	w    io.Writer
	src  index.Source
	left int64 // lines that may still come in the place of others; the counts in a manifest may be wrong
}

// pages writes what is in pages, whose lines are text.
func (x *expansion) pages(refs []index.Ref, text []byte) error {
	for _, ref := range refs {
		line := text[:bytes.IndexByte(text, '\n')+1]
		text = text[len(line):]
		if err := x.page(ref, line); err != nil {
			return err
		}
	}
	return x.ctx.Err()
}

func (x *expansion) page(ref index.Ref, line []byte) error {
	if p, body := x.read(ref); p == nil {
		x.left--
	} else if x.left -= int64(len(p.Entries)); x.left < 0 {
		x.left = 0 // and no page is read any more
	} else if p.Level > 0 {
		return x.pages(p.Refs, body)
	} else {
		line = body
	}
	_, err := x.w.Write(line)
	return err
}

// read returns a page and the lines after its first; nil where it can't be had.
func (x *expansion) read(ref index.Ref) (*index.Page, []byte) {
	if x.left <= 0 {
		return nil, nil
	}
	b, err := x.src.Page(x.ctx, ref.Digest)
	if err != nil {
		return nil, nil
	}
	p, err := index.ParsePage(b)
	if err != nil {
		return nil, nil
	}
	return p, b[bytes.IndexByte(b, '\n')+1:]
}
