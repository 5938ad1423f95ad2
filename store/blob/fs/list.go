package fs

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tarn/store/blob"
)

// readBatch entries of a directory are read at once.
const readBatch = 1024

// List implements blob.Bucket. It holds the names of one directory for each level, less what prefix and after exclude.
func (b *Bucket) List(ctx context.Context, prefix, after string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		l := &lister{b: b, ctx: ctx, after: after, yield: yield}
		err := blob.CheckPrefix(prefix)
		if err == nil {
			i := strings.LastIndexByte(prefix, '/') + 1
			err = l.walk(prefix[:i], prefix[i:])
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(blob.Info{}, b.fail("list", prefix, err))
		}
	}
}

// errStopped: the caller has seen enough.
var errStopped = errors.New("stopped")

type lister struct {
	b     *Bucket
	ctx   context.Context
	after string
	yield func(blob.Info, error) bool
}

// child is a name in a directory; a directory's has its slash, so that names sort as the keys below them do ("a-b" before "a/b").
type child string

func (c child) isDir() bool { return c[len(c)-1] == '/' }

// walk yields what is below dir ("" or with its slash) and has the start base there.
func (l *lister) walk(dir, base string) error {
	children, err := l.read(dir, base)
	if err != nil {
		return err
	}
	for _, c := range children {
		if err := l.ctx.Err(); err != nil {
			return err
		}
		if c.isDir() {
			err = l.walk(dir+string(c), "")
		} else {
			err = l.object(dir + string(c))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// read is the children of dir that may lead to a key, sorted.
func (l *lister) read(dir, base string) ([]child, error) {
	f, err := os.Open(filepath.Join(l.b.dir, filepath.FromSlash(dir)))
	if errors.Is(err, fs.ErrNotExist) || dir != "" && isMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var children []child
	for {
		entries, err := f.ReadDir(readBatch)
		for _, e := range entries {
			if c := l.child(dir, e); c != "" && strings.HasPrefix(string(c), base) {
				children = append(children, c)
			}
		}
		if err == io.EOF || dir != "" && isMissing(err) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(children, func(a, b child) int { return cmp.Compare(a, b) })
	return children, nil
}

// child is "" for what can't lead to a key after l.after.
func (l *lister) child(dir string, e fs.DirEntry) child {
	key := dir + e.Name()
	if blob.CheckKey(key) != nil || reserved(key) {
		return ""
	}
	isDir := e.IsDir()
	if e.Type()&fs.ModeSymlink != 0 { // an administrator may have moved a part to another disk
		info, err := os.Stat(filepath.Join(l.b.dir, filepath.FromSlash(key)))
		isDir = err == nil && info.IsDir()
	}
	switch {
	case isDir && (key+"/" > l.after || strings.HasPrefix(l.after, key+"/")):
		return child(e.Name() + "/")
	case !isDir && key > l.after:
		return child(e.Name())
	}
	return ""
}

func (l *lister) object(key string) error {
	info, err := os.Stat(filepath.Join(l.b.dir, filepath.FromSlash(key)))
	if isMissing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().IsRegular() && !l.yield(l.b.info(key, info), nil) {
		return errStopped
	}
	return nil
}
