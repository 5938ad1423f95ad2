package dataset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"tarn/store/blob/fs"
	"tarn/store/blob/wrap"
	"tarn/store/digest"
	"tarn/store/remote"
)

// twoVersions makes top/repo with a first version that was pushed, unless fresh is set, and a second one that was added.
func (s *scratch) twoVersions(top string, fresh bool) map[string]tree {
	repo := filepath.Join(top, "repo")
	s.repo(repo)
	versions := map[string]tree{}
	for i, tr := range []tree{firstTree(), secondTree()} {
		tr.write(s.t, filepath.Join(repo, "data"))
		s.do(repo, add("data"))
		s.commit(repo, fmt.Sprint(i))
		raw, err := os.ReadFile(filepath.Join(repo, "data.tarn"))
		must(s.t, err)
		versions[id(raw)] = tr
		if i == 0 && !fresh {
			s.do(repo, pushAll)
		}
	}
	return versions
}

func (s *scratch) manifest(repo string) []byte {
	raw, err := os.ReadFile(filepath.Join(repo, "data.tarn"))
	must(s.t, err)
	return raw
}

// TestPushFaults: whichever request of a push fails, before or after it was applied, alone or with all that follow, what is pinned can be fetched, and the
// next push completes it.
func TestPushFaults(t *testing.T) {
	for _, fresh := range []bool{true, false} {
		t.Run(fmt.Sprintf("fresh %v", fresh), func(t *testing.T) {
			t.Parallel()
			s := newScratch(t)
			versions := s.twoVersions(s.path("template"), fresh)
			n := s.pushWith(s.path("template"), versions, func(int, string, string) wrap.Outcome { return wrap.OK })
			t.Logf("%d requests", n)
			for at := 1; at <= n; at++ {
				for _, o := range []wrap.Outcome{wrap.FailBefore, wrap.FailMidway, wrap.FailAfter} {
					s.pushWith(s.path("template"), versions, func(i int, verb, _ string) wrap.Outcome {
						if i == at {
							return o
						}
						return wrap.OK
					})
				}
				s.pushWith(s.path("template"), versions, func(i int, _, _ string) wrap.Outcome {
					switch {
					case i < at:
						return wrap.OK
					case i == at:
						return wrap.FailAfter
					}
					return wrap.FailBefore
				})
			}
		})
	}
}

// pushWith pushes from a copy of template by plan, checks, pushes again without faults, and checks again. It returns how many requests the first push made.
func (s *scratch) pushWith(template string, versions map[string]tree, plan wrap.Plan) (n int) {
	s.t.Helper()
	top := s.path("run")
	defer os.RemoveAll(top)
	s.copy(template, top)
	repo := filepath.Join(top, "repo")
	base, at := wrap.NewFault(fs.New(nil, filepath.Join(top, "remote")), nil), ""
	faulty := base.With(func(i int, verb, key string) wrap.Outcome {
		n = i
		o := plan(i, verb, key)
		if o != wrap.OK && at == "" {
			at = fmt.Sprintf("fault %d at %d, %s %s", o, i, verb, key)
		}
		return o
	})
	err := s.with(repo, Options{wrapBucket: keepBucket(faulty)}, pushAll)
	latest := id(s.manifest(repo))
	var want []string
	if err == nil {
		want = []string{latest}
	}
	if err := s.checkPinned(top, versions, want...); err != nil {
		s.t.Errorf("%s: after the fault: %v", at, err)
	}
	if err := s.with(repo, Options{wrapBucket: keepBucket(base)}, pushAll); err != nil {
		s.t.Errorf("%s: the second push: %v", at, err)
	}
	if err := s.checkPinned(top, versions, latest); err != nil {
		s.t.Errorf("%s: after the second push: %v", at, err)
	}
	if v := base.Violations(); len(v) > 0 {
		s.t.Errorf("%s: %v", at, v)
	}
	return n
}

// TestPushTogether: clones that push the same and other versions at once, over a bucket that fails at random.
func TestPushTogether(t *testing.T) {
	s := newScratch(t)
	top := s.path("top")
	versions := s.twoVersions(top, true)
	for i := range 3 {
		s.copy(filepath.Join(top, "repo"), filepath.Join(top, fmt.Sprint("clone", i)))
	}
	s.git(filepath.Join(top, "clone2"), "checkout", "-q", "HEAD~1", "--", "data.tarn")
	base := wrap.NewFault(fs.New(nil, filepath.Join(top, "remote")), nil)
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			dir := filepath.Join(top, fmt.Sprint("clone", i))
			var err error
			for try := range 40 {
				plan := wrap.Random(uint64(100*i+try), 0.05)
				if err = s.with(dir, Options{wrapBucket: keepBucket(base.With(plan))}, pushAll); err == nil {
					return
				}
				if !errors.Is(err, wrap.ErrFault) {
					break
				}
			}
			t.Error(err)
		})
	}
	wg.Wait()
	var all []string
	for v := range versions {
		all = append(all, v)
	}
	must(t, s.checkPinned(top, versions, all...))
	if v := base.Violations(); len(v) > 0 {
		t.Error(v)
	}
}

