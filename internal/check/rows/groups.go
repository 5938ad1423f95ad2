package rows

import (
	"fmt"

	"tarn/internal/check/spill"
)

// resolve finds out what became of each row, once the hashes of all of them are sorted.
func (d *diff) resolve() error {
	most := d.in.Shown
	if len(d.plan) > 0 {
		most = min(most, maxShown/len(d.plan))
	}
	d.shown = map[Kind]*shownRows{}
	for _, k := range []Kind{Changed, Removed, Added, Repeated} {
		d.shown[k] = &shownRows{most: most}
	}
	if len(d.key) == 0 {
		return d.multiset(d.rows)
	}
	for i := range d.pairs {
		d.pairs[i] = d.sorter(d.in.Memory / 8)
	}
	k := &keyed{d: d}
	err := d.rows.Each(func(r *spill.Record, same bool) error {
		if !same {
			if err := k.end(); err != nil {
				return err
			}
		}
		return k.take(r)
	})
	if err == nil {
		err = k.end()
	}
	if err == nil && k.repeated != nil {
		err = d.multiset(k.repeated)
	}
	d.rows.Close()
	if err != nil {
		return fmt.Errorf("compare rows: %w", err)
	}
	return nil
}

// keyed looks at the rows of one key after the other.
type keyed struct {
	d        *diff
	rows     [2]spill.Record // the first one of each side
	have     [2]bool
	many     bool          // the key is repeated on a side
	repeated *spill.Sorter // rows of such keys, under the hashes of all their cells
}

func (k *keyed) take(r *spill.Record) error {
	side := r.Tag
	if !k.have[side] {
		k.rows[side], k.have[side] = *r, true
		if k.many {
			return k.aside(r)
		}
		return nil
	}
	k.d.res.Repeated[side]++
	row := Row{Kind: Repeated, First: k.rows[side].Row}
	if side == tagOld {
		row.OldRow = r.Row
	} else {
		row.NewRow = r.Row
	}
	k.d.shown[Repeated].keep(row)
	if !k.many {
		k.many = true
		for i := range k.rows {
			if k.have[i] {
				if err := k.aside(&k.rows[i]); err != nil {
					return err
				}
			}
		}
	}
	return k.aside(r)
}

// aside puts a row to those that are compared as a whole.
func (k *keyed) aside(r *spill.Record) error {
	if k.repeated == nil {
		k.repeated = k.d.sorter(k.d.in.Memory / 4)
	}
	rec := *r
	rec.Hash = r.KeptHash()
	return k.repeated.Add([]spill.Record{rec})
}

// end is behind the last row of a key.
func (k *keyed) end() error {
	d, old, now := k.d, &k.rows[tagOld], &k.rows[tagNew]
	have, many := k.have, k.many
	k.have, k.many = [2]bool{}, false
	switch {
	case many || !have[tagOld] && !have[tagNew]:
	case !have[tagNew]:
		d.removed(old.Row)
	case !have[tagOld]:
		d.added(now.Row)
	case old.KeptHash() == now.KeptHash():
		d.res.Same++
	default:
		d.res.Changed++
		pair := d.changed
		d.changed++
		if d.in.NoCells {
			return nil
		}
		d.shown[Changed].keep(Row{Kind: Changed, OldRow: old.Row, NewRow: now.Row, pair: pair})
		for i, r := range []*spill.Record{old, now} {
			if err := d.pairs[i].Add([]spill.Record{{Hash: [2]uint64{uint64(r.Row)}, Row: pair}}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *diff) removed(row int64) {
	d.res.Removed++
	d.shown[Removed].keep(Row{Kind: Removed, OldRow: row})
}

func (d *diff) added(row int64) {
	d.res.Added++
	d.shown[Added].keep(Row{Kind: Added, NewRow: row})
}

// multiset compares rows that are the same if all their cells are: of those that a side has more often, the surplus was added or removed.
func (d *diff) multiset(s *spill.Sorter) error {
	var old, now int64
	var first []int64 // old rows, as many as could be shown
	end := func() {
		same := min(old, now)
		d.res.Same += same
		gone := old - same
		for i := range gone {
			if i >= int64(len(first)) {
				d.res.Removed += gone - i
				break
			}
			d.removed(first[i])
		}
		old, now, first = 0, 0, first[:0]
	}
	err := s.Each(func(r *spill.Record, same bool) error {
		if !same {
			end()
		}
		if r.Tag == tagOld {
			if old++; len(first) < d.in.Shown {
				first = append(first, r.Row)
			}
			return nil
		}
		if now++; now > old {
			d.added(r.Row)
		}
		return nil
	})
	end()
	return err
}
