package scan

import (
	"bytes"
	"encoding/binary"
	"errors"

	"tarn/index"
	"tarn/store/digest"
)

// The layout is that of docs/format-local.md, "Workspace index".
const (
	indexMagic    = "tarn\x01i\x00\x00"
	indexEnd      = "tarnindx"
	recordsABlock = 32
	presentSize   = 1 + 8 + 8 + 8 + 8 + 4 + digest.Size + 8
	baseSize      = 1 + 8 + digest.Size
	footerSize    = 8 + 8 + digest.Size + 8 + digest.Size + len(indexEnd)
)

// The flags of a record; other bits are an error.
const (
	flagPresent    = 1 << iota // what is in the workspace follows
	flagHardlinked             // only with flagPresent
	flagBase                   // the base follows
	flagSame                   // the base has the kind, digest and size of what is in the workspace; only with flagPresent, without flagBase
)

var (
	errRecord = errors.New("not a valid record")
	errOrder  = errors.New("records are not in ascending order of paths")
)

// sameBase says that the base needs no bytes of its own.
func (r *Record) sameBase() bool {
	return r.BaseKind == r.Kind && r.BaseDigest == r.Digest && r.BaseSize == r.Stat.Size
}

// flags is also the check that r can be written so that the same r is read.
func (r *Record) flags() (byte, error) {
	var f byte
	switch {
	case r.Kind == 0:
		if r.Stat != (Stat{}) || !r.Digest.IsZero() || r.HashedAt != 0 || r.Hardlinked {
			return 0, errRecord
		}
	case validKind(r.Kind) && r.Stat.Size >= 0:
		f = flagPresent
		if r.Hardlinked {
			f |= flagHardlinked
		}
	default:
		return 0, errRecord
	}
	switch {
	case r.BaseKind == 0:
		if !r.BaseDigest.IsZero() || r.BaseSize != 0 {
			return 0, errRecord
		}
	case !validKind(r.BaseKind) || r.BaseSize < 0:
		return 0, errRecord
	case r.sameBase():
		f |= flagSame
	default:
		f |= flagBase
	}
	if f == 0 || (r.BaseTarget != "") != (r.BaseKind == index.Link) || len(r.BaseTarget) > index.MaxPath {
		return 0, errRecord
	}
	return f, nil
}

func validKind(k index.Kind) bool {
	return k == index.File || k == index.Exec || k == index.Link || k == index.Dir
}

// appendRecord adds r; its path has shared bytes in common with the one before.
func appendRecord(b []byte, r *Record, flags byte, shared int) []byte {
	le := binary.LittleEndian
	b = binary.AppendUvarint(b, uint64(shared))
	b = binary.AppendUvarint(b, uint64(len(r.Path)-shared))
	b = append(b, r.Path[shared:]...)
	b = append(b, flags)
	if flags&flagPresent != 0 {
		b = append(b, byte(r.Kind))
		b = le.AppendUint64(b, uint64(r.Stat.Size))
		b = le.AppendUint64(b, uint64(r.Stat.MTime))
		b = le.AppendUint64(b, uint64(r.Stat.CTime))
		b = le.AppendUint64(b, r.Stat.Inode)
		b = le.AppendUint32(b, r.Stat.Mode)
		b = append(b, r.Digest[:]...)
		b = le.AppendUint64(b, uint64(r.HashedAt))
	}
	if flags&flagBase != 0 {
		b = append(b, byte(r.BaseKind))
		b = le.AppendUint64(b, uint64(r.BaseSize))
		b = append(b, r.BaseDigest[:]...)
	}
	if r.BaseKind == index.Link {
		b = binary.AppendUvarint(b, uint64(len(r.BaseTarget)))
		b = append(b, r.BaseTarget...)
	}
	return b
}

// A decoder reads the records of one block. It stays in bounds whatever the bytes are.
type decoder struct {
	b    []byte // what is left
	text []byte // the paths read so far, one after the other
	at   int    // where in text the last one starts
}

// reset makes d read another block; paths that it returned are overwritten.
func (d *decoder) reset(block []byte) { d.b, d.text, d.at = block, d.text[:0], 0 }

// path is that of the record read last.
func (d *decoder) path() []byte { return d.text[d.at:] }

// next reads a record into r, all but its path and target.
func (d *decoder) next(r *Record) (flags byte, target []byte, err error) {
	if err := d.nextPath(); err != nil {
		return 0, nil, err
	}
	b := d.take(1)
	if b == nil {
		return 0, nil, errRecord
	}
	flags = b[0]
	*r = Record{}
	if flags&flagPresent != 0 && !d.present(r) || flags&flagBase != 0 && !d.base(r) {
		return 0, nil, errRecord
	}
	r.Hardlinked = flags&flagHardlinked != 0
	if flags&flagSame != 0 {
		r.BaseKind, r.BaseDigest, r.BaseSize = r.Kind, r.Digest, r.Stat.Size
	}
	if r.BaseKind == index.Link {
		n, ok := d.uvarint(index.MaxPath)
		if target = d.take(n); !ok || target == nil {
			return 0, nil, errRecord
		}
	}
	return flags, target, nil
}

// nextPath refuses a path that is not after the last one, and one that could share more bytes with it.
func (d *decoder) nextPath() error {
	last := d.path()
	shared, ok := d.uvarint(len(last))
	more, ok2 := d.uvarint(index.MaxPath - shared)
	rest := d.take(more)
	if !ok || !ok2 || len(rest) == 0 || shared < len(last) && rest[0] <= last[shared] {
		return errRecord
	}
	d.at = len(d.text)
	d.text = append(append(d.text, last[:shared]...), rest...)
	return nil
}

func (d *decoder) present(r *Record) bool {
	b := d.take(presentSize)
	if b == nil {
		return false
	}
	le := binary.LittleEndian
	r.Kind = index.Kind(b[0])
	r.Stat.Size = int64(le.Uint64(b[1:]))
	r.Stat.MTime = int64(le.Uint64(b[9:]))
	r.Stat.CTime = int64(le.Uint64(b[17:]))
	r.Stat.Inode = le.Uint64(b[25:])
	r.Stat.Mode = le.Uint32(b[33:])
	copy(r.Digest[:], b[37:])
	r.HashedAt = int64(le.Uint64(b[37+digest.Size:]))
	return true
}

func (d *decoder) base(r *Record) bool {
	b := d.take(baseSize)
	if b == nil {
		return false
	}
	r.BaseKind = index.Kind(b[0])
	r.BaseSize = int64(binary.LittleEndian.Uint64(b[1:]))
	copy(r.BaseDigest[:], b[9:])
	return true
}

// take cuts n bytes off, or returns nil if there aren't so many.
func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		return nil
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b
}

// uvarint reads a number up to limit in its shortest form.
func (d *decoder) uvarint(limit int) (int, bool) {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || n > 1 && d.b[n-1] == 0 || limit < 0 || v > uint64(limit) {
		return 0, false
	}
	d.b = d.b[n:]
	return int(v), true
}

// commonPrefix is how many bytes a and b begin with together.
func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// checkBlock says whether the block that d was reset to is, byte for byte, what a writer makes of its records, and all of them come
// after the path last.
func (d *decoder) checkBlock(last []byte, count int) error {
	var r Record
	for i := range count {
		flags, target, err := d.next(&r)
		if err != nil {
			return err
		}
		r.BaseTarget = string(target)
		if want, err := r.flags(); err != nil || want != flags {
			return errRecord
		}
		if i == 0 && bytes.Compare(last, d.path()) >= 0 {
			return errOrder
		}
	}
	if len(d.b) != 0 {
		return errRecord
	}
	return nil
}
