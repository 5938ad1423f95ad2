package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tarn/internal/durable"
)

// Level says which file a value comes from; a later one wins.
type Level uint8

const (
	System     Level = iota // of the machine
	User                    // of the user
	Repository              // tracked by Git: everyone who clones has it, so it holds no secret
	Local                   // of this clone
	levels
)

func (l Level) String() string {
	if l >= levels {
		return "unknown"
	}
	return [levels]string{"system", "user", "repository", "local"}[l]
}

// SystemPath is where the system's file is, unless the caller was told another place.
const SystemPath = "/etc/tarn/config"

// UserPath is where the user's file is: in $XDG_CONFIG_HOME, else in ~/.config; "" if both are empty or relative.
func UserPath(xdgConfigHome, home string) string {
	switch {
	case filepath.IsAbs(xdgConfigHome):
		return filepath.Join(xdgConfigHome, "tarn", "config")
	case filepath.IsAbs(home):
		return filepath.Join(home, ".config", "tarn", "config")
	}
	return ""
}

// RepositoryPath is the tracked file of a work tree.
func RepositoryPath(root string) string { return filepath.Join(root, ".tarn", "config") }

// Paths are the files of the levels, by Level; "" where there is none.
type Paths [levels]string

// Origin is where a value was set.
type Origin struct {
	Level Level
	Path  string
	Line  int // from 1
}

// String is PATH:LINE.
func (o Origin) String() string {
	switch {
	case o.Path == "" && o.Line > 0:
		return fmt.Sprintf("line %d", o.Line)
	case o.Line > 0:
		return fmt.Sprintf("%s:%d", o.Path, o.Line)
	}
	return o.Path
}

// Entry is one value that a file sets.
type Entry struct {
	Section, Sub, Key string // Section and Key in lower case
	Value             string // may be a secret; Shown is for people
	Bare              bool   // written without '=': true, as a boolean
	Origin            Origin
}

// Name is the full name of the key.
func (e Entry) Name() string { return JoinName(e.Section, e.Sub, e.Key) }

// Shown is the value without its secrets.
func (e Entry) Shown() string { return Redact(e.Key, e.Value) }

// String is NAME=VALUE, without secrets.
func (e Entry) String() string { return e.Name() + "=" + e.Shown() }

// GoString is String, so that %#v shows no secret either.
func (e Entry) GoString() string { return e.String() }

// Warning is a fault that does not keep the file from being used.
type Warning struct {
	Origin  Origin
	Name    string
	Message string
}

// Config is all that the files set. It does not change and is safe for concurrent use.
type Config struct {
	entries  []Entry // in order: the last of a name wins
	warnings []Warning
}

// String says how much there is; it shows no value.
func (c *Config) String() string { return fmt.Sprintf("%d configuration values", len(c.entries)) }

// GoString is String.
func (c *Config) GoString() string { return c.String() }

// Load reads the files that exist. A file that can't be parsed, one of more than MaxSize bytes, and a secret at the repository level are errors that wrap
// ErrInvalid.
func Load(paths Paths) (*Config, error) { return LoadSparse(paths, nil) }

// LoadSparse is Load where a sparse checkout may leave out the file that Git tracks: tracked is what stands for it if it is not there.
func LoadSparse(paths Paths, tracked []byte) (*Config, error) {
	return load(paths, func(path string, level Level) (*File, error) {
		if level == Repository {
			return read(path, level, tracked)
		}
		return read(path, level, nil)
	})
}

// LoadTracked is Load where the repository level is not a file but text, of a commit; the path of that level is its name in messages.
func LoadTracked(paths Paths, text []byte) (*Config, error) {
	return load(paths, func(path string, level Level) (*File, error) {
		if level != Repository {
			return read(path, level, nil)
		}
		f, err := Parse(text)
		return f, inFile(err, path)
	})
}

