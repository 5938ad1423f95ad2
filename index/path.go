package index

import (
	"errors"
	"fmt"
	"strings"
)

// MaxPath is the longest path, and the longest target of a symlink, in bytes.
const MaxPath = 4096

// ErrOutside says that a symlink's target is absolute, leaves the dataset, or leads into a directory of Git or tarn.
var ErrOutside = errors.New("symlink leads outside of the dataset")

// simple tells the bytes that say nothing about a path: printable ASCII without those that have a meaning somewhere (but for "." and space).
var simple = func() (t [256]bool) {
	for c := ' '; c <= '~'; c++ {
		t[c] = c != '"' && c != '\\' && c != '~' && c != '/'
	}
	return t
}()

// isSimple is a quick test that nearly all paths pass: CheckPath accepts what it lets through, and Quote leaves it as it is.
func isSimple(path string) bool {
	if path == "" || len(path) > MaxPath || path[0] == ' ' || path[len(path)-1] == ' ' || path[0] == '/' || path[0] == '.' {
		return false
	}
	for i := range len(path) {
		if simple[path[i]] {
			continue
		}
		if path[i] != '/' || i+1 < len(path) && (path[i+1] == '/' || path[i+1] == '.') {
			return false
		}
	}
	return true
}

// CheckPath says why an entry can't have that path. A path may end in one "/", as that of an empty directory does. Bytes that
// are not UTF-8 are allowed, a NUL is not.
func CheckPath(path string) error {
	if isSimple(path) {
		return nil
	}
	if len(path) > MaxPath {
		return fmt.Errorf("path has %d bytes, more than %d", len(path), MaxPath)
	}
	if strings.IndexByte(path, 0) >= 0 {
		return errors.New("path has a NUL byte")
	}
	rest := strings.TrimSuffix(path, "/")
	for more := true; more; {
		var name string
		name, rest, more = strings.Cut(rest, "/")
		if err := checkName(name); err != nil {
			return fmt.Errorf("path %s: %w", Quote(path), err)
		}
	}
	return nil
}

func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("a name is empty")
	case name == "." || name == "..":
		return errors.New(`a name is "." or ".."`)
	case ForbiddenName(name):
		return fmt.Errorf("the name %s may be taken for a directory of git or tarn", Quote(name))
	}
	return nil
}

// ForbiddenName says that some file system could take name, one element of a path, for Git's or tarn's own directory: .git and
// .tarn in any case, with dots or spaces or an NTFS stream behind, as NTFS short names, with code points that HFS+ ignores, and all
// that behind a backslash, which separates names on Windows. The cases are those of git's verify_path (CVE-2014-9390, CVE-2019-1353).
func ForbiddenName(name string) bool {
	name = dropIgnored(name)
	for more := true; more; {
		var part string
		part, name, more = strings.Cut(name, `\`)
		if ownDirectory(part) {
			return true
		}
	}
	return false
}

func ownDirectory(name string) bool {
	name, _, _ = strings.Cut(name, ":")
	name = strings.TrimRight(name, ". ")
	switch len(name) {
	case 4:
		return strings.EqualFold(name, ".git")
	case 5:
		return strings.EqualFold(name, ".tarn") || strings.EqualFold(name, "git~1")
	case 6:
		return strings.EqualFold(name, "tarn~1")
	}
	return false
}

// dropIgnored removes the code points that HFS+ leaves out of comparisons (git's next_hfs_char).
func dropIgnored(name string) string {
	if strings.IndexByte(name, 0xe2) < 0 && strings.IndexByte(name, 0xef) < 0 {
		return name
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 0x200c && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x206a && r <= 0x206f, r == 0xfeff:
			return -1
		}
		return r
	}, name)
}

// CheckTarget says why the symlink at path, relative to the dataset, can't have that target: it must be relative and, taken word
// by word, stay inside the dataset and off the directories of Git and tarn (else the error wraps ErrOutside). A backslash counts
// as an ordinary character and as a separator, so that the answer is the same everywhere.
func CheckTarget(path, target string) error {
	switch {
	case target == "":
		return errors.New("symlink has no target")
	case len(target) > MaxPath:
		return fmt.Errorf("symlink's target has %d bytes, more than %d", len(target), MaxPath)
	case strings.IndexByte(target, 0) >= 0:
		return errors.New("symlink's target has a NUL byte")
	}
	if leaves(path, target) || strings.IndexByte(target, '\\') >= 0 && leaves(path, strings.ReplaceAll(target, `\`, "/")) {
		return fmt.Errorf("%w: %s -> %s", ErrOutside, Quote(path), Quote(target))
	}
	return nil
}

// leaves follows target from the directory of path, counting how deep below the dataset it is.
func leaves(path, target string) bool {
	if target[0] == '/' || hasDrive(target) {
		return true
	}
	depth := strings.Count(path, "/")
	for name := range strings.SplitSeq(target, "/") {
		switch {
		case name == "" || name == ".":
		case name == "..":
			depth--
		case ForbiddenName(name):
			return true
		default:
			depth++
		}
		if depth < 0 {
			return true
		}
	}
	return false
}

// hasDrive says that Windows would find a drive letter in target.
func hasDrive(target string) bool {
	return len(target) >= 2 && target[1] == ':' && (target[0]|0x20 >= 'a' && target[0]|0x20 <= 'z')
}
