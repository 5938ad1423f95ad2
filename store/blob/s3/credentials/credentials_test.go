package credentials

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"
)

// secrets are what no message may have.
var secrets = []string{"SECRETKEY", "SECRETTOKEN", "SECRETBEARER", "SECRETJWT", "SECRETOUT"}

// world is a machine: a home, an environment, and services on loopback that stand for Amazon's.
type world struct {
	t    *testing.T
	home string
	env  map[string]string
	srv  *httptest.Server

	mu      sync.Mutex
	answers map[string]http.HandlerFunc // "METHOD path"
	asked   []string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, home: t.TempDir(), env: map[string]string{"AWS_EC2_METADATA_DISABLED": "true"}, answers: map[string]http.HandlerFunc{}}
	w.srv = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		name := r.Method + " " + r.URL.Path
		w.asked = append(w.asked, name)
		answer := w.answers[name]
		w.mu.Unlock()
		if answer == nil {
			http.NotFound(rw, r)
			return
		}
		answer(rw, r)
	}))
	t.Cleanup(w.srv.Close)
	return w
}

func (w *world) file(name, text string) string {
	p := filepath.Join(w.home, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) options(profile string) Options {
	environ := []string{"PATH=" + os.Getenv("PATH")}
	for k, v := range w.env {
		environ = append(environ, k+"="+v)
	}
	return Options{Getenv: func(k string) string { return w.env[k] }, Environ: environ, Home: w.home, Profile: profile, container: w.srv.URL}
}

func (w *world) keys(profile string) (Keys, error) {
	w.t.Helper()
	c, err := New(w.options(profile))
	if err != nil {
		return Keys{}, err
	}
	k, err := c.Keys(w.t.Context())
	if err != nil {
		for _, s := range secrets {
			if strings.Contains(err.Error(), s) {
				w.t.Errorf("the message has a secret: %v", err)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			w.t.Errorf("the message is not one line: %q", err)
		}
	}
	return k, err
}

func (w *world) want(profile, id, from string) {
	w.t.Helper()
	k, err := w.keys(profile)
	if err != nil || k.ID != id || k.Secret == "" || k.From != from {
		w.t.Errorf("keys %s from %q, %v; want %s from %s", k.ID, k.From, err, id, from)
	}
	if s := fmt.Sprintf("%v %+v %#v", k, k, k); strings.Contains(s, "SECRET") {
		w.t.Errorf("printed keys show a secret: %s", s)
	}
}

func (w *world) fails(profile string, texts ...string) {
	w.t.Helper()
	_, err := w.keys(profile)
	if err == nil {
		w.t.Fatal("there are keys")
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			w.t.Errorf("%v\nwant: %s", err, text)
		}
	}
}

func handOut(id string, expires time.Time) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":%q,"SecretAccessKey":"SECRETKEY","Token":"SECRETTOKEN","Expiration":%q}`, id, expires.UTC().Format(time.RFC3339))
	}
}

func TestNothingAnywhere(t *testing.T) {
	w := newWorld(t)
	w.fails("", "no keys were found; tried: environment (AWS_ACCESS_KEY_ID is not set), web identity (AWS_WEB_IDENTITY_TOKEN_FILE is not set), "+
		`profile "default" (it is in neither `+filepath.Join(w.home, ".aws", "config"), "container (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not set), EC2 (AWS_EC2_METADATA_DISABLED is set)")
}

func TestEnvironment(t *testing.T) {
	w := newWorld(t)
	w.env["AWS_ACCESS_KEY_ID"] = "ENVID"
	w.fails("", "AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not")
	w.env["AWS_SECRET_ACCESS_KEY"], w.env["AWS_SESSION_TOKEN"] = "SECRETKEY", "SECRETTOKEN"
	w.want("", "ENVID", "environment")
	w.file(".aws/credentials", "[default]\naws_access_key_id=FILEID\naws_secret_access_key=SECRETKEY\n[other]\naws_access_key_id=OTHERID\naws_secret_access_key=SECRETKEY\n")
	w.want("", "ENVID", "environment")
	w.env["AWS_PROFILE"] = "other"
	w.want("", "ENVID", "environment")
	w.want("default", "FILEID", `profile "default"`) // named on purpose
	delete(w.env, "AWS_ACCESS_KEY_ID")
	w.fails("", "AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not")
	delete(w.env, "AWS_SECRET_ACCESS_KEY")
	w.want("", "OTHERID", `profile "other"`)
}

