package vcs

import (
	"path/filepath"
	"slices"
	"testing"
)

func TestSetup(t *testing.T) {
	s := newScratch(t)
	r := s.open(s.dir)
	ctx := t.Context()
	text, n, err := r.Version(ctx)
	if err != nil || text == "" || n[0] < 2 {
		t.Errorf("%q %v %v", text, n, err)
	}
	s.write(".gitattributes", "*.tarn -text merge=tarn\n")
	s.write("d/x", "x")
	s.write("e", "e")
	s.git("add", "-A")
	attrs, err := r.Attributes(ctx, []string{"a b.tarn", "ü.tarn", "x"}, "text", "merge")
	want := []Attribute{{"a b.tarn", "text", "unset"}, {"a b.tarn", "merge", "tarn"}, {"ü.tarn", "text", "unset"}, {"ü.tarn", "merge", "tarn"}, {"x", "text", "unspecified"}, {"x", "merge", "unspecified"}}
	if err != nil || !slices.Equal(attrs, want) {
		t.Errorf("%v %v", attrs, err)
	}
	if _, ok, err := r.Setting(ctx, "merge.tarn.driver"); ok || err != nil {
		t.Error(ok, err)
	}
	s.git("config", "merge.tarn.driver", "tarn x")
	if v, ok, err := r.Setting(ctx, "merge.tarn.driver"); v != "tarn x" || !ok || err != nil {
		t.Error(v, ok, err)
	}
	if dir, _, err := r.HooksDir(ctx); dir != filepath.Join(s.dir, ".git", "hooks") || err != nil {
		t.Error(dir, err)
	}
	s.git("config", "core.hooksPath", "my")
	if dir, _, err := r.HooksDir(ctx); dir != filepath.Join(s.dir, "my") || err != nil {
		t.Error(dir, err)
	}
	if got, err := r.TrackedBelow(ctx, []string{"d", "e", "f", "d/x"}); err != nil || !slices.Equal(got, []string{"d", "e", "d/x"}) {
		t.Error(got, err)
	}
	if got, err := r.TrackedBelow(ctx, []string{"f"}); err != nil || got != nil {
		t.Error(got, err)
	}
}
