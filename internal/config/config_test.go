package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// levelsOf writes a file for each level and returns their paths.
func levelsOf(t *testing.T, texts map[Level]string) (p Paths) {
	t.Helper()
	for level, text := range texts {
		p[level] = filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(p[level], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func TestLoad(t *testing.T) {
	p := levelsOf(t, map[Level]string{
		System:     "[transfer]\njobs = 2k\n[core]\nremote = sys\n",
		User:       "[core]\nremote = usr\n[index]\ntrustCtime\n",
		Repository: "[core]\nremote = repo\n[remote \"b\"]\nurl = x\n[dataset \"A/b.c\"]\npush = no\n",
		Local:      "[core]\n\nRemote = loc\nremote = last\n[remote \"a\"]\nurl = y\n",
	})
	c, err := Load(p)
	if err != nil {
		t.Fatal(err)
	}
	value, origin, ok := c.Get("CORE", "", "ReMote")
	if want := (Origin{Local, p[Local], 4}); value != "last" || !ok || origin != want {
		t.Errorf("%q, %v", value, origin)
	}
	if origin.String() != p[Local]+":4" {
		t.Errorf("%v", origin)
	}
	if _, _, ok := c.Get("dataset", "a/b.c", "push"); ok {
		t.Error("subsections have a case")
	}
	if v, ok, err := c.GetBool("dataset", "A/b.c", "push"); v || !ok || err != nil {
		t.Error(v, ok, err)
	}
	if v, ok, err := c.GetBool("index", "", "trustctime"); !v || !ok || err != nil {
		t.Error(v, ok, err)
	}
	if d := cmp.Diff([]string{"a", "b"}, c.Subsections("Remote")); d != "" {
		t.Error(d)
	}
	if n := len(c.All()); n != 10 || c.All()[0].Origin.Level != System || c.All()[9].Origin.Level != Local {
		t.Errorf("%d: %v", n, c.All())
	}
	if _, ok, err := c.GetInt("transfer", "", "jobs"); !ok || err == nil || !strings.Contains(err.Error(), ":2: transfer.jobs: the value must be a number from 1 to 1024") {
		t.Error(ok, err)
	}
}

func TestLoadTracked(t *testing.T) {
	p := levelsOf(t, map[Level]string{User: "[core]\nremote = usr\n", Repository: "not read", Local: "[cache]\ndir = x\n"})
	p[Repository] = "HEAD:.tarn/config"
	c, err := LoadTracked(p, []byte("[core]\nremote = tracked\n"))
	if err != nil {
		t.Fatal(err)
	}
	if v, o, _ := c.Get("core", "", "remote"); v != "tracked" || o.String() != "HEAD:.tarn/config:2" || o.Level != Repository {
		t.Errorf("%q of %v", v, o)
	}
	if v, _, _ := c.Get("cache", "", "dir"); v != "x" {
		t.Errorf("local level: %q", v)
	}
	more := c.With("Remote", "r", "URL", "u")
	if v, _, ok := more.Get("remote", "r", "url"); v != "u" || !ok {
		t.Errorf("With: %q", v)
	}
	if _, _, ok := c.Get("remote", "r", "url"); ok {
		t.Error("With changed what it was called on")
	}
	for text, want := range map[string]string{"[core\n": "HEAD:.tarn/config:1", "[remote \"a\"]\npassword = hunter2\n": "HEAD:.tarn/config:2"} {
		if _, err := LoadTracked(p, []byte(text)); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestLoadMissing(t *testing.T) {
	dir := t.TempDir()
	c, err := Load(Paths{User: filepath.Join(dir, "no", "config"), Local: filepath.Join(dir, "config")})
	if err != nil || len(c.All()) != 0 || len(c.Warnings()) != 0 {
		t.Error(c, err)
	}
	if _, ok, err := c.GetInt("transfer", "", "jobs"); ok || err != nil {
		t.Error(ok, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"syntax", "[core]\nremote = \"x\n", ":2: a value has no closing quote"},
		{"secret key", "[remote \"o\"]\nurl = x\nsecretAccessKey = hunter2\n", ":3: remote.o.secretaccesskey: a secret can't stand"},
		{"secret in a URL", "[remote \"o\"]\nurl = s3://id:hunter2@b/p\n", ":2: remote.o.url: a secret can't stand"},
		{"size", "# hunter2" + strings.Repeat("x", MaxSize), ": the file has more than 1 MiB"},
	} {
		p := levelsOf(t, map[Level]string{Repository: tt.text})
		_, err := Load(p)
		if !errors.Is(err, ErrInvalid) || !strings.HasPrefix(err.Error(), p[Repository]+tt.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if _, err := Load(Paths{User: t.TempDir()}); !errors.Is(err, ErrInvalid) {
		t.Errorf("a directory: %v", err)
	}
}

// TestLoadFIFO: a FIFO is refused at once, not waited for.
func TestLoadFIFO(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no FIFO")
	}
	path := filepath.Join(t.TempDir(), "config")
	if err := mkfifo(path); err != nil {
		t.Skip(err)
	}
	if _, err := Load(Paths{Local: path}); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

func TestWarnings(t *testing.T) {
	p := levelsOf(t, map[Level]string{Repository: "[core]\nremot = x\n[other]\nkey = x\n[remote \"o\"]\nurll = y\n[remote]\nurl = z\n[cache]\nzzzzzzzz = 1\n"})
	c, err := Load(p)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range c.Warnings() {
		got = append(got, fmt.Sprintf("%d %s: %s", w.Origin.Line, w.Name, w.Message))
	}
	want := []string{
		"2 core.remot: unknown key; did you mean core.remote?",
		"6 remote.o.urll: unknown key; did you mean remote.o.url?",
		"8 remote.url: unknown key; did you mean remote.NAME.url?",
		"10 cache.zzzzzzzz: unknown key",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestCheck(t *testing.T) {
	id := strings.Repeat("0f", 16)
	for _, tt := range []struct{ name, value, want string }{
		{"core.remote", "origin", ""},
		{"core.id", id, ""},
		{"core.id", strings.ToUpper(id), "32 lower-case hexadecimal digits"},
		{"core.id", id + "00", "32 lower-case hexadecimal digits"},
		{"cache.link", "hardlink,copy", ""},
		{"cache.link", "hardlink,hardlink", "some of"},
		{"cache.link", "hardlink, copy", "some of"},
		{"cache.link", "", "some of"},
		{"cache.shared", "all", "one of group, off"},
		{"index.trustctime", "0", ""},
		{"index.trustCtime", "maybe", "true or false"},
		{"transfer.jobs", "1k", ""},
		{"transfer.jobs", "0", "from 1 to 1024"},
		{"transfer.jobs", "9999999999g", "from 1 to 1024"},
		{"remote.o.url", "", "a URL or a path"},
		{"remote.o.url", "a\x1b[2J", "a URL or a path"},
		{"remote.o.url", "../a b", ""},
		{"core.rmeote", "x", "did you mean core.remote?"},
		{"remote.o", "x", "unknown key"},
		{"core.x.remote", "x", "did you mean core.remote?"},
	} {
		section, sub, key, err := SplitName(tt.name)
		if err != nil {
			t.Fatal(err)
		}
		err = Check(Repository, section, sub, key, tt.value)
		if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || !errors.Is(err, ErrInvalid)) {
			t.Errorf("%s=%q: %v", tt.name, tt.value, err)
		}
	}
}

// TestTable keeps the table of keys consistent: what the parser reads in lower case is looked up, and names can be written.
func TestTable(t *testing.T) {
	for _, k := range Known() {
		if err := checkName(k.Section, k.Sub, k.Name); err != nil || k.Section != strings.ToLower(k.Section) || k.Help == "" {
			t.Errorf("%v: %v", k, err)
		}
		if got, ok := Lookup(strings.ToUpper(k.Section), k.Sub, strings.ToLower(k.Name)); !ok || got.String() != k.String() {
			t.Errorf("%v is looked up as %v", k, got)
		}
	}
}

func TestSplitName(t *testing.T) {
	for _, tt := range []struct{ full, section, sub, key string }{
		{"Core.Remote", "core", "", "remote"},
		{"remote.Or.ig.url", "remote", "Or.ig", "url"},
		{"dataset.a b/c.d.push", "dataset", "a b/c.d", "push"},
	} {
		section, sub, key, err := SplitName(tt.full)
		if err != nil || section != tt.section || sub != tt.sub || key != tt.key {
			t.Errorf("%s: %q %q %q %v", tt.full, section, sub, key, err)
		}
	}
	for _, bad := range []string{"", "core", ".x", "x.", "a..b", "a b.c", "a.b_c", "a.x\ny.c"} {
		if _, _, _, err := SplitName(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestParseInt(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "-3": -3, "10k": 10240, "2M": 2 << 20, "1g": 1 << 30} {
		if n, err := parseInt(s); n != want || err != nil {
			t.Errorf("%s: %d, %v", s, n, err)
		}
	}
	for _, bad := range []string{"", "k", "1kk", "1.5", "0x1", "8589934592g", "-8589934593g", "1 k"} {
		if n, err := parseInt(bad); err == nil {
			t.Errorf("%q is %d", bad, n)
		}
	}
}

func TestRedact(t *testing.T) {
	long := strings.Repeat("x", tokenLength)
	for _, tt := range []struct{ key, value, want string }{
		{"url", "s3://b/p", "s3://b/p"},
		{"url", "ssh://git@h/p", "ssh://git@h/p"},
		{"url", "https://me@h/p", "https://me@h/p"},
		{"url", "https://" + long + "@h/p", "https://***@h/p"},
		{"url", "ssh://" + long + "@h/p", "ssh://" + long + "@h/p"},
		{"url", "https://me:@h/p", "https://me:@h/p"},
		{"url", "https://me:pw@h:80/p", "https://me:***@h:80/p"},
		{"url", "https://me:p@w@h/p", "https://me:***@h/p"},
		{"url", "https://me:p/w@h/p", "https://me:***@h/p"},
		{"url", "https://me:p?w@h/p", "https://me:***@h/p"},
		{"url", "https://me:p#w@h/p", "https://me:***@h/p"},
		{"url", "https://me:p%w@h/p", "https://me:***@h/p"},
		{"url", "https://h:80/a@b", "https://h:80/a@b"},
		{"url", "https://[::1]:80/a@b", "https://[::1]:80/a@b"},
		{"url", "https://h/p?region=x&X-Amz-Signature=abc&x%2Damz-security%2Dtoken=d#f", "https://h/p?region=x&X-Amz-Signature=***&x%2Damz-security%2Dtoken=***#f"},
		{"url", "https://h/p?token=", "https://h/p?token="},
		{"accessKeyId", "AKIA", "AKIA"},
		{"secretAccessKey", "x", "***"},
		{"session-token", "x", "***"},
		{"Password", "x", "***"},
		{"clientsecretfile", "x", "***"},
	} {
		if got := Redact(tt.key, tt.value); got != tt.want {
			t.Errorf("%s=%s: %s", tt.key, tt.value, got)
		}
		if IsSecret(tt.key, tt.value) != (tt.want != tt.value) {
			t.Errorf("%s=%s: secret: %v", tt.key, tt.value, IsSecret(tt.key, tt.value))
		}
	}
}

// TestNoSecretIsPrinted formats what holds a secret in every way.
func TestNoSecretIsPrinted(t *testing.T) {
	c, err := Load(levelsOf(t, map[Level]string{Local: "[remote \"o\"]\nurl = https://u:hunter2@h\npassword = hunter2\n"}))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range c.All() {
		for _, s := range []string{fmt.Sprint(e), fmt.Sprintf("%v %+v %#v %s", e, &e, e, c), fmt.Sprintf("%v %+v %#v", c, c, c), fmt.Sprint(c.Warnings()), e.Shown()} {
			if strings.Contains(s, "hunter2") {
				t.Errorf("%s", s)
			}
		}
		if !strings.Contains(e.Value, "hunter2") {
			t.Errorf("the value itself is gone: %v", e)
		}
	}
}

func TestUserPath(t *testing.T) {
	home := t.TempDir()
	for _, tt := range [][3]string{
		{"", home, filepath.Join(home, ".config", "tarn", "config")},
		{home, "", filepath.Join(home, "tarn", "config")},
		{"rel", home, filepath.Join(home, ".config", "tarn", "config")},
		{"", "", ""},
	} {
		if got := UserPath(tt[0], tt[1]); got != tt[2] {
			t.Errorf("%q: %q", tt, got)
		}
	}
}
