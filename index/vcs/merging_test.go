package vcs

import (
	"os/exec"
	"reflect"
	"testing"
)

// fails runs git for its conflict.
func (s *scratch) fails(args ...string) {
	s.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	if out, err := cmd.CombinedOutput(); err == nil {
		s.t.Fatalf("git %v went through\n%s", args, out)
	}
}

// diverge makes two commits on the branches main and side that change the same line; main is checked out.
func (s *scratch) diverge() (base, main, side string) {
	s.write("d.tarn", "0\n")
	base = s.commit()
	s.git("checkout", "-q", "-b", "side")
	s.write("d.tarn", "2\n")
	side = s.commit()
	s.git("checkout", "-q", "main")
	s.write("d.tarn", "1\n")
	return base, s.commit(), side
}

func TestMergingAndUnmerged(t *testing.T) {
	for verb, do := range map[string]func(s *scratch, base, main, side string) (Merging, Stages){
		"merge": func(s *scratch, base, main, side string) (Merging, Stages) {
			s.fails("merge", "side")
			return Merging{Verb: "merge", Ours: main, Theirs: side, Bases: []string{base}}, Stages{base, main, side}
		},
		"rebase": func(s *scratch, base, main, side string) (Merging, Stages) {
			s.fails("rebase", "side")
			return Merging{Verb: "rebase", Ours: side, Theirs: main, Bases: []string{base}}, Stages{base, side, main}
		},
		"cherry-pick": func(s *scratch, base, main, side string) (Merging, Stages) {
			s.fails("cherry-pick", "side")
			return Merging{Verb: "cherry-pick", Ours: main, Theirs: side, Bases: []string{base}}, Stages{base, main, side}
		},
		"revert": func(s *scratch, base, main, side string) (Merging, Stages) {
			s.write("d.tarn", "3\n")
			third := s.commit()
			s.fails("revert", main)
			return Merging{Verb: "revert", Ours: third, Theirs: base, Bases: []string{main}}, Stages{main, third, base}
		},
	} {
		t.Run(verb, func(t *testing.T) {
			s := newScratch(t)
			base, main, side := s.diverge()
			want, at := do(s, base, main, side)
			r := s.open(s.dir)
			got, ok, err := r.Merging(t.Context(), "d.tarn")
			if got.Began == 0 {
				t.Error("it did not begin")
			}
			if got.Began = 0; err != nil || !ok || !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, %t, %v; want %+v", got, ok, err, want)
			}
			blob := func(commit string) string { return s.git("rev-parse", commit+":d.tarn") }
			stages := map[string]Stages{"d.tarn": {blob(at.Base), blob(at.Ours), blob(at.Theirs)}}
			if got, err := r.Unmerged(t.Context()); err != nil || !reflect.DeepEqual(got, stages) {
				t.Errorf("%v, %v; want %v", got, err, stages)
			}
			if r.Rebasing() != (verb == "rebase") {
				t.Errorf("rebasing: %t", r.Rebasing())
			}
		})
	}
}

// TestMergingThatWasCommitted: with markers and all, and some commits ago.
func TestMergingThatWasCommitted(t *testing.T) {
	s := newScratch(t)
	base, main, side := s.diverge()
	if _, ok, err := s.open(s.dir).Merging(t.Context(), "d.tarn"); ok || err != nil {
		t.Errorf("no merge: %t, %v", ok, err)
	}
	s.fails("merge", "side")
	s.git("commit", "-q", "-a", "-m", "markers and all")
	s.write("other", "x")
	s.commit()
	want := Merging{Verb: "merge", Ours: main, Theirs: side, Bases: []string{base}}
	if got, ok, err := s.open(s.dir).Merging(t.Context(), "d.tarn"); err != nil || !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %t, %v; want %+v", got, ok, err, want)
	}
	if got, err := s.open(s.dir).Unmerged(t.Context()); err != nil || len(got) > 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestUnmergedDeleted(t *testing.T) {
	s := newScratch(t)
	s.diverge()
	s.git("rm", "-q", "d.tarn")
	s.commit()
	s.fails("merge", "side")
	got, err := s.open(s.dir).Unmerged(t.Context())
	if st := got["d.tarn"]; err != nil || st.Ours != "" || st.Base == "" || st.Theirs == "" {
		t.Errorf("%v, %v", got, err)
	}
}
