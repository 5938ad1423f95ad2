package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tarn/store/blob"
	"tarn/store/blob/wrap"
	"tarn/store/chunk"
	"tarn/store/digest"
	"tarn/store/remote"
)

// cat is what Cat writes, and its error, in an own opening of the repository.
func (s *scratch) cat(dir, path, rng string, wrapped func(blob.Bucket) blob.Bucket) (string, error) {
	var out bytes.Buffer
	err := s.with(dir, Options{wrapBucket: wrapped}, func(r *Repo) error {
		return r.Cat(bg, CatOptions{Path: path, Range: rng}, &out)
	})
	return out.String(), err
}

// freshClone is a Git clone beside the remote that has no cache.
func (s *scratch) freshClone(top, name string) string {
	s.t.Helper()
	s.git(top, "clone", "-q", "repo", name)
	return filepath.Join(top, name)
}

func TestParseRange(t *testing.T) {
	for _, c := range []struct {
		s            string
		size, off, n int64 // n 0: refused
	}{
		{"0-0", 1, 0, 1}, {"0-99", 100, 0, 100}, {"5-9", 100, 5, 5}, {"5-", 100, 5, 95}, {"-5", 100, 95, 5}, {"99-", 100, 99, 1},
		{"0-1000", 100, 0, 100}, {"-1000", 100, 0, 100}, {"0-9223372036854775807", 100, 0, 100}, {"007-8", 100, 7, 2},
		{"100-", 100, 0, 0}, {"100-200", 100, 0, 0}, {"-0", 100, 0, 0}, {"0-", 0, 0, 0}, {"-1", 0, 0, 0}, {"0-0", 0, 0, 0},
		{"", 100, 0, 0}, {"-", 100, 0, 0}, {"5", 100, 0, 0}, {"9-5", 100, 0, 0}, {"a-b", 100, 0, 0}, {"1-+2", 100, 0, 0}, {"--1", 100, 0, 0}, {"1-2-3", 100, 0, 0},
		{" 1-2", 100, 0, 0}, {"0-9223372036854775808", 100, 0, 0}, {"0x1-2", 100, 0, 0},
	} {
		off, n, err := ParseRange(c.s, c.size)
		if off != c.off || n != c.n || (err == nil) != (c.n > 0) || err != nil && !errors.Is(err, ErrUsage) {
			t.Errorf("%q of %d: %d, %d, %v", c.s, c.size, off, n, err)
		}
	}
}

// manyChunks is a file of more chunks than a record has room for, which a push sends as two, for they are the same.
func manyChunks(n int) string {
	for seed := uint64(0); ; seed++ {
		b := []byte(randomBytes(seed, chunk.Min+6000))
		if cut := chunk.Cut(append(b, make([]byte, chunk.Max)...)); cut <= len(b) {
			return strings.Repeat(string(b[:cut]), n) + "the end"
		}
	}
}

// catTree has a file of each way in which bytes are located; under the race detector hashing the largest would take minutes.
func catTree() tree {
	tr := firstTree()
	tr["large"] = "f" + randomBytes(7, 5<<20)
	if tr["huge"] = "f"; !testing.Short() {
		tr["huge"] += manyChunks(remote.MaxChunks + 100)
	}
	return tr
}

// TestCat reads whole files and ranges of them, from the remote alone and from the cache.
func TestCat(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	repo, tr := filepath.Join(top, "repo"), catTree()
	s.repo(repo)
	tr.write(t, filepath.Join(repo, "data"))
	s.do(repo, add("data"))
	s.commit(repo, "one")
	s.do(repo, pushAll)
	clone := s.freshClone(top, "clone")
	r := rand.New(rand.NewPCG(1, 2))
	for _, dir := range []string{clone, repo} {
		for p, v := range tr {
			if v[0] != 'f' && v[0] != 'x' {
				continue
			}
			want := v[1:]
			if got, err := s.cat(dir, "HEAD:data/"+p, "", nil); err != nil || got != want {
				t.Errorf("%s: %d bytes of %d, %v", p, len(got), len(want), err)
			}
			for range min(len(want), 8) {
				a := r.IntN(len(want))
				b := a + r.IntN(len(want)-a)
				if got, err := s.cat(dir, "HEAD:data/"+p, fmt.Sprintf("%d-%d", a, b), nil); err != nil || got != want[a:b+1] {
					t.Errorf("%s, %d to %d: %d bytes, %v", p, a, b, len(got), err)
				}
			}
		}
	}
	if n := len(keys(t, filepath.Join(clone, ".git", "tarn", "cache", "b3"))); n > 0 {
		t.Errorf("cat left %d objects in the cache", n)
	}
}

// counted counts what is asked of a bucket.
func counted(m **wrap.Meter) func(blob.Bucket) blob.Bucket {
	return func(b blob.Bucket) blob.Bucket {
		*m = wrap.NewMeter(b)
		return *m
	}
}

