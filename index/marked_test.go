package index

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestMarkedAndUnmarked: between the markers stand both sides of the merge, and nothing parses it.
func TestMarkedAndUnmarked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := drawSet(t, "base")
		base, ours, theirs := build(t, standard, list), build(t, standard, drawEdit(t, list)), build(t, standard, drawEdit(t, list))
		m := &Merge{[]*Manifest{base.m}, ours.m, theirs.m, share(base, ours, theirs)}
		conflicts, asOurs := merged(t, standard, m, ours, func(Conflict) Choice { return TakeOurs })
		if slices.ContainsFunc(conflicts, func(c Conflict) bool { return c.OursDir || c.TheirsDir }) {
			t.Skip("a file and a directory")
		}
		_, asTheirs := merged(t, standard, m, ours, func(Conflict) Choice { return TakeTheirs })
		text := Marked(asOurs.m, conflicts)
		if len(conflicts) == 0 {
			if string(text) != string(asOurs.root) {
				t.Fatalf("%s", text)
			}
			return
		}
		if _, err := Parse(text); err == nil || !err.(*SyntaxError).Conflict {
			t.Fatalf("%v\n%s", err, text)
		}
		a, b, ok := Unmarked(text)
		if !ok || string(a) != string(asOurs.root) || string(b) != string(asTheirs.root) {
			t.Fatalf("%s\n%s\n%s", text, a, b)
		}
	})
}

func TestUnmarked(t *testing.T) {
	for _, c := range []struct {
		text, ours, theirs string
		ok                 bool
	}{
		{"x\n", "x\n", "x\n", false},
		{string(MarkedWhole([]byte("a\n"), []byte("b\n"))), "a\n", "b\n", true},
		{"x\n<<<<<<< HEAD\na\n||||||| 1234\no\n=======\n>>>>>>> topic\ny\n", "x\na\ny\n", "x\ny\n", true},
		{"<<<<<<<<< inner\na\n=========\nb\n>>>>>>>>> inner\n", "a\n", "b\n", true},
		{"<<<<<<<\n<<<<<<<<<\na\n=========\nb\n>>>>>>>>>\n=======\nc\n>>>>>>>\n", "<<<<<<<<<\na\n=========\nb\n>>>>>>>>>\n", "c\n", true},
		{"<<<<<<< HEAD\na\n=======\nb\n", "a\n", "b\n", false},
		{"<<<<<<< HEAD\na\n", "a\n", "", false},
		{"=======\n", "=======\n", "=======\n", false},
		{"", "", "", false},
		{"<<<<<<< a\r\na\r\n=======\r\nb\r\n>>>>>>> b\r\n", "a\r\n", "b\r\n", true},
	} {
		ours, theirs, ok := Unmarked([]byte(c.text))
		if ok != c.ok || ok && (string(ours) != c.ours || string(theirs) != c.theirs) {
			t.Errorf("%q: %q, %q, %t", c.text, ours, theirs, ok)
		}
	}
	if mark, _ := marker([]byte(strings.Repeat("<", 6))); mark != 0 {
		t.Error("six are no marker")
	}
}
