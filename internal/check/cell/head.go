package cell

import "unicode/utf8"

// Head is the first bytes of a text, at most so many, with no half of a character at the end.
func Head[T string | []byte](v T, most int) T {
	if len(v) <= most {
		return v
	}
	v = v[:most]
	for range utf8.UTFMax - 1 {
		if c, n := utf8.DecodeLastRuneInString(string(v[max(0, len(v)-utf8.UTFMax):])); c != utf8.RuneError || n != 1 {
			break
		}
		v = v[:len(v)-1]
	}
	return v
}
