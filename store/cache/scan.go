package cache

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"tarn/internal/durable"
	"tarn/store/digest"
	"tarn/store/pack"
	"tarn/store/table"
)

// A pack is in pack/ before a table covers it, so a crash between leaves one that no table knows; tables can get lost, too. The
// scan finds such packs, once in the life of a Cache, before the first lookup. In a large cache it would list many names, so it
// remembers what it has seen: pack-index/scanned is text, `tarn 1 scanned N` with the number of sources that the tables covered
// then, and a line for each directory in which every pack was covered, `ab MTIME`, in ns.
const (
	scannedName = "scanned"
	scannedHead = "tarn 1 scanned "
	manyNames   = 4096            // listed names from which on it is worth to remember
	clockGrain  = 2 * time.Second // a directory that changed since may change again without a new mtime
	batch       = 1 << 20         // entries that are added to the tables at once
)

func (c *Cache) scan() { c.scanErr = c.scanPacks() }

func (c *Cache) scanPacks() error {
	subs, err := readNames(c.path(packDir))
	if err != nil {
		return err
	}
	before, after, listed := c.readScanned(), map[string]int64{}, 0
	var uncovered []digest.Digest
	for _, sub := range subs {
		info, err := os.Stat(c.path(packDir, sub))
		if err != nil || len(sub) != 2 {
			continue
		}
		mtime := info.ModTime().UnixNano()
		if time.Since(info.ModTime()) > clockGrain {
			after[sub] = mtime
		}
		if seen, ok := before[sub]; ok && seen == mtime {
			continue
		}
		names, err := readNames(c.path(packDir, sub))
		if err != nil {
			return err
		}
		listed += len(names)
		for _, name := range names {
			if d, err := digest.Parse(name); err == nil && name[:2] == sub && !c.set.Has(d) {
				uncovered = append(uncovered, d)
			}
		}
	}
	if err := c.cover(uncovered); err != nil {
		return err
	}
	if listed > manyNames {
		c.writeScanned(after)
	}
	return nil
}

// cover adds packs to the tables, from their footers. One that can't be read as a pack is left alone: nothing refers to it.
func (c *Cache) cover(packs []digest.Digest) error {
	var sources []digest.Digest
	var entries []table.Entry
	dirs := map[string]bool{}
	for _, name := range packs {
		dirs[filepath.Dir(c.packPath(name))] = true
	}
	// What a table names is relied on; a pack that a crash left need not have a durable name yet.
	if err := c.syncNames(dirs); err != nil && !isReadOnly(err) {
		return err
	}
	for i, name := range packs {
		if r, err := readFooter(c.packPath(name)); err == nil {
			sources = append(sources, name)
			for _, rec := range r.Records() {
				entries = append(entries, entryOf(name, rec))
			}
		}
		if len(entries) >= batch || i == len(packs)-1 {
			if err := c.addTable(sources, entries); err != nil {
				return err
			}
			sources, entries = nil, nil
		}
	}
	return nil
}

func readFooter(path string) (*pack.Reader, error) {
	f, info, err := durable.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return pack.Open(f, info.Size())
}

// addTable writes a table, or keeps it in memory where nothing can be written.
func (c *Cache) addTable(sources []digest.Digest, entries []table.Entry) error {
	if len(sources) == 0 {
		return nil
	}
	err := c.makeDir(c.path(packIndexDir))
	if err == nil {
		err = c.set.Add(sources, entries)
	}
	if err != nil {
		return c.set.AddMemory(sources, entries)
	}
	return nil
}

// readScanned returns what the last scan saw; nothing where the tables may have lost something since.
func (c *Cache) readScanned() map[string]int64 {
	b, err := os.ReadFile(c.path(packIndexDir, scannedName))
	if err != nil || len(c.set.Broken()) > 0 {
		return nil
	}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	count, ok := strings.CutPrefix(lines[0], scannedHead)
	if n, err := strconv.Atoi(count); !ok || err != nil || len(c.set.Sources()) < n {
		return nil
	}
	seen := map[string]int64{}
	for _, line := range lines[1:] {
		sub, mtime, _ := strings.Cut(line, " ")
		n, err := strconv.ParseInt(mtime, 10, 64)
		if err != nil {
			return nil
		}
		seen[sub] = n
	}
	return seen
}

// writeScanned is for speed only, so a failure does not matter.
func (c *Cache) writeScanned(seen map[string]int64) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s%d\n", scannedHead, len(c.set.Sources()))
	for sub, mtime := range seen {
		fmt.Fprintf(&b, "%s %d\n", sub, mtime)
	}
	if c.makeDir(c.path(packIndexDir)) == nil {
		c.disk.WriteFile(c.path(packIndexDir, scannedName), b.Bytes(), 0o666)
	}
}
