package vcs

import (
	"net/url"
	"path/filepath"
	"strings"
)

// NormalURL writes a Git URL so that clones of one repository agree: scheme, user, credentials, the case of the host, a default port, trailing slashes and
// ".git" don't matter; a port of its own and a path below a user's home ("~") do. alice@host:path is such a path; git@host:path, which forges use, is none. A
// local path becomes machine and absolute path, with symlinks resolved by resolve.
func NormalURL(raw, machine string, resolve func(string) (string, error)) string {
	if isLocal(raw) {
		return localURL(raw, machine, resolve)
	}
	a := splitURL(raw)
	host := strings.ToLower(a.host)
	if a.port != "" {
		host += ":" + a.port
	}
	path := strings.TrimLeft(trimGit(a.path), "/")
	if a.user != "" && (path == "~" || strings.HasPrefix(path, "~/")) {
		path = "~" + a.user + path[1:]
	}
	return a.scheme + host + "/" + path
}

// isLocal says that git takes raw for a path: it has no scheme, and no colon before the first slash.
func isLocal(raw string) bool {
	if strings.Contains(raw, "://") {
		return strings.HasPrefix(strings.ToLower(raw), "file://")
	}
	colon, slash := strings.IndexByte(raw, ':'), strings.IndexAny(raw, `/\`)
	return colon < 0 || slash >= 0 && slash < colon || filepath.IsAbs(raw)
}

func localURL(raw, machine string, resolve func(string) (string, error)) string {
	p := raw
	if len(p) >= 7 && strings.EqualFold(p[:7], "file://") {
		if u, err := url.Parse(p); err == nil {
			p = u.Path
		}
	}
	p = filepath.Clean(p)
	if real, err := resolve(p); err == nil {
		p = real
	}
	p = filepath.ToSlash(p)
	p = strings.TrimSuffix(strings.TrimSuffix(p, "/.git"), "/")
	return "local:" + machine + ":" + strings.TrimSuffix(p, ".git")
}

func trimGit(path string) string {
	path = strings.TrimRight(path, "/")
	return strings.TrimRight(strings.TrimSuffix(path, ".git"), "/")
}

// defaultPorts has the schemes that lead to the same repository.
var defaultPorts = map[string]string{"http": "80", "https": "443", "ssh": "22", "git": "9418", "git+ssh": "22", "ssh+git": "22"}

// address is a URL taken apart; scheme is empty, or ends in "://" where it matters.
type address struct{ scheme, user, host, port, path string }

// splitURL understands URLs and git's user@host:path.
func splitURL(raw string) address {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return splitSCP(raw)
	}
	var a address
	if u, err := url.Parse(raw); err == nil {
		a.user, a.host, a.port, a.path = u.User.Username(), u.Hostname(), u.Port(), u.Path
	} else { // net/url refuses what git may take
		authority, path, _ := strings.Cut(rest, "/")
		a.user, a.host = cutUser(authority)
		a.path = path
	}
	standard, known := defaultPorts[strings.ToLower(scheme)]
	if !known {
		a.scheme = strings.ToLower(scheme) + "://"
	}
	if a.port == standard {
		a.port = ""
	}
	return a
}

// splitSCP reads user@host:path, with brackets around an IPv6 address or, as git allows, around user@host:port.
func splitSCP(raw string) address {
	var a address
	inner, path, bracket := strings.Cut(raw, "]:")
	if bracket = bracket && (strings.HasPrefix(inner, "[") || strings.Contains(inner, "@[")); bracket {
		a.user, a.host = cutUser(strings.Replace(inner, "[", "", 1))
		a.path = path
	} else {
		authority, path, _ := strings.Cut(raw, ":")
		a.user, a.host = cutUser(authority)
		a.path = path
	}
	if host, port, ok := strings.Cut(a.host, ":"); ok && !strings.Contains(port, ":") {
		a.host, a.port = host, port
		if port == defaultPorts["ssh"] {
			a.port = ""
		}
	}
	if a.user != "" && a.user != "git" && !strings.HasPrefix(a.path, "/") && !strings.HasPrefix(a.path, "~") {
		a.path = "~/" + a.path // ssh starts in the user's home
	}
	return a
}

// cutUser takes user:password@host apart and drops the password.
func cutUser(authority string) (user, host string) {
	at := strings.LastIndexByte(authority, '@')
	if at < 0 {
		return "", authority
	}
	user, _, _ = strings.Cut(authority[:at], ":")
	return user, authority[at+1:]
}
