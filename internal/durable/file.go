package durable

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
)

// temp is what File and RootFile share: a new file under a temporary name. Not for concurrent use.
type temp struct {
	disk *Disk
	root *Root // the directory it is in; nil: path says it
	f    *os.File
	path string      // absolute, for messages and the hook
	mode fs.FileMode // what was asked for last; less the umask, unless Chmod set it
	done bool        // committed or aborted
	safe atomic.Bool // synced, and nothing changed since
}

// Write appends b.
func (t *temp) Write(b []byte) (int, error) {
	t.safe.Store(false)
	if t.disk.real() {
		return t.f.Write(b)
	}
	return t.hooked(b, t.f.Write)
}

// WriteAt writes b at off, in bytes; many may run at once, but none beside another method.
func (t *temp) WriteAt(b []byte, off int64) (int, error) {
	t.safe.Store(false)
	write := func(b []byte) (int, error) { return t.f.WriteAt(b, off) }
	if t.disk.real() {
		return write(b)
	}
	return t.hooked(b, write)
}

// CopyFrom appends up to n bytes of src, from where it stands, within the kernel; 0 at its end. ErrNoCopy where that can't be: nothing was written.
func (t *temp) CopyFrom(src *os.File, n int) (copied int, err error) {
	t.safe.Store(false)
	err = t.disk.do(Op{Kind: OpWrite, Path: t.path}, func() error {
		copied, err = copyRange(t, src, n)
		return err
	})
	return copied, err
}

// StartSync lets the disk begin with n bytes at off, so that Sync has less to wait for. It promises nothing, and may run beside writes.
func (t *temp) StartSync(off, n int64) {
	if t.disk.real() {
		startSync(t.f, off, n)
	}
}

// ReadFrom appends all of r; from another file the kernel copies, or shares blocks, where it can.
func (t *temp) ReadFrom(r io.Reader) (int64, error) {
	t.safe.Store(false)
	if t.disk.real() {
		return t.f.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{t}, r)
}

func (t *temp) hooked(b []byte, write func([]byte) (int, error)) (n int, err error) {
	err = t.disk.do(Op{Kind: OpWrite, Path: t.path}, func() error {
		n, err = write(b)
		return err
	})
	if fault, ok := errors.AsType[*Fault](err); ok && !fault.Applied && fault.Short > 0 {
		n, _ = write(b[:min(fault.Short, len(b))])
	}
	return n, err
}

// CloneFrom makes the content that of src, sharing its blocks (a reflink): no byte is copied, and later changes of either are not
// seen in the other. ErrNoReflink where that can't be; the file is then empty still. Nothing may have been written before; OS returns
// another file afterwards on some systems.
func (t *temp) CloneFrom(src *os.File) error {
	return t.disk.do(Op{Kind: OpClone, Path: t.path}, func() error { return clone(t, src) })
}

// OS is the open file, for reading.
func (t *temp) OS() *os.File { return t.f }

// Sync makes the content durable. A commit right after it does not sync again.
func (t *temp) Sync() error {
	err := t.disk.do(Op{Kind: OpSync, Path: t.path}, t.f.Sync)
	t.safe.Store(err == nil)
	return err
}

// Chmod sets the mode exactly, whatever the umask (for group-shared files); a Commit with the same perm then leaves it.
func (t *temp) Chmod(perm fs.FileMode) error {
	t.safe.Store(false)
	err := t.disk.do(Op{Kind: OpChmod, Path: t.path}, func() error { return t.f.Chmod(perm) })
	if err == nil {
		t.mode = perm
	}
	return err
}

// finish brings the file into the state in which it gets its name: mode, then content, so that fsync covers both; closed.
func (t *temp) finish(perm fs.FileMode, sync bool) error {
	if t.done {
		return &fs.PathError{Op: "commit", Path: t.path, Err: fs.ErrClosed}
	}
	if perm != t.mode {
		if err := t.Chmod(perm &^ umask); err != nil {
			return err
		}
	}
	if sync && !t.safe.Load() {
		if err := t.Sync(); err != nil {
			return err
		}
	}
	return t.f.Close()
}

