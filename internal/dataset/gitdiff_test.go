package dataset

import (
	"fmt"
	"strings"
	"testing"

	"tarn/index"
	"tarn/store/digest"
)

// TestExpandHostile: a manifest whose pages lie about what is below them, and refer to each other many times, expands to no more than the bound, soon.
func TestExpandHostile(t *testing.T) {
	s := newScratch(t)
	repo := s.path("r")
	s.repo(repo)
	leaf := &index.Page{}
	for i := range 30 {
		leaf.Entries = append(leaf.Entries, index.Entry{Path: fmt.Sprintf("%02d", i), Kind: index.File, Digest: digest.Empty})
	}
	for name, bottom := range map[string][]byte{"leaf": leaf.Encode(), "missing": []byte("nowhere")} {
		s.do(repo, func(r *Repo) error {
			store, err := r.openCache()
			if err != nil {
				return err
			}
			w := store.NewWriter()
			if name == "leaf" {
				if _, _, err := w.AddBytes(bottom); err != nil {
					return err
				}
			}
			below := digest.Sum(bottom)
			refs := func() (list []index.Ref) {
				for i := range 100 {
					list = append(list, index.Ref{Digest: below, Entries: 1, First: fmt.Sprintf("%02d", i)})
				}
				return list
			}
			for level := 1; level <= index.MaxLevel; level++ {
				p := (&index.Page{Level: level, Refs: refs()}).Encode()
				if _, _, err := w.AddBytes(p); err != nil {
					return err
				}
				below = digest.Sum(p)
			}
			if err := w.Close(); err != nil {
				return err
			}
			raw := (&index.Manifest{Pages: refs()}).Encode()
			m, err := index.Parse(raw)
			if err != nil {
				return err
			}
			var b strings.Builder
			if err := r.ExpandManifest(bg, &b, m, raw, 1000); err != nil {
				return err
			}
			if n := strings.Count(b.String(), "\n"); n < 1000 || n > 2000 {
				t.Errorf("%s: %d lines", name, n)
			}
			return nil
		})
	}
}
