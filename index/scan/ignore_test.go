package scan

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestIgnore(t *testing.T) {
	tests := []struct {
		rules string
		path  string // ends in '/' for a directory
		want  bool
	}{
		{"*.log", "a/b.log", true},
		{"*.log", "a/b.logs", false},
		{"*.log\n!b.log", "a/b.log", false},
		{"!b.log\n*.log", "a/b.log", true},
		{"tmp/", "a/tmp", false},
		{"tmp/", "a/tmp/", true},
		{"/a", "a", true},
		{"/a", "b/a", false},
		{"a/b", "c/a/b", false},
		{"**/a/b", "c/d/a/b", true},
		{"a/**/b", "a/b", true},
		{"a/**/b", "a/x/y/b", true},
		{"a/**", "a", false},
		{"a/**", "a/b", true},
		{"a/*", "a/b/c", false},
		{"x**y/z", "xay/z", true},
		{"[!a-c]x", "dx", true},
		{"[!a-c]x", "bx", false},
		{"[[:digit:]]", "7", true},
		{"[[:nonsense:]]", "7", false},
		{"[]-]", "]", true},
		{"[a", "[a", false},
		{`\#a`, "#a", true},
		{`\!a`, "!a", true},
		{"# a\n", "# a", false},
		{"a  \n", "a", true},
		{"a\\ \n", "a ", true},
		{"a\r\n", "a", true},
		{"a\r", "a\r", false},
		{"\xef\xbb\xbfa", "a", true},
		{`a\`, `a\`, false},
		{"", "a", false},
		{"/", "a/", false},
		{"*a*b*c*d*e*f*g*", strings.Repeat("a", 200), false},
		{"é?", "éa", true},
	}
	for _, tt := range tests {
		path, isDir := strings.CutSuffix(tt.path, "/")
		if got := (*Ignore)(nil).Add("", []byte(tt.rules)).Ignored(path, isDir); got != tt.want {
			t.Errorf("%q, path %q: ignored %v, want %v", tt.rules, tt.path, got, tt.want)
		}
	}
}

func TestHostileIgnoreIsFast(t *testing.T) {
	pattern := strings.Repeat("**/*a", 60) + "/b"
	path := strings.Repeat("aaaaaaaaaaaaaaa/", 250) + "c"
	start := time.Now()
	if (*Ignore)(nil).Add("", []byte(pattern)).Ignored(path, false) {
		t.Error("it matches")
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("one match took %v", d)
	}
}

func TestExplain(t *testing.T) {
	root := t.TempDir()
	write(t, root, ".tarnignore", "*.tmp\n/data/raw/\n")
	write(t, root, "data/.tarnignore", "# keep\n!keep.tmp\nraw/x\n")
	write(t, root, "data/raw/.tarnignore", "!*\n")
	if err := os.Symlink(filepath.Join(root, ".tarnignore"), filepath.Join(root, "data/raw/l")); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ path, want, dataset string }{
		{"a.tmp", ".tarnignore:1:*.tmp", ""},
		{"data/a.tmp", ".tarnignore:1:*.tmp", ""},
		{"data/keep.tmp", "data/.tarnignore:2:!keep.tmp", ""},
		{"data/raw/keep.tmp", ".tarnignore:2:/data/raw/", ""},
		{"data/raw", ".tarnignore:2:/data/raw/", ""},
		{"data/x", "", ""},
		{"none/x", "", ""},
		// Who made it a dataset wants it.
		{"a.tmp", "", "a.tmp"},
		{"data/raw", "", "data/raw"},
		{"data/raw/keep.tmp", "data/raw/.tarnignore:1:!*", "data/raw"},
		{"data/raw/keep.tmp", ".tarnignore:2:/data/raw/", "data"},
		{"data/raw", ".tarnignore:2:/data/raw/", "data"},
		{"data/raw/x", ".tarnignore:2:/data/raw/", "data/rawest"},
	}
	for _, tt := range tests {
		info, err := os.Lstat(filepath.Join(root, tt.path))
		rule, ok, err := Explain(root, tt.dataset, tt.path, err == nil && info.IsDir())
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if ok {
			got = fmt.Sprintf("%s:%d:%s", rule.File, rule.Line, rule.Pattern)
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.path, got, tt.want)
		}
	}
	if _, _, err := Explain(root, "", "../x", false); err == nil {
		t.Error("a path out of the repository was accepted")
	}
}

// TestIgnoreAgainstGit compares our decisions with those of git check-ignore: the same rules in nested ignore files, the same
// paths. Each case is a directory of one scratch repository, so that a whole batch takes one git process.
func TestIgnoreAgainstGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	batches, cases := 8, 100
	if testing.Short() {
		batches = 1
	}
	if s := os.Getenv("TARN_TEST_BATCHES"); s != "" {
		batches, _ = strconv.Atoi(s)
	}
	compared, decided := 0, 0
	for seed := range batches {
		c, d := compareWithGit(t, uint64(seed), cases)
		compared, decided = compared+c, decided+d
	}
	t.Logf("%d paths compared, a rule decided %d", compared, decided)
	if decided < compared/10 {
		t.Error("too few paths were decided by a rule")
	}
}

func compareWithGit(t *testing.T, seed uint64, cases int) (compared, decided int) {
	repo := t.TempDir()
	git(t, repo, nil, "init", "-q", "--template=")
	rng := rand.New(rand.NewPCG(seed, 1))
	write(t, repo, ".tarnignore", randomRules(rng))
	var paths []string
	for i := range cases {
		paths = append(paths, randomCase(t, rng, repo, fmt.Sprintf("c%d", i))...)
	}
	copyRules(t, repo)
	out := git(t, repo, []byte(strings.Join(paths, "\x00")), "check-ignore", "--no-index", "--stdin", "-z", "-v", "-n")
	fields := strings.Split(string(out), "\x00")
	if len(fields) != 4*len(paths)+1 {
		t.Fatalf("git answered %d fields for %d paths", len(fields), len(paths))
	}
	for i, path := range paths {
		want := strings.Join(fields[4*i:4*i+3], ":")
		want = strings.ReplaceAll(want, ".gitignore:", ".tarnignore:")
		if got := explained(t, repo, path); got != want {
			t.Errorf("seed %d, path %q: decided by %q, git says %q\n%s", seed, path, got, want, rulesAbove(repo, path))
		}
		if want != "::" {
			decided++
		}
	}
	return len(paths), decided
}

func explained(t *testing.T, repo, path string) string {
	info, err := os.Lstat(filepath.Join(repo, path))
	rule, ok, err := Explain(repo, "", path, err == nil && info.IsDir())
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		return "::"
	}
	return fmt.Sprintf("%s:%d:%s", rule.File, rule.Line, rule.Pattern)
}

func rulesAbove(repo, path string) string {
	var b strings.Builder
	for dir := path; dir != "."; {
		dir = filepath.Dir(dir)
		text, err := os.ReadFile(filepath.Join(repo, dir, IgnoreName))
		if err == nil {
			fmt.Fprintf(&b, "%s: %q\n", dir, text)
		}
	}
	return b.String()
}

// randomCase makes a directory with random directories and ignore files, and returns random paths in it.
func randomCase(t *testing.T, rng *rand.Rand, repo, name string) (paths []string) {
	dirs := []string{name}
	for range 6 {
		d := dirs[rng.IntN(len(dirs))] + "/" + randomName(rng)
		if os.MkdirAll(filepath.Join(repo, d), 0o755) == nil {
			dirs = append(dirs, d)
		}
	}
	for i, d := range dirs {
		if i == 0 || rng.IntN(4) == 0 {
			write(t, repo, d+"/.tarnignore", randomRules(rng))
		}
	}
	for range 50 {
		p := dirs[rng.IntN(len(dirs))]
		for range 1 + rng.IntN(3) {
			p += "/" + randomName(rng)
		}
		paths = append(paths, p)
	}
	return append(paths, dirs...)
}

func copyRules(t *testing.T, repo string) {
	out, err := exec.Command("find", repo, "-name", IgnoreName, "-print0").Output()
	if err != nil {
		t.Fatal(err)
	}
	for path := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if err := os.Link(path, filepath.Join(filepath.Dir(path), ".gitignore")); err != nil {
			t.Fatal(err)
		}
	}
}

// The names and patterns come from small alphabets, so that they often meet.
var (
	nameParts    = []string{"a", "b", "a", "b", "ab", "foo", ".log", "x", "-", "]", "[", "!", " ", "\\", "*", "A", "7", "é", "\t", "\v", "#", "^", ":", "\x80", ".", "\r"}
	patternParts = []string{"a", "b", "a", "b", "ab", "foo", ".log", "x", "*", "*", "*", "**", "/", "/", "/", "**/", "/**", "?", "?",
		"[ab]", "[!a]", "[^b]", "[a-f]", "[[:alpha:]]", "[[:space:]]", "[[:punct:]]", "[![:digit:]a]", "[]]", "[]-a]", "[a-]", "[\\]]", "[[:x:]]", "[[:", "[a", "[!", "[a-\\f]", "[[-a]",
		"[[:upper:][:digit:]-]", "[a/b]", "[[:cntrl:]]", "[[:graph:]]", "[[:print:]]", "[[:xdigit:]]", "[[:alnum:]]", "[[:blank:]]", "[[:lower:]]", "[[:]", "[[::]]",
		"\\", "\\*", "\\a", "\\ ", " ", "!", "#", "]", "-", "A", "7", "é", "\t", "\r", "\\/", "***", "**a", "a**", ".", "^", "\x80", "\x00"}
)

func randomName(rng *rand.Rand) string {
	for {
		s := ""
		for range 1 + rng.IntN(3) {
			s += nameParts[rng.IntN(len(nameParts))]
		}
		if s != "." && s != ".." {
			return s
		}
	}
}

func randomRules(rng *rand.Rand) string {
	var b strings.Builder
	if rng.IntN(20) == 0 {
		b.WriteString("\xef\xbb\xbf")
	}
	for n := rng.IntN(6); n >= 0; n-- {
		if rng.IntN(5) == 0 {
			b.WriteByte('!')
		}
		for range 1 + rng.IntN(5) {
			b.WriteString(patternParts[rng.IntN(len(patternParts))])
		}
		if rng.IntN(6) == 0 {
			b.WriteByte('/')
		}
		b.WriteString([]string{"\n", "\n", "\n", "\n", "\r\n", " \n", "\\ \n", "\n\n"}[rng.IntN(8)])
	}
	s := b.String()
	if rng.IntN(4) == 0 {
		s = strings.TrimSuffix(s, "\n")
	}
	return s
}

func FuzzIgnore(f *testing.F) {
	f.Add([]byte("*.log\n!a/**/b\r\n[[:alpha:]]/\n\\ "), "a/b/c.log", true)
	f.Add([]byte("\xef\xbb\xbf#x\n[!a-\\]]\n**"), "x", false)
	rng := rand.New(rand.NewPCG(7, 7))
	for range 20 {
		f.Add([]byte(randomRules(rng)), randomName(rng)+"/"+randomName(rng), rng.IntN(2) == 0)
	}
	f.Fuzz(func(t *testing.T, text []byte, path string, isDir bool) {
		if len(text) > 1<<12 || len(path) > 1<<10 {
			return
		}
		g := (*Ignore)(nil).Add("", text)
		rule, ok := g.Decide(path, isDir)
		if g.Ignored(path, isDir) != (ok && !rule.Negated) {
			t.Fatalf("Ignored and Decide differ for %q", path)
		}
		if !ok {
			return
		}
		if _, again := (*Ignore)(nil).Add("", []byte("\n"+rule.Pattern+"\r\n")).Decide(path, isDir); !again {
			t.Fatalf("rule %q decided about %q, but not alone", rule.Pattern, path)
		}
		if lines := bytes.Count(text, []byte{'\n'}) + 1; rule.Line < 1 || rule.Line > lines {
			t.Fatalf("line %d of %d", rule.Line, lines)
		}
	})
}

func BenchmarkIgnore(b *testing.B) {
	g := (*Ignore)(nil).Add("", []byte("*.log\n*.tmp\n__pycache__/\n.DS_Store\n/data/cache/\n*.py[co]\nbuild\n"))
	for b.Loop() {
		g.Ignored("data/images/train/0001.jpg", false)
	}
}

// write makes a file and the directories above it.
func write(t testing.TB, root, path, text string) {
	t.Helper()
	full := filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func git(t *testing.T, dir string, stdin []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "core.excludesFile=", "-c", "core.ignoreCase=false"}, args...)...)
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(stdin)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "GIT_") }),
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil && (args[0] != "check-ignore" || !errors.As(err, &exit) || exit.ExitCode() != 1) {
		t.Fatalf("git %v: %v\n%s", args, err, stderr.Bytes())
	}
	return out
}
