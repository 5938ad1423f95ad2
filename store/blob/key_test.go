package blob

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckKey(t *testing.T) {
	for key, ok := range map[string]bool{
		"a": true, "tarn.json": true, "pack/ab/cd": true, "a-b_c.D/0": true, strings.Repeat("a", 255): true,
		strings.Repeat("ab/", 170) + "xy": true,
		"":                                false, "/": false, "/a": false, "a/": false, "a//b": false, ".": false, "..": false, "a/../b": false, "../a": false,
		".git": false, "a/.b": false, "a.": false, "a./b": false, `a\b`: false, "a b": false, "a\x00": false, "ä": false, "c:": false, "a:b": false,
		strings.Repeat("a", 256): false, strings.Repeat("ab/", 170) + "xyz": false,
	} {
		if err := CheckKey(key); (err == nil) != ok || err != nil && !errors.Is(err, ErrKey) {
			t.Errorf("CheckKey(%q) = %v, want valid %v", key, err, ok)
		}
	}
}

func TestCheckPrefix(t *testing.T) {
	for prefix, ok := range map[string]bool{
		"": true, "a": true, "a/": true, "a/b": true, "a.": true, "pack/ab/c": true,
		"/": false, "/a": false, "a//": false, "..": false, "../": false, "a/..": false, "a/../": false, "ä": false, ".": false, `a\`: false,
	} {
		if err := CheckPrefix(prefix); (err == nil) != ok {
			t.Errorf("CheckPrefix(%q) = %v, want valid %v", prefix, err, ok)
		}
	}
}

// Every beginning of a key is a prefix, and a key is a local path.
func FuzzCheckKey(f *testing.F) {
	for _, s := range []string{"a/b", "..", "a/../b", "a.", "/", "a/b.c-d_e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if CheckKey(key) != nil {
			return
		}
		if !filepath.IsLocal(key) || filepath.ToSlash(filepath.Clean(key)) != key {
			t.Fatalf("key %q is no clean local path", key)
		}
		for i := range len(key) + 1 {
			if err := CheckPrefix(key[:i]); err != nil {
				t.Fatalf("beginning of a key: %v", err)
			}
		}
	})
}
