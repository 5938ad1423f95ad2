package dataset

import (
	"context"
	"path"

	"tarn/index"
	"tarn/index/scan"
)

// late is an item that is done at the end, when what was in its way is gone.
type late struct {
	it  item
	rec *scan.Record // what the index says about it then; nil: nothing
}

// finishLate does what had something in its way, after that is gone.
func (c *checkout) finishLate(ctx context.Context) error {
	if len(c.late) > 0 {
		c.removeEmptied(ctx)
		if c.s.v.Form == index.FormFile {
			c.removeDir("")
		}
	}
	var items []*item
	for i := range c.late {
		it := &c.late[i].it
		if it.m.Kind != index.Dir {
			c.removeHollow(it.path)
		}
		items = append(items, it)
	}
	if c.direct != nil {
		if err := c.direct.fetchAll(ctx, items); err != nil {
			return err
		}
	}
	for i, it := range items {
		if err := ctx.Err(); err != nil {
			return err
		}
		if it.err == nil && !it.placed() {
			it.err = c.place(it, write)
		}
		if it.err != nil {
			c.failed(it)
			c.whole = false
			continue
		}
		rec := it.record(it.m)
		c.late[i].rec = &rec
		c.touched, c.changed = true, true
		c.out.Written++
		c.out.Bytes += it.m.Size
	}
	return nil
}

// removeTemp removes what a checkout that was killed left, which may be large. Nobody else writes here, for the dataset is locked.
func (c *checkout) removeTemp(p string) {
	name := path.Join(path.Base(c.t.Dataset), p)
	if info, err := c.root.Lstat(name); err == nil && info.Mode().IsRegular() && info.ModTime().UnixNano() < c.s.started {
		c.root.Remove(name)
	}
}
