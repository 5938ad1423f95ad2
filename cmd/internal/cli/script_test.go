package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write the golden files of scripts anew")

const scriptDir = "../../../testdata/script"

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"tarn": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			context.AfterFunc(ctx, stop)
			os.Exit(Main(ctx, os.Args[1:], Process()))
		},
	})
}

// TestScript runs what users type: testdata/script/*.txtar, each in a directory, with a home and a Git configuration of its own.
func TestScript(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	var s3 s3Scripts
	t.Cleanup(s3.close)
	params := testscript.Params{
		Dir:   scriptDir,
		Setup: scriptSetup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"repo": cmdRepo, "commit": cmdCommit, "mkfiles": cmdMkfiles, "mktable": cmdMktable, "oddfiles": cmdOddfiles, "cmpdir": cmdCmpdir, "inode": cmdInode, "sameinode": cmdSameInode,
			"flip": cmdFlip, "exitcode": cmdExitcode, "fifo": cmdFifo, "touchback": cmdTouchback, "golden": cmdGolden, "sleep": cmdSleep, "glob": cmdGlob, "webserver": cmdWebserver,
			"s3server": s3.cmdServer, "s3requests": cmdS3Requests, "s3wait": cmdS3Wait, "s3bytes": cmdS3Bytes,
		},
		Condition: scriptCondition,
	}
	if testing.Short() { // those in which much runs at once, or that read the most
		params.Dir = ""
		for _, name := range []string{"check", "checkout", "diff_pages", "fetch_parts", "get", "http", "interrupt", "json", "no_cache", "pages", "push_pull", "resolve", "s3_together", "shared_cache", "to_remote"} {
			params.Files = append(params.Files, filepath.Join(scriptDir, name+".txtar"))
		}
	}
	testscript.Run(t, params)
}

const gitconfig = "[init]\n\tdefaultBranch = main\n[user]\n\tname = Test\n\temail = test@example.com\n[advice]\n\tdetachedHead = false\n[core]\n\tautocrlf = false\n"

func scriptSetup(e *testscript.Env) error {
	home := filepath.Join(e.WorkDir, ".home")
	if err := os.MkdirAll(filepath.Join(home, "config"), 0o777); err != nil {
		return err
	}
	for k, v := range map[string]string{
		"HOME": home, "XDG_CONFIG_HOME": filepath.Join(home, "config"), "TARN_CONFIG_SYSTEM": filepath.Join(home, "system"), "GIT_CONFIG_NOSYSTEM": "1",
		"GIT_CONFIG_GLOBAL": filepath.Join(home, "gitconfig"), "NO_COLOR": "1", "GIT_CEILING_DIRECTORIES": filepath.Dir(e.WorkDir),
		"GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
	} {
		e.Setenv(k, v)
	}
	e.Values[seenKey{}] = map[string]fs.FileInfo{}
	return os.WriteFile(filepath.Join(home, "gitconfig"), []byte(gitconfig), 0o666)
}

func scriptCondition(cond string) (bool, error) {
	switch cond {
	case "root":
		return os.Geteuid() == 0, nil
	case "boto3": // a Python that has it
		return os.Getenv("TARN_TEST_BOTO3") != "", nil
	}
	return false, fmt.Errorf("unknown condition %q", cond)
}

type seenKey struct{}

// usage ends the script unless a command was called as it should be.
func usage(ts *testscript.TestScript, ok bool, how string) {
	if !ok {
		ts.Fatalf("usage: %s", how)
	}
}

func run(ts *testscript.TestScript, name string, args ...string) {
	if err := ts.Exec(name, args...); err != nil {
		ts.Fatalf("%s %q: %v", name, args, err)
	}
}

// repo DIR makes a Git repository with tarn in it, all committed.
func cmdRepo(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "repo DIR")
	run(ts, "git", "init", "-q", args[0])
	run(ts, "tarn", "-C", args[0], "init")
	run(ts, "git", "-C", args[0], "add", "-A")
	run(ts, "git", "-C", args[0], "commit", "-q", "-m", "start")
}

// commit MESSAGE commits all that Git does not ignore.
func cmdCommit(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "commit MESSAGE")
	run(ts, "git", "add", "-A")
	run(ts, "git", "commit", "-q", "-m", args[0])
}

