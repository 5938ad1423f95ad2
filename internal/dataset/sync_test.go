package dataset

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tarn/index"
	"tarn/internal/config"
	"tarn/store/blob"
	"tarn/store/blob/fs"
	"tarn/store/blob/mem"
	"tarn/store/blob/wrap"
	"tarn/store/digest"
	"tarn/store/pack"
	"tarn/store/remote"
	"tarn/store/transfer"
)

// linkTree has more than 4,096 entries, most of them links, in pages that end with each of four directories or before.
func linkTree() tree {
	tr := tree{}
	for d := range 4 {
		for i := range 1040 {
			tr[fmt.Sprintf("d%d/l%04d", d, i)] = "lx"
		}
		for i := 0; tr[fmt.Sprintf("d%d/x", d)] == ""; i++ { // a page ends after a path like this one
			p := fmt.Sprintf("d%d/m%d", d, i)
			if sum := digest.Sum([]byte(p)); binary.LittleEndian.Uint32(sum[:])%4096 == 0 {
				tr[p], tr[fmt.Sprintf("d%d/x", d)] = "f"+p, "f"+p+"x"
			}
		}
	}
	return tr
}

// syncSource makes top/repo whose remote "source" has a version of pages, another one that shares most of them, and a small dataset with two versions; "origin"
// is where they are to go.
func (s *scratch) syncSource(top string) map[string]tree {
	repo := filepath.Join(top, "repo")
	s.repo(repo)
	big := linkTree()
	big["large"] = "f" + randomBytes(7, 1300<<10) // in chunks
	versions := map[string]tree{}
	for i := range 2 {
		big["d3/changed"] = fmt.Sprintf("f%d", i)
		big.write(s.t, filepath.Join(repo, "data"))
		[]tree{firstTree(), secondTree()}[i].write(s.t, filepath.Join(repo, "small"))
		s.do(repo, add("data", "small"))
		s.commit(repo, fmt.Sprint(i))
		s.do(repo, pushAll)
		versions[id(s.manifest(repo))] = maps.Clone(big)
	}
	for key := range keys(s.t, filepath.Join(top, "remote")) { // so that the larger dataset is the newer one, and comes first
		if m := pinKey.FindStringSubmatch(key); m != nil && versions[m[1]] == nil {
			before := time.Now().Add(-time.Hour)
			must(s.t, os.Chtimes(filepath.Join(top, "remote", filepath.FromSlash(key)), before, before))
		}
	}
	must(s.t, os.Rename(filepath.Join(top, "remote"), filepath.Join(top, "source")))
	s.do(repo, func(r *Repo) error {
		_, err := r.AddRemote("source", "../source", config.Repository, false)
		return err
	})
	return versions
}

// syncTo syncs from source to b.
func (s *scratch) syncTo(repo string, b blob.Bucket, o SyncOptions) (res *SyncResult, err error) {
	return s.syncFrom(bg, repo, b, o)
}

func (s *scratch) syncFrom(ctx context.Context, repo string, b blob.Bucket, o SyncOptions) (res *SyncResult, err error) {
	o.From, o.To = "source", "origin"
	err = s.with(repo, Options{wrapBucket: func(real blob.Bucket) blob.Bucket {
		if strings.HasSuffix(real.String(), "source") {
			return real
		}
		return b
	}}, func(r *Repo) (err error) {
		res, err = r.Sync(ctx, o)
		return err
	})
	return res, err
}

// objects are all that a bucket has.
func objects(t testing.TB, b blob.Bucket) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for info, err := range b.List(bg, "", "") {
		must(t, err)
		r, _, err := b.Get(bg, info.Key, 0, -1)
		must(t, err)
		all[info.Key], err = io.ReadAll(r)
		must(t, err)
		r.Close()
	}
	return all
}

