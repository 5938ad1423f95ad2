package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"tarn/index"
)

// CatOptions say which bytes to read.
type CatOptions struct {
	Path   string // [REV:]PATH
	Range  string // as ParseRange reads it; empty: all
	Remote string // for what is not in the cache; empty: the dataset's
}

// Cat writes the bytes of a file of any version to w, or a range of them: from the cache, else from the remote, where only what is needed is asked for.
// No byte is written before it was checked: in the cache against the file's digest, on a remote against its chunk's; a whole file against its own digest
// as well, at its end. A symbolic link is followed inside of the dataset.
func (r *Repo) Cat(ctx context.Context, o CatOptions, w io.Writer) error {
	if err := r.knownRemote(o.Remote); err != nil {
		return err
	}
	p, err := r.revPath(ctx, o.Path)
	if err != nil {
		return err
	}
	t, v, err := r.ownerAt(ctx, p.commit, p.path)
	if err == nil && v == nil {
		err = p.noFile(ctx, r)
	}
	if err != nil {
		return err
	}
	src := r.from(t.Dataset, o.Remote)
	at, e, err := r.file(ctx, p, t, v, src)
	if errors.Is(err, ErrUsage) && !errors.Is(err, errNoPage) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%s: %w", index.Quote(t.String()), missingPages(err))
	}
	off, n := int64(0), e.Size
	if o.Range != "" {
		if off, n, err = ParseRange(o.Range, e.Size); err != nil {
			return err
		}
	}
	r.report.Phase("cat "+at.String(), -1, n)
	c := &cat{r: r, o: o, w: wanted{at, v, p.commit}, e: e, src: src, off: off, n: n}
	if err := c.run(ctx, w); err != nil {
		return fmt.Errorf("%s: %w", index.Quote(at.String()), sorted(err))
	}
	return nil
}

// ParseRange reads A-B, A- and -N as HTTP does (RFC 9110, 14.1.2): bytes A to B, both included, those from A on, the last N; what goes beyond the end
// is cut. A range that has no byte of a file of size bytes is an error that wraps ErrUsage.
func ParseRange(s string, size int64) (off, n int64, err error) {
	from, to, ok := strings.Cut(s, "-")
	a, aerr := parseOffset(from)
	b, berr := parseOffset(to)
	switch {
	case !ok || from == "" && to == "" || from != "" && aerr != nil || to != "" && berr != nil || from != "" && to != "" && b < a:
		return 0, 0, fmt.Errorf("%w: %q is no range of bytes: A-B, A- or -N", ErrUsage, s)
	case from == "":
		n = min(b, size)
		off = size - n
	case a < size:
		if to == "" {
			b = size - 1
		}
		off, n = a, min(b, size-1)-a+1
	}
	if n == 0 {
		return 0, 0, fmt.Errorf("%w: the range %s has no byte of the file, which has %d", ErrUsage, s, size)
	}
	return off, n, nil
}

// parseOffset is ParseInt for digits alone.
func parseOffset(s string) (int64, error) {
	if strings.Trim(s, "0123456789") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseInt(s, 10, 64)
}

// noFile says why a path that is in no dataset is no file.
func (p revPath) noFile(ctx context.Context, r *Repo) error {
	names, err := r.datasetsAt(ctx, p.commit, p.path)
	switch {
	case err != nil:
		return err
	case len(names) > 0:
		return p.isDirectory(p.path)
	}
	return p.noDataset()
}

// isDirectory says so of a path from the root, and how to see what is in it.
func (p revPath) isDirectory(name string) error {
	hint := "tarn ls " + p.arg
	if name == "" {
		name = "the root of the repository"
	}
	return &Hinted{fmt.Errorf("%w: %s is a directory%s", ErrUsage, index.Quote(name), p.in()), hint}
}

