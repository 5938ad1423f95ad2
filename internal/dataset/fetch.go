package dataset

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sync"
	"time"

	"tarn/index"
	"tarn/store/blob"
	"tarn/store/cache"
	"tarn/store/digest"
	"tarn/store/pack"
	"tarn/store/remote"
	"tarn/store/transfer"
)

// FetchOptions say what to bring into the cache.
type FetchOptions struct {
	Selection
	Remote string  // empty: that of each dataset
	DryRun bool    // only count
	Keep   Keeping // where the bytes go; pull remembers it
}

// TransferResult is what push and fetch did.
type TransferResult struct {
	Versions int
	UpToDate int   // versions for which there was nothing to do
	Skipped  int   // versions of datasets that are not pushed
	Files    int64 // moved, or with a dry run to be moved
	Bytes    int64 // of those files
	Reused   int64 // bytes of them that were there already, under other names
	Raw      int64 // bytes of the blobs that were moved, before compression
	Sent     int64 // bytes that went over the wire
	Requests int64
	Seconds  float64
	DryRun   bool
	Problems []Problem

	notKept []string // datasets of which only pages were fetched
}

// maxWants is how many files are planned at once; about 400 bytes each.
const maxWants = 1 << 17

func (f *fetch) most() int {
	if f.r.o.batch > 0 {
		return f.r.o.batch
	}
	return maxWants
}

// Fetch brings the bytes of versions from their remotes into the cache. What can't be had is a Problem, and then the error wraps ErrIncomplete.
func (r *Repo) Fetch(ctx context.Context, o FetchOptions) (*TransferResult, error) {
	res, err := r.fetch(ctx, o)
	if res == nil {
		return nil, err
	}
	for _, d := range res.notKept {
		r.report.Warn(d, "the cache does not keep its files; tarn pull brings them")
	}
	return res, err
}

// fetch is Fetch, or the first half of a pull.
func (r *Repo) fetch(ctx context.Context, o FetchOptions) (*TransferResult, error) {
	start := time.Now()
	res := &TransferResult{DryRun: o.DryRun}
	ws, problems, err := r.versions(ctx, o.Selection)
	if err != nil {
		return nil, err
	}
	res.Problems = problems
	f, err := r.newFetch(ctx, o, res)
	if err != nil {
		return nil, err
	}
	f.told.expect(slices.DeleteFunc(slices.Clone(ws), func(w wanted) bool { return !r.keeps(w.Dataset, o.Keep) }))
	for _, w := range ws {
		if err = f.version(ctx, w); err != nil {
			break
		}
	}
	if err == nil && len(ws) > 0 && !f.met && len(res.Problems) == 0 {
		f.problem(ws[0], ws[0].Prefix, errNoPath)
	}
	err = errors.Join(err, f.close(ctx))
	res.Requests = r.requests()
	res.Seconds = time.Since(start).Seconds()
	return res, outcome(err, res.Problems)
}

// errNoPath says that a part of a dataset was asked for that it does not have.
var errNoPath = fmt.Errorf("%w: the dataset has no such path", ErrIncomplete)

// outcome turns problems into the error that goes with them: corrupt bytes before missing ones.
func outcome(err error, problems []Problem) error {
	if err != nil || len(problems) == 0 {
		return err
	}
	kind := ErrIncomplete
	for _, p := range problems {
		if isCorrupt(p.Err) {
			kind = ErrCorrupt
		}
	}
	return fmt.Errorf("%w: %s", kind, plural(len(problems), "problem"))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// isCorrupt says that bytes were read that are not what they should be.
func isCorrupt(err error) bool {
	var c *cache.CorruptError
	return errors.Is(err, digest.ErrMismatch) || errors.Is(err, remote.ErrObject) || errors.Is(err, pack.ErrBlob) || errors.As(err, &c)
}

// fetch is one run of Fetch.
type fetch struct {
	r     *Repo
	o     FetchOptions
	res   *TransferResult
	store *cache.Cache
	w     *cache.Writer
	sink  transfer.Sink // where files go: w, or another place
	quiet bool          // the sink reports what it gets
	lock  interface{ Unlock() error }

	conn  *conn // of the wants
	wants []fileWant
	met   bool                   // some version has the path that was asked for
	asked map[digest.Digest]bool // among the wants; what was downloaded before, the cache has
	told  fetchTotals

	mu sync.Mutex
}

// fileWant is a file to fetch and how to look for it again if its pack is gone.
type fileWant struct {
	transfer.Want
	entry index.Entry
	w     wanted
	leaf  struct {
		kind remote.Kind
		id   digest.Digest
	}
	record int // in the leaf's object
}

func newWant(w wanted, l leaf, e *index.Entry, record int) fileWant {
	fw := fileWant{entry: *e, w: w, record: record}
	fw.leaf.kind, fw.leaf.id = l.kind, l.id
	return fw
}

func (r *Repo) newFetch(ctx context.Context, o FetchOptions, res *TransferResult) (*fetch, error) {
	store, err := r.openCache()
	if err != nil {
		return nil, err
	}
	f := &fetch{r: r, o: o, res: res, store: store, asked: map[digest.Digest]bool{}}
	if o.DryRun {
		return f, nil
	}
	if f.lock, err = store.Lock(ctx, true); err != nil {
		return nil, err
	}
	f.w = store.NewWriter()
	f.sink = f.w
	return f, nil
}

func (f *fetch) close(ctx context.Context) error {
	err := f.download(ctx)
	if f.w != nil {
		err = errors.Join(err, f.w.Close())
	}
	if f.lock != nil {
		err = errors.Join(err, f.lock.Unlock())
	}
	return err
}

// version plans what is missing of one version. Only a failure that ends the whole run is returned.
func (f *fetch) version(ctx context.Context, w wanted) error {
	f.res.Versions++
	before := len(f.wants) + len(f.res.Problems)
	f.met = f.met || w.Prefix == ""
	if !f.r.keeps(w.Dataset, f.o.Keep) && !slices.Contains(f.res.notKept, w.Dataset) {
		f.res.notKept = append(f.res.notKept, w.Dataset)
	}
	f.told.start(w)
	err := f.leaves(ctx, w)
	f.told.end(w)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, ErrUsage) {
			return err // no remote is set up
		}
		f.problem(w, "", err)
	}
	if len(f.wants)+len(f.res.Problems) == before {
		f.res.UpToDate++
	}
	return f.keepRoot(w)
}

