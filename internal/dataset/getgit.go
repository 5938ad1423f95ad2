package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"tarn/index"
	"tarn/index/vcs"
	"tarn/store/digest"
)

// inTree is where a file that Git tracks goes, below what is written; "" for the only one.
func (x *getting) inTree(f vcs.TreeFile) string {
	return strings.TrimPrefix(strings.TrimPrefix(f.Path, x.res.Path), "/")
}

// prefetch brings the contents of all files that are needed with one request.
func (x *getting) prefetch(ctx context.Context, files []vcs.TreeFile) error {
	var objects []string
	for _, f := range files {
		if f.Mode != vcs.ModeSubmodule {
			objects = append(objects, f.Object)
		}
	}
	return x.src.git.Prefetch(ctx, objects)
}

// tracked writes what Git tracks; only an interruption is returned.
func (x *getting) tracked(ctx context.Context) error {
	x.getPart = getPart{}
	for _, f := range x.tree {
		err := x.blob(ctx, f)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, vcs.ErrBytes) {
			err = fmt.Errorf("%w: %w", digest.ErrMismatch, err)
		}
		if err != nil {
			x.res.Problems = append(x.res.Problems, problemAt("", f.Path, "git", err))
		}
	}
	return nil
}

// blob writes one file or link, as Git stores it.
func (x *getting) blob(ctx context.Context, f vcs.TreeFile) error {
	e := index.Entry{Path: x.inTree(f), Kind: index.File}
	if !x.one {
		if err := index.CheckPath(e.Path); err != nil {
			return fmt.Errorf("%w: %w", ErrIncomplete, err)
		}
	}
	if err := x.collides(&e); err != nil {
		return err
	}
	switch f.Mode {
	case vcs.ModeLink:
		return x.blobLink(ctx, f, e)
	case vcs.ModeExec:
		e.Kind = index.Exec
	}
	if !x.fresh {
		same, err := x.blobThere(ctx, f, &e)
		if err != nil || same {
			return err
		}
	}
	return x.src.git.Blob(ctx, f.Object, func(size int64, r io.Reader) error {
		err := x.write(&e, r)
		if err == nil {
			x.src.report.Add(1, size)
		}
		return err
	})
}

// blobThere says whether the file is there already, and counts it then; e has its digest then.
func (x *getting) blobThere(ctx context.Context, f vcs.TreeFile, e *index.Entry) (bool, error) {
	h := digest.New()
	defer h.Release()
	err := x.src.git.Blob(ctx, f.Object, func(size int64, r io.Reader) error {
		e.Size = size
		_, err := io.Copy(h, r)
		return err
	})
	if err != nil {
		return false, err
	}
	e.Digest = h.Sum()
	return x.placed(e)
}

// placed says whether an entry is there already, and counts it then.
func (x *getting) placed(e *index.Entry) (bool, error) {
	root, name, err := x.place(e)
	if err != nil {
		return false, err
	}
	defer x.leave(root)
	same, err := x.there(root.Root, name, e)
	if same && err == nil {
		x.res.Same++
	}
	return same, err
}

func (x *getting) blobLink(ctx context.Context, f vcs.TreeFile, e index.Entry) (err error) {
	e.Kind = index.Link
	if e.Target, err = x.src.git.Target(ctx, f); err != nil {
		return err
	}
	_, err = x.entry(&e)
	return err
}