func TestFiles(t *testing.T) {
	w := newWorld(t)
	w.file(".aws/config", "\ufeff# a comment\r\n[default]\r\nregion = eu-west-9 # here\r\ns3 =\r\n  addressing_style = path\r\naws_access_key_id = CONFIGID\r\naws_secret_access_key = SECRETKEY\r\n"+
		"[profile  spaced name]\nAWS_ACCESS_KEY_ID=SPACED\naws_secret_access_key=SECRET#KEY\n[services x]\nnothing=1\n")
	w.want("", "CONFIGID", `profile "default"`)
	w.want("spaced name", "SPACED", `profile "spaced name"`)
	if k, _ := w.keys("spaced name"); k.Secret != "SECRET#KEY" {
		t.Error("a '#' in a value ends it")
	}
	w.file(".aws/credentials", "[default]\naws_access_key_id=CREDSID\naws_secret_access_key=SECRETKEY\naws_session_token=SECRETTOKEN\n[half]\naws_access_key_id=HALF\n[empty]\n")
	w.want("", "CREDSID", `profile "default"`)
	w.fails("half", "only one of aws_access_key_id and aws_secret_access_key")
	w.fails("nope", `profile "nope"`, "it is in neither")
	w.fails("empty", `profile "empty" (it has no keys)`)
	w.env["AWS_PROFILE"] = "nope"
	w.fails("", `get keys from profile "nope": it is in neither`)
	delete(w.env, "AWS_PROFILE")
	w.env["AWS_SHARED_CREDENTIALS_FILE"] = w.file("elsewhere", "[default]\naws_access_key_id=MOVED\naws_secret_access_key=SECRETKEY\n")
	w.want("", "MOVED", `profile "default"`)
	w.env["AWS_SHARED_CREDENTIALS_FILE"] = w.file("broken", "[default]\naws_secret_access_key=SECRETKEY\nSECRETKEY\n")
	w.fails("", "broken:3: neither a section nor a key with a value")
	w.file("broken", "[default\n")
	w.fails("", "broken:1: the name of the section has no end")
}

func TestSettings(t *testing.T) {
	w := newWorld(t)
	w.file(".aws/config", "[default]\nregion=eu-one\nendpoint_url=https://one\nca_bundle=/one\n[profile two]\nregion=eu-two\n")
	get := func(profile string) Settings {
		c, err := New(w.options(profile))
		if err != nil {
			t.Fatal(err)
		}
		return c.Settings()
	}
	if s := get(""); s != (Settings{"eu-one", "https://one", "/one"}) {
		t.Errorf("%+v", s)
	}
	w.env["AWS_REGION"], w.env["AWS_ENDPOINT_URL_S3"], w.env["AWS_CA_BUNDLE"] = "eu-env", "https://env", "/env"
	if s := get(""); s != (Settings{"eu-env", "https://env", "/env"}) {
		t.Errorf("%+v", s)
	}
	if s := get("two"); s.Region != "eu-two" {
		t.Errorf("%+v", s)
	}
	w.env["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true"
	if s := get(""); s.Endpoint != "" {
		t.Errorf("%+v", s)
	}
}

func TestProcess(t *testing.T) {
	w := newWorld(t)
	soon := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	script := w.file("print keys.sh", `echo "a line with SECRETOUT" >&2
echo '{"Version":1,"AccessKeyId":"'"$1"'","SecretAccessKey":"SECRETKEY","SessionToken":"SECRETTOKEN","Expiration":"`+soon+`"}'
`)
	config := func(command string) {
		w.file(".aws/config", "[default]\ncredential_process = "+command+"\n")
	}
	config(`sh "` + script + `" "PROC ID"`)
	w.want("", "PROC ID", `profile "default"`)
	if k, _ := w.keys(""); k.Expires.Format(time.RFC3339) != soon || k.Token == "" {
		t.Errorf("expires %v", k.Expires)
	}
	config("echo SECRETOUT; exit 3")
	w.fails("", "credential_process failed: exit status 3")
	config("echo SECRETOUT")
	w.fails("", "printed no JSON document")
	config(`echo '{"Version":2,"SecretAccessKey":"SECRETOUT"}'`)
	w.fails("", "printed version 2")
	config(`echo '{"Version":1,"AccessKeyId":"x"}'`)
	w.fails("", "gave no keys")
	config(`echo '{"Version":1,"AccessKeyId":"x","SecretAccessKey":"SECRETKEY","Expiration":"2001-01-01T00:00:00Z"}'`)
	w.fails("", "gave keys that have expired at 2001-01-01T00:00:00Z")
}

func TestSSO(t *testing.T) {
	w := newWorld(t)
	w.env["AWS_ENDPOINT_URL_SSO"] = w.srv.URL
	w.file(".aws/config", "[profile new]\nsso_session = corp\nsso_account_id = 1234\nsso_role_name = reader\n[sso-session corp]\nsso_region = eu-one\nsso_start_url = https://corp.example/start\n"+
		"[profile old]\nsso_start_url = https://corp.example/start\nsso_region = eu-one\nsso_account_id = 1234\nsso_role_name = reader\n[profile lost]\nsso_session = gone\nsso_account_id = 1\nsso_role_name = r\n"+
		"[profile half]\nsso_account_id = 1\n")
	w.fails("new", "nobody is logged in", "aws sso login --profile new")
	// Names as aws sso login makes them: SHA-1 of the session's name, or of the URL.
	session, legacy := "ee0bfd2552fbd840c02cc48b6e823320543c450f", "f7c9b39d0b4c7a7d82c79307585f77e1c5e74378"
	token := func(name, expires string) {
		w.file(".aws/sso/cache/"+name+".json", `{"accessToken":"SECRETBEARER","expiresAt":"`+expires+`"}`)
	}
	token(session, "2001-01-01T00:00:00Z")
	w.fails("new", "the login has expired at 2001-01-01T00:00:00Z", "aws sso login --profile new")
	later := time.Now().Add(time.Hour).UTC()
	token(session, later.Format(time.RFC3339))
	token(legacy, later.Format(time.RFC3339))
	w.answers["GET /federation/credentials"] = func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Sso_bearer_token") != "SECRETBEARER" || r.URL.Query().Get("account_id") != "1234" || r.URL.Query().Get("role_name") != "reader" {
			rw.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprintf(rw, `{"roleCredentials":{"accessKeyId":"SSOID","secretAccessKey":"SECRETKEY","sessionToken":"SECRETTOKEN","expiration":%d}}`, later.UnixMilli())
	}
	w.want("new", "SSOID", `profile "new"`)
	w.want("old", "SSOID", `profile "old"`)
	w.fails("lost", `there is no sso-session "gone"`)
	w.fails("half", "only one of sso_account_id and sso_role_name")
	w.answers["GET /federation/credentials"] = func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusUnauthorized) }
	w.fails("new", "no longer valid", "aws sso login")
}

