package scan

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"tarn/index"
	"tarn/internal/durable"
)

const forbidden = "its name is that of a directory of git or tarn"

// A node is one directory of the walk. Whoever does its task fills it in; after that it belongs to the walking goroutine.
type node struct {
	w      *walker
	parent *node
	name   string // in parent
	path   string // relative to the dataset: "" or "a/b/"
	task   *task  // expands it; nil where that is done at once

	folder folder
	opened bool
	rules  *Ignore // at first those above it, then its own too

	list        listing
	stat        Stat // of an empty directory
	empty       bool // there was nothing in it
	refused     []string
	temps       []string
	hasRules    bool // there is an ignore file
	linkedRules bool // it is no regular file
	err         error
	chunks      []chunk

	dirs []*node // made ahead by ahead, in order, not yet visited
	seen int     // where in list the search for the next directory goes on
}

// A chunk is a run of a directory's entries, described together.
type chunk struct {
	task     *task
	items    []item
	from, to int // in the list
	offered  bool
}

// An item is one entry of a directory.
type item struct {
	file File
	err  error
	odd  string // why it is skipped
	dir  bool   // to be walked; nothing else is set
}

func (n *node) child(name string) *node {
	return &node{w: n.w, parent: n, name: name, path: n.path + name + "/", rules: n.rules}
}

func (n *node) open() (err error) {
	if len(n.path) > index.MaxPath {
		return ErrPathTooLong
	}
	if n.folder, err = n.parent.folder.sub(n.name); err != nil {
		return err
	}
	n.opened = true
	n.w.pool.open.Add(1)
	return nil
}

// close gives back what n holds. The nodes in it were visited, or nobody works on them any more.
func (n *node) close() {
	n.w.pool.held.Add(-n.list.size())
	n.list = listing{}
	n.closeFolder()
	for _, d := range n.dirs {
		d.close()
	}
}

func (n *node) closeFolder() {
	if n.opened {
		n.folder.close()
		n.opened = false
		if n.parent != nil {
			n.w.pool.open.Add(-1)
		}
	}
}

// expand lists n. The files of a small directory are described at once, those of a large one chunk by chunk.
func (n *node) expand() {
	if n.err = n.read(); n.err != nil {
		n.list = listing{}
		n.closeFolder()
		return
	}
	n.w.pool.held.Add(n.list.size())
	if n.empty {
		n.stat, n.err = n.folder.stat("")
	}
	n.cut()
	if len(n.chunks) > 1 {
		return
	}
	for i := range n.chunks {
		n.chunks[i].task.try()
	}
	if !n.list.hasDirs() {
		n.closeFolder()
	}
}

func (n *node) read() error {
	if !n.opened {
		if err := n.open(); err != nil {
			return err
		}
	}
	n.empty = true
	if err := n.folder.list(n.take); err != nil {
		return err
	}
	if n.hasRules {
		if err := n.readRules(); err != nil {
			return err
		}
	}
	n.dropIgnored()
	n.list.sort()
	return nil
}

// take sorts out what is never versioned.
func (n *node) take(name []byte, isDir bool) error {
	if isTemp(name) {
		if n.w.options.Temp != nil {
			n.temps = append(n.temps, string(name))
		}
		return nil
	}
	n.empty = false
	if index.ForbiddenName(string(name)) {
		n.refused = append(n.refused, string(name))
		return nil
	}
	if string(name) == IgnoreName {
		n.hasRules = !isDir
	}
	return n.list.add(name, isDir)
}

// isTemp knows the temp files that tarn makes in the user's directories: those of durable that are hidden.
func isTemp(name []byte) bool { return name[0] == '.' && durable.IsTemp(string(name)) }

