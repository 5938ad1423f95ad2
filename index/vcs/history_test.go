package vcs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// show writes changes as OLD>NEW, with the paths alone.
func show(changes []ManifestChange) string {
	var out []string
	for _, c := range changes {
		if (c.Old.Object == "") != (c.Old.Path == "") || (c.New.Object == "") != (c.New.Path == "") {
			out = append(out, "half")
		}
		out = append(out, c.Old.Path+">"+c.New.Path)
	}
	return strings.Join(out, " ")
}

func lines(from string) string {
	var b strings.Builder
	for i := range 20 {
		fmt.Fprintf(&b, "%s %d\n", from, i)
	}
	return b.String()
}

func TestChangedManifests(t *testing.T) {
	s := newScratch(t)
	odd := "d/\x01odd\n\"\xff name.tarn"
	for _, n := range []string{odd, "same.tarn", "gone.tarn", "link.tarn", "other"} {
		s.write(n, n)
	}
	s.write("from.tarn", lines("a"))
	one := s.commit()
	s.git("mv", "from.tarn", "to.tarn")
	s.write("to.tarn", lines("a")+"more\n")
	s.write(odd, "2")
	s.write("other", "2")
	s.write("new/.tarn", "no manifest")
	s.write("new/x.tarn", "new")
	s.git("rm", "-q", "gone.tarn", "link.tarn")
	s.git("update-index", "--add", "--cacheinfo", "120000,"+s.git("rev-parse", "HEAD:other")+",link.tarn")
	want := odd + ">" + odd + " from.tarn>to.tarn gone.tarn> link.tarn> >new/x.tarn"
	check := func(from, to string) {
		t.Helper()
		got, err := s.open(s.dir).ChangedManifests(t.Context(), from, to)
		text := show(got)
		for _, w := range strings.Split(want, " ") {
			if !strings.Contains(" "+text+" ", " "+w+" ") && !strings.Contains(odd, w) {
				t.Errorf("%s..%s lacks %q: %q, %v", from, to, w, text, err)
			}
		}
		if len(text) != len(want) {
			t.Errorf("%s..%s is %q, %v", from, to, text, err)
		}
	}
	s.git("add", "to.tarn", "new/x.tarn")
	check(one, "")
	s.git("add", odd, "new", "other")
	s.git("commit", "-q", "-m", "two")
	check(one, "HEAD")
	if got, err := s.open(s.dir).ChangedManifests(t.Context(), "HEAD", "HEAD"); len(got) != 0 || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := s.open(s.dir).ChangedManifests(t.Context(), "none", "HEAD"); err == nil {
		t.Error("no error for a commit that is not there")
	}
}

func TestLog(t *testing.T) {
	s := newScratch(t)
	step := func(subject string, files ...string) {
		t.Helper()
		for i := 0; i < len(files); i += 2 {
			s.write(files[i], files[i+1])
		}
		s.git("add", "-A")
		s.git("commit", "-q", "--allow-empty", "-m", subject)
	}
	step("one\n\nbody", "a.tarn", lines("a"), "\x01:\n.tarn", "1")
	step("no manifest", "other", "1")
	s.git("mv", "a.tarn", "b.tarn")
	step("renamed")
	s.git("checkout", "-q", "-b", "side")
	step("side", "b.tarn", "side\n"+lines("a"), "c.tarn", "1")
	s.git("checkout", "-q", "main")
	step("main", "b.tarn", lines("a")+"main\n", "d.tarn", "1")
	s.git("merge", "-q", "side", "-m", "merge")
	s.git("rm", "-q", "c.tarn")
	step("gone")
	r := s.open(s.dir)
	log := func(o LogOptions) string {
		t.Helper()
		var out []string
		for c, err := range r.Log(t.Context(), o) {
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Manifests) > 0 {
				out = append(out, c.Subject+": "+show(c.Manifests))
			}
			if len(c.ID) != 40 || c.Author != "a" || c.Email != "a@b" || len(c.Date) < 20 || len(c.Parents) == 0 && c.Subject != "one" {
				t.Errorf("%+v", c)
			}
		}
		return strings.Join(out, "\n")
	}
	first := "one: >\x01:\n.tarn >a.tarn"
	if got := log(LogOptions{}); got != "gone: c.tarn>\nmerge: b.tarn>b.tarn\nmain: b.tarn>b.tarn >d.tarn\nside: b.tarn>b.tarn >c.tarn\nrenamed: a.tarn>b.tarn\n"+first &&
		got != "gone: c.tarn>\nmerge: b.tarn>b.tarn\nside: b.tarn>b.tarn >c.tarn\nmain: b.tarn>b.tarn >d.tarn\nrenamed: a.tarn>b.tarn\n"+first {
		t.Errorf("%q", got)
	}
	if got := log(LogOptions{FirstParent: true, Revs: []string{"HEAD~3..HEAD"}}); got != "gone: c.tarn>\nmerge: b.tarn>b.tarn >c.tarn\nmain: b.tarn>b.tarn >d.tarn" {
		t.Errorf("%q", got)
	}
	n := 0
	for range r.Log(t.Context(), LogOptions{}) {
		n++
		break
	}
	if n != 1 {
		t.Error(n)
	}
	for c, err := range r.Log(t.Context(), LogOptions{Revs: []string{"none"}}) {
		if err == nil {
			t.Errorf("%v", c)
		}
	}
	if base, err := r.MergeBase(t.Context(), "side", "HEAD~2"); err != nil || base != s.git("rev-parse", "side~1") {
		t.Errorf("%q, %v", base, err)
	}
	s.git("checkout", "-q", "--orphan", "other")
	step("apart")
	if _, err := r.MergeBase(t.Context(), "side", "other"); !errors.Is(err, ErrRev) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range r.Log(ctx, LogOptions{}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	}
}

func TestBoundary(t *testing.T) {
	s := newScratch(t)
	s.write("a.tarn", "1")
	s.commit()
	s.write("a.tarn", "2")
	head := s.commit()
	if cut, err := s.open(s.dir).Boundary(); len(cut) != 0 || err != nil {
		t.Errorf("%v, %v", cut, err)
	}
	shallow := s.dir + "-shallow"
	s.git("clone", "-q", "--depth", "1", "file://"+s.dir, shallow)
	if cut, err := s.open(shallow).Boundary(); len(cut) != 1 || !cut[head] || err != nil {
		t.Errorf("%v, %v", cut, err)
	}
}
