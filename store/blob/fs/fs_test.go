package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tarn/internal/durable"
	"tarn/internal/durable/simdisk"
	"tarn/store/blob"
	"tarn/store/blob/blobtest"
)

var ctx = context.Background()

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestBucket(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Bucket { return New(nil, filepath.Join(t.TempDir(), "not", "there")) })
}

func TestSimulated(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Bucket {
		dir := t.TempDir()
		return New(simdisk.New(dir).Disk(), filepath.Join(dir, "b"))
	})
}

// many stands for several processes: each request goes to another Bucket of one directory.
type many struct {
	next atomic.Int64
	all  []*Bucket
}

func newMany(disk *durable.Disk, dir string) *many {
	m := &many{}
	for range 4 {
		m.all = append(m.all, New(disk, dir))
	}
	return m
}

func (m *many) one() *Bucket { return m.all[int(m.next.Add(1))%len(m.all)] }

func (m *many) Put(ctx context.Context, key string, body []byte, c blob.Condition) (blob.Info, error) {
	return m.one().Put(ctx, key, body, c)
}

func (m *many) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, blob.Info, error) {
	return m.one().Get(ctx, key, off, n)
}
func (m *many) Stat(ctx context.Context, key string) (blob.Info, error) {
	return m.one().Stat(ctx, key)
}
func (m *many) List(ctx context.Context, prefix, after string) iter.Seq2[blob.Info, error] {
	return m.one().List(ctx, prefix, after)
}
func (m *many) Delete(ctx context.Context, key string) error { return m.one().Delete(ctx, key) }
func (m *many) String() string                               { return "many" }

func TestManyProcesses(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Bucket { return newMany(nil, t.TempDir()) })
}

// noLinks is a disk of a file system without hard links and exclusive renames.
type noLinks struct{ temps sync.Map }

func (n *noLinks) Before(op durable.Op) error {
	if op.Kind == durable.OpLink {
		n.temps.Store(op.Path, true)
		return syscall.EPERM
	}
	if _, exclusive := n.temps.Load(op.Path); exclusive && op.Kind == durable.OpRename {
		return errors.ErrUnsupported
	}
	return nil
}

func (n *noLinks) After(durable.Op) {}

func TestWithoutLinks(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Bucket { return newMany(durable.Hooked(&noLinks{}), t.TempDir()) })
}

func put(t testing.TB, b *Bucket, key, body string) blob.Info {
	t.Helper()
	info, err := b.Put(ctx, key, []byte(body), blob.Condition{})
	must(t, err)
	return info
}

func read(t *testing.T, path string) string {
	t.Helper()
	body, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "-"
	}
	must(t, err)
	return string(body)
}

func TestLayout(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "b")
	b := New(nil, dir)
	for range b.List(ctx, "", "") {
		t.Error("a bucket that is not there has objects")
	}
	_, err := b.Stat(ctx, "x")
	if !errors.Is(err, blob.ErrNotFound) || b.Delete(ctx, "x") != nil {
		t.Errorf("not there: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading made the directory: %v", err)
	}
	put(t, b, "pack/ab/cd", "body")
	if got := read(t, filepath.Join(dir, "pack/ab/cd")); got != "body" {
		t.Errorf("file holds %q", got)
	}
	must(t, b.Delete(ctx, "pack/ab/cd"))
	entries, _ := os.ReadDir(dir)
	if len(entries) != 1 || entries[0].Name() != tempDir {
		t.Errorf("after delete: %v", entries)
	}
	left, _ := os.ReadDir(filepath.Join(dir, tempDir))
	if len(left) != 1 || left[0].Name() != lockName {
		t.Errorf("in tmp: %v", left)
	}
	for _, key := range []string{"tmp", "tmp/lock", "tmp/x"} {
		_, err := b.Put(ctx, key, nil, blob.Condition{})
		if !errors.Is(err, blob.ErrKey) || !errors.Is(b.Delete(ctx, key), blob.ErrKey) {
			t.Errorf("put %s: %v", key, err)
		}
	}
}

func keys(t testing.TB, b *Bucket, prefix string) (all []string) {
	t.Helper()
	for info, err := range b.List(ctx, prefix, "") {
		must(t, err)
		all = append(all, info.Key)
	}
	return all
}

// The same bytes, again and again, as fast as it goes, with deletes between: no ETag returns. Without waiting for the clock tick
// inodes are used again within one tick.
func TestETagsNeverReturn(t *testing.T) {
	b := newMany(nil, t.TempDir())
	seen := map[string]int{}
	for i := range 300 {
		info, err := b.Put(ctx, "a/x", []byte("same"), blob.Condition{})
		must(t, err)
		if last, there := seen[info.ETag]; there {
			t.Fatalf("writes %d and %d have the ETag %s", last, i, info.ETag)
		}
		seen[info.ETag] = i
		if i%3 == 0 {
			must(t, b.Delete(ctx, "a/x"))
		}
	}
}

func TestMatchLosesNoUpdate(t *testing.T) {
	b := newMany(nil, t.TempDir())
	_, err := b.Put(ctx, "n", []byte("0000"), blob.Condition{})
	must(t, err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for done := 0; done < 10; {
				if increment(t, b) {
					done++
				}
			}
		})
	}
	wg.Wait()
	r, _, err := b.Get(ctx, "n", 0, -1)
	must(t, err)
	defer r.Close()
	if got, _ := io.ReadAll(r); string(got) != "0080" {
		t.Errorf("80 increments give %s", got)
	}
}

