package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTwoClones lets two people edit one dataset at random, merge with plain git, and pull.
func TestTwoClones(t *testing.T) {
	seeds, rounds := 4, 8
	if os.Getenv("TARN_LONG") != "" {
		seeds, rounds = 40, 25
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			s := newScratch(t)
			m := &model{scratch: s, r: rand.New(rand.NewPCG(uint64(seed), 2)), top: s.path("top")}
			m.a, m.b = s.hub(m.top, firstTree())
			if seed%2 == 1 {
				m.pastCache()
			}
			for range rounds {
				for _, who := range m.r.Perm(2) {
					m.turn([]string{m.a, m.b}[who])
				}
				m.meet()
				if t.Failed() {
					return
				}
			}
		})
	}
}

type model struct {
	*scratch
	r         *rand.Rand
	top, a, b string
	direct    bool // the cache of b keeps nothing
}

// pastCache lets b add and pull past its cache.
func (m *model) pastCache() {
	m.direct = true
	must(m.t, os.RemoveAll(filepath.Join(m.b, ".git", "tarn", "cache")))
	must(m.t, os.Symlink("a", filepath.Join(m.top, "repo"))) // where freshFetch looks for the configuration
	m.do(m.b, func(r *Repo) error {
		_, err := r.remember([]string{"data"}, KeepNot)
		return err
	})
}

// has says whether the bytes of a version that the repository added or pulled are where they should be.
func (m *model) has(repo string, raw []byte, tr tree) error {
	if repo == m.a || !m.direct {
		return m.holds(repo, raw, tr)
	}
	dir, err := m.freshFetch(m.top, raw)
	if err == nil {
		err = m.holds(dir, raw, tr)
	}
	return errors.Join(err, os.RemoveAll(dir), m.keptNothing(repo, tr))
}

// turn edits, adds, commits and brings the result to the others, merging what they did.
func (m *model) turn(repo string) {
	tr := readTree(m.t, filepath.Join(repo, "data"))
	for range 1 + m.r.IntN(4) {
		m.edit(tr)
	}
	if len(tr) == 0 {
		tr["last"] = "f"
	}
	tr.write(m.t, filepath.Join(repo, "data"))
	m.do(repo, add("data"))
	raw := m.manifest(repo)
	must(m.t, m.has(repo, raw, tr))
	m.commit(repo, "edit")
	m.do(repo, pushAll)
	if _, err := m.tryGit(repo, "push", "-q", "origin", "HEAD:main"); err == nil {
		return
	}
	m.merge(repo)
	m.stale(repo, raw)
	m.pull(repo)
	m.do(repo, pushAll)
	m.git(repo, "push", "-q", "origin", "HEAD:main")
}

// merge is plain git; where lines conflict, or what came out is no manifest, it takes theirs.
func (m *model) merge(repo string) {
	m.git(repo, "fetch", "-q", "origin")
	_, err := m.tryGit(repo, "merge", "-q", "origin/main")
	if err == nil {
		if _, err = parseVersion(m.manifest(repo)); err == nil {
			return
		}
	}
	m.git(repo, "checkout", "-q", "origin/main", "--", "data.tarn")
	m.commit(repo, "theirs")
}

// stale: after the merge and before the pull, add refuses to bring back what the others changed; what is only new it keeps.
func (m *model) stale(repo string, before []byte) {
	if m.r.IntN(2) == 0 {
		return
	}
	merged := m.manifest(repo)
	err := m.with(repo, Options{}, add("data"))
	same := bytes.Equal(before, merged)
	if err != nil && (same || !errors.Is(err, ErrRefused)) {
		m.t.Errorf("add on a manifest that moved (%v): %v", !same, err)
	}
	if !bytes.Equal(m.manifest(repo), merged) {
		m.t.Error("add changed a manifest that had moved on")
	}
}

// pull brings exactly the version of the manifest, after which nothing is to be done.
func (m *model) pull(repo string) {
	m.do(repo, pullAll)
	raw := m.manifest(repo)
	must(m.t, m.has(repo, raw, readTree(m.t, filepath.Join(repo, "data"))))
	m.do(repo, func(r *Repo) error {
		res, err := r.Status(bg, StatusOptions{})
		if err == nil && !res.Datasets[0].Clean() {
			err = fmt.Errorf("after a pull status says %+v", res.Datasets[0])
		}
		return err
	})
	m.do(repo, add("data"))
	if !bytes.Equal(m.manifest(repo), raw) {
		m.t.Error("add after a pull changes the manifest")
	}
}

// meet: both have the same files in the end, and from them, without an index, the same manifest.
func (m *model) meet() {
	var trees []tree
	var raws [][]byte
	for _, repo := range []string{m.a, m.b} {
		m.git(repo, "pull", "-q", "--ff-only", "origin", "main")
		m.pull(repo)
		if m.r.IntN(2) == 0 {
			must(m.t, os.RemoveAll(filepath.Join(repo, ".git", "tarn", "index")))
			must(m.t, os.Remove(filepath.Join(repo, "data.tarn")))
			m.do(repo, add("data"))
		}
		trees, raws = append(trees, readTree(m.t, filepath.Join(repo, "data"))), append(raws, m.manifest(repo))
	}
	if d := trees[0].differs(trees[1]); d != "" || !bytes.Equal(raws[0], raws[1]) {
		m.t.Errorf("the clones differ: %s (manifests the same: %v)", d, bytes.Equal(raws[0], raws[1]))
	}
}

// edit does one random change.
func (m *model) edit(tr tree) {
	some := slices.Sorted(maps.Keys(tr))
	if len(some) == 0 {
		m.put(tr, m.name(), "ffirst")
		return
	}
	p := some[m.r.IntN(len(some))]
	switch v := tr[p]; m.r.IntN(9) {
	case 0, 1:
		m.put(tr, m.name(), m.content())
	case 2:
		m.put(tr, p, m.content())
	case 3:
		delete(tr, p)
	case 4:
		delete(tr, p)
		m.put(tr, m.name(), v)
	case 5:
		if v[0] == 'f' || v[0] == 'x' {
			tr[p] = string('f'+'x'-v[0]) + v[1:]
		}
	case 6:
		m.put(tr, m.name(), "l"+path.Base(m.name()))
	case 7:
		m.put(tr, m.name(), "d")
	case 8:
		m.moveDir(tr, path.Dir(p), m.name())
	}
}

// put sets a path; what is above it or below it goes.
func (m *model) put(tr tree, p, v string) {
	for q := range tr {
		if strings.HasPrefix(q, p+"/") || strings.HasPrefix(p, q+"/") {
			delete(tr, q)
		}
	}
	tr[p] = v
}

func (m *model) moveDir(tr tree, from, to string) {
	if from == "." || under(to, from) || under(from, to) {
		return
	}
	for _, p := range slices.Sorted(maps.Keys(tr)) {
		if v, ok := tr[p]; ok && under(p, from) {
			delete(tr, p)
			m.put(tr, to+p[len(from):], v)
		}
	}
}

func (m *model) name() string {
	dirs := []string{"", "", "d/", "d/e/", "a b/", "turn/", "sub/"}
	names := []string{"a", "b", "a.txt", "B", "e", "\xff\xfe", "é", "new\nline", " lead", "turn", "sub", "x"}
	return dirs[m.r.IntN(len(dirs))] + names[m.r.IntN(len(names))]
}

func (m *model) content() string {
	n := []int{0, 1, 10, 1000, 140 << 10}[m.r.IntN(5)]
	return "fx"[m.r.IntN(2):][:1] + randomBytes(uint64(m.r.IntN(6)), n)
}
