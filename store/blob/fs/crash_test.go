package fs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tarn/internal/durable"
	"tarn/internal/durable/simdisk"
	"tarn/store/blob"
)

var errPower = errors.New("power cut")

// Whatever operation is the last one: the object is as it was or whole, and as asked for if the call said so.
func TestCrashes(t *testing.T) {
	for _, c := range []struct {
		name      string
		do        func(b *Bucket) error
		key       string
		old, want string // "-": no object
	}{
		{"new", putting("a/b/new", blob.Condition{}), "a/b/new", "-", "new"},
		{"absent", putting("a/b/new", blob.Condition{Absent: true}), "a/b/new", "-", "new"},
		{"replace", putting("a/x", blob.Condition{}), "a/x", "old", "new"},
		{"match", func(b *Bucket) error {
			info, err := b.Stat(ctx, "a/x")
			if err != nil {
				return err
			}
			return putting("a/x", blob.Condition{Match: info.ETag})(b)
		}, "a/x", "old", "new"},
		{"delete", func(b *Bucket) error { return b.Delete(ctx, "a/x") }, "a/x", "old", "-"},
		{"delete one of two", func(b *Bucket) error { return b.Delete(ctx, "d/1") }, "d/1", "1", "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for n := 1; ; n++ {
				sim, err := crashing(t, n, c.do)
				for how, crash := range map[string]func(string) error{
					"worst": sim.Crash, "best": sim.CrashKeep,
					"some 1": func(dst string) error { return sim.CrashSome(dst, uint64(n)) },
					"some 2": func(dst string) error { return sim.CrashSome(dst, uint64(1000+n)) },
				} {
					after := filepath.Join(t.TempDir(), "after")
					must(t, crash(after))
					got := read(t, filepath.Join(after, "b", c.key))
					if got != c.want && (got != c.old || err == nil) {
						t.Errorf("%s at %d: %q, error %v", how, n, got, err)
					}
					onlyObjects(t, filepath.Join(after, "b"))
				}
				if len(sim.Ops()) < n {
					return
				}
			}
		})
	}
}

func putting(key string, cond blob.Condition) func(b *Bucket) error {
	return func(b *Bucket) error {
		_, err := b.Put(ctx, key, []byte("new"), cond)
		return err
	}
}

// crashing runs do on a bucket with three objects, and cuts the power at operation n.
func crashing(t *testing.T, n int, do func(b *Bucket) error) (*simdisk.Sim, error) {
	t.Helper()
	dir := t.TempDir()
	b := New(nil, filepath.Join(dir, "b"))
	put(t, b, "a/x", "old")
	put(t, b, "d/1", "1")
	put(t, b, "d/2", "2")
	sim := simdisk.New(dir)
	sim.FailAt(n, errPower)
	return sim, do(New(sim.Disk(), filepath.Join(dir, "b")))
}

// onlyObjects: after a crash the bucket lists whole objects, and what else is there is a temp file.
func onlyObjects(t *testing.T, dir string) {
	t.Helper()
	b := New(nil, dir)
	for _, key := range keys(t, b, "") {
		body := read(t, filepath.Join(dir, key))
		if body != "old" && body != "new" && body != key[len("d/"):] {
			t.Errorf("%s holds %q", key, body)
		}
	}
	temps, _ := filepath.Glob(filepath.Join(dir, "tmp/*"))
	for _, path := range temps {
		if name := filepath.Base(path); name != lockName && !durable.IsTemp(name) {
			t.Errorf("left: %s", name)
		}
	}
}

func TestFirstPutSurvives(t *testing.T) {
	for n := 1; ; n++ {
		dir := t.TempDir()
		sim := simdisk.New(dir)
		sim.FailAt(n, errPower)
		_, err := New(sim.Disk(), filepath.Join(dir, "a/b")).Put(ctx, "c/d/x", []byte("new"), blob.Condition{Absent: true})
		after := filepath.Join(t.TempDir(), fmt.Sprint(n))
		must(t, sim.Crash(after))
		if got := read(t, filepath.Join(after, "a/b/c/d/x")); got != "new" && (got != "-" || err == nil) {
			t.Errorf("at %d: %q, error %v", n, got, err)
		}
		if len(sim.Ops()) < n {
			return
		}
	}
}

// Another process made the directories, and did not get to make them durable; then what we put there is durable all the same.
func TestDirectoriesOfOthers(t *testing.T) {
	dir := t.TempDir()
	put(t, New(nil, dir), "x", "x")
	sim := simdisk.New(dir)
	other, err := sim.Disk().OpenRoot(dir)
	must(t, err)
	defer other.Close()
	must(t, other.Mkdir("a", 0o755))
	must(t, other.Mkdir("a/b", 0o755))
	put(t, New(sim.Disk(), dir), "a/b/y", "new")
	after := filepath.Join(t.TempDir(), "after")
	must(t, sim.Crash(after))
	if got := read(t, filepath.Join(after, "a/b/y")); got != "new" {
		t.Errorf("after a crash %q", got)
	}
}

// releases watches that no inode of an object is freed before the file system's clock has passed its time.
type releases struct {
	t       *testing.T
	object  string
	watched int
}

func (r *releases) Before(op durable.Op) error {
	if op.Kind == durable.OpRename && op.To == r.object || op.Kind == durable.OpRemove && op.Path == r.object {
		r.watched++
		info, err := os.Lstat(r.object)
		must(r.t, err)
		probe := filepath.Join(filepath.Dir(r.object), "probe")
		must(r.t, os.WriteFile(probe, nil, 0o644))
		now, err := os.Lstat(probe)
		must(r.t, err)
		if !now.ModTime().After(info.ModTime()) {
			r.t.Errorf("%v: the object is of %v, the clock says %v", op.Kind, info.ModTime(), now.ModTime())
		}
	}
	return nil
}

func (r *releases) After(durable.Op) {}

func TestInodesAreReleasedLate(t *testing.T) {
	dir := t.TempDir()
	hook := &releases{t: t, object: filepath.Join(dir, "x")}
	b := New(durable.Hooked(hook), dir)
	for i, do := range []func() error{
		func() error { return putting("x", blob.Condition{})(b) },
		func() error { return b.Delete(ctx, "x") },
	} {
		put(t, New(nil, dir), "x", "old")
		soon := time.Now().Add(100 * time.Millisecond) // as on a file system with coarse times
		must(t, os.Chtimes(hook.object, soon, soon))
		must(t, do())
		if hook.watched != i+1 {
			t.Errorf("watched %d times", hook.watched)
		}
	}
}
