package credentials

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const (
	maxAnswer = 1 << 20         // bytes of any answer
	ec2First  = time.Second     // for the first answer; elsewhere than on EC2 there is none
	ec2Most   = 5 * time.Second // for all
)

// get asks for a document. The error is one of the network; it names the host only.
func (c *Chain) get(ctx context.Context, client *http.Client, u string, header http.Header) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return 0, nil, failed("%s is not a URL", quote(u))
	}
	for k, v := range header {
		req.Header[k] = v
	}
	return send(client, req)
}

func send(client *http.Client, req *http.Request) (int, []byte, error) {
	resp, err := client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return 0, nil, passing(req.Context(), "ask %s: %v", req.URL.Host, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, nil, passing(req.Context(), "ask %s: %v", req.URL.Host, err)
	}
	if s := resp.StatusCode; s == http.StatusTooManyRequests || s >= 500 {
		return s, nil, passing(req.Context(), "ask %s: HTTP status %d", req.URL.Host, s)
	}
	return resp.StatusCode, body, nil
}

// handed is what containers and EC2 give out.
type handed struct{ AccessKeyId, SecretAccessKey, Token, Expiration, Code string }

func parseHanded(body []byte, by string) (Keys, error) {
	var h handed
	if json.Unmarshal(body, &h) != nil {
		return Keys{}, failed("%s answers with no JSON document", by)
	}
	if h.Code != "" && h.Code != "Success" {
		return Keys{}, failed("%s says %s", by, quote(h.Code))
	}
	return made(h.AccessKeyId, h.SecretAccessKey, h.Token, h.Expiration, by)
}

// fromContainer asks the agent of ECS, or of EKS pod identity.
func (c *Chain) fromContainer(ctx context.Context) (Keys, error) {
	u := c.o.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	if rel := c.o.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); rel != "" {
		u = c.o.container + "/" + strings.TrimPrefix(rel, "/")
	} else if u == "" {
		return Keys{}, none("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not set")
	} else if err := checkContainerURI(u); err != nil {
		return Keys{}, err
	}
	header := http.Header{}
	token := c.o.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN")
	if file := c.o.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return Keys{}, failed("read AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: %v", err)
		}
		token = strings.TrimSpace(string(b))
	}
	if token != "" {
		if strings.ContainsAny(token, "\r\n") {
			return Keys{}, failed("the authorization token of the container has a line feed")
		}
		header.Set("Authorization", token)
	}
	status, body, err := c.get(ctx, c.direct, u, header)
	if err != nil {
		return Keys{}, err
	}
	if status != http.StatusOK {
		return Keys{}, failed("the container's agent refuses (HTTP status %d)", status)
	}
	return parseHanded(body, "the container's agent")
}

// checkContainerURI allows what AWS's programs allow, so that a token goes to nobody else.
func checkContainerURI(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return failed("AWS_CONTAINER_CREDENTIALS_FULL_URI is not a URL")
	}
	ip := net.ParseIP(u.Hostname())
	switch {
	case u.Scheme == "https", u.Hostname() == "localhost", ip != nil && ip.IsLoopback():
		return nil
	case u.Hostname() == "169.254.170.2", u.Hostname() == "169.254.170.23", u.Hostname() == "fd00:ec2::23":
		return nil
	}
	return failed("AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or http on this machine")
}

// fromEC2 asks the metadata service of the instance (IMDSv2, and version 1 where there is no 2).
func (c *Chain) fromEC2(ctx context.Context) (Keys, error) {
	if strings.EqualFold(c.o.Getenv("AWS_EC2_METADATA_DISABLED"), "true") {
		return Keys{}, none("AWS_EC2_METADATA_DISABLED is set")
	}
	base := strings.TrimSuffix(c.first("AWS_EC2_METADATA_SERVICE_ENDPOINT"), "/")
	if base == "" {
		base = "http://169.254.169.254"
		if strings.EqualFold(c.o.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"), "ipv6") {
			base = "http://[fd00:ec2::254]"
		}
	}
	ctx, cancel := context.WithTimeout(ctx, ec2Most)
	defer cancel()
	header, err := c.ec2Token(ctx, base)
	if err != nil {
		return Keys{}, err
	}
	const roles = "/latest/meta-data/iam/security-credentials/"
	status, body, err := c.get(ctx, c.direct, base+roles, header)
	if err != nil {
		return Keys{}, err
	}
	role, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	if status == http.StatusNotFound || status == http.StatusOK && role == "" {
		return Keys{}, none("the instance has no role")
	}
	if status != http.StatusOK {
		return Keys{}, failed("the instance's metadata service refuses (HTTP status %d)", status)
	}
	status, body, err = c.get(ctx, c.direct, base+roles+url.PathEscape(strings.TrimSpace(role)), header)
	if err != nil {
		return Keys{}, err
	}
	if status != http.StatusOK {
		return Keys{}, failed("the instance's metadata service refuses (HTTP status %d)", status)
	}
	return parseHanded(body, "the instance's metadata service")
}

func (c *Chain) ec2Token(ctx context.Context, base string) (http.Header, error) {
	first, cancel := context.WithTimeout(ctx, ec2First)
	defer cancel()
	req, err := http.NewRequestWithContext(first, http.MethodPut, base+"/latest/api/token", nil)
	if err != nil {
		return nil, failed("AWS_EC2_METADATA_SERVICE_ENDPOINT is not a URL")
	}
	req.Header.Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
	status, body, err := send(c.direct, req)
	switch {
	case err != nil && status == 0:
		return nil, none("no metadata service answers")
	case err != nil:
		return nil, err
	case status == http.StatusOK:
		return http.Header{"X-Aws-Ec2-Metadata-Token": {strings.TrimSpace(string(body))}}, nil
	case status == http.StatusForbidden:
		return nil, none("the metadata service is switched off")
	case strings.EqualFold(c.o.Getenv("AWS_EC2_METADATA_V1_DISABLED"), "true"):
		return nil, failed("the metadata service gives no token (HTTP status %d), and AWS_EC2_METADATA_V1_DISABLED is set", status)
	}
	return http.Header{}, nil
}