// mkfiles DIR N SIZE [SEED] writes N files DIR/NNNN.bin of SIZE bytes that don't compress, the same for the same seed.
func cmdMkfiles(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && (len(args) == 3 || len(args) == 4), "mkfiles DIR N SIZE [SEED]")
	var nums []int
	for _, a := range args[1:] {
		n, err := strconv.Atoi(a)
		ts.Check(err)
		nums = append(nums, n)
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o777))
	seed := append(nums, 0)[2]
	for i := range nums[0] {
		r := rand.New(rand.NewPCG(uint64(seed), uint64(i)))
		b := make([]byte, nums[1])
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		ts.Check(os.WriteFile(filepath.Join(dir, fmt.Sprintf("%04d.bin", i)), b, 0o666))
	}
}

// mktable FILE ROWS [SHIFT] writes a CSV with the columns id, v and state; SHIFT is added to each v, whose values are 0 to 96.
func cmdMktable(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && (len(args) == 2 || len(args) == 3), "mktable FILE ROWS [SHIFT]")
	nums := []int{0, 0}
	for i, a := range args[1:] {
		n, err := strconv.Atoi(a)
		ts.Check(err)
		nums[i] = n
	}
	b := []byte("id,v,state\n")
	for i := range nums[0] {
		b = fmt.Appendf(b, "%d,%d,%s\n", i, i*41%97+nums[1], []string{"open", "paid", "sent"}[i%3])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o666))
}

// oddfiles DIR writes files whose names are hard.
func cmdOddfiles(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "oddfiles DIR")
	dir := ts.MkAbs(args[0])
	for i, name := range []string{
		" space at both ends ", "two  spaces", "ünïcödé 漢字 🐟", "new\nline", "tab\there", "not\xffutf8\xc3", `"quoted"`, `back\slash`, "'single'", "-dash", "--force", "#hash", "!bang",
		"*star?", "[set]", "$HOME", "nel\u0085", "sep\u2028", "del\x7f", strings.Repeat("n", 255), "d " + strings.Repeat("é", 100) + "/ inner", "...", "..a", "a.", "~", "con", "%41", "a:b",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		ts.Check(os.MkdirAll(filepath.Dir(file), 0o777))
		ts.Check(os.WriteFile(file, fmt.Appendf(nil, "odd %d\n", i), 0o666))
	}
}

// tree describes all that is below a directory: kind, executable or not, bytes or target.
func tree(top string) (map[string]string, error) {
	m := map[string]string{}
	return m, filepath.WalkDir(top, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(top, p)
		switch {
		case e.IsDir():
			m[rel] = "directory"
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			m[rel] = "link to " + target
			return err
		case info.Mode().IsRegular():
			b, err := os.ReadFile(p)
			m[rel] = fmt.Sprintf("exec=%t %s", info.Mode()&0o100 != 0, b)
			return err
		default:
			m[rel] = info.Mode().String()
		}
		return nil
	})
}

// cmpdir A B compares two trees: names, kinds, executable bits, bytes.
func cmdCmpdir(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2, "[!] cmpdir A B")
	a, err := tree(ts.MkAbs(args[0]))
	ts.Check(err)
	b, err := tree(ts.MkAbs(args[1]))
	ts.Check(err)
	var diff []string
	for p, x := range a {
		if y, ok := b[p]; !ok {
			diff = append(diff, fmt.Sprintf("%q only in %s", p, args[0]))
		} else if x != y {
			diff = append(diff, fmt.Sprintf("%q differs: %.60q, %.60q", p, x, y))
		}
	}
	for p := range b {
		if _, ok := a[p]; !ok {
			diff = append(diff, fmt.Sprintf("%q only in %s", p, args[1]))
		}
	}
	if neg && len(diff) == 0 {
		ts.Fatalf("%s and %s are the same", args[0], args[1])
	}
	if !neg && len(diff) > 0 {
		ts.Fatalf("%s", strings.Join(diff, "\n"))
	}
}

// inode FILE NAME remembers inode and mtime of FILE as NAME.
func cmdInode(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "inode FILE NAME")
	info, err := os.Lstat(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Value(seenKey{}).(map[string]fs.FileInfo)[args[1]] = info
}

// sameinode FILE NAME fails unless FILE has the inode and mtime that were remembered.
func cmdSameInode(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2, "[!] sameinode FILE NAME")
	old := ts.Value(seenKey{}).(map[string]fs.FileInfo)[args[1]]
	usage(ts, old != nil, "inode FILE "+args[1]+" first")
	now, err := os.Lstat(ts.MkAbs(args[0]))
	ts.Check(err)
	if same := os.SameFile(old, now) && old.ModTime().Equal(now.ModTime()); same == neg {
		ts.Fatalf("%s: same inode and mtime: %t", args[0], same)
	}
}

