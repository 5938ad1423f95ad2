package dataset

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"

	"tarn/index"
	"tarn/store/blob"
	"tarn/store/digest"
	"tarn/store/remote"
	"tarn/store/transfer"
)

// leaf is a run of entries of a version, with the name of the object that says where their bytes are on a remote.
type leaf struct {
	kind    remote.Kind // KindRoot for entries that stand in the root itself
	id      digest.Digest
	entries []index.Entry
	subject []byte
}

// leaves yields the runs of v that can hold entries at or below prefix. After a page that can't be read the caller may go on to the next one.
func leaves(ctx context.Context, v *version, src index.Source, prefix string) iter.Seq2[leaf, error] {
	return func(yield func(leaf, error) bool) {
		if len(v.Pages) == 0 {
			yield(leaf{remote.KindRoot, v.id, v.Entries, v.raw}, nil)
			return
		}
		for ref, err := range index.RefsIn(ctx, v.Manifest, src, prefix) {
			if err != nil {
				yield(leaf{}, err)
				return
			}
			if ref.Level != 0 {
				continue
			}
			l, err := readLeaf(ctx, src, ref.Digest)
			if !yield(l, err) {
				return
			}
		}
	}
}

func readLeaf(ctx context.Context, src index.Source, d digest.Digest) (leaf, error) {
	b, err := src.Page(ctx, d)
	if err != nil {
		return leaf{}, err
	}
	p, err := index.ParsePage(b)
	if err != nil {
		return leaf{}, fmt.Errorf("page %s: %w", d.Short(), err)
	}
	return leaf{remote.KindPage, d, p.Entries, b}, nil
}

// hasBytes says that an entry needs bytes from somewhere.
func hasBytes(e *index.Entry) bool {
	return (e.Kind == index.File || e.Kind == index.Exec) && e.Size > 0
}

// under says whether path is prefix or below it.
func under(path, prefix string) bool {
	if prefix == "" || path == prefix {
		return true
	}
	return len(path) > len(prefix) && path[len(prefix)] == '/' && path[:len(prefix)] == prefix
}

// files are the entries that an object has records of.
func files(entries []index.Entry) []remote.File {
	fs := make([]remote.File, 0, len(entries))
	for i := range entries {
		if hasBytes(&entries[i]) {
			fs = append(fs, remote.File{Digest: entries[i].Digest, Size: entries[i].Size})
		}
	}
	return fs
}

// learn remembers a root or page of the remote and what it says about its files.
func (c *conn) learn(o *remote.Object) error {
	entries, err := subjectEntries(o)
	if err != nil {
		return onRemote(c.name, fmt.Errorf("%s: %w: %w", remote.Name(o.Kind, o.Digest()), remote.ErrObject, err))
	}
	fs := files(entries)
	if len(fs) != len(o.Records) {
		return onRemote(c.name, fmt.Errorf("%s: %w: %d records for %d files", remote.Name(o.Kind, o.Digest()), remote.ErrObject, len(o.Records), len(fs)))
	}
	return c.ledger.Learn(o, fs)
}

func subjectEntries(o *remote.Object) ([]index.Entry, error) {
	if o.Kind == remote.KindRoot {
		m, err := index.Parse(o.Subject)
		if err != nil {
			return nil, err
		}
		return m.Entries, nil
	}
	p, err := index.ParsePage(o.Subject)
	if err != nil {
		return nil, err
	}
	return p.Entries, nil
}

// object is a root or page as last seen, or as it is on the remote now. Error: blob.ErrNotFound.
func (c *conn) object(ctx context.Context, kind remote.Kind, d digest.Digest, fresh bool) (*remote.Object, error) {
	if !fresh {
		if o, ok := c.ledger.Object(kind, d); ok {
			return o, nil
		}
	}
	o, _, err := c.rem.ReadObject(ctx, kind, d)
	if err != nil {
		return nil, onRemote(c.name, err)
	}
	if kind == remote.KindChunks {
		return o, c.ledger.LearnChunks(o)
	}
	return o, c.learn(o)
}

// pieces are the blobs in packs that hold a file, all of them.
func (c *conn) pieces(ctx context.Context, s spot, e *index.Entry, fresh bool) ([]transfer.WantPiece, error) {
	w := transfer.Want{Digest: e.Digest, Size: e.Size}
	for p, err := range c.parts(ctx, s, e, 0, math.MaxInt64, fresh) {
		if err != nil {
			return nil, err
		}
		w.Pieces = append(w.Pieces, p.pieces...)
	}
	if !w.Check() {
		return nil, onRemote(c.name, fmt.Errorf("locations of %s: %w", e.Digest.Short(), remote.ErrObject))
	}
	return w.Pieces, nil
}

