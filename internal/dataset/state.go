package dataset

import "tarn/index"

// State is how one path of the workspace stands to its dataset.
type State byte

// The states. Base is what was last checked out or added at the path.
const (
	Clean         State = iota // the workspace has what the manifest says
	New                        // in the workspace only
	Modified                   // other bytes, or another link target
	ModeChanged                // same bytes, executable or not
	TypeChanged                // a link where a file was, and so on
	Deleted                    // was here, is gone, and the manifest has it
	Stale                      // untouched here, but the manifest moved on: checkout brings it
	Diverged                   // changed here, and the manifest moved on
	NotCheckedOut              // in the manifest, and never was here
)

var stateNames = [...]string{"clean", "new", "modified", "mode changed", "type changed", "deleted", "stale", "diverged", "not checked out"}

// String is the state in words.
func (s State) String() string { return stateNames[s] }

// stateOf compares workspace, base and manifest at one path; nil where there is nothing.
func stateOf(w, base, m *index.Entry) State {
	switch {
	case same(w, m):
		return Clean
	case base == nil && m == nil:
		return New
	case base == nil && w == nil:
		return NotCheckedOut
	case base == nil || same(base, m): // a base that is not known did not move
		return change(w, m)
	case same(w, base):
		return Stale
	}
	return Diverged
}

// change is what the workspace did to m, which it does not match.
func change(w, m *index.Entry) State {
	switch {
	case w == nil:
		return Deleted
	case w.Kind == m.Kind:
		return Modified
	case !regular(w) || !regular(m):
		return TypeChanged
	case w.Digest == m.Digest:
		return ModeChanged
	}
	return Modified
}

func regular(e *index.Entry) bool { return e.Kind == index.File || e.Kind == index.Exec }

func same(a, b *index.Entry) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Same(*b)
}
