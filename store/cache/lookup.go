package cache

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"tarn/store/digest"
	"tarn/store/pack"
	"tarn/store/table"
)

// place is where a blob is in a local pack.
type place struct {
	pack digest.Digest
	rec  pack.Record
}

// Has says whether the bytes of d are there; for an own object it is one stat. It does not read them. The digest of no bytes is
// always there. What other processes add is seen after Refresh.
func (c *Cache) Has(d digest.Digest) bool {
	if d == digest.Empty {
		return true
	}
	if _, ok := c.packed(d); ok {
		return true
	}
	_, ok := c.statOwn(d)
	return ok
}

// bulk is from how many digests on HasAll lists the directories of own objects, instead of looking for each.
const bulk = 1000

// HasAll is Has for many digests: where more than a thousand are in no pack it lists the own objects once, and keeps the list as long
// as c is open.
func (c *Cache) HasAll(ds []digest.Digest) []bool {
	has := make([]bool, len(ds))
	var rest []int
	for i, d := range ds {
		if _, ok := c.packed(d); ok || d == digest.Empty {
			has[i] = true
		} else {
			rest = append(rest, i)
		}
	}
	listed := len(rest) >= bulk && c.own.load(c) == nil
	for _, i := range rest {
		if listed {
			has[i] = c.own.has(ds[i])
		} else {
			_, has[i] = c.statOwn(ds[i])
		}
	}
	return has
}

// Refresh makes visible what other processes added to packs. Open, Bytes, ReadBlob and Checkout do it where they miss something.
func (c *Cache) Refresh() error {
	c.packs.forgetMissing()
	return c.set.Refresh()
}

// packed looks a blob up in the tables. One whose pack is gone, or whose bytes are known to be wrong, is not there.
func (c *Cache) packed(d digest.Digest) (place, bool) {
	c.scanOnce.Do(c.scan)
	e, ok := c.set.Find(d)
	if !ok {
		return place{}, false
	}
	if p, ok := c.usable(e); ok {
		return p, true
	}
	for _, e := range c.set.FindAll(d) {
		if p, ok := c.usable(e); ok {
			return p, true
		}
	}
	return place{}, false
}

func (c *Cache) usable(e table.Entry) (place, bool) {
	p := place{e.Source, recordOf(e)}
	return p, p.rec.Check() == nil && !c.bad.blob(e.Digest, e.Source) && c.packs.exists(c, e.Source)
}

// statOwn looks for the file of an own object.
func (c *Cache) statOwn(d digest.Digest) (fs.FileInfo, bool) {
	info, err := os.Lstat(c.ownPath(d))
	if err != nil || !info.Mode().IsRegular() || c.bad.object(d, info) {
		return nil, false
	}
	return info, true
}

// ownList knows all own objects after load, by the first half of their digests: enough to tell them apart, and half the memory.
type ownList struct {
	mu     sync.RWMutex
	loaded bool
	subs   [256]map[half]struct{} // by the first byte
}

type half [digest.Size / 2]byte

// load lists the 256 directories, several at once.
func (l *ownList) load(c *Cache) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.loaded {
		return nil
	}
	var next atomic.Int32
	errs := make([]error, len(l.subs))
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(l.subs); i = next.Add(1) - 1 {
				l.subs[i], errs[i] = c.listSub(fmt.Sprintf("%02x", i))
			}
		})
	}
	wg.Wait()
	err := errors.Join(errs...)
	l.loaded = err == nil
	return err
}

func (c *Cache) listSub(sub string) (map[half]struct{}, error) {
	names, err := readNames(c.path(ownDir, sub))
	all := make(map[half]struct{}, len(names))
	for _, name := range names {
		var d digest.Digest
		if parseOwn(sub, name, &d) {
			all[half(d[:])] = struct{}{}
		}
	}
	return all, err
}

func (l *ownList) has(d digest.Digest) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	_, ok := l.subs[d[0]][half(d[:])]
	return ok
}

// forget makes the next load list them anew.
func (l *ownList) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loaded, l.subs = false, [256]map[half]struct{}{}
}

func (l *ownList) set(d digest.Digest, there bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.loaded:
	case there:
		l.subs[d[0]][half(d[:])] = struct{}{}
	default:
		delete(l.subs[d[0]], half(d[:]))
	}
}

// parseOwn reads the digest from the name of an own object and of its directory. False: it is the name of something else.
func parseOwn(sub, name string, d *digest.Digest) bool {
	var b [2 * digest.Size]byte
	if len(sub)+len(name) != len(b) {
		return false
	}
	copy(b[copy(b[:], sub):], name)
	if _, err := hex.Decode(d[:], b[:]); err != nil {
		return false
	}
	for _, c := range b {
		if c >= 'A' && c <= 'F' {
			return false
		}
	}
	return true
}

// eachSub calls do for each directory of two digits below name, with the names in it, in no order.
func (c *Cache) eachSub(name string, do func(sub string, names []string) error) error {
	subs, err := readNames(c.path(name))
	for _, sub := range subs {
		if err != nil {
			break
		}
		if len(sub) != 2 {
			continue
		}
		var names []string
		if names, err = readNames(c.path(name, sub)); err == nil {
			err = do(sub, names)
		}
	}
	return err
}

// readNames lists a directory, unsorted; one that is not there has no names.
func readNames(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}
