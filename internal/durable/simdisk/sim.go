// Package simdisk is a simulated disk for crash tests. It lets the operations of durable through to a real directory and keeps a
// model, by inode, of what would be there after the power went. It knows nothing of what the files mean.
//
// The model is the worst that POSIX allows: content is durable by the fsync of its file, a name by the fsync of its directory, and
// both by a sync of the file system. A name that is durable before its content leads to an empty file; a rename of a file between
// two directories may be durable in one of them only, while a directory always has one name. Reads, locks, and files that were
// changed beside durable are not operations.
package simdisk

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"tarn/internal/durable"
)

// node is an inode.
type node struct {
	info    os.FileInfo // when it was first seen, for its identity
	mode    os.FileMode // type and permissions, as durable as the content
	content []byte      // of a file: what is durable
	target  string      // of a symlink
	live    map[string]*node
	durable map[string]*node // of a directory: the names that are durable
}

// relocation is a rename of a directory of which no side is durable yet.
type relocation struct {
	n        *node
	from, to *node // directories
	was, is  string
}

// Sim is the simulated disk. It implements durable.Hook; safe for concurrent use, but where two operations race for one name the
// model may take them in the other order.
type Sim struct {
	mu     sync.Mutex
	root   string
	top    *node
	ops    []durable.Op
	moved  []relocation
	writes int
	fail   func(op durable.Op, n, write int) error
}

// New watches the directory root, where everything is durable now. It panics if root can't be read: it is for tests.
func New(root string) *Sim {
	root, err := filepath.Abs(root)
	if err != nil {
		panic(err)
	}
	s := &Sim{root: root, top: inode(root)}
	if s.top == nil {
		panic("simdisk: no directory " + root)
	}
	s.syncTree(s.top, root)
	return s
}

// Disk is a disk whose operations this simulation sees.
func (s *Sim) Disk() *durable.Disk { return durable.Hooked(s) }

// Ops lists the operations that were asked for so far, failed ones too, in order. The first is number 1 for FailAt and its like.
func (s *Sim) Ops() []durable.Op {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ops)
}

// FailAt makes operation n and all later ones fail with err, without being applied: the process is as good as dead.
func (s *Sim) FailAt(n int, err error) {
	s.setFail(func(_ durable.Op, i, _ int) error {
		if i >= n {
			return err
		}
		return nil
	})
}

// FailAfter is FailAt, but operation n itself is applied before it fails.
func (s *Sim) FailAfter(n int, err error) {
	s.setFail(func(_ durable.Op, i, _ int) error {
		if i == n {
			return &durable.Fault{Err: err, Applied: true}
		}
		if i > n {
			return err
		}
		return nil
	})
}

// FailOnce makes operation n fail, applied or not; the later ones work.
func (s *Sim) FailOnce(n int, err error, applied bool) {
	s.setFail(func(_ durable.Op, i, _ int) error {
		if i == n {
			return &durable.Fault{Err: err, Applied: applied}
		}
		return nil
	})
}

// FailWrite makes write number n (the first is 1; other operations don't count) fail with err after short bytes, as a full disk
// does; all else works.
func (s *Sim) FailWrite(n, short int, err error) {
	s.setFail(func(op durable.Op, _, write int) error {
		if op.Kind == durable.OpWrite && write == n {
			return &durable.Fault{Err: err, Short: short}
		}
		return nil
	})
}

func (s *Sim) setFail(fail func(op durable.Op, n, write int) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

// Before implements durable.Hook.
func (s *Sim) Before(op durable.Op) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ops = append(s.ops, op)
	if op.Kind == durable.OpWrite {
		s.writes++
	}
	if s.fail == nil {
		return nil
	}
	return s.fail(op, len(s.ops), s.writes)
}

// After implements durable.Hook.
func (s *Sim) After(op durable.Op) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch op.Kind {
	case durable.OpCreate, durable.OpMkdir:
		s.create(op.Path)
	case durable.OpSymlink:
		s.put(op.To, inode(op.To))
	case durable.OpSync:
		s.syncFile(s.find(op.Path), op.Path)
	case durable.OpSyncDir:
		s.syncNames(s.find(op.Path), op.Path)
	case durable.OpSyncFS:
		s.syncTree(s.top, s.root)
	case durable.OpRemove:
		s.put(op.Path, nil)
	case durable.OpLink:
		s.put(op.To, s.find(op.Path))
	case durable.OpRename:
		s.move(op.Path, op.To)
	}
}

// create takes a new file or directory into the model, unless another operation saw it there before.
func (s *Sim) create(path string) {
	n, old := inode(path), s.known(path)
	if n != nil && old != nil && os.SameFile(n.info, old.info) {
		return
	}
	s.put(path, n)
}

