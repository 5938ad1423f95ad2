package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"tarn/index"
	"tarn/store/digest"
)

// version is one root manifest: what a dataset is at some moment.
type version struct {
	*index.Manifest
	id  digest.Digest
	raw []byte
}

func parseVersion(raw []byte) (*version, error) {
	m, err := index.Parse(raw)
	if err != nil {
		return nil, err
	}
	return &version{m, digest.Sum(raw), raw}, nil
}

// manifest is m, or nil where there is no version: an empty dataset.
func (v *version) manifest() *index.Manifest {
	if v == nil {
		return nil
	}
	return v.Manifest
}

// readManifest reads the manifest in the work tree; nil where there is none.
func (r *Repo) readManifest(dataset string) (*version, error) {
	f, err := os.Open(r.abs(dataset + ManifestSuffix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, index.MaxRoot+1))
	if err != nil {
		return nil, err
	}
	v, err := parseVersion(raw)
	if err != nil {
		return nil, r.brokenManifest(dataset, err)
	}
	return v, nil
}

func (r *Repo) brokenManifest(dataset string, err error) error {
	broken := fmt.Errorf("%w: read %s: %w", ErrUsage, dataset+ManifestSuffix, err)
	if isMergeError(err) {
		return &Hinted{broken, "tarn resolve " + dataset}
	}
	return broken
}

// headManifest reads the manifest of a commit; nil where that has none.
func (r *Repo) headManifest(ctx context.Context, rev, dataset string) (*version, error) {
	raw, err := r.git.Contents(ctx, rev+":"+dataset+ManifestSuffix, index.MaxRoot)
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s of %s from git: %w", dataset+ManifestSuffix, rev, err)
	}
	v, err := parseVersion(raw)
	if err != nil {
		return nil, fmt.Errorf("read %s of %s: %w", dataset+ManifestSuffix, rev, err)
	}
	return v, nil
}

// pageSource gives pages from the cache, and from the remote where they are not there.
type pageSource struct {
	r      *Repo
	remote func(ctx context.Context) (*conn, error) // nil: the cache only
}

// errNoPage says that a page is neither in the cache nor where else it was looked for.
var errNoPage = errors.New("a page of the manifest is not in the cache")

// Page returns the verified bytes of a page.
func (p *pageSource) Page(ctx context.Context, d digest.Digest) ([]byte, error) {
	store, err := p.r.openCache()
	if err != nil {
		return nil, err
	}
	b, err := store.Bytes(d, index.MaxPage)
	if err == nil || !isMissing(err) {
		return b, err
	}
	if p.remote == nil {
		return nil, &Hinted{fmt.Errorf("%w: page %s: %w", ErrIncomplete, d.Short(), errNoPage), "tarn fetch"}
	}
	c, err := p.remote(ctx)
	if err != nil {
		return nil, fmt.Errorf("page %s: %w: %w", d.Short(), errNoPage, err)
	}
	return c.page(ctx, d)
}

// local is pages from the cache only.
func (r *Repo) local() *pageSource { return &pageSource{r: r} }

// anywhere is pages from the cache, else from the dataset's remote, which is connected when it is first needed.
func (r *Repo) anywhere(dataset string) *pageSource { return r.from(dataset, "") }

// from is anywhere with a remote that was asked for; "" is the dataset's.
func (r *Repo) from(dataset, asked string) *pageSource {
	return &pageSource{r: r, remote: func(ctx context.Context) (*conn, error) { return r.connectFor(ctx, dataset, asked, false) }}
}

// isMissing says that a cache error is about bytes that are not there, or no longer good: a pull brings them back.
func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) || isCorrupt(err) }
