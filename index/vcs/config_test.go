package vcs

import "testing"

func TestConfig(t *testing.T) {
	s := newScratch(t)
	r := s.open(s.dir)
	if got, err := r.Config(t.Context(), `^x\.`); err != nil || len(got) != 0 {
		t.Errorf("%q, %v", got, err)
	}
	odd := "f() { a \"$@\" || b; }; f # 'x'\\\n\tline"
	for key, value := range map[string]string{"x.y.command": odd, "x.y.empty": "", "xx.y.other": "1"} {
		if err := r.SetConfig(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	got, err := r.Config(t.Context(), `^x\.`)
	if err != nil || len(got) != 2 || got["x.y.command"] != odd || got["x.y.empty"] != "" {
		t.Errorf("%q, %v", got, err)
	}
	s.write(".git/config.lock", "")
	if err := r.SetConfig(t.Context(), "x.y.command", "z"); err == nil {
		t.Error("written in spite of a lock")
	}
}