// flip FILE OFFSET changes a byte; a negative offset counts from the end.
func cmdFlip(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "flip FILE OFFSET")
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	file := ts.MkAbs(args[0])
	b, err := os.ReadFile(file)
	ts.Check(err)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 0x40
	ts.Check(os.Chmod(file, 0o644))
	ts.Check(os.WriteFile(file, b, 0o644))
}

// exitcode N PROGRAM ARG… fails unless the program exits with N.
func cmdExitcode(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 2, "exitcode N PROGRAM ARG…")
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("%v: exit code %d, not %s", args[1:], code, args[0])
	}
}

// webserver DIR serves a directory, and sets $WEB to its URL.
func cmdWebserver(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "webserver DIR")
	s := httptest.NewServer(http.FileServer(http.Dir(ts.MkAbs(args[0]))))
	ts.Defer(s.Close)
	ts.Setenv("WEB", s.URL)
}

// fifo FILE makes a named pipe.
func cmdFifo(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "fifo FILE")
	run(ts, "mkfifo", args[0])
}

// touchback FILE changes a byte of a file and gives it the mtime back that it had.
func cmdTouchback(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "touchback FILE")
	file := ts.MkAbs(args[0])
	info, err := os.Stat(file)
	ts.Check(err)
	b, err := os.ReadFile(file)
	ts.Check(err)
	b[0] ^= 1
	ts.Check(os.WriteFile(file, b, 0o666))
	ts.Check(os.Chtimes(file, info.ModTime(), info.ModTime()))
}

// sleep SECONDS: a file is trusted only once it is two seconds old.
func cmdSleep(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "sleep SECONDS")
	s, err := strconv.ParseFloat(args[0], 64)
	ts.Check(err)
	time.Sleep(time.Duration(s * float64(time.Second)))
}

// glob NAME PATTERN [N] sets the variable NAME to the first file that matches; with N there must be exactly so many.
func cmdGlob(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && (len(args) == 2 || len(args) == 3), "glob NAME PATTERN [N]")
	found, err := filepath.Glob(ts.MkAbs(args[1]))
	ts.Check(err)
	if len(args) == 3 && strconv.Itoa(len(found)) != args[2] {
		ts.Fatalf("%s matches %d files, not %s", args[1], len(found), args[2])
	}
	first := ""
	if len(found) > 0 {
		first = found[0]
	}
	ts.Setenv(args[0], first)
}

var varies = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`"(seconds|requests|bytes_transferred)":[0-9.e+-]+`), `"$1":0`},
	{regexp.MustCompile(`"(version|go|platform)":"[^"]*"`), `"$1":""`},
	{regexp.MustCompile(`"(from|to|commit)":"[0-9a-f]{40}"`), `"$1":"COMMIT"`},
	{regexp.MustCompile(`(?m)^(commit )?[0-9a-f]{10} `), "${1}COMMIT "},
	{regexp.MustCompile(`"revision":"[0-9a-f]+",|"modified":true,`), ""},
	{regexp.MustCompile(`[0-9.]+ m?s\b(, [0-9.]+ [KMGT]?i?B/s)?`), "TIME"},
}

// golden FILE compares the last stdout with a file of the script, without what differs from run to run; go test -update writes it.
func cmdGolden(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "golden FILE")
	got := strings.ReplaceAll(ts.ReadFile("stdout"), ts.Getenv("WORK"), "WORK")
	for _, v := range varies {
		got = v.what.ReplaceAllString(got, v.as)
	}
	if *update {
		ts.Check(updateGolden(filepath.Join(scriptDir, ts.Name()+".txtar"), args[0], got))
		return
	}
	if want := ts.ReadFile(filepath.Join(ts.Getenv("WORK"), args[0])); got != want {
		ts.Fatalf("stdout is not as in %s:\n%s\nbut:\n%s", args[0], want, got)
	}
}

func updateGolden(script, name, text string) error {
	b, err := os.ReadFile(script)
	if err != nil {
		return err
	}
	head, rest, ok := bytes.Cut(b, []byte("-- "+name+" --\n"))
	if !ok {
		return fmt.Errorf("%s has no file %s", script, name)
	}
	end := bytes.Index(append([]byte("\n"), rest...), []byte("\n-- "))
	if end < 0 {
		end = len(rest)
	}
	return os.WriteFile(script, []byte(string(head)+"-- "+name+" --\n"+text+string(rest[end:])), 0o666)
}
