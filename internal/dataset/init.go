package dataset

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tarn/index/scan"
	"tarn/internal/config"
)

// InitResult is what init made.
type InitResult struct {
	Root    string
	Written []string // files that were created or extended
}

const ignoreStart = "# What tarn leaves out of datasets; the syntax of .gitignore.\n.DS_Store\n.ipynb_checkpoints/\n"

// Init prepares the repository: .tarn/config, .tarnignore, a line in .gitattributes. What is there already stays.
func (r *Repo) Init() (*InitResult, error) {
	if r.root == "" {
		return nil, fmt.Errorf("%w: a bare repository has no work tree", ErrUsage)
	}
	res := &InitResult{Root: r.root}
	if _, _, ok := r.cfg.Get("core", "", "id"); !ok {
		if err := r.newID(); err != nil {
			return nil, err
		}
		res.Written = append(res.Written, ".tarn/config")
	}
	for _, f := range []struct {
		name, text string
		line       string // what counts as having it
	}{{scan.IgnoreName, ignoreStart, ""}, {".gitattributes", "*.tarn -text\n", "*.tarn -text"}} {
		did, err := r.ensureText(f.name, f.text, f.line)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", f.name, err)
		}
		if did {
			res.Written = append(res.Written, f.name)
		}
	}
	return res, r.loadConfig()
}

// newID gives the repository a random id, which all clones share.
func (r *Repo) newID() error {
	var id [16]byte
	rand.Read(id[:])
	if err := r.disk.MkdirAll(filepath.Join(r.root, ".tarn"), 0o777); err != nil {
		return err
	}
	return r.editor(config.Repository).Set("core", "", "id", hex.EncodeToString(id[:]))
}

func (r *Repo) editor(level config.Level) config.Editor {
	return config.Editor{Disk: r.disk, Path: r.configPaths()[level], Level: level}
}

// ensureText creates a file with text, or appends text to one that lacks the line; with an empty line a file that is there stays as it is.
func (r *Repo) ensureText(name, text, line string) (bool, error) {
	old, err := os.ReadFile(r.abs(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err == nil {
		if line == "" {
			return false, nil
		}
		for l := range strings.Lines(string(old)) {
			if strings.Join(strings.Fields(l), " ") == line {
				return false, nil
			}
		}
		if n := len(old); n > 0 && old[n-1] != '\n' {
			old = append(old, '\n')
		}
	}
	return true, r.disk.WriteFile(r.abs(name), append(old, text...), 0o666)
}
