package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"tarn/index"
	"tarn/index/scan"
	"tarn/internal/config"
	"tarn/internal/durable"
)

// moving is a dataset on its way to another name. Its steps are written down before the first one, and each looks whether it was done already, so whoever
// opens the repository after a crash does the rest (docs/protocol.md, Local order).
type moving struct {
	r        *Repo
	from, to string
	trusted  bool // the dataset is a file, and the index knew it right before
}

// steps are done in this order; what fails says which.
func (m *moving) steps() []step {
	return []step{
		{"write .gitignore", func() error { return m.r.ignoreInGit(m.to) }},
		{"move the data", func() error { return m.r.moveName(m.from, m.to) }},
		{"move the manifest", func() error { return m.r.moveName(m.from+ManifestSuffix, m.to+ManifestSuffix) }},
		{"write the configuration", m.config},
		{"write the index", m.index},
		{"write .gitignore", func() error { _, err := m.r.unignoreInGit(m.from); return err }},
	}
}

type step struct {
	name string
	do   func() error
}

// run does what is left to do. Where nothing was moved yet and the data can't be, all is as before.
func (m *moving) run() error {
	for _, s := range m.steps() {
		if err := s.do(); err != nil {
			return fmt.Errorf("move %s to %s: %s: %w", m.from, m.to, s.name, errors.Join(err, m.undo()))
		}
	}
	return m.r.removeDurably(m.r.movePath())
}

// undo takes the new line out of .gitignore and forgets the move, if the dataset still has its old name; else the next command goes on.
func (m *moving) undo() error {
	if !m.r.isManifest(m.from) || !m.untouched() {
		return nil
	}
	for _, suffix := range []string{"", ManifestSuffix} { // a second name, of which it is not known whether it is durable
		if err := m.r.removeSecond(m.from+suffix, m.to+suffix); err != nil {
			return err
		}
	}
	if !m.r.isManifest(m.to) {
		if _, err := m.r.unignoreInGit(m.to); err != nil {
			return err
		}
	}
	return m.r.removeDurably(m.r.movePath())
}

// untouched says that the data are where they were. Of a dataset that is not checked out there are none.
func (m *moving) untouched() bool {
	_, here := os.Lstat(m.r.abs(m.from))
	_, there := os.Lstat(m.r.abs(m.to))
	return here == nil || errors.Is(there, fs.ErrNotExist)
}

func (r *Repo) removeSecond(from, to string) error {
	a, err1 := os.Lstat(r.abs(from))
	b, err2 := os.Lstat(r.abs(to))
	if err1 != nil || err2 != nil || !os.SameFile(a, b) {
		return nil
	}
	return r.removeDurably(r.abs(to))
}

// errTaken says that something stands where a dataset is to go.
var errTaken = errors.New("something is there already")

// moveName gives a file or directory another name and makes that durable: first the new name, then that the old one is gone. What is not there was moved
// before, or never was.
func (r *Repo) moveName(from, to string) error {
	src, dst := r.abs(from), r.abs(to)
	info, err := os.Lstat(src)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	there, err := os.Lstat(dst)
	switch {
	case err == nil && !os.SameFile(info, there):
		return fmt.Errorf("%s: %w", to, errTaken)
	case err == nil || !errors.Is(err, fs.ErrNotExist):
	case info.Mode().IsRegular():
		err = r.link(info, src, dst)
	default:
		err = r.disk.Rename(src, dst)
	}
	if err == nil {
		err = r.disk.SyncDir(filepath.Dir(dst))
	}
	if err == nil && info.Mode().IsRegular() {
		if err = r.disk.Remove(src); errors.Is(err, fs.ErrNotExist) {
			err = nil // it was renamed
		}
	}
	if err != nil {
		return err
	}
	return r.disk.SyncDir(filepath.Dir(src))
}

// link gives a file a second name, for a rename would replace what came there just now; where there are no hard links it renames.
func (r *Repo) link(info fs.FileInfo, src, dst string) error {
	err := r.disk.Link(src, dst)
	if there, serr := os.Lstat(dst); err != nil && serr == nil && os.SameFile(info, there) {
		return nil // NFS: the reply was lost and the link made again
	}
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.EXDEV) {
		return err
	}
	return r.disk.Rename(src, dst)
}

// config renames the dataset's sections, in the files of this repository.
func (m *moving) config() error {
	for _, level := range m.r.datasetLevels(m.from) {
		if err := m.r.editor(level).RenameSection("dataset", m.from, m.to); err != nil {
			return err
		}
	}
	return m.r.loadConfig()
}

// datasetLevels are the files of this repository that say something about a dataset.
func (r *Repo) datasetLevels(dataset string) (levels []config.Level) {
	for _, e := range r.cfg.All() {
		l := e.Origin.Level
		if e.Section == "dataset" && e.Sub == dataset && (l == config.Repository || l == config.Local) && !slices.Contains(levels, l) {
			levels = append(levels, l)
		}
	}
	return levels
}