func increment(t *testing.T, b blob.Bucket) bool {
	r, info, err := b.Get(ctx, "n", 0, -1)
	if err != nil {
		t.Error(err)
		return true
	}
	defer r.Close()
	var n int
	if _, err := fmt.Fscanf(r, "%d", &n); err != nil {
		t.Error(err)
	}
	_, err = b.Put(ctx, "n", fmt.Appendf(nil, "%04d", n+1), blob.Condition{Match: info.ETag})
	if err != nil && !errors.Is(err, blob.ErrPrecondition) {
		t.Error(err)
	}
	return err == nil
}

func TestClockIsTheFileSystems(t *testing.T) {
	dir := t.TempDir()
	b := New(nil, dir)
	put(t, b, "x", "x")
	// As if this machine's clock were an hour behind the file server's.
	b.clock.saw(time.Now().Add(time.Hour))
	info, err := b.Stat(ctx, "x")
	must(t, err)
	if ahead := time.Until(info.Now); ahead < 59*time.Minute || ahead > 61*time.Minute {
		t.Errorf("now is %v ahead", ahead)
	}
	// An object that was dated in the future by other means does not block its replacement.
	must(t, os.Chtimes(filepath.Join(dir, "x"), time.Time{}, time.Now().Add(24*time.Hour)))
	start := time.Now()
	put(t, New(nil, dir), "x", "y")
	if took := time.Since(start); took > tick {
		t.Errorf("a date in the future blocks for %v", took)
	}
}

func TestErrors(t *testing.T) {
	for err, want := range map[error]error{
		syscall.ENOSPC: blob.ErrNoSpace, syscall.EDQUOT: blob.ErrNoSpace, syscall.EROFS: blob.ErrReadOnly, syscall.EACCES: blob.ErrAccess,
		syscall.EPERM: blob.ErrAccess, syscall.EIO: syscall.EIO,
	} {
		for n := 1; ; n++ {
			dir := t.TempDir()
			b := New(nil, dir)
			put(t, b, "a/x", "old")
			sim := simdisk.New(dir)
			sim.FailOnce(n, err, false)
			b = New(sim.Disk(), dir)
			_, got := b.Put(ctx, "a/x", []byte("new"), blob.Condition{})
			if len(sim.Ops()) < n {
				break
			}
			if got == nil && sim.Ops()[n-1].Kind != durable.OpRemove && sim.Ops()[n-1].Kind != durable.OpCreate {
				t.Errorf("%v at %v: no error", err, sim.Ops()[n-1])
			}
			if got != nil && (!errors.Is(got, want) || !errors.Is(got, err)) {
				t.Errorf("%v at %v: %v", err, sim.Ops()[n-1], got)
			}
			if body := read(t, filepath.Join(dir, "a/x")); body != "new" && (body != "old" || got == nil) {
				t.Errorf("%v at %v: %v and %q", err, sim.Ops()[n-1], got, body)
			}
		}
	}
}

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	sim := simdisk.New(dir)
	b := New(sim.Disk(), dir)
	sim.FailWrite(1, 3, syscall.ENOSPC)
	if _, err := b.Put(ctx, "a/x", []byte("abcdef"), blob.Condition{Absent: true}); !errors.Is(err, blob.ErrNoSpace) {
		t.Errorf("full: %v", err)
	}
	if _, err := b.Stat(ctx, "a/x"); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("after a full disk: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "tmp/tmp-*")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	put(t, b, "a/x", "abcdef")
}

func TestRemoveTemp(t *testing.T) {
	dir := t.TempDir()
	b := New(nil, dir)
	if n, err := b.RemoveTemp(ctx, 0); n != 0 || err != nil {
		t.Errorf("no directory: %d, %v", n, err)
	}
	put(t, b, "x", "x")
	for _, name := range []string{"tmp-0123456789abcdef", "tmp-0123456789abcdee", "mine"} {
		must(t, os.WriteFile(filepath.Join(dir, "tmp", name), nil, 0o644))
	}
	old := time.Now().Add(-2 * time.Hour)
	for _, name := range []string{"tmp-0123456789abcdef", "mine"} {
		must(t, os.Chtimes(filepath.Join(dir, "tmp", name), old, old))
	}
	if n, err := b.RemoveTemp(ctx, time.Hour); n != 1 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
	if got, _ := filepath.Glob(filepath.Join(dir, "tmp/*")); len(got) != 3 {
		t.Errorf("left: %v", got)
	}
}

func TestListSkipsDirectories(t *testing.T) {
	dir := t.TempDir()
	b := New(nil, dir)
	for i := range 5 {
		put(t, b, fmt.Sprintf("a/%d/x", i), "")
	}
	// What after excludes is not even looked at.
	must(t, os.RemoveAll(filepath.Join(dir, "a/0")))
	must(t, os.Symlink("0", filepath.Join(dir, "a/0"))) // a loop
	var got []string
	for info, err := range b.List(ctx, "a/", "a/2/x") {
		must(t, err)
		got = append(got, info.Key)
	}
	if strings.Join(got, " ") != "a/3/x a/4/x" {
		t.Errorf("%v", got)
	}
}

func BenchmarkPut(b *testing.B) {
	bucket := New(nil, b.TempDir())
	for i := 0; b.Loop(); i++ {
		_, err := bucket.Put(ctx, fmt.Sprintf("pack/%02x/%d", i%256, i), make([]byte, 1000), blob.Condition{Absent: true})
		must(b, err)
	}
}
