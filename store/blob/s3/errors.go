package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/minio/minio-go/v7"

	"tarn/store/blob"
	"tarn/store/blob/s3/credentials"
)

// RegionError says that the bucket is in another region than requests were signed for. It is a blob.ErrRejected.
type RegionError struct{ Region string }

func (e *RegionError) Error() string {
	return fmt.Sprintf("%v: the bucket is in the region %s", blob.ErrRejected, e.Region)
}

// Unwrap makes it a blob.ErrRejected.
func (e *RegionError) Unwrap() error { return blob.ErrRejected }

// failure says what was tried where, and wraps the error of package blob that fits. What wraps none of them may pass.
func (b *Bucket) failure(verb, key, side string, cond blob.Condition, err error) error {
	if code := codeOf(err); cond.Match != "" && (code == "NoSuchKey" || code == "ObjectParentIsFile") {
		err = blob.ErrPrecondition
	}
	return fmt.Errorf("%s %s %s %s: %w", verb, key, side, b, b.kind(err))
}

func (b *Bucket) kind(err error) error {
	var resp minio.ErrorResponse
	if errors.As(err, &resp) {
		return b.response(resp)
	}
	var keys *credentials.Error
	if errors.As(err, &keys) {
		if keys.Temporary {
			return err
		}
		return fmt.Errorf("%w: %w", blob.ErrAccess, err)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the URL, which the message has already
	}
	if hopeless(err) {
		return fmt.Errorf("%w: %w", blob.ErrRejected, err)
	}
	return err
}

// codes of S3 that mean one of blob's errors; others go by their HTTP status.
var codes = map[string]error{
	"NoSuchKey": blob.ErrNotFound, "NotFound": blob.ErrNotFound, "NoSuchBucket": blob.ErrNoBucket, "PreconditionFailed": blob.ErrPrecondition,
	"AccessDenied": blob.ErrAccess, "InvalidAccessKeyId": blob.ErrAccess, "SignatureDoesNotMatch": blob.ErrAccess, "AllAccessDisabled": blob.ErrAccess,
	"AccountProblem": blob.ErrAccess, "InvalidToken": blob.ErrAccess, "RequestTimeTooSkewed": blob.ErrAccess, "ExpiredToken": blob.ErrAccess,
	"NotImplemented": blob.ErrUnsupported, "MethodNotAllowed": blob.ErrUnsupported, "InvalidStorageClass": blob.ErrUnsupported,
	"QuotaExceeded": blob.ErrNoSpace, "XMinioStorageFull": blob.ErrNoSpace, "XMinioAdminBucketQuotaExceeded": blob.ErrNoSpace, "InsufficientStorage": blob.ErrNoSpace,
}

// passing are codes of status 4xx that another try may not meet: bytes that broke on the way, a slow connection, a race.
var passing = map[string]bool{
	"BadDigest": true, "InvalidDigest": true, "XAmzContentChecksumMismatch": true, "XAmzContentSHA256Mismatch": true, "IncompleteBody": true, "RequestTimeout": true,
	"ConditionalRequestConflict": true, "OperationAborted": true, "SlowDown": true, "TooManyRequests": true, "Throttling": true, "ThrottlingException": true,
	"RequestLimitExceeded": true, "RequestThrottled": true, "ClientDisconnected": true,
	"ExistingObjectIsDirectory": true, // versitygw: another client removes the directory, now empty, that this object goes into
}

func (b *Bucket) response(r minio.ErrorResponse) error {
	text := said(r)
	if expired(r.Code) && b.keys.renew() {
		return fmt.Errorf("the keys have expired: %s", text) // the next try has new ones
	}
	if r.Region != "" && (r.Code == "AuthorizationHeaderMalformed" || r.Code == "PermanentRedirect" || r.Code == "InvalidRegion" || r.StatusCode == http.StatusMovedPermanently) {
		return &RegionError{printable(r.Region, 40)}
	}
	if kind, ok := codes[r.Code]; ok {
		if kind == blob.ErrNotFound || kind == blob.ErrPrecondition || kind == blob.ErrNoBucket {
			return kind
		}
		return fmt.Errorf("%w: %s", kind, text)
	}
	switch s := r.StatusCode; {
	case passing[r.Code] || s == http.StatusRequestTimeout || s == http.StatusTooManyRequests || s == 499:
		return errors.New(text)
	case s == http.StatusUnauthorized || s == http.StatusForbidden:
		return fmt.Errorf("%w: %s", blob.ErrAccess, text)
	case s == http.StatusMethodNotAllowed || s == http.StatusNotImplemented:
		return fmt.Errorf("%w: %s", blob.ErrUnsupported, text)
	case s == http.StatusInsufficientStorage:
		return fmt.Errorf("%w: %s", blob.ErrNoSpace, text)
	case s >= 300 && s < 500:
		return fmt.Errorf("%w: %s", blob.ErrRejected, text)
	}
	return errors.New(text)
}

func expired(code string) bool { return code == "ExpiredToken" || code == "ExpiredTokenException" }

// said is what the server said, in a form that fits into a sentence.
func said(r minio.ErrorResponse) string {
	code, message := printable(r.Code, 60), strings.TrimSuffix(printable(r.Message, 200), ".")
	switch {
	case code == "" && message == "":
		return fmt.Sprintf("HTTP status %d", r.StatusCode)
	case message == "" || message == code:
		return code
	case code == "":
		return message
	}
	return fmt.Sprintf("%s (%s)", message, code)
}

// printable is text of a server, which may be anything.
func printable(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.TrimSpace(s))
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// codeOf is S3's code of an error; "" where it is none of an answer.
func codeOf(err error) string {
	var r minio.ErrorResponse
	if errors.As(err, &r) {
		return r.Code
	}
	return ""
}

func isDigestError(err error) bool {
	switch codeOf(err) {
	case "BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch":
		return true
	}
	return false
}

// hopeless says that a connection will fail the next time too: a wrong name, a certificate that is not trusted, no TLS where it is expected.
func hopeless(err error) bool {
	var dns *net.DNSError
	var record tls.RecordHeaderError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	switch {
	case errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &dns):
		return dns.IsNotFound
	case errors.As(err, &record), errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &invalid), errors.As(err, &verify):
		return true
	}
	return err != nil && strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}