// file is the file that the target is, or leads to through links.
func (r *Repo) file(ctx context.Context, p revPath, t Target, v *version, src index.Source) (Target, *index.Entry, error) {
	prefix := t.Prefix
	if v.Form == index.FormFile && prefix == "" {
		e := v.Entries[0]
		return t, &e, nil
	}
	at, e, err := follow(ctx, v, src, prefix)
	if err != nil {
		return t, nil, err
	}
	if e != nil {
		return Target{t.Dataset, at}, e, nil
	}
	found, err := hasAny(ctx, v, src, at)
	switch {
	case err != nil:
		return t, nil, err
	case !found:
		return t, nil, p.noPath(Target{t.Dataset, at})
	}
	return t, nil, p.isDirectory(path.Join(t.Dataset, at))
}

// maxLinks is how many symbolic links are followed for one path, as by Linux.
const maxLinks = 40

// follow finds the file at a path of a version, through symbolic links, also of directories, but never out of the dataset. Where no file is there it
// returns the path that it came to.
func follow(ctx context.Context, v *version, src index.Source, name string) (string, *index.Entry, error) {
	e, ok, err := index.Lookup(ctx, v.Manifest, src, name)
	if err != nil || ok && regular(&e) {
		return name, &e, err
	}
	var at []string
	rest, links := strings.Split(name, "/"), 0
	for len(rest) > 0 {
		elem := rest[0]
		rest = rest[1:]
		switch {
		case elem == "" || elem == ".":
			continue
		case elem == ".." && len(at) == 0:
			return "", nil, fmt.Errorf("%w: %s leads out of the dataset", ErrUsage, index.Quote(name))
		case elem == "..":
			at = at[:len(at)-1]
			continue
		}
		at = append(at, elem)
		here := strings.Join(at, "/")
		e, ok, err := index.Lookup(ctx, v.Manifest, src, here)
		switch {
		case err != nil:
			return "", nil, err
		case !ok:
			continue
		case regular(&e) && len(rest) == 0:
			return here, &e, nil
		case e.Kind != index.Link:
			continue
		}
		if links++; links > maxLinks {
			return "", nil, fmt.Errorf("%w: %s leads through more than %d symbolic links", ErrUsage, index.Quote(name), maxLinks)
		}
		at, rest = at[:len(at)-1], append(strings.Split(e.Target, "/"), rest...)
	}
	return strings.Join(at, "/"), nil, nil
}

// cat is one run of Cat.
type cat struct {
	r      *Repo
	o      CatOptions
	w      wanted
	e      *index.Entry
	src    *pageSource
	off, n int64
}

func (c *cat) run(ctx context.Context, w io.Writer) error {
	store, lock, err := c.r.holdCache(ctx)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	body, err := store.OpenRange(c.e.Digest, c.e.Size, c.off, c.n)
	if isMissing(err) {
		body, err = orRemote(c.r, c.w.String(), err, func() (io.ReadCloser, error) { return c.fromRemote(ctx) })
	}
	if err != nil {
		return err
	}
	defer body.Close()
	return c.copy(ctx, w, body)
}

// orRemote opens on the remote what the cache does not have. What it has broken is told of, and is the error where the remote is of no help.
func orRemote[T any](r *Repo, what string, cached error, open func() (T, error)) (T, error) {
	f, err := open()
	switch {
	case isCorrupt(cached) && err == nil:
		r.report.Warn(what, cached.Error()+"; read from the remote instead")
	case isCorrupt(cached):
		err = cached
	}
	return f, err
}

func (c *cat) copy(ctx context.Context, w io.Writer, body io.Reader) error {
	buf := readBuffers.Get().(*[]byte)
	defer readBuffers.Put(buf)
	n, err := io.CopyBuffer(struct{ io.Writer }{w}, &watched{ctx, body, c.r.report}, *buf)
	if err == nil && n != c.n {
		err = fmt.Errorf("%w: %d bytes of %d", io.ErrUnexpectedEOF, n, c.n)
	}
	return err
}

// watched counts what is read, and ends when the run does.
type watched struct {
	ctx    context.Context
	r      io.Reader
	report Reporter
}

func (w *watched) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.r.Read(p)
	w.report.Add(0, int64(n))
	return n, err
}
