package index

import (
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

func TestFold(t *testing.T) {
	same := [][]string{
		{"A/B", "a/b"},
		{"é", "e\u0301", "É", "E\u0301"},
		{"K", "k", "\u212a"},
		{"Σ", "σ", "ς"},
		{"ſ", "s", "S"},
		{"αι", "ΑΙ"},
		{"ᾳ", "ᾼ", "α\u0345"},
		{"x\u0345", "xι"},
		{"x\xffA", "x\xffa"},
		{"Å", "å", "\u212b", "A\u030a"},
	}
	for _, list := range same {
		for _, s := range list {
			if Fold(s) != Fold(list[0]) {
				t.Errorf("Fold(%q) = %q, Fold(%q) = %q", s, Fold(s), list[0], Fold(list[0]))
			}
		}
	}
	for _, p := range [][2]string{{"a", "b"}, {"\xff", "\xfe"}, {"\xff", "\ufffd"}, {"e", "é"}, {"a/b", "a_b"}, {"αι", "ᾳ"}} {
		if Fold(p[0]) == Fold(p[1]) {
			t.Errorf("%q and %q are the same", p[0], p[1])
		}
	}
}

func TestFoldProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text") + string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		f := Fold(s)
		if Fold(f) != f {
			t.Fatalf("Fold(%q) = %q, again %q", s, f, Fold(f))
		}
		if g := Fold(norm.NFD.String(s)); g != f {
			t.Fatalf("%q: decomposed %q, else %q", s, g, f)
		}
		if g := Fold(otherCase(s)); utf8.ValidString(s) && g != f {
			t.Fatalf("%q: in other case %q, else %q", s, g, f)
		}
	})
}

// otherCase takes the next rune of the same letter, everywhere.
func otherCase(s string) string {
	runes := []rune(norm.NFC.String(s))
	for i, r := range runes {
		runes[i] = unicode.SimpleFold(r)
	}
	return string(runes)
}
