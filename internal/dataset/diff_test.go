package dataset

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"tarn/store/blob"
)

// diffTrees is what to expect of a diff without renames.
func diffTrees(dataset string, a, b tree) []string {
	var out []string
	name := func(p, v string) string {
		if v == "d" {
			p += "/"
		}
		return dataset + "/" + p
	}
	for p, v := range a {
		switch w, ok := b[p]; {
		case !ok || (v == "d") != (w == "d"):
			out = append(out, "removed "+name(p, v))
		case v == w:
		case v[0] != w[0] && v[1:] == w[1:] && v[0] != 'l' && w[0] != 'l':
			out = append(out, "mode changed "+name(p, v))
		case v[0] != w[0] && (v[0] == 'l' || w[0] == 'l'):
			out = append(out, "type changed "+name(p, v))
		default:
			out = append(out, "modified "+name(p, v))
		}
	}
	for p, w := range b {
		if v, ok := a[p]; !ok || (v == "d") != (w == "d") {
			out = append(out, "added "+name(p, w))
		}
	}
	slices.Sort(out)
	return out
}

// diff lists what Diff finds, sorted.
func (s *scratch) diff(dir string, o DiffOptions) (out []string, res *DiffResult) {
	s.t.Helper()
	o.Each = func(c DiffChange) error {
		text := c.Kind().String() + " " + c.Name()
		if c.FromPath != "" {
			text = c.Kind().String() + " " + c.FromName() + " " + c.Name()
		}
		out = append(out, text)
		return nil
	}
	s.do(dir, func(r *Repo) (err error) {
		res, err = r.Diff(bg, o)
		return err
	})
	slices.Sort(out)
	return out, res
}

func TestDiff(t *testing.T) {
	big := bigTree()
	more := maps.Clone(big)
	maps.Copy(more, tree{"d0/f0000": "fother", "d3/new": "fnew", "d7/f0001": "xd7/f0001", "z": "ld0/f0000"})
	delete(more, "d5/f0300")
	for name, c := range map[string]struct{ a, b tree }{
		"inline":   {firstTree(), secondTree()},
		"paged":    {big, more},
		"both":     {firstTree(), more},
		"equal":    {firstTree(), firstTree()},
		"emptied":  {firstTree(), tree{}},
		"replaced": {tree{"x": "fa file", "y/z": "f1"}, tree{"x/in": "f1", "y": "la"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScratch(t)
			repo := s.path("r")
			s.repo(repo)
			c.a, c.b = maps.Clone(c.a), maps.Clone(c.b)
			c.a["keep"], c.b["keep"] = "fkeep", "fkeep"
			for i, tr := range []tree{c.a, c.b} {
				tr.write(t, filepath.Join(repo, "data"))
				s.do(repo, add("data"))
				s.commit(repo, fmt.Sprint(i))
			}
			want, back := diffTrees("data", c.a, c.b), diffTrees("data", c.b, c.a)
			check := func(what string, want []string, args ...string) {
				t.Helper()
				got, res := s.diff(repo, DiffOptions{Args: args, Dash: -1})
				if !slices.Equal(got, want) {
					t.Errorf("%s: %q, not %q", what, got, want)
				}
				if n := res.Total(); n.Added+n.Removed+n.Modified != int64(len(want)) || res.Differs() != (len(want) > 0) {
					t.Errorf("%s: %+v", what, n)
				}
			}
			check("two commits", want, "HEAD~1", "HEAD")
			check("backwards", back, "HEAD", "HEAD~1")
			check("commit and workspace", want, "HEAD~1")
			check("nothing", nil)
			c.a.write(t, filepath.Join(repo, "data"))
			check("edited", back)
			check("edited back", nil, "HEAD~1")
			s.git(repo, "checkout", "-q", "HEAD~1")
			check("the manifest moved", nil)
			check("the manifest moved, against where it was", back, "main")
		})
	}
}

// getCounter counts what is read from a bucket.
type getCounter struct {
	blob.Bucket
	mu   sync.Mutex
	gets map[string]int
}

func (g *getCounter) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, blob.Info, error) {
	g.mu.Lock()
	g.gets[key[:strings.IndexByte(key+"/", '/')]]++
	g.mu.Unlock()
	return g.Bucket.Get(ctx, key, off, n)
}

// TestDiffReadsWhatDiffers: of a dataset of many pages a clone gets the two that differ, and no other object.
func TestDiffReadsWhatDiffers(t *testing.T) {
	s := newScratch(t)
	top := s.path("top")
	tr := bigTree()
	s.bigPushed(top, tr)
	repo, clone := filepath.Join(top, "repo"), filepath.Join(top, "clone")
	tr["d4/f0100"] = "fanother"
	tr.write(t, filepath.Join(repo, "data"))
	s.do(repo, add("data"))
	s.commit(repo, "changed")
	s.do(repo, pushAll)
	s.git(top, "clone", "-q", "repo", "clone")
	for _, args := range [][]string{{"HEAD~1", "HEAD"}, {"HEAD~1"}} {
		must(t, os.RemoveAll(filepath.Join(clone, ".git", "tarn")))
		g := &getCounter{gets: map[string]int{}}
		var found []string
		must(t, s.with(clone, Options{wrapBucket: func(b blob.Bucket) blob.Bucket { g.Bucket = b; return g }}, func(r *Repo) error {
			_, err := r.Diff(bg, DiffOptions{Args: args, Dash: -1, Each: func(c DiffChange) error {
				found = append(found, c.Name())
				return nil
			}})
			return err
		}))
		if !slices.Equal(found, []string{"data/d4/f0100"}) || g.gets["page"] != 2 || g.gets["pack"]+g.gets["root"] != 0 {
			t.Errorf("%v: found %v, read %v", args, found, g.gets)
		}
	}
}

// TestDiffUnreadable: a file that can't be read is a problem, and not one that was removed.
func TestDiffUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads everything")
	}
	s := newScratch(t)
	repo := s.path("r")
	s.repo(repo)
	for _, v := range []string{"f1", "f2"} {
		tree{"a": v, "b": v}.write(t, filepath.Join(repo, "data"))
		s.do(repo, add("data"))
		s.commit(repo, v)
	}
	tree{"a": "f3", "b": "f2"}.write(t, filepath.Join(repo, "data"))
	must(t, os.Chmod(filepath.Join(repo, "data", "a"), 0))
	must(t, s.with(repo, Options{}, func(r *Repo) error {
		var found []string
		res, err := r.Diff(bg, DiffOptions{Args: []string{"HEAD~1"}, Dash: -1, Each: func(c DiffChange) error {
			found = append(found, c.Name())
			return nil
		}})
		if err == nil || len(res.Problems) != 1 || !slices.Equal(found, []string{"data/b"}) {
			t.Errorf("%v, %v, %+v", found, err, res)
		}
		return nil
	}))
}

// TestDiffStops: an error of the one who takes the changes ends it.
func TestDiffStops(t *testing.T) {
	s := newScratch(t)
	repo := s.path("r")
	s.repo(repo)
	firstTree().write(t, filepath.Join(repo, "data"))
	s.do(repo, add("data"))
	for _, limit := range []int{0, 100} {
		must(t, s.with(repo, Options{}, func(r *Repo) error {
			n := 0
			_, err := r.Diff(bg, DiffOptions{RenameLimit: limit, Dash: -1, Each: func(DiffChange) error { n++; return io.ErrClosedPipe }})
			if err != io.ErrClosedPipe || n != 1 {
				t.Errorf("limit %d: %v after %d", limit, err, n)
			}
			return nil
		}))
	}
}
