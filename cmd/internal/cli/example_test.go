package cli

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

const root = "../../.."

// shell runs scripts as CI does: in a directory, with a home and a Git configuration of its own.
type shell struct {
	t   *testing.T
	dir string
	env []string
}

func newShell(t *testing.T, programs ...string) *shell {
	if runtime.GOOS == "windows" {
		t.Skip("scripts for a POSIX shell")
	}
	for _, p := range append(programs, "git", "bash") {
		if _, err := exec.LookPath(p); err != nil {
			t.Skip(p + " is not installed")
		}
	}
	home := t.TempDir()
	config := filepath.Join(home, "gitconfig")
	if err := os.WriteFile(config, []byte(gitconfig), 0o666); err != nil {
		t.Fatal(err)
	}
	s := &shell{t: t, dir: t.TempDir(), env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_CONFIG_HOME=" + home, "TARN_CONFIG_SYSTEM=" + filepath.Join(home, "system"),
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + config, "NO_COLOR=1", "LC_ALL=C.UTF-8"}}
	return s
}

// try runs a script, and gives what it writes and its exit code. Later variables count.
func (s *shell) try(script string, env ...string) (string, int) {
	s.t.Helper()
	cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = s.dir, append(append([]string{}, s.env...), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// run runs a script that must go well.
func (s *shell) run(script string, env ...string) string {
	s.t.Helper()
	out, code := s.try(script, env...)
	if code != 0 {
		s.t.Fatalf("%s\nexit code %d:\n%s", script, code, out)
	}
	return out
}

var wantedCode = regexp.MustCompile(`\s+# exit code (\d+)$`)

// follow runs what a document says that one may type, and looks for the output that it shows, line by line.
func (s *shell) follow(document string) {
	s.t.Helper()
	for _, block := range fenced(document, "console") {
		out := ""
		for _, line := range strings.Split(strings.TrimSpace(block), "\n") {
			command, is := strings.CutPrefix(line, "$ ")
			if !is {
				if !strings.Contains(out, strings.TrimRight(line, " ")) {
					s.t.Errorf("%q is not in the output:\n%s", line, out)
				}
				continue
			}
			want, code := 0, 0
			if m := wantedCode.FindStringSubmatch(command); m != nil {
				want, _ = strconv.Atoi(m[1])
			}
			if out, code = s.try(command); code != want {
				s.t.Fatalf("%s\nexit code %d, not %d:\n%s", command, code, want, out)
			}
		}
	}
}

// fenced are the blocks of a language in Markdown.
func fenced(document, language string) (blocks []string) {
	for _, b := range strings.Split("\n"+document, "\n```"+language+"\n")[1:] {
		text, _, _ := strings.Cut(b, "\n```")
		blocks = append(blocks, text+"\n")
	}
	return blocks
}

func readText(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// copyExample makes the shell's directory a copy of the example.
func (s *shell) copyExample() {
	s.t.Helper()
	s.dir = filepath.Join(s.dir, "houses")
	if err := os.CopyFS(s.dir, os.DirFS(filepath.Join(root, "testdata", "example"))); err != nil {
		s.t.Fatal(err)
	}
}

// TestExample runs testdata/example as its README says.
func TestExample(t *testing.T) {
	if testing.Short() {
		t.Skip("runs tarn many times")
	}
	t.Parallel()
	s := newShell(t, "awk")
	s.copyExample()
	s.follow(readText(t, "testdata/example/README.md"))
	// The bad data trained nothing.
	if got := s.run("git tag --list 'model-*' --format '%(refname:short)'; git status --short"); got != "model-1\nmodel-2\nmodel-3\n" {
		t.Errorf("tags and what is not committed: %s", got)
	}
}
