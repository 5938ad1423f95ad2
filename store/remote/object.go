package remote

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"tarn/store/digest"
	"tarn/store/pack"
)

// Kind says what the subject of an object is.
type Kind byte

// The kinds of object that carry locations.
const (
	KindRoot   Kind = 'r' // a root manifest
	KindPage   Kind = 'p' // a page of a manifest
	KindChunks Kind = 'c' // the chunks of a large file
)

// Bounds of what is read; the writers keep to the smaller ones of docs/format.md.
const (
	MaxObject     = 64 << 20 // bytes of a root or page object
	MaxPacks      = 1 << 20  // packs in one table
	MaxChunks     = 1024     // chunks that stand in a record itself
	MaxChunkPage  = 65536    // chunks in one page of chunks
	MaxChunkPages = 65536    // pages of chunks of one file
)

// ErrObject says that an object's bytes are not one that tarn writes.
var ErrObject = errors.New("broken object")

// PackRef is a pack that an object refers to.
type PackRef struct {
	Name digest.Digest
	Size int64 // bytes of the whole pack
}

// Loc says where the stored bytes of one blob are.
type Loc struct {
	Pack   uint32 // index into the object's pack table
	Offset uint32 // bytes
	Stored uint32 // bytes
	Scheme pack.Scheme
}

// Chunk is a piece of a file with its place.
type Chunk struct {
	Digest digest.Digest
	Raw    uint32 // bytes, uncompressed
	Loc
}

// ChunkPage refers to an object of KindChunks.
type ChunkPage struct {
	Digest digest.Digest
	Chunks int64
	Bytes  int64
}

// Record says where the bytes of one file are: in one blob, whose digest is the file's, unless Chunks or Pages is set.
type Record struct {
	Whole  Loc
	Chunks []Chunk     // 2 to MaxChunks
	Pages  []ChunkPage // for more
}

// Object is a root or a page as it stands on a remote: its subject, and where what the subject names can be found.
type Object struct {
	Kind    Kind
	Subject []byte // text of the root or page; for KindChunks see ChunkList
	Packs   []PackRef
	Records []Record // one for each file with bytes (KindRoot with inline entries, KindPage of level 0)
	Locs    []Loc    // one for each chunk (KindChunks)
}

const (
	envelopeSize = 72
	recordWhole  = 1
	recordChunks = 2
	recordPages  = 3
)

// Name is the key of the object of that kind and subject.
func Name(kind Kind, subject digest.Digest) string {
	if kind == KindRoot {
		return "root/" + subject.String()
	}
	return "page/" + subject.String()
}

// PackName is the key of a pack.
func PackName(name digest.Digest) string {
	s := name.String()
	return "pack/" + s[:2] + "/" + s
}

// Digest is the digest of the object's subject.
func (o *Object) Digest() digest.Digest { return digest.Sum(o.Subject) }

// Encode gives the object's only encoding.
func (o *Object) Encode() []byte {
	subject := o.Digest()
	b := make([]byte, 0, envelopeSize+len(o.Subject)+40*len(o.Packs)+12*(len(o.Records)+len(o.Locs))+32)
	b = append(b, 't', 'a', 'r', 'n', 1, byte(o.Kind), 0, 0)
	b = append(b, subject[:]...)
	b = append(b, make([]byte, digest.Size)...)
	b = binary.AppendUvarint(b, uint64(len(o.Packs)))
	for _, p := range o.Packs {
		b = binary.AppendUvarint(append(b, p.Name[:]...), uint64(p.Size))
	}
	b = binary.AppendUvarint(b, uint64(len(o.Subject)))
	b = append(b, o.Subject...)
	for i := range o.Records {
		b = o.Records[i].append(b)
	}
	for _, l := range o.Locs {
		b = l.append(b)
	}
	sum := checksum(b)
	copy(b[40:], sum[:])
	return b
}

func checksum(b []byte) digest.Digest {
	h := digest.New()
	defer h.Release()
	h.Write(b[:40])
	h.Write(b[envelopeSize:])
	return h.Sum()
}

func (l Loc) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(l.Pack))
	b = binary.AppendUvarint(b, uint64(l.Offset))
	b = binary.AppendUvarint(b, uint64(l.Stored))
	return append(b, byte(l.Scheme))
}

func (r *Record) append(b []byte) []byte {
	switch {
	case r.Chunks == nil && r.Pages == nil:
		return r.Whole.append(append(b, recordWhole))
	case r.Chunks != nil:
		b = binary.AppendUvarint(append(b, recordChunks), uint64(len(r.Chunks)))
		for _, c := range r.Chunks {
			b = binary.AppendUvarint(append(b, c.Digest[:]...), uint64(c.Raw))
			b = c.Loc.append(b)
		}
		return b
	}
	b = binary.AppendUvarint(append(b, recordPages), uint64(len(r.Pages)))
	for _, p := range r.Pages {
		b = binary.AppendUvarint(append(b, p.Digest[:]...), uint64(p.Chunks))
		b = binary.AppendUvarint(b, uint64(p.Bytes))
	}
	return b
}

// Decode reads an object that must be of that kind and subject. An error wraps ErrObject.
func Decode(b []byte, kind Kind, subject digest.Digest) (*Object, error) {
	d := &decoder{b: b}
	o := d.object(kind, subject)
	if d.err != nil {
		return nil, fmt.Errorf("%w: %s %s: %w", ErrObject, Name(kind, subject)[:4], subject.Short(), d.err)
	}
	return o, nil
}

