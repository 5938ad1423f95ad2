package vcs

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"path"
	"strings"
)

// Modes of files in trees.
const (
	ModeExec      = "100755"
	ModeLink      = "120000"
	ModeSubmodule = "160000"
)

// Tree are the files, links and submodules of a commit at or below a path from the root ("" is that), sorted by path.
func (r *Repo) Tree(ctx context.Context, commit, at string) (files []TreeFile, err error) {
	err = r.lsTree(ctx, func(_ string, f TreeFile) { files = append(files, f) }, "-r", commit, at)
	return files, err
}

// lsTree calls each with what a commit has at paths from the root ("" is all), and the kind of its object, in the order of paths.
func (r *Repo) lsTree(ctx context.Context, each func(kind string, f TreeFile), flag, commit string, paths ...string) error {
	args := []string{"ls-tree", "-z", "--full-tree", flag, commit, "--"}
	for _, p := range paths {
		if p != "" {
			args = append(args, p)
		}
	}
	return r.eachField(ctx, func(line string) {
		head, name, ok := strings.Cut(line, "\t")
		if f := strings.Fields(head); ok && len(f) == 3 {
			each(f[1], TreeFile{name, f[2], f[0]})
		}
	}, args...)
}

// maxTarget is more than any system lets a link's target have, in bytes.
const maxTarget = 1 << 16

// Target is where a link of a tree leads to.
func (r *Repo) Target(ctx context.Context, f TreeFile) (string, error) {
	b, err := r.Contents(ctx, f.Object, maxTarget)
	return string(b), err
}

// ErrLinks says that links of a tree lead nowhere.
var ErrLinks = errors.New("symbolic links lead out of the repository, or too far")

// Resolve follows the links that a commit's trees have in a path from the root. Errors: ErrLinks.
func (r *Repo) Resolve(ctx context.Context, commit, name string) (string, error) {
	const most = 40 // as Linux has it
	for range most {
		link, rest, err := r.firstLink(ctx, commit, name)
		if err != nil || link == nil {
			return name, err
		}
		to, err := r.Target(ctx, *link)
		if err != nil {
			return "", err
		}
		abs := path.IsAbs(to)
		if to = path.Join(path.Dir(link.Path), to); abs || to == ".." || strings.HasPrefix(to, "../") {
			return "", fmt.Errorf("%s: %w", link.Path, ErrLinks)
		}
		if name = path.Join(to, rest); name == "." {
			name = ""
		}
	}
	return "", fmt.Errorf("%s: %w", name, ErrLinks)
}

// firstLink is the first link on the way to a path, and what comes behind it.
func (r *Repo) firstLink(ctx context.Context, commit, name string) (link *TreeFile, rest string, err error) {
	if name == "" {
		return nil, "", nil
	}
	var ways []string
	for p := name; p != "."; p = path.Dir(p) {
		ways = append(ways, p)
	}
	err = r.lsTree(ctx, func(_ string, f TreeFile) {
		if after, ok := strings.CutPrefix(name+"/", f.Path+"/"); f.Mode == ModeLink && ok && link == nil {
			link, rest = &f, after
		}
	}, "-t", commit, ways...)
	return link, rest, err
}

// ErrBytes says that Git has other bytes of an object than its id tells.
var ErrBytes = errors.New("git has other bytes")

// Blob hands the size, in bytes, and the bytes of a blob over, by its id. The reader ends with ErrBytes where they are not those of the id; what is not read is left out. Calls wait
// for each other. An object that is not there is ErrNotFound.
func (r *Repo) Blob(ctx context.Context, id string, use func(size int64, body io.Reader) error) error {
	return r.stream(ctx, id, func(_, kind string, size int64, body io.Reader) error {
		if kind != "blob" {
			return fmt.Errorf("%s: %w: it is a %s", id, ErrNotFound, kind)
		}
		return use(size, newChecked(body, id, size))
	})
}

// checked reads an object and compares it with its id.
type checked struct {
	r    io.Reader
	h    hash.Hash
	id   string
	left int64
}

func newChecked(r io.Reader, id string, size int64) *checked {
	h := sha1.New()
	if len(id) == hex.EncodedLen(sha256.Size) {
		h = sha256.New()
	}
	fmt.Fprintf(h, "blob %d\x00", size)
	return &checked{r, h, id, size}
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.h.Write(p[:n])
	c.left -= int64(n)
	switch {
	case err != io.EOF:
	case c.left != 0:
		err = io.ErrUnexpectedEOF
	case hex.EncodeToString(c.h.Sum(nil)) != c.id:
		err = fmt.Errorf("object %s: %w", c.id, ErrBytes)
	}
	return n, err
}

// Prefetch brings objects that a partial clone left out, many with one request. What it can't bring, Git asks for when it is read, one by one; so it fails
// only where the context ends.
func (r *Repo) Prefetch(ctx context.Context, objects []string) error {
	if !r.partial || len(objects) == 0 {
		return nil
	}
	in := strings.Join(objects, "\n") + "\n"
	r.runIn(ctx, r.dir(), []byte(in), "-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-auto-gc", "--no-tags", "--no-write-fetch-head",
		"--filter=blob:none", "--stdin", "origin")
	return ctx.Err()
}
