package durable

import (
	"math/rand/v2"
	"strings"
)

// Temp files have these prefixes and 16 hexadecimal digits; those in the user's own directories are hidden.
const (
	tempPrefix     = "tmp-"
	rootTempPrefix = ".tarn-tmp-"
	tempDigits     = 16
	tempTries      = 100 // names tried before giving up; a collision of 64 random bits is a broken random source
)

// IsTemp says that name, the last element of a path, is one that a temp file of this package has: what a crash leaves behind.
func IsTemp(name string) bool {
	digits, ok := strings.CutPrefix(name, rootTempPrefix)
	if !ok {
		digits, ok = strings.CutPrefix(name, tempPrefix)
	}
	return ok && len(digits) == tempDigits && strings.Trim(digits, "0123456789abcdef") == ""
}

// tempName needs to be unlikely, not secret: files are created with O_EXCL.
func tempName(prefix string) string {
	const hex = "0123456789abcdef"
	b := make([]byte, len(prefix)+tempDigits)
	copy(b, prefix)
	for i, r := len(prefix), rand.Uint64(); i < len(b); i, r = i+1, r>>4 {
		b[i] = hex[r&15]
	}
	return string(b)
}
