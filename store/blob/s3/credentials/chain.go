package credentials

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
)

// Options say where to look.
type Options struct {
	Getenv  func(string) string
	Environ []string // for commands that print keys
	Home    string   // of the user
	Profile string   // asked for by name: it goes before the environment. Empty: AWS_PROFILE, or default
	Region  string   // of STS, where neither environment nor profile names one

	container string // http://169.254.170.2, but for tests
}

// Chain looks in one place after the other, in the order of AWS's own programs: environment, web identity, profile, container, EC2.
type Chain struct {
	o      Options
	files  *files
	open   *http.Client // through the user's proxy
	direct *http.Client // for addresses that only this machine has
}

// New reads the configuration files of AWS, which need not exist.
func New(o Options) (*Chain, error) {
	fs, err := readFiles(o)
	if err != nil {
		return nil, err
	}
	if o.container == "" {
		o.container = "http://169.254.170.2"
	}
	return &Chain{o, fs, &http.Client{Timeout: 30 * time.Second}, &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}}, nil
}

type place struct {
	name string
	keys func(context.Context) (Keys, error)
}

// Keys implements Source. A place that has nothing is passed over; one that should have keys and fails ends the search.
func (c *Chain) Keys(ctx context.Context) (Keys, error) {
	places := []place{
		{"environment", c.fromEnv},
		{"web identity", c.fromWebIdentity},
		{"profile " + quote(c.profile()), func(ctx context.Context) (Keys, error) { return c.fromProfile(ctx, c.profile(), nil) }},
		{"container", c.fromContainer},
		{"EC2", c.fromEC2},
	}
	if c.o.Profile != "" {
		places = places[2:]
	}
	var tried []string
	for _, p := range places {
		k, err := p.keys(ctx)
		var not absent
		switch {
		case err == nil:
			if k.From == "" {
				k.From = p.name
			}
			return k, nil
		case ctx.Err() != nil:
			return Keys{}, ctx.Err()
		case !errors.As(err, &not):
			return Keys{}, within("get keys from "+p.name, err)
		}
		tried = append(tried, p.name+" ("+not.why+")")
	}
	return Keys{}, &Error{Text: "no keys were found; tried: " + strings.Join(tried, ", "), Nowhere: true}
}

func quote(s string) string { return `"` + printable(s) + `"` }

func (c *Chain) profile() string {
	for _, name := range []string{c.o.Profile, c.o.Getenv("AWS_PROFILE"), c.o.Getenv("AWS_DEFAULT_PROFILE")} {
		if name != "" {
			return name
		}
	}
	return "default"
}

// first is the first of the variables that is set.
func (c *Chain) first(names ...string) string {
	for _, n := range names {
		if v := c.o.Getenv(n); v != "" {
			return v
		}
	}
	return ""
}

func (c *Chain) fromEnv(context.Context) (Keys, error) {
	id, secret := c.first("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"), c.first("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY")
	switch {
	case id == "" && secret == "":
		return Keys{}, none("AWS_ACCESS_KEY_ID is not set")
	case secret == "":
		return Keys{}, failed("AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not")
	case id == "":
		return Keys{}, failed("AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not")
	}
	return Keys{ID: id, Secret: secret, Token: c.o.Getenv("AWS_SESSION_TOKEN")}, nil
}

func (c *Chain) fromWebIdentity(ctx context.Context) (Keys, error) {
	file, role := c.o.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE"), c.o.Getenv("AWS_ROLE_ARN")
	if file == "" {
		return Keys{}, none("AWS_WEB_IDENTITY_TOKEN_FILE is not set")
	}
	if role == "" {
		return Keys{}, failed("AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not")
	}
	return c.assumeWithToken(ctx, file, assume{role: role, session: c.o.Getenv("AWS_ROLE_SESSION_NAME")})
}

// Settings are what else environment and profile say about S3; empty: nothing.
type Settings struct {
	Region   string
	Endpoint string
	CAFile   string
}

// Settings of the profile that is in use. A profile that was asked for by name goes before the environment's region.
func (c *Chain) Settings() Settings {
	p := c.files.profiles[c.profile()]
	s := Settings{
		Region:   c.first("AWS_REGION", "AWS_DEFAULT_REGION"),
		Endpoint: c.first("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
		CAFile:   c.first("AWS_CA_BUNDLE"),
	}
	if s.Region == "" || c.o.Profile != "" && p["region"] != "" {
		s.Region = p["region"]
	}
	if s.Endpoint == "" {
		s.Endpoint = p["endpoint_url"]
	}
	if s.CAFile == "" {
		s.CAFile = p["ca_bundle"]
	}
	if strings.EqualFold(c.o.Getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), "true") {
		s.Endpoint = ""
	}
	return s
}
