package cache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"tarn/internal/durable"
	"tarn/store/digest"
	"tarn/store/pack"
)

// Pruned is what a Pruning dropped, or would drop.
type Pruned struct {
	Objects     int64 // own objects
	ObjectBytes int64
	Blobs       int64 // in packs
	BlobBytes   int64 // stored
	Packs       int64 // removed, with nothing in them that is kept
	Rewritten   int64 // packs, of which the rest was copied
	Freed       int64 // bytes on the disk
	Linked      int64 // own objects that stay, for files of a workspace are hard links to them
	LinkedBytes int64
	Waste       int64 // bytes of blobs that stay, for most of their pack is kept
}

// Pruning drops what its caller says is elsewhere. The caller holds the lock of the cache alone from the first mark until Run returns.
type Pruning struct {
	c          *Cache
	drop, keep *marks
}

// NewPruning begins to gather marks; the caller closes it.
func (c *Cache) NewPruning() *Pruning { return &Pruning{c, c.newMarks(), c.newMarks()} }

// Close forgets the marks.
func (p *Pruning) Close() error { return errors.Join(p.drop.close(), p.keep.close()) }

// Drop says that an object may go; what nobody says this of stays.
func (p *Pruning) Drop(d digest.Digest) error { return p.drop.add(d) }

// Keep says that an object stays, whatever Drop says.
func (p *Pruning) Keep(d digest.Digest) error { return p.keep.add(d) }

func (p *Pruning) goes(d digest.Digest) bool { return p.drop.has(d) && !p.keep.has(d) }

// rewriteFrom is from which part of a pack on it is worth to copy the rest: an eighth.
const rewriteFrom = 8

// Run drops what may go, or with dry only counts. What is dropped is gone file by file, and an interruption leaves the rest: the copy of a pack is durable, and
// in a table, before the pack is removed.
func (p *Pruning) Run(ctx context.Context, dry bool) (Pruned, error) {
	if err := p.c.Refresh(); err != nil {
		return Pruned{}, err
	}
	r := &pruneRun{Pruning: p, ctx: ctx, dry: dry}
	err := p.c.eachSub(ownDir, r.objects)
	if err == nil {
		err = p.c.eachSub(packDir, r.packs)
	}
	if len(r.removed) > 0 {
		err = errors.Join(err, p.c.set.Remove(r.removed), p.c.forgetCorrupt(r.removed))
	}
	if err != nil {
		err = fmt.Errorf("prune cache: %w", err)
	}
	return r.out, err
}

type pruneRun struct {
	*Pruning
	ctx     context.Context
	dry     bool
	out     Pruned
	removed []digest.Digest // packs
}

func (r *pruneRun) objects(sub string, names []string) error {
	for _, name := range names {
		var d digest.Digest
		if !parseOwn(sub, name, &d) || !r.goes(d) {
			continue
		}
		if err := r.ctx.Err(); err != nil {
			return err
		}
		if err := r.object(d); err != nil {
			return err
		}
	}
	return nil
}

func (r *pruneRun) object(d digest.Digest) error {
	info, err := os.Lstat(r.c.ownPath(d))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return nil
	}
	if err != nil {
		return err
	}
	if s, ok := inodeOf(info); ok && s.links > 1 {
		r.out.Linked++
		r.out.LinkedBytes += info.Size()
		return nil
	}
	if !r.dry {
		if err := r.c.disk.Remove(r.c.ownPath(d)); err != nil {
			return err
		}
		r.c.own.set(d, false)
	}
	r.out.Objects++
	r.out.ObjectBytes += info.Size()
	r.out.Freed += info.Size()
	return nil
}

func (r *pruneRun) packs(sub string, names []string) error {
	for _, name := range names {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		d, err := digest.Parse(name)
		if err != nil || name[:2] != sub {
			continue
		}
		if err := r.pack(d); err != nil {
			return fmt.Errorf("pack %s: %w", d.Short(), err)
		}
	}
	return nil
}

// pack drops what may go of one pack. One that can't be read as such is left alone.
func (r *pruneRun) pack(name digest.Digest) error {
	reader, size, err := readPack(r.c.packPath(name))
	if err != nil {
		return nil
	}
	var keep []pack.Record
	var blobs, bytes int64
	for _, rec := range reader.Records() {
		if r.goes(rec.Digest) {
			blobs, bytes = blobs+1, bytes+int64(rec.Stored)
		} else {
			keep = append(keep, rec)
		}
	}
	switch {
	case blobs == 0:
		return nil
	case len(keep) > 0 && bytes*rewriteFrom < size:
		r.out.Waste += bytes
		return nil
	case len(keep) > 0:
		left, err := r.rewrite(name, keep)
		if isWrong(err) { // what is kept is broken: that is for fsck, and somebody who looks at it
			r.out.Waste += bytes
			return nil
		}
		if err != nil {
			return err
		}
		r.out.Rewritten++
		r.out.Freed -= left
	default:
		r.out.Packs++
	}
	r.out.Blobs += blobs
	r.out.BlobBytes += bytes
	r.out.Freed += size
	if r.dry {
		return nil
	}
	r.removed = append(r.removed, name)
	return r.c.removePack(name)
}

func readPack(path string) (*pack.Reader, int64, error) {
	f, info, err := durable.OpenRegular(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	r, err := pack.Open(f, info.Size())
	return r, info.Size(), err
}

// rewrite copies blobs of a pack into a new one, verified and in their order, and returns the size of that.
func (r *pruneRun) rewrite(name digest.Digest, keep []pack.Record) (size int64, err error) {
	if r.dry {
		for _, rec := range keep {
			size += int64(rec.Stored)
		}
		return pack.Size(len(keep), size), nil
	}
	p, err := r.c.newPack()
	if err != nil {
		return 0, err
	}
	defer p.f.Abort()
	slices.SortFunc(keep, func(a, b pack.Record) int { return cmp.Compare(a.Offset, b.Offset) })
	var buf []byte
	for _, rec := range keep {
		if buf, err = r.c.readStored(place{name, rec}, buf); err != nil {
			return 0, err
		}
		if _, err := pack.Decode(rec, buf); err != nil {
			return 0, err
		}
		if _, err := p.w.Add(rec.Digest, rec.Scheme, rec.Raw, buf); err != nil {
			return 0, err
		}
	}
	if p.sum, err = p.w.Close(); err != nil {
		return 0, err
	}
	return p.sum.Size, r.c.publish([]*openPack{p}, nil, map[string]bool{})
}

// removePack removes a pack that no table need name any more. Those who read from it keep it open.
func (c *Cache) removePack(name digest.Digest) error {
	c.packs.forget(name)
	if err := c.disk.Remove(c.packPath(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	c.packs.note(name, false)
	return nil
}

// forget closes a pack, unless somebody reads from it just now.
func (p *packFiles) forget(name digest.Digest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := p.open[name]; f != nil && f.refs == 0 {
		f.f.Close()
		delete(p.open, name)
	}
}

// forgetCorrupt removes the marks of blobs that were wrong in these packs.
func (c *Cache) forgetCorrupt(packs []digest.Digest) error {
	gone := map[string]bool{}
	for _, p := range packs {
		gone[p.String()] = true
	}
	names, err := readNames(c.path(corruptDir))
	for _, name := range names {
		rest, ok := strings.CutPrefix(name, corruptBlob)
		if _, in, _ := strings.Cut(rest, "-"); ok && gone[in] {
			if rerr := c.disk.Remove(c.path(corruptDir, name)); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
				return rerr
			}
		}
	}
	return err
}