// sts answers AssumeRole for callers whose signature is right, as minio-go computes it, and AssumeRoleWithWebIdentity for one token.
func (w *world) sts() {
	w.env["AWS_ENDPOINT_URL_STS"] = w.srv.URL
	w.answers["POST /"] = func(rw http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		f, id := r.PostForm, ""
		switch f.Get("Action") {
		case "AssumeRole":
			id = w.caller(r)
		case "AssumeRoleWithWebIdentity":
			if f.Get("WebIdentityToken") == "SECRETJWT" {
				id = "jwt"
			}
		}
		if id == "" || strings.Contains(f.Get("RoleArn"), "denied") {
			rw.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(rw, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>%s may not assume %s.</Message></Error></ErrorResponse>", id, f.Get("RoleArn"))
			return
		}
		fmt.Fprintf(rw, `<%sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>SECRETKEY</SecretAccessKey>`+
			`<SessionToken>SECRETTOKEN</SessionToken><Expiration>%s</Expiration></Credentials></%[1]sResult></%[1]sResponse>`,
			f.Get("Action"), id+">"+f.Get("RoleArn")+f.Get("ExternalId")+f.Get("DurationSeconds")+f.Get("RoleSessionName")[:4], time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}
}

// caller is the access key of a request that is signed with SECRETKEY.
func (w *world) caller(r *http.Request) string {
	got := r.Header.Get("Authorization")
	_, rest, _ := strings.Cut(got, "Credential=")
	scope := strings.Split(rest, "/")
	date, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if len(scope) < 5 || err != nil || time.Since(date).Abs() > time.Minute {
		return ""
	}
	body := r.PostForm.Encode()
	again, _ := http.NewRequest(r.Method, w.srv.URL+"/", strings.NewReader(body))
	again.Header.Set("Content-Type", r.Header.Get("Content-Type"))
	sign(again, []byte(body), Keys{ID: scope[0], Secret: "SECRETKEY", Token: r.Header.Get("X-Amz-Security-Token")}, scope[2], "sts", date)
	if again.Header.Get("Authorization") != got {
		return ""
	}
	return scope[0]
}

// TestSign compares with another implementation.
func TestSign(t *testing.T) {
	for _, token := range []string{"", "SECRETTOKEN"} {
		same := false
		for range 5 { // it takes the time itself: the second may change in between
			body := "Action=AssumeRole&RoleArn=arn%3Aaws"
			a, _ := http.NewRequest(http.MethodPost, "https://sts.eu-one.amazonaws.com/", strings.NewReader(body))
			a.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
			b := a.Clone(t.Context())
			sign(a, []byte(body), Keys{ID: "AKID", Secret: "SECRETKEY", Token: token}, "eu-one", "sts", time.Now())
			b.Header.Set("X-Amz-Content-Sha256", hexSum([]byte(body)))
			if token != "" {
				b.Header.Set("X-Amz-Security-Token", token)
			}
			want := signer.SignV4STS(*b, "AKID", "SECRETKEY", "eu-one").Header
			if a.Header.Get("X-Amz-Date") != want.Get("X-Amz-Date") {
				continue
			}
			if same = true; a.Header.Get("Authorization") != want.Get("Authorization") {
				t.Errorf("signed\n%s\nwant\n%s", a.Header.Get("Authorization"), want.Get("Authorization"))
			}
			break
		}
		if !same {
			t.Error("never in the same second")
		}
	}
}

func TestAssumeRole(t *testing.T) {
	w := newWorld(t)
	w.sts()
	w.file(".aws/config", `[profile base]
aws_access_key_id = BASE
aws_secret_access_key = SECRETKEY
[profile reader]
role_arn = arn:r
source_profile = base
external_id = -ext-
duration_seconds = 900
role_session_name = nameful
region = eu-one
[profile chained]
role_arn = arn:c
source_profile = reader
[profile self]
role_arn = arn:s
source_profile = self
aws_access_key_id = SELF
aws_secret_access_key = SECRETKEY
[profile wrongkey]
aws_access_key_id = WRONG
aws_secret_access_key = SECRETBEARER
[profile refused]
role_arn = arn:r
source_profile = wrongkey
[profile denied]
role_arn = arn:denied
source_profile = base
[profile a]
role_arn = arn:a
source_profile = b
[profile b]
role_arn = arn:b
source_profile = a
[profile alone]
role_arn = arn:x
[profile mfa]
role_arn = arn:x
source_profile = base
mfa_serial = 123
[profile lost]
role_arn = arn:x
source_profile = nope
[profile env]
role_arn = arn:e
credential_source = Environment
[profile ec2]
role_arn = arn:e
credential_source = Ec2InstanceMetadata
[profile ecs]
role_arn = arn:e
credential_source = EcsContainer
[profile odd]
role_arn = arn:e
credential_source = Moon
[profile web]
role_arn = arn:w
web_identity_token_file = ~/jwt
`)
	w.want("reader", "BASE>arn:r-ext-900name", `profile "reader"`)
	w.want("chained", "BASE>arn:r-ext-900name>arn:ctarn", `profile "chained"`)
	w.want("self", "SELF>arn:starn", `profile "self"`)
	w.fails("refused", "assume role arn:r", "AccessDenied")
	w.fails("denied", "BASE may not assume arn:denied (AccessDenied)")
	w.fails("a", "in a circle: a, b, a")
	w.fails("alone", "neither source_profile nor credential_source")
	w.fails("mfa", "mfa_serial")
	w.fails("lost", `source_profile "nope": it is in neither`)
	w.fails("env", "credential_source Environment: AWS_ACCESS_KEY_ID is not set")
	w.env["AWS_ACCESS_KEY_ID"], w.env["AWS_SECRET_ACCESS_KEY"] = "ENVID", "SECRETKEY"
	w.want("env", "ENVID>arn:etarn", `profile "env"`)
	w.fails("ec2", "credential_source Ec2InstanceMetadata: AWS_EC2_METADATA_DISABLED is set")
	w.env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/keys"
	w.answers["GET /v2/keys"] = handOut("ECS", time.Now().Add(time.Hour))
	w.want("ecs", "ECS>arn:etarn", `profile "ecs"`)
	w.fails("odd", "none of Environment")
	w.fails("web", "read the token of the web identity")
	w.file("jwt", "SECRETJWT\n")
	w.want("web", "jwt>arn:wtarn", `profile "web"`)
	w.answers["POST /"] = func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusServiceUnavailable) }
	k, err := w.keys("reader")
	var e *Error
	if !errors.As(err, &e) || !e.Temporary {
		t.Errorf("an STS that is busy: %v, %v", k, err)
	}
}