// bigTree has 6,000 files whose manifest has a page for each of its eight directories, and more.
func bigTree() tree {
	tr := tree{}
	for d := range 8 {
		for i := range 750 {
			p := fmt.Sprintf("d%d/f%04d", d, i)
			tr[p] = "f" + p
		}
		for i := 0; ; i++ { // a page ends after a path like this one
			p := fmt.Sprintf("d%d/g%d", d, i)
			if sum := digest.Sum([]byte(p)); binary.LittleEndian.Uint32(sum[:])%4096 == 0 {
				tr[p] = "f" + p
				break
			}
		}
	}
	return tr
}

// bigPushed makes top/repo with bigTree or more, pushed.
func (s *scratch) bigPushed(top string, tr tree) []byte {
	repo := filepath.Join(top, "repo")
	s.repo(repo)
	tr.write(s.t, filepath.Join(repo, "data"))
	s.do(repo, add("data"))
	s.commit(repo, "big")
	s.do(repo, pushAll)
	raw := s.manifest(repo)
	v, err := parseVersion(raw)
	must(s.t, err)
	if len(v.Pages) < 8 {
		s.t.Fatalf("the manifest has %d pages", len(v.Pages))
	}
	return raw
}

// TestVerifyHeals deletes, and breaks, each object of a remote in turn.
func TestVerifyHeals(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	want := bigTree()
	want["large"] = "f" + randomBytes(7, 5<<20) // in chunks
	raw, repo := s.bigPushed(top, want), filepath.Join(top, "repo")
	before, tried := keys(t, filepath.Join(top, "remote")), 0
	for key, b := range before {
		kind, _, _ := strings.Cut(key, "/")
		if kind != "root" && kind != "page" && kind != "pack" {
			continue
		}
		path := filepath.Join(top, "remote", key)
		if _, err := os.Stat(path); err != nil {
			continue // an earlier healing has replaced a pack
		}
		bad := [][]byte{nil, b[:len(b)/2], flipped(b, len(b)/2)}
		if tried++; kind == "page" && tried > 5 {
			bad = bad[:1]
		}
		for _, broken := range bad {
			if kind == "pack" && len(broken) == len(b) {
				continue // this, only reading can find
			}
			must(t, os.Remove(path))
			if broken != nil {
				must(t, os.WriteFile(path, broken, 0o666))
			}
			err := s.with(repo, Options{}, func(r *Repo) error {
				_, err := r.Push(bg, PushOptions{Verify: true})
				return err
			})
			if err != nil {
				t.Fatalf("%s with %d bytes: push --verify: %v", key, len(broken), err)
			}
			dir, err := s.freshFetch(top, raw)
			if err == nil {
				err = s.holds(dir, raw, want)
			}
			if err != nil {
				t.Fatalf("%s with %d bytes, after push --verify: %v", key, len(broken), err)
			}
			must(t, os.RemoveAll(dir))
			if kind == "pack" {
				break // its blobs are in another one now
			}
		}
	}
}

func flipped(b []byte, at int) []byte {
	c := slices.Clone(b)
	c[at] ^= 1
	return c
}

// reseal makes the checksum of an object right.
func reseal(b []byte) []byte {
	h := digest.New()
	defer h.Release()
	h.Write(b[:40])
	h.Write(b[72:])
	sum := h.Sum()
	copy(b[40:], sum[:])
	return b
}

// TestBrokenRemote: wrong bytes on a remote are noticed and named, nothing wrong comes into the cache, and once they are right again the same clone has all.
func TestBrokenRemote(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	for _, paged := range []bool{false, true} {
		top := s.path(fmt.Sprint("top", paged))
		var raw []byte
		if paged {
			raw = s.bigPushed(top, bigTree())
		} else {
			s.twoVersions(top, true)
			s.do(filepath.Join(top, "repo"), pushAll)
			raw = s.manifest(filepath.Join(top, "repo"))
		}
		tried := 0
		for key, b := range keys(t, filepath.Join(top, "remote")) {
			kind, _, _ := strings.Cut(key, "/")
			if kind == "pin" || kind == "recent" || kind == "tarn.json" || paged && (kind != "page" || tried == 2) {
				continue // not read, or not an object, or as the others
			}
			tried++
			for name, bad := range map[string][]byte{
				"empty": {}, "half": b[:len(b)/2], "less a byte": b[:len(b)-1], "head": flipped(b, 4), "middle": flipped(b, len(b)/2), "digest": flipped(b, 20),
				"end": flipped(b, len(b)-60), "zeros": make([]byte, len(b)), "text": []byte("<html>not found</html>"), "longer": append(slices.Clone(b), 0),
			} {
				if err := s.broken(top, key, raw, b, bad); err != nil {
					t.Errorf("%s %s: %v", key, name, err)
				}
			}
		}
	}
}