// decoder consumes b; after the first error everything it returns is zero.
type decoder struct {
	b     []byte
	packs []PackRef
	err   error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err, d.b = fmt.Errorf(format, args...), nil
	}
}

func (d *decoder) object(kind Kind, subject digest.Digest) *Object {
	d.envelope(kind, subject)
	o := &Object{Kind: kind}
	d.packTable()
	o.Packs = d.packs
	o.Subject = d.take(d.uvarint(MaxObject))
	if d.err == nil && digest.Sum(o.Subject) != subject {
		d.fail("subject: %w", digest.ErrMismatch)
	}
	for d.err == nil && len(d.b) > 0 {
		if kind == KindChunks {
			o.Locs = append(o.Locs, d.loc())
		} else {
			o.Records = append(o.Records, d.record())
		}
	}
	return o
}

func (d *decoder) envelope(kind Kind, subject digest.Digest) {
	b := d.b
	switch {
	case len(b) < envelopeSize || string(b[:4]) != "tarn":
		d.fail("not an object of tarn's")
	case len(b) > MaxObject:
		d.fail("larger than %d bytes", MaxObject)
	case b[4] != 1:
		d.fail("format %d; a newer tarn may read it", b[4])
	case Kind(b[5]) != kind || b[6] != 0 || b[7] != 0:
		d.fail("kind %q, not %q", b[5], byte(kind))
	case !bytes.Equal(b[8:40], subject[:]):
		d.fail("holds another subject, %x", b[8:14])
	case checksum(b) != digest.Digest(b[40:envelopeSize]):
		d.fail("checksum: %w", digest.ErrMismatch)
	default:
		d.b = b[envelopeSize:]
	}
}

func (d *decoder) packTable() {
	n := d.uvarint(min(MaxPacks, uint64(len(d.b)/(digest.Size+1))))
	d.packs = make([]PackRef, 0, n)
	for i := range n {
		p := PackRef{d.digest(), int64(d.uvarint(pack.MaxSize))}
		if i > 0 && d.err == nil && p.Name.Compare(d.packs[i-1].Name) <= 0 {
			d.fail("pack table is not sorted")
		}
		d.packs = append(d.packs, p)
	}
}

func (d *decoder) record() Record {
	switch form := d.byte(); form {
	case recordWhole:
		return Record{Whole: d.loc()}
	case recordChunks:
		return Record{Chunks: d.chunks()}
	case recordPages:
		return Record{Pages: d.chunkPages()}
	default:
		d.fail("record of form %d; a newer tarn may read it", form)
	}
	return Record{}
}

func (d *decoder) chunks() []Chunk {
	n := d.uvarint(min(MaxChunks, uint64(len(d.b)/(digest.Size+5))))
	if n < 2 {
		d.fail("record of %d chunks", n)
	}
	cs := make([]Chunk, 0, n)
	for range n {
		cs = append(cs, Chunk{d.digest(), d.raw(), d.loc()})
	}
	return cs
}

func (d *decoder) chunkPages() []ChunkPage {
	n := d.uvarint(min(MaxChunkPages, uint64(len(d.b)/(digest.Size+2))))
	if n < 1 {
		d.fail("record of no pages")
	}
	ps := make([]ChunkPage, 0, n)
	for range n {
		p := ChunkPage{d.digest(), int64(d.uvarint(MaxChunkPage)), int64(d.uvarint(math.MaxInt64))}
		if p.Chunks < 1 || p.Bytes < p.Chunks {
			d.fail("page of %d chunks and %d bytes", p.Chunks, p.Bytes)
		}
		ps = append(ps, p)
	}
	return ps
}

func (d *decoder) raw() uint32 {
	n := uint32(d.uvarint(pack.MaxRaw))
	if n == 0 {
		d.fail("empty chunk")
	}
	return n
}

func (d *decoder) loc() Loc {
	l := Loc{Pack: uint32(d.uvarint(MaxPacks)), Offset: uint32(d.uvarint(pack.MaxSize)), Stored: uint32(d.uvarint(pack.MaxSize)), Scheme: pack.Scheme(d.byte())}
	switch {
	case d.err != nil:
	case int(l.Pack) >= len(d.packs):
		d.fail("location in pack %d of %d", l.Pack, len(d.packs))
	case int64(l.Offset)+int64(l.Stored) > d.packs[l.Pack].Size || l.Stored == 0:
		d.fail("location outside its pack")
	case l.Scheme != pack.Stored && l.Scheme != pack.Zstd:
		d.fail("scheme %d; a newer tarn may read it", l.Scheme)
	}
	return l
}

func (d *decoder) digest() (x digest.Digest) {
	copy(x[:], d.take(digest.Size))
	return x
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) take(n uint64) []byte {
	if d.err == nil && uint64(len(d.b)) < n {
		d.fail("truncated")
	}
	if d.err != nil {
		return nil
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b
}

// uvarint reads a number of at most limit in its shortest form.
func (d *decoder) uvarint(limit uint64) uint64 {
	if d.err != nil {
		return 0
	}
	v, n := binary.Uvarint(d.b)
	switch {
	case n <= 0:
		d.fail("truncated or oversized number")
		return 0
	case n > 1 && d.b[n-1] == 0:
		d.fail("number not in its shortest form")
		return 0
	case v > limit:
		d.fail("number %d is over its bound %d", v, limit)
		return 0
	}
	d.b = d.b[n:]
	return v
}
