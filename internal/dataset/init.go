package dataset

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"tarn/index/scan"
	"tarn/internal/config"
)

// InitResult is what init made.
type InitResult struct {
	Root    string
	Written []string // files that were created or extended
	Drivers
}

const ignoreStart = "# What tarn leaves out of datasets; the syntax of .gitignore.\n.DS_Store\n.ipynb_checkpoints/\n"

// Init prepares the repository: .tarn/config, .tarnignore, a line in .gitattributes; and the clone: the drivers that the line names. What is there already
// stays.
func (r *Repo) Init(ctx context.Context) (*InitResult, error) {
	if err := r.needWorkTree(); err != nil {
		return nil, err
	}
	res := &InitResult{Root: r.root}
	if _, _, ok := r.cfg.Get("core", "", "id"); !ok {
		if err := r.newID(); err != nil {
			return nil, err
		}
		res.Written = append(res.Written, ".tarn/config")
	}
	for _, f := range []struct {
		name string
		edit func(old string, there bool) string
	}{{scan.IgnoreName, withIgnore}, {".gitattributes", withAttributes}} {
		did, err := r.editText(f.name, f.edit)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", f.name, err)
		}
		if did {
			res.Written = append(res.Written, f.name)
		}
	}
	var err error
	if res.Drivers, err = r.installDrivers(ctx); err != nil {
		return nil, err
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
	e := config.Editor{Disk: r.disk, Path: r.configPaths()[level], Level: level}
	if level == config.Repository {
		e.Absent = r.sparse
	}
	return e
}

// editText rewrites a file, or creates it, where edit makes another text of it; it says whether it did.
func (r *Repo) editText(name string, edit func(old string, there bool) string) (bool, error) {
	old, err := os.ReadFile(r.abs(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	text := edit(string(old), err == nil)
	if err == nil && text == string(old) {
		return false, nil
	}
	return true, r.disk.WriteFile(r.abs(name), []byte(text), 0o666)
}

// withIgnore is the text of a new .tarnignore; one that is there stays.
func withIgnore(old string, there bool) string {
	if there {
		return old
	}
	return ignoreStart
}
