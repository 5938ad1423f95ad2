package index

import (
	"testing"
	"unicode/utf8"
)

func TestQuote(t *testing.T) {
	for path, want := range map[string]string{
		"":                    "",
		"a":                   "a",
		"a b":                 "a b",
		" a":                  `" a"`,
		"a ":                  `"a "`,
		" ":                   `" "`,
		`a"b`:                 `"a\x22b"`,
		`\`:                   `"\x5c"`,
		"a\nb\r":              `"a\x0ab\x0d"`,
		"\x7f":                `"\x7f"`,
		"\u0080\u009f":        `"\xc2\x80\xc2\x9f"`,
		"\u00a0":              "\u00a0",
		"\u2027\u202a":        "\u2027\u202a",
		"\u2028x\u2029":       `"\xe2\x80\xa8x\xe2\x80\xa9"`,
		"é\xff":               `"é\xff"`,
		"\xc3":                `"\xc3"`,
		"\xed\xa0\x80":        `"\xed\xa0\x80"`,
		"\xc0\xaf":            `"\xc0\xaf"`,
		"\xe2\x82a":           `"\xe2\x82a"`,
		"\ufffd":              "\ufffd",
		"日本/\U0001f600.png":   "日本/\U0001f600.png",
		"\xf4\x90\x80\x80 x ": `"\xf4\x90\x80\x80 x "`,
	} {
		if got := Quote(path); got != want {
			t.Errorf("Quote(%q) = %s, want %s", path, got, want)
		}
		if got, err := Unquote(want); err != nil || got != path {
			t.Errorf("Unquote(%s) = %q, %v, want %q", want, got, err, path)
		}
	}
}

func TestUnquoteRefuses(t *testing.T) {
	for _, s := range []string{
		`"a"`, `""`, `"`, `"a\x22`, `"\x0`, `"\x0"`, `"\X0a"`, `"\x0A"`, `"\x61\x0a"`, `"\n"`, `"\\"`, `"a"b\x0a"`, "\"\n\"", " a", "a ", "a\nb", `a"b`, `a\b`,
		"\xff", "\"\xff\"", `" a\x20"`, `"\x20"`, `"\x0a" `, `"\xc3\xa9"`, `"\xc3\xa9\x0a"`, "\"\u0085\"", `"\`, `"\x`, `"\xg0"`, `"\x/0"`,
	} {
		if got, err := Unquote(s); err == nil {
			t.Errorf("Unquote(%s) = %q", s, got)
		}
	}
}

func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "a", " a", "a\n", `"\x0a"`, `"a"`, "\xff\u2028é", `\`, `"\xc3\xa9"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q := Quote(s)
		if back, err := Unquote(q); err != nil || back != s {
			t.Fatalf("Unquote(%q) = %q, %v, want %q", q, back, err, s)
		}
		if !utf8.ValidString(q) {
			t.Fatalf("Quote(%q) is not UTF-8", s)
		}
		if p, err := Unquote(s); err == nil && Quote(p) != s {
			t.Fatalf("%q reads as %q, which is written %q", s, p, Quote(p))
		}
	})
}
