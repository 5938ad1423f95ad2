package dataset

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"tarn/index"
	"tarn/internal/durable"
)

// remove deletes what the manifest does not have.
func (c *checkout) remove(it *item) error {
	c.touched, c.changed = true, true
	rel := strings.TrimSuffix(it.path, "/")
	name := path.Join(path.Base(c.t.Dataset), rel)
	if it.entry.Kind == index.Dir {
		c.emptied[rel] = true // at the end, for something may be in it by now
	} else if err := c.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		it.err = err
		c.failed(it)
		return c.record(it)
	}
	c.out.Removed++
	for d := path.Dir(rel); d != "."; d = path.Dir(d) {
		c.emptied[d] = true
	}
	return nil
}

// removeEmptied removes directories that hold nothing any more, deepest first, but for those that the manifest has as empty.
func (c *checkout) removeEmptied(ctx context.Context) {
	dirs := sortedKeys(c.emptied)
	slices.Reverse(dirs)
	for _, d := range dirs {
		if !c.empty[d] && !c.emptyAbove(ctx, d) {
			c.removeDir(d)
		}
	}
	clear(c.emptied) // a file may stand there from now on
}

// removeDir removes a directory of the dataset, or with "" the dataset's own; it stays where something is left in it.
func (c *checkout) removeDir(d string) {
	c.dirs.forget(d)
	removeDir(c.root, path.Join(path.Base(c.t.Dataset), d))
}

// removeDir removes a directory that holds nothing, or what an interruption left; nobody else writes there.
func removeDir(root *durable.Root, name string) {
	entries, err := root.ReadDir(name)
	if err != nil || slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.IsDir() || !durable.IsTemp(e.Name()) }) {
		return
	}
	for _, e := range entries {
		root.Remove(path.Join(name, e.Name()))
	}
	root.Remove(name)
}

// removeHollow removes a directory that holds nothing but such directories, which an interruption may leave.
func (c *checkout) removeHollow(d string) {
	entries, err := c.root.ReadDir(path.Join(path.Base(c.t.Dataset), d))
	if err != nil || slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !e.IsDir() && !durable.IsTemp(e.Name()) }) {
		return
	}
	for _, e := range entries {
		if e.IsDir() {
			c.removeHollow(path.Join(d, e.Name()))
		}
	}
	c.removeDir(d)
}