// closed says whether all objects are whole, what they name is there, pinned or not, and a root of pages names the packs of these, no more and no less.
func closed(all map[string][]byte) error {
	for key, b := range all {
		if err := checkRemoteObject(key, b); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		kind, _, _ := strings.Cut(key, "/")
		if kind != "root" && kind != "page" {
			continue
		}
		if err := namesWhatIsThere(all, key); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	_, err := pinned(all)
	return err
}

func namesWhatIsThere(all map[string][]byte, key string) error {
	o, err := decodeKey(all, key)
	if err != nil {
		return err
	}
	for _, p := range o.Packs {
		if int64(len(all[remote.PackName(p.Name)])) != p.Size {
			return fmt.Errorf("pack %s is not there", p.Name.Short())
		}
	}
	for _, rec := range o.Records {
		for _, cp := range rec.Pages {
			if _, err := decodeKey(all, remote.Name(remote.KindChunks, cp.Digest)); err != nil {
				return fmt.Errorf("page of chunks %s: %w", cp.Digest.Short(), err)
			}
		}
	}
	var refs []index.Ref
	if o.Kind == remote.KindRoot {
		m, err := index.Parse(o.Subject)
		if err != nil {
			return err
		}
		refs = m.Pages
	}
	var union []remote.PackRef
	for _, ref := range refs {
		page, err := decodeKey(all, remote.Name(remote.KindPage, ref.Digest))
		if err != nil {
			return fmt.Errorf("page %s: %w", ref.Digest.Short(), err)
		}
		union = append(union, page.Packs...)
	}
	if len(refs) > 0 && !slices.Equal(newPackTable(union).refs, o.Packs) {
		return fmt.Errorf("names %d packs, its pages %d", len(o.Packs), len(newPackTable(union).refs))
	}
	return nil
}

func decodeKey(all map[string][]byte, key string) (*remote.Object, error) {
	d, err := digest.Parse(filepath.Base(key))
	if err != nil || len(all[key]) < 6 {
		return nil, errors.New("it is not there")
	}
	return remote.Decode(all[key], remote.Kind(all[key][5]), d)
}

// hasAll says that a bucket is closed and has all pinned roots of the source.
func (s *scratch) hasAll(top string, all map[string][]byte) error {
	if err := closed(all); err != nil {
		return err
	}
	want, err := pinned(keys(s.t, filepath.Join(top, "source")))
	must(s.t, err)
	got, err := pinned(all)
	must(s.t, err)
	if len(want) != 4 || len(got) < len(want) {
		return fmt.Errorf("%d roots are pinned, of %d", len(got), len(want))
	}
	for d := range want {
		if got[d] == nil {
			return fmt.Errorf("root %s has no pin", d)
		}
	}
	for key := range all {
		if strings.HasPrefix(key, "claim/") {
			return fmt.Errorf("%s is left", key)
		}
	}
	return nil
}

// TestSync has one source for all, which is made once.
func TestSync(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	versions := s.syncSource(top)
	for name, test := range map[string]func(*scratch, string){
		"faults": (*scratch).syncFaults, "beside gc": (*scratch).syncBesideGC, "interrupted": (*scratch).syncInterrupted, "heals": (*scratch).syncHeals, "mixed": (*scratch).syncMixed, "broken": (*scratch).syncBroken,
		"whole": func(s *scratch, top string) { s.syncWhole(top, versions) },
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			test(s, top)
			s.freshLedgers(top)
			must(t, os.RemoveAll(filepath.Join(top, "remote")))
		})
	}
}

func (s *scratch) freshLedgers(top string) {
	must(s.t, os.RemoveAll(filepath.Join(top, "repo", ".git", "tarn", "remote")))
}

// syncFaults kills a sync at each write, before or after it was applied: at each moment what is there names only what is there, and the next sync finishes.
func (s *scratch) syncFaults(top string) {
	t := s.t
	repo := filepath.Join(top, "repo")
	writes, step := 1, 1
	if testing.Short() {
		step = 4
	}
	for at := 0; at <= writes; at += step { // none is killed at 0
		for _, o := range []wrap.Outcome{wrap.FailBefore, wrap.FailAfter} {
			if at != 1 && o == wrap.FailBefore {
				continue // as after the one before
			}
			s.freshLedgers(top)
			m := mem.New()
			base, n, where := wrap.NewFault(m, nil), 0, ""
			faulty := base.With(func(_ int, verb, key string) wrap.Outcome {
				if verb == "put" || verb == "delete" {
					if n++; n == at {
						where = fmt.Sprintf("fault %d at write %d, %s %s", o, at, verb, key)
						return o
					}
				}
				if at > 0 && n >= at {
					return wrap.FailBefore
				}
				return wrap.OK
			})
			_, err := s.syncTo(repo, faulty, SyncOptions{})
			if at == 0 {
				must(t, err)
				writes = n
			} else if err == nil {
				t.Errorf("%s: the sync says nothing of it", where)
			}
			if err := closed(objects(t, m)); err != nil {
				t.Errorf("%s: %v", where, err)
			}
			if _, err := s.syncTo(repo, base, SyncOptions{}); err != nil {
				t.Errorf("%s: the next sync: %v", where, err)
			}
			all := objects(t, m)
			maps.DeleteFunc(all, func(key string, _ []byte) bool { return strings.HasPrefix(key, "claim/") }) // of the one that was killed
			if err := s.hasAll(top, all); err != nil {
				t.Errorf("%s: after the next sync: %v", where, err)
			}
			if v := base.Violations(); len(v) > 0 {
				t.Errorf("%s: %v", where, v)
			}
		}
	}
	if writes < 20 {
		t.Errorf("only %d writes", writes)
	}
}

