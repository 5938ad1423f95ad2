package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"tarn/internal/durable"
	"tarn/internal/durable/simdisk"
	"tarn/store/digest"
	"tarn/store/pack"
)

// prune drops some contents under the lock.
func prune(c *Cache, dry bool, drop, keep [][]byte) (out Pruned, err error) {
	lock, err := c.Lock(context.Background(), false)
	if err != nil {
		return out, err
	}
	defer lock.Unlock()
	p := c.NewPruning()
	defer func() { err = errors.Join(err, p.Close()) }()
	for _, b := range drop {
		if err := p.Drop(digest.Sum(b)); err != nil {
			return out, err
		}
	}
	for _, b := range keep {
		if err := p.Keep(digest.Sum(b)); err != nil {
			return out, err
		}
	}
	return p.Run(context.Background(), dry)
}

func diskBytes(t testing.TB, c *Cache) int64 {
	t.Helper()
	tot, err := c.Totals()
	must(t, err)
	return tot.ObjectBytes + tot.PackBytes
}

func TestPrune(t *testing.T) {
	c := newCache(t)
	goesSmall, staysSmall := content(1000, 1), content(700, 2)
	alone, large, largeStays, unsaid := content(500, 3), content(ownMin, 4), content(ownMin+1, 5), content(300, 6)
	both := content(400, 7)
	store(t, c, goesSmall, staysSmall, both, unsaid)
	store(t, c, alone)
	store(t, c, large, largeStays)
	reader := openAt(t, c.dir) // another process, which knows the packs as they are now
	readable(t, reader, staysSmall)
	drop, keep := [][]byte{goesSmall, alone, large, both, content(1, 99)}, [][]byte{largeStays, both}

	before := diskBytes(t, c)
	would, err := prune(c, true, drop, keep)
	must(t, err)
	if diskBytes(t, c) != before {
		t.Error("a dry run changed something")
	}
	did, err := prune(c, false, drop, keep)
	must(t, err)
	if would != did {
		t.Errorf("a dry run says %+v, a real one %+v", would, did)
	}
	want := Pruned{Objects: 1, ObjectBytes: ownMin, Blobs: 2, BlobBytes: 1500, Packs: 1, Rewritten: 1, Freed: before - diskBytes(t, c)}
	if did != want {
		t.Errorf("%+v, not %+v", did, want)
	}
	for _, c := range []*Cache{c, reader, openAt(t, c.dir)} {
		for _, b := range [][]byte{staysSmall, largeStays, unsaid, both} {
			readable(t, c, b)
		}
	}
	for _, c := range []*Cache{c, openAt(t, c.dir)} {
		for _, b := range [][]byte{goesSmall, alone, large} {
			missing(t, c, digest.Sum(b))
		}
	}
	noTemps(t, c)
	if n := len(c.set.Sources()); n != 1 {
		t.Errorf("the tables name %d packs", n)
	}
	store(t, c, goesSmall, large)
	readable(t, c, goesSmall)
	readable(t, openAt(t, c.dir), large)
	if again, err := prune(c, false, nil, nil); err != nil || again != (Pruned{}) {
		t.Errorf("with no marks: %+v %v", again, err)
	}
}

// A pack of which little may go is not rewritten.
func TestPruneWaste(t *testing.T) {
	c := newCache(t)
	little, much := content(100, 1), content(100000, 2)
	store(t, c, little, much)
	got, err := prune(c, false, [][]byte{little}, nil)
	if err != nil || got != (Pruned{Waste: 100}) {
		t.Errorf("%+v %v", got, err)
	}
	readable(t, c, little)
}

