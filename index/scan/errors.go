package scan

import "errors"

// The errors that callers tell apart; what this package returns wraps them.
var (
	ErrSymlink      = errors.New("is a symbolic link")                    // where a dataset's root must be a directory or a file
	ErrKind         = errors.New("is neither a file nor a directory")     // a dataset's root
	ErrChanged      = errors.New("changed while it was read")             // became another kind of thing between listing and stat
	ErrPathTooLong  = errors.New("path is longer than a manifest allows") // 4,096 bytes
	ErrCorruptIndex = errors.New("workspace index is corrupt")            // treat the index as absent
	ErrIgnoreFile   = errors.New("ignore file can't be used")             // too large
)
