package scan

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"tarn/index"
	"tarn/internal/durable"
	"tarn/store/digest"
)

func TestTrusted(t *testing.T) {
	const old, hashed = int64(1e18), int64(1e18) + 10e9
	st := Stat{Size: 5, MTime: old, CTime: old, Inode: 7, Dev: 1, Mode: modeFile | 0o644}
	all := Trust{CTime: true, CheckStat: CheckDefault}
	noCTime, minimal := Trust{CheckStat: CheckDefault}, Trust{CTime: true, CheckStat: CheckMinimal}
	base := Record{Path: "a", Kind: index.File, Stat: st, HashedAt: hashed}
	tests := []struct {
		name   string
		trust  Trust
		change func(r *Record, now *Stat)
		want   bool
	}{
		{"nothing changed", all, func(*Record, *Stat) {}, true},
		{"zero Trust", Trust{}, func(*Record, *Stat) {}, true},
		{"size", all, func(_ *Record, now *Stat) { now.Size++ }, false},
		{"mtime", all, func(_ *Record, now *Stat) { now.MTime++ }, false},
		{"ctime", all, func(_ *Record, now *Stat) { now.CTime++ }, false},
		{"inode", all, func(_ *Record, now *Stat) { now.Inode++ }, false},
		{"type", all, func(_ *Record, now *Stat) { now.Mode = modeLink | 0o644 }, false},
		{"permission", all, func(_ *Record, now *Stat) { now.Mode = modeFile | 0o755 }, true},
		{"device", all, func(_ *Record, now *Stat) { now.Dev++ }, true},
		{"absent before", all, func(r *Record, _ *Stat) { r.Kind = 0 }, false},
		{"never hashed", all, func(r *Record, now *Stat) { r.HashedAt = 0; r.Stat.MTime = -9e18; now.MTime = -9e18 }, false},
		{"mtime just old enough", all, func(r *Record, _ *Stat) { r.HashedAt = old + RacyWindow }, true},
		{"mtime in the window", all, func(r *Record, now *Stat) { r.Stat.MTime++; now.MTime++; r.HashedAt = old + RacyWindow }, false},
		{"ctime in the window", all, func(r *Record, now *Stat) { r.Stat.CTime++; now.CTime++; r.HashedAt = old + RacyWindow }, false},
		{"mtime in the future", all, func(r *Record, now *Stat) { r.Stat.MTime = 2e18; now.MTime = 2e18 }, false},
		{"ctime, not trusted", noCTime, func(r *Record, now *Stat) { now.CTime++; r.Stat.CTime = hashed }, true},
		{"mtime, ctime not trusted", noCTime, func(_ *Record, now *Stat) { now.MTime++ }, false},
		{"ctime of a hard link", all, func(r *Record, now *Stat) { now.CTime++; r.Hardlinked = true; r.Stat.CTime = hashed }, true},
		{"mtime of a hard link", all, func(r *Record, now *Stat) { now.MTime++; r.Hardlinked = true }, false},
		{"stamped, and young", all, func(r *Record, _ *Stat) { r.HashedAt, r.Stat.MTime = Stamped, 2e18 }, false},
		{"stamped, and just written", all, func(r *Record, now *Stat) { r.HashedAt, r.Stat.MTime, now.MTime = Stamped, 2e18, 2e18 }, true},
		{"stamped, and the ctime differs", all, func(r *Record, now *Stat) { r.HashedAt = Stamped; now.CTime++ }, false},
		{"stamped, by whole seconds", minimal, func(r *Record, _ *Stat) { r.HashedAt = Stamped }, false},
		{"minimal: all but size and second", minimal, func(_ *Record, now *Stat) { *now = Stat{Size: 5, MTime: old + 999999999} }, true},
		{"minimal: second", minimal, func(_ *Record, now *Stat) { now.MTime += 1e9 }, false},
		{"minimal: second before", minimal, func(_ *Record, now *Stat) { now.MTime-- }, false},
		{"minimal: size", minimal, func(_ *Record, now *Stat) { now.Size++ }, false},
		{"minimal: in the window", minimal, func(r *Record, _ *Stat) { r.HashedAt = old + RacyWindow - 1 }, false},
		{"minimal: around the epoch", minimal, func(r *Record, now *Stat) { r.Stat.MTime = -1; now.MTime = 1 }, false},
	}
	for _, tt := range tests {
		r, now := base, st
		tt.change(&r, &now)
		if got := r.Trusted(now, tt.trust); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// hashNow is the record that a caller makes of a file: time, then stat, then bytes.
func hashNow(t *testing.T, root *durable.Root, name string) Record {
	t.Helper()
	at, err := ProbeTime(root, ".")
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := os.ReadFile(filepath.Join(root.Name(), name))
	if err != nil {
		t.Fatal(err)
	}
	return Record{Path: name, Kind: index.File, Stat: statOf(t, filepath.Join(root.Name(), name)), Digest: digest.Sum(bytes), HashedAt: at}
}

func statOf(t *testing.T, path string) Stat {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return infoStat(info)
}

func TestEditsAreNoticed(t *testing.T) {
	dir := t.TempDir()
	root, err := (*durable.Disk)(nil).OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	all := Trust{CTime: true, CheckStat: CheckDefault}
	path := filepath.Join(dir, "f")
	write(t, dir, "f", "one")

	racy := hashNow(t, root, "f")
	write(t, dir, "f", "two") // the same size, maybe the same tick of the clock
	if err := os.Chtimes(path, time.Time{}, time.Unix(0, racy.Stat.MTime)); err != nil {
		t.Fatal(err)
	}
	same := racy
	same.Stat = statOf(t, path) // as if the file system had noted no other times at all
	if racy.Trusted(statOf(t, path), all) || same.Trusted(statOf(t, path), all) {
		t.Error("an edit just after hashing was not noticed")
	}

	time.Sleep(RacyWindow + 100*time.Millisecond)
	settled := hashNow(t, root, "f")
	if !settled.Trusted(statOf(t, path), all) {
		t.Fatal("a file that nobody touches is not trusted")
	}
	write(t, dir, "f", "six")
	if err := os.Chtimes(path, time.Time{}, time.Unix(0, settled.Stat.MTime)); err != nil {
		t.Fatal(err)
	}
	now := statOf(t, path)
	if now.Size != settled.Stat.Size || now.MTime != settled.Stat.MTime || now.Inode != settled.Stat.Inode {
		t.Fatalf("the test is wrong: %+v, %+v", now, settled.Stat)
	}
	if now.CTime != 0 && settled.Trusted(now, all) {
		t.Error("an edit with the old size and modification time was not noticed")
	}
}

func TestProbeTime(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := (*durable.Disk)(nil).OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, in := range []string{".", "sub"} {
		before := time.Now()
		ns, err := ProbeTime(root, in)
		if err != nil {
			t.Fatal(err)
		}
		if d := time.Unix(0, ns).Sub(before).Abs(); d > 10*time.Second {
			t.Errorf("%v off", d)
		}
		if left, _ := os.ReadDir(filepath.Join(dir, in)); len(left) > 1 || in == "sub" && len(left) > 0 {
			t.Errorf("%v is left", left)
		}
	}
	if _, err := ProbeTime(root, "none"); err == nil {
		t.Error("no error without a directory")
	}
}
