package scan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"tarn/index"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines are what a walk yields, as "kind path" or "! path", and its warnings as "w path".
func lines(t testing.TB, o Options) []string {
	t.Helper()
	var got, warned []string
	o.Warn = func(path, why string) { warned = append(warned, "w "+path) }
	for f, err := range Walk(t.Context(), o) {
		if err != nil {
			got = append(got, "! "+f.Path)
			continue
		}
		got = append(got, fmt.Sprintf("%c %s", f.Kind, f.Path))
	}
	slices.Sort(warned)
	return append(got, warned...)
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestWalk(t *testing.T) {
	root := t.TempDir()
	for _, path := range []string{"a/x", "a-b", "a.txt", "a0", "b/c/d", "keep.tmp", "z.tmp", "ign/x/y", "onlyignored/k.tmp",
		"repo/.git/config", "repo/file", ".tarn/config", "sub/.TARN/x", ".tarn-tmp-0123456789abcdef", "tmp-0123456789abcdef",
		"almost/.tarn-tmp-0123456789abcdef", "é\x80\n", "sub/.gitx"} {
		write(t, root, path, path)
	}
	write(t, root, ".tarnignore", "*.tmp\n!/keep.tmp\nign/\n")
	write(t, root, "b/.tarnignore", "/c/d\n")
	for _, dir := range []string{"empty", "nested/empty"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Chmod(filepath.Join(root, "a/x"), 0o755), os.Symlink("../a", filepath.Join(root, "b/link"))); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"f .tarnignore", "f a-b", "f a.txt", "x a/x", "f a0", "d almost/", "f b/.tarnignore", "l b/link", "d empty/", "f keep.tmp",
		"d nested/empty/", "f repo/file", "f sub/.gitx", "f tmp-0123456789abcdef", "f é\x80\n",
		"w .tarn", "w repo/.git", "w sub/.TARN",
	}
	if runtime.GOOS == "windows" {
		t.Skip("names and modes of Unix")
	}
	for workers := 1; workers <= 4; workers++ {
		same(t, lines(t, Options{Root: root, Workers: workers}), want)
	}
}

func TestWalkTemps(t *testing.T) {
	root := t.TempDir()
	for _, path := range []string{"a", ".tarn-tmp-0123456789abcdef", "b/.tarn-tmp-0123456789abcde0", "c/.tarn-tmp-1", "c/tmp-0123456789abcdef"} {
		write(t, root, path, path)
	}
	var temps []string
	same(t, lines(t, Options{Root: root, Temp: func(p string) { temps = append(temps, "t "+p) }}), []string{"f a", "d b/", "f c/.tarn-tmp-1", "f c/tmp-0123456789abcdef"})
	same(t, temps, []string{"t .tarn-tmp-0123456789abcdef", "t b/.tarn-tmp-0123456789abcde0"})
}

func TestWalkRulesFromAbove(t *testing.T) {
	repo := t.TempDir()
	write(t, repo, ".tarnignore", "/sets/one/*.a\n*.b\n")
	write(t, repo, "sets/.tarnignore", "one/d/\n!one/k.b\none\n")
	for _, name := range []string{"x.a", "d/x", "e/x.a", "k.b", "e/k.b"} {
		write(t, repo, "sets/one/"+name, "")
	}
	rules, err := LoadIgnore(repo, "sets/one")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Root: filepath.Join(repo, "sets/one"), Name: "sets/one", Ignore: rules}
	same(t, lines(t, o), []string{"f e/x.a", "f k.b"})
}

