package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Kind says which values a key takes.
type Kind uint8

const (
	String Kind = iota
	Bool        // true, yes, on, 1; false, no, off, 0
	Int         // decimal, with k, m or g for powers of 1024; Key.Min to Key.Max
	Enum        // one of Key.Values
	List        // some of Key.Values, separated by commas, none twice
	Hex         // Key.Max lower-case hexadecimal digits
	URL         // a URL or a path; not empty, no control characters
)

// Key is one key that tarn knows.
type Key struct {
	Section  string // lower case
	Sub      string // what the subsection names, for messages ("NAME", "PATH"); "" where the section has none
	Name     string // as it is written; compared without case
	Kind     Kind
	Values   []string
	Min, Max int64
	Secret   bool // never at the repository level, never shown
	Help     string
}

// keys is the table of all keys. A new key is one line here.
var keys = []Key{
	{Section: "core", Name: "remote", Help: "the default remote"},
	{Section: "core", Name: "id", Kind: Hex, Max: 32, Help: "the repository's random id"},
	{Section: "core", Name: "home", Kind: URL, Help: "URL of the repository that owns the data"},
	{Section: "cache", Name: "dir", Help: "directory of the cache"},
	{Section: "cache", Name: "link", Kind: List, Values: []string{"reflink", "hardlink", "symlink", "copy"}, Help: "how files come out of the cache, in order of preference"},
	{Section: "cache", Name: "shared", Kind: Enum, Values: []string{"group", "off"}, Help: "group: the cache's files can be written by its group"},
	{Section: "index", Name: "trustCtime", Kind: Bool, Help: "false where ctime changes for no reason (restored CI caches)"},
	{Section: "index", Name: "checkStat", Kind: Enum, Values: []string{"default", "minimal"}, Help: "minimal: size and mtime only (NFS, CIFS)"},
	{Section: "hooks", Name: "prePush", Kind: Enum, Values: []string{"check", "push", "off"}, Help: "what git push does first about the data of its commits (tarn hooks install)"},
	{Section: "transfer", Name: "jobs", Kind: Int, Min: 1, Max: 1024, Help: "transfers at once"},
	{Section: "transfer", Name: "memory", Kind: Int, Min: 64 << 20, Max: 1 << 40, Help: "bytes that transfers may hold in memory"},
	{Section: "transfer", Name: "limitUpload", Kind: Int, Min: 1, Max: 1 << 40, Help: "bytes a second that go to remotes"},
	{Section: "transfer", Name: "limitDownload", Kind: Int, Min: 1, Max: 1 << 40, Help: "bytes a second that come from remotes"},
	{Section: "transfer", Name: "compress", Kind: Enum, Values: []string{"auto", "off", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, Help: "zstd level of what is pushed; auto: 1, and not what does not compress"},
	{Section: "remote", Sub: "NAME", Name: "url", Kind: URL, Help: "where the remote is"},
	{Section: "remote", Sub: "NAME", Name: "endpoint", Kind: URL, Help: "URL of the S3 server, where it is not Amazon's"},
	{Section: "remote", Sub: "NAME", Name: "region", Help: "region of the bucket"},
	{Section: "remote", Sub: "NAME", Name: "profile", Help: "profile of AWS's configuration files"},
	{Section: "remote", Sub: "NAME", Name: "style", Kind: Enum, Values: []string{"path", "virtual"}, Help: "address of the bucket: https://host/bucket or https://bucket.host"},
	{Section: "remote", Sub: "NAME", Name: "ca", Help: "PEM file of certificates to trust"},
	{Section: "remote", Sub: "NAME", Name: "sse", Kind: Enum, Values: []string{"AES256", "aws:kms"}, Help: "encryption by the server"},
	{Section: "remote", Sub: "NAME", Name: "kmsKey", Help: "key of the server's encryption"},
	{Section: "remote", Sub: "NAME", Name: "storageClass", Help: "storage class of packs"},
	{Section: "remote", Sub: "NAME", Name: "checksum", Kind: Enum, Values: []string{"crc64nvme", "md5", "none"}, Help: "checksum that uploads carry"},
	{Section: "remote", Sub: "NAME", Name: "conditions", Kind: Bool, Help: "false: the server has no conditional writes"},
	{Section: "remote", Sub: "NAME", Name: "anonymous", Kind: Bool, Help: "true: requests are not signed"},
	{Section: "dataset", Sub: "PATH", Name: "remote", Help: "the dataset's remote, where it is not the default"},
	{Section: "dataset", Sub: "PATH", Name: "cache", Kind: Bool, Help: "false: the cache does not keep the dataset's bytes"},
	{Section: "dataset", Sub: "PATH", Name: "push", Kind: Bool, Help: "false: push skips the dataset"},
}

// Known is a copy of the table of keys.
func Known() []Key { return slices.Clone(keys) }

// String is the key's full name, with the placeholder of its subsection: remote.NAME.url.
func (k Key) String() string { return JoinName(k.Section, k.Sub, k.Name) }

// Lookup finds the key of that name; a key with a subsection needs one, any other must have none.
func Lookup(section, sub, key string) (Key, bool) {
	for _, k := range keys {
		if strings.EqualFold(k.Section, section) && strings.EqualFold(k.Name, key) && (k.Sub != "") == (sub != "") {
			return k, true
		}
	}
	return Key{}, false
}

// SplitName takes a full name apart: "remote.origin.url", "core.remote", "dataset.images/v1.2.push". Section and key come back in lower case.
func SplitName(full string) (section, sub, key string, err error) {
	first, last := strings.IndexByte(full, '.'), strings.LastIndexByte(full, '.')
	if first < 0 {
		return "", "", "", &Error{Name: full, Msg: "a key is written section.key or section.name.key"}
	}
	if section, key = full[:first], full[last+1:]; first < last {
		sub = full[first+1 : last]
		if sub == "" {
			return "", "", "", &Error{Name: full, Msg: "the name between the dots is empty"}
		}
	}
	if err := checkName(section, sub, key); err != nil {
		return "", "", "", err
	}
	return strings.ToLower(section), sub, strings.ToLower(key), nil
}

// JoinName is the full name of a key; the inverse of SplitName.
func JoinName(section, sub, key string) string {
	if sub != "" {
		section += "." + sub
	}
	return section + "." + key
}

// checkName says whether the three can be written in a file.
func checkName(section, sub, key string) error {
	full := JoinName(section, sub, key)
	if err := checkSection(section, sub); err != nil {
		return &Error{Name: full, Msg: err.(*Error).Msg}
	}
	if !isWord(key) || !isAlpha(int(key[0])) {
		return &Error{Name: full, Msg: "a key has letters, digits and '-', and starts with a letter"}
	}
	return nil
}

func checkSection(section, sub string) error {
	if !isWord(section) {
		return &Error{Name: section, Msg: "a section's name has letters, digits and '-'"}
	}
	if strings.ContainsAny(sub, "\n\x00") {
		return &Error{Name: section, Msg: "the name of a subsection can't have a line feed or a NUL"}
	}
	return nil
}

func isWord(s string) bool {
	for i := range len(s) {
		if !isKey(int(s[i])) {
			return false
		}
	}
	return s != ""
}

// CheckKey says whether the name is that of a known key.
func CheckKey(section, sub, key string) error {
	if err := checkName(section, sub, key); err != nil {
		return err
	}
	if _, ok := Lookup(section, sub, key); !ok {
		return unknown(section, sub, key)
	}
	return nil
}

// Check says whether the value may be set at the level: the key is known, the value of its kind, and no secret goes where Git tracks it.
func Check(level Level, section, sub, key, value string) error {
	if err := CheckKey(section, sub, key); err != nil {
		return err
	}
	full := JoinName(section, sub, key)
	k, _ := Lookup(section, sub, key)
	if level == Repository && IsSecret(key, value) {
		return secretError(full)
	}
	if msg := k.check(value); msg != "" {
		return &Error{Name: full, Msg: msg}
	}
	return nil
}

func secretError(full string) *Error {
	return &Error{Name: full, Msg: "a secret can't stand in a file that Git tracks", Try: "tarn config --local " + full + " VALUE"}
}

// check returns what is wrong with the value, or "". Messages don't repeat it.
func (k Key) check(value string) string {
	ok, want := true, ""
	switch k.Kind {
	case Bool:
		_, ok = parseBool(value)
		want = "true or false"
	case Int:
		n, err := parseInt(value)
		ok = err == nil && n >= k.Min && n <= k.Max
		want = fmt.Sprintf("a number from %d to %d", k.Min, k.Max)
	case Enum:
		ok = slices.Contains(k.Values, value)
		want = "one of " + strings.Join(k.Values, ", ")
	case List:
		ok = isList(value, k.Values)
		want = "some of " + strings.Join(k.Values, ",")
	case Hex:
		ok = int64(len(value)) == k.Max && strings.Trim(value, "0123456789abcdef") == ""
		want = fmt.Sprintf("%d lower-case hexadecimal digits", k.Max)
	case URL:
		ok = value != "" && !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f })
		want = "a URL or a path"
	}
	if ok {
		return ""
	}
	return "the value must be " + want
}

