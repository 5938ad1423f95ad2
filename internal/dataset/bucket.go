package dataset

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"tarn/store/blob"
	"tarn/store/blob/fs"
	"tarn/store/blob/http"
	"tarn/store/blob/s3"
	"tarn/store/blob/s3/credentials"
	"tarn/store/blob/wrap"
)

// site is a remote's bucket, before anything that goes around it.
type site struct {
	blob.Bucket
	paced    bool         // it keeps to the upload limit by itself
	requests func() int64 // how many it sent; nil: the calls are what is counted
}

// rates bound what goes to and comes from all remotes of a run.
type rates struct{ up, down *wrap.Rate }

// bucket opens the place that a remote's URL names; this is where concrete buckets are chosen.
func (r *Repo) bucket(name string) (*site, error) {
	raw, _, ok := r.cfg.Get("remote", name, "url")
	if !ok {
		return nil, &Hinted{fmt.Errorf("%w: there is no remote %q", ErrUsage, name), "tarn remote list"}
	}
	get := func(key string) string {
		v, _, _ := r.cfg.Get("remote", name, key)
		return v
	}
	p, err := r.openSite(raw, get)
	if err != nil {
		return nil, fmt.Errorf("remote %s: %w", name, err)
	}
	return p, nil
}

// openSite opens what a URL names; get gives the remote's other settings.
func (r *Repo) openSite(raw string, get func(key string) string) (*site, error) {
	if strings.HasPrefix(raw, "s3://") {
		return r.openS3(raw, get)
	}
	if isWeb(raw) {
		b, err := http.New(raw, http.Options{})
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUsage, err)
		}
		return &site{Bucket: b}, nil
	}
	dir, err := r.localRemote(raw)
	if err != nil {
		return nil, err
	}
	return &site{Bucket: fs.New(r.disk, dir)}, nil
}

// isWeb says that a URL is that of a web server, to read from.
func isWeb(raw string) bool {
	return strings.HasPrefix(raw, "http://") || strings.HasPrefix(raw, "https://")
}

func (r *Repo) openS3(raw string, get func(key string) string) (*site, error) {
	o, err := r.s3Options(raw, get)
	if err != nil {
		return nil, err
	}
	b, err := s3.New(o)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	return &site{b, true, b.Requests}, nil
}

// s3Options come from the URL, the remote's settings, and for what these leave open from AWS's configuration.
func (r *Repo) s3Options(raw string, get func(key string) string) (o s3.Options, err error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return o, fmt.Errorf("%w: an S3 remote is s3://BUCKET or s3://BUCKET/PREFIX", ErrUsage)
	}
	o = s3.Options{
		Bucket: u.Host, Prefix: strings.Trim(u.Path, "/"), Endpoint: get("endpoint"), Region: get("region"), Style: get("style"), Encrypt: get("sse"), KMSKey: get("kmsKey"),
		StorageClass: get("storageClass"), Checksum: get("checksum"), NoConditions: isFalse(get("conditions")), CacheControl: cacheControl, Stall: r.o.stall,
	}
	if up := r.rates().up; up != nil {
		o.Pace = up.Wait
	}
	if o.KMSKey != "" && o.Encrypt == "" {
		o.Encrypt = s3.EncryptKMS
	}
	chain, err := credentials.New(credentials.Options{
		Getenv: r.getenv, Environ: r.o.Env, Home: firstOf(r.getenv("HOME"), r.getenv("USERPROFILE")), Profile: get("profile"), Region: o.Region,
	})
	if err != nil {
		return o, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if !isTrue(get("anonymous")) {
		o.Credentials = chain
	}
	aws := chain.Settings()
	o.Endpoint, o.Region = firstOf(o.Endpoint, aws.Endpoint), firstOf(o.Region, aws.Region)
	if file := firstOf(r.configured(get("ca")), aws.CAFile); file != "" {
		if o.CA, err = os.ReadFile(file); err != nil {
			return o, fmt.Errorf("%w: read certificates to trust: %w", ErrUsage, err)
		}
	}
	return o, nil
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func isTrue(value string) bool {
	switch strings.ToLower(value) {
	case "true", "yes", "on", "1":
		return true
	}
	return false
}

func isFalse(value string) bool {
	switch strings.ToLower(value) {
	case "false", "no", "off", "0":
		return true
	}
	return false
}

// cacheControl lets caches in front of a bucket keep packs, whose names never return, and ask again for all else.
func cacheControl(key string) string {
	if strings.HasPrefix(key, "pack/") {
		return "public, max-age=31536000, immutable"
	}
	return "no-cache"
}

// getenv looks into the environment that the caller gave.
func (r *Repo) getenv(name string) string {
	for i := len(r.o.Env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(r.o.Env[i], name+"="); ok {
			return v
		}
	}
	return ""
}

// localRemote is the directory that a path or a file:// URL names; relative ones start at the root of the repository, or at a bare repository itself.
func (r *Repo) localRemote(raw string) (string, error) {
	if scheme, _, ok := strings.Cut(raw, "://"); ok {
		if scheme != "file" {
			return "", fmt.Errorf("%w: a remote is s3://BUCKET/PREFIX, a directory, a file:// URL or, to read, an http(s):// URL; %s:// is not supported", ErrUsage, scheme)
		}
		u, err := url.Parse(raw)
		if err != nil || u.Host != "" && u.Host != "localhost" || u.Path == "" {
			return "", fmt.Errorf("%w: %q is not a file:// URL of an absolute path", ErrUsage, raw)
		}
		return filepath.FromSlash(u.Path), nil
	}
	if filepath.IsAbs(raw) {
		return filepath.Clean(raw), nil
	}
	if r.base == "" {
		return "", fmt.Errorf("%w: %s is relative to a repository on another machine", ErrUsage, raw)
	}
	return filepath.Join(r.base, filepath.FromSlash(raw)), nil
}

// rates are those of the options, or as configured; the same for all remotes.
func (r *Repo) rates() rates {
	r.ratesOnce.Do(func() {
		limit := func(n int64, key string) *wrap.Rate {
			if v, ok, err := r.cfg.GetInt("transfer", "", key); n == 0 && ok && err == nil {
				n = v
			}
			return wrap.NewRate(n)
		}
		r.limits = rates{limit(r.o.LimitUp, "limitUpload"), limit(r.o.LimitDown, "limitDownload")}
	})
	return r.limits
}

// around puts around a bucket what every remote has: counting, the limits, retries.
func (r *Repo) around(p *site, name string) (b blob.Bucket, requests func() int64) {
	meter := wrap.NewMeter(p.Bucket)
	l := r.rates()
	up := l.up
	if p.paced {
		up = nil
	}
	b = wrap.NewRetry(wrap.NewLimit(meter, wrap.LimitOptions{Up: up, Down: l.down}), wrap.RetryOptions{First: r.o.retryFirst, OnRetry: func(verb, key string, attempt int, err error) {
		if attempt == slowAttempt {
			r.report.Warn("remote "+name, err.Error()+"; trying again")
		}
	}})
	if requests = p.requests; requests == nil {
		requests = func() int64 { return meter.Snapshot().Requests() }
	}
	return b, requests
}

// slowAttempt is after how many failures of one request the user hears of it.
const slowAttempt = 3

// explain adds what can be typed where a remote can't be entered.
func explain(name string, err error) error {
	var keys *credentials.Error
	var region *s3.RegionError
	switch {
	case errors.As(err, &keys) && keys.Nowhere:
		return &Hinted{err, "aws configure"}
	case errors.As(err, &region):
		return &Hinted{err, "tarn config remote." + name + ".region " + region.Region}
	}
	return err
}
