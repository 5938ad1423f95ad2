package dataset

import (
	"context"
	"errors"
	"fmt"

	"tarn/index"
	"tarn/store/blob"
	"tarn/store/digest"
	"tarn/store/remote"
)

// RemoteStatus says whether a version can be pulled from a remote.
type RemoteStatus struct {
	Dataset string
	Remote  string
	Root    string // id of the version
	Pages   int    // looked at
	Packs   int    // looked at
	Pushed  bool   // it was pushed as this version; else its bytes were found under others
	Missing []string
}

// Complete says that every byte is there.
func (s *RemoteStatus) Complete() bool { return len(s.Missing) == 0 }

// statusOnRemote looks at each page and pack that HEAD's versions need. It downloads no data, and infers nothing from another version.
func (r *Repo) statusOnRemote(ctx context.Context, o StatusOptions, res *StatusResult) error {
	ws, problems, err := r.versions(ctx, Selection{Paths: o.Paths, Revs: []string{"HEAD"}})
	if err != nil {
		return err
	}
	res.Problems = problems
	for _, w := range ws {
		c, err := r.connectFor(ctx, w.Dataset, o.Remote, false)
		st := RemoteStatus{Dataset: w.Dataset, Root: w.id.String()}
		switch {
		case errors.Is(err, remote.ErrNoRemote):
			st.Remote, _ = r.remoteFor(w.Dataset, o.Remote)
			st.Missing = []string{"everything: nothing was pushed there yet"}
		case err != nil:
			return err
		default:
			st.Remote = c.name
			if err := c.inspect(ctx, w, &st); err != nil {
				return err
			}
		}
		res.Remotes = append(res.Remotes, st)
	}
	return outcome(nil, res.Problems)
}

// inspect looks at what w needs.
func (c *conn) inspect(ctx context.Context, w wanted, st *RemoteStatus) error {
	rel := remote.Relied{}
	need := &published{packs: map[digest.Digest]int64{}, kinds: map[digest.Digest]remote.Kind{}}
	o, _, err := c.rem.ReadObject(ctx, remote.KindRoot, w.id)
	switch {
	case err == nil:
		st.Pushed = true
		for _, p := range o.Packs {
			need.packs[p.Name] = p.Size
		}
	case !errors.Is(err, blob.ErrNotFound):
		return onRemote(c.name, err)
	}
	if err := c.needs(ctx, w, o, need, st); err != nil {
		return err
	}
	for d, n := range need.packs {
		rel.Packs = append(rel.Packs, remote.PackRef{Name: d, Size: n})
	}
	rel.Pages = need.pages
	st.Pages, st.Packs = len(rel.Pages), len(rel.Packs)
	missing, err := c.rem.Confirm(ctx, rel, c.r.jobs())
	if err != nil {
		return onRemote(c.name, err)
	}
	for d := range missing.Pages {
		st.Missing = append(st.Missing, "page/"+d.String())
	}
	for d := range missing.Packs {
		st.Missing = append(st.Missing, remote.PackName(d))
	}
	return nil
}

// needs collects pages and packs. A version that was pushed names its packs in its root; of one that was not, each page is read for its packs, and files whose
// page is unknown are looked for under other versions.
func (c *conn) needs(ctx context.Context, w wanted, root *remote.Object, need *published, st *RemoteStatus) error {
	src := &pageSource{r: c.r, remote: func(context.Context) (*conn, error) { return c, nil }}
	for ref, err := range index.Refs(ctx, w.Manifest, src) {
		if errors.Is(err, blob.ErrNotFound) || errors.Is(err, errNoPage) {
			st.Missing = append(st.Missing, err.Error())
			return nil
		}
		if err != nil {
			return err
		}
		need.add(remote.KindPage, ref.Digest)
	}
	for l, err := range leaves(ctx, w.version, src, "") {
		if err != nil {
			return err
		}
		if err := c.leafNeeds(ctx, w, l, need, st, root == nil); err != nil {
			return err
		}
	}
	return nil
}

// chunkPages adds the pages of chunks that an object's records name.
func (c *conn) chunkPages(ctx context.Context, o *remote.Object, need *published) error {
	for _, rec := range o.Records {
		for _, cp := range rec.Pages {
			need.add(remote.KindChunks, cp.Digest)
		}
	}
	return ctx.Err()
}

func (c *conn) leafNeeds(ctx context.Context, w wanted, l leaf, need *published, st *RemoteStatus, fresh bool) error {
	o, err := c.object(ctx, l.kind, l.id, fresh)
	if err == nil {
		for _, p := range o.Packs {
			need.packs[p.Name] = p.Size
		}
		return c.chunkPages(ctx, o, need)
	}
	if !errors.Is(err, blob.ErrNotFound) {
		return err
	}
	f := &fetch{r: c.r, conn: c, res: &TransferResult{}}
	var missing []fileWant
	for i := range l.entries {
		if hasBytes(&l.entries[i]) {
			missing = append(missing, fileWant{entry: l.entries[i], w: w})
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if err := f.elsewhere(ctx, c, missing); err != nil {
		return err
	}
	for _, want := range f.wants {
		for _, p := range want.Pieces {
			need.packs[p.Pack.Name] = p.Pack.Size
		}
	}
	for _, p := range f.res.Problems {
		st.Missing = append(st.Missing, fmt.Sprint(p))
	}
	return nil
}