// syncWhole: what came can be fetched byte for byte, a dry run had said how much, and nothing is sent twice.
func (s *scratch) syncWhole(top string, versions map[string]tree) {
	t := s.t
	repo := filepath.Join(top, "repo")
	sync := func(o SyncOptions) (res *SyncResult) {
		o.From, o.To = "source", "origin"
		s.do(repo, func(r *Repo) (err error) { res, err = r.Sync(bg, o); return err })
		return res
	}
	dry := sync(SyncOptions{DryRun: true})
	res := sync(SyncOptions{})
	if res.Requests > 80 || dry.Requests > 16 {
		t.Errorf("%d requests, and %d of the dry run", res.Requests, dry.Requests)
	}
	if dry.Copied() != res.Copied() || dry.Packs != res.Packs || res.Pins.Objects != 4 || res.Roots.Objects != 4 {
		t.Errorf("it wrote %+v, the dry run said %+v", res, dry)
	}
	var sum Amount
	all := keys(t, filepath.Join(top, "remote"))
	for key, b := range all {
		if kind, _, _ := strings.Cut(key, "/"); kind == "pack" || kind == "page" || kind == "root" || kind == "pin" {
			sum.add(int64(len(b)))
		}
	}
	if sum != res.Copied() {
		t.Errorf("it says %+v, there are %+v", res.Copied(), sum)
	}
	must(t, s.hasAll(top, all))
	if again := sync(SyncOptions{}); again.Copied().Objects != 0 || again.UpToDate != 4 || again.Requests != 4 {
		t.Errorf("again: %+v", again)
	}
	if again := sync(SyncOptions{Verify: true}); again.Copied().Objects != 0 || again.There.Objects == 0 {
		t.Errorf("looked at: %+v", again)
	}
	raw := s.manifest(repo)
	dir, err := s.freshFetch(top, raw)
	must(t, err)
	must(t, s.holds(dir, raw, versions[id(raw)]))
}

