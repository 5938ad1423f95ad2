// Package table keeps sorted immutable tables from digests to where something is: an accelerator, made from packs and pages,
// that can always be made again. It knows digests and 16 bytes that mean something to its caller; it does not know packs,
// remotes or names, and nothing may be believed only because a table says so. The format is in docs/format-local.md.
package table

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tarn/internal/durable"
	"tarn/store/digest"
)

// Payload is what the caller keeps with an entry.
type Payload [16]byte

// Entry says that what has this digest is to be found by means of Source: the pack or page object that the payload refers to.
type Entry struct {
	Digest, Source digest.Digest
	Payload        Payload
}

const (
	maxTables  = 8 // more are merged
	lockName   = "lock"
	suffix     = ".table"
	tempAge    = 24 * time.Hour // temps older than that are left over from a crash
	clockGrain = 2 * time.Second
)

// Set is the tables of one directory. All methods may be called at once, and many processes may use the directory at once.
type Set struct {
	disk  *durable.Disk
	dir   string
	group bool
	list  atomic.Pointer[[]*file] // newest first

	mu     sync.Mutex // of what follows, and held while list is replaced
	memory []*file    // of AddMemory, newest first
	broken []string
	seen   time.Time // mtime of dir when it was listed last, if that was long enough ago to be trusted
}

// Open reads the tables in dir, which need not exist. Files that are not tables, or broken ones, are ignored: see Broken.
func Open(disk *durable.Disk, dir string) (*Set, error) { return open(disk, dir, false) }

// OpenGroup is Open for a directory that a group shares: what is written there can be read by all, whatever the umask. The caller
// makes the directory.
func OpenGroup(disk *durable.Disk, dir string) (*Set, error) { return open(disk, dir, true) }

func open(disk *durable.Disk, dir string, group bool) (*Set, error) {
	s := &Set{disk: disk, dir: dir, group: group}
	s.list.Store(&[]*file{})
	if err := s.Refresh(); err != nil {
		return nil, err
	}
	return s, nil
}

// Close forgets the tables; afterwards nothing is found.
func (s *Set) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list.Store(&[]*file{})
	s.memory = nil
	return nil
}

// Broken lists the files, as absolute paths, that look like tables and can't be read as such.
func (s *Set) Broken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.broken)
}

// Find returns the newest entry of d. It does not allocate.
func (s *Set) Find(d digest.Digest) (Entry, bool) {
	for _, f := range *s.list.Load() {
		if e, ok := f.find(d); ok {
			return e, true
		}
	}
	return Entry{}, false
}

// FindAll returns all entries of d, newest first, one for each source.
func (s *Set) FindAll(d digest.Digest) []Entry {
	var all []Entry
	for _, f := range *s.list.Load() {
		for _, e := range f.findAll(d) {
			if !slices.ContainsFunc(all, func(o Entry) bool { return o.Source == e.Source }) {
				all = append(all, e)
			}
		}
	}
	return all
}

// Has says whether some table covers source.
func (s *Set) Has(source digest.Digest) bool {
	return slices.ContainsFunc(*s.list.Load(), func(f *file) bool { return f.has(source) })
}

// Sources are all that some table covers, ascending, each once.
func (s *Set) Sources() []digest.Digest {
	var all []digest.Digest
	for _, f := range *s.list.Load() {
		all = append(all, f.sourceList()...)
	}
	slices.SortFunc(all, digest.Digest.Compare)
	return slices.Compact(all)
}

// Entries yields the entries of all tables, ascending by digest, then newest first, one for each source and digest. A table that can't be
// read to its end is an error, with which the sequence ends.
func (s *Set) Entries(yield func(Entry, error) bool) {
	files := *s.list.Load()
	m := newMerge(files, nil)
	err := m.run(func(d []byte, source uint32, payload []byte) bool {
		return yield(Entry{digest.Digest(d), m.sources[source], Payload(payload)}, nil)
	})
	if err != nil {
		yield(Entry{}, err)
	}
}

// Len is the number of entries of all tables, those that stand in several counted several times.
func (s *Set) Len() int {
	n := 0
	for _, f := range *s.list.Load() {
		n += f.n
	}
	return n
}

// Refresh makes visible what other processes added or merged. It costs one stat if nothing changed.
func (s *Set) Refresh() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if info, err := os.Stat(s.dir); err == nil && !s.seen.IsZero() && info.ModTime().Equal(s.seen) {
		return nil
	}
	return s.reload()
}

