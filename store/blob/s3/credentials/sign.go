package credentials

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

// sign signs a POST to the root of a service, without a query (Signature Version 4,
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html). It is for STS; requests to S3 are signed by the SDK.
func sign(req *http.Request, body []byte, k Keys, region, service string, now time.Time) {
	date, stamp := now.UTC().Format("20060102"), now.UTC().Format("20060102T150405Z")
	req.Header.Set("X-Amz-Date", stamp)
	names := []string{"content-type", "host", "x-amz-date"}
	if k.Token != "" {
		req.Header.Set("X-Amz-Security-Token", k.Token)
		names = append(names, "x-amz-security-token")
	}
	var headers strings.Builder
	for _, n := range names {
		value := req.Header.Get(n)
		if n == "host" {
			value = req.URL.Host
		}
		headers.WriteString(n + ":" + value + "\n")
	}
	signed := strings.Join(names, ";")
	canonical := strings.Join([]string{req.Method, "/", "", headers.String(), signed, hexSum(body)}, "\n")
	scope := strings.Join([]string{date, region, service, "aws4_request"}, "/")
	text := strings.Join([]string{"AWS4-HMAC-SHA256", stamp, scope, hexSum([]byte(canonical))}, "\n")
	key := []byte("AWS4" + k.Secret)
	for _, part := range []string{date, region, service, "aws4_request", text} {
		key = mac(key, part)
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+k.ID+"/"+scope+", SignedHeaders="+signed+", Signature="+hex.EncodeToString(key))
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