// broken fetches while key has the bytes bad, and again when it has good ones.
func (s *scratch) broken(top, key string, raw, good, bad []byte) error {
	path := filepath.Join(top, "remote", key)
	must(s.t, os.WriteFile(path, bad, 0o666))
	defer func() { must(s.t, os.WriteFile(path, good, 0o666)) }()
	dir, err := s.freshFetch(top, raw)
	defer os.RemoveAll(dir)
	if cerr := checkObjects(s.t, filepath.Join(dir, ".git", "tarn", "cache"), ""); cerr != nil {
		return cerr
	}
	if err == nil && strings.HasPrefix(key, "pack/") { // what was flipped is not in a blob that is needed
		return s.holds(dir, raw, nil)
	}
	if !errors.Is(err, ErrCorrupt) {
		return fmt.Errorf("the error is %v", err)
	}
	if err := s.namesIt(dir, key); err != nil {
		return err
	}
	must(s.t, os.WriteFile(path, good, 0o666))
	if err := s.with(dir, Options{}, fetchAll); err != nil {
		return fmt.Errorf("when it is right again: %w", err)
	}
	return s.holds(dir, raw, nil)
}

// namesIt fetches again: every problem has the side, and the object or the file.
func (s *scratch) namesIt(dir, key string) error {
	return s.with(dir, Options{}, func(r *Repo) error {
		res, err := r.Fetch(bg, FetchOptions{})
		if !errors.Is(err, ErrCorrupt) || len(res.Problems) == 0 {
			return fmt.Errorf("a second fetch says %v", err)
		}
		name := filepath.Base(key)[:8]
		for _, p := range res.Problems {
			if p.Side != "remote origin" || p.Path == "" && !strings.Contains(p.Err.Error(), name) {
				return fmt.Errorf("a problem of side %q, path %q says %w", p.Side, p.Path, p.Err)
			}
		}
		return nil
	})
}

