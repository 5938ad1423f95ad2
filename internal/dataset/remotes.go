package dataset

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tarn/internal/config"
	"tarn/store/blob/http"
)

// RemoteInfo is a remote as it is configured.
type RemoteInfo struct {
	Name    string
	URL     string // without secrets
	Default bool
	Level   string // where its URL is set: system, user, repository, local

	Settings []RemoteSetting // the others, as they are configured, without secrets; sorted
}

// RemoteSetting is one of a remote's settings: endpoint, region, and so on.
type RemoteSetting struct{ Key, Value string }

// Remotes lists the configured remotes by name.
func (r *Repo) Remotes() []RemoteInfo {
	def, _ := r.remoteFor("", "")
	var infos []RemoteInfo
	names := r.cfg.Subsections("remote")
	slices.Sort(names)
	for _, n := range names {
		url, origin, ok := r.cfg.Get("remote", n, "url")
		if ok {
			infos = append(infos, RemoteInfo{n, config.RedactURL(url), n == def, origin.Level.String(), r.settings(n)})
		}
	}
	return infos
}

func (r *Repo) settings(name string) (out []RemoteSetting) {
	for _, k := range config.Known() {
		if k.Section != "remote" || k.Name == "url" {
			continue
		}
		if v, _, ok := r.cfg.Get("remote", name, k.Name); ok {
			out = append(out, RemoteSetting{k.Name, config.Redact(k.Name, v)})
		}
	}
	slices.SortFunc(out, func(a, b RemoteSetting) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// Remote is one of them.
func (r *Repo) Remote(name string) (RemoteInfo, error) {
	for _, i := range r.Remotes() {
		if i.Name == name {
			return i, nil
		}
	}
	return RemoteInfo{}, &Hinted{fmt.Errorf("%w: there is no remote %q", ErrUsage, name), "tarn remote list"}
}

// knownRemote refuses a name, where one was given, that no remote has.
func (r *Repo) knownRemote(name string) error {
	if name == "" {
		return nil
	}
	_, err := r.Remote(name)
	return err
}

// AddRemote sets a remote up; the first one becomes the default. Relative paths are written relative to the root of the repository. Settings that
// are wrong are found before anything is written.
func (r *Repo) AddRemote(name, url string, level config.Level, makeDefault bool, settings ...RemoteSetting) (RemoteInfo, error) {
	if err := checkRemoteName(name); err != nil {
		return RemoteInfo{}, err
	}
	if _, err := r.Remote(name); err == nil {
		return RemoteInfo{}, &Hinted{fmt.Errorf("%w: there is a remote %q already", ErrUsage, name), "tarn remote remove " + name}
	}
	url, err := r.remoteURL(url)
	if err != nil {
		return RemoteInfo{}, err
	}
	if settings, err = r.checkSettings(name, url, level, settings); err != nil {
		return RemoteInfo{}, err
	}
	first := len(r.Remotes()) == 0
	if err := r.editable(level); err != nil {
		return RemoteInfo{}, err
	}
	e := r.editor(level)
	if err := r.disk.MkdirAll(filepath.Dir(e.Path), 0o777); err != nil {
		return RemoteInfo{}, err
	}
	for _, s := range append(settings, RemoteSetting{"url", url}) {
		if err := e.Set("remote", name, s.Key, s.Value); err != nil {
			return RemoteInfo{}, err
		}
	}
	if first || makeDefault {
		if err := e.Set("core", "", "remote", name); err != nil {
			return RemoteInfo{}, err
		}
	}
	if err := r.loadConfig(); err != nil {
		return RemoteInfo{}, err
	}
	return r.Remote(name)
}

// checkSettings checks settings one by one and together, and makes the path among them one that the configuration can have.
func (r *Repo) checkSettings(name, url string, level config.Level, settings []RemoteSetting) ([]RemoteSetting, error) {
	settings = slices.Clone(settings)
	for i, s := range settings {
		if s.Key == "ca" && !strings.HasPrefix(s.Value, "~/") {
			path, err := r.fromRoot(s.Value)
			if err != nil {
				return nil, err
			}
			settings[i].Value = path
		}
		if err := config.Check(level, "remote", name, s.Key, settings[i].Value); err != nil {
			return nil, err
		}
	}
	if len(settings) > 0 && !strings.HasPrefix(url, "s3://") {
		return nil, fmt.Errorf("%w: %s is a setting of s3:// remotes", ErrUsage, settings[0].Key)
	}
	if err := config.Check(level, "remote", name, "url", url); err != nil {
		return nil, err
	}
	_, err := r.openSite(url, func(key string) string {
		for _, s := range settings {
			if s.Key == key {
				return s.Value
			}
		}
		return ""
	})
	return settings, err
}

func checkRemoteName(name string) error {
	for _, c := range name {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", c) {
			return fmt.Errorf("%w: remote name %q: letters, digits, '-', '_' and '.' only", ErrUsage, name)
		}
	}
	if name == "" || strings.HasPrefix(name, "-") {
		return fmt.Errorf("%w: remote name %q", ErrUsage, name)
	}
	return nil
}

// remoteURL checks a URL, and writes a path relative to where the user stands relative to the root, or absolute if it is outside.
func (r *Repo) remoteURL(raw string) (string, error) {
	if rest, ok := strings.CutPrefix(raw, "s3://"); ok {
		return "s3://" + strings.TrimRight(rest, "/"), nil
	}
	if isWeb(raw) {
		_, err := http.New(raw, http.Options{})
		if err != nil {
			err = fmt.Errorf("%w: %w", ErrUsage, err)
		}
		return strings.TrimRight(raw, "/"), err
	}
	if _, err := r.localRemote(raw); err != nil || strings.Contains(raw, "://") || filepath.IsAbs(raw) {
		return raw, err
	}
	if info, err := os.Stat(filepath.Join(r.base, filepath.FromSlash(r.prefix), raw)); err == nil && !info.IsDir() {
		return "", fmt.Errorf("%w: %s is not a directory", ErrUsage, raw)
	}
	return r.fromRoot(raw)
}

// fromRoot is a path that the user wrote, relative to the root unless it is absolute.
func (r *Repo) fromRoot(raw string) (string, error) {
	if filepath.IsAbs(raw) {
		return raw, nil
	}
	rel, err := filepath.Rel(r.base, filepath.Join(r.base, filepath.FromSlash(r.prefix), raw))
	return filepath.ToSlash(rel), err
}

// editable refuses to change what stands in a commit only.
func (r *Repo) editable(levels ...config.Level) error {
	if r.tracked != "" && slices.Contains(levels, config.Repository) {
		return fmt.Errorf("%w: a bare repository has no .tarn/config to write to; use --local", ErrUsage)
	}
	return nil
}

// levelsOf are the levels, strongest first, at which anything of the remote is set.
func (r *Repo) levelsOf(name string) []config.Level {
	var ls []config.Level
	for _, e := range r.cfg.All() {
		if e.Section == "remote" && e.Sub == name && !slices.Contains(ls, e.Origin.Level) {
			ls = append(ls, e.Origin.Level)
		}
	}
	slices.Reverse(ls)
	return ls
}

// RemoveRemote forgets a remote; what is on it stays there.
func (r *Repo) RemoveRemote(name string) error {
	if _, err := r.Remote(name); err != nil {
		return err
	}
	if err := r.editable(r.levelsOf(name)...); err != nil {
		return err
	}
	for _, l := range r.levelsOf(name) {
		if err := r.editor(l).RemoveSection("remote", name); err != nil {
			return err
		}
	}
	return r.moveDefault(name, "")
}

// RenameRemote gives a remote another name.
func (r *Repo) RenameRemote(old, name string) error {
	if _, err := r.Remote(old); err != nil {
		return err
	}
	if err := checkRemoteName(name); err != nil {
		return err
	}
	if _, err := r.Remote(name); err == nil {
		return fmt.Errorf("%w: there is a remote %q already", ErrUsage, name)
	}
	if err := r.editable(r.levelsOf(old)...); err != nil {
		return err
	}
	for _, l := range r.levelsOf(old) {
		if err := r.editor(l).RenameSection("remote", old, name); err != nil {
			return err
		}
	}
	return r.moveDefault(old, name)
}

// moveDefault changes core.remote where it names a remote that went away.
func (r *Repo) moveDefault(old, name string) error {
	for _, e := range r.cfg.All() {
		if e.Section != "core" || e.Key != "remote" || e.Value != old {
			continue
		}
		ed, err := r.editor(e.Origin.Level), error(nil)
		if name == "" {
			err = ed.Unset("core", "", "remote")
		} else {
			err = ed.Set("core", "", "remote", name)
		}
		if err != nil && !errors.Is(err, config.ErrNotSet) {
			return err
		}
	}
	return r.loadConfig()
}

// DefaultRemote makes a remote the default, at the level at which one is set or else at the given one.
func (r *Repo) DefaultRemote(name string, level config.Level) (RemoteInfo, error) {
	if _, err := r.Remote(name); err != nil {
		return RemoteInfo{}, err
	}
	if err := r.editable(level); err != nil {
		return RemoteInfo{}, err
	}
	if err := r.editor(level).Set("core", "", "remote", name); err != nil {
		return RemoteInfo{}, err
	}
	if err := r.loadConfig(); err != nil {
		return RemoteInfo{}, err
	}
	return r.Remote(name)
}
