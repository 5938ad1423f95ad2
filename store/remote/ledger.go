package remote

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"tarn/internal/durable"
	"tarn/store/digest"
	"tarn/store/pack"
	"tarn/store/table"
)

// Ledger is what one clone knows of one remote: the roots and pages that it has seen there, and where their blobs were. All of it
// is a hint, since gc on another machine may have deleted or moved things: a push confirms what it relies on, a pull falls back to asking. Safe for concurrent use.
type Ledger struct {
	disk  *durable.Disk
	dir   string
	known *table.Set

	mu      sync.Mutex
	sources []digest.Digest // learned, not yet in a table
	pending []table.Entry
	gone    map[digest.Digest]bool // packs found missing
	objects map[digest.Digest]*Object
}

// Place is a blob's place in a pack, known by name.
type Place struct {
	Pack   PackRef
	Offset uint32
	Stored uint32
	Raw    uint32
	Scheme pack.Scheme
}

// File names one file of an object, in the order of its records.
type File struct {
	Digest digest.Digest
	Size   int64
}

// OpenLedger opens the ledger in dir, which need not exist.
func OpenLedger(disk *durable.Disk, dir string) (*Ledger, error) {
	known, err := table.Open(disk, filepath.Join(dir, "known"))
	if err != nil {
		return nil, err
	}
	return &Ledger{disk: disk, dir: dir, known: known, gone: map[digest.Digest]bool{}, objects: map[digest.Digest]*Object{}}, nil
}

// Close writes down what was learned and ends the use of l.
func (l *Ledger) Close() error {
	err := l.Flush()
	if cerr := l.known.Close(); err == nil {
		err = cerr
	}
	return err
}

func (l *Ledger) path(kind Kind, d digest.Digest) string {
	s := d.String()
	return filepath.Join(l.dir, "seen", s[:2], s[2:]+"."+string(rune(kind)))
}

// Object is the root or page as it was last seen on the remote; ok is false where it never was, or the copy is broken.
func (l *Ledger) Object(kind Kind, d digest.Digest) (o *Object, ok bool) {
	l.mu.Lock()
	o = l.objects[d]
	l.mu.Unlock()
	if o != nil && o.Kind == kind {
		return o, true
	}
	data, err := os.ReadFile(l.path(kind, d))
	if err != nil {
		return nil, false
	}
	if o, err = Decode(data, kind, d); err != nil {
		return nil, false
	}
	l.remember(d, o)
	return o, true
}

// remember keeps a few decoded objects, for files of one page are asked for one after the other.
func (l *Ledger) remember(d digest.Digest, o *Object) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.objects) >= 16 {
		clear(l.objects)
	}
	l.objects[d] = o
}

// Keep remembers o as seen on the remote, without its files; where nothing can be written, as long as l is open.
func (l *Ledger) Keep(o *Object) error {
	d := o.Digest()
	if err := l.write(o, d); err != nil && !isReadOnly(err) {
		return err
	}
	l.remember(d, o)
	return nil
}

func (l *Ledger) write(o *Object, d digest.Digest) error {
	path := l.path(o.Kind, d)
	if err := l.disk.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	f, err := l.disk.CreateTemp(filepath.Dir(path))
	if err != nil {
		return err
	}
	if _, err := f.Write(o.Encode()); err != nil {
		f.Abort()
		return err
	}
	// Not synced: a copy that a crash broke fails its checksum, and is asked for again.
	return f.Commit(path, 0o666, false)
}

// isReadOnly says that this user, or nobody, can write there: what is learned then costs requests when it is needed again.
func isReadOnly(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// Learn remembers o and where its files are: files[i] is the one that o.Records[i] is about.
func (l *Ledger) Learn(o *Object, files []File) error {
	if err := l.Keep(o); err != nil {
		return err
	}
	d := o.Digest()
	if l.known.Has(d) || len(files) != len(o.Records) {
		return nil
	}
	entries := make([]table.Entry, 0, len(files))
	for i, r := range o.Records {
		switch {
		case r.Pages != nil:
			entries = append(entries, table.Entry{Digest: files[i].Digest, Source: d, Payload: filePayload(o.Kind, i)})
		case r.Chunks != nil:
			entries = append(entries, table.Entry{Digest: files[i].Digest, Source: d, Payload: filePayload(o.Kind, i)})
			entries = append(entries, chunkEntries(o, r.Chunks)...)
		default:
			entries = append(entries, blobEntry(o, files[i].Digest, uint32(files[i].Size), r.Whole))
		}
	}
	l.add(o, entries)
	return nil
}

// LearnChunks remembers a page of chunks and where they are.
func (l *Ledger) LearnChunks(o *Object) error {
	cs, err := o.ChunkList()
	if err != nil {
		return err
	}
	if err := l.Keep(o); err != nil {
		return err
	}
	if d := o.Digest(); !l.known.Has(d) {
		l.add(o, chunkEntries(o, cs))
	}
	return nil
}

// LearnPack remembers a pack that was just uploaded, so that an interrupted push does not upload it again; it is durable at once.
func (l *Ledger) LearnPack(p PackRef, records []pack.Record) error {
	entries := make([]table.Entry, len(records))
	for i, r := range records {
		entries[i] = table.Entry{Digest: r.Digest, Source: p.Name, Payload: blobPayload(p.Size, r.Offset, r.Stored, r.Raw, r.Scheme)}
	}
	return l.known.Add([]digest.Digest{p.Name}, entries)
}

// add takes the entries of o: those of its blobs name packs as their source, those of large files o itself.
func (l *Ledger) add(o *Object, entries []table.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sources = append(l.sources, o.Digest())
	for _, p := range o.Packs {
		l.sources = append(l.sources, p.Name)
		delete(l.gone, p.Name)
	}
	l.pending = append(l.pending, entries...)
	if len(l.pending) > 1<<18 {
		l.flush()
	}
}

// Flush writes down what was learned.
func (l *Ledger) Flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flush()
}