// What a workspace is linked to stays.
func TestPruneLinked(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the number of links is not known")
	}
	c, ws := newCache(t, "hardlink"), newWorkspace(t)
	b := content(ownMinLinked, 1)
	store(t, c, b)
	must(t, second(c.Checkout(digest.Sum(b), int64(len(b)), false, ws.Root, "f")))
	info, err := os.Lstat(filepath.Join(ws.dir, "f"))
	must(t, err)
	if !c.Shares(info) || !c.Shares(info, digest.Sum(b)) {
		t.Error("it is not known as a link")
	}
	got, err := prune(c, false, [][]byte{b}, nil)
	if err != nil || got != (Pruned{Linked: 1, LinkedBytes: ownMinLinked}) {
		t.Errorf("%+v %v", got, err)
	}
	must(t, ws.Remove("f"))
	if got, err := prune(c, false, [][]byte{b}, nil); err != nil || got.Objects != 1 {
		t.Errorf("%+v %v", got, err)
	}
}

// A pack with a broken blob that is kept stays as it is; the mark of a broken blob goes with its pack.
func TestPruneCorrupt(t *testing.T) {
	c := newCache(t)
	bad, other, good := content(1000, 1), content(900, 2), content(800, 3)
	store(t, c, bad, other)
	store(t, c, good)
	spoil(t, c.packPath(c.mustFind(t, bad).pack), pack.HeaderSize+5)
	if got, err := prune(c, false, [][]byte{other, good}, nil); err != nil || got.Waste != 900 || got.Packs != 1 {
		t.Errorf("%+v %v", got, err)
	}
	readable(t, c, other)
	noTemps(t, c)
	if _, err := c.Bytes(digest.Sum(bad), 1<<20); !errors.Is(err, digest.ErrMismatch) {
		t.Fatal(err)
	}
	if got, err := prune(c, false, [][]byte{other, bad}, nil); err != nil || got.Packs != 1 {
		t.Errorf("%+v %v", got, err)
	}
	if tot, err := c.Totals(); err != nil || tot != (Totals{}) {
		t.Errorf("%+v %v", tot, err)
	}
}

func (c *Cache) mustFind(t testing.TB, b []byte) place {
	t.Helper()
	p, ok := c.packed(digest.Sum(b))
	if !ok {
		t.Fatal("it is in no pack")
	}
	return p
}

// TestPruneCrash lets the power go at each operation of a prune: what is kept is there, what is visible is right, and a second prune ends it.
func TestPruneCrash(t *testing.T) {
	var keep, drop [][]byte
	for i := range uint64(6) {
		list := &keep
		if i%2 == 0 {
			list = &drop
		}
		*list = append(*list, content(1000+int(i), 10+i), content(ownMinLinked+int(i), 20+i))
	}
	last := content(50, 99) // in a pack of its own
	drop = append(drop, last)
	fill := func(dir string) {
		c, err := Open(nil, dir, Options{Links: []string{"hardlink"}})
		must(t, err)
		store(t, c, append(append([][]byte{}, keep...), drop[:len(drop)-1]...)...)
		store(t, c, last)
		must(t, c.Close())
	}
	run := func(dir string, disk *durable.Disk) error {
		c, err := Open(disk, dir, Options{Links: []string{"hardlink"}})
		if err != nil {
			return err
		}
		_, err = prune(c, false, drop, keep)
		return errors.Join(err, c.Close())
	}
	base := memoryDir(t)
	total := 0
	for n := 0; n <= total; n++ {
		for how := range 3 {
			root := filepath.Join(base, "root")
			must(t, os.MkdirAll(root, 0o777))
			fill(filepath.Join(root, "cache"))
			sim := simdisk.New(root)
			if n > 0 {
				[]func(int, error){sim.FailAt, sim.FailAfter, func(n int, err error) { sim.FailOnce(n, err, false) }}[how](n, errPower)
			}
			err := run(filepath.Join(root, "cache"), sim.Disk())
			if n == 0 {
				must(t, err)
				total = len(sim.Ops())
			}
			for name, crash := range map[string]func(string) error{
				"worst": sim.Crash, "best": sim.CrashKeep, "some": func(dst string) error { return sim.CrashSome(dst, uint64(n)) },
			} {
				after := filepath.Join(base, name)
				must(t, crash(after))
				dir := filepath.Join(after, "cache")
				checkWhole(t, dir, keep)
				must(t, run(dir, nil))
				checkWhole(t, dir, keep)
				checkGone(t, dir, drop)
				if t.Failed() {
					t.Fatalf("fault %d (%d) of %d, %s case: %v", n, how, total, name, err)
				}
				must(t, os.RemoveAll(after))
			}
			must(t, os.RemoveAll(root))
		}
	}
	t.Logf("%d operations", total)
}

