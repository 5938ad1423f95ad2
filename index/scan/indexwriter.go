package scan

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"

	"tarn/index"
	"tarn/internal/durable"
	"tarn/store/digest"
)

// writeBuffer is how many bytes an IndexWriter gathers, about.
const writeBuffer = 256 << 10

// IndexWriter writes a new index front to back, in bounded memory but for 8 bytes for each 32 records. Not for concurrent use.
type IndexWriter struct {
	disk   *durable.Disk
	path   string
	file   *durable.File
	hash   *digest.Hasher
	buf    []byte
	size   uint64 // bytes, those in buf included
	table  []byte
	last   string
	count  uint64
	err    error // the first; all later calls return it
	closed bool
}

// NewWriter begins an index for the dataset (its path relative to the repository root) that will replace the one at path. The
// directory is made if it isn't there. Commit or Abort must follow.
func NewWriter(disk *durable.Disk, path, dataset string) (*IndexWriter, error) {
	if len(dataset) > index.MaxPath {
		return nil, fmt.Errorf("write workspace index: %w", ErrPathTooLong)
	}
	dir := filepath.Dir(path)
	if err := disk.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("write workspace index: %w", err)
	}
	f, err := disk.CreateTemp(dir)
	if err != nil {
		return nil, fmt.Errorf("write workspace index: %w", err)
	}
	w := &IndexWriter{disk: disk, path: path, file: f, hash: digest.New()}
	head := append(make([]byte, 0, writeBuffer+2*index.MaxPath+4096), indexMagic...)
	head = binary.AppendUvarint(head, uint64(len(dataset)))
	w.grow(append(head, dataset...), 0)
	return w, nil
}

// Add writes the next record; paths ascend. Stat.Dev is dropped.
func (w *IndexWriter) Add(r Record) error {
	if w.err != nil {
		return w.err
	}
	r.Stat.Dev = 0
	flags, err := r.flags()
	switch {
	case err != nil:
	case r.Path == "" || len(r.Path) > index.MaxPath:
		err = errRecord
	case r.Path <= w.last:
		err = errOrder
	}
	if err != nil {
		return w.fail(fmt.Errorf("record of %s: %w", r.Path, err))
	}
	shared := 0
	if w.count%recordsABlock == 0 {
		w.table = binary.LittleEndian.AppendUint64(w.table, w.size)
	} else {
		shared = commonPrefix(w.last, r.Path)
	}
	w.last = r.Path
	w.count++
	w.grow(appendRecord(w.buf, &r, flags, shared), writeBuffer)
	return w.err
}

// Commit makes what was added the index, whole and durable, or leaves the old one: base is the version that was checked out or
// added, complete says that every entry of it was brought into the workspace. After it w is done with.
func (w *IndexWriter) Commit(base digest.Digest, complete bool) error {
	defer w.Abort()
	le := binary.LittleEndian
	tableAt := w.size
	w.grow(append(w.buf, w.table...), 0)
	foot := le.AppendUint64(w.buf, w.count)
	foot = le.AppendUint64(foot, tableAt)
	foot = append(foot, base[:]...)
	flags := uint64(0)
	if complete {
		flags = 1
	}
	w.grow(le.AppendUint64(foot, flags), 0)
	sum := w.hash.Sum()
	w.grow(append(append(w.buf, sum[:]...), indexEnd...), 0)
	if w.err != nil {
		return w.err
	}
	err := w.file.Commit(w.path, 0o666, true)
	if err == nil {
		err = w.disk.SyncDir(filepath.Dir(w.path))
	}
	if err != nil {
		return w.fail(err)
	}
	return nil
}

// Abort leaves the old index; after Commit it does nothing.
func (w *IndexWriter) Abort() {
	if w.closed {
		return
	}
	w.closed = true
	w.file.Abort()
	w.hash.Release()
	if w.err == nil {
		w.err = errors.New("write workspace index: it was committed or aborted")
	}
}

// grow takes the longer buffer b, and writes it out if it has more than limit bytes.
func (w *IndexWriter) grow(b []byte, limit int) {
	w.size += uint64(len(b) - len(w.buf))
	w.buf = b
	if w.err != nil || len(b) <= limit {
		return
	}
	_, _ = w.hash.Write(b)
	w.buf = b[:0]
	if _, err := w.file.Write(b); err != nil {
		_ = w.fail(err)
	}
}

func (w *IndexWriter) fail(err error) error {
	w.err = fmt.Errorf("write workspace index %s: %w", w.path, err)
	return w.err
}
