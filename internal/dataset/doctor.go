package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tarn/index"
	"tarn/index/scan"
	"tarn/index/vcs"
	"tarn/internal/config"
	"tarn/internal/durable"
)

// Health is how one thing that was looked at stands.
type Health byte

const (
	Fine    Health = iota // as it should be
	Warning               // works, and could be better
	Failing               // does not work, or will lose something
)

var healthNames = [...]string{"ok", "warn", "fail"}

// String is ok, warn or fail.
func (h Health) String() string { return healthNames[h] }

// Finding is what doctor has to say about one thing.
type Finding struct {
	Area    string // git, manifests, cache, …
	Health  Health
	Message string
	Hint    string // what to type; may be empty
}

// Diagnosis is what doctor found.
type Diagnosis struct{ Findings []Finding }

// Count is how many findings are of that kind.
func (d *Diagnosis) Count(h Health) (n int) {
	for _, f := range d.Findings {
		if f.Health == h {
			n++
		}
	}
	return n
}

// Doctor looks at Git, configuration, manifests, cache, work tree and remotes. It changes nothing but for probe files, which it removes. The error says that
// it could not look, or that something fails.
func Doctor(ctx context.Context, o Options) (*Diagnosis, error) {
	r, err := locate(ctx, o)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	d := &doctor{r: r, out: &Diagnosis{}}
	for _, look := range []func(context.Context) error{
		d.git, d.configuration, d.repository, d.attributes, d.manifests, d.hooks, d.indexes, d.cache, d.workTree, d.remotes,
	} {
		if err := look(ctx); err != nil {
			if ctx.Err() != nil {
				return d.out, ctx.Err()
			}
			return d.out, err
		}
	}
	if n := d.out.Count(Failing); n > 0 {
		return d.out, fmt.Errorf("doctor: %s failed", plural(n, "check"))
	}
	return d.out, nil
}

type doctor struct {
	r     *Repo
	out   *Diagnosis
	names []string // datasets
}

func (d *doctor) say(area string, h Health, hint, format string, args ...any) {
	d.out.Findings = append(d.out.Findings, Finding{area, h, fmt.Sprintf(format, args...), hint})
}

// fails makes an error a finding.
func (d *doctor) fails(area string, err error) {
	hint := ""
	if h, ok := errors.AsType[*Hinted](err); ok {
		hint = h.Hint
	} else if c, ok := errors.AsType[*config.Error](err); ok {
		hint = c.Hint()
	}
	d.say(area, Failing, hint, "%s", strings.TrimPrefix(err.Error(), ErrUsage.Error()+": "))
}

func (d *doctor) git(ctx context.Context) error {
	text, n, err := d.r.git.Version(ctx)
	if err != nil {
		return err
	}
	if slices.Compare(n[:], vcs.MinVersion[:]) < 0 {
		d.say("git", Failing, "git --version", "version %s is too old; tarn needs %d.%d", text, vcs.MinVersion[0], vcs.MinVersion[1])
		return nil
	}
	d.say("git", Fine, "", "version %s", text)
	return nil
}

func (d *doctor) configuration(context.Context) error {
	r := d.r
	c, err := config.Load(r.configPaths())
	if err != nil {
		r.cfg = &config.Config{}
		d.fails("configuration", err)
		return nil
	}
	r.cfg = c
	bad := false
	for _, w := range c.Warnings() {
		bad = true
		d.say("configuration", Warning, "tarn config --list --show-origin", "%s: %s: %s", w.Origin, w.Name, w.Message)
	}
	seen := map[string]bool{}
	for _, e := range c.All() {
		if seen[e.Name()] {
			continue
		}
		seen[e.Name()] = true
		if err := c.Validate(e.Section, e.Sub, e.Key); err != nil {
			bad = true
			d.fails("configuration", err)
		}
	}
	if !bad {
		d.say("configuration", Fine, "", "%s set", plural(len(seen), "value"))
	}
	return nil
}