// File is a new file that has a temporary name until Commit or CommitNew. Not for concurrent use, except WriteAt.
type File struct{ temp }

// CreateTemp makes a new file "tmp-<16 hex>" in dir, open for reading and writing, with mode 0600.
func (d *Disk) CreateTemp(dir string) (*File, error) { return d.CreateTempMode(dir, 0o600) }

// CreateTempMode is CreateTemp with the mode perm, less the umask; a Commit with the same perm then has nothing to change.
func (d *Disk) CreateTempMode(dir string, perm fs.FileMode) (*File, error) {
	for try := 1; ; try++ {
		path := abs(filepath.Join(dir, tempName(tempPrefix)))
		var f *os.File
		err := d.do(Op{Kind: OpCreate, Path: path}, func() (err error) {
			f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|openNonblock, perm)
			return err
		})
		if err == nil {
			return &File{temp: temp{disk: d, f: f, path: path, mode: perm}}, nil
		}
		if f != nil {
			f.Close()
		}
		if !errors.Is(err, fs.ErrExist) || try == tempTries {
			return nil, err
		}
	}
}

// Name is the temporary name, an absolute path.
func (f *File) Name() string { return f.path }

// Commit sets the mode to perm less the umask, syncs the file if asked, closes it and renames it over path; the caller syncs the
// directory. Whatever it returns, the File is done with: after an error the temp file is removed.
func (f *File) Commit(path string, perm fs.FileMode, sync bool) error {
	defer f.Abort()
	if err := f.finish(perm, sync); err != nil {
		return err
	}
	err := f.disk.Rename(f.path, path)
	f.done = err == nil
	return err
}

// CommitNew is Commit with sync for a path that must be new: of all who race for it exactly one wins, the others get fs.ErrExist.
// It is a hard link, then an unlink of the temporary name; where there are no hard links an exclusive rename, where there is none
// errors.ErrUnsupported.
func (f *File) CommitNew(path string, perm fs.FileMode) error {
	defer f.Abort()
	info, err := f.f.Stat()
	if err != nil {
		return err
	}
	if err := f.finish(perm, true); err != nil {
		return err
	}
	err = f.disk.Link(f.path, path)
	switch {
	case errors.Is(err, fs.ErrExist) && sameFile(info, path):
		return nil // NFS: the reply was lost and the link made again; it is ours
	case err != nil && isNoLink(err):
		err = f.disk.do(f.disk.op(OpRename, f.path, path), func() error { return renameNew(f.path, path) })
		f.done = err == nil
	}
	return err
}

func sameFile(info fs.FileInfo, path string) bool {
	other, err := os.Lstat(path)
	return err == nil && os.SameFile(info, other)
}

// Abort closes and removes the file; after Commit or CommitNew it does nothing, so that it can be deferred.
func (f *File) Abort() {
	if f.done {
		return
	}
	f.done = true
	f.f.Close()
	_ = f.disk.Remove(f.path) // it is recognised as garbage later
}

// Leave closes the file and lets it stand under its temporary name, for Adopt of a later run.
func (f *File) Leave() error {
	if f.done {
		return nil
	}
	f.done = true
	return f.f.Close()
}

// Adopt opens a temp file that an earlier run left, as if this one had made it; writing goes on at its start. The caller sees to it that nobody else has it.
func (d *Disk) Adopt(path string) (*File, error) {
	path = abs(path)
	if info, err := os.Lstat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() || !IsTemp(filepath.Base(path)) {
		return nil, &fs.PathError{Op: "adopt", Path: path, Err: ErrNotRegular}
	}
	f, err := os.OpenFile(path, os.O_RDWR|openNonblock, 0)
	if err != nil {
		return nil, err
	}
	return &File{temp: temp{disk: d, f: f, path: path, mode: noMode}}, nil
}

// noMode is one that a file can't have, so that a commit sets the one that it wants.
const noMode = fs.FileMode(fs.ModeIrregular)
