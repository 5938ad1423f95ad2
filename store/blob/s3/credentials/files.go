package credentials

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxFile bounds a configuration file, in bytes.
const maxFile = 1 << 20

type section map[string]string

// files are the shared configuration and credentials files, put together; of a key in both, the one in the credentials file counts.
type files struct {
	config, credentials string // paths
	profiles            map[string]section
	sessions            map[string]section // for single sign-on
}

func readFiles(o Options) (*files, error) {
	f := &files{
		config:      pathOf(o, "AWS_CONFIG_FILE", "config"),
		credentials: pathOf(o, "AWS_SHARED_CREDENTIALS_FILE", "credentials"),
		profiles:    map[string]section{}, sessions: map[string]section{},
	}
	err := readIni(f.config, func(name string) section {
		kind, rest, ok := strings.Cut(name, " ")
		switch rest = strings.Trim(strings.TrimSpace(rest), `"'`); {
		case name == "default":
			return at(f.profiles, name)
		case ok && kind == "profile":
			return at(f.profiles, rest)
		case ok && kind == "sso-session":
			return at(f.sessions, rest)
		}
		return section{} // of something else
	})
	if err == nil {
		err = readIni(f.credentials, func(name string) section { return at(f.profiles, name) })
	}
	return f, err
}

func at(m map[string]section, name string) section {
	if m[name] == nil {
		m[name] = section{}
	}
	return m[name]
}

func pathOf(o Options, variable, name string) string {
	p := o.Getenv(variable)
	switch {
	case p == "" && o.Home == "":
		return ""
	case p == "":
		return filepath.Join(o.Home, ".aws", name)
	case strings.HasPrefix(p, "~/") || strings.HasPrefix(p, `~\`):
		return filepath.Join(o.Home, p[2:])
	}
	return p
}

// readIni reads a file in AWS's form of INI: a line that is indented belongs to the key above it. One that is not there is empty. Messages don't
// repeat what is in the file.
func readIni(path string, into func(name string) section) error {
	if path == "" {
		return nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return failed("read AWS configuration: %v", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	if err != nil {
		return failed("read AWS configuration: %v", err)
	}
	return parseIni(path, strings.TrimPrefix(string(b), "\ufeff"), into)
}

func parseIni(path, text string, into func(string) section) error {
	var current section
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, " \t\r\n")
		indented := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';' || indented:
		case line[0] == '[':
			name, _, ok := strings.Cut(line[1:], "]")
			if !ok {
				return failed("read AWS configuration: %s:%d: the name of the section has no end", path, number)
			}
			current = into(strings.TrimSpace(name))
		default:
			key, value, ok := strings.Cut(line, "=")
			if !ok || current == nil {
				return failed("read AWS configuration: %s:%d: neither a section nor a key with a value", path, number)
			}
			current[strings.ToLower(strings.TrimSpace(key))] = uncomment(strings.TrimSpace(value))
		}
	}
	return nil
}

// uncomment drops a comment behind a value; it begins after a space.
func uncomment(value string) string {
	for _, mark := range []string{" #", " ;", "\t#", "\t;"} {
		if i := strings.Index(value, mark); i >= 0 {
			value = strings.TrimSpace(value[:i])
		}
	}
	return value
}
