package table

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"tarn/internal/durable"
	"tarn/store/digest"
)

// merge reads several tables as one, entry by entry, with nothing in memory but the sources.
type merge struct {
	files   []*file // newest first
	sources []digest.Digest
	ordinal [][]uint32 // for each file: from its ordinals to those of sources, or dropped
}

const dropped = math.MaxUint32

func newMerge(files []*file, drop map[digest.Digest]bool) *merge {
	m := &merge{files: files}
	lists := make([][]digest.Digest, len(files))
	for i, f := range files {
		lists[i] = f.sourceList()
		m.sources = append(m.sources, lists[i]...)
	}
	slices.SortFunc(m.sources, digest.Digest.Compare)
	m.sources = slices.Compact(m.sources)
	m.sources = slices.DeleteFunc(m.sources, func(d digest.Digest) bool { return drop[d] })
	for _, list := range lists {
		ordinal := make([]uint32, len(list))
		for i, d := range list {
			ordinal[i] = dropped
			if at, ok := slices.BinarySearchFunc(m.sources, d, digest.Digest.Compare); ok {
				ordinal[i] = uint32(at)
			}
		}
		m.ordinal = append(m.ordinal, ordinal)
	}
	return m
}

// run passes the entries on in order: the newest of each source and digest.
func (m *merge) run(p put) error {
	if len(m.files) == 0 {
		return nil
	}
	return m.guarded(m.files, func() error {
		at := make([]int, len(m.files))
		var g group
		for {
			f := m.lowest(at)
			if f < 0 {
				return nil
			}
			i := at[f]
			at[f]++
			from := m.files[f].ordinal(i)
			if uint64(from) >= uint64(len(m.ordinal[f])) || m.ordinal[f][from] == dropped {
				continue
			}
			if d := m.files[f].key(i); g.first(d, m.ordinal[f][from]) && !p(d, m.ordinal[f][from], m.files[f].payload(i)) {
				return nil
			}
		}
	})
}

// guarded is that of all files, one in the other.
func (m *merge) guarded(files []*file, read func() error) error {
	if len(files) == 0 {
		return read()
	}
	return files[0].guarded(func() error { return m.guarded(files[1:], read) })
}

// lowest is the file with the lowest digest at its place, of several the newest; -1: all are at their ends.
func (m *merge) lowest(at []int) int {
	best := -1
	for i, f := range m.files {
		if at[i] < f.n && (best < 0 || bytes.Compare(f.key(at[i]), m.files[best].key(at[best])) < 0) {
			best = i
		}
	}
	return best
}

// mergeIfMany keeps the number of tables small; the work for each entry is logarithmic in the number of adds.
func (s *Set) mergeIfMany() error {
	if len(s.onDisk()) <= maxTables {
		return nil
	}
	lock, err := s.disk.TryLock(filepath.Join(s.dir, lockName), false)
	if err != nil || lock == nil {
		return err // another process merges
	}
	defer lock.Unlock()
	s.shareLock()
	if err := s.reload(); err != nil {
		return err
	}
	files := s.onDisk()
	if len(files) <= maxTables {
		return nil
	}
	if err := s.replace(files[:tier(files)], nil); err != nil {
		return err
	}
	s.disk.RemoveStale(s.dir, tempAge, durable.IsTemp)
	return s.reload()
}

// shareLock lets the others of the group lock too; for all but the file's owner it fails, and has been done.
func (s *Set) shareLock() {
	if s.group {
		s.disk.Chmod(filepath.Join(s.dir, lockName), 0o664)
	}
}

// tier says how many of the newest tables are merged into one: such that the next older one is at least twice as large as the result, and
// the number of tables allowed again. Only neighbours in age are merged, so that what is newest stays so.
func tier(files []*file) int {
	sum := 0
	for k := 1; k < len(files); k++ {
		sum += files[k-1].n
		if k > 1 && len(files)-k+1 <= maxTables && files[k].n >= 2*sum {
			return k
		}
	}
	return len(files)
}

// replace writes one table in the place of files, without the entries of the sources to drop, and then removes them. A crash
// between leaves both, which changes nothing but the space they take. The caller holds the lock.
func (s *Set) replace(files []*file, drop map[digest.Digest]bool) error {
	m := newMerge(files, drop)
	if len(m.sources) > 0 {
		if err := s.write(files[0].seq, m.sources, m.run); err != nil {
			return fmt.Errorf("merge tables: %w", err)
		}
	}
	for _, f := range files {
		if err := s.disk.Remove(filepath.Join(s.dir, f.name)); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("merge tables: %w", err)
		}
	}
	return nil
}
