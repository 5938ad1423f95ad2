package durable

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return string(b)
}

// names lists a directory, joined by spaces.
func names(t testing.TB, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

// opLog is a hook that lists kinds and can make one fail.
type opLog struct {
	mu   sync.Mutex
	ops  []Op
	fail map[OpKind]error
}

func (l *opLog) Before(op Op) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ops = append(l.ops, op)
	return l.fail[op.Kind]
}

func (l *opLog) After(Op) {}

func (l *opLog) kinds() string {
	var all []string
	for _, op := range l.ops {
		all = append(all, op.Kind.String())
	}
	return strings.Join(all, ", ")
}

func TestIsTemp(t *testing.T) {
	for name, want := range map[string]bool{
		"tmp-0123456789abcdef": true, ".tarn-tmp-0123456789abcdef": true, tempName(tempPrefix): true, tempName(rootTempPrefix): true,
		"": false, "tmp-": false, "tmp-0123456789abcde": false, "tmp-0123456789abcdefa": false, "tmp-0123456789ABCDEF": false, "xtmp-0123456789abcdef": false,
		".tarn-tmp-": false, "tmp-0123456789abcdeg": false, "tarn-tmp-0123456789abcdef": false,
	} {
		if IsTemp(name) != want {
			t.Errorf("IsTemp(%q) != %v", name, want)
		}
	}
}

func TestOrderOfOperations(t *testing.T) {
	dir, log := t.TempDir(), &opLog{}
	d := Hooked(log)
	must(t, d.WriteFile(filepath.Join(dir, "x"), []byte("x"), 0o644))
	if got, want := log.kinds(), "create, write, sync, rename, sync directory"; got != want {
		t.Errorf("WriteFile: %s, want %s", got, want)
	}
	log.ops = nil
	f, err := d.CreateTemp(dir)
	must(t, err)
	must(t, f.CommitNew(filepath.Join(dir, "y"), 0o444))
	if got, want := log.kinds(), "create, chmod, sync, link, remove"; got != want {
		t.Errorf("CommitNew: %s, want %s", got, want)
	}
	log.ops = nil
	must(t, d.MkdirAll(filepath.Join(dir, "a/b"), 0o755))
	if got, want := log.kinds(), "mkdir, sync directory, mkdir, sync directory"; got != want {
		t.Errorf("MkdirAll: %s, want %s", got, want)
	}
	if op := log.ops[3]; op.Path != filepath.Join(dir, "a") {
		t.Errorf("the parent of a/b must be synced: %v", op)
	}
	log.ops = nil
	must(t, d.MkdirAll(filepath.Join(dir, "a/b"), 0o755))
	if len(log.ops) != 0 {
		t.Errorf("MkdirAll of what is there: %v", log.ops)
	}
}

func TestRelativePathsReachTheHookAbsolute(t *testing.T) {
	t.Chdir(t.TempDir())
	log := &opLog{}
	d := Hooked(log)
	must(t, d.MkdirAll("a", 0o755))
	must(t, d.WriteFile("a/x", nil, 0o644))
	must(t, d.Rename("a/x", "a/y"))
	must(t, d.Remove("a/y"))
	r, err := d.OpenRoot("a")
	must(t, err)
	defer r.Close()
	must(t, r.Mkdir("z", 0o755))
	for _, op := range log.ops {
		if !filepath.IsAbs(op.Path) || op.To != "" && !filepath.IsAbs(op.To) {
			t.Errorf("relative: %v", op)
		}
	}
}

func TestFailuresLeaveNothing(t *testing.T) {
	boom := errors.New("boom")
	for _, kind := range []OpKind{OpCreate, OpWrite, OpChmod, OpSync, OpRename} {
		t.Run(kind.String(), func(t *testing.T) {
			dir := t.TempDir()
			must(t, os.WriteFile(filepath.Join(dir, "x"), []byte("old"), 0o644))
			d := Hooked(&opLog{fail: map[OpKind]error{kind: boom}})
			f, err := d.CreateTemp(dir)
			if err == nil {
				if _, err = f.Write([]byte("new")); err == nil {
					err = f.Commit(filepath.Join(dir, "x"), 0o644, true)
				}
				f.Abort()
			}
			if !errors.Is(err, boom) {
				t.Errorf("error %v", err)
			}
			if got := names(t, dir); got != "x" || read(t, filepath.Join(dir, "x")) != "old" {
				t.Errorf("left: %s", got)
			}
		})
	}
}

