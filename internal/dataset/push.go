package dataset

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"tarn/index"
	"tarn/store/blob"
	"tarn/store/digest"
	"tarn/store/remote"
	"tarn/store/transfer"
)

// PushOptions say what to bring to the remote.
type PushOptions struct {
	Selection
	Remote string // empty: that of each dataset
	DryRun bool   // only count
	Verify bool   // look at every page and pack of versions that are pinned already, and heal what is missing

	hashed *Target // its files in the workspace were hashed just now
}

// keepWithin is how long gc keeps the pins of its own origin; a pin younger than half of it needs no renewal.
const keepWithin = 30 * 24 * time.Hour

// claimTries is how often a push begins again because gc took its claim for abandoned, or moved what it relies on.
const claimTries = 5

// Push brings versions to their remotes: blobs in packs, then pages, roots, and last the pins that make them count (docs/protocol.md). A version of which bytes are
// missing here and there is not published; that is a Problem, and the error wraps ErrIncomplete.
func (r *Repo) Push(ctx context.Context, o PushOptions) (*TransferResult, error) {
	start := time.Now()
	res := &TransferResult{DryRun: o.DryRun}
	ws, problems, err := r.versions(ctx, o.Selection)
	if err != nil {
		return nil, err
	}
	res.Problems = problems
	return r.pushVersions(ctx, ws, o, res, start)
}

func (r *Repo) pushVersions(ctx context.Context, ws []wanted, o PushOptions, res *TransferResult, start time.Time) (*TransferResult, error) {
	byRemote, err := r.route(ws, o.Remote)
	if err != nil {
		return nil, err
	}
	for _, w := range ws {
		if !r.pushes(w.Dataset) {
			res.Skipped++
		}
	}
	for _, name := range sortedKeys(byRemote) {
		if err = r.pushTo(ctx, name, byRemote[name], o, res); err != nil {
			break
		}
	}
	res.Requests = r.requests()
	res.Seconds = time.Since(start).Seconds()
	return res, outcome(err, res.Problems)
}

// route groups whole versions by the remote that they go to; a part can't be pushed, for a version is complete or not there.
func (r *Repo) route(ws []wanted, asked string) (map[string][]wanted, error) {
	out := map[string][]wanted{}
	for _, w := range ws {
		if !r.pushes(w.Dataset) {
			continue
		}
		name, err := r.remoteFor(w.Dataset, asked)
		if err != nil {
			return nil, err
		}
		w.Prefix = ""
		out[name] = append(out[name], w)
	}
	for name := range out {
		out[name] = unique(out[name])
	}
	return out, nil
}

// pushes is false for a dataset whose push is switched off.
func (r *Repo) pushes(dataset string) bool {
	push, ok, err := r.cfg.GetBool("dataset", dataset, "push")
	return !ok || err != nil || push
}

func (r *Repo) pushTo(ctx context.Context, name string, ws []wanted, o PushOptions, res *TransferResult) error {
	if raw, _, _ := r.cfg.Get("remote", name, "url"); isWeb(raw) {
		return &Hinted{fmt.Errorf("%w: push to remote %s, a web server: %w", ErrUsage, name, blob.ErrReadOnly), "tarn push -r NAME, with another remote: tarn remote list"}
	}
	c, err := r.connectFor(ctx, "", name, !o.DryRun)
	if o.DryRun && errors.Is(err, remote.ErrNoRemote) {
		return r.countAll(ctx, ws, res)
	}
	if err != nil {
		return err
	}
	origin, err := r.originID(ctx)
	if err != nil {
		return err
	}
	lock, err := c.store.Lock(ctx, true)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	todo, err := c.unpinned(ctx, origin, ws, o)
	if err != nil {
		return err
	}
	res.Versions += len(ws)
	res.UpToDate += len(ws) - len(todo)
	if len(todo) > 0 {
		p := &push{r: r, c: c, o: o, res: res, origin: origin, todo: todo, heal: map[digest.Digest]bool{}, built: map[digest.Digest]bool{}}
		if err := p.run(ctx); err != nil {
			return err
		}
	}
	if !o.DryRun {
		c.pushProfiles(ctx, ws)
	}
	return nil
}

// unpinned are the versions that have no fresh pin of this origin; with few versions one request each, with many one LIST.
func (c *conn) unpinned(ctx context.Context, origin string, ws []wanted, o PushOptions) ([]wanted, error) {
	if o.Verify {
		return ws, nil
	}
	if len(ws) > 8 {
		pinned, err := c.rem.PinnedAll(ctx, origin, keepWithin/2)
		return slices.DeleteFunc(slices.Clone(ws), func(w wanted) bool { return pinned[w.id] }), onRemote(c.name, err)
	}
	var todo []wanted
	for _, w := range ws {
		ok, err := c.rem.Pinned(ctx, origin, w.id, keepWithin/2)
		if err != nil {
			return nil, onRemote(c.name, err)
		}
		if !ok {
			todo = append(todo, w)
		}
	}
	return todo, nil
}