func TestWalkRoot(t *testing.T) {
	root := t.TempDir()
	write(t, root, "dir/f", "")
	write(t, root, "run.sh", "")
	err := errors.Join(os.Chmod(filepath.Join(root, "run.sh"), 0o755), os.Symlink("dir", filepath.Join(root, "link")), os.Mkdir(filepath.Join(root, "empty"), 0o755))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		want error
	}{{"link", ErrSymlink}, {"none", fs.ErrNotExist}, {"dir/f/x", nil}}
	for _, tt := range tests {
		n := 0
		for f, err := range Walk(t.Context(), Options{Root: filepath.Join(root, tt.name)}) {
			if n++; f.Path != "." || err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("%s: %q, %v; want %v", tt.name, f.Path, err, tt.want)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d items, want 1", tt.name, n)
		}
	}
	same(t, lines(t, Options{Root: filepath.Join(root, "run.sh")}), []string{"x ."})
	same(t, lines(t, Options{Root: filepath.Join(root, "run.sh"), KeepExec: func(string) bool { return false }}), []string{"f ."})
	same(t, lines(t, Options{Root: filepath.Join(root, "empty")}), nil)
}

func TestWalkSpecialFiles(t *testing.T) {
	root, err := os.MkdirTemp("", "scan") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(root)
	makeFifo(t, filepath.Join(root, "fifo"))
	makeFifo(t, filepath.Join(root, "d", "fifo"))
	l, err := net.Listen("unix", filepath.Join(root, "sock"))
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	write(t, root, "f", "")
	if err := os.Symlink("f", filepath.Join(root, ".tarnignore")); err != nil {
		t.Fatal(err)
	}
	same(t, lines(t, Options{Root: root}), []string{"l .tarnignore", "f f", "w .tarnignore", "w d/fifo", "w fifo", "w sock"})
}

// reference is the walk by other means: all paths, sorted, with the rules asked for each path and each directory above it.
func reference(t *testing.T, root string) (want []string) {
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, path)
		if err != nil || rel == "." {
			return err
		}
		rule, ok, err := Explain(root, "", rel, d.IsDir())
		if err != nil {
			return err
		}
		if ignored := ok && !rule.Negated; ignored {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			if in, err := os.ReadDir(path); err != nil || len(in) > 0 {
				return err
			}
			want = append(want, rel+"/ d")
		case d.Type() == fs.ModeSymlink:
			want = append(want, rel+" l")
		case info.Mode()&0o111 != 0:
			want = append(want, rel+" x")
		default:
			want = append(want, rel+" f")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(want, func(a, b string) int { return strings.Compare(a[:len(a)-2], b[:len(b)-2]) })
	return want
}

func walked(t *testing.T, o Options) (got []string) {
	for f, err := range Walk(t.Context(), o) {
		if err != nil {
			t.Fatal(f.Path, err)
		}
		info, err := os.Lstat(filepath.Join(o.Root, f.Path))
		if err != nil {
			t.Fatal(err)
		}
		if st := infoStat(info); st != f.Stat {
			t.Fatalf("%s: stat %+v, want %+v", f.Path, f.Stat, st)
		}
		if target, _ := os.Readlink(filepath.Join(o.Root, f.Path)); f.Kind == index.Link && f.Target != target {
			t.Fatalf("%s: target %q, want %q", f.Path, f.Target, target)
		}
		got = append(got, fmt.Sprintf("%s %c", f.Path, f.Kind))
	}
	return got
}

