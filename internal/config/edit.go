package config

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tarn/internal/durable"
)

// Entries are the values of the file in order; Origin has the line alone.
func (f *File) Entries() []Entry {
	out := make([]Entry, len(f.entries))
	for i, e := range f.entries {
		s := f.sections[e.section]
		out[i] = Entry{Section: s.name, Sub: s.sub, Key: e.key, Value: e.value, Bare: e.bare, Origin: Origin{Line: e.line}}
	}
	return out
}

// Bytes is the file as it stands after the edits. The caller must not change it.
func (f *File) Bytes() []byte { return f.src }

// Set gives the key that value. The last line that sets it is changed, with its comment kept; else a line is added at the end of the section, and a
// section at the end of the file where there is none.
func (f *File) Set(section, sub, key, value string) error {
	if err := checkName(section, sub, key); err != nil {
		return err
	}
	if strings.IndexByte(value, 0) >= 0 {
		return &Error{Name: JoinName(section, sub, key), Msg: "a value can't have a NUL"}
	}
	text := " = " + quoteValue(value)
	if i := f.last(strings.ToLower(section), sub, strings.ToLower(key)); i >= 0 {
		e := f.entries[i]
		return f.splice(e.keyEnd, e.valEnd, text)
	}
	text = "\t" + key + text + "\n"
	if at := f.endOf(strings.ToLower(section), sub); at >= 0 {
		return f.insert(at, text)
	}
	return f.insert(len(f.src), header(section, sub)+"\n"+text)
}

// Unset removes every line that sets the key; ErrNotSet if there is none. The section's header and comments stay.
func (f *File) Unset(section, sub, key string) error {
	section, key = strings.ToLower(section), strings.ToLower(key)
	if f.last(section, sub, key) < 0 {
		return notSet(JoinName(section, sub, key))
	}
	for i := f.last(section, sub, key); i >= 0; i = f.last(section, sub, key) {
		e := f.entries[i]
		start, end := e.start, e.valEnd
		if f.blankBefore(start) {
			start, end = f.lineStart(start), e.end
		}
		if err := f.splice(start, end, ""); err != nil {
			return err
		}
	}
	return nil
}

// RenameSection gives the subsection another name, in every header of it; ErrNotSet if there is none, an *Error if the new name is taken.
func (f *File) RenameSection(section, sub, to string) error {
	section = strings.ToLower(section)
	if err := checkSection(section, to); err != nil {
		return err
	}
	if sub == "" || to == "" || sub == to {
		return &Error{Name: section, Msg: "rename takes two different names of subsections"}
	}
	if f.header(section, to) >= 0 {
		return &Error{Name: section + "." + to, Msg: "is there already"}
	}
	if f.header(section, sub) < 0 {
		return notSet(section + "." + sub)
	}
	for i := f.header(section, sub); i >= 0; i = f.header(section, sub) {
		if err := f.splice(f.sections[i].start, f.sections[i].end, header(section, to)); err != nil {
			return err
		}
	}
	return nil
}

// RemoveSection removes every part of the section, each from its header to its last value; comments after that stay. ErrNotSet if there is none.
func (f *File) RemoveSection(section, sub string) error {
	section = strings.ToLower(section)
	if f.header(section, sub) < 0 {
		return notSet(strings.TrimSuffix(section+"."+sub, "."))
	}
	for i := f.header(section, sub); i >= 0; i = f.header(section, sub) {
		start, end := f.sections[i].start, f.endOfPart(i)
		if f.blankBefore(start) && (end == len(f.src) || f.src[end-1] == '\n') {
			start = f.lineStart(start)
		}
		if err := f.splice(start, end, ""); err != nil {
			return err
		}
	}
	return nil
}

func notSet(name string) error { return &Error{Name: name, Msg: ErrNotSet.Msg} }

// splice replaces bytes and parses anew: what is written can always be read.
func (f *File) splice(start, end int, text string) error {
	src := slices.Concat(f.src[:start], []byte(text), f.src[end:])
	g, err := Parse(src)
	if err != nil {
		return fmt.Errorf("edit configuration: %w", err)
	}
	*f = *g
	return nil
}

// last is the index of the last entry of that name, or -1. Names of sections and keys must be in lower case.
func (f *File) last(name, sub, key string) int {
	for i, e := range slices.Backward(f.entries) {
		if s := f.sections[e.section]; s.name == name && s.sub == sub && e.key == key {
			return i
		}
	}
	return -1
}

// header is the index of the last header of the section, or -1.
func (f *File) header(section, sub string) int {
	for i, s := range slices.Backward(f.sections) {
		if s.name == section && s.sub == sub {
			return i
		}
	}
	return -1
}

// endOf is the offset at which a line can be added to the section, or -1 if it has no header.
func (f *File) endOf(section, sub string) int {
	i := f.header(section, sub)
	if i < 0 {
		return -1
	}
	return f.endOfPart(i)
}

