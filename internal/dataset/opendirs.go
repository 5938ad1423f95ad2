package dataset

import (
	"errors"
	"io/fs"
	"path"
	"sync"

	"tarn/internal/durable"
)

// openDirs are a directory and those below it, in which files are written by several workers.
type openDirs struct {
	root *durable.Root // that has the directory
	name string        // of it there

	// before is called, with mu held, before each directory is made in which files have their names at once, see durable.Root.CreateFor; nil: none is.
	before func() error

	mu   sync.Mutex
	dirs map[string]*openedDir
}

// openedDir is a directory that files are written into.
type openedDir struct {
	*durable.Root
	uses int
	made bool // here: nobody else has put something into it
}

// maxOpenDirs is how many of them stay open, for files of one directory follow each other; each is a file descriptor.
const maxOpenDirs = 256

func newOpenDirs(root *durable.Root, name string) *openDirs {
	return &openDirs{root: root, name: name, dirs: map[string]*openedDir{}}
}

// open opens a directory by its path below the top, "", and makes it. It is in use until leave.
func (o *openDirs) open(dir string) (*openedDir, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.dirs) >= maxOpenDirs {
		o.closeIdle()
	}
	d, err := o.find(dir)
	if err == nil {
		d.uses++
	}
	return d, err
}

func (o *openDirs) leave(d *openedDir) {
	o.mu.Lock()
	defer o.mu.Unlock()
	d.uses--
}

func (o *openDirs) closeIdle() {
	for name, d := range o.dirs {
		if d.uses == 0 {
			d.Close()
			delete(o.dirs, name)
		}
	}
}

func (o *openDirs) find(dir string) (*openedDir, error) {
	if d := o.dirs[dir]; d != nil {
		return d, nil
	}
	parent, name := o.root, o.name
	if dir != "" {
		up := path.Dir(dir)
		if up == "." {
			up = ""
		}
		p, err := o.find(up)
		if err != nil {
			return nil, err
		}
		parent, name = p.Root, path.Base(dir)
	}
	made := false
	root, err := parent.Sub(name)
	if errors.Is(err, fs.ErrNotExist) {
		root, made, err = o.make(parent, name)
	}
	if err != nil {
		return nil, err
	}
	o.dirs[dir] = &openedDir{Root: root, made: made}
	return o.dirs[dir], nil
}

// make makes a directory, and says whether it, and nobody else meanwhile, did.
func (o *openDirs) make(parent *durable.Root, name string) (root *durable.Root, made bool, err error) {
	if o.before == nil {
		err = parent.Mkdir(name, 0o777)
	} else if err = o.before(); err == nil {
		root, err = parent.SubNew(name, 0o777)
	}
	made = err == nil
	if root == nil && (made || errors.Is(err, fs.ErrExist)) {
		root, err = parent.Sub(name)
	}
	return root, made, err
}

// made says that a directory was made here, so that there is nothing in it but what came from here. It may have been forgotten. A rehearsal has no
// directories: nil.
func (o *openDirs) made(dir string) bool {
	if o == nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	d := o.dirs[dir]
	return d != nil && d.made
}

// forget closes a directory that is going to be removed.
func (o *openDirs) forget(dir string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if root := o.dirs[dir]; root != nil {
		root.Close()
		delete(o.dirs, dir)
	}
}

// close closes all, but not root.
func (o *openDirs) close() {
	for _, d := range o.dirs {
		d.Close()
	}
}