func randomTree(t *testing.T, rng *rand.Rand, root string) {
	dirs := []string{""}
	for range 10 + rng.IntN(150) {
		path := dirs[rng.IntN(len(dirs))] + randomName(rng)
		full := filepath.Join(root, path)
		if _, err := os.Lstat(full); err == nil {
			continue
		}
		var err error
		switch rng.IntN(8) {
		case 0, 1:
			if err = os.Mkdir(full, 0o755); err == nil {
				dirs = append(dirs, path+"/")
			}
		case 2:
			err = os.Symlink(strings.Repeat("x", 1+rng.IntN(600)), full)
		case 3:
			err = os.WriteFile(full, nil, 0o755)
		case 4:
			if rng.IntN(4) == 0 {
				write(t, root, filepath.Join(filepath.Dir(path), IgnoreName), randomRules(rng))
			}
		default:
			err = os.WriteFile(full, []byte(path), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestWalkIsSortedAndComplete(t *testing.T) {
	for seed := range uint64(60) {
		root := t.TempDir()
		rng := rand.New(rand.NewPCG(seed, 2))
		randomTree(t, rng, root)
		want := reference(t, root)
		got := walked(t, Options{Root: root, Workers: 1 + int(seed)%5})
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("seed %d (-want +got)\n%s", seed, d)
		}
		for _, at := range got {
			checkPrefixes(t, root, at[:len(at)-2], got)
		}
	}
}

// checkPrefixes compares the walks below path and each directory above it with what the whole walk yielded there.
func checkPrefixes(t *testing.T, root, path string, all []string) {
	for prefix := strings.TrimSuffix(path, "/"); prefix != "."; prefix = filepath.Dir(prefix) {
		var want []string
		for _, line := range all {
			if rest, ok := strings.CutPrefix(line[:len(line)-2], prefix); ok && (rest == "" || rest[0] == '/') {
				want = append(want, line)
			}
		}
		if d := cmp.Diff(want, walked(t, Options{Root: root, Prefix: prefix})); d != "" {
			t.Fatalf("prefix %q (-want +got)\n%s", prefix, d)
		}
	}
}

func TestWalkPrefixThatIsNotThere(t *testing.T) {
	root := t.TempDir()
	write(t, root, "a/f", "")
	write(t, root, "ign/f", "")
	write(t, root, ".git/f", "")
	write(t, root, ".tarnignore", "ign\n")
	if err := os.Symlink("a", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"b", "a/g", "a/f/g", "a/f/", "ign", "ign/f", "link/f", "b/c/d"} {
		same(t, lines(t, Options{Root: root, Prefix: prefix}), nil)
	}
	same(t, lines(t, Options{Root: root, Prefix: ".git/f"}), []string{"w .git"})
	same(t, lines(t, Options{Root: root, Prefix: "a/"}), []string{"f a/f"})
	same(t, lines(t, Options{Root: root, Prefix: "link"}), []string{"l link"})
	for _, prefix := range []string{"..", "/a", "a//f", "a/../a"} {
		same(t, lines(t, Options{Root: root, Prefix: prefix}), []string{"! ."})
	}
}

// bigTree has directories of more than one chunk, and directories among their files.
func bigTree(t *testing.T) (root string, want []string) {
	root = t.TempDir()
	for d := range 3 {
		for i := range 2200 {
			dir := fmt.Sprintf("d%d", d)
			path := fmt.Sprintf("%s/f%04d", dir, i)
			if i%200 == 0 {
				path += "/x"
			}
			write(t, root, path, "")
			want = append(want, "f "+path)
		}
	}
	return root, want
}

func TestWalkLargeDirectories(t *testing.T) {
	root, want := bigTree(t)
	for _, workers := range []int{1, 2, 8} {
		same(t, lines(t, Options{Root: root, Workers: workers}), want)
	}
}

func TestWalkEndsEarly(t *testing.T) {
	root, want := bigTree(t)
	before := openFiles()
	for _, stop := range []int{1, 2, 100, 1500, 2201, 6000} {
		n := 0
		for range Walk(t.Context(), Options{Root: root, Workers: 4}) {
			if n++; n == stop {
				break
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		n = 0
		var last error
		for _, err := range Walk(ctx, Options{Root: root, Workers: 4}) {
			if n++; n == stop {
				cancel()
			}
			last = err
		}
		if cancel(); !errors.Is(last, context.Canceled) || n == len(want) {
			t.Errorf("cancelled after %d: %d items, %v", stop, n, last)
		}
		func() {
			defer func() { _ = recover() }()
			for range Walk(t.Context(), Options{Root: root, Workers: 4}) {
				panic("the caller's")
			}
		}()
	}
	if after := openFiles(); after > before {
		t.Errorf("%d files were left open", after-before)
	}
}

func openFiles() int {
	names, _ := os.ReadDir("/proc/self/fd")
	return len(names)
}

func TestWalkGoesOnAfterErrors(t *testing.T) {
	root, _ := bigTree(t)
	var got []string
	first := true
	for f, err := range Walk(t.Context(), Options{Root: root, Workers: 1}) {
		if first {
			first = false
			gone := []string{"d0/f2150", "d0/f2000", "d1/f2100", "d2"} // not described yet: one worker, chunk by chunk
			for _, path := range gone {
				if err := os.RemoveAll(filepath.Join(root, path)); err != nil {
					t.Fatal(err)
				}
			}
			write(t, root, "d2", "now a file")
		}
		if err != nil {
			got = append(got, fmt.Sprintf("%s %v", f.Path, errors.Is(err, fs.ErrNotExist)))
		}
	}
	same(t, got, []string{"d0/f2000/ true", "d0/f2150 true", "d2/ false"})
}

func TestWalkUnreadableDirectory(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads everything")
	}
	root := t.TempDir()
	write(t, root, "a/f", "")
	write(t, root, "b", "")
	if err := os.Chmod(filepath.Join(root, "a"), 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Join(root, "a"), 0o755)
	same(t, lines(t, Options{Root: root}), []string{"! a/", "f b"})
}

func TestWalkLargeIgnoreFile(t *testing.T) {
	root := t.TempDir()
	write(t, root, "a/.tarnignore", strings.Repeat("x\n", maxIgnoreFile/2+1))
	write(t, root, "a/f", "")
	write(t, root, "b", "")
	same(t, lines(t, Options{Root: root}), []string{"! a/", "f b"})
	for f, err := range Walk(t.Context(), Options{Root: root, Prefix: "a/f"}) {
		if f.Path != "a/f" || !errors.Is(err, ErrIgnoreFile) {
			t.Errorf("%q, %v", f.Path, err)
		}
	}
}

func TestWalkDeepTree(t *testing.T) {
	root := t.TempDir()
	r, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.Repeat("n", 9)
	for range index.MaxPath/10 + 3 { // the last ones can't be in a manifest
		err := errors.Join(r.Mkdir(name, 0o755), r.WriteFile("f", nil, 0o644))
		next, err2 := r.OpenRoot(name)
		if r.Close(); err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		r = next
	}
	r.Close()
	files, failed := 0, 0
	for f, err := range Walk(t.Context(), Options{Root: root}) {
		switch {
		case errors.Is(err, ErrPathTooLong):
			failed++
		case err != nil:
			t.Fatal(err)
		case len(f.Path) > index.MaxPath:
			t.Fatalf("a path of %d bytes", len(f.Path))
		default:
			files++
		}
	}
	if files != index.MaxPath/10+1 || failed != 1 {
		t.Errorf("%d files, %d errors", files, failed)
	}
}

// TestPoolHoldsNoMore checks that nothing is begun ahead of time while too much is held, and that the one who needs it does it then.
func TestPoolHoldsNoMore(t *testing.T) {
	for _, limit := range []func(p *pool){
		func(p *pool) { p.held.Store(maxHeld) },
		func(p *pool) { p.open.Store(maxFolders) },
	} {
		p := newPool(t.Context(), 4)
		limit(p)
		tasks, ran := make([]*task, 2*queueSize), 0
		for i := range tasks {
			tasks[i] = newTask(func() { ran++ })
			p.offer(tasks[i])
		}
		p.close()
		if ran != 0 {
			t.Errorf("%d tasks were begun", ran)
		}
		for i, task := range tasks {
			if task.try(); ran != i+1 {
				t.Fatalf("task %d was not done", i)
			}
		}
	}
}

func BenchmarkWalk(b *testing.B) {
	root := b.TempDir()
	for d := range 200 {
		dir := filepath.Join(root, fmt.Sprintf("dir%03d", d))
		if err := os.Mkdir(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		for i := range 1000 {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("image%06d.jpg", i)), nil, 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	rules := (*Ignore)(nil).Add("", []byte("*.log\n*.tmp\n__pycache__/\n.DS_Store\n*.py[co]\n"))
	for _, workers := range []int{1, 2, 4, 8} {
		b.Run(fmt.Sprintf("200k/workers=%d", workers), func(b *testing.B) {
			for b.Loop() {
				n := 0
				for _, err := range Walk(b.Context(), Options{Root: root, Ignore: rules, Workers: workers}) {
					if n++; err != nil {
						b.Fatal(err)
					}
				}
				if n != 200_000 {
					b.Fatal(n)
				}
			}
		})
	}
}
