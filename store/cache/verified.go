package cache

import (
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"tarn/store/digest"
	"tarn/store/table"
)

// Where a file comes into the workspace without being copied, reading it for nothing but a verification would take as long as a
// copy. So the cache remembers size, mtime, ctime, inode and number of links of the own objects that it has verified or written,
// and trusts them while these stay. A hard link changes the ctime, and so does its removal; so where the number of links is not the
// one that is remembered, the ctime does not count. Who changes an object through a hard link changes its mtime.

// verifiedList is the table of verified objects, and what is not in it yet. Where file systems tell no inode, it stays empty.
type verifiedList struct {
	once  sync.Once
	table *table.Set // nil: could not be opened
	mu    sync.Mutex
	fresh map[digest.Digest]table.Payload
}

// A file that changed this little before it is remembered may change again without a new mtime.
const verifiedGrain = 20 * time.Millisecond

// keepVerified is from how many fresh ones on they are written down.
const keepVerified = 4096

func (v *verifiedList) open(c *Cache) *table.Set {
	v.once.Do(func() {
		v.fresh = map[digest.Digest]table.Payload{}
		v.table, _ = c.openTables(verifiedDir)
	})
	return v.table
}

func stampOf(info fs.FileInfo) (p table.Payload, links uint32, ok bool) {
	s, ok := inodeOf(info)
	var b [24]byte
	binary.LittleEndian.PutUint64(b[0:], uint64(info.Size()))
	binary.LittleEndian.PutUint64(b[8:], uint64(info.ModTime().UnixNano()))
	binary.LittleEndian.PutUint64(b[16:], s.ino)
	body := digest.Sum(b[:])
	binary.LittleEndian.PutUint64(b[:], uint64(s.ctime))
	ctime := digest.Sum(b[:8])
	copy(p[:8], body[:])
	copy(p[8:12], ctime[:])
	binary.LittleEndian.PutUint32(p[12:], uint32(s.links))
	return p, uint32(s.links), ok
}

// trusts says whether d's file is as it was when it was verified.
func (v *verifiedList) trusts(c *Cache, d digest.Digest, info fs.FileInfo) bool {
	set := v.open(c)
	now, _, ok := stampOf(info)
	if !ok {
		return false
	}
	v.mu.Lock()
	then, known := v.fresh[d]
	v.mu.Unlock()
	if !known && set != nil {
		var e table.Entry
		e, known = set.Find(d)
		then = e.Payload
	}
	return known && sameStamp(then, now)
}

func sameStamp(then, now table.Payload) bool {
	return [8]byte(then[:8]) == [8]byte(now[:8]) && ([4]byte(then[8:12]) == [4]byte(now[8:12]) || [4]byte(then[12:]) != [4]byte(now[12:]))
}

// note remembers that the bytes of d's file were verified when it was as info says.
func (v *verifiedList) note(c *Cache, d digest.Digest, info fs.FileInfo) {
	p, _, ok := stampOf(info)
	if !ok || time.Since(info.ModTime()) < verifiedGrain {
		return
	}
	v.open(c)
	v.mu.Lock()
	v.fresh[d] = p
	many := len(v.fresh) >= keepVerified
	v.mu.Unlock()
	if many {
		v.flush(c) // a failure shows when the cache is closed, or costs a second verification
	}
}

// flush writes down what is fresh. It is an accelerator: where nothing can be written, nothing is lost but time.
func (v *verifiedList) flush(c *Cache) error {
	v.mu.Lock()
	fresh := v.fresh
	if v.table == nil || len(fresh) == 0 {
		v.mu.Unlock()
		return nil
	}
	v.fresh = map[digest.Digest]table.Payload{}
	v.mu.Unlock()
	entries := make([]table.Entry, 0, len(fresh))
	for d, p := range fresh {
		entries = append(entries, table.Entry{Digest: d, Source: digest.Empty, Payload: p})
	}
	sources := []digest.Digest{digest.Empty}
	err := c.makeDir(c.path(verifiedDir))
	if err == nil {
		err = v.table.Add(sources, entries)
	}
	if err != nil && isReadOnly(err) {
		return v.table.AddMemory(sources, entries)
	}
	return err
}

func (v *verifiedList) close(c *Cache) error {
	err := v.flush(c)
	if v.table != nil {
		v.table.Close()
	}
	return err
}

// whole reads f from its start, wherever it stands.
func whole(f *os.File) io.Reader { return io.NewSectionReader(f, 0, 1<<63-1) }

// verify makes sure that the open own object f has the bytes of d before it is linked: it reads it, unless nothing has changed since
// it was verified. Wrong bytes: *CorruptError.
func (c *Cache) verify(d digest.Digest, f *os.File, info fs.FileInfo) error {
	if c.verified.trusts(c, d, info) {
		return nil
	}
	got, _, err := pump(nil, whole(f), info.Size())
	if err != nil {
		return fmt.Errorf("read object %s of the cache: %w", d.Short(), err)
	}
	if got != d {
		return c.corruptObject(d, info)
	}
	after, err := f.Stat()
	if err == nil && after.ModTime().Equal(info.ModTime()) && after.Size() == info.Size() {
		c.verified.note(c, d, info)
	}
	return err
}
