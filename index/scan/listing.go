package scan

import (
	"bytes"
	"math"
	"slices"
	"syscall"
)

// A listing is the names in one directory. They stand behind each other in one text, so that a directory of many million
// files takes little more memory than its names; that of a directory ends in '/', which is what it sorts with.
type listing struct {
	text []byte
	refs []nameRef
}

type nameRef struct {
	off uint32
	len uint16 // with the '/'
}

func (l *listing) add(name []byte, isDir bool) error {
	if int64(len(l.text)) > math.MaxUint32-math.MaxUint16 || len(name) >= math.MaxUint16 {
		return syscall.EOVERFLOW // not in this world: 4 GiB of names in one directory
	}
	ref := nameRef{off: uint32(len(l.text)), len: uint16(len(name))}
	l.text = append(l.text, name...)
	if isDir {
		l.text = append(l.text, '/')
		ref.len++
	}
	l.refs = append(l.refs, ref)
	return nil
}

func (l *listing) bytes(r nameRef) []byte { return l.text[r.off:][:r.len:r.len] }

// name is the i-th name, without '/'.
func (l *listing) name(i int) (name string, isDir bool) {
	b := l.bytes(l.refs[i])
	n := len(b) - 1
	if b[n] == '/' {
		return string(b[:n]), true
	}
	return string(b), false
}

func (l *listing) isDir(i int) bool {
	r := l.refs[i]
	return l.text[int(r.off)+int(r.len)-1] == '/'
}

func (l *listing) hasDirs() bool {
	for i := range l.refs {
		if l.isDir(i) {
			return true
		}
	}
	return false
}

func (l *listing) sort() {
	slices.SortFunc(l.refs, func(a, b nameRef) int { return bytes.Compare(l.bytes(a), l.bytes(b)) })
}

// size is the memory that l takes, in bytes.
func (l *listing) size() int64 { return int64(len(l.text)) + 8*int64(len(l.refs)) }
