package durable

import (
	"errors"
	"io/fs"
	"os"
)

var (
	// ErrNoReflink says that the file system can't share blocks between these two files; copy instead.
	ErrNoReflink = errors.New("no reflink between these files")
	// ErrNoCopy says that the kernel can't copy between these two files; read and write instead.
	ErrNoCopy = errors.New("no copy between these files within the kernel")
	// ErrNotRegular says that a path is a directory, a symlink, a FIFO or a device where a regular file is needed.
	ErrNotRegular = errors.New("not a regular file")
)

// OpKind is what an operation does.
type OpKind uint8

// The operations that a Hook sees. Op.To is set for the last three kinds only.
const (
	OpCreate  OpKind = iota + 1 // Path: a new empty file
	OpWrite                     // Path: one write to the file
	OpClone                     // Path: the file's content becomes that of another one
	OpChmod                     // Path: the mode changes
	OpSync                      // Path: fsync of a file
	OpSyncDir                   // Path: fsync of a directory
	OpSyncFS                    // Path: sync of the file system that holds it
	OpMkdir                     // Path: a new directory
	OpRemove                    // Path: a file or an empty directory goes
	OpRename                    // Path → To, replacing To
	OpLink                      // To becomes a hard link to Path
	OpSymlink                   // To is the path of a new symlink whose target is Path, as given
)

var opNames = [...]string{"", "create", "write", "clone", "chmod", "sync", "sync directory", "sync file system", "mkdir", "remove", "rename", "link", "symlink"}

// String is a short name for messages.
func (k OpKind) String() string { return opNames[k] }

// Op is one operation. Paths are absolute, except the target of a symlink.
type Op struct {
	Kind     OpKind
	Path, To string
}

// String shows the operation in one line.
func (o Op) String() string {
	if o.To == "" {
		return o.Kind.String() + " " + o.Path
	}
	return o.Kind.String() + " " + o.Path + " " + o.To
}

func (o Op) fail(err error) error {
	if o.To != "" {
		return &os.LinkError{Op: o.Kind.String(), Old: o.Path, New: o.To, Err: err}
	}
	return &fs.PathError{Op: o.Kind.String(), Path: o.Path, Err: err}
}

// Hook watches a Disk. Its methods are called from many goroutines.
type Hook interface {
	// Before sees each operation first; where it returns an error the operation fails without being applied (but see Fault).
	Before(Op) error
	// After is called when the operation was applied.
	After(Op)
}

// Fault is an error of Before that fails an operation in another way than not applying it.
type Fault struct {
	Err     error
	Applied bool // the operation is applied, then fails
	Short   int  // a write that is not applied writes this many bytes all the same
}

func (f *Fault) Error() string { return f.Err.Error() }
func (f *Fault) Unwrap() error { return f.Err }
