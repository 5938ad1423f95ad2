package dataset

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"tarn/index"
	"tarn/internal/durable"
	"tarn/store/blob"
	"tarn/store/cache"
	"tarn/store/digest"
	"tarn/store/remote"
)

// pulling is a pull whose checkout brings what the cache does not keep from the remote; what that moves is counted in res.
type pulling struct {
	FetchOptions
	res *TransferResult
}

// direct brings files that the cache does not keep from the remote straight into the workspace: in batches, in front of what the checkout does with them
// (docs/adr/0005-no-cache.md). What the cache has all the same comes from there.
type direct struct {
	*pulling
	c        *checkout
	from     *version // that has the files; nil: that of the manifest
	upToDate bool     // so far, and so it was counted
	down     bool     // the remote can't be used, and that was said: nothing more is tried

	f       *fetch                    // of the batch
	waiting map[digest.Digest][]*item // of the batch
	have    map[digest.Digest]string  // paths of large files that were written
}

// Bounds of a batch, and of what is remembered of others.
const (
	stageItems  = 1 << 14   // about 16 MiB
	stageWeight = 512 << 20 // bytes to read and to write, so that what an interruption makes to be read again is not much
	haveMin     = 1 << 20   // bytes
	haveMost    = 1 << 14
)

// errNamed stands for a problem that was named already.
var errNamed = errors.New("named already")

// pastCache lets a pull bring what the cache does not keep from the remote; nil: it is no pull.
func (c *checkout) pastCache(pull *pulling) {
	if pull == nil || c.r.keeps(c.t.Dataset, pull.Keep) {
		return
	}
	failed := slices.ContainsFunc(pull.res.Problems, func(p Problem) bool { return p.Dataset == c.t.Dataset })
	c.direct = &direct{pulling: pull, c: c, upToDate: !failed, have: map[digest.Digest]string{}}
}

// look surveys the dataset.
func (c *checkout) look() (err error) {
	if c.s, err = c.r.newSurvey(c.t); err != nil {
		return err
	}
	keep, asked := KeepAsSet, ""
	if c.direct != nil {
		keep, asked = c.direct.Keep, c.direct.Remote
	}
	c.remote = c.s.confirming(keep, asked)
	return nil
}

