package index

import (
	"errors"
	"strings"
	"testing"
)

func TestForbiddenName(t *testing.T) {
	bad := []string{
		".git", ".GIT", ".gIt", ".tarn", ".TaRn", ".git.", ".git ", ".git . .", ".tarn.. ", ".git::$INDEX_ALLOCATION", ".git:x", ".git . :x",
		"git~1", "GIT~1", "git~1.", "git~1:x", "tarn~1", "Tarn~1 ", ".g\u200cit", "\u200e.git", ".git\ufeff", "\ufeff.tarn", ".ta\u206arn", ".git\u202e. ",
		`.git\hooks`, `a\.git`, `a\.GIT \x`, `\git~1`, "a\\\u200d.tarn",
	}
	for _, name := range bad {
		if !ForbiddenName(name) {
			t.Errorf("%q is allowed", name)
		}
	}
	good := []string{
		"", "git", "tarn", ".gi", ".gitt", ".gitignore", ".gitattributes", ".gitmodules", ".tarnignore", "..git", "x.git", " .git", "git~2", "git~10",
		"agit~1", ".tar", ".tarns", "a:.git", ".gi\u200bt", "é", `a\b`, `.gitx\y`, ".gıt", ".g it", "a.tarn",
	}
	for _, name := range good {
		if ForbiddenName(name) {
			t.Errorf("%q is forbidden", name)
		}
	}
}

func TestCheckPath(t *testing.T) {
	long := strings.Repeat("a/", MaxPath/2)
	good := []string{"a", "a/", "a/b", "a/b/c/", "...", ".a", " ", "a ", "\n", "\xff", `"`, `\`, "é", long, long[:MaxPath-1], "x/.gitignore", "a:b", ".git2/x"}
	for _, p := range good {
		if err := CheckPath(p); err != nil {
			t.Errorf("%.80q: %.200v", p, err)
		}
	}
	bad := []string{
		"", "/", "/a", "a//", "a//b", "//", ".", "./", "..", "./a", "a/.", "a/./b", "../a", "a/..", "a/../b", "a\x00b", long + "a",
		".git", ".git/config", "a/.GIT/x", "a/git~1", ".tarn/config", "a/b/.tarn/", "a/.git .",
	}
	for _, p := range bad {
		if CheckPath(p) == nil {
			t.Errorf("%q is allowed", p)
		}
	}
}

func TestCheckTarget(t *testing.T) {
	good := []struct{ path, target string }{
		{"l", "a"}, {"l", "."}, {"l", "./a"}, {"l", "a/.."}, {"a/l", ".."}, {"a/l", "../b"}, {"a/b/l", "../../c"}, {"a/l", "x/../../y"}, {"l", "a//b/"},
		{"l", "x/.gitignore"}, {"l", `a\b`}, {"a/l", `..\b`}, {"l", "\xff\n"}, {"l", "l"}, {"l", "ab:c"}, {"l", "1:c"},
		{"l", strings.Repeat("a/", MaxPath/2)},
	}
	for _, c := range good {
		if err := CheckTarget(c.path, c.target); err != nil {
			t.Errorf("%q -> %q: %v", c.path, c.target, err)
		}
	}
	outside := []struct{ path, target string }{
		{"l", ".."}, {"l", "/"}, {"l", "/etc/passwd"}, {"l", "../a"}, {"a/l", "../.."}, {"a/l", "../../a"}, {"l", "a/../.."}, {"l", "a/../../l"},
		{"a/b/l", "../../../x"}, {"l", ".git"}, {"l", ".GIT/config"}, {"a/l", "../.tarn/x"}, {"l", "a/../.git "}, {"l", `..\a`}, {"l", `\a`},
		{"a/l", `..\..\a`}, {"l", `a\.git`}, {"l", "C:"}, {"l", `c:\x`}, {"l", "c:x"}, {"l", `a\..\..`},
	}
	for _, c := range outside {
		if err := CheckTarget(c.path, c.target); !errors.Is(err, ErrOutside) {
			t.Errorf("%q -> %q: %v", c.path, c.target, err)
		}
	}
	for _, target := range []string{"", "a\x00", strings.Repeat("a", MaxPath+1)} {
		if err := CheckTarget("l", target); err == nil || errors.Is(err, ErrOutside) {
			t.Errorf("%.10q: %v", target, err)
		}
	}
}