func (s *Sim) move(from, to string) {
	n := s.known(from)
	if n == nil {
		n = s.adopt(to) // came from outside, or by no operation of ours
	}
	if _, err := os.Lstat(from); err != nil { // a rename between two links to one inode leaves both
		s.put(from, nil)
	}
	s.put(to, n)
	if n != nil && n.live != nil {
		s.relocate(n, from, to)
	}
}

// relocate notes the rename of a directory, from where it is durable to where it is now.
func (s *Sim) relocate(n *node, from, to string) {
	for i := range s.moved {
		if r := &s.moved[i]; r.n == n {
			r.to, r.is = s.find(filepath.Dir(to)), filepath.Base(to)
			return
		}
	}
	r := relocation{n, s.find(filepath.Dir(from)), s.find(filepath.Dir(to)), filepath.Base(from), filepath.Base(to)}
	if r.from != nil && r.to != nil && r.from.durable[r.was] == n {
		s.moved = append(s.moved, r)
	}
}

// settle makes the renames of directories out of dir or into it durable on both sides.
func (s *Sim) settle(dir *node) {
	s.moved = slices.DeleteFunc(s.moved, func(r relocation) bool {
		if r.from != dir && r.to != dir {
			return false
		}
		if r.from.durable[r.was] == r.n {
			delete(r.from.durable, r.was)
		}
		if r.to.live[r.is] == r.n {
			r.to.durable[r.is] = r.n
		}
		return true
	})
}

// adopt is the node of what is at path now: one that the model knows under another name, or a new one.
func (s *Sim) adopt(path string) *node {
	n := inode(path)
	if n == nil {
		return nil
	}
	if known := s.top.same(n.info); known != nil {
		return known
	}
	return n
}

// same finds the inode below n.
func (n *node) same(info os.FileInfo) *node {
	if os.SameFile(n.info, info) {
		return n
	}
	for _, child := range n.live {
		if found := child.same(info); found != nil {
			return found
		}
	}
	return nil
}

// inode makes the node of what is at path now, nothing of it durable; nil if there is nothing.
func inode(path string) *node {
	info, err := os.Lstat(path)
	if err != nil {
		return nil
	}
	n := &node{info: info, mode: info.Mode()}
	switch {
	case info.IsDir():
		n.live, n.durable = map[string]*node{}, map[string]*node{}
	case info.Mode()&os.ModeSymlink != 0:
		n.target, _ = os.Readlink(path)
	}
	return n
}

// names splits a path below the root; ok is false for one outside.
func (s *Sim) names(path string) (names []string, ok bool) {
	rel, err := filepath.Rel(s.root, path)
	if err != nil || !filepath.IsLocal(rel) {
		return nil, false
	}
	if rel == "." {
		return nil, true
	}
	return strings.Split(rel, string(filepath.Separator)), true
}

// known is the node at path by the operations seen so far.
func (s *Sim) known(path string) *node {
	names, ok := s.names(path)
	if !ok {
		return nil
	}
	n := s.top
	for _, name := range names {
		if n == nil {
			return nil
		}
		n = n.live[name]
	}
	return n
}

// find is known, or else takes what is on the real disk into the model; nil if there is nothing.
func (s *Sim) find(path string) *node {
	names, ok := s.names(path)
	if !ok {
		return nil
	}
	n, at := s.top, s.root
	for _, name := range names {
		at = filepath.Join(at, name)
		if n == nil || n.live == nil {
			return nil
		}
		if n.live[name] == nil {
			n.set(name, s.adopt(at))
		}
		n = n.live[name]
	}
	return n
}

func (n *node) set(name string, child *node) {
	if child == nil {
		delete(n.live, name)
	} else {
		n.live[name] = child
	}
}

// put sets the name at path to child; nil removes it.
func (s *Sim) put(path string, child *node) {
	if _, ok := s.names(path); !ok || path == s.root {
		return
	}
	if dir := s.find(filepath.Dir(path)); dir != nil && dir.live != nil {
		dir.set(filepath.Base(path), child)
	}
}

// syncFile makes the content that is at path now durable.
func (s *Sim) syncFile(n *node, path string) {
	info, err := os.Lstat(path)
	if n == nil || err != nil {
		return
	}
	n.mode = info.Mode()
	if n.mode.IsRegular() {
		n.content, _ = os.ReadFile(path)
	}
}

// syncNames makes the names in a directory durable, those too that came there by no operation of ours.
func (s *Sim) syncNames(n *node, path string) {
	if n == nil || n.live == nil {
		return
	}
	entries, _ := os.ReadDir(path)
	there := map[string]bool{}
	for _, e := range entries {
		there[e.Name()] = true
		s.find(filepath.Join(path, e.Name()))
	}
	n.durable = map[string]*node{}
	for name, child := range n.live {
		if there[name] {
			n.durable[name] = child
		}
	}
	s.settle(n)
}

func (s *Sim) syncTree(n *node, path string) {
	s.syncFile(n, path)
	s.syncNames(n, path)
	for name, child := range n.durable {
		s.syncTree(child, filepath.Join(path, name))
	}
}
