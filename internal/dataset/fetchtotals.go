package dataset

import "tarn/index"

// fetchTotals is what the progress of a fetch is told. Its files are planned and downloaded by turns, and that is one progress over all of them: while not all
// are planned, the totals are what is planned and what the manifests have that was not looked at yet, which is too much by what is here already.
type fetchTotals struct {
	begun    bool
	planned  amount
	now      amount         // not looked at yet, of the version that is being looked at
	ahead    amount         // of those that come behind it
	unknown  int            // versions that are not looked through yet, and do not tell how much is asked for
	versions map[string]int // of a dataset
}

type amount struct{ files, bytes int64 }

func (a *amount) add(b amount, sign int64) {
	a.files += sign * b.files
	a.bytes += sign * b.bytes
}

func amountOf(w wanted) (a amount) {
	a.files, a.bytes = index.Totals(w.Manifest)
	return a
}

// expect notes the versions that will be looked at.
func (t *fetchTotals) expect(ws []wanted) {
	t.versions = map[string]int{}
	for _, w := range ws {
		t.versions[w.Dataset]++
	}
	for _, w := range ws {
		if t.tells(w) {
			t.ahead.add(amountOf(w), 1)
		} else {
			t.unknown++
		}
	}
}

// tells says that a manifest tells how much is asked for: not of a part of a dataset, nor of several versions, which share most.
func (t *fetchTotals) tells(w wanted) bool { return w.Prefix == "" && t.versions[w.Dataset] == 1 }

func (t *fetchTotals) start(w wanted) {
	if t.tells(w) {
		t.now = amountOf(w)
		t.ahead.add(t.now, -1)
	}
}

func (t *fetchTotals) passed(l leaf) {
	if t.now.files == 0 {
		return
	}
	a := amount{files: int64(len(l.entries))}
	for i := range l.entries {
		a.bytes += l.entries[i].Size
	}
	t.now.add(a, -1)
}

func (t *fetchTotals) end(w wanted) {
	t.now = amount{} // of pages that could not be read
	if t.versions[w.Dataset] > 0 && !t.tells(w) {
		t.unknown--
	}
}

// plan tells of files that are downloaded next.
func (t *fetchTotals) plan(rep Reporter, a amount) {
	t.planned.add(a, 1)
	all := amount{-1, -1}
	if t.unknown == 0 {
		all = t.planned
		all.add(t.now, 1)
		all.add(t.ahead, 1)
	}
	if t.begun {
		rep.Total(all.files, all.bytes)
		return
	}
	t.begun = true
	rep.Phase("fetch", all.files, all.bytes)
}
