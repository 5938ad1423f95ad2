package index

import (
	"errors"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// plain tells the ASCII characters that a path may hold unquoted.
var plain = func() (t [256]bool) {
	for c := ' '; c <= '~'; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// nibble is the value of each lower-case hexadecimal digit; 0xff for every other byte.
var nibble = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i := range len(hexDigits) {
		t[hexDigits[i]] = byte(i)
	}
	return t
}()

// Quote is path as a manifest writes it: between double quotes, with \xnn, where it must be, else unchanged.
func Quote(path string) string {
	if !mustQuote(path) {
		return path
	}
	return string(appendQuoted(nil, path))
}

// Unquote reads what Quote wrote; any other way to write a path is an error.
func Unquote(s string) (string, error) {
	if s == "" || s[0] != '"' {
		if mustQuote(s) {
			return "", errors.New("path must be quoted")
		}
		return s, nil
	}
	path, err := unquote(s)
	if err != nil {
		return "", err
	}
	if !mustQuote(path) {
		return "", errors.New("path is quoted without need")
	}
	return path, nil
}

// appendPath adds path as Quote writes it.
func appendPath(b []byte, path string) []byte {
	if mustQuote(path) {
		return appendQuoted(b, path)
	}
	return append(b, path...)
}

// mustQuote says that s holds a character that is escaped, or a space at an end.
func mustQuote(s string) bool {
	if s == "" {
		return false
	}
	if s[0] == ' ' || s[len(s)-1] == ' ' {
		return true
	}
	for i := 0; i < len(s); {
		if plain[s[i]] {
			i++
			continue
		}
		n, escape := special(s[i:])
		if escape {
			return true
		}
		i += n
	}
	return false
}

// special is for what starts with a byte that is not plain: the length of that character and whether it is escaped.
func special(s string) (n int, escape bool) {
	r, n := utf8.DecodeRuneInString(s)
	switch {
	case r < 0xa0, r == 0x2028, r == 0x2029: // what is ASCII here is a control character, a quote or a backslash
		return n, true
	case r == utf8.RuneError && n == 1:
		return 1, true
	}
	return n, false
}

// appendQuoted adds s between quotes.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		if plain[s[i]] {
			b = append(b, s[i])
			i++
			continue
		}
		n, escape := special(s[i:])
		for _, c := range []byte(s[i : i+n]) {
			if escape {
				b = append(b, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
			} else {
				b = append(b, c)
			}
		}
		i += n
	}
	return append(b, '"')
}

// unquote reads a word between quotes, which need not be necessary, and refuses any escaping that appendQuoted would not do.
func unquote(s string) (string, error) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", errors.New("quoted word has no closing quote")
	}
	in := s[1 : len(s)-1]
	out := make([]byte, 0, len(in))
	for i := 0; i < len(in); i++ {
		if in[i] != '\\' {
			out = append(out, in[i])
			continue
		}
		if len(in)-i < 4 || in[i+1] != 'x' || nibble[in[i+2]]|nibble[in[i+3]] > 15 {
			return "", errors.New(`escape is not \x and two lower-case hexadecimal digits`)
		}
		out = append(out, nibble[in[i+2]]<<4|nibble[in[i+3]])
		i += 3
	}
	word := string(out)
	if string(appendQuoted(out[:0], word)) != s {
		return "", errors.New("quoted word escapes too much or too little")
	}
	return word, nil
}
