package dataset

import (
	"errors"
	"io/fs"
	"path"

	"tarn/internal/durable"
)

// openedDir is a directory of the workspace that a checkout writes into.
type openedDir struct {
	*durable.Root
	uses int
}

// maxOpenDirs is how many of them stay open, for files of one directory follow each other; each is a file descriptor.
const maxOpenDirs = 256

// dir opens a directory of the dataset, and makes it; dir "" is the dataset itself. It is in use until leaveDir.
func (c *checkout) dir(dir string) (*openedDir, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.dirs) >= maxOpenDirs {
		c.closeIdle()
	}
	d, err := c.openDir(dir)
	if err == nil {
		d.uses++
	}
	return d, err
}

func (c *checkout) leaveDir(d *openedDir) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d.uses--
}

func (c *checkout) closeIdle() {
	for name, d := range c.dirs {
		if d.uses == 0 {
			d.Close()
			delete(c.dirs, name)
		}
	}
}

func (c *checkout) openDir(dir string) (*openedDir, error) {
	if d := c.dirs[dir]; d != nil {
		return d, nil
	}
	parent, name := c.root, path.Base(c.t.Dataset)
	if dir != "" {
		up := path.Dir(dir)
		if up == "." {
			up = ""
		}
		p, err := c.openDir(up)
		if err != nil {
			return nil, err
		}
		parent, name = p.Root, path.Base(dir)
	}
	root, err := parent.Sub(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := parent.Mkdir(name, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		root, err = parent.Sub(name)
	}
	if err != nil {
		return nil, err
	}
	c.dirs[dir] = &openedDir{Root: root}
	return c.dirs[dir], nil
}

func (c *checkout) forgetDir(d string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if root := c.dirs[d]; root != nil {
		root.Close()
		delete(c.dirs, d)
	}
}
