package dataset

import (
	"errors"
	"iter"

	"tarn/index/scan"
)

// record writes what the index says about the path from now on.
func (c *checkout) record(it *item) error {
	if it.m != nil && it.r == nil && (it.entry == nil || it.err != nil) {
		c.whole = false
	}
	switch {
	case !c.s.inside(it) || it.err != nil || it.entry == nil:
		if it.r != nil {
			return c.next.Add(*it.r)
		}
		return nil
	case same(it.entry, it.m):
		if !it.fresh && it.r != nil && same(baseOf(it.r), it.m) {
			return c.next.Add(*it.r)
		}
		c.changed = true
		return c.next.Add(it.record(it.m))
	case it.r == nil:
		return nil // untracked
	}
	if !it.fresh {
		return c.next.Add(*it.r)
	}
	return c.next.Add(it.record(it.base()))
}

// lateRecords are the records of what was done late, in order; what failed keeps the one that it had.
func (c *checkout) lateRecords() iter.Seq[scan.Record] {
	return func(yield func(scan.Record) bool) {
		for i := range c.late {
			if rec := c.late[i].rec; rec != nil && !yield(*rec) {
				return
			}
		}
	}
}

// keepIndex puts the new index in place: also after an interruption, for what was done is done. Then the rest of the old one is carried over.
func (c *checkout) keepIndex(err error) error {
	base, _ := c.s.base()
	if err == nil && !c.changed && base == c.s.v.id {
		c.next.Abort()
		return nil
	}
	if err == nil {
		base, whole := c.s.v.id, c.whole
		if len(c.late) > 0 {
			return c.s.weave(c.next, c.nextPath(), c.lateRecords(), base, whole, func(n, late *scan.Record) scan.Record {
				if late != nil {
					return *late
				}
				return *n
			})
		}
		if cerr := c.next.Commit(base, whole); cerr != nil {
			return cerr
		}
		return c.r.promote(c.nextPath(), c.r.indexPath(c.t.Dataset))
	}
	if kerr := c.s.mergeIndex(c.next, c.nextPath(), false, func(n, old *scan.Record) scan.Record {
		if n == nil {
			return *old
		}
		return *n
	}); kerr != nil {
		return errors.Join(err, kerr)
	}
	return err
}
