package scan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"runtime"
	"strings"

	"tarn/index"
)

// File is one thing that Walk found.
type File struct {
	Path   string     // relative to the dataset, with '/'; that of a directory ends in "/"; "." for a dataset that is a file
	Kind   index.Kind // what is there now
	Stat   Stat       // of the path itself, never of what it links to
	Target string     // of an index.Link, as it is stored, with '/' between names
}

// Options says what to walk. Root is needed, the rest is not.
type Options struct {
	Root     string                      // directory or file of the dataset, as a path of the operating system
	Name     string                      // the dataset's path relative to the repository root, with '/': where anchored ignore rules see it
	Ignore   *Ignore                     // rules from above the dataset, see LoadIgnore; those inside it are read on the way
	Prefix   string                      // only this file, or what is below this directory of the dataset; empty: all
	Warn     func(path, why string)      // what was skipped although no rule ignores it; called while the caller waits for the next File
	Temp     func(path string)           // a temp file of tarn: one that is being written, or was left by a crash; called as Warn is
	KeepExec func(path string) (on bool) // where the file system keeps no executable bits: the bit that a file had before; called as Warn is
	Workers  int                         // 0: as many as the cores, from 4 to 8, as a disk may make them wait; 1: none beside the caller
}

// Walk yields what a dataset consists of, strictly ascending by path as manifests have it: as bytes, a directory's name with '/'.
// It looks ahead with some goroutines, which end before the iteration does, and holds the names of one directory and a bounded
// number of files, never the whole tree. Nothing is written, no symlink is followed.
//
// A file that the ignore rules exclude is left out, and so are Git's and tarn's own directories, temp files of tarn, and whatever is
// neither file, directory nor symlink. A directory is an entry of its own (index.Dir) only if there is nothing in it, not counting
// tarn's temp files. One that holds only what is left out is no entry and has none: it is not empty, and to make it empty elsewhere
// would be wrong. Rules are not asked about the dataset's own path: who named it wants it.
//
// An error that comes with a path (a directory that can't be read, a file that vanished after it was listed) concerns that
// path and, if it ends in "/", all below; the walk goes on, if the caller does. It may not be taken for "nothing there". An error
// with the path "." concerns the whole dataset, and nothing follows: fs.ErrNotExist, ErrSymlink, ErrKind, that of a cancelled ctx.
// A Prefix that isn't there yields nothing.
func Walk(ctx context.Context, o Options) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		w := &walker{ctx: ctx, options: o, yield: yield}
		if err := w.walk(); err != nil {
			yield(File{Path: "."}, fmt.Errorf("walk %s: %w", o.Root, err))
		}
	}
}

type walker struct {
	ctx     context.Context
	options Options
	yield   func(File, error) bool
	pool    *pool
}

// errStopped says that the caller wants no more.
var errStopped = errors.New("stopped")

func (w *walker) walk() error {
	info, err := os.Lstat(w.options.Root)
	switch {
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return ErrSymlink
	case info.Mode().IsRegular():
		return w.stopped(w.walkFile(info))
	case !info.IsDir():
		return ErrKind
	}
	w.pool = newPool(w.ctx, w.workers())
	defer w.pool.close()
	top, err := w.enter()
	if err != nil || top == nil {
		return w.stopped(err)
	}
	top.task = newTask(top.expand)
	return w.stopped(w.visitDone(top))
}

func (w *walker) stopped(err error) error {
	if errors.Is(err, errStopped) {
		return nil
	}
	return err
}

func (w *walker) workers() int {
	if w.options.Workers > 0 {
		return w.options.Workers
	}
	return min(max(runtime.GOMAXPROCS(0), 4), 8)
}

// walkFile yields the dataset that is a file.
func (w *walker) walkFile(info fs.FileInfo) error {
	if w.options.Prefix != "" {
		return nil
	}
	return w.giveItem(&item{file: File{Path: ".", Kind: index.File, Stat: infoStat(info)}})
}

func (w *walker) give(f File, err error) error {
	if err != nil {
		err = pathError(f.Path, err)
	}
	if !w.yield(f, err) {
		return errStopped
	}
	return nil
}

// pathError names the whole path in an error of a system call that was made with its last element.
func pathError(path string, err error) error {
	if pe, ok := err.(*fs.PathError); ok {
		return &fs.PathError{Op: pe.Op, Path: path, Err: pe.Err}
	}
	return fmt.Errorf("scan %s: %w", path, err)
}

func (w *walker) warn(path, why string) {
	if w.options.Warn != nil {
		w.options.Warn(path, why)
	}
}