// keepRoot puts the manifest itself into the cache, where a later version finds it as its base.
func (f *fetch) keepRoot(w wanted) error {
	if f.w == nil {
		return nil
	}
	if _, _, err := f.w.AddBytes(w.raw); err != nil && !errors.Is(err, cache.ErrReadOnly) {
		return err
	}
	return nil
}

func (f *fetch) leaves(ctx context.Context, w wanted) error {
	src := &pageSource{r: f.r, remote: func(ctx context.Context) (*conn, error) {
		return f.r.connectFor(ctx, w.Dataset, f.o.Remote, false)
	}}
	var pages index.Source = src
	if w.Prefix == "" {
		pages = f.r.pagesAhead(src, w.version)
	}
	for l, err := range leaves(ctx, w.version, pages, w.Prefix) {
		if err == nil {
			err = f.leaf(ctx, w, l)
			f.told.passed(l)
		}
		switch {
		case err == nil:
		case ctx.Err() == nil && (isCorrupt(err) || errors.Is(err, blob.ErrNotFound)):
			f.problem(w, "", err) // the other pages are fetched all the same
		default:
			return err
		}
	}
	return nil
}

// leaf plans the missing files of one leaf.
func (f *fetch) leaf(ctx context.Context, w wanted, l leaf) error {
	var missing []fileWant
	record := -1
	kept := f.r.keeps(w.Dataset, f.o.Keep)
	for i := range l.entries {
		e := &l.entries[i]
		f.met = f.met || under(e.Path, w.Prefix)
		if !hasBytes(e) {
			continue
		}
		record++
		if !kept || !under(e.Path, w.Prefix) && e.Path != "." || f.asked[e.Digest] || f.store.Has(e.Digest) {
			continue
		}
		missing = append(missing, newWant(w, l, e, record))
		f.asked[e.Digest] = true
	}
	if len(missing) == 0 {
		return nil
	}
	c, err := f.r.connectFor(ctx, w.Dataset, f.o.Remote, false)
	if err != nil {
		return err
	}
	if f.conn != c || len(f.wants) > f.most() {
		if err := f.download(ctx); err != nil {
			return err
		}
		f.conn = c
		for i := range missing { // which the download has forgotten
			f.asked[missing[i].entry.Digest] = true
		}
	}
	return f.locate(ctx, c, missing, false)
}

// locate finds the blobs of files of one leaf and adds them to the wants.
func (f *fetch) locate(ctx context.Context, c *conn, missing []fileWant, fresh bool) error {
	first := &missing[0]
	o, err := c.object(ctx, first.leaf.kind, first.leaf.id, fresh)
	if errors.Is(err, blob.ErrNotFound) {
		return f.elsewhere(ctx, c, missing)
	}
	if err != nil {
		return err
	}
	for i := range missing {
		m := &missing[i]
		if m.record >= len(o.Records) {
			return onRemote(c.name, fmt.Errorf("%s: %w", remote.Name(o.Kind, m.leaf.id), remote.ErrObject))
		}
		ps, err := c.pieces(ctx, spot{o: o, rec: o.Records[m.record]}, &m.entry, fresh)
		if isCorrupt(err) && !fresh { // as it was seen once; it may have been put right since
			if err := c.ledger.Forget(nil, map[digest.Digest]bool{m.leaf.id: true}); err != nil {
				return err
			}
			return f.locate(ctx, c, missing[i:], true)
		}
		f.want(m, ps, err)
	}
	return ctx.Err()
}

