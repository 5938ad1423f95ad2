package simdisk

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// Crash makes in dst, a directory that it creates, what would be there if the power went now, in the worst case: only what was synced.
func (s *Sim) Crash(dst string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := maker{made: map[*node]string{}, state: func(n *node) (map[string]*node, []byte) { return n.durable, n.content }}
	return m.make(s.top, dst)
}

// CrashKeep makes in dst the best case: all that was applied so far.
func (s *Sim) CrashKeep(dst string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := maker{made: map[*node]string{}, state: s.keep(s.paths())}
	return m.make(s.top, dst)
}

// CrashSome makes in dst one of the cases between: each name and each content that was not synced is there or not, as seed has it.
func (s *Sim) CrashSome(dst string, seed uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := rand.New(rand.NewPCG(seed, 0))
	keep := s.keep(s.paths())
	m := maker{made: map[*node]string{}, state: func(n *node) (map[string]*node, []byte) {
		names, content := keep(n)
		if r.IntN(2) == 0 {
			content = n.content
		}
		mixed := mix(r, names, n.durable)
		s.decide(n, mixed, seed)
		return mixed, content
	}}
	return m.make(s.top, dst)
}

// decide lets each directory that was renamed have its old name or its new one, in both directories.
func (s *Sim) decide(dir *node, names map[string]*node, seed uint64) {
	for i, r := range s.moved {
		kept := (seed>>(i%64))&1 == 0
		if r.from == dir {
			choose(names, r.was, r.n, !kept)
		}
		if r.to == dir {
			choose(names, r.is, r.n, kept)
		}
	}
}

// choose gives or takes a name.
func choose(names map[string]*node, name string, child *node, has bool) {
	if has {
		names[name] = child
	} else if names[name] == child {
		delete(names, name)
	}
}

// mix takes each name from one of the two.
func mix(r *rand.Rand, live, durable map[string]*node) map[string]*node {
	all := maps.Clone(live)
	maps.Copy(all, durable)
	mixed := map[string]*node{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		from := live
		if r.IntN(2) == 0 {
			from = durable
		}
		if n := from[name]; n != nil {
			mixed[name] = n
		}
	}
	return mixed
}

// paths says where the content of each node is on the real disk.
func (s *Sim) paths() map[*node]string {
	paths := map[*node]string{}
	var walk func(n *node, path string)
	walk = func(n *node, path string) {
		paths[n] = path
		entries, _ := os.ReadDir(path)
		for _, e := range entries {
			if child := s.find(filepath.Join(path, e.Name())); child != nil {
				walk(child, filepath.Join(path, e.Name()))
			}
		}
	}
	walk(s.top, s.root)
	return paths
}

// keep is the state that was applied; of a node that is gone from the real disk what is durable.
func (s *Sim) keep(paths map[*node]string) func(n *node) (map[string]*node, []byte) {
	return func(n *node) (map[string]*node, []byte) {
		content := n.content
		if path, ok := paths[n]; ok && n.mode.IsRegular() {
			content, _ = os.ReadFile(path)
		}
		live := map[string]*node{}
		for name, child := range n.live {
			if _, ok := paths[child]; ok {
				live[name] = child
			}
		}
		return live, content
	}
}

// maker writes a tree of nodes; two names of one node become hard links.
type maker struct {
	made  map[*node]string
	state func(n *node) (names map[string]*node, content []byte)
}

func (m *maker) make(n *node, dst string) error {
	if first, ok := m.made[n]; ok && !n.mode.IsDir() {
		return os.Link(first, dst)
	}
	m.made[n] = dst
	names, content := m.state(n)
	switch {
	case n.mode.IsDir():
		return m.makeDir(n, names, dst)
	case n.mode&os.ModeSymlink != 0:
		return os.Symlink(n.target, dst)
	}
	if err := os.WriteFile(dst, content, 0o600); err != nil {
		return err
	}
	return os.Chmod(dst, n.mode.Perm())
}

func (m *maker) makeDir(n *node, names map[string]*node, dst string) error {
	if err := os.MkdirAll(dst, 0o700); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if err := m.make(names[name], filepath.Join(dst, name)); err != nil {
			return err
		}
	}
	return os.Chmod(dst, n.mode.Perm())
}
