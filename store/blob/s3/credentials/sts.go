package credentials

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// assume is a role and how to take it on.
type assume struct {
	role     string // ARN
	session  string
	external string
	duration time.Duration
	region   string
}

func (a assume) form(action string) url.Values {
	session := a.session
	if session == "" {
		session = fmt.Sprintf("tarn-%d", time.Now().Unix())
	}
	v := url.Values{"Action": {action}, "Version": {"2011-06-15"}, "RoleArn": {a.role}, "RoleSessionName": {session}}
	if a.external != "" {
		v.Set("ExternalId", a.external)
	}
	if a.duration > 0 {
		v.Set("DurationSeconds", strconv.Itoa(int(a.duration.Seconds())))
	}
	return v
}

// assume exchanges keys for those of a role.
func (c *Chain) assume(ctx context.Context, base Keys, a assume) (Keys, error) {
	form := a.form("AssumeRole")
	req, region, err := c.stsRequest(ctx, a, form)
	if err != nil {
		return Keys{}, err
	}
	sign(req, []byte(form.Encode()), base, region, "sts", time.Now())
	return c.stsKeys(req, a)
}

// assumeWithToken exchanges the token in a file, which somebody else keeps fresh, for the keys of a role.
func (c *Chain) assumeWithToken(ctx context.Context, file string, a assume) (Keys, error) {
	if strings.HasPrefix(file, "~/") {
		file = c.o.Home + file[1:]
	}
	token, err := os.ReadFile(file)
	if err != nil {
		return Keys{}, failed("read the token of the web identity: %v", err)
	}
	form := a.form("AssumeRoleWithWebIdentity")
	form.Set("WebIdentityToken", strings.TrimSpace(string(token)))
	req, _, err := c.stsRequest(ctx, a, form)
	if err != nil {
		return Keys{}, err
	}
	return c.stsKeys(req, a)
}

// stsRequest is one to the regional endpoint, or to the global one where no region is known.
func (c *Chain) stsRequest(ctx context.Context, a assume, form url.Values) (*http.Request, string, error) {
	region := c.first("AWS_REGION", "AWS_DEFAULT_REGION")
	for _, r := range []string{a.region, c.o.Region} {
		if region == "" && r != "auto" {
			region = r
		}
	}
	endpoint := c.first("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL")
	switch {
	case endpoint != "":
	case region == "":
		endpoint = "https://sts.amazonaws.com"
	default:
		endpoint = "https://sts." + region + "." + suffix(region)
	}
	if region == "" {
		region = "us-east-1"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(endpoint, "/")+"/", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, "", failed("the endpoint of STS is not a URL")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	return req, region, nil
}

// suffix is what the names of Amazon's hosts end with.
func suffix(region string) string {
	if strings.HasPrefix(region, "cn-") {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

func (c *Chain) stsKeys(req *http.Request, a assume) (Keys, error) {
	status, body, err := send(c.open, req)
	if err != nil {
		return Keys{}, within("assume role "+printable(a.role), err)
	}
	type creds struct{ AccessKeyId, SecretAccessKey, SessionToken, Expiration string }
	var v struct {
		Plain creds  `xml:"AssumeRoleResult>Credentials"`
		Web   creds  `xml:"AssumeRoleWithWebIdentityResult>Credentials"`
		Code  string `xml:"Error>Code"`
		Said  string `xml:"Error>Message"`
	}
	if err := xml.Unmarshal(body, &v); err != nil || status != http.StatusOK {
		why := fmt.Sprintf("HTTP status %d", status)
		if v.Code != "" {
			why = strings.TrimSpace(strings.TrimSuffix(printable(v.Said), ".") + " (" + printable(v.Code) + ")")
		}
		return Keys{}, failed("assume role %s: %s", printable(a.role), why)
	}
	k := v.Plain
	if k.AccessKeyId == "" {
		k = v.Web
	}
	return made(k.AccessKeyId, k.SecretAccessKey, k.SessionToken, k.Expiration, "STS")
}