// count is a dry run.
func (c *checkout) count(ctx context.Context) error {
	rows, err := c.s.rows(ctx, c.pages())
	if err != nil {
		return err
	}
	for _, err := range c.doings(ctx, rows) {
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// stage passes doings on, with the files written that come from the remote.
func (d *direct) stage(ctx context.Context, ds iter.Seq2[doing, error]) iter.Seq2[doing, error] {
	return func(yield func(doing, error) bool) {
		var batch []doing
		most, weight := stageItems, int64(0)
		if d.c.r.o.batch > 0 {
			most = d.c.r.o.batch
		}
		flush := func() bool {
			if err := d.batch(ctx, batch); err != nil {
				yield(doing{}, err)
				return false
			}
			for i := range batch {
				if !yield(batch[i], nil) {
					return false
				}
			}
			batch, weight = batch[:0], 0
			return true
		}
		for x, err := range ds {
			if err != nil {
				if flush() {
					yield(x, err)
				}
				return
			}
			batch, weight = append(batch, x), weight+d.c.weight(&x)
			if (len(batch) >= most || weight >= stageWeight) && !flush() {
				return
			}
		}
		flush()
	}
}

// batch decides about doings, in parallel, and fetches what they need.
func (d *direct) batch(ctx context.Context, batch []doing) error {
	all := func(yield func(*doing, error) bool) {
		for i := range batch {
			if !yield(&batch[i], nil) {
				return
			}
		}
	}
	var items []*item
	err := inOrder(ctx, workers(), all, func(x **doing) int64 { return d.c.weight(*x) }, func(ctx context.Context, x **doing) { d.c.judge(ctx, *x) }, func(x **doing) error {
		if y := *x; y.act == write && y.err == nil && (!y.late || d.DryRun) {
			items = append(items, &y.item)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return d.fetch(ctx, items)
}

// fetchAll is fetch for any number of items.
func (d *direct) fetchAll(ctx context.Context, items []*item) error {
	for some := range slices.Chunk(items, stageItems) {
		if err := d.fetch(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

// fetch writes those of items, ascending by path, that the cache lacks. What can't be had has an error then, and was named. Only what ends the run is
// returned.
func (d *direct) fetch(ctx context.Context, items []*item) error {
	missing := d.lacking(items)
	if len(missing) == 0 {
		return ctx.Err()
	}
	if d.upToDate {
		d.upToDate = false
		d.res.UpToDate--
	}
	start := time.Now()
	d.f = &fetch{r: d.c.r, o: d.FetchOptions, res: &TransferResult{}, sink: d, quiet: true}
	if !d.down {
		err := d.download(ctx, missing)
		if ctx.Err() != nil || errors.Is(err, ErrUsage) {
			return errors.Join(ctx.Err(), err)
		}
		if d.down = err != nil; d.down {
			d.f.problem(d.wanted(), "", err)
		}
	}
	part := d.f.res
	d.res.Files += part.Files
	d.res.Bytes += part.Bytes
	d.res.Raw += part.Raw
	d.res.Sent += part.Sent
	d.res.Seconds += time.Since(start).Seconds()
	d.name(missing, part.Problems)
	return nil
}

// lacking are the items with bytes that the cache does not have; one for each digest, for all of which it waits.
func (d *direct) lacking(items []*item) (missing []*item) {
	d.waiting = map[digest.Digest][]*item{}
	for _, it := range items {
		if !hasBytes(it.m) || d.c.store.Has(it.m.Digest) || d.copied(it) {
			continue
		}
		if d.waiting[it.m.Digest] == nil {
			missing = append(missing, it)
		}
		d.waiting[it.m.Digest] = append(d.waiting[it.m.Digest], it)
	}
	return missing
}

// copied makes a large file a copy of one that was written before, under another name.
func (d *direct) copied(it *item) bool {
	from, ok := d.have[it.m.Digest]
	if !ok || d.DryRun {
		return ok
	}
	if d.copy(from, it) != nil {
		return false
	}
	d.c.r.report.Add(1, it.m.Size)
	return true
}

func (d *direct) wanted() wanted {
	if d.from != nil {
		return wanted{d.c.t, d.from, ""}
	}
	return wanted{d.c.t, d.c.s.v, ""}
}

// download finds where files are, leaf by leaf, and gets them.
func (d *direct) download(ctx context.Context, missing []*item) (err error) {
	if d.f.conn, err = d.c.r.connectFor(ctx, d.c.t.Dataset, d.Remote, false); err != nil {
		return err
	}
	err = d.leaves(ctx, missing, func(l leaf, items []*item) error {
		err := d.f.locate(ctx, d.f.conn, wantsOf(d.wanted(), l, items), false)
		if err != nil && ctx.Err() == nil && (isCorrupt(err) || errors.Is(err, blob.ErrNotFound)) {
			d.f.problem(d.wanted(), "", err) // the other pages are fetched all the same
			err = nil
		}
		return err
	})
	if err != nil {
		return err
	}
	return d.f.download(ctx)
}

// leaves calls do for each leaf that holds some of the items, which ascend by path.
func (d *direct) leaves(ctx context.Context, items []*item, do func(l leaf, items []*item) error) error {
	v, src := d.wanted().version, d.c.r.from(d.c.t.Dataset, d.Remote)
	if len(v.Pages) == 0 {
		return do(leaf{remote.KindRoot, v.id, v.Entries, v.raw}, items)
	}
	var last index.Ref // whose span ends where the next one starts
	read := func(n int) error {
		if n == 0 {
			return nil
		}
		l, err := readLeaf(ctx, src, last.Digest)
		if err == nil {
			err = do(l, items[:n])
		}
		items = items[n:]
		return err
	}
	for ref, err := range index.Refs(ctx, v.Manifest, src) {
		if err != nil {
			return err
		}
		if ref.Level != 0 {
			continue
		}
		n, _ := slices.BinarySearchFunc(items, ref.First, func(it *item, first string) int { return strings.Compare(it.path, first) })
		if err := read(n); err != nil || len(items) == 0 {
			return err
		}
		last = ref.Ref
	}
	return read(len(items))
}

// wantsOf are the items as files of their leaf.
func wantsOf(w wanted, l leaf, items []*item) []fileWant {
	var out []fileWant
	record := -1
	for i := range l.entries {
		e := &l.entries[i]
		if !hasBytes(e) {
			continue
		}
		record++
		if len(items) > 0 && items[0].path == e.Path {
			out, items = append(out, newWant(w, l, e, record)), items[1:]
		}
	}
	return out
}

// name gives each file that did not come its problem.
func (d *direct) name(missing []*item, problems []Problem) {
	why := map[string]Problem{}
	for _, p := range problems {
		if errors.Is(p.Err, errUnwritten) {
			continue
		}
		if why[p.Path] = p; p.Path == "" {
			d.res.Problems = append(d.res.Problems, p)
		}
	}
	for _, m := range missing {
		if m.m.Size >= haveMin && len(d.have) < haveMost && (m.placed() || d.DryRun) {
			d.have[m.m.Digest] = m.path
		}
		path := m.path
		if path == "." {
			path = ""
		}
		p, ok := why[path]
		for _, it := range d.waiting[m.m.Digest] {
			if it.placed() || it.err != nil {
				continue
			}
			if ok && p.Path != "" {
				p.Path = it.path
				d.res.Problems = append(d.res.Problems, p)
			}
			if ok || !d.DryRun {
				it.err = errNamed
			}
		}
	}
}

// errUnwritten says that a file came, and could not be written anywhere; why is with the items.
var errUnwritten = errors.New("not written")

// AddVerified makes d a transfer.Sink: it writes bytes to all the paths that wait for them.
func (d *direct) AddVerified(want digest.Digest, size int64, r io.Reader) error {
	from := &source{r: digest.NewReader(r, want, size)}
	var first *item
	for _, it := range d.waiting[want] {
		switch {
		case it.placed() || it.err != nil:
			continue
		case first != nil:
			it.err = d.copy(first.path, it)
		case from.begun: // what is read can't be read again
			it.err = errUnwritten
		default:
			err := d.write(it, from)
			if from.err != nil {
				return from.err
			}
			if it.err = err; err == nil {
				first = it
			}
		}
		if it.err == nil {
			d.c.r.report.Add(1, size)
		}
	}
	if first == nil {
		return errUnwritten
	}
	return nil
}

// source remembers whether and how reading failed.
type source struct {
	r     io.Reader
	begun bool
	err   error
}

func (s *source) Read(b []byte) (int, error) {
	s.begun = true
	n, err := s.r.Read(b)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// write gives the item's path what r has, which is verified at its end.
func (d *direct) write(it *item, r io.Reader) error {
	perm := durable.WorkMode(it.m.Kind == index.Exec)
	return d.c.placeWith(it, write, func(root *durable.Root, name string) (placed cache.Placed, err error) {
		tmp, err := root.CreateTempMode(".", perm)
		if err != nil {
			return placed, err
		}
		defer tmp.Abort()
		buf := readBuffers.Get().(*[]byte)
		defer readBuffers.Put(buf)
		if _, err := io.CopyBuffer(struct{ io.Writer }{tmp}, r, *buf); err != nil {
			return placed, err
		}
		placed.Stamp = tmp.Stamp()
		return placed, tmp.Commit(name, perm)
	})
}

// copy makes the item's file one of the bytes of another entry, which was written before.
func (d *direct) copy(from string, it *item) error {
	f, _, err := durable.OpenRegular(d.c.s.file(from))
	if err != nil {
		return err
	}
	defer f.Close()
	if err = d.write(it, digest.NewReader(f, it.m.Digest, it.m.Size)); errors.Is(err, digest.ErrMismatch) {
		err = errChanged
	}
	return err
}
