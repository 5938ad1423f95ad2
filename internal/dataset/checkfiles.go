package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"tarn/internal/check"
	"tarn/internal/check/spill"
	"tarn/internal/durable"
	"tarn/store/digest"
)

// CheckFiles holds files or directories, as they stand on the disk, against a contract. No repository is needed; r is the one
// around, or nil. There is a result only of a run that came to its end.
func CheckFiles(ctx context.Context, dir string, paths []string, contractFile string, s CheckSettings, r *Repo, rep Reporter) (*CheckResult, error) {
	c, err := readContract(contractFile, absIn(dir, contractFile))
	if err != nil {
		return nil, err
	}
	var srcs []*diskSource
	for _, p := range paths {
		src, err := newDiskSource(absIn(dir, p))
		if err != nil {
			return nil, err
		}
		srcs = append(srcs, src)
	}
	res := &CheckResult{}
	for i, p := range paths {
		src := srcs[i]
		in := check.Input{Contract: c, Source: src, Subject: p, Single: src.single != "", Part: src.single != "", Temp: diskTemp,
			Reference: func(_ context.Context, name string) (check.Source, error) {
				return newDiskSource(filepath.Join(filepath.Dir(absIn(dir, p)), filepath.FromSlash(name)))
			}}
		if err := s.run(ctx, in, r.place(contractFile), rep, res, nil); err != nil {
			return nil, err
		}
	}
	return res, nil
}

// diskSource is a file, or all files of a directory.
type diskSource struct {
	root   string
	single string // name of the file, if it is one
}

func newDiskSource(p string) (*diskSource, error) {
	info, err := os.Stat(p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: there is no file %s", ErrUsage, p)
	case err != nil:
		return nil, err
	case info.IsDir():
		return &diskSource{root: p}, nil
	case info.Mode().IsRegular():
		return &diskSource{root: filepath.Dir(p), single: filepath.Base(p)}, nil
	}
	return nil, fmt.Errorf("%w: %s is neither a file nor a directory", ErrUsage, p)
}

// Entries are the regular files; symbolic links are not followed, and .git is left out.
func (s *diskSource) Entries(ctx context.Context) iter.Seq2[check.Entry, error] {
	return func(yield func(check.Entry, error) bool) {
		if s.single != "" {
			info, err := os.Stat(filepath.Join(s.root, s.single))
			if err != nil {
				yield(check.Entry{}, err)
				return
			}
			yield(check.Entry{Path: s.single, Size: info.Size()}, nil)
			return
		}
		err := filepath.WalkDir(s.root, func(p string, d fs.DirEntry, err error) error {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			if d.IsDir() {
				if d.Name() == ".git" {
					return fs.SkipDir
				}
				return nil
			}
			if !d.Type().IsRegular() {
				return nil
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(s.root, p)
			if err != nil {
				return err
			}
			if !yield(check.Entry{Path: filepath.ToSlash(rel), Size: info.Size()}, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(check.Entry{}, err)
		}
	}
}

func (s *diskSource) path(e check.Entry) string {
	return filepath.Join(s.root, filepath.FromSlash(e.Path))
}

// Open opens a file.
func (s *diskSource) Open(_ context.Context, e check.Entry) (check.File, error) {
	f, info, err := durable.OpenRegular(s.path(e))
	if err != nil {
		return nil, err
	}
	return osFile{f, info.Size()}, nil
}

// Digest reads a file.
func (s *diskSource) Digest(ctx context.Context, e check.Entry) (d [32]byte, err error) {
	f, _, err := durable.OpenRegular(s.path(e))
	if err != nil {
		return d, err
	}
	defer f.Close()
	h := digest.New()
	defer h.Release()
	if _, err := io.Copy(struct{ io.Writer }{h}, f); err != nil {
		return d, err
	}
	return h.Sum(), ctx.Err()
}

// spillFile is a temporary file of a run.
type spillFile = spill.Temp

type temporary struct{ *durable.File }

func (t temporary) ReadAt(p []byte, off int64) (int, error) { return t.OS().ReadAt(p, off) }

// Close removes the file.
func (t temporary) Close() error {
	t.Abort()
	return nil
}

// diskTemp is a file for keys where there is no repository.
func diskTemp() (spill.Temp, error) { return tempIn(nil, os.TempDir()) }

func tempIn(d *durable.Disk, dir string) (spill.Temp, error) {
	f, err := d.CreateTemp(dir)
	if err != nil {
		return nil, err
	}
	return temporary{f}, nil
}

// reportMax is how much of a file is kept when something is added to it.
const reportMax = 4 << 20

// WriteReport writes a report into a file that was named in dir; with add behind what the file has already, as the files that a CI runner names expect.
func WriteReport(dir, file string, b []byte, add bool) error {
	err := writeReport(absIn(dir, file), b, add)
	// Their names are those of a temporary file, or of a directory.
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err
	} else if at, ok := errors.AsType[*os.LinkError](err); ok {
		err = at.Err
	}
	if err != nil {
		return fmt.Errorf("write report %s: %w", file, err)
	}
	return nil
}

func writeReport(file string, b []byte, add bool) error {
	if add {
		old, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if len(old) > reportMax {
			return fmt.Errorf("it has more than %d bytes already", reportMax)
		}
		b = append(old, b...)
	}
	var disk *durable.Disk // the real one
	if err := disk.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	return disk.WriteFile(file, b, 0o666)
}
