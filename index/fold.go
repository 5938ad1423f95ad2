package index

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Fold is the same for paths that a file system which ignores case or Unicode's normalisation (macOS, Windows) can't tell apart:
// NFC and simple case folding, where bytes that are not UTF-8 stay.
func Fold(path string) string {
	if isASCII(path) {
		return strings.ToLower(path)
	}
	return norm.NFC.String(foldCase(norm.NFC.String(path)))
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func foldCase(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			b = append(b, s[i])
		} else {
			b = utf8.AppendRune(b, foldRune(r))
		}
		i += n
	}
	return string(b)
}

// foldRune is one rune for all that differ by case only: the lowest of them, in lower case if that is ASCII. U+0345 is not taken, as
// it would combine with the letter before.
func foldRune(r rune) rune {
	const capitalIota, ypogegrammeni = 0x399, 0x345
	if r == ypogegrammeni {
		return capitalIota
	}
	low := r
	for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
		if o == ypogegrammeni {
			return capitalIota
		}
		low = min(low, o)
	}
	if 'A' <= low && low <= 'Z' {
		return low + 'a' - 'A'
	}
	return low
}
