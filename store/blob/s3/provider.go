package s3

import (
	"context"
	"sync"

	miniocreds "github.com/minio/minio-go/v7/pkg/credentials"

	"tarn/store/blob/s3/credentials"
)

// provider gives minio-go the keys of a credentials.Source, and new ones before they expire.
type provider struct {
	src   credentials.Source
	creds *miniocreds.Credentials

	mu      sync.Mutex
	expiry  miniocreds.Expiry
	forever bool
	found   string
}

func (p *provider) from() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.found
}

// Retrieve implements miniocreds.Provider.
func (p *provider) Retrieve() (miniocreds.Value, error) { return p.retrieve(context.Background()) }

// RetrieveWithCredContext implements miniocreds.Provider.
func (p *provider) RetrieveWithCredContext(cc *miniocreds.CredContext) (miniocreds.Value, error) {
	if cc == nil || cc.Context == nil {
		return p.Retrieve()
	}
	return p.retrieve(cc.Context)
}

func (p *provider) retrieve(ctx context.Context) (miniocreds.Value, error) {
	k, err := p.src.Keys(ctx)
	if err != nil {
		return miniocreds.Value{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.found = k.From
	if p.forever = k.Expires.IsZero(); !p.forever {
		p.expiry.SetExpiration(k.Expires, miniocreds.DefaultExpiryWindow)
	}
	return miniocreds.Value{AccessKeyID: k.ID, SecretAccessKey: k.Secret, SessionToken: k.Token, Expiration: k.Expires, SignerType: miniocreds.SignatureV4}, nil
}

// IsExpired implements miniocreds.Provider.
func (p *provider) IsExpired() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.forever && p.expiry.IsExpired()
}

// renew makes the next request get new keys, if the source has any: it is false for keys that don't say when they expire.
func (p *provider) renew() bool {
	p.mu.Lock()
	can := p.creds != nil && !p.forever
	p.mu.Unlock()
	if can {
		p.creds.Expire()
	}
	return can
}
