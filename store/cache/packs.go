package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"tarn/internal/durable"
	"tarn/store/digest"
	"tarn/store/pack"
	"tarn/store/table"
)

func entryOf(name digest.Digest, r pack.Record) table.Entry {
	e := table.Entry{Digest: r.Digest, Source: name}
	binary.LittleEndian.PutUint32(e.Payload[0:], r.Offset)
	binary.LittleEndian.PutUint32(e.Payload[4:], r.Stored)
	binary.LittleEndian.PutUint32(e.Payload[8:], r.Raw)
	e.Payload[12] = byte(r.Scheme)
	return e
}

func recordOf(e table.Entry) pack.Record {
	return pack.Record{
		Digest: e.Digest,
		Offset: binary.LittleEndian.Uint32(e.Payload[0:]),
		Stored: binary.LittleEndian.Uint32(e.Payload[4:]),
		Raw:    binary.LittleEndian.Uint32(e.Payload[8:]),
		Scheme: pack.Scheme(e.Payload[12]),
	}
}

// maxOpenPacks bounds the descriptors that are kept for packs nobody reads from just now.
const maxOpenPacks = 64

// packFiles keeps local packs open, those used last.
type packFiles struct {
	mu    sync.Mutex
	open  map[digest.Digest]*packFile
	clock uint64

	known sync.RWMutex
	there map[digest.Digest]bool // packs that were looked for
}

type packFile struct {
	f    *os.File
	refs int
	used uint64
}

// exists looks for a pack once; one that is found is taken to stay.
func (p *packFiles) exists(c *Cache, name digest.Digest) bool {
	p.known.RLock()
	there, ok := p.there[name]
	p.known.RUnlock()
	if !ok {
		info, err := os.Stat(c.packPath(name))
		there = err == nil && info.Mode().IsRegular()
		p.note(name, there)
	}
	return there
}

func (p *packFiles) note(name digest.Digest, there bool) {
	p.known.Lock()
	defer p.known.Unlock()
	if p.there == nil {
		p.there = map[digest.Digest]bool{}
	}
	p.there[name] = there
}

func (p *packFiles) forgetMissing() {
	p.known.Lock()
	defer p.known.Unlock()
	for name, there := range p.there {
		if !there {
			delete(p.there, name)
		}
	}
}

// forgetSeen makes each pack be looked for anew.
func (p *packFiles) forgetSeen() {
	p.known.Lock()
	defer p.known.Unlock()
	clear(p.there)
}

// use runs do with the open pack; a pack that is gone is an error that wraps fs.ErrNotExist.
func (p *packFiles) use(c *Cache, name digest.Digest, do func(*os.File) error) error {
	f, err := p.acquire(c, name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			p.note(name, false)
		}
		return err
	}
	defer p.release(f)
	return do(f.f)
}

func (p *packFiles) acquire(c *Cache, name digest.Digest) (*packFile, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.open[name]
	if f == nil {
		file, _, err := durable.OpenRegular(c.packPath(name))
		if err != nil {
			return nil, fmt.Errorf("open pack: %w", err)
		}
		p.evict()
		f = &packFile{f: file}
		p.open[name] = f
	}
	p.clock++
	f.refs, f.used = f.refs+1, p.clock
	return f, nil
}

func (p *packFiles) release(f *packFile) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f.refs--
}

// evict makes room for one more: those that are in use stay.
func (p *packFiles) evict() {
	if p.open == nil {
		p.open = map[digest.Digest]*packFile{}
	}
	for len(p.open) >= maxOpenPacks {
		var oldest digest.Digest
		for name, f := range p.open {
			if f.refs == 0 && (oldest.IsZero() || f.used < p.open[oldest].used) {
				oldest = name
			}
		}
		if oldest.IsZero() {
			return
		}
		p.open[oldest].f.Close()
		delete(p.open, oldest)
	}
}

func (p *packFiles) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, f := range p.open {
		f.f.Close()
		delete(p.open, name)
	}
}

// readPlace reads and verifies one blob; the result may stand in buf. Wrong bytes are noted, and a *CorruptError.
func (c *Cache) readPlace(p place, buf []byte) ([]byte, error) {
	b, err := c.readRecord(p, buf)
	if err == nil || !isWrong(err) {
		return b, err
	}
	// A table is only a hint: the pack's own footer decides.
	if rec, ok := c.trueRecord(p); ok && rec != p.rec {
		if b, err = c.readRecord(place{p.pack, rec}, buf); err == nil || !isWrong(err) {
			return b, err
		}
	}
	return nil, c.corruptBlob(p)
}

func isWrong(err error) bool {
	return errors.Is(err, digest.ErrMismatch) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}

func (c *Cache) readRecord(p place, buf []byte) ([]byte, error) {
	stored, err := c.readStored(p, buf)
	if err != nil {
		return nil, err
	}
	return pack.Decode(p.rec, stored)
}

// readStored reads what stands in the pack, not verified.
func (c *Cache) readStored(p place, buf []byte) ([]byte, error) {
	n := int(p.rec.Stored)
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	err := c.packs.use(c, p.pack, func(f *os.File) error {
		_, err := f.ReadAt(buf[:n], int64(p.rec.Offset))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read pack %s: %w", p.pack.Short(), err)
	}
	return buf[:n], nil
}

func (c *Cache) trueRecord(p place) (rec pack.Record, ok bool) {
	c.packs.use(c, p.pack, func(f *os.File) error {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		r, err := pack.Open(f, info.Size())
		if err == nil {
			rec, ok = r.Find(p.rec.Digest)
		}
		return err
	})
	return rec, ok
}