// syncBesideGC: objects vanish before the claim stands, or with the claim itself: the sync begins again.
func (s *scratch) syncBesideGC(top string) {
	t := s.t
	for _, c := range []struct{ when, what string }{{"claim/", "pack/"}, {"page/", "claim/"}, {"pin/", "claim/"}, {"pin/", "claim/ pin/ root/ page/ pack/"}} {
		s.freshLedgers(top)
		m, done := mem.New(), false
		b := wrap.NewFault(m, func(_ int, verb, key string) wrap.Outcome {
			if verb != "put" || done || !strings.HasPrefix(key, c.when) {
				return wrap.OK
			}
			done = true
			for key := range objects(t, m) {
				if kind, _, ok := strings.Cut(key, "/"); ok && strings.Contains(c.what, kind+"/") {
					must(t, m.Delete(bg, key))
				}
			}
			return wrap.OK
		})
		if _, err := s.syncTo(filepath.Join(top, "repo"), b, SyncOptions{}); err != nil || !done {
			t.Errorf("%+v: %v", c, err)
		}
		if err := s.hasAll(top, objects(t, m)); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// syncInterrupted: Ctrl-C at a write leaves no claim, and what is there names only what is there.
func (s *scratch) syncInterrupted(top string) {
	t := s.t
	for at := 1; at <= 20; at += 3 {
		s.freshLedgers(top)
		ctx, cancel := context.WithCancel(bg)
		m, n := mem.New(), 0
		b := wrap.NewFault(m, func(_ int, verb, _ string) wrap.Outcome {
			if verb == "put" {
				if n++; n == at {
					cancel()
				}
			}
			return wrap.OK
		})
		_, err := s.syncFrom(ctx, filepath.Join(top, "repo"), b, SyncOptions{})
		cancel()
		all := objects(t, m)
		if cerr := closed(all); cerr != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("at write %d: %v, %v", at, err, cerr)
		}
		for key := range all {
			if strings.HasPrefix(key, "claim/") {
				t.Errorf("at write %d: %s is left", at, key)
			}
		}
	}
}

// syncHeals deletes, cuts and breaks each object of the remote that was synced to in turn; sync --verify brings it back.
func (s *scratch) syncHeals(top string) {
	t := s.t
	repo, m := filepath.Join(top, "repo"), mem.New()
	_, err := s.syncTo(repo, m, SyncOptions{})
	must(t, err)
	good, pages := objects(t, m), 0
	for key, b := range good {
		kind, _, _ := strings.Cut(key, "/")
		if kind == "page" {
			pages++
		}
		if kind != "pack" && kind != "root" && kind != "page" || pages > 2 && kind == "page" {
			continue
		}
		for how, bad := range map[string][]byte{"gone": nil, "cut": b[:len(b)/2], "flipped": flipped(b, len(b)/2)} {
			if kind == "pack" && how == "flipped" || kind != "pack" && how == "cut" {
				continue // the first, only reading can find
			}
			must(t, m.Delete(bg, key))
			if bad != nil {
				_, err := m.Put(bg, key, bad, blob.Condition{})
				must(t, err)
			}
			res, err := s.syncTo(repo, m, SyncOptions{Verify: true})
			if err != nil || res.Copied().Objects != 1 {
				t.Errorf("%s %s: %v, %+v", key, how, err, res)
			}
			if got := objects(t, m); string(got[key]) != string(b) || len(got) != len(good) {
				t.Errorf("%s %s: it is not as before", key, how)
			}
		}
	}
}

// syncMixed: the other remote has pages of its own, with other packs; they are relied on as they are, and the roots name those packs.
func (s *scratch) syncMixed(top string) {
	t := s.t
	repo := filepath.Join(top, "repo")
	// Another repository pushes the first version itself.
	s.git(top, "clone", "-q", "repo", "other")
	other := filepath.Join(top, "other")
	s.git(other, "checkout", "-q", "HEAD~1")
	s.do(other, func(r *Repo) error {
		if _, err := r.AddRemote("source", "../source", config.Repository, false); err != nil {
			return err
		}
		_, err := r.Fetch(bg, FetchOptions{Remote: "source"})
		return err
	})
	must(t, os.RemoveAll(filepath.Join(other, ".git", "tarn", "remote")))
	s.do(other, pushAll)
	before := keys(t, filepath.Join(top, "remote"))

	var res *SyncResult
	s.do(repo, func(r *Repo) (err error) {
		res, err = r.Sync(bg, SyncOptions{From: "source", To: "origin"})
		return err
	})
	all := keys(t, filepath.Join(top, "remote"))
	if err := s.hasAll(top, all); err != nil {
		t.Error(err)
	}
	if res.There.Objects < 8 || res.Pages.Objects != 1 || res.Roots.Objects != 2 {
		t.Errorf("%+v", res)
	}
	for key, b := range before {
		if kind, _, _ := strings.Cut(key, "/"); kind != "recent" && string(all[key]) != string(b) {
			t.Errorf("%s was changed", key)
		}
	}
}

// syncBroken breaks each object of the source in turn: what needs it is left out, and named; nothing wrong comes to the other side.
func (s *scratch) syncBroken(top string) {
	t := s.t
	repo, pages := filepath.Join(top, "repo"), 0
	for key, b := range keys(t, filepath.Join(top, "source")) {
		kind, _, _ := strings.Cut(key, "/")
		if kind == "page" {
			pages++
		}
		if kind == "recent" || kind == "tarn.json" || kind == "page" && pages > 2 {
			continue
		}
		file := filepath.Join(top, "source", filepath.FromSlash(key))
		for how, bad := range map[string][]byte{"gone": nil, "cut": b[:len(b)/2], "flipped": flipped(b, len(b)/2)} {
			if kind != "pack" && how == "cut" {
				continue
			}
			want := ErrCorrupt
			if how == "gone" {
				if want = ErrIncomplete; kind == "pin" {
					continue
				}
			}
			if kind == "pin" && how == "flipped" {
				bad = flipped(b, 0)
			}
			s.freshLedgers(top)
			must(t, os.Remove(file))
			if bad != nil {
				must(t, os.WriteFile(file, bad, 0o666))
			}
			m := mem.New()
			res, err := s.syncTo(repo, m, SyncOptions{})
			if !errors.Is(err, want) || len(res.Problems) != 1 || res.Problems[0].Path != key || res.LeftOut == 0 || res.LeftOut > 4 {
				t.Errorf("%s %s: %v, %+v", key, how, err, res)
			}
			got := objects(t, m)
			if err := closed(got); err != nil {
				t.Errorf("%s %s: %v", key, how, err)
			}
			if roots, _ := pinned(got); len(roots) != 4-res.LeftOut {
				t.Errorf("%s %s: %d roots are pinned, %d left out", key, how, len(roots), res.LeftOut)
			}
			must(t, os.WriteFile(file, b, 0o666))
		}
	}
}

// TestSyncChunkPages: a file of so many chunks that they stand in pages of their own, as one of two chunks that says so.
func TestSyncChunkPages(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	top := s.path("top")
	repo := filepath.Join(top, "repo")
	s.repo(repo)
	s.do(repo, func(r *Repo) error {
		_, err := r.AddRemote("source", "../source", config.Repository, false)
		return err
	})
	raw, page := s.chunkPaged(filepath.Join(top, "source"))
	m := mem.New()
	file := filepath.Join(top, "source", "page", page.String())
	good, err := os.ReadFile(file)
	must(t, err)
	must(t, os.Remove(file))
	res, err := s.syncTo(repo, m, SyncOptions{})
	if !errors.Is(err, ErrIncomplete) || res.LeftOut != 1 || len(objects(t, m)) != 1 {
		t.Errorf("without its page of chunks: %v, %+v", err, res)
	}
	must(t, os.WriteFile(file, good, 0o666))
	var all map[string][]byte
	s.do(repo, func(r *Repo) (err error) {
		res, err = r.Sync(bg, SyncOptions{From: "source", To: "origin"})
		return err
	})
	all = keys(t, filepath.Join(top, "remote"))
	if err := closed(all); err != nil || res.Packs.Objects != 2 || res.Pages.Objects != 1 || res.Roots.Objects != 1 {
		t.Errorf("%v, %+v", err, res)
	}
	dir, err := s.freshFetch(top, raw)
	must(t, err)
	must(t, s.holds(dir, raw, tree{"big": "fone and two", "small": "fsmall"}))
}

// chunkPaged makes a remote with one version, in two packs, and a page of chunks.
func (s *scratch) chunkPaged(dir string) (raw []byte, page digest.Digest) {
	rem, err := remote.Open(bg, fs.New(nil, dir), true)
	must(s.t, err)
	put := func(blobs ...string) (out []transfer.WantPiece) {
		var body bytes.Buffer
		w, err := pack.NewWriter(&body, [16]byte{byte(len(blobs))})
		must(s.t, err)
		for _, b := range blobs {
			rec, err := w.Add(digest.Sum([]byte(b)), pack.Stored, uint32(len(b)), []byte(b))
			must(s.t, err)
			out = append(out, transfer.WantPiece{Digest: rec.Digest, Place: remote.Place{Offset: rec.Offset, Stored: rec.Stored, Raw: rec.Raw, Scheme: rec.Scheme}})
		}
		sum, err := w.Close()
		must(s.t, err)
		must(s.t, rem.PutPack(bg, sum.Name, body.Bytes()))
		for i := range out {
			out[i].Pack = remote.PackRef{Name: sum.Name, Size: sum.Size}
		}
		return out
	}
	chunks, small := put("one and", " two"), put("small")
	o := chunkObject(chunks)
	must(s.t, rem.WriteObject(bg, o, ""))
	raw = fmt.Appendf(nil, "tarn 1 dir\nf %s 11 big\nf %s 5 small\n", digest.Sum([]byte("one and two")), digest.Sum([]byte("small")))
	table := newPackTable([]remote.PackRef{chunks[0].Pack, small[0].Pack})
	root := &remote.Object{Kind: remote.KindRoot, Subject: raw, Packs: table.refs, Records: []remote.Record{
		table.record(located{pages: []remote.ChunkPage{{Digest: o.Digest(), Chunks: 2, Bytes: 11}}}), table.record(located{pieces: small}),
	}}
	must(s.t, rem.WriteObject(bg, root, ""))
	must(s.t, rem.PutPin(bg, strings.Repeat("0", 32), digest.Sum(raw), remote.Pin{Dataset: "data"}))
	return raw, o.Digest()
}
