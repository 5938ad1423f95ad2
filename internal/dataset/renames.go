package dataset

import (
	"path"
	"strings"

	"tarn/index"
	"tarn/store/digest"
)

// DiffChange is one entry that two sides do not have in common.
type DiffChange struct {
	Dataset, Path         string       // where it is; of one that was removed, where it was
	FromDataset, FromPath string       // of a renamed one, where it was
	Old, New              *index.Entry // nil: nothing
}

// ChangeKind is a word for a change.
type ChangeKind byte

// The kinds of changes.
const (
	ChangeAdded ChangeKind = iota
	ChangeRemoved
	ChangeModified // other bytes, or another link target
	ChangeMode     // executable or not
	ChangeType     // a link where a file was, and so on
	ChangeRenamed  // the same bytes under another path
)

var changeWords = [...]string{"added", "removed", "modified", "mode changed", "type changed", "renamed"}

// String is the kind in words.
func (k ChangeKind) String() string { return changeWords[k] }

// Letter is one letter for short output, as git has it.
func (k ChangeKind) Letter() string { return "ADMMTR"[k : k+1] }

// Kind says what happened.
func (c *DiffChange) Kind() ChangeKind {
	switch {
	case c.FromPath != "":
		return ChangeRenamed
	case c.Old == nil:
		return ChangeAdded
	case c.New == nil:
		return ChangeRemoved
	}
	switch change(c.New, c.Old) {
	case ModeChanged:
		return ChangeMode
	case TypeChanged:
		return ChangeType
	}
	return ChangeModified
}

// Name is the path of the entry from the root of the repository.
func (c *DiffChange) Name() string { return entryName(c.Dataset, c.Path) }

// FromName is Name of what was renamed, before.
func (c *DiffChange) FromName() string { return entryName(c.FromDataset, c.FromPath) }

// entryName joins a dataset and an entry, and keeps the slash of an empty directory.
func entryName(dataset, entry string) string {
	name := path.Join(dataset, entry)
	if strings.HasSuffix(entry, "/") {
		name += "/"
	}
	return name
}

// renames pairs each file that was removed with one of the same bytes that was added. To do so it holds changes from the first that may be half of a rename
// on, at most limit of them; when there are more it gives up, and passes on all that come as they are.
type renames struct {
	limit   int
	emit    func(DiffChange) error
	held    []DiffChange
	skipped bool // it gave up
}

// add takes the next change.
func (r *renames) add(c DiffChange) error {
	if r.skipped || r.limit <= 0 || len(r.held) == 0 && !isHalf(&c) {
		return r.emit(c)
	}
	if len(r.held) == r.limit {
		r.skipped = true
		if err := r.pass(); err != nil {
			return err
		}
		return r.emit(c)
	}
	c.Path, c.Old, c.New = strings.Clone(c.Path), detached(c.Old), detached(c.New)
	r.held = append(r.held, c)
	return nil
}

// detached is a copy that does not hold the memory of its page.
func detached(e *index.Entry) *index.Entry {
	if e == nil {
		return nil
	}
	d := *e
	d.Path, d.Target = strings.Clone(e.Path), strings.Clone(e.Target)
	return &d
}

// isHalf says that c can be half of a rename. Files of no bytes are all the same, and links depend on where they are.
func isHalf(c *DiffChange) bool {
	return c.Old == nil && hasBytes(c.New) || c.New == nil && hasBytes(c.Old)
}

// flush passes on what is held, with renames.
func (r *renames) flush() error {
	r.pair()
	return r.pass()
}

func (r *renames) pass() error {
	for _, c := range r.held {
		if c.Old == nil && c.New == nil {
			continue
		}
		if err := r.emit(c); err != nil {
			return err
		}
	}
	r.held = nil
	return nil
}

// pair makes one change of two, at the place of the one that was added: first where the last element of the path stayed, then in order.
func (r *renames) pair() {
	type key struct {
		d    digest.Digest
		base string
	}
	key1 := func(e *index.Entry) key { return key{e.Digest, path.Base(e.Path)} }
	key2 := func(e *index.Entry) key { return key{d: e.Digest} }
	for _, keyOf := range []func(*index.Entry) key{key1, key2} {
		gone := map[key][]*DiffChange{}
		for i := range r.held {
			if c := &r.held[i]; c.Old != nil && c.New == nil && isHalf(c) {
				gone[keyOf(c.Old)] = append(gone[keyOf(c.Old)], c)
			}
		}
		for i := range r.held {
			c := &r.held[i]
			if c.Old != nil || c.New == nil || !isHalf(c) {
				continue
			}
			if from := gone[keyOf(c.New)]; len(from) > 0 {
				c.FromDataset, c.FromPath, c.Old = from[0].Dataset, from[0].Path, from[0].Old
				from[0].Old = nil
				gone[keyOf(c.New)] = from[1:]
			}
		}
	}
}
