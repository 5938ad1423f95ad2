package credentials

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// fromSSO exchanges the token that "aws sso login" left in ~/.aws/sso/cache for keys. It does not renew the token.
func (c *Chain) fromSSO(ctx context.Context, name string, p section) (Keys, error) {
	account, role := p["sso_account_id"], p["sso_role_name"]
	if account == "" || role == "" {
		return Keys{}, failed("it has only one of sso_account_id and sso_role_name")
	}
	region, start, id := p["sso_region"], p["sso_start_url"], p["sso_start_url"]
	if session := p["sso_session"]; session != "" {
		s, ok := c.files.sessions[session]
		if !ok {
			return Keys{}, failed("there is no sso-session %s in %s", quote(session), c.files.config)
		}
		region, start, id = s["sso_region"], s["sso_start_url"], session
	}
	if region == "" || start == "" {
		return Keys{}, failed("sso_region or sso_start_url is missing")
	}
	token, err := c.ssoToken(id, "aws sso login --profile "+name)
	if err != nil {
		return Keys{}, err
	}
	return c.ssoKeys(ctx, region, account, role, token, name)
}

func (c *Chain) ssoToken(id, login string) (string, error) {
	sum := sha1.Sum([]byte(id))
	path := filepath.Join(c.o.Home, ".aws", "sso", "cache", hex.EncodeToString(sum[:])+".json")
	var cached struct {
		AccessToken string    `json:"accessToken"`
		ExpiresAt   time.Time `json:"expiresAt"`
	}
	b, err := os.ReadFile(path)
	switch {
	case err != nil:
		return "", failed("nobody is logged in (%s is not there); try: %s", path, login)
	case json.Unmarshal(b, &cached) != nil || cached.AccessToken == "":
		return "", failed("%s has no token; try: %s", path, login)
	case time.Now().After(cached.ExpiresAt):
		return "", failed("the login has expired at %s; try: %s", cached.ExpiresAt.Format(time.RFC3339), login)
	}
	return cached.AccessToken, nil
}

func (c *Chain) ssoKeys(ctx context.Context, region, account, role, token, name string) (Keys, error) {
	base := c.first("AWS_ENDPOINT_URL_SSO")
	if base == "" {
		base = "https://portal.sso." + region + "." + suffix(region)
	}
	u := base + "/federation/credentials?" + url.Values{"account_id": {account}, "role_name": {role}}.Encode()
	status, body, err := c.get(ctx, c.open, u, http.Header{"X-Amz-Sso_bearer_token": {token}})
	switch {
	case err != nil:
		return Keys{}, err
	case status == http.StatusUnauthorized:
		return Keys{}, failed("the login is no longer valid; try: aws sso login --profile %s", name)
	case status != http.StatusOK:
		return Keys{}, failed("single sign-on refuses role %s in account %s (HTTP status %d)", printable(role), printable(account), status)
	}
	var v struct {
		RoleCredentials struct {
			AccessKeyID     string `json:"accessKeyId"`
			SecretAccessKey string `json:"secretAccessKey"`
			SessionToken    string `json:"sessionToken"`
			Expiration      int64  `json:"expiration"` // ms
		} `json:"roleCredentials"`
	}
	if json.Unmarshal(body, &v) != nil {
		return Keys{}, failed("single sign-on answers with no JSON document")
	}
	r := v.RoleCredentials
	return made(r.AccessKeyID, r.SecretAccessKey, r.SessionToken, time.UnixMilli(r.Expiration).UTC().Format(time.RFC3339), "single sign-on")
}