// index writes the stat index under the new name. What it says about the files of a directory holds as before, for only the directory was renamed.
func (m *moving) index() error {
	if m.r.filling(m.from) {
		if err := m.r.markFilling(m.to); err != nil {
			return err
		}
	}
	old, err := scan.Open(m.r.indexPath(m.from))
	if err == nil {
		defer old.Close()
		err = m.copyIndex(old)
	}
	if err != nil && !errors.Is(err, scan.ErrCorruptIndex) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return m.r.removeIndex(m.from)
}

func (m *moving) copyIndex(old *scan.Index) error {
	m.r.report.Phase("mv "+m.from, int64(old.Len()), -1)
	w, err := scan.NewWriter(m.r.disk, m.r.indexPath(m.to), m.to)
	if err != nil {
		return err
	}
	for r := range old.Records("") {
		if r.Path == "." && m.trusted {
			r = m.renamed(r)
		}
		if err := w.Add(r); err != nil {
			w.Abort()
			return err
		}
	}
	return w.Commit(old.Base())
}

func (m *moving) renamed(r scan.Record) scan.Record {
	info, err := os.Lstat(m.r.abs(m.to))
	if err != nil {
		return r
	}
	return r.Renamed(scan.StatOf(info))
}

// movePath is where the move that is under way is written down, and lockMove keeps others from it.
func (r *Repo) movePath() string { return filepath.Join(r.own, "move") }

func (r *Repo) lockMove(ctx context.Context) (*durable.Lock, error) {
	dir := filepath.Join(r.own, "lock")
	if err := r.disk.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	return r.disk.Lock(ctx, filepath.Join(dir, "move"), false)
}

// lockBoth locks both names of a dataset.
func (r *Repo) lockBoth(ctx context.Context, m *moving) (unlock func(), err error) {
	a, err := r.lock(ctx, m.from)
	if err != nil {
		return nil, err
	}
	b, err := r.lock(ctx, m.to)
	if err != nil {
		a.Unlock()
		return nil, err
	}
	return func() { b.Unlock(); a.Unlock() }, nil
}

const moveHead = "tarn 1 move\n"

func (m *moving) begin() error {
	text := moveHead + "from " + index.Quote(m.from) + "\nto " + index.Quote(m.to) + "\n"
	return m.r.disk.WriteFile(m.r.movePath(), []byte(text), 0o666)
}

// begun reads what a move wrote down before it began; nil where there is none.
func (r *Repo) begun() (*moving, error) {
	f, err := os.Open(r.movePath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 10*index.MaxPath))
	if err != nil {
		return nil, err
	}
	m, err := parseMove(string(text))
	if err != nil {
		return nil, &Hinted{fmt.Errorf("read %s: %w", r.movePath(), err), "rm " + r.movePath()}
	}
	m.r = r
	return m, nil
}

var errMoveFile = errors.New("it does not say what is moved")

func parseMove(text string) (*moving, error) {
	body, ok := strings.CutPrefix(text, moveHead)
	lines := strings.Split(body, "\n")
	if !ok || len(lines) != 3 || lines[2] != "" {
		return nil, errMoveFile
	}
	m := &moving{}
	for i, f := range []struct {
		word string
		path *string
	}{{"from ", &m.from}, {"to ", &m.to}} {
		quoted, ok := strings.CutPrefix(lines[i], f.word)
		p, err := index.Unquote(quoted)
		if !ok || err != nil || index.CheckPath(p) != nil || path.Clean(p) != p {
			return nil, errMoveFile
		}
		*f.path = p
	}
	if under(m.to, m.from) {
		return nil, errMoveFile
	}
	return m, nil
}

// finishMove does what is left of a move that was interrupted. One that another process is at is waited for. What can't be finished is a warning, and
// keeps the two names from being worked on.
func (r *Repo) finishMove(ctx context.Context) error {
	if _, err := os.Lstat(r.movePath()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lock, err := r.lockMove(ctx)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	return r.finishBegun(ctx)
}

// finishBegun is finishMove with the lock held. It waits for those who work on the two names.
func (r *Repo) finishBegun(ctx context.Context) error {
	m, err := r.begun()
	if m == nil || err != nil {
		return err
	}
	unlock, err := r.lockBoth(ctx, m)
	if err != nil {
		return err
	}
	defer unlock()
	if err := m.run(); err != nil {
		if r.stuck, _ = r.begun(); r.stuck != nil {
			r.stuckBy = err
		}
		r.report.Warn(m.to, "an interrupted move could not be finished: "+err.Error())
		return nil
	}
	r.report.Warn(m.to, "an interrupted move of "+index.Quote(m.from)+" was finished")
	return nil
}