// elsewhere looks for files of a version that nobody pushed as such.
func (f *fetch) elsewhere(ctx context.Context, c *conn, missing []fileWant) error {
	left := len(missing)
	found := make([][]transfer.WantPiece, len(missing))
	err := c.elsewhere(ctx, missing[0].w, func() bool {
		for i := range missing {
			if ps, ok := c.remembered(ctx, &missing[i].entry); found[i] == nil && ok {
				found[i], left = ps, left-1
			}
		}
		return left == 0
	})
	if err != nil {
		return err
	}
	for i := range missing {
		var err error
		if found[i] == nil {
			err = c.nowhere()
		}
		f.want(&missing[i], found[i], err)
	}
	return ctx.Err()
}

func (f *fetch) want(m *fileWant, ps []transfer.WantPiece, err error) {
	if err != nil {
		f.problem(m.w, m.entry.Path, err)
		return
	}
	m.Want = transfer.Want{Digest: m.entry.Digest, Size: m.entry.Size, Pieces: ps}
	f.wants = append(f.wants, *m)
}

func (f *fetch) problem(w wanted, entry string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	side := ""
	if name, err := f.r.remoteFor(w.Dataset, f.o.Remote); err == nil {
		side = "remote " + name
	}
	f.res.Problems = append(f.res.Problems, problemAt(w.Dataset, entry, side, err))
}

// download gets what is planned. Files whose packs are gone, or that are not where this clone saw them, are looked for once more: gc or
// repack on another machine moves them.
func (f *fetch) download(ctx context.Context) error {
	wants := f.wants
	f.wants = nil
	if len(wants) == 0 {
		return nil
	}
	if !f.o.DryRun {
		defer clear(f.asked)
	}
	if f.o.DryRun {
		for _, w := range wants {
			f.res.Files++
			f.res.Bytes += w.Size
		}
		return nil
	}
	gone, err := f.run(ctx, wants, true)
	if err != nil || len(gone) == 0 {
		return err
	}
	if err := f.relocate(ctx, gone); err != nil {
		return err
	}
	wants, f.wants = f.wants, nil
	_, err = f.run(ctx, wants, false)
	return err
}

// run downloads wants; those whose pack is gone, or has other bytes there, are returned if again is set, else they are problems.
func (f *fetch) run(ctx context.Context, wants []fileWant, again bool) (gone []fileWant, err error) {
	plain, total := make([]transfer.Want, len(wants)), int64(0)
	for i := range wants {
		plain[i], total = wants[i].Want, total+wants[i].Size
	}
	if f.w != nil {
		if err := f.store.Writable(); err != nil { // before anything is downloaded for nothing
			return nil, &Hinted{err, "tarn pull --no-cache"}
		}
	}
	sink := f.sink
	if !f.quiet {
		if again {
			f.told.plan(f.r.report, amount{int64(len(wants)), total})
		}
		sink = f.arrivals()
	}
	stats, err := transfer.Download(ctx, f.conn.rem, sink, plain, f.r.jobs(), func(i int, err error) {
		switch {
		case err == nil && f.quiet:
		case err == nil:
			f.r.report.Add(1, 0) // its bytes were told of
		case ctx.Err() != nil:
		case again && (errors.Is(err, blob.ErrNotFound) || isCorrupt(err)):
			f.mu.Lock()
			gone = append(gone, wants[i])
			f.mu.Unlock()
		default:
			f.problem(wants[i].w, wants[i].entry.Path, onRemote(f.conn.name, err))
		}
	})
	f.res.Files += stats.Files
	f.res.Bytes += stats.Bytes
	f.res.Raw += stats.Raw
	f.res.Sent += stats.Sent
	if err != nil || f.w == nil {
		return gone, err
	}
	return gone, f.w.Flush()
}

// relocate asks the remote anew where files are, leaf by leaf.
func (f *fetch) relocate(ctx context.Context, gone []fileWant) error {
	packs, objects := map[digest.Digest]bool{}, map[digest.Digest]bool{}
	byLeaf := map[digest.Digest][]fileWant{}
	for _, g := range gone {
		byLeaf[g.leaf.id] = append(byLeaf[g.leaf.id], g)
		objects[g.leaf.id] = true
		for _, p := range g.Pieces {
			packs[p.Pack.Name] = true
		}
	}
	// Packs of theirs that are still there are learned again from the fresh pages.
	if err := f.conn.ledger.Forget(packs, objects); err != nil {
		return err
	}
	for _, missing := range byLeaf {
		err := f.locate(ctx, f.conn, missing, true)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for i := range missing {
			if err != nil {
				f.problem(missing[i].w, missing[i].entry.Path, err)
			}
		}
	}
	return nil
}

// String is the path of the problem, as the user would type it.
func (p Problem) String() string { return path.Join(p.Dataset, p.Path) }
