package index

import (
	"bytes"
	"slices"
	"strings"
)

// The lines around the two sides of a conflict, as Git writes them.
const (
	oursMarker   = "<<<<<<< ours\n"
	middleMarker = "=======\n"
	theirsMarker = ">>>>>>> theirs\n"
)

// Marked is the text of a merged manifest whose entries are at odds at some paths, each between markers. m, which has no pages, has at these
// paths what ours has. No conflict is one of a file with a directory.
func Marked(m *Manifest, conflicts []Conflict) []byte {
	b := []byte(m.Form.header())
	list := m.Entries
	for _, c := range conflicts {
		i, _ := slices.BinarySearchFunc(list, c.Path, func(e Entry, p string) int { return strings.Compare(e.Path, p) })
		b = appendLines(b, list[:i], nil)
		list = list[i:]
		b = append(b, oursMarker...)
		if c.Ours != nil {
			b, _ = appendEntry(b, c.Ours)
		}
		if len(list) > 0 && list[0].Path == c.Path {
			list = list[1:]
		}
		b = append(b, middleMarker...)
		if c.Theirs != nil {
			b, _ = appendEntry(b, c.Theirs)
		}
		b = append(b, theirsMarker...)
	}
	return appendLines(b, list, nil)
}

// MarkedWhole is a text that has two manifests between markers.
func MarkedWhole(ours, theirs []byte) []byte {
	return slices.Concat([]byte(oursMarker), ours, []byte(middleMarker), theirs, []byte(theirsMarker))
}

// Unmarked takes a text with conflict markers apart: once with the first side of each conflict, once with the last. ok is false if the text has
// no markers or they don't go together.
func Unmarked(text []byte) (ours, theirs []byte, ok bool) {
	const outside, first, ancestor, last = 0, '<', '|', '='
	at, size := byte(outside), 0
	for line := range bytes.Lines(text) {
		mark, n := marker(bytes.TrimSuffix(line, []byte("\n")))
		switch {
		case at == outside && mark == '<':
			at, size, ok = first, n, true
		case at == first && mark == '|' && n == size:
			at = ancestor
		case (at == first || at == ancestor) && mark == '=' && n == size:
			at = last
		case at == last && mark == '>' && n == size:
			at = outside
		case at == first:
			ours = append(ours, line...)
		case at == last:
			theirs = append(theirs, line...)
		case at == outside:
			ours, theirs = append(ours, line...), append(theirs, line...)
		}
	}
	return ours, theirs, ok && at == outside
}

// marker is the character of a line that Git wrote into the middle of a merge, and how often it stands there; more than seven times in a merge of
// ancestors. It is zero for any other line.
func marker(line []byte) (mark byte, n int) {
	if len(line) == 0 || bytes.IndexByte([]byte("<|=>"), line[0]) < 0 {
		return 0, 0
	}
	rest := bytes.TrimLeft(line, string(line[:1]))
	if n = len(line) - len(rest); n < 7 || len(rest) > 0 && rest[0] != ' ' && rest[0] != '\r' {
		return 0, 0
	}
	return line[0], n
}
