package table

import (
	"context"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/transform"
)

// TestUTF16 has what is no UTF-16 become what is no UTF-8.
func TestUTF16(t *testing.T) {
	le := func(s string) string {
		var b strings.Builder
		for _, u := range utf16.Encode([]rune(s)) {
			b.Write([]byte{byte(u), byte(u >> 8)})
		}
		return b.String()
	}
	long := strings.Repeat("é👍x\n", 5000)
	for name, c := range map[string]struct{ in, enc, want string }{
		"mark":             {"\xff\xfe" + le("a👍"), "", "a👍"},
		"other mark":       {"\xfe\xff\x00a", "", "a"},
		"mark, and said":   {"\xff\xfe" + le("a"), "utf-16le", "a"},
		"mark, utf-16":     {"\xfe\xff\x00a", "utf-16", "a"},
		"no mark":          {le("aé"), "utf-16", "aé"},
		"replacement":      {le("\uFFFD"), "utf-16le", "\uFFFD"},
		"half a unit":      {le("a") + "x", "utf-16le", "a\xff"},
		"half a pair":      {le("a") + "\x00\xd8" + le("b"), "utf-16le", "a\xffb"},
		"the other half":   {"\x00\xdc" + le("b"), "utf-16le", "\xffb"},
		"half at the end":  {le("a") + "\x00\xd8", "utf-16le", "a\xff"},
		"two first halves": {"\x00\xd8" + le("👍"), "utf-16le", "\xff👍"},
		"long":             {le(long), "utf-16le", long},
		"UTF-8's mark":     {"\xef\xbb\xbfa", "", "a"},
		"empty":            {"", "utf-16", ""},
	} {
		r, err := openText(context.Background(), strings.NewReader(c.in), "", c.enc)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != c.want {
			t.Errorf("%s: %.40q, %v", name, got, err)
		}
	}
	slow := transform.NewReader(iotest.OneByteReader(strings.NewReader(le(long))), &utf16Decoder{order: binary.LittleEndian})
	if got, err := io.ReadAll(slow); err != nil || string(got) != long {
		t.Errorf("byte by byte: %.40q, %v", got, err)
	}
}

// TestByteEncodings has all bytes.
func TestByteEncodings(t *testing.T) {
	var all strings.Builder
	for i := range 256 {
		all.WriteByte(byte(i))
	}
	for enc, m := range map[string]*charmap.Charmap{"iso-8859-1": charmap.ISO8859_1, "windows-1252": charmap.Windows1252} {
		want := all.String()
		if enc == "windows-1252" {
			for _, none := range []string{"\x81", "\x8d", "\x8f", "\x90", "\x9d"} {
				want = strings.ReplaceAll(want, none, "\x00") // decoded as itself
			}
		}
		want, _ = m.NewDecoder().String(strings.Repeat(want, 100))
		r, err := openText(t.Context(), strings.NewReader(strings.Repeat(all.String(), 100)), "", enc)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || strings.ReplaceAll(string(got), "\xff", "\x00") != want {
			t.Errorf("%s: %.300q, %v", enc, got, err)
		}
	}
}