func isList(value string, of []string) bool {
	seen := map[string]bool{}
	for word := range strings.SplitSeq(value, ",") {
		if seen[word] || !slices.Contains(of, word) {
			return false
		}
		seen[word] = true
	}
	return true
}

// parseBool reads what Git takes for a boolean.
func parseBool(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "true", "yes", "on":
		return true, true
	case "false", "no", "off", "":
		return false, true
	}
	n, err := parseInt(s)
	return n != 0, err == nil
}

// ParseSize reads a number as it stands in a file: decimal, with an optional k, m or g for powers of 1024.
func ParseSize(s string) (int64, error) { return parseInt(s) }

// parseInt reads a decimal number with an optional k, m or g.
func parseInt(s string) (int64, error) {
	unit := int64(1)
	digits := strings.TrimRight(s, "kKmMgG")
	switch suffix := strings.ToLower(s[len(digits):]); suffix {
	case "":
	case "k":
		unit = 1 << 10
	case "m":
		unit = 1 << 20
	case "g":
		unit = 1 << 30
	default:
		return 0, strconv.ErrSyntax
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, err
	}
	if n > math.MaxInt64/unit || n < math.MinInt64/unit {
		return 0, strconv.ErrRange
	}
	return n * unit, nil
}

// unknown is the error for a key that is not in the table, with the one that was probably meant.
func unknown(section, sub, key string) *Error {
	e := &Error{Name: JoinName(section, sub, key), Msg: "unknown key"}
	if near := suggest(section, sub, key); near != "" {
		e.Msg += "; did you mean " + near + "?"
	}
	return e
}

// suggest is the known name nearest to the one given, or "" where none is near. The subsection stays the user's.
func suggest(section, sub, key string) string {
	best, at := "", 3 // more edits than two are no typing error
	given := strings.ToLower(section + "." + key)
	for _, k := range keys {
		d := distance(given, strings.ToLower(k.Section+"."+k.Name))
		if (k.Sub != "") != (sub != "") {
			d++
		}
		if d >= at {
			continue
		}
		name := k.Sub
		if name != "" && sub != "" {
			name = sub
		}
		best, at = JoinName(k.Section, name, k.Name), d
	}
	return best
}

// distance is the number of insertions, deletions, replacements and swaps of neighbours that lead from a to b (optimal string alignment).
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
