package scan

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// LoadIgnore reads the ignore files of the repository at root that count above the directory dir (relative to root, with '/'):
// that of root and of each directory between, without dir's own, which Walk reads itself. What is missing has no rules.
func LoadIgnore(root, dir string) (*Ignore, error) {
	var rules *Ignore
	err := ancestors(root, dir, func(r *os.Root, above string) (bool, error) {
		var err error
		rules, err = rules.load(r, above)
		return true, err
	})
	if err != nil {
		return nil, fmt.Errorf("load ignore rules above %s: %w", dir, err)
	}
	return rules, nil
}

// Explain reads the ignore files of the repository at root and returns the rule that decides about path (relative to root, with
// '/') in the dataset (likewise; "" is the whole repository): the one that excludes a directory between the two, else the last one
// that matches path. Rules are not asked about the dataset itself, nor about what it is in, as Walk does not. Without a rule the
// result is false; where there is one, path is ignored unless the rule is negated.
func Explain(root, dataset, path string, isDir bool) (Rule, bool, error) {
	var rules *Ignore
	var rule Rule
	var found bool
	err := ancestors(root, path, func(r *os.Root, above string) (bool, error) {
		if rule, found = rules.Decide(above, true); found && !rule.Negated && !strings.HasPrefix(dataset+"/", above+"/") {
			return false, nil
		}
		found = false
		var err error
		rules, err = rules.load(r, above)
		return true, err
	})
	if err != nil {
		return Rule{}, false, fmt.Errorf("explain ignore rules for %s: %w", path, err)
	}
	if found || strings.HasPrefix(dataset+"/", path+"/") {
		return rule, found, nil
	}
	rule, found = rules.Decide(path, isDir)
	return rule, found, nil
}

// ancestors calls visit for "" and each directory above path, from the top, until visit says false.
func ancestors(root, path string, visit func(r *os.Root, dir string) (bool, error)) error {
	if !isRelative(path) {
		return fmt.Errorf("path %q is not relative to the repository", path)
	}
	r, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer r.Close()
	more, err := visit(r, "")
	for i := 0; i < len(path) && more && err == nil; i++ {
		if path[i] == '/' {
			more, err = visit(r, path[:i])
		}
	}
	return err
}

// isRelative says that each name of path is one: neither empty, nor "." or "..". The names may be any bytes.
func isRelative(path string) bool {
	for name := range strings.SplitSeq(path, "/") {
		if name == "" || name == "." || name == ".." || strings.IndexByte(name, 0) >= 0 {
			return false
		}
	}
	return true
}

// load adds the rules of dir's ignore file. One that is a symlink has no say, as in Git: it could lead anywhere.
func (g *Ignore) load(r *os.Root, dir string) (*Ignore, error) {
	name := strings.TrimPrefix(dir+"/"+IgnoreName, "/")
	info, err := r.Lstat(name)
	if absent(err) {
		return g, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return g, nil
	}
	f, err := r.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := readRules(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return g.Add(dir, text), nil
}

// absent says that a file is not there, or that a directory above it is none.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// readRules reads an ignore file whole, up to its bound.
func readRules(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxIgnoreFile+1))
	if err == nil && len(text) > maxIgnoreFile {
		err = fmt.Errorf("%w: it has more than %d bytes", ErrIgnoreFile, maxIgnoreFile)
	}
	return text, err
}