func checkGone(t *testing.T, dir string, drop [][]byte) {
	t.Helper()
	c := openAt(t, dir)
	for _, b := range drop {
		if c.Has(digest.Sum(b)) {
			t.Errorf("object of %d bytes is there still", len(b))
		}
	}
}

// Who waited for a prune sees what it left, also if he had looked before.
func TestPruneThenAdd(t *testing.T) {
	c := newCache(t)
	small, large := content(100, 1), content(ownMin, 2)
	store(t, c, small, large)
	adder := openAt(t, c.dir)
	many := make([]digest.Digest, bulk)
	for i := range many {
		many[i] = digest.Sum(fmt.Append(nil, i))
	}
	adder.HasAll(append(many, digest.Sum(small), digest.Sum(large)))
	if !adder.Has(digest.Sum(small)) || !adder.own.loaded {
		t.Fatal("the test is wrong")
	}
	alone, err := c.Lock(context.Background(), false)
	must(t, err)
	locked := make(chan *Lock)
	go func() {
		l, err := adder.Lock(context.Background(), true)
		if err != nil {
			t.Error(err)
		}
		locked <- l
	}()
	p := c.NewPruning()
	must(t, errors.Join(p.Drop(digest.Sum(small)), p.Drop(digest.Sum(large))))
	if _, err := p.Run(context.Background(), false); err != nil {
		t.Fatal(err)
	}
	must(t, p.Close())
	select {
	case <-locked:
		t.Fatal("it did not wait")
	case <-time.After(20 * time.Millisecond):
	}
	must(t, alone.Unlock())
	l := <-locked
	store(t, adder, small, large)
	must(t, l.Unlock())
	for _, b := range [][]byte{small, large} {
		readable(t, openAt(t, c.dir), b)
	}
}

func TestMarks(t *testing.T) {
	c := newCache(t)
	m := c.newMarks()
	for i := range 1000 {
		must(t, m.add(digest.Sum(fmt.Append(nil, i))))
		if i%300 == 299 {
			must(t, m.flush())
		}
	}
	for i := range 2000 {
		if m.has(digest.Sum(fmt.Append(nil, i))) != (i < 1000) {
			t.Fatal(i)
		}
	}
	must(t, m.close())
	noTemps(t, c)
}

func TestUsers(t *testing.T) {
	dir := filepath.Join(memoryDir(t), "cache")
	for _, repo := range []string{"/a", "/b\nc", "/a", ""} {
		c, err := Open(nil, dir, Options{Repository: repo})
		must(t, err)
		l, err := c.Lock(context.Background(), true)
		must(t, err)
		must(t, l.Unlock())
		must(t, c.Close())
	}
	c := openAt(t, dir)
	must(t, os.WriteFile(c.path(userDir, "stranger"), []byte("x"), 0o666))
	users, err := c.Users()
	must(t, err)
	got := map[string]bool{}
	for _, u := range users {
		got[u.Path] = true
	}
	if len(users) != 2 || !got["/a"] || !got["/b\nc"] {
		t.Errorf("%v", users)
	}
}

func TestProbe(t *testing.T) {
	c, ws := newCache(t), newWorkspace(t)
	for range 2 {
		works, err := c.Probe(ws.Root)
		must(t, err)
		if !works[linkCopy] || runtime.GOOS != "windows" && (!works[linkSym] || !works[linkHard]) {
			t.Errorf("%v", works)
		}
		if n := ws.names(t); len(n) > 0 {
			t.Errorf("left: %v", n)
		}
		store(t, c, content(10, 1))
	}
	noTemps(t, c)
}
