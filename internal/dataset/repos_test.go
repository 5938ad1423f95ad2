package dataset

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var freeze = flag.String("freeze", "", "make this repository below testdata/repos, for a format that is new")

const frozenDir = "../../testdata/repos"

// frozenTrees are the versions that a frozen repository has of its dataset data: each kind of entry, of place on the remote, and of name.
func frozenTrees() []tree {
	table := "fid,name,value\n"
	for i := range 54_000 {
		table += fmt.Sprintf("%d,name %d,%d\n", i, i%7, i*i%1000)
	}
	one := tree{
		"table.csv": table, "noise": "f" + randomBytes(1, 3000), "empty": "f", "run": "x#!/bin/sh\n", "link": "lsub/a", "sub/a": "fa", "sub/none": "d", "sub/a b\nc": "fodd",
		"sub/\xff": "fnot UTF-8", "sub/日本": "funicode", `sub/"q\`: "fquoted",
	}
	for i := range 4200 {
		one[fmt.Sprintf("many/%02d/%03d", i/100, i%100)] = fmt.Sprintf("f%d", i%10)
	}
	two := tree{}
	for p, v := range one {
		two[p] = v
	}
	two["table.csv"] = table[:500_000] + "inserted\n" + table[500_000:]
	two["noise"], two["new"] = "x"+randomBytes(2, 3000), "fnew"
	delete(two, "sub/a")
	delete(two, "run")
	two["sub/a/now a directory"] = "fa"
	return []tree{one, two}
}

// listing is a tree in text: kind, SHA-256 of content or target, path.
func (tr tree) listing() string {
	var lines []string
	for p, v := range tr {
		lines = append(lines, fmt.Sprintf("%c %x %q\n", v[0], sha256.Sum256([]byte(v[1:])), p))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[2+64:], b[2+64:]) })
	return strings.Join(lines, "")
}

// TestFreeze makes a frozen repository: go test ./internal/dataset -run TestFreeze -freeze v2
func TestFreeze(t *testing.T) {
	if *freeze == "" {
		t.Skip("only with -freeze")
	}
	to, err := filepath.Abs(filepath.Join(frozenDir, *freeze))
	must(t, err)
	if _, err := os.Stat(to); err == nil {
		t.Fatal("it is there, and frozen")
	}
	s := newScratch(t)
	top := s.path("top")
	repo := filepath.Join(top, "repo")
	s.repo(repo)
	for i, tr := range frozenTrees() {
		must(t, os.RemoveAll(filepath.Join(repo, "data")))
		tr.write(t, filepath.Join(repo, "data"))
		writeEntry(t, filepath.Join(repo, "weights.bin"), "f"+randomBytes(uint64(10+i), 20_000))
		s.do(repo, add("data", "weights.bin"))
		s.commit(repo, fmt.Sprint(i))
		s.do(repo, pushAll)
		version := filepath.Join(to, fmt.Sprint("version", i+1))
		must(t, os.MkdirAll(version, 0o777))
		for p := range strings.SplitSeq(strings.TrimSpace(s.git(repo, "ls-files")), "\n") {
			b, err := os.ReadFile(filepath.Join(repo, p))
			must(t, err)
			must(t, os.MkdirAll(filepath.Dir(filepath.Join(version, p)), 0o777))
			must(t, os.WriteFile(filepath.Join(version, p), b, 0o666))
		}
		must(t, os.WriteFile(version+".sum", []byte(s.sum(repo)), 0o666))
	}
	must(t, os.RemoveAll(filepath.Join(top, "remote", "tmp")))
	s.copy(filepath.Join(top, "remote"), filepath.Join(to, "remote"))
}

// sum is the SHA-256 of what the datasets of a frozen repository have.
func (s *scratch) sum(repo string) string {
	weights := tree{"weights.bin": readEntry(s.t, filepath.Join(repo, "weights.bin"))}
	return fmt.Sprintf("%x\n", sha256.Sum256([]byte(readTree(s.t, filepath.Join(repo, "data")).listing()+weights.listing())))
}

// TestFrozen: what was written when a format was settled is read by each build after it, and written again it has the same manifests.
func TestFrozen(t *testing.T) {
	t.Parallel()
	repos, err := os.ReadDir(frozenDir)
	must(t, err)
	for _, e := range repos {
		if !e.IsDir() {
			continue
		}
		s := newScratch(t)
		top, from := s.path(e.Name()), filepath.Join(frozenDir, e.Name())
		repo := filepath.Join(top, "repo")
		must(t, os.MkdirAll(repo, 0o777))
		s.copy(filepath.Join(from, "remote"), filepath.Join(top, "remote"))
		s.git(repo, "init", "--template=", "-q")
		for v := 1; ; v++ {
			version := filepath.Join(from, fmt.Sprint("version", v))
			want, err := os.ReadFile(version + ".sum")
			if errors.Is(err, os.ErrNotExist) && v > 1 {
				break
			}
			must(t, err)
			s.copy(version, repo)
			s.commit(repo, fmt.Sprint(v))
			s.do(repo, pullAll)
			if got := s.sum(repo); got != string(want) {
				t.Fatalf("%s, version %d: what was pulled has the sum %s, not %s", e.Name(), v, got, want)
			}
			s.do(repo, func(r *Repo) error {
				res, err := r.Status(bg, StatusOptions{OnRemote: true})
				if err == nil && res.Differs() {
					t.Errorf("%s, version %d: not complete on the remote: %+v", e.Name(), v, res.Remotes)
				}
				return err
			})
			// The same files, added where nothing is known, are the same manifests.
			again := filepath.Join(top, fmt.Sprint("again", v))
			s.repo(again)
			s.copy(filepath.Join(repo, "data"), filepath.Join(again, "data"))
			s.copy(filepath.Join(repo, "weights.bin"), filepath.Join(again, "weights.bin"))
			s.do(again, add("data", "weights.bin"))
			for _, m := range []string{"data.tarn", "weights.bin.tarn"} {
				if readEntry(t, filepath.Join(again, m)) != readEntry(t, filepath.Join(repo, m)) {
					t.Errorf("%s, version %d: %s is another one now", e.Name(), v, m)
				}
			}
		}
	}
}
