package cache

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"tarn/internal/durable"
	"tarn/internal/durable/simdisk"
	"tarn/store/digest"
)

// rounds is what a session adds, flush by flush: few files, many files (which are synced together), and what was added before.
func rounds() [][][]byte {
	var many [][]byte
	for i := range dirsSynced + 2 {
		many = append(many, content(ownMinLinked+i, uint64(50+i)))
	}
	return [][][]byte{
		{content(10, 1), content(200, 2), content(ownMinLinked, 3)},
		append(many, content(300, 4)),
		{content(10, 1), content(11, 5)},
	}
}

// session adds all rounds and returns what was flushed; what fails is tried once more, with a new Writer.
func session(dir string, disk *durable.Disk) (flushed [][]byte, failure error) {
	c, err := Open(disk, dir, Options{Links: []string{"hardlink"}})
	if err != nil {
		return nil, err
	}
	for _, round := range rounds() {
		for range 2 {
			err := addRound(c, round)
			failure = errors.Join(failure, err)
			if err == nil {
				flushed = append(flushed, round...)
				break
			}
		}
	}
	return flushed, errors.Join(failure, c.Close())
}

func addRound(c *Cache, round [][]byte) (err error) {
	w := c.NewWriter()
	defer func() { err = errors.Join(err, w.Close()) }()
	for i, b := range round {
		if i%2 == 0 {
			_, _, err = w.AddBytes(b)
		} else {
			err = w.AddVerified(digest.Sum(b), int64(len(b)), bytes.NewReader(b))
		}
		if err != nil {
			return err
		}
	}
	return w.Flush()
}

// whole checks that the cache in dir has what was flushed, and that all that it says it has is right.
func checkWhole(t *testing.T, dir string, flushed [][]byte) {
	t.Helper()
	c, err := Open(nil, dir, Options{Links: []string{"hardlink"}})
	must(t, err)
	defer c.Close()
	for _, b := range flushed {
		if got, err := c.Bytes(digest.Sum(b), 1<<20); err != nil || !bytes.Equal(got, b) {
			t.Errorf("flushed object of %d bytes: %v", len(b), err)
		}
	}
	for _, round := range rounds() {
		for _, b := range round {
			if d := digest.Sum(b); c.Has(d) {
				if _, err := c.Bytes(d, 1<<20); err != nil {
					t.Errorf("visible object of %d bytes: %v", len(b), err)
				}
			}
		}
	}
	for o, err := range c.Objects {
		if got, rerr := c.Bytes(o.Digest, o.Size); err != nil || rerr != nil || int64(len(got)) != o.Size {
			t.Errorf("listed object of %d bytes: %v %v", o.Size, err, rerr)
		}
	}
	if tot, err := c.Totals(); err != nil || tot.Corrupt > 0 {
		t.Errorf("%+v %v", tot, err)
	}
}

// memoryDir is a temporary directory in memory where there is one: thousands of real syncs take minutes, and prove nothing here.
func memoryDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "tarn-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

var errPower = errors.New("power cut")

func TestCrash(t *testing.T) {
	root := memoryDir(t)
	sim := simdisk.New(root)
	if _, err := session(filepath.Join(root, "cache"), sim.Disk()); err != nil {
		t.Fatal(err)
	}
	total := len(sim.Ops())
	arm := map[string]func(s *simdisk.Sim, n int){
		"at":           func(s *simdisk.Sim, n int) { s.FailAt(n, errPower) },
		"after":        func(s *simdisk.Sim, n int) { s.FailAfter(n, errPower) },
		"once":         func(s *simdisk.Sim, n int) { s.FailOnce(n, errPower, false) },
		"once applied": func(s *simdisk.Sim, n int) { s.FailOnce(n, errPower, true) },
	}
	if testing.Short() {
		delete(arm, "after")
		delete(arm, "once applied")
	}
	base := memoryDir(t)
	for how, fail := range arm {
		for n := 1; n <= total; n++ {
			crashAt(t, filepath.Join(base, fmt.Sprint(how, n)), func(s *simdisk.Sim) { fail(s, n) }, fmt.Sprintf("%s %d of %d", how, n, total))
		}
	}
}

// A short write, as on a full disk, is a failure like any other.
func TestFullDisk(t *testing.T) {
	base := memoryDir(t)
	for n := range 30 {
		crashAt(t, filepath.Join(base, fmt.Sprint(n)), func(s *simdisk.Sim) { s.FailWrite(n+1, 7, errPower) }, fmt.Sprint("write ", n+1))
	}
}

// crashAt runs a session with a fault, and looks at the disk as it is and as three crashes leave it.
func crashAt(t *testing.T, dir string, arm func(*simdisk.Sim), what string) {
	t.Helper()
	root := filepath.Join(dir, "root")
	must(t, os.MkdirAll(root, 0o777))
	sim := simdisk.New(root)
	arm(sim)
	flushed, err := session(filepath.Join(root, "cache"), sim.Disk())
	if err != nil && !errors.Is(err, errPower) {
		t.Fatalf("%s: %v", what, err)
	}
	states := map[string]func(string) error{
		"worst": sim.Crash,
		"best":  sim.CrashKeep,
		"some":  func(dst string) error { return sim.CrashSome(dst, 1) },
		"other": func(dst string) error { return sim.CrashSome(dst, 2) },
	}
	for name, crash := range states {
		after := filepath.Join(dir, name)
		must(t, crash(after))
		checkWhole(t, filepath.Join(after, "cache"), flushed)
	}
	checkWhole(t, filepath.Join(root, "cache"), flushed)
	if t.Failed() {
		t.Fatalf("%s: %v", what, err)
	}
	must(t, os.RemoveAll(dir))
}