func load(paths Paths, read func(path string, level Level) (*File, error)) (*Config, error) {
	c := &Config{}
	for level, path := range paths {
		if path == "" {
			continue
		}
		f, err := read(path, Level(level))
		if err != nil {
			return nil, err
		}
		if err := c.add(f, Level(level), path); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// With is c and one value more, which wins. No file has it.
func (c *Config) With(section, sub, key, value string) *Config {
	e := Entry{Section: strings.ToLower(section), Sub: sub, Key: strings.ToLower(key), Value: value, Origin: Origin{Level: Local}}
	return &Config{entries: append(slices.Clone(c.entries), e), warnings: c.warnings}
}

func (c *Config) add(f *File, level Level, path string) error {
	for _, e := range f.Entries() {
		e.Origin.Level, e.Origin.Path = level, path
		if level == Repository && IsSecret(e.Key, e.Value) {
			err := secretError(e.Name())
			err.Path, err.Line = path, e.Origin.Line
			return err
		}
		c.entries = append(c.entries, e)
		c.warn(e)
	}
	return nil
}

// warn notes an unknown key of a section that tarn knows; other sections may belong to someone else.
func (c *Config) warn(e Entry) {
	known := slices.ContainsFunc(keys, func(k Key) bool { return k.Section == e.Section })
	if _, ok := Lookup(e.Section, e.Sub, e.Key); ok || !known {
		return
	}
	c.warnings = append(c.warnings, Warning{Origin: e.Origin, Name: e.Name(), Message: unknown(e.Section, e.Sub, e.Key).Msg})
}

// read parses a file; one that does not exist is as absent.
func read(path string, level Level, absent []byte) (*File, error) {
	src, err := readBytes(path, level)
	if errors.Is(err, fs.ErrNotExist) {
		src, err = absent, nil
	}
	if err != nil {
		return nil, err
	}
	f, err := Parse(src)
	return f, inFile(err, path)
}

// inFile adds the path to an error of Parse or of an edit.
func inFile(err error, path string) error {
	var fault *Error
	if errors.As(err, &fault) {
		fault.Path = path
	}
	return err
}

// readBytes never waits for a FIFO. What Git tracks may come from a stranger: there neither the file nor its directory may be a symlink.
func readBytes(path string, level Level) ([]byte, error) {
	if level == Repository {
		if err := notLinked(path); err != nil {
			return nil, err
		}
	}
	f, _, err := durable.OpenRegular(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, err
	case errors.Is(err, durable.ErrNotRegular):
		return nil, &Error{Path: path, Msg: "not a regular file"}
	case err != nil:
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return src, nil
}

func notLinked(path string) error {
	for _, p := range []string{filepath.Dir(path), path} {
		if info, err := os.Lstat(p); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return &Error{Path: p, Msg: "a symlink, in a place that Git tracks"}
		}
	}
	return nil
}

// Get is the value that wins; section and key are compared without case, sub ("" for none) with it. The value of a key without '=' is "".
func (c *Config) Get(section, sub, key string) (value string, origin Origin, ok bool) {
	e, ok := c.find(section, sub, key)
	return e.Value, e.Origin, ok
}

func (c *Config) find(section, sub, key string) (Entry, bool) {
	section, key = strings.ToLower(section), strings.ToLower(key)
	for _, e := range slices.Backward(c.entries) {
		if e.Section == section && e.Sub == sub && e.Key == key {
			return e, true
		}
	}
	return Entry{}, false
}

// GetBool reads true, yes, on, a number other than 0 or a key without '=', and false, no, off, 0 or nothing after the '='. Anything else is an *Error.
func (c *Config) GetBool(section, sub, key string) (value, ok bool, err error) {
	e, ok := c.find(section, sub, key)
	if !ok || e.Bare {
		return e.Bare, ok, nil
	}
	value, valid := parseBool(e.Value)
	if !valid {
		return false, true, e.fault("the value must be true or false")
	}
	return value, true, nil
}

// GetInt reads a decimal number with an optional k, m or g (1,024, its square, its cube). Anything else is an *Error, as is a value beyond the bounds in the
// table of keys.
func (c *Config) GetInt(section, sub, key string) (value int64, ok bool, err error) {
	e, ok := c.find(section, sub, key)
	if !ok {
		return 0, false, nil
	}
	if k, known := Lookup(section, sub, key); known && k.Kind == Int {
		if msg := k.check(e.Value); msg != "" {
			return 0, true, e.fault(msg)
		}
	}
	value, err = parseInt(e.Value)
	if err != nil {
		return 0, true, e.fault("the value must be a number, with k, m or g if need be")
	}
	return value, true, nil
}

func (e Entry) fault(msg string) *Error {
	return &Error{Path: e.Origin.Path, Line: e.Origin.Line, Name: e.Name(), Msg: msg}
}

// Validate checks the value that wins against the table of keys, for keys whose values Get returns as text. An unset or unknown key is valid.
func (c *Config) Validate(section, sub, key string) error {
	e, ok := c.find(section, sub, key)
	k, known := Lookup(section, sub, key)
	if !ok || !known || e.Bare && k.Kind == Bool {
		return nil
	}
	if msg := k.check(e.Value); msg != "" {
		return e.fault(msg)
	}
	return nil
}

// Subsections are the names below a section that set a key, sorted, each once.
func (c *Config) Subsections(section string) []string {
	var names []string
	for _, e := range c.entries {
		if e.Sub != "" && strings.EqualFold(e.Section, section) {
			names = append(names, e.Sub)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// All is every value that a file sets, in the order of levels and lines; the last of a name wins.
func (c *Config) All() []Entry { return slices.Clone(c.entries) }

// Warnings are the unknown keys in sections that tarn knows.
func (c *Config) Warnings() []Warning { return slices.Clone(c.warnings) }