// readRules adds the rules of n's ignore file. Without them more would be versioned than the user wants, so a file that can't be
// read makes the whole directory unreadable. Git does not follow a symlink here, nor do we.
func (n *node) readRules() error {
	st, err := n.folder.stat(IgnoreName)
	if errors.Is(err, fs.ErrNotExist) || err == nil && st.isDir() {
		return nil
	}
	if err == nil && !st.isFile() {
		n.linkedRules = true
		return nil
	}
	var text []byte
	if err == nil {
		text, err = n.ruleText()
	}
	if err != nil {
		return fmt.Errorf("read ignore rules: %w", err)
	}
	dir := n.w.repoPath(n.path)
	if dir != "" && dir[len(dir)-1] == '/' {
		dir = dir[:len(dir)-1]
	}
	n.rules = n.rules.Add(dir, text)
	return nil
}

func (n *node) ruleText() ([]byte, error) {
	f, err := n.folder.open(IgnoreName)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readRules(f)
}

func (n *node) dropIgnored() {
	if n.rules == nil {
		return
	}
	kept := n.list.refs[:0]
	for i, ref := range n.list.refs {
		name, isDir := n.list.name(i)
		if !n.rules.Ignored(n.w.repoPath(n.path+name), isDir) {
			kept = append(kept, ref)
		}
	}
	n.list.refs = kept
}

func (n *node) cut() {
	count := len(n.list.refs)
	size := chunkSize
	if count <= 2*chunkSize {
		size = max(count, 1)
	}
	for from := 0; from < count; from += size {
		n.chunks = append(n.chunks, chunk{from: from, to: min(from+size, count)})
	}
	for i := range n.chunks {
		n.chunks[i].task = newTask(func() { n.describeChunk(&n.chunks[i]) })
	}
}

func (n *node) describeChunk(c *chunk) {
	c.items = make([]item, c.to-c.from)
	n.w.pool.held.Add(int64(len(c.items)) * itemSize)
	for i := range c.items {
		name, isDir := n.list.name(c.from + i)
		if isDir {
			c.items[i].dir = true
			continue
		}
		c.items[i] = n.describe(name)
	}
}

func (c *chunk) release(p *pool) {
	p.held.Add(-int64(len(c.items)) * itemSize)
	c.items, c.task = nil, nil
}

// describe says what the file name in n is.
func (n *node) describe(name string) item {
	it := item{file: File{Path: n.path + name}}
	f := &it.file
	if len(f.Path) > index.MaxPath {
		it.err = ErrPathTooLong
		return it
	}
	f.Stat, it.err = n.folder.stat(name)
	switch {
	case it.err != nil:
	case f.Stat.isFile():
		f.Kind = index.File
	case f.Stat.isLink():
		f.Kind = index.Link
		if f.Target, it.err = n.folder.readlink(name); errors.Is(it.err, syscall.EINVAL) {
			it.err = ErrChanged
		}
	case f.Stat.isDir():
		it.err = ErrChanged
	default:
		it.odd = f.Stat.oddKind()
	}
	return it
}

// ahead has the next chunks and directories done while the caller looks at chunk i.
func (n *node) ahead(i int) {
	for k := i + 1; k < len(n.chunks) && k <= i+4; k++ {
		if c := &n.chunks[k]; !c.offered {
			c.offered = true
			n.w.pool.offer(c.task)
		}
	}
	n.dirsAhead()
}

// dirsAhead has the next directories listed.
func (n *node) dirsAhead() {
	for len(n.dirs) < dirsAhead && n.seen < len(n.list.refs) {
		if n.list.isDir(n.seen) {
			n.w.pool.offer(n.addDir(n.seen).task)
		}
		n.seen++
	}
}

func (n *node) addDir(i int) *node {
	name, _ := n.list.name(i)
	d := n.child(name)
	d.task = newTask(d.expand)
	n.dirs = append(n.dirs, d)
	return d
}

// nextDir is the first directory that was not visited yet; there is one.
func (n *node) nextDir() *node {
	n.dirsAhead()
	d := n.dirs[0]
	n.dirs[0] = nil
	n.dirs = n.dirs[1:]
	n.dirsAhead()
	return d
}