func appendChunks(ps []transfer.WantPiece, o *remote.Object, cs []remote.Chunk) []transfer.WantPiece {
	for _, c := range cs {
		ps = append(ps, transfer.WantPiece{Digest: c.Digest, Place: place(o, c.Loc, c.Raw)})
	}
	return ps
}

func place(o *remote.Object, l remote.Loc, raw uint32) remote.Place {
	return remote.Place{Pack: o.Packs[l.Pack], Offset: l.Offset, Stored: l.Stored, Raw: raw, Scheme: l.Scheme}
}

// remembered is where the ledger saw the bytes of e, under whatever version.
func (c *conn) remembered(ctx context.Context, e *index.Entry) ([]transfer.WantPiece, bool) {
	s, ok := c.rememberedSpot(e)
	if !ok {
		return nil, false
	}
	ps, err := c.pieces(ctx, s, e, false)
	return ps, err == nil && (s.whole != nil || !c.anyGone(ps))
}

func (c *conn) anyGone(ps []transfer.WantPiece) bool {
	for _, p := range ps {
		if c.ledger.Gone(p.Pack.Name) {
			return true
		}
	}
	return false
}

// elsewhere looks for what nobody pushed as this version, until look has it all or there is nothing more to look at.
func (c *conn) elsewhere(ctx context.Context, w wanted, look func() bool) error {
	flushed := func() bool { c.ledger.Flush(); return look() }
	if flushed() {
		return nil
	}
	err := c.search(ctx, w.Dataset, w.Prefix, flushed)
	if err == nil {
		flushed()
	}
	return err
}

func (c *conn) nowhere() error {
	return fmt.Errorf("%w on remote %s: nobody has pushed it", ErrIncomplete, c.name)
}

// search learns from versions that may hold what nobody pushed as this version: those of the parents in Git, the recent ones of this repository, and the
// newest pins of this origin. It stops once enough returns true.
func (c *conn) search(ctx context.Context, dataset, prefix string, enough func() bool) error {
	for _, candidates := range []func(context.Context, string) ([]digest.Digest, error){c.parents, c.recent, c.pinned} {
		roots, err := candidates(ctx, dataset)
		if errors.Is(err, blob.ErrUnsupported) {
			continue // a web server lists no pins
		}
		if err != nil {
			return err
		}
		for _, d := range roots {
			if enough() {
				return nil
			}
			if c.searched[d] {
				continue
			}
			c.searched[d] = true
			if err := c.learnRoot(ctx, d, prefix); err != nil && !errors.Is(err, blob.ErrNotFound) {
				return err
			}
		}
	}
	return nil
}

// learnRoot reads a root and those of its pages that can hold entries below prefix.
func (c *conn) learnRoot(ctx context.Context, d digest.Digest, prefix string) error {
	o, err := c.object(ctx, remote.KindRoot, d, false)
	if err != nil {
		return err
	}
	v, err := parseVersion(o.Subject)
	if err != nil || len(v.Pages) == 0 {
		return err
	}
	src := &pageSource{r: c.r, remote: func(context.Context) (*conn, error) { return c, nil }}
	for l, err := range leaves(ctx, v, src, prefix) {
		if err != nil {
			return err
		}
		if _, err := c.object(ctx, l.kind, l.id, false); err != nil {
			return err
		}
	}
	return nil
}

// parents is the versions of the dataset in the parents of HEAD, as far as this clone has them.
func (c *conn) parents(ctx context.Context, dataset string) ([]digest.Digest, error) {
	head, ok, err := c.r.git.Head(ctx)
	if err != nil || !ok {
		return nil, err
	}
	commits, err := c.r.git.Parents(ctx, head)
	if err != nil {
		return nil, err
	}
	var roots []digest.Digest
	for _, commit := range commits {
		// A shallow clone names parents that it does not have.
		if v, err := c.r.headManifest(ctx, commit, dataset); err == nil && v != nil {
			roots = append(roots, v.id)
		}
	}
	return roots, nil
}

func (c *conn) recent(ctx context.Context, _ string) ([]digest.Digest, error) {
	id, _, ok := c.r.cfg.Get("core", "", "id")
	if !ok {
		return nil, nil
	}
	return c.rem.Recent(ctx, id)
}

func (c *conn) pinned(ctx context.Context, _ string) ([]digest.Digest, error) {
	origin, err := c.r.originID(ctx)
	if err != nil {
		return nil, err
	}
	roots, err := c.rem.Roots(ctx, origin)
	return roots[:min(len(roots), 64)], err
}