func TestAbortAndCommitTwice(t *testing.T) {
	dir := t.TempDir()
	var d *Disk
	f, err := d.CreateTemp(dir)
	must(t, err)
	if !IsTemp(filepath.Base(f.Name())) || !filepath.IsAbs(f.Name()) {
		t.Errorf("name %s", f.Name())
	}
	must(t, f.Commit(filepath.Join(dir, "x"), 0o644, true))
	f.Abort()
	if err := f.Commit(filepath.Join(dir, "y"), 0o644, true); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("second commit: %v", err)
	}
	if got := names(t, dir); got != "x" {
		t.Errorf("there: %s", got)
	}
	f, err = d.CreateTemp(dir)
	must(t, err)
	f.Abort()
	f.Abort()
	if got := names(t, dir); got != "x" {
		t.Errorf("after Abort: %s", got)
	}
}

func TestCommitNewHasOneWinner(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	var d *Disk
	var wins atomic.Int32
	var winner atomic.Value
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			f, err := d.CreateTemp(dir)
			if err != nil {
				t.Error(err)
				return
			}
			body := fmt.Sprint("writer ", i)
			fmt.Fprint(f, body)
			switch err := f.CommitNew(path, 0o644); {
			case err == nil:
				wins.Add(1)
				winner.Store(body)
			case !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 || read(t, path) != winner.Load() || names(t, dir) != "x" {
		t.Errorf("%d winners, content %q, winner %v, there: %s", wins.Load(), read(t, path), winner.Load(), names(t, dir))
	}
}

// Where there are no hard links, an exclusive rename does the same.
func TestCommitNewWithoutLinks(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("needs an exclusive rename")
	}
	dir := t.TempDir()
	noLink := Hooked(&opLog{fail: map[OpKind]error{OpLink: errors.ErrUnsupported}})
	for i, want := range []error{nil, fs.ErrExist} {
		f, err := noLink.CreateTemp(dir)
		must(t, err)
		fmt.Fprint(f, i)
		if err := f.CommitNew(filepath.Join(dir, "x"), 0o644); !errors.Is(err, want) {
			t.Errorf("attempt %d: %v, want %v", i, err, want)
		}
	}
	if names(t, dir) != "x" || read(t, filepath.Join(dir, "x")) != "0" {
		t.Errorf("there: %s", names(t, dir))
	}
}

// The reply to a link was lost and the request sent again: the error says that the name exists, and it is our own file.
func TestCommitNewLostReply(t *testing.T) {
	dir := t.TempDir()
	lost := Hooked(&opLog{fail: map[OpKind]error{OpLink: &Fault{Err: fs.ErrExist, Applied: true}}})
	f, err := lost.CreateTemp(dir)
	must(t, err)
	must(t, f.CommitNew(filepath.Join(dir, "x"), 0o644))
	if names(t, dir) != "x" {
		t.Errorf("there: %s", names(t, dir))
	}
}