// push is one run against one remote.
type push struct {
	r      *Repo
	c      *conn
	o      PushOptions
	res    *TransferResult
	origin string
	todo   []wanted

	work  *workSource            // of the blobs, while they go up
	heal  map[digest.Digest]bool // roots and pages that are broken on the remote, or refer to packs that are gone
	built map[digest.Digest]bool // made by this run, without having seen them on the remote
	wrote map[digest.Digest]bool // pages that this round has published: another version may need them, too
	mu    sync.Mutex             // of heal, built and wrote, while pages are published

	texts index.Source                              // of pages; nil: the cache
	pins  func(context.Context, []*published) error // that versions get; nil: one of this origin each
}

// published is a version whose blobs are on the remote, with all that it needs there.
type published struct {
	wanted
	packs  map[digest.Digest]int64
	pages  []digest.Digest // of level 0 and of chunks, children before parents
	kinds  map[digest.Digest]remote.Kind
	uppers []digest.Digest // pages of higher levels, children before parents
	failed bool
}

// run uploads and publishes; where gc was in the way it begins again with what it then knows to be missing.
func (p *push) run(ctx context.Context) error {
	for range claimTries {
		versions, err := p.upload(ctx)
		if err != nil || p.o.DryRun {
			return err
		}
		versions = slices.DeleteFunc(versions, func(v *published) bool { return v.failed })
		if len(versions) == 0 {
			return nil
		}
		again, err := p.publish(ctx, versions)
		if err != nil || !again {
			return err
		}
		p.res.Problems = p.res.Problems[:0]
	}
	return fmt.Errorf("push to %s: gone while it was pushed, %d times; is a gc running?", p.c.rem, claimTries)
}

// upload brings the blobs that the remote lacks, and writes down where all of them are.
func (p *push) upload(ctx context.Context) ([]*published, error) {
	if p.o.DryRun {
		return nil, p.r.countNew(ctx, p.c, p.todo, p.res)
	}
	p.r.report.Phase("push", -1, -1)
	enc, err := p.r.encoder()
	if err != nil {
		return nil, err
	}
	p.work = &workSource{cache: p.c.store, files: map[digest.Digest][]workFile{}}
	up := transfer.NewUpload(ctx, p.work, p.c.rem, p.c.ledger, enc, p.r.jobs(), p.r.report.Add)
	var out []*published
	for _, w := range p.todo {
		b := &builder{p: p, up: up, v: &published{wanted: w, packs: map[digest.Digest]int64{}, kinds: map[digest.Digest]remote.Kind{}}}
		if err = b.version(ctx); err != nil {
			break
		}
		out = append(out, b.v)
	}
	if err == nil {
		err = up.Flush()
	}
	stats := up.Close()
	p.res.Files += stats.Files
	p.res.Bytes += stats.Bytes
	p.res.Reused += stats.Reused
	p.res.Raw += stats.Raw
	p.res.Sent += stats.Sent
	if err != nil {
		return nil, onRemote(p.c.name, err)
	}
	return out, p.c.ledger.Flush()
}

// publish makes versions visible: claim, confirm, pages, roots, pins. again says that something relied on is gone.
func (p *push) publish(ctx context.Context, versions []*published) (again bool, err error) {
	rel := relied(versions)
	p.wrote = map[digest.Digest]bool{}
	claim, err := p.c.rem.Claim(ctx, rel, time.Now())
	if err != nil {
		return false, onRemote(p.c.name, err)
	}
	// The claim is released even when the push was interrupted: without it gc would wait for it to expire.
	defer func() {
		if rerr := claim.Release(context.WithoutCancel(ctx)); err == nil {
			err = rerr
		}
	}()
	missing, again, err := p.confirm(ctx, rel, versions)
	if again || err != nil {
		return again, onRemote(p.c.name, err)
	}
	for _, v := range versions {
		if again, err = p.pages(ctx, v, missing); again || err != nil {
			return again, onRemote(p.c.name, err)
		}
	}
	pin := p.pin
	if p.pins != nil {
		pin = p.pins
	}
	if err := pin(ctx, versions); err != nil {
		return false, onRemote(p.c.name, err)
	}
	stands, err := claim.Stands(ctx)
	return !stands, onRemote(p.c.name, err)
}

