package cache

import (
	"crypto/rand"
	"encoding/hex"
	"errors"

	"tarn/store/digest"
	"tarn/store/table"
)

// marksInMemory is how many digests marks gathers before it writes them down; about 80 bytes each.
const marksInMemory = 1 << 19

// marks is a set of digests of any size, in bounded memory: what is more is in tables below tmp/, until close.
type marks struct {
	c     *Cache
	fresh map[digest.Digest]struct{}
	dir   string
	set   *table.Set // nil: all is in fresh
}

func (c *Cache) newMarks() *marks {
	return &marks{c: c, fresh: map[digest.Digest]struct{}{}}
}

func (m *marks) add(d digest.Digest) error {
	m.fresh[d] = struct{}{}
	if len(m.fresh) < marksInMemory {
		return nil
	}
	return m.flush()
}

func (m *marks) flush() (err error) {
	if m.set == nil {
		var r [8]byte
		rand.Read(r[:])
		m.dir = m.c.path(tmpDir, "marks-"+hex.EncodeToString(r[:]))
		if err = m.c.makeDir(m.c.path(tmpDir)); err == nil {
			m.set, err = table.Open(m.c.disk, m.dir)
		}
		if err != nil {
			return err
		}
	}
	entries := make([]table.Entry, 0, len(m.fresh))
	for d := range m.fresh {
		entries = append(entries, table.Entry{Digest: d, Source: digest.Empty})
	}
	clear(m.fresh)
	return m.set.Add([]digest.Digest{digest.Empty}, entries)
}

func (m *marks) has(d digest.Digest) bool {
	if _, ok := m.fresh[d]; ok {
		return true
	}
	if m.set == nil {
		return false
	}
	_, ok := m.set.Find(d)
	return ok
}

func (m *marks) close() error {
	if m.set == nil {
		return nil
	}
	return errors.Join(m.set.Close(), m.c.disk.RemoveAll(m.dir))
}