// TestHostileObjects: objects with right checksums that say what can't be.
func TestHostileObjects(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	s.twoVersions(top, true)
	s.do(filepath.Join(top, "repo"), pushAll)
	raw := s.manifest(filepath.Join(top, "repo"))
	key := "root/" + id(raw)
	good := keys(t, filepath.Join(top, "remote"))[key]
	object := func(change func(o *remote.Object)) []byte {
		o, err := remote.Decode(good, remote.KindRoot, digest.Sum(raw))
		must(t, err)
		change(o)
		return o.Encode()
	}
	records := func(b ...byte) []byte {
		return reseal(append(object(func(o *remote.Object) { o.Records = nil }), b...))
	}
	number := func(n uint64) []byte { return binary.AppendUvarint(nil, n) }
	for name, bad := range map[string][]byte{
		"many packs":        reseal(append(append(slices.Clone(good[:72]), number(1<<20)...), good[73:]...)),
		"far too many":      reseal(append(append(slices.Clone(good[:72]), number(1<<62)...), good[73:]...)),
		"long subject":      reseal(append(append(slices.Clone(good[:72]), 0), number(1<<40)...)),
		"many chunks":       records(append([]byte{2}, number(1<<60)...)...),
		"many chunk pages":  records(append([]byte{3}, number(1<<60)...)...),
		"endless number":    records(2, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255),
		"no records":        records(),
		"reserved record":   records(129),
		"one record more":   object(func(o *remote.Object) { o.Records = append(o.Records, o.Records[0]) }),
		"one record less":   object(func(o *remote.Object) { o.Records = o.Records[1:] }),
		"no such pack":      object(func(o *remote.Object) { o.Records[0].Whole.Pack = 77 }),
		"outside the pack":  object(func(o *remote.Object) { o.Records[0].Whole.Offset = 1 << 29 }),
		"another's place":   object(func(o *remote.Object) { o.Records[0], o.Records[1] = o.Records[1], o.Records[0] }),
		"another version":   object(func(o *remote.Object) { o.Subject = []byte("tarn 1 dir\n") }),
		"chunks too short":  object(func(o *remote.Object) { o.Records[0] = twoChunks(o, 1) }),
		"chunks of no blob": object(func(o *remote.Object) { o.Records[0] = twoChunks(o, 0) }),
	} {
		if err := s.broken(top, key, raw, good, bad); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// twoChunks is a record of chunks that are not there, less some bytes too short for the first file of the second tree, which has 3.
func twoChunks(o *remote.Object, less uint32) remote.Record {
	l := o.Records[0].Whole
	return remote.Record{Chunks: []remote.Chunk{{Digest: digest.Sum([]byte("t")), Raw: 1, Loc: l}, {Digest: digest.Sum([]byte("wo")), Raw: 2 - less, Loc: l}}}
}

// TestPageOutside: a manifest from a stranger with a page that names paths outside; nothing is written there.
func TestPageOutside(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	s.twoVersions(top, true)
	s.do(filepath.Join(top, "repo"), pushAll)
	evil := digest.Sum([]byte("evil!")).String()
	for _, line := range []string{
		"f " + evil + " 5 ../evil", "f " + evil + " 5 /tmp/evil", "f " + evil + " 5 .git/hooks/evil", "f " + evil + " 5 a/../../evil",
		"l - \"../../x\" a", "l - \"/etc\" a", "f " + evil + " 5 zzz", "f " + evil + " 5 a\nf " + evil + " 5 a/b",
	} {
		page := []byte("tarn 1 page 0\n" + line + "\n")
		root := fmt.Sprintf("tarn 1 dir\np %s %d %d a\n", digest.Sum(page), strings.Count(line, "\n")+1, 5*strings.Count(line, evil))
		o := &remote.Object{Kind: remote.KindPage, Subject: page}
		if strings.Contains(line, evil) {
			o = withRecords(t, top, o, strings.Count(line, evil))
		}
		must(t, os.WriteFile(filepath.Join(top, "remote", "page", digest.Sum(page).String()), o.Encode(), 0o666))
		before := readTree(t, filepath.Join(top, "repo")).differs(nil)
		dir, err := s.freshFetch(top, []byte(root))
		if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrIncomplete) || line[0] != 'f' && !errors.Is(err, ErrCorrupt) {
			t.Errorf("fetch of %q: %v", line, err)
		}
		if err := s.with(dir, Options{}, pullAll); err == nil {
			t.Errorf("pull of %q succeeds", line)
		}
		if got := readTree(t, dir); got["evil"] != "" || got["data/a"] != "" || got["data/zzz"] != "" || got[".git/hooks/evil"] != "" {
			t.Errorf("pull of %q writes something", line)
		}
		if _, err := os.Lstat(filepath.Join(top, "evil")); err == nil {
			t.Errorf("pull of %q writes outside", line)
		}
		if readTree(t, filepath.Join(top, "repo")).differs(nil) != before {
			t.Errorf("pull of %q writes into another repository", line)
		}
	}
}

// withRecords gives an object n records that refer to some pack.
func withRecords(t *testing.T, top string, o *remote.Object, n int) *remote.Object {
	must(t, os.MkdirAll(filepath.Join(top, "remote", "page"), 0o777))
	for key, b := range keys(t, filepath.Join(top, "remote")) {
		if d, err := digest.Parse(filepath.Base(key)); err == nil && strings.HasPrefix(key, "pack/") {
			o.Packs = []remote.PackRef{{Name: d, Size: int64(len(b))}}
		}
	}
	for range n {
		o.Records = append(o.Records, remote.Record{Whole: remote.Loc{Offset: 24, Stored: 5}})
	}
	return o
}

// TestMissingPage: what can be had is had where a page of a version is gone or broken.
func TestMissingPage(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	raw := s.bigPushed(top, bigTree())
	v, err := parseVersion(raw)
	must(t, err)
	page := filepath.Join(top, "remote", "page", v.Pages[2].Digest.String())
	for _, broken := range []bool{false, true} {
		must(t, os.RemoveAll(page))
		want := ErrIncomplete
		if broken {
			must(t, os.WriteFile(page, []byte("broken"), 0o666))
			want = ErrCorrupt
		}
		dir, err := s.freshFetch(top, raw)
		if !errors.Is(err, want) {
			t.Errorf("broken %v: %v", broken, err)
		}
		must(t, s.with(dir, Options{}, func(r *Repo) error {
			store, err := r.openCache()
			n := 0
			for _, c := range bigTree() {
				if store.Has(digest.Sum([]byte(c[1:]))) {
					n++
				}
			}
			if want := len(bigTree()) - int(v.Pages[2].Entries); n != want {
				t.Errorf("broken %v: %d files came, not %d", broken, n, want)
			}
			return err
		}))
	}
}
