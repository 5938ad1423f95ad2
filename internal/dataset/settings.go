package dataset

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"tarn/internal/config"
)

// Settings are the configuration files, in a repository or outside of one. They can be changed also where one of them can't be loaded.
type Settings struct {
	r     *Repo
	paths config.Paths
	none  error // why there is no repository; nil: there is one
}

// Setting is one value as it is set in a file.
type Setting struct {
	Name   string
	Value  string // "(set)" for a secret
	Secret bool
	Bare   bool // written without '=', which is true for a boolean
	Level  string
	Origin string // PATH:LINE
}

// OpenSettings finds the files.
func OpenSettings(ctx context.Context, o Options) (*Settings, error) {
	r, err := locate(ctx, o)
	if errors.Is(err, ErrNoRepo) {
		r := &Repo{o: o, disk: o.Disk, report: o.Report}
		return &Settings{r: r, none: err, paths: config.Paths{config.System: o.SystemConfig, config.User: o.UserConfig}}, nil
	}
	if err != nil {
		return nil, err
	}
	return &Settings{r: r, paths: r.configPaths()}, nil
}

// Close ends their use.
func (s *Settings) Close() error {
	if s.r.git == nil {
		return nil
	}
	return s.r.git.Close()
}

// load reads all files, or that of one level.
func (s *Settings) load(only *config.Level) (*config.Config, error) {
	paths := s.paths
	if only != nil {
		if _, err := s.editor(*only); err != nil {
			return nil, err
		}
		paths = config.Paths{}
		paths[*only] = s.paths[*only]
	}
	c, err := config.Load(paths)
	if err != nil {
		return nil, fmt.Errorf("%w: read configuration: %w", ErrUsage, err)
	}
	return c, nil
}

func (s *Settings) editor(level config.Level) (config.Editor, error) {
	if s.paths[level] == "" {
		if s.none != nil {
			return config.Editor{}, s.none
		}
		return config.Editor{}, fmt.Errorf("%w: there is no %s configuration here", ErrUsage, level)
	}
	return config.Editor{Disk: s.r.disk, Path: s.paths[level], Level: level}, nil
}

func setting(e config.Entry) Setting {
	out := Setting{Name: e.Name(), Value: e.Shown(), Secret: config.IsSecret(e.Key, e.Value), Bare: e.Bare, Level: e.Origin.Level.String(), Origin: e.Origin.String()}
	if k, ok := config.Lookup(e.Section, e.Sub, e.Key); ok {
		out.Name = config.JoinName(k.Section, e.Sub, k.Name)
	}
	if out.Value == config.Hidden {
		out.Value = "(set)"
	}
	return out
}

// List is every value that is set, in the order of levels and lines: of one name the last one counts.
func (s *Settings) List(only *config.Level) ([]Setting, error) {
	c, err := s.load(only)
	if err != nil {
		return nil, err
	}
	var out []Setting
	for _, e := range c.All() {
		out = append(out, setting(e))
	}
	return out, nil
}

// Get is the value that counts; ok is false where none is set. A name that is neither set nor known is an error.
func (s *Settings) Get(name string, only *config.Level) (found Setting, ok bool, err error) {
	section, sub, key, err := config.SplitName(name)
	if err != nil {
		return found, false, err
	}
	c, err := s.load(only)
	if err != nil {
		return found, false, err
	}
	for _, e := range c.All() {
		if e.Section == section && e.Sub == sub && e.Key == key {
			found, ok = setting(e), true
		}
	}
	if !ok {
		err = config.CheckKey(section, sub, key)
	}
	return found, ok, err
}

// Set writes a value. over is one of another file that counts instead; nil: none does.
func (s *Settings) Set(level config.Level, name, value string) (over *Setting, err error) {
	e, err := s.editor(level)
	if err != nil {
		return nil, err
	}
	section, sub, key, err := config.SplitName(name)
	if err != nil {
		return nil, err
	}
	if k, ok := config.Lookup(section, sub, key); ok {
		key = k.Name // as it is written in the table
	}
	if err := s.r.disk.MkdirAll(filepath.Dir(e.Path), 0o777); err != nil {
		return nil, err
	}
	if err := e.Set(section, sub, key, value); err != nil {
		return nil, err
	}
	found, ok, err := s.Get(name, nil)
	if err == nil && ok && found.Level != level.String() {
		return &found, nil
	}
	return nil, nil // it is written, whatever another file says
}

// Unset removes a value from one file; any name goes, also an unknown one.
func (s *Settings) Unset(level config.Level, name string) error {
	e, err := s.editor(level)
	if err != nil {
		return err
	}
	section, sub, key, err := config.SplitName(name)
	if err != nil {
		return err
	}
	return e.Unset(section, sub, key)
}