func (d *doctor) repository(ctx context.Context) (err error) {
	r := d.r
	switch {
	case r.root == "":
		d.say("repository", Fine, "", "%s is bare: there is no work tree", r.git.GitDir)
	case r.git.Shallow:
		d.say("repository", Fine, "", "%s, a shallow clone: older versions are not known here", r.root)
	default:
		d.say("repository", Fine, "", "%s", r.root)
	}
	if _, _, ok := r.cfg.Get("core", "", "id"); !ok && r.root != "" {
		d.say("repository", Warning, "tarn init", "it has no id: tarn init was not run, or .tarn/config is not committed")
	}
	if _, err := os.Lstat(r.movePath()); err == nil {
		d.say("repository", Warning, "tarn status", "a move was interrupted; the next command finishes it")
	}
	d.names, err = r.datasets(ctx)
	return err
}

// attributes: Git may change no byte of a manifest, and drivers that .gitattributes name must be set up in this clone.
func (d *doctor) attributes(ctx context.Context) error {
	if d.r.root == "" {
		return nil
	}
	paths := []string{"x" + ManifestSuffix}
	for _, n := range d.names {
		paths = append(paths, n+ManifestSuffix)
	}
	attrs, err := d.r.git.Attributes(ctx, paths, "text", "filter", "working-tree-encoding", "ident", "diff", "merge")
	if err != nil {
		return err
	}
	before := len(d.out.Findings)
	told := map[vcs.Attribute]bool{}
	for _, a := range attrs {
		a.Path = "" // said once, not for each manifest
		if told[a] {
			continue
		}
		told[a] = true
		if err := d.attribute(ctx, a); err != nil {
			return err
		}
	}
	if len(d.out.Findings) == before {
		d.say("attributes", Fine, "", "Git leaves manifests as they are")
	}
	return nil
}

func (d *doctor) attribute(ctx context.Context, a vcs.Attribute) error {
	off := a.Value == "unspecified" || a.Value == "unset"
	switch a.Name {
	case "text":
		if a.Value == "unspecified" {
			d.say("attributes", Warning, "tarn init", ".gitattributes has no line \"*.tarn -text\": core.autocrlf would break manifests")
		} else if a.Value != "unset" {
			d.say("attributes", Warning, "git check-attr text x.tarn", ".gitattributes make manifests text: their line ends may be changed")
		}
	case "diff", "merge":
		if off || a.Value == "set" || a.Value == "text" || a.Value == "binary" || a.Value == "union" {
			return nil
		}
		return d.driver(ctx, a)
	default:
		if !off {
			d.say("attributes", Failing, "git check-attr "+a.Name+" x.tarn", ".gitattributes set %s=%s for manifests, which rewrites them", a.Name, a.Value)
		}
	}
	return nil
}

func (d *doctor) driver(ctx context.Context, a vcs.Attribute) error {
	keys := []string{"merge." + a.Value + ".driver"}
	if a.Name == "diff" {
		keys = []string{"diff." + a.Value + ".command", "diff." + a.Value + ".textconv", "diff." + a.Value + ".xfuncname"}
	}
	for _, key := range keys {
		_, ok, err := d.r.git.Setting(ctx, key)
		if err != nil {
			return err
		}
		if ok {
			d.say("attributes", Fine, "", "the %s driver %s is set up (%s)", a.Name, a.Value, key)
			return nil
		}
	}
	hint := "git config " + keys[0]
	if a.Value == "tarn" {
		hint = "tarn init"
	}
	d.say("attributes", Warning, hint, "the %s driver %s of .gitattributes is not set up in this clone; Git does without it", a.Name, a.Value)
	return nil
}