// relied is all that versions need on the remote.
func relied(versions []*published) remote.Relied {
	var rel remote.Relied
	packs, pages := map[digest.Digest]int64{}, map[digest.Digest]bool{}
	for _, v := range versions {
		rel.Roots = append(rel.Roots, v.id)
		for _, d := range slices.Concat(v.pages, v.uppers) {
			pages[d] = true
		}
		for d, n := range v.packs {
			packs[d] = n
		}
	}
	for d := range pages {
		rel.Pages = append(rel.Pages, d)
	}
	for d, n := range packs {
		rel.Packs = append(rel.Packs, remote.PackRef{Name: d, Size: n})
	}
	return rel
}

// confirm looks, after the claim, whether all packs are there and none is condemned; those that fail are forgotten, so that the next round uploads
// their blobs anew under another name.
func (p *push) confirm(ctx context.Context, rel remote.Relied, versions []*published) (missing *remote.Missing, again bool, err error) {
	gone, err := p.waitForSweep(ctx, rel)
	if err != nil {
		return nil, false, err
	}
	if err := p.purged(ctx, gone, versions); err != nil {
		return nil, false, err
	}
	if missing, err = p.c.rem.Confirm(ctx, rel, p.r.jobs()); err != nil {
		return nil, false, err
	}
	for _, pk := range rel.Packs {
		if gone.Pack(pk.Name) {
			missing.Packs[pk.Name] = true
		}
	}
	if len(missing.Packs) == 0 {
		return missing, false, nil
	}
	objects := map[digest.Digest]bool{}
	for _, v := range versions {
		kinds := map[digest.Digest]remote.Kind{v.id: remote.KindRoot}
		maps.Copy(kinds, v.kinds)
		for d, k := range kinds {
			if o, ok := p.c.ledger.Object(k, d); ok && refersTo(o, missing.Packs) {
				objects[d], p.heal[d] = true, true
			}
		}
	}
	return missing, true, p.c.ledger.Forget(missing.Packs, objects)
}

func refersTo(o *remote.Object, packs map[digest.Digest]bool) bool {
	return slices.ContainsFunc(o.Packs, func(p remote.PackRef) bool { return packs[p.Name] })
}

// waitForSweep reads what is condemned, and waits while pages or roots of ours are being deleted: their names are those of their content.
func (p *push) waitForSweep(ctx context.Context, rel remote.Relied) (*remote.Condemned, error) {
	for {
		gone, err := p.c.rem.Condemned(ctx)
		if err != nil {
			return nil, err
		}
		busy := slices.ContainsFunc(rel.Roots, func(d digest.Digest) bool { return gone.Sweeping(remote.KindRoot, d) }) ||
			slices.ContainsFunc(rel.Pages, func(d digest.Digest) bool { return gone.Sweeping(remote.KindPage, d) })
		if !busy {
			return gone, nil
		}
		p.r.report.Phase("wait for a gc to end", -1, -1)
		select {
		case <-time.After(5 * time.Second):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// purged refuses to bring back what was deleted on purpose.
func (p *push) purged(ctx context.Context, gone *remote.Condemned, versions []*published) error {
	if !gone.HasPurged() {
		return nil
	}
	var texts index.Source = p.r.local()
	if p.texts != nil {
		texts = p.texts
	}
	for _, v := range versions {
		for e, err := range index.Walk(ctx, v.Manifest, texts, "") {
			if err != nil {
				return err
			}
			if hasBytes(&e) && gone.Purged(e.Digest) {
				return fmt.Errorf("%w: %s/%s was purged from the remote and may not be pushed again", ErrRefused, v.Dataset, e.Path)
			}
		}
	}
	return nil
}

// pin gives each version its pin, then puts the roots into the list of recent ones.
func (p *push) pin(ctx context.Context, versions []*published) error {
	id, _, _ := p.r.cfg.Get("core", "", "id")
	var roots []digest.Digest
	for _, v := range versions {
		pin := remote.Pin{Dataset: index.Quote(v.Dataset), Commit: v.commit, Repository: id, Time: time.Now().UTC().Truncate(time.Second)}
		if err := p.c.rem.PutPin(ctx, p.origin, v.id, pin); err != nil {
			return err
		}
		roots = append(roots, v.id)
	}
	if id == "" {
		return nil
	}
	return p.c.rem.AddRecent(ctx, id, roots)
}

// missingHere is why a version can't be pushed.
func (p *push) missingHere(v *published, entry string, err error) {
	v.failed = true
	side, elsewhere := "cache", ""
	if !p.r.keeps(v.Dataset, KeepAsSet) {
		side, elsewhere = "workspace", " nor in the workspace"
	}
	if isMissing(err) && !isCorrupt(err) {
		err = fmt.Errorf("%w: it is neither in the cache%s nor on remote %s", ErrIncomplete, elsewhere, p.c.name)
	}
	p.res.Problems = append(p.res.Problems, problemAt(v.Dataset, entry, side, err))
}
