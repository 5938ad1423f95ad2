package durable

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Root is a directory that no name escapes: names are relative, with '/' between elements, and no element is followed if it is a
// symlink. A name of one element costs one system call or two; for many files of one directory, use Sub. Safe for concurrent use.
type Root struct {
	disk *Disk
	name string // absolute
	root *os.Root
	made bool // by SubNew
	once sync.Once
	dir  *os.File // the directory itself, opened when first needed; nil where the system has no use for it
	err  error
}

// WorkMode is the mode of a file in the workspace: 0666, or 0777 if executable, less the umask, as Git has it.
func WorkMode(exec bool) fs.FileMode {
	if exec {
		return 0o777 &^ umask
	}
	return 0o666 &^ umask
}

// OpenRoot opens dir, which must exist, as a Root. dir itself may be a symlink.
func (d *Disk) OpenRoot(dir string) (*Root, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Root{disk: d, name: abs(dir), root: root}, nil
}

// Name is the absolute path of the directory.
func (r *Root) Name() string { return r.name }

// Close releases the directory; files that are open stay so.
func (r *Root) Close() error {
	r.once.Do(func() { r.err = fs.ErrClosed })
	if r.dir != nil {
		r.dir.Close()
	}
	return r.root.Close()
}

// Sub opens the directory name as a Root of its own. A symlink is no directory, also if it leads to one.
func (r *Root) Sub(name string) (*Root, error) {
	at := r
	for _, elem := range strings.Split(name, "/") {
		sub, err := at.sub(elem)
		if at != r {
			at.Close()
		}
		if err != nil {
			return nil, err
		}
		at = sub
	}
	return at, nil
}

// SubNew makes the directory name and opens it. Files of CreateFor have their names at once in there.
func (r *Root) SubNew(name string, perm fs.FileMode) (*Root, error) {
	if err := r.Mkdir(name, perm); err != nil {
		return nil, err
	}
	sub, err := r.Sub(name)
	if err == nil {
		sub.made = true
	}
	return sub, err
}

func (r *Root) sub(base string) (*Root, error) {
	if base == "" || base == ".." {
		return nil, &fs.PathError{Op: "open", Path: base, Err: fs.ErrInvalid}
	}
	// os.Root would follow a symlink that stays inside; what races with this check can do no more than that.
	info, err := r.root.Lstat(base)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: r.path(base), Err: errNotDir}
	}
	root, err := r.root.OpenRoot(base)
	if err != nil {
		return nil, err
	}
	return &Root{disk: r.disk, name: r.path(base), root: root}, nil
}

func (r *Root) path(base string) string {
	if base == "." {
		return r.name
	}
	return r.name + string(filepath.Separator) + base
}

