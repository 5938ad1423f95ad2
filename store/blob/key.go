package blob

import (
	"errors"
	"fmt"
	"strings"
)

// Bounds of a key, in bytes. The names between slashes are short enough for any file system.
const (
	MaxKey  = 512
	MaxName = 255
)

// What a Bucket must not be given; asking again does not help.
var (
	ErrKey   = errors.New("not a valid key")   // or prefix
	ErrRange = errors.New("not a valid range") // a negative offset
)

// CheckKey refuses what is not a key: see Bucket. Beyond that no name is empty or starts or ends with a dot, so that a key is never
// a path that leaves a directory, and what operating systems hide in a directory is never an object.
func CheckKey(key string) error {
	if len(key) == 0 || len(key) > MaxKey {
		return fmt.Errorf("%w: %d bytes, want 1 to %d", ErrKey, len(key), MaxKey)
	}
	for name := range strings.SplitSeq(key, "/") {
		if name == "" || len(name) > MaxName || name[0] == '.' || name[len(name)-1] == '.' {
			return fmt.Errorf("%w: %q", ErrKey, key)
		}
	}
	return checkBytes(key)
}

// CheckPrefix refuses what no key can start with. The empty prefix is one of all keys.
func CheckPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	if len(prefix) > MaxKey {
		return fmt.Errorf("%w: prefix of %d bytes", ErrKey, len(prefix))
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(prefix, "/"), "/") {
		if name == "" || len(name) > MaxName || name[0] == '.' {
			return fmt.Errorf("%w: prefix %q", ErrKey, prefix)
		}
	}
	return checkBytes(prefix)
}

func checkBytes(key string) error {
	for i := range len(key) {
		switch c := key[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '/':
		default:
			return fmt.Errorf("%w: %q", ErrKey, key)
		}
	}
	return nil
}