// isExec says whether the file is executable.
func (w *walker) isExec(f *File) bool {
	if w.options.KeepExec != nil {
		return w.options.KeepExec(f.Path)
	}
	return f.Stat.Mode&modeExec != 0 && runtime.GOOS != "windows"
}

// enter opens the directory where the walk begins. Without a Prefix that is the dataset; else it is the directory that Prefix
// names, or, if that is something else, nothing: what is to be said about it was then yielded.
func (w *walker) enter() (*node, error) {
	f, err := openFolder(w.options.Root)
	if err != nil {
		return nil, err
	}
	n := &node{w: w, folder: f, opened: true, rules: w.options.Ignore}
	prefix := strings.TrimSuffix(w.options.Prefix, "/")
	if prefix == "" {
		return n, nil
	}
	if !isRelative(prefix) {
		n.close()
		return nil, fmt.Errorf("prefix %q is no path in a dataset", prefix)
	}
	for name := range strings.SplitSeq(prefix, "/") {
		child, err := w.descend(n, name, n.path+name == prefix)
		n.close()
		if child == nil || err != nil {
			return nil, err
		}
		n = child
	}
	return n, nil
}

// descend opens the directory name in n, by the same rules as visit does. Where it is none, the last name of the prefix is yielded.
func (w *walker) descend(n *node, name string, last bool) (*node, error) {
	path := n.path + name
	if isTemp([]byte(name)) {
		return nil, nil
	}
	if index.ForbiddenName(name) {
		w.warn(path, forbidden)
		return nil, nil
	}
	st, err := n.folder.stat(name)
	if absent(err) {
		return nil, nil
	}
	if err == nil {
		err = n.readRules()
	}
	switch {
	case err != nil:
		return nil, w.give(File{Path: path}, err)
	case n.rules.Ignored(w.repoPath(path), st.isDir()):
		return nil, nil
	case st.isDir():
		return w.child(n, name)
	case last && !strings.HasSuffix(w.options.Prefix, "/"):
		it := n.describe(name)
		return nil, w.giveItem(&it)
	}
	return nil, nil
}

func (w *walker) child(n *node, name string) (*node, error) {
	child := n.child(name)
	if err := child.open(); err != nil {
		return nil, w.give(File{Path: child.path}, err)
	}
	return child, nil
}

// repoPath is what ignore rules call the path of an entry.
func (w *walker) repoPath(path string) string {
	if w.options.Name == "" {
		return path
	}
	return w.options.Name + "/" + path
}

// visit yields what is in n, which was expanded.
func (w *walker) visit(n *node) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	for _, name := range n.refused {
		w.warn(n.path+name, forbidden)
	}
	for _, name := range n.temps {
		w.options.Temp(n.path + name)
	}
	if n.linkedRules {
		w.warn(n.path+IgnoreName, "is not a regular file; its rules do not count")
	}
	if n.err != nil && n.path == "" {
		return n.err
	}
	if n.err != nil {
		return w.give(File{Path: n.path}, n.err)
	}
	if n.empty && n.path != "" {
		return w.give(File{Path: n.path, Kind: index.Dir, Stat: n.stat}, nil)
	}
	for i := range n.chunks {
		if err := w.visitChunk(n, i); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) visitChunk(n *node, i int) error {
	n.ahead(i)
	c := &n.chunks[i]
	w.pool.wait(c.task)
	defer c.release(w.pool)
	if err := w.ctx.Err(); err != nil {
		return err
	}
	for k := range c.items {
		it := &c.items[k]
		if !it.dir {
			if err := w.giveItem(it); err != nil {
				return err
			}
			continue
		}
		if err := w.visitNext(n); err != nil {
			return err
		}
	}
	return nil
}

// visitNext visits the next directory in n.
func (w *walker) visitNext(n *node) error { return w.visitDone(n.nextDir()) }

// visitDone visits n once it is expanded, and closes it. If the walk ends early, by an error or a panic of the caller's, the goroutines
// must end first: they work on directories that are about to be closed.
func (w *walker) visitDone(n *node) (err error) {
	whole := false
	defer func() {
		if !whole {
			w.pool.close()
		}
		n.close()
	}()
	w.pool.wait(n.task)
	err = w.visit(n)
	whole = err == nil
	return err
}

func (w *walker) giveItem(it *item) error {
	if it.odd != "" {
		w.warn(it.file.Path, "is "+it.odd)
		return nil
	}
	if it.file.Kind == index.File && w.isExec(&it.file) {
		it.file.Kind = index.Exec
	}
	return w.give(it.file, it.err)
}
