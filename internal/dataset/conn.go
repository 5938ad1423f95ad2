package dataset

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"tarn/index/vcs"
	"tarn/store/blob"
	"tarn/store/cache"
	"tarn/store/digest"
	"tarn/store/remote"
)

// conn is a remote that is open, with what this clone knows of it.
type conn struct {
	name     string
	r        *Repo
	rem      *remote.Remote
	ledger   *remote.Ledger
	requests func() int64 // sent so far
	store    *cache.Cache

	searched map[digest.Digest]bool // roots that search looked at
}

// connections are the remotes that a run of a verb has opened, by name.
type connections map[string]*conn

// remoteFor is the name of the remote of a dataset: as asked, of [dataset "PATH"], the default, or the only one.
func (r *Repo) remoteFor(dataset, asked string) (string, error) {
	if asked != "" {
		return asked, nil
	}
	if dataset != "" {
		if name, _, ok := r.cfg.Get("dataset", dataset, "remote"); ok {
			return name, nil
		}
	}
	if name, _, ok := r.cfg.Get("core", "", "remote"); ok && name != "" {
		return name, nil
	}
	names := r.cfg.Subsections("remote")
	switch len(names) {
	case 0:
		return "", &Hinted{fmt.Errorf("%w: no remote is set up", ErrUsage), "tarn remote add NAME URL"}
	case 1:
		return names[0], nil
	}
	return "", &Hinted{fmt.Errorf("%w: there are several remotes and none is the default", ErrUsage), "tarn remote default NAME"}
}

// connectFor opens the remote of a dataset, once a run.
func (r *Repo) connectFor(ctx context.Context, dataset, asked string, create bool) (*conn, error) {
	name, err := r.remoteFor(dataset, asked)
	if err != nil {
		return nil, err
	}
	r.connMu.Lock()
	defer r.connMu.Unlock()
	if c := r.conns[name]; c != nil {
		return c, nil
	}
	c, err := r.connect(ctx, name, create)
	if err != nil {
		return nil, err
	}
	if r.conns == nil {
		r.conns = connections{}
	}
	r.conns[name] = c
	return c, nil
}

func (r *Repo) connect(ctx context.Context, name string, create bool) (*conn, error) {
	p, err := r.bucket(name)
	if err != nil {
		return nil, err
	}
	b, requests := r.around(p, name)
	if r.o.wrapBucket != nil {
		b = r.o.wrapBucket(b)
	}
	rem, err := remote.Open(ctx, b, create)
	if err != nil {
		return nil, onRemote(name, explain(name, err))
	}
	ledger, err := remote.OpenLedger(r.disk, filepath.Join(r.common, "remote", rem.ID()))
	if err != nil {
		return nil, err
	}
	store, err := r.openCache()
	if err != nil {
		return nil, err
	}
	return &conn{name, r, rem, ledger, requests, store, map[digest.Digest]bool{}}, nil
}

func (r *Repo) closeConns() error {
	var err error
	for _, c := range r.conns {
		err = errors.Join(err, c.ledger.Close())
	}
	r.conns = nil
	return err
}

// onRemote says on which side it happened.
func onRemote(name string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	err = fmt.Errorf("remote %s: %w", name, err)
	if errors.Is(err, blob.ErrUnsupported) {
		return &Hinted{err, "tarn remote check " + name}
	}
	return err
}

// page brings a page of a manifest from the remote into the cache, and remembers where its entries are.
func (c *conn) page(ctx context.Context, d digest.Digest) ([]byte, error) {
	o, _, err := c.rem.ReadObject(ctx, remote.KindPage, d)
	if err != nil {
		return nil, onRemote(c.name, err)
	}
	if err := c.learn(o); err != nil {
		return nil, err
	}
	w := c.store.NewWriter()
	_, _, err = w.AddBytes(o.Subject)
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	if errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EROFS) {
		err = nil // a cache that can only be read: the page is asked for again next time
	}
	return o.Subject, err
}

// originID tells clones of one repository from those of others: a digest of origin's URL, or of this repository's own place.
func (r *Repo) originID(ctx context.Context) (string, error) {
	u, ok, err := r.git.OriginURL(ctx)
	if err != nil {
		return "", err
	}
	if !ok {
		u = r.git.CommonDir
	}
	return digest.Sum([]byte(vcs.NormalURL(u, r.o.Machine, filepath.EvalSymlinks))).String()[:32], nil
}
