package config

import (
	"net/url"
	"strings"
)

// Hidden stands where a secret would be shown.
const Hidden = "***"

// secretWords make a key, or a parameter in a URL's query, a secret: it contains one of them, once '-' and '_' are gone.
var secretWords = [...]string{"secret", "password", "passwd", "passphrase", "token", "signature", "credential", "privatekey"}

// IsSecret says that the value must not be shown and not be tracked by Git: the key's name says so, or the value is a URL with a secret in it. An access key
// id is none.
func IsSecret(key, value string) bool { return secretName(key) || RedactURL(value) != value }

// Redact is the value as it may be shown.
func Redact(key, value string) string {
	if secretName(key) {
		return Hidden
	}
	return RedactURL(value)
}

func secretName(name string) bool {
	plain := strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name))
	for _, w := range secretWords {
		if strings.Contains(plain, w) {
			return true
		}
	}
	for _, k := range keys {
		if k.Secret && strings.EqualFold(k.Name, name) {
			return true
		}
	}
	return plain == "sig" || plain == "auth" || plain == "pw" || plain == "pass"
}

// RedactURL hides a password in the user part of a URL, a lone user of an HTTP URL that is as long as a token, and secrets in its query. Anything else
// is returned as it is. It is lenient, since what is not a valid URL may hold a password too.
func RedactURL(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return s
	}
	head, tail := redactUser(scheme, rest)
	path, query, hasQuery := strings.Cut(tail, "?")
	if hasQuery {
		path += "?" + redactQuery(query)
	}
	return scheme + "://" + head + path
}

// tokenLength is from how many characters on a lone user name in an HTTP URL is taken for a token: those of forges have 20 and more.
const tokenLength = 20

// redactUser splits what follows "://" after the user part, and hides what is secret in that.
func redactUser(scheme, rest string) (user, tail string) {
	end := userEnd(rest)
	if end < 0 {
		return "", rest
	}
	user, password, _ := strings.Cut(rest[:end], ":")
	switch {
	case password != "":
		user += ":" + Hidden
	case strings.HasPrefix(strings.ToLower(scheme), "http") && len(user) >= tokenLength:
		user = Hidden
	default:
		user = rest[:end]
	}
	return user, rest[end:]
}

// userEnd is where the '@' stands that ends the user part, or -1. A password with an unescaped '/', '?' or '#' makes the URL wrong, and is still a
// password: what follows the colon is then no port.
func userEnd(rest string) int {
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority = rest[:i]
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		return at
	}
	_, port, ok := strings.Cut(authority, ":")
	if !ok || strings.HasPrefix(authority, "[") || strings.Trim(port, "0123456789") == "" && port != "" {
		return -1
	}
	return strings.LastIndexByte(rest, '@')
}

func redactQuery(query string) string {
	query, fragment, hasFragment := strings.Cut(query, "#")
	parts := strings.Split(query, "&")
	for i, part := range parts {
		name, value, ok := strings.Cut(part, "=")
		plain, err := url.QueryUnescape(name)
		if err != nil {
			plain = name
		}
		if ok && value != "" && secretName(plain) {
			parts[i] = name + "=" + Hidden
		}
	}
	query = strings.Join(parts, "&")
	if hasFragment {
		query += "#" + fragment
	}
	return query
}
