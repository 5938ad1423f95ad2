package dataset

import (
	"testing"

	"tarn/index"
	"tarn/store/digest"
)

func TestDecisions(t *testing.T) {
	d := &decisions{merge: digest.Sum([]byte("m")), wrote: digest.Sum([]byte("w")), takes: map[string]Take{"": TakeOurs, "a/b": TakeTheirs, "a/b/c\n": TakeBoth}}
	for p, want := range map[string]Take{"x": TakeOurs, ".": TakeOurs, "a": TakeOurs, "a/b": TakeTheirs, "a/b/": TakeTheirs, "a/b/x/y": TakeTheirs, "a/bc": TakeOurs, "a/b/c\n": TakeBoth, "a/b/c\n/d": TakeBoth} {
		if got := d.of(p); got != want {
			t.Errorf("%q: %q, want %q", p, got, want)
		}
	}
	if got := (&decisions{}).of("a/b"); got != TakeNone {
		t.Errorf("undecided: %q", got)
	}
	text := d.encode()
	back := &decisions{merge: d.merge, takes: map[string]Take{}}
	if !back.decode(text) || string(back.encode()) != string(text) || back.wrote != d.wrote || len(back.takes) != 3 {
		t.Errorf("%+v\n%s", back, text)
	}
	for _, bad := range []string{"", "tarn 1 resolve\n", string(text[:len(text)-1]), string(text) + "x", string(text) + "ours \"\n"} {
		if (&decisions{merge: d.merge, takes: map[string]Take{}}).decode([]byte(bad)) {
			t.Errorf("%q is taken", bad)
		}
	}
	if (&decisions{takes: map[string]Take{}}).decode(text) {
		t.Error("those of another merge are taken")
	}
}

// TestBasesOf: an ancestor that a recursive merge left with markers, Git's or ours, or that can't be read, is in doubt.
func TestBasesOf(t *testing.T) {
	line := func(s, p string) string { return "f " + digest.Sum([]byte(s)).String() + " 1 " + p + "\n" }
	const head = "tarn 1 dir\n"
	ours, theirs := sideOf([]byte(head+line("1", "p"))), sideOf([]byte(head+line("2", "p")))
	for name, c := range map[string]struct {
		text string
		ids  []string // manifests that are the bases
	}{
		"plain":        {head + line("0", "p"), []string{head + line("0", "p")}},
		"entry":        {head + "<<<<<<<<< a\n" + line("1", "p") + "=========\n" + line("2", "p") + ">>>>>>>>> b\n", []string{head + line("1", "p"), head + line("2", "p")}},
		"whole":        {string(index.MarkedWhole(ours.v.raw, theirs.v.raw)), []string{string(ours.v.raw), string(theirs.v.raw)}},
		"half":         {head + "<<<<<<< a\n", []string{string(ours.v.raw), string(theirs.v.raw)}},
		"broken sides": {"<<<<<<< a\nx\n=======\ny\n>>>>>>> b\n", []string{string(ours.v.raw), string(theirs.v.raw)}},
		"none":         {"rubbish", []string{string(ours.v.raw), string(theirs.v.raw)}},
	} {
		got := basesOf([]byte(c.text), ours, theirs)
		if len(got) != len(c.ids) {
			t.Errorf("%s: %d bases", name, len(got))
			continue
		}
		for i, raw := range c.ids {
			if got[i].id != digest.Sum([]byte(raw)) {
				t.Errorf("%s: base %d is\n%s", name, i, got[i].raw)
			}
		}
	}
}