func TestWebIdentity(t *testing.T) {
	w := newWorld(t)
	w.sts()
	w.env["AWS_WEB_IDENTITY_TOKEN_FILE"] = w.file("token", "SECRETJWT")
	w.fails("", "AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not")
	w.env["AWS_ROLE_ARN"], w.env["AWS_ROLE_SESSION_NAME"] = "arn:irsa", "pod-1"
	w.want("", "jwt>arn:irsapod-", "web identity")
	w.file("token", "SECRETBEARER")
	w.fails("", "get keys from web identity: assume role arn:irsa: may not assume arn:irsa (AccessDenied)")
}

func TestContainer(t *testing.T) {
	w := newWorld(t)
	w.env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/keys"
	w.fails("", "the container's agent refuses (HTTP status 404)")
	token := ""
	w.answers["GET /v2/keys"] = func(rw http.ResponseWriter, r *http.Request) {
		token = r.Header.Get("Authorization")
		handOut("ECS", time.Now().Add(time.Hour))(rw, r)
	}
	w.want("", "ECS", "container")
	delete(w.env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
	w.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = w.srv.URL + "/v2/keys"
	w.env["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "SECRETBEARER"
	w.want("", "ECS", "container")
	if token != "SECRETBEARER" {
		t.Error("the token was not sent")
	}
	w.env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = w.file("token", "SECRETJWT\n") // as EKS pod identity has it
	w.want("", "ECS", "container")
	if token != "SECRETJWT" {
		t.Error("the token of the file was not sent")
	}
	w.answers["GET /v2/keys"] = handOut("OLD", time.Now().Add(-time.Hour))
	w.fails("", "gave keys that have expired")
	w.answers["GET /v2/keys"] = func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, "SECRETOUT") }
	w.fails("", "answers with no JSON document")
	for _, u := range []string{"http://example.com/x", "http://169.254.169.254/x", "::"} {
		w.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = u
		w.fails("", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
	}
}

func TestEC2(t *testing.T) {
	w := newWorld(t)
	w.env["AWS_EC2_METADATA_DISABLED"], w.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "", w.srv.URL
	const roles = "GET /latest/meta-data/iam/security-credentials/"
	w.answers["PUT /latest/api/token"] = func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds") != "" {
			fmt.Fprint(rw, "SECRETBEARER")
		}
	}
	guarded := func(h http.HandlerFunc) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Aws-Ec2-Metadata-Token") != "SECRETBEARER" {
				rw.WriteHeader(http.StatusUnauthorized)
				return
			}
			h(rw, r)
		}
	}
	w.fails("", "EC2 (the instance has no role)")
	w.answers[roles] = guarded(func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, "my-role\n") })
	w.answers[roles+"my-role"] = guarded(handOut("EC2ID", time.Now().Add(time.Hour)))
	w.want("", "EC2ID", "EC2")
	w.answers[roles+"my-role"] = guarded(func(rw http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(rw, `{"Code":"AssumeRoleUnauthorizedAccess"}`)
	})
	w.fails("", "AssumeRoleUnauthorizedAccess")
	// Version 1, where there is no 2.
	delete(w.answers, "PUT /latest/api/token")
	w.answers[roles] = func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, "my-role") }
	w.answers[roles+"my-role"] = handOut("V1", time.Now().Add(time.Hour))
	w.want("", "V1", "EC2")
	w.env["AWS_EC2_METADATA_V1_DISABLED"] = "true"
	w.fails("", "AWS_EC2_METADATA_V1_DISABLED is set")
}

// Elsewhere than on EC2 nobody answers, and nobody waits for long; where it is switched off nobody asks.
func TestEC2DoesNotHang(t *testing.T) {
	w := newWorld(t)
	w.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = w.srv.URL
	w.answers["PUT /latest/api/token"] = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	w.fails("", "AWS_EC2_METADATA_DISABLED is set")
	if len(w.asked) > 0 {
		t.Errorf("asked: %v", w.asked)
	}
	w.env["AWS_EC2_METADATA_DISABLED"] = "false"
	began := time.Now()
	w.fails("", "EC2 (no metadata service answers)")
	if d := time.Since(began); d > 3*time.Second {
		t.Errorf("it waited for %v", d)
	}
}

func TestCancelled(t *testing.T) {
	w := newWorld(t)
	w.env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/slow"
	w.answers["GET /slow"] = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	c, err := New(w.options(""))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Keys(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}