// reload lists the directory until it did not change meanwhile: a merge that runs could hide both its inputs and its result.
func (s *Set) reload() error {
	const tries = 20
	for i := 0; ; i++ {
		before := s.mtime()
		files, broken, gone, err := s.load()
		if err != nil {
			return err
		}
		if i < tries && (gone || !s.mtime().Equal(before)) {
			continue
		}
		s.seen = time.Time{}
		if time.Since(before) > clockGrain {
			s.seen = before
		}
		s.broken = broken
		files = append(slices.Clone(s.memory), files...)
		s.list.Store(&files)
		return nil
	}
}

func (s *Set) mtime() time.Time {
	info, err := os.Stat(s.dir)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// load opens the tables of the directory, those that are open already excepted. gone: one vanished before it could be opened.
func (s *Set) load() (files []*file, broken []string, gone bool, err error) {
	names, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, false, fmt.Errorf("list tables: %w", err)
	}
	open := map[string]*file{}
	for _, f := range *s.list.Load() {
		open[f.name] = f
	}
	for _, e := range names {
		if !isTable(e.Name()) {
			continue
		}
		f := open[e.Name()]
		if f == nil || f.bad.Load() {
			f, err = openFile(filepath.Join(s.dir, e.Name()))
			if errors.Is(err, fs.ErrNotExist) {
				gone = true
				continue
			}
		}
		if err != nil {
			broken = append(broken, filepath.Join(s.dir, e.Name()))
			err = nil
			continue
		}
		files = append(files, f)
	}
	slices.SortFunc(files, newer)
	return files, broken, gone, nil
}

func newer(a, b *file) int {
	return cmp.Or(cmp.Compare(b.seq, a.seq), strings.Compare(b.name, a.name))
}

func isTable(name string) bool {
	random, ok := strings.CutSuffix(name, suffix)
	return ok && len(random) == 32 && strings.Trim(random, "0123456789abcdef") == ""
}

func newName() string {
	var r [16]byte
	rand.Read(r[:])
	return hex.EncodeToString(r[:]) + suffix
}

// Add writes one new table, durable when it returns, that covers sources. Each entry's source must be among them; of entries with the
// same source and digest the last one counts. If there are too many tables afterwards, some are merged, unless another process is at it.
func (s *Set) Add(sources []digest.Digest, entries []Entry) error {
	if len(sources) == 0 && len(entries) == 0 {
		return nil
	}
	t, err := newTable(sources, entries)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.disk.MkdirAll(s.dir, 0o777); err != nil {
		return fmt.Errorf("add table: %w", err)
	}
	if err := s.reload(); err != nil {
		return err
	}
	if err := s.write(s.nextSeq(), t.sources, t.each); err != nil {
		return err
	}
	if err := s.reload(); err != nil {
		return err
	}
	return s.mergeIfMany()
}

// AddMemory is Add for this Set alone: nothing is written. It is for directories that can only be read.
func (s *Set) AddMemory(sources []digest.Digest, entries []Entry) error {
	t, err := newTable(sources, entries)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var b bytes.Buffer
	if err := encode(&b, s.nextSeq(), t.sources, t.each); err != nil {
		return err
	}
	f, err := parse(b.Bytes())
	if err != nil {
		return err
	}
	files := append([]*file{f}, *s.list.Load()...)
	s.memory = append([]*file{f}, s.memory...)
	s.list.Store(&files)
	return nil
}

// nextSeq is more than that of every table that we know.
func (s *Set) nextSeq() uint64 {
	seq := uint64(0)
	for _, f := range *s.list.Load() {
		seq = max(seq, f.seq)
	}
	return seq + 1
}

// Remove forgets sources and their entries. It waits for a merge of another process.
func (s *Set) Remove(sources []digest.Digest) error {
	drop := map[digest.Digest]bool{}
	for _, d := range sources {
		drop[d] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := os.Stat(s.dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lock, err := s.disk.Lock(context.Background(), filepath.Join(s.dir, lockName), false)
	if err != nil {
		return fmt.Errorf("remove from tables: %w", err)
	}
	defer lock.Unlock()
	s.shareLock()
	if err := s.reload(); err != nil {
		return err
	}
	for _, f := range s.onDisk() {
		if slices.ContainsFunc(sources, f.has) {
			if err := s.replace([]*file{f}, drop); err != nil {
				return err
			}
		}
	}
	return s.reload()
}

// onDisk are the tables that are files, newest first.
func (s *Set) onDisk() []*file {
	return slices.DeleteFunc(slices.Clone(*s.list.Load()), func(f *file) bool { return f.name == "" })
}