// TestCatRequests: for a range only its chunk is requested, and of pages only those that lead to it.
func TestCatRequests(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	tr := bigTree()
	for _, p := range []string{"large", "huge"} {
		tr[p] = catTree()[p]
	}
	s.bigPushed(top, tr)
	for i, c := range []struct {
		path, rng string
		gets      int64 // tarn.json, root of pages: none, page, page of chunks, pack
		bytes     int64
	}{
		{"d3/f0007", "", 3, 400 << 10},
		{"large", "3000000-3000009", 3, chunk.Max + 400<<10},
		{"huge", "30000000-30000009", 4, 600 << 10},
	} {
		if tr[c.path] == "f" { // left out
			continue
		}
		dir := s.freshClone(top, fmt.Sprint("clone", i))
		var m *wrap.Meter
		got, err := s.cat(dir, "data/"+c.path, c.rng, counted(&m))
		want := tr[c.path][1:]
		if c.rng != "" {
			off, n, _ := ParseRange(c.rng, int64(len(want)))
			want = want[off : off+n]
		}
		if err != nil || got != want {
			t.Errorf("%s: %d bytes, %v", c.path, len(got), err)
		}
		if n := m.Snapshot(); n.Requests() > c.gets || n.Down > c.bytes {
			t.Errorf("%s: %+v, want %d requests and %d bytes at most", c.path, n, c.gets, c.bytes)
		}
	}
}

// TestCatBrokenRemote: whatever is wrong on a remote, what cat wrote until it noticed is the beginning of the file, and of a range nothing else.
func TestCatBrokenRemote(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	repo := filepath.Join(top, "repo")
	s.repo(repo)
	want := randomBytes(7, 5<<20)
	tree{"small": "fsmall", "large": "f" + want}.write(t, filepath.Join(repo, "data"))
	s.do(repo, add("data"))
	s.commit(repo, "one")
	s.do(repo, pushAll)
	for key, b := range keys(t, filepath.Join(top, "remote")) {
		if kind, _, _ := strings.Cut(key, "/"); kind != "root" && kind != "pack" {
			continue
		}
		path, failed := filepath.Join(top, "remote", key), 0
		for i := range 12 {
			must(t, os.WriteFile(path, flipped(b, i*(len(b)-1)/11), 0o666))
			dir := s.freshClone(top, "clone")
			got, err := s.cat(dir, "data/large", "", nil)
			if !strings.HasPrefix(want, got) || err == nil && len(got) != len(want) || err != nil && !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s flipped: %d bytes, %v", key, len(got), err)
			}
			if part, perr := s.cat(dir, "data/large", "2000000-3999999", nil); !strings.HasPrefix(want[2000000:4000000], part) || perr != nil && !errors.Is(perr, ErrCorrupt) {
				t.Errorf("%s flipped: a range of %d bytes, %v", key, len(part), perr)
			}
			if err != nil {
				failed++
			}
			must(t, os.RemoveAll(dir))
		}
		if failed == 0 {
			t.Errorf("%s: no flip was noticed", key)
		}
		must(t, os.WriteFile(path, b, 0o666))
	}
}

// TestCatForgedLocations: chunks that are right by themselves, and not those of the file, are noticed at its end.
func TestCatForgedLocations(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	repo := filepath.Join(top, "repo")
	s.repo(repo)
	tree{"large": "f" + randomBytes(7, 5<<20)}.write(t, filepath.Join(repo, "data"))
	s.do(repo, add("data"))
	s.commit(repo, "one")
	s.do(repo, pushAll)
	d, err := digest.Parse(id(s.manifest(repo)))
	must(t, err)
	path := filepath.Join(top, "remote", remote.Name(remote.KindRoot, d))
	b, err := os.ReadFile(path)
	must(t, err)
	o, err := remote.Decode(b, remote.KindRoot, d)
	must(t, err)
	chunks := o.Records[0].Chunks
	i := slices.IndexFunc(chunks[1:], func(c remote.Chunk) bool { return c.Raw != chunks[0].Raw })
	chunks[0], chunks[i+1] = chunks[i+1], chunks[0]
	must(t, os.WriteFile(path, o.Encode(), 0o666))
	if _, err := s.cat(s.freshClone(top, "clone"), "data/large", "", nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%v", err)
	}
}