func (l *Ledger) flush() error {
	if len(l.sources) == 0 {
		return nil
	}
	err := l.known.Add(l.sources, l.pending)
	if isReadOnly(err) {
		err = l.known.AddMemory(l.sources, l.pending)
	}
	l.sources, l.pending = nil, nil
	return err
}

// Locate says where a blob was seen.
func (l *Ledger) Locate(d digest.Digest) (Place, bool) {
	e, ok := l.find(d, kindBlob)
	if !ok {
		return Place{}, false
	}
	return placeOf(e), true
}

// LocateFile gives the record of a large file, with the object whose pack table it refers to.
func (l *Ledger) LocateFile(d digest.Digest) (*Object, Record, bool) {
	e, ok := l.find(d, kindFile)
	if !ok {
		return nil, Record{}, false
	}
	i, kind := binary.LittleEndian.Uint32(e.Payload[:]), Kind(e.Payload[4])
	o, ok := l.Object(kind, e.Source)
	if !ok || int(i) >= len(o.Records) {
		return nil, Record{}, false
	}
	return o, o.Records[i], true
}

func (l *Ledger) find(d digest.Digest, kind byte) (table.Entry, bool) {
	e, ok := l.known.Find(d)
	if ok && payloadKind(e.Payload) == kind && !l.isGone(e) {
		return e, true
	}
	if !ok {
		return e, false
	}
	for _, e := range l.known.FindAll(d) {
		if payloadKind(e.Payload) == kind && !l.isGone(e) {
			return e, true
		}
	}
	return e, false
}

func (l *Ledger) isGone(e table.Entry) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone[e.Source]
}

// Gone says that a pack was forgotten.
func (l *Ledger) Gone(pack digest.Digest) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone[pack]
}

// Forget drops what was thought to be in these packs, and the copies of these roots and pages.
func (l *Ledger) Forget(packs, objects map[digest.Digest]bool) error {
	l.mu.Lock()
	var sources []digest.Digest
	for d := range packs {
		l.gone[d] = true
		sources = append(sources, d)
	}
	clear(l.objects)
	l.mu.Unlock()
	for d := range objects {
		for _, k := range []Kind{KindRoot, KindPage, KindChunks} {
			os.Remove(l.path(k, d))
		}
		sources = append(sources, d)
	}
	return l.known.Remove(sources)
}

// A payload is offset, stored, raw (4 bytes each) and 4 bytes with the size of the pack in the low 30 bits, the scheme above it, and the kind on
// top. For a large file it is the number of its record and the kind of the object.
const (
	kindBlob byte = 0
	kindFile byte = 1
)

func blobPayload(size int64, offset, stored, raw uint32, scheme pack.Scheme) (p table.Payload) {
	le := binary.LittleEndian
	le.PutUint32(p[0:], offset)
	le.PutUint32(p[4:], stored)
	le.PutUint32(p[8:], raw)
	le.PutUint32(p[12:], uint32(size-1)&(1<<30-1)|uint32(scheme)<<30)
	return p
}

func filePayload(kind Kind, record int) (p table.Payload) {
	binary.LittleEndian.PutUint32(p[:], uint32(record))
	p[4] = byte(kind)
	p[15] = kindFile << 7
	return p
}

func payloadKind(p table.Payload) byte { return p[15] >> 7 }

func placeOf(e table.Entry) Place {
	le, p := binary.LittleEndian, e.Payload
	last := le.Uint32(p[12:])
	return Place{PackRef{e.Source, int64(last&(1<<30-1)) + 1}, le.Uint32(p[0:]), le.Uint32(p[4:]), le.Uint32(p[8:]), pack.Scheme(last >> 30 & 1)}
}

func blobEntry(o *Object, d digest.Digest, raw uint32, loc Loc) table.Entry {
	p := o.Packs[loc.Pack]
	return table.Entry{Digest: d, Source: p.Name, Payload: blobPayload(p.Size, loc.Offset, loc.Stored, raw, loc.Scheme)}
}

func chunkEntries(o *Object, cs []Chunk) []table.Entry {
	entries := make([]table.Entry, len(cs))
	for i, c := range cs {
		entries[i] = blobEntry(o, c.Digest, c.Raw, c.Loc)
	}
	return entries
}
