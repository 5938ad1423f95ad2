package dataset

import (
	"maps"
	"testing"

	"tarn/index"
)

func TestCollisions(t *testing.T) {
	paths := []string{"A/x", "B", "README", "a/y", "b", "caf\u00e9", "cafe\u0301", "dir/one", "dir/two", "readme", "z"}
	got, err := collisions(func(yield func(index.Entry, error) bool) {
		for _, p := range paths {
			if !yield(index.Entry{Path: p, Kind: index.File}, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a/y": "A", "b": "B", "cafe\u0301": "caf\u00e9", "readme": "README"}
	if !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