// in runs do in the directory of name, with name's last element.
func (r *Root) in(name string, do func(r *Root, base string) error) error {
	dir, base := split(name)
	if base == "" || base == ".." {
		return &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if dir == "" {
		return do(r, base)
	}
	sub, err := r.Sub(dir[:len(dir)-1])
	if err != nil {
		return err
	}
	defer sub.Close()
	return do(sub, base)
}

// split cuts before the last element. The path is not cleaned: "a/../b" is not "b" where a is a symlink.
func split(name string) (dir, base string) {
	i := strings.LastIndexByte(name, '/')
	return name[:i+1], name[i+1:]
}

// Open opens a file or directory for reading. It never follows a symlink (syscall.ELOOP on Unix, ErrNotRegular elsewhere) and never
// blocks on a FIFO; the caller looks at what it got.
func (r *Root) Open(name string) (f *os.File, err error) {
	err = r.in(name, func(r *Root, base string) error {
		f, err = r.openFile(base, os.O_RDONLY|openNonblock, 0)
		return err
	})
	return f, err
}

// Lstat describes name itself.
func (r *Root) Lstat(name string) (info fs.FileInfo, err error) {
	err = r.in(name, func(r *Root, base string) error {
		info, err = r.root.Lstat(base)
		return err
	})
	return info, err
}

// Readlink is the target of a symlink, as it is stored.
func (r *Root) Readlink(name string) (target string, err error) {
	err = r.in(name, func(r *Root, base string) error {
		target, err = r.root.Readlink(base)
		return err
	})
	return target, err
}

// ReadDir lists a directory ("." is the Root), sorted by name, each entry with its Info as of now.
func (r *Root) ReadDir(name string) ([]fs.DirEntry, error) {
	sub := r
	if name != "." {
		var err error
		if sub, err = r.Sub(name); err != nil {
			return nil, err
		}
		defer sub.Close()
	}
	f, err := sub.root.OpenFile(".", os.O_RDONLY|openNonblock, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, err
}

// Mkdir makes one directory; perm is subject to the umask.
func (r *Root) Mkdir(name string, perm fs.FileMode) error {
	return r.change(OpMkdir, name, func(r *Root, base string) error { return r.root.Mkdir(base, perm) })
}

// Remove deletes a file, a symlink or an empty directory.
func (r *Root) Remove(name string) error {
	return r.change(OpRemove, name, func(r *Root, base string) error { return r.root.Remove(base) })
}

// Chmod sets the mode exactly; a symlink is an error. See WorkMode.
func (r *Root) Chmod(name string, perm fs.FileMode) error {
	return r.change(OpChmod, name, func(r *Root, base string) error { return r.chmod(base, perm) })
}

func (r *Root) chmod(base string, perm fs.FileMode) error {
	info, err := r.root.Lstat(base)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return &fs.PathError{Op: "chmod", Path: r.path(base), Err: ErrNotRegular}
	}
	return r.root.Chmod(base, perm)
}

func (r *Root) change(kind OpKind, name string, do func(r *Root, base string) error) error {
	return r.in(name, func(r *Root, base string) error {
		if r.disk.real() {
			return do(r, base)
		}
		return r.disk.do(Op{Kind: kind, Path: r.path(base)}, func() error { return do(r, base) })
	})
}

// Rename moves old over new.
func (r *Root) Rename(old, new string) error {
	return r.in(old, func(from *Root, oldBase string) error {
		if !strings.Contains(old, "/") && !strings.Contains(new, "/") {
			return from.renameBase(oldBase, new)
		}
		return r.in(new, func(to *Root, newBase string) error {
			op := Op{Kind: OpRename, Path: from.path(oldBase), To: to.path(newBase)}
			return r.disk.do(op, func() error { return r.root.Rename(old, new) })
		})
	})
}

// renameBase moves within this one directory.
func (r *Root) renameBase(old, new string) error {
	if new == "" || new == "." || new == ".." {
		return &fs.PathError{Op: "rename", Path: new, Err: fs.ErrInvalid}
	}
	if r.disk.real() {
		return r.renameAt(old, new)
	}
	return r.disk.do(Op{Kind: OpRename, Path: r.path(old), To: r.path(new)}, func() error { return r.renameAt(old, new) })
}

// Symlink makes name a symlink to target, replacing what is there but a directory, in one step. The target is stored as it is.
func (r *Root) Symlink(target, name string) error {
	return r.replace(name, func(r *Root, tmp string) error {
		op := Op{Kind: OpSymlink, Path: target, To: r.path(tmp)}
		return r.disk.do(op, func() error { return r.root.Symlink(target, tmp) })
	})
}

// LinkFrom makes name a hard link to the regular file at the path old, which may lie outside, replacing what is there but a
// directory, in one step.
func (r *Root) LinkFrom(old, name string) error {
	return r.replace(name, func(r *Root, tmp string) error {
		op := Op{Kind: OpLink, Path: abs(old), To: r.path(tmp)}
		return r.disk.do(op, func() error { return r.linkAt(old, tmp) })
	})
}

func (r *Root) replace(name string, make func(r *Root, tmp string) error) error {
	return r.in(name, func(r *Root, base string) error {
		tmp := tempName(rootTempPrefix)
		if err := make(r, tmp); err != nil {
			return err
		}
		err := r.renameBase(tmp, base)
		// A rename between two links to one file does nothing at all, and leaves both.
		if _, there := r.root.Lstat(tmp); there == nil {
			err = errors.Join(err, r.Remove(tmp))
		}
		return err
	})
}

// SyncFS is Disk.SyncFS for the file system of this directory.
func (r *Root) SyncFS() error { return r.disk.SyncFS(r.name) }

// RootFile is a new file in a Root that has a temporary name until Commit, but see CreateFor. Not for concurrent use, except WriteAt.
type RootFile struct {
	temp
	name  string
	owner *Root // what names are relative to
}

// CreateTemp makes a new file ".tarn-tmp-<16 hex>" in the directory dir ("." is the Root), with WorkMode(false).
func (r *Root) CreateTemp(dir string) (*RootFile, error) { return r.CreateTempMode(dir, 0o666) }

// CreateTempMode is CreateTemp with WorkMode of perm: executable or not, the rest of perm does not count. A Commit with the same
// perm then has nothing to change.
func (r *Root) CreateTempMode(dir string, perm fs.FileMode) (*RootFile, error) {
	if dir == "." || dir == "" {
		return r.createTemp(workPerm(perm))
	}
	sub, err := r.Sub(dir)
	if err != nil {
		return nil, err
	}
	f, err := sub.createTemp(workPerm(perm))
	if err != nil {
		sub.Close()
		return nil, err
	}
	f.owner, f.name = r, dir+"/"+f.name
	return f, nil
}

// CreateFor makes the file that is to get name by Commit, with the same perm. In a Root of SubNew it has this name at once, if nothing there has it: a temporary
// one and the rename cost more than the rest of a small file does. So the caller has to know, after a crash, that a file may have been cut short.
func (r *Root) CreateFor(name string, perm fs.FileMode) (*RootFile, error) {
	if dir, _ := split(name); r.made && dir == "" {
		f, err := r.create(name, workPerm(perm))
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
	return r.CreateTempMode(path.Dir(name), perm)
}

// workPerm is WorkMode before the umask.
func workPerm(perm fs.FileMode) fs.FileMode {
	if perm&0o111 != 0 {
		return 0o777
	}
	return 0o666
}

func (r *Root) createTemp(perm fs.FileMode) (*RootFile, error) {
	for try := 1; ; try++ {
		f, err := r.create(tempName(rootTempPrefix), perm)
		if err == nil || !errors.Is(err, fs.ErrExist) || try == tempTries {
			return f, err
		}
	}
}

// create makes a file of this one directory.
func (r *Root) create(name string, perm fs.FileMode) (*RootFile, error) {
	var f *os.File
	err := r.disk.do(Op{Kind: OpCreate, Path: r.path(name)}, func() (err error) {
		f, err = r.openFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
		return err
	})
	if err != nil {
		if f != nil {
			f.Close()
		}
		return nil, err
	}
	return &RootFile{temp: temp{disk: r.disk, root: r, f: f, path: r.path(name), mode: perm}, name: name, owner: r}, nil
}

// Name is the name before Commit, relative to the Root.
func (f *RootFile) Name() string { return f.name }

// Stamp sets a modification time of now, in ns since the epoch, that no write from now on can leave: the clocks by which file systems stamp writes go in
// ticks, and it lies between two. The caller looks whether the file system kept it, once the file has its name. 0 where it can't be set.
func (f *RootFile) Stamp() int64 {
	ns := time.Now().UnixNano() / 100 * 100 // NTFS counts so
	if ns%1000 == 0 {
		ns += 100 // a file system that counts in µs is told from one that keeps more
	}
	_, base := split(f.name)
	if f.root.setTime(base, ns) != nil {
		return 0
	}
	return ns
}

// Commit gives the file its mode (WorkMode of perm), closes it and renames it over name, which is relative to the Root that made it;
// fastest in the directory that CreateTemp was given. On Linux it does not sync the file: the caller calls SyncFS once for many
// files, before anything says that they are there. Elsewhere it does. Whatever it returns, the file is done with.
func (f *RootFile) Commit(name string, perm fs.FileMode) error {
	defer f.Abort()
	if err := f.finish(workPerm(perm), !syncsFS); err != nil {
		return err
	}
	err := f.rename(name)
	f.done = err == nil
	return err
}

func (f *RootFile) rename(name string) error {
	if name == f.name {
		return nil
	}
	dir, base := split(name)
	if at, old := split(f.name); at == dir {
		return f.root.renameBase(old, base)
	}
	return f.owner.Rename(f.name, name)
}

// Abort closes and removes the file; after Commit it removes nothing, so that it can be deferred.
func (f *RootFile) Abort() {
	if !f.done {
		f.done = true
		f.f.Close()
		_, base := split(f.name)
		_ = f.root.Remove(base) // it is recognised as garbage later
	}
	if f.root != f.owner {
		f.root.Close()
		f.root = f.owner
	}
}