func TestReadFromAndClone(t *testing.T) {
	dir := t.TempDir()
	body := bytes.Repeat([]byte("0123456789abcdef"), 10_000)
	must(t, os.WriteFile(filepath.Join(dir, "src"), body, 0o444))
	for name, d := range map[string]*Disk{"real": nil, "hooked": Hooked(&opLog{})} {
		src, err := os.Open(filepath.Join(dir, "src"))
		must(t, err)
		defer src.Close()
		f, err := d.CreateTemp(dir)
		must(t, err)
		if err := f.CloneFrom(src); err != nil {
			if !errors.Is(err, ErrNoReflink) {
				t.Fatal(err)
			}
			half, err := f.CopyFrom(src, len(body)/2)
			if err != nil && !errors.Is(err, ErrNoCopy) || half > len(body)/2 {
				t.Fatalf("%s: the kernel copied %d, %v", name, half, err)
			}
			f.StartSync(0, int64(half))
			if n, err := io.Copy(f, src); err != nil || int64(half)+n != int64(len(body)) {
				t.Fatalf("%s: copied %d and %d, %v", name, half, n, err)
			}
			if n, err := f.CopyFrom(src, 10); n != 0 || err != nil && !errors.Is(err, ErrNoCopy) {
				t.Errorf("%s: %d bytes, %v after the end", name, n, err)
			}
		}
		got := make([]byte, len(body)+1)
		if n, err := f.OS().ReadAt(got, 0); n != len(body) || err != io.EOF || !bytes.Equal(got[:n], body) {
			t.Errorf("%s: read back %d bytes, %v", name, n, err)
		}
		must(t, f.Commit(filepath.Join(dir, name), 0o644, false))
		if read(t, filepath.Join(dir, name)) != string(body) {
			t.Errorf("%s differs", name)
		}
	}
}

func TestWriteAt(t *testing.T) {
	dir := t.TempDir()
	f, err := Hooked(&opLog{}).CreateTemp(dir)
	must(t, err)
	_, err = f.WriteAt([]byte("cd"), 2)
	must(t, err)
	_, err = f.WriteAt([]byte("ab"), 0)
	must(t, err)
	must(t, f.Commit(filepath.Join(dir, "x"), 0o644, true))
	if got := read(t, filepath.Join(dir, "x")); got != "abcd" {
		t.Errorf("%q", got)
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var d *Disk
	ctx := context.Background()
	a, err := d.Lock(ctx, path, true)
	must(t, err)
	b, err := d.TryLock(path, true)
	if b == nil || err != nil {
		t.Fatalf("second shared lock: %v, %v", b, err)
	}
	if l, err := d.TryLock(path, false); l != nil || err != nil {
		t.Fatalf("exclusive beside shared: %v, %v", l, err)
	}
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := d.Lock(short, path, false); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("wait that ends: %v", err)
	}
	got := make(chan error, 1)
	go func() {
		l, err := d.Lock(ctx, path, false)
		if err == nil {
			err = l.Unlock()
		}
		got <- err
	}()
	must(t, a.Unlock())
	must(t, b.Unlock())
	must(t, b.Unlock())
	must(t, <-got)
	if _, err := d.TryLock(filepath.Join(path, "no", "dir"), false); err == nil {
		t.Error("a lock where there is no directory")
	}
}

func TestFreeSpace(t *testing.T) {
	n, err := FreeSpace(filepath.Join(t.TempDir(), "not", "there"))
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil || n <= 0 {
		t.Errorf("%d, %v", n, err)
	}
}

func TestOpenRegular(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := OpenRegular(dir); !errors.Is(err, ErrNotRegular) {
		t.Errorf("directory: %v", err)
	}
	if _, _, err := OpenRegular(filepath.Join(dir, "x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
	must(t, os.WriteFile(filepath.Join(dir, "x"), []byte("abc"), 0o644))
	f, info, err := OpenRegular(filepath.Join(dir, "x"))
	must(t, err)
	defer f.Close()
	if info.Size() != 3 {
		t.Errorf("size %d", info.Size())
	}
}

// Whatever is written, WriteFile leaves exactly that.
func TestWriteFileProperty(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		var d *Disk
		if rapid.Bool().Draw(rt, "hooked") {
			d = Hooked(&opLog{})
		}
		body := rapid.SliceOf(rapid.Byte()).Draw(rt, "body")
		must(t, d.WriteFile(filepath.Join(dir, "x"), body, 0o644))
		if read(t, filepath.Join(dir, "x")) != string(body) || names(t, dir) != "x" {
			rt.Fatal("differs")
		}
	})
}
