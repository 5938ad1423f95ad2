package index

import (
	"errors"
	"fmt"
	"strings"

	"tarn/store/digest"
)

// Kind says what an entry is; its value is the letter of the entry's line.
type Kind byte

// The kinds of entries.
const (
	File Kind = 'f' // regular file
	Exec Kind = 'x' // executable file
	Link Kind = 'l' // symbolic link
	Dir  Kind = 'd' // directory without entries
)

// String is the word for k in messages.
func (k Kind) String() string {
	switch k {
	case File:
		return "file"
	case Exec:
		return "executable"
	case Link:
		return "symlink"
	case Dir:
		return "directory"
	}
	return fmt.Sprintf("kind %q", byte(k))
}

// Entry is one path of a dataset.
type Entry struct {
	Path   string        // relative to the dataset, at most MaxPath bytes; that of a Dir ends in "/"; "." in a manifest of FormFile
	Kind   Kind          // what stands there
	Digest digest.Digest // of a File's or Exec's bytes, else zero
	Size   int64         // bytes of a File or Exec, else 0
	Target string        // of a Link, as CheckTarget allows it, else empty
}

// Same says that e and o are of one kind and have the same content; their paths may differ.
func (e Entry) Same(o Entry) bool {
	return e.Kind == o.Kind && e.Digest == o.Digest && e.Size == o.Size && e.Target == o.Target
}

// hasBytes says that e has a digest and a size.
func (e *Entry) hasBytes() bool { return e.Kind == File || e.Kind == Exec }

// check refuses an entry that can't be written: each value that passes has one line, and each valid line gives such a value.
func (e *Entry) check(form Form) error {
	if form == FormFile {
		if e.Path != "." || !e.hasBytes() {
			return errors.New(`a manifest of one file holds a file with the path "."`)
		}
		return checkContent(e.Digest, e.Size, e.Target)
	}
	if err := CheckPath(e.Path); err != nil {
		return err
	}
	return e.checkFields()
}

// checkFields is check for an entry of a directory whose path is checked.
func (e *Entry) checkFields() error {
	if strings.HasSuffix(e.Path, "/") != (e.Kind == Dir) {
		return errors.New(`the path of an empty directory ends in "/", and no other`)
	}
	switch e.Kind {
	case File, Exec:
		return checkContent(e.Digest, e.Size, e.Target)
	case Link, Dir:
	default:
		return fmt.Errorf("unknown %s", e.Kind)
	}
	switch {
	case !e.Digest.IsZero() || e.Size != 0:
		return fmt.Errorf("%s has a digest or a size", e.Kind)
	case e.Kind == Link:
		return CheckTarget(e.Path, e.Target)
	case e.Target != "":
		return fmt.Errorf("%s has a target", e.Kind)
	}
	return nil
}

// checkContent checks what a File or Exec has.
func checkContent(d digest.Digest, size int64, target string) error {
	switch {
	case size < 0:
		return errors.New("negative size")
	case (size == 0) != (d == digest.Empty):
		return errors.New("size 0 goes with the digest of no bytes, and with no other")
	case target != "":
		return errors.New("file has a target")
	}
	return nil
}

// Ref is a line that stands for a page.
type Ref struct {
	Digest  digest.Digest // of the page's bytes
	Entries int64         // below it, at least 1
	Bytes   int64         // sum of the sizes of its entries
	First   string        // path of its first entry
}
