package vcs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTree(t *testing.T) {
	for _, format := range []string{"sha1", "sha256"} {
		s := newScratch(t, "--object-format="+format)
		s.write("a/f", "one")
		s.write("a/b/[x]", "two")
		s.write("ab", "three")
		for link, to := range map[string]string{"a/l": "b", "m": "a/l", "a/up": "../ab", "out": "../x", "abs": "/x", "loop": "loop", "root": "a/.."} {
			if err := os.Symlink(to, filepath.Join(s.dir, link)); err != nil {
				t.Skip(err)
			}
		}
		commit := s.commit()
		r := s.open(s.dir)
		for at, want := range map[string]string{"": "a/b/[x] a/f a/l a/up ab abs loop m out root", "a": "a/b/[x] a/f a/l a/up", "a/b": "a/b/[x]", "ab": "ab", "none": "", "*": ""} {
			files, err := r.Tree(t.Context(), commit, at)
			var names []string
			for _, f := range files {
				names = append(names, f.Path)
			}
			if got := strings.Join(names, " "); err != nil || got != want {
				t.Errorf("%s: %q has %s, %v", format, at, got, err)
			}
		}
		for name, want := range map[string]string{"": "", "a/f": "a/f", "a/l/[x]": "a/b/[x]", "m/[x]": "a/b/[x]", "m": "a/b", "a/up": "ab", "root": "", "root/m/y": "a/b/y", "none/x": "none/x"} {
			if got, err := r.Resolve(t.Context(), commit, name); err != nil || got != want {
				t.Errorf("%s: %q leads to %q, %v", format, name, got, err)
			}
		}
		for _, name := range []string{"out", "out/x", "abs", "loop", "loop/x"} {
			if got, err := r.Resolve(t.Context(), commit, name); !errors.Is(err, ErrLinks) {
				t.Errorf("%s: %q leads to %q, %v", format, name, got, err)
			}
		}
		files, _ := r.Tree(t.Context(), commit, "a/f")
		for range 2 {
			var b []byte
			err := r.Blob(t.Context(), files[0].Object, func(size int64, body io.Reader) (err error) {
				b, err = io.ReadAll(body)
				return err
			})
			if err != nil || string(b) != "one" {
				t.Errorf("%s: %q, %v", format, b, err)
			}
			if err := r.Blob(t.Context(), files[0].Object, func(int64, io.Reader) error { return nil }); err != nil { // nothing is read
				t.Errorf("%s: %v", format, err)
			}
			if err := r.Blob(t.Context(), files[0].Object, func(int64, io.Reader) error { return os.ErrClosed }); err != os.ErrClosed {
				t.Errorf("%s: %v", format, err)
			}
		}
		if _, err := io.ReadAll(newChecked(strings.NewReader("onE"), files[0].Object, 3)); !errors.Is(err, ErrBytes) {
			t.Errorf("%s: other bytes: %v", format, err)
		}
		if _, err := io.ReadAll(newChecked(strings.NewReader("on"), files[0].Object, 3)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: fewer bytes: %v", format, err)
		}
	}
}

// TestPrefetch: many contents come with one request, and no others.
func TestPrefetch(t *testing.T) {
	s := newScratch(t)
	for i := range 20 {
		s.write(fmt.Sprintf("d/%02d", i), fmt.Sprint(i))
	}
	s.write("f", "probe")
	s.write("other", "x")
	s.commit()
	s.git("config", "uploadpack.allowFilter", "true")
	r, commit, err := s.clone("file://"+s.dir, "")
	if err != nil {
		t.Fatal(err)
	}
	files, err := r.Tree(t.Context(), commit, "d")
	var ids []string
	for _, f := range files {
		ids = append(ids, f.Object)
	}
	if err := errors.Join(err, r.Prefetch(t.Context(), ids)); err != nil {
		t.Fatal(err)
	}
	if n, _ := s.missing(r.GitDir, commit); n != 1 {
		t.Errorf("%d objects are missing", n)
	}
}