func (d *doctor) manifests(ctx context.Context) error {
	r, before := d.r, len(d.out.Findings)
	if r.root == "" {
		return nil
	}
	for _, n := range d.names {
		d.manifest(n)
	}
	if err := d.hidden(ctx); err != nil {
		return err
	}
	tracked, err := r.git.TrackedBelow(ctx, d.names)
	if err != nil {
		return err
	}
	for _, n := range tracked {
		d.say("manifests", Failing, "git rm -r --cached "+n, "Git tracks files of the dataset %s", n)
	}
	ignored, err := r.git.Ignored(ctx, d.names)
	if err != nil {
		return err
	}
	for _, n := range d.names {
		if _, err := os.Lstat(r.abs(n)); err == nil && !ignored[n] && !slices.Contains(tracked, n) {
			d.say("manifests", Warning, "tarn add "+n, "Git does not ignore the dataset %s: git add -A would take its files", n)
		}
	}
	if len(d.out.Findings) == before {
		d.say("manifests", Fine, "", "%s", plural(len(d.names), "dataset"))
	}
	return nil
}

func (d *doctor) manifest(n string) {
	file := n + ManifestSuffix
	raw, err := readBounded(d.r.abs(file), index.MaxRoot)
	if err == nil && strings.Contains(string(raw), "\r\n") {
		d.say("manifests", Failing, fmt.Sprintf("tarn init && rm %s && git checkout -- %s", file, file), "%s has CRLF line ends", file)
		return
	}
	if _, err := d.r.readManifest(n); err != nil {
		d.fails("manifests", err)
	}
}

// hidden finds manifests that Git ignores: of datasets that were worked on here.
func (d *doctor) hidden(ctx context.Context) error {
	var files []string
	for _, idx := range d.eachIndex() {
		if n := idx.Dataset(); !slices.Contains(d.names, n) && d.r.isManifest(n) {
			files = append(files, n+ManifestSuffix)
		}
		idx.Close()
	}
	if len(files) == 0 {
		return nil
	}
	ignored, err := d.r.git.Ignored(ctx, files)
	for _, f := range files {
		if ignored[f] {
			d.say("manifests", Failing, "git check-ignore -v "+f, "Git ignores %s, so nobody else sees it", f)
		}
	}
	return err
}

// eachIndex opens the stat indexes; the caller closes them.
func (d *doctor) eachIndex() (all []*scan.Index) {
	dir := filepath.Join(d.r.own, "index")
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		if durable.IsTemp(f.Name()) || strings.Contains(f.Name(), ".") {
			continue
		}
		idx, err := scan.Open(filepath.Join(dir, f.Name()))
		if err == nil {
			all = append(all, idx)
		}
	}
	return all
}

func (d *doctor) indexes(context.Context) error {
	if d.r.root == "" {
		return nil
	}
	broken := 0
	for _, n := range d.names {
		idx, err := scan.Open(d.r.indexPath(n))
		if err == nil {
			idx.Close()
		} else if !errors.Is(err, fs.ErrNotExist) {
			broken++
			d.say("index", Warning, "tarn status "+n, "that of %s is broken and will be made anew: all of it is read once", n)
		}
	}
	t := d.r.trust()
	switch {
	case t.CheckStat == scan.CheckMinimal:
		d.say("index", Fine, "", "a file is read again when its size or mtime in seconds changed (index.checkStat)")
	case !t.CTime:
		d.say("index", Fine, "", "a file is read again when its size, mtime or inode changed (index.trustCtime is off)")
	case broken == 0:
		d.say("index", Fine, "", "a file is read again when its size, mtime, ctime or inode changed")
	}
	return nil
}

// hooks says which hooks run tarn.
func (d *doctor) hooks(ctx context.Context) error {
	dir, _, err := d.r.git.HooksDir(ctx)
	if err != nil || d.r.root == "" {
		return err
	}
	var run []string
	for _, name := range []string{"pre-commit", "pre-push", "post-checkout", "post-merge", "post-rewrite"} {
		path := filepath.Join(dir, name)
		text, err := readBounded(path, 1<<20)
		if err != nil || !strings.Contains(string(text), "tarn") {
			continue
		}
		run = append(run, name)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 == 0 && keepsExec {
			d.say("hooks", Warning, "chmod +x "+path, "%s is not executable: Git does not run it", name)
		}
	}
	if len(run) == 0 {
		d.say("hooks", Fine, "", "none runs tarn")
	} else {
		d.say("hooks", Fine, "", "tarn is run by %s", strings.Join(run, ", "))
	}
	return nil
}