// endOfPart is the offset after the last value below a header, or after the header's own line if there is none; a header that another one follows on the
// same line ends at its bracket.
func (f *File) endOfPart(i int) int {
	for _, e := range slices.Backward(f.entries) {
		if e.section == i {
			return e.end
		}
	}
	at := f.sections[i].end
	n := bytes.IndexByte(f.src[at:], '\n')
	if n < 0 {
		n = len(f.src) - at - 1
	}
	if i+1 < len(f.sections) && f.sections[i+1].start < at+n {
		return at
	}
	return at + n + 1
}

// insert adds lines that set one key. They start on a line of their own; where the value before them ends in a backslash, which joins lines, they need
// another line break.
func (f *File) insert(at int, text string) error {
	if at > 0 && f.src[at-1] != '\n' {
		text = "\n" + text
	}
	old := f.entries
	err := f.splice(at, at, text)
	if err == nil && !f.extends(old, at) {
		err = f.splice(at, at, "\n")
	}
	if err == nil && !f.extends(old, at) {
		err = &Error{Msg: "the file ends within a value"}
	}
	return err
}

// extends says that f has the old entries and one more, and that the value before the offset is the old one.
func (f *File) extends(old []entry, at int) bool {
	n := 0
	for n < len(old) && old[n].end <= at {
		n++
	}
	return len(f.entries) == len(old)+1 && (n == 0 || f.entries[n-1].value == old[n-1].value)
}

func (f *File) lineStart(at int) int { return bytes.LastIndexByte(f.src[:at], '\n') + 1 }

// blankBefore says that nothing stands before the offset in its line.
func (f *File) blankBefore(at int) bool {
	return len(bytes.TrimLeft(f.src[f.lineStart(at):at], " \t\r")) == 0
}

// header writes a section's header; sub may hold anything but a line feed and NUL.
func header(section, sub string) string {
	if sub == "" {
		return "[" + section + "]"
	}
	return "[" + section + ` "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(sub) + `"]`
}

// quoteValue writes a value so that it is read back as it is; quotes stand only where they must.
func quoteValue(v string) string {
	text := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\b", `\b`).Replace(v)
	if strings.ContainsAny(v, "#;\r") || strings.Trim(v, " ") != v {
		return `"` + text + `"`
	}
	return text
}

// Editor changes the file of one level. Two editors at the same moment may lose one's change, never the file.
type Editor struct {
	Disk   *durable.Disk
	Path   string
	Level  Level
	Absent []byte // what the file counts as where it is not there, as for LoadSparse
}

// Set checks the value (Check) and writes it. A file that gets a secret can be read by its owner alone.
func (e Editor) Set(section, sub, key, value string) error {
	if err := Check(e.Level, section, sub, key, value); err != nil {
		return err
	}
	secret := IsSecret(key, value)
	return e.change(secret, func(f *File) error { return f.Set(section, sub, key, value) })
}

// Unset removes a key; ErrNotSet if it is not there. Any name goes, also an unknown one.
func (e Editor) Unset(section, sub, key string) error {
	return e.change(false, func(f *File) error { return f.Unset(section, sub, key) })
}

// RenameSection renames a subsection; ErrNotSet if it is not there.
func (e Editor) RenameSection(section, sub, to string) error {
	return e.change(false, func(f *File) error { return f.RenameSection(section, sub, to) })
}

// RemoveSection removes a section; ErrNotSet if it is not there.
func (e Editor) RemoveSection(section, sub string) error {
	return e.change(false, func(f *File) error { return f.RemoveSection(section, sub) })
}

// change edits and writes atomically; a file that would stay the same is not written.
func (e Editor) change(secret bool, edit func(*File) error) error {
	path, err := e.target()
	if err != nil {
		return err
	}
	f, err := read(path, e.Level, e.Absent)
	if err != nil {
		return err
	}
	before := f.src
	if err := edit(f); err != nil {
		return inFile(err, path)
	}
	perm, err := e.perm(path, secret)
	if err != nil || bytes.Equal(before, f.src) && !secret {
		return err
	}
	if err := e.Disk.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	if err := e.Disk.WriteFile(path, f.src, perm); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// target is the file to write: a user's own symlink (dotfiles) is followed, so that it stays one.
func (e Editor) target() (string, error) {
	if e.Path == "" {
		return "", &Error{Msg: "there is no " + e.Level.String() + " configuration here"}
	}
	if e.Level == Repository {
		return e.Path, nil
	}
	if _, err := os.Lstat(e.Path); err != nil {
		return e.Path, nil
	}
	path, err := filepath.EvalSymlinks(e.Path)
	if err != nil {
		return "", fmt.Errorf("write configuration: %w", err)
	}
	return path, nil
}

// perm is the mode of the file that is written: that of the old one, without group and others once there is a secret.
func (e Editor) perm(path string, secret bool) (fs.FileMode, error) {
	perm := fs.FileMode(0o644)
	if e.Level == User || e.Level == Local {
		perm = 0o600
	}
	if info, err := os.Stat(path); err == nil {
		perm = info.Mode().Perm()
	} else if !os.IsNotExist(err) {
		return 0, fmt.Errorf("write configuration: %w", err)
	}
	if secret {
		perm &= 0o700
	}
	return perm, nil
}