// TestCatBrokenCache: wrong bytes of the cache are not written, and the remote has the right ones.
func TestCatBrokenCache(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	repo := s.path("top", "repo")
	s.repo(repo)
	want := randomBytes(7, 3<<20)
	tree{"small": "fsmall", "large": "f" + want}.write(t, filepath.Join(repo, "data"))
	s.do(repo, add("data"))
	s.do(repo, pushAll)
	for name, b := range keys(t, filepath.Join(repo, ".git", "tarn", "cache")) {
		path, at := filepath.Join(repo, ".git", "tarn", "cache", name), bytes.Index(b, []byte("small"))
		if strings.HasPrefix(name, "b3/") {
			at = len(b) - 200
		}
		if strings.HasPrefix(name, "b3/") || strings.HasPrefix(name, "pack/") && at >= 0 {
			must(t, os.Chmod(path, 0o644))
			must(t, os.WriteFile(path, flipped(b, at), 0o644))
		}
	}
	hidden := s.path("top", "hidden")
	must(t, os.Rename(s.path("top", "remote"), hidden))
	for path, rng := range map[string]string{"data/large": "100-200", "data/small": ""} {
		if got, err := s.cat(repo, path, rng, nil); !errors.Is(err, ErrCorrupt) || got != "" {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	must(t, os.Rename(hidden, s.path("top", "remote")))
	for path, all := range map[string]string{"data/large": want, "data/small": "small"} {
		if got, err := s.cat(repo, path, "", nil); err != nil || got != all {
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
	}
}

// TestCatMovedPacks: what this clone saw is gone from the remote, as after a gc; it asks again, also in the middle of a file.
func TestCatMovedPacks(t *testing.T) {
	if testing.Short() {
		t.Skip("it needs a file of more than is read ahead")
	}
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	repo := filepath.Join(top, "repo")
	s.repo(repo)
	want := randomBytes(7, 40<<20)
	tree{"large": "f" + want}.write(t, filepath.Join(repo, "data"))
	s.do(repo, add("data"))
	s.commit(repo, "one")
	s.do(repo, pushAll)
	clone := s.freshClone(top, "clone")
	if got, err := s.cat(clone, "data/large", "5-9", nil); err != nil || got != want[5:10] {
		t.Fatalf("%q, %v", got, err)
	}
	move := func() {
		packs, _ := filepath.Glob(filepath.Join(top, "remote", "pack", "*", "*"))
		for _, p := range packs {
			must(t, os.Remove(p))
		}
		s.do(repo, func(r *Repo) error {
			_, err := r.Push(bg, PushOptions{Verify: true})
			return err
		})
	}
	move()
	if got, err := s.cat(clone, "data/large", "39000000-", nil); err != nil || got != want[39000000:] {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	// Now while it reads.
	w := &shifting{after: 9 << 20, move: move}
	err := s.with(clone, Options{}, func(r *Repo) error { return r.Cat(bg, CatOptions{Path: "data/large"}, w) })
	if err != nil || w.String() != want || w.move != nil {
		t.Errorf("%d bytes, %v", w.Len(), err)
	}
}

// shifting is a writer that does something once it has had so many bytes.
type shifting struct {
	bytes.Buffer
	after int
	move  func()
}

func (m *shifting) Write(b []byte) (int, error) {
	if m.move != nil && m.Len() > m.after {
		m.move()
		m.move = nil
	}
	return m.Buffer.Write(b)
}

// TestCatElsewhere: the bytes of a version that nobody pushed are found under others.
func TestCatElsewhere(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	repo := filepath.Join(top, "repo")
	s.repo(repo)
	tr := catTree()
	tr.write(t, filepath.Join(repo, "data"))
	s.do(repo, add("data"))
	s.commit(repo, "one")
	s.do(repo, pushAll)
	must(t, os.Remove(filepath.Join(repo, "data", "run.sh")))
	s.do(repo, add("data"))
	s.commit(repo, "not pushed")
	clone := s.freshClone(top, "clone")
	for _, p := range []string{"huge", "large", "a.txt"} {
		for rng, from := range map[string]int{"": 0, "-2": len(tr[p]) - 3} {
			if tr[p] == "f" {
				continue
			}
			if got, err := s.cat(clone, "data/"+p, rng, nil); err != nil || got != tr[p][1+from:] {
				t.Errorf("%s %s: %d bytes, %v", p, rng, len(got), err)
			}
		}
	}
	tree{"lost": "fnowhere"}.write(t, filepath.Join(repo, "lost"))
	s.do(repo, add("lost"))
	s.commit(repo, "lost")
	s.git(clone, "pull", "-q")
	if got, err := s.cat(clone, "lost/lost", "", nil); !errors.Is(err, ErrIncomplete) || got != "" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestCatEnds: an interruption, and a reader that goes away, end it.
func TestCatEnds(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	repo := filepath.Join(top, "repo")
	s.repo(repo)
	tree{"large": "f" + randomBytes(7, 24<<20)}.write(t, filepath.Join(repo, "data"))
	s.do(repo, add("data"))
	s.commit(repo, "one")
	s.do(repo, pushAll)
	for _, dir := range []string{repo, s.freshClone(top, "clone")} {
		ctx, cancel := context.WithCancel(bg)
		defer cancel()
		w := &shifting{after: 1 << 20, move: cancel}
		err := s.with(dir, Options{}, func(r *Repo) error { return r.Cat(ctx, CatOptions{Path: "data/large"}, w) })
		if !errors.Is(err, context.Canceled) || w.Len() > 20<<20 {
			t.Errorf("%d bytes, %v", w.Len(), err)
		}
		r, pw := io.Pipe()
		r.Close()
		err = s.with(dir, Options{}, func(r *Repo) error { return r.Cat(bg, CatOptions{Path: "data/large"}, pw) })
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%v", err)
		}
	}
}
