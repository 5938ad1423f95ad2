package dataset

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"tarn/store/blob"
	"tarn/store/digest"
	"tarn/store/remote"
)

// CheckState is how a check of a remote came out.
type CheckState string

// The states of a check.
const (
	CheckOK      CheckState = "ok"
	CheckMissing CheckState = "missing" // the remote can't, or does it wrong
	CheckSkipped CheckState = "skipped" // nothing is known of it
)

// RemoteProbe is one thing that a remote has to be able to do.
type RemoteProbe struct {
	Name    string
	State   CheckState
	Detail  string // what was seen
	Meaning string // what follows, where something is missing
}

// RemoteCheck is what a remote can do.
type RemoteCheck struct {
	Remote   string
	URL      string
	Probes   []RemoteProbe
	Requests int64
	Seconds  float64
}

// Complete says that nothing is missing.
func (c *RemoteCheck) Complete() bool {
	for _, p := range c.Probes {
		if p.State == CheckMissing {
			return false
		}
	}
	return true
}

// CheckRemote tries what tarn needs of a remote on objects below check/, which it deletes again. Where something is missing the error wraps ErrIncomplete;
// where the remote can't be reached or read at all, it is what stands in the way.
func (r *Repo) CheckRemote(ctx context.Context, name string) (*RemoteCheck, error) {
	start := time.Now()
	name, err := r.remoteFor("", name)
	if err != nil {
		return nil, err
	}
	info, err := r.Remote(name)
	if err != nil {
		return nil, err
	}
	p, err := r.bucket(name)
	if err != nil {
		return nil, err
	}
	b, requests := r.around(p, name)
	if r.o.wrapBucket != nil {
		b = r.o.wrapBucket(b)
	}
	c := &checker{b: b, raw: p.Bucket, res: &RemoteCheck{Remote: name, URL: info.URL}, top: "check/" + randomName(), body: make([]byte, probeSize)}
	rand.Read(c.body)
	if err := c.run(ctx); err != nil {
		return nil, onRemote(name, explain(name, err))
	}
	c.res.Requests, c.res.Seconds = requests(), time.Since(start).Seconds()
	if !c.res.Complete() {
		return c.res, fmt.Errorf("%w: remote %s lacks what tarn needs", ErrIncomplete, name)
	}
	return c.res, nil
}

func randomName() string {
	var b [16]byte
	rand.Read(b[:])
	return digest.Sum(b[:]).String()[:32]
}

const (
	probeSize = 256 << 10 // bytes: large enough to be of the storage class that was asked for
	writers   = 8         // that race
	skewMost  = 5 * time.Minute
)

// checker is one run of CheckRemote.
type checker struct {
	b    blob.Bucket // with retries
	raw  blob.Bucket
	res  *RemoteCheck
	top  string // prefix of the objects that it makes
	body []byte
	etag string // of the object that put wrote
}

func (c *checker) key(name string) string { return c.top + "/" + name }

func (c *checker) add(name string, err error, detail, meaning string) bool {
	p := RemoteProbe{name, CheckOK, detail, ""}
	if err != nil {
		p.State, p.Detail, p.Meaning = CheckMissing, err.Error(), meaning
	}
	c.res.Probes = append(c.res.Probes, p)
	return err == nil
}

func (c *checker) skip(why string, names ...string) {
	for _, n := range names {
		c.res.Probes = append(c.res.Probes, RemoteProbe{n, CheckSkipped, why, ""})
	}
}

// run returns what keeps even the first answer from coming, or the end of ctx.
func (c *checker) run(ctx context.Context) error {
	if err := c.read(ctx); err != nil {
		return err
	}
	list := c.add("list", c.list(ctx, 0), "objects are listed in order, with their times", "push can't tell what was pushed before, and nothing can be cleaned up; pull works")
	if err := c.write(ctx); !c.add("write", err, "one PUT of 256 KiB", c.cantWrite(err)) {
		c.skip("needs writing", "read back", "ranges", "list after", "overwrite", "if-none-match", "if-match", "race", "checksum", "clock", "delete")
		return ctx.Err()
	}
	c.add("read back", c.readBack(ctx, 0, -1), "the same bytes", "what is pushed can't be pulled again")
	c.add("ranges", c.ranges(ctx), "from the middle, to the end, and beyond it", "pull reads parts of packs, so nothing can be pulled")
	if list {
		c.add("list after", c.list(ctx, 1), "it is there at once", "push and gc look at lists; they would miss what was just pushed")
	}
	c.add("overwrite", c.overwrite(ctx), "the new bytes are there at once", "a reader may get bytes that were replaced")
	c.conditions(ctx)
	c.checksum(ctx)
	c.clock(ctx)
	c.add("delete", c.remove(ctx, list), "nothing is left", "the marks of pushes in progress stay, and keep gc from freeing space")
	return ctx.Err()
}

func (c *checker) cantWrite(err error) string {
	const so = "it can be pulled from, and not pushed to"
	if errors.Is(err, blob.ErrRejected) || errors.Is(err, blob.ErrUnsupported) {
		return so + "; if it is the checksum that it does not know, try tarn config remote." + c.res.Remote + ".checksum md5"
	}
	return so
}

// read looks at tarn.json, which need not be there.
func (c *checker) read(ctx context.Context) error {
	r, err := remote.Open(ctx, c.b, false)
	detail := "nothing was pushed there yet"
	switch {
	case err == nil:
		detail = "tarn.json is there, id " + r.ID()
	case errors.Is(err, remote.ErrNoRemote):
	case errors.Is(err, remote.ErrFormat) || errors.Is(err, remote.ErrObject):
		c.add("read", err, "", "this version of tarn can't use it")
		return nil
	default:
		return err
	}
	if k, ok := c.raw.(interface{ KeysFrom() string }); ok {
		from := k.KeysFrom()
		if from == "" {
			from = "none: anonymous"
		}
		detail += "; keys: " + from
	}
	c.add("read", nil, detail, "")
	return nil
}

// list wants exactly want objects below the probe's own prefix.
func (c *checker) list(ctx context.Context, want int) error {
	n := 0
	for info, err := range c.b.List(ctx, c.top+"/", "") {
		if err != nil {
			return err
		}
		if n++; info.Size != probeSize || info.Modified.IsZero() {
			return fmt.Errorf("%s is listed with %d bytes and time %v", info.Key, info.Size, info.Modified)
		}
	}
	if n != want {
		return fmt.Errorf("%d of %d objects are listed", n, want)
	}
	return nil
}

func (c *checker) write(ctx context.Context) error {
	info, err := c.b.Put(ctx, c.key("a"), c.body, blob.Condition{})
	c.etag = info.ETag
	return err
}

func (c *checker) readBack(ctx context.Context, off, n int64) error {
	r, info, err := c.b.Get(ctx, c.key("a"), off, n)
	if err != nil {
		return err
	}
	defer r.Close()
	got, err := io.ReadAll(io.LimitReader(r, probeSize+1))
	if err != nil {
		return err
	}
	want := c.body[min(off, probeSize):]
	if n >= 0 {
		want = want[:min(n, int64(len(want)))]
	}
	if !bytes.Equal(got, want) || info.Size != probeSize {
		return fmt.Errorf("asked for %d bytes from %d: other bytes came", n, off)
	}
	return nil
}

func (c *checker) ranges(ctx context.Context) error {
	for _, span := range [][2]int64{{1, 1}, {probeSize / 2, 1000}, {probeSize - 10, -1}, {probeSize - 10, 100}, {probeSize + 10, 5}} {
		if err := c.readBack(ctx, span[0], span[1]); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) overwrite(ctx context.Context) error {
	c.body[0] ^= 1
	info, err := c.b.Put(ctx, c.key("a"), c.body, blob.Condition{})
	if err != nil {
		return err
	}
	if info.ETag == c.etag {
		return fmt.Errorf("its ETag stays %s", c.etag)
	}
	c.etag = info.ETag
	return c.readBack(ctx, 0, -1)
}

// noConditions is what follows where conditions don't hold.
func (c *checker) noConditions() string {
	return "two pushes at once can undo what the other one wrote of where bytes are; push from one place at a time, after: tarn config remote." + c.res.Remote + ".conditions false"
}

func (c *checker) conditions(ctx context.Context) {
	ok := c.add("if-none-match", c.refuses(ctx, blob.Condition{Absent: true}), "what is there is not overwritten", c.noConditions())
	ok = c.add("if-match", c.matches(ctx), "only what was read is replaced", c.noConditions()) && ok
	if !ok {
		c.skip("needs conditions", "race")
		return
	}
	if b, ok := c.raw.(interface{ Conditional() bool }); ok && !b.Conditional() {
		c.add("race", errors.New("conditions = false: tarn looks, and then writes"), "", c.noConditions())
		return
	}
	err := c.race(ctx, c.key("race"), blob.Condition{Absent: true})
	if err == nil {
		err = c.race(ctx, c.key("a"), blob.Condition{Match: c.etag})
	}
	c.add("race", err, fmt.Sprintf("of %d writers at once one wins", writers), c.noConditions())
}

// refuses wants a put whose condition does not hold to change nothing.
func (c *checker) refuses(ctx context.Context, cond blob.Condition) error {
	_, err := c.b.Put(ctx, c.key("a"), []byte("this should not be written"), cond)
	if errors.Is(err, blob.ErrPrecondition) {
		return c.readBack(ctx, 0, -1)
	}
	if err != nil {
		return err
	}
	if info, perr := c.b.Put(ctx, c.key("a"), c.body, blob.Condition{}); perr == nil { // as it was
		c.etag = info.ETag
	}
	return errors.New("the condition is ignored")
}

func (c *checker) matches(ctx context.Context) error {
	if err := c.refuses(ctx, blob.Condition{Match: "0123456789abcdef0123456789abcdef"}); err != nil {
		return err
	}
	c.body[0] ^= 2
	info, err := c.b.Put(ctx, c.key("a"), c.body, blob.Condition{Match: c.etag})
	if err == nil {
		c.etag = info.ETag
	}
	return err
}

// race lets writers put different bodies under a condition; exactly one may win.
func (c *checker) race(ctx context.Context, key string, cond blob.Condition) error {
	var wins atomic.Int32
	var wg sync.WaitGroup
	errs := make([]error, writers)
	start := make(chan struct{})
	for i := range writers {
		wg.Go(func() {
			<-start
			_, err := c.b.Put(ctx, key, fmt.Appendf(nil, "writer %d", i), cond)
			if err == nil {
				wins.Add(1)
			} else if !errors.Is(err, blob.ErrPrecondition) {
				errs[i] = err
			}
		})
	}
	close(start)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	if n := wins.Load(); n != 1 {
		return fmt.Errorf("of %d writers at once %d won", writers, n)
	}
	return nil
}

// checksum sends bytes that don't fit their checksum, if the bucket can.
func (c *checker) checksum(ctx context.Context) {
	b, ok := c.raw.(interface {
		RefusesWrong(context.Context, string) (bool, error)
	})
	if !ok {
		c.skip("nothing is sent over a network by tarn", "checksum")
		return
	}
	refused, err := b.RefusesWrong(ctx, c.key("wrong"))
	if err == nil && !refused {
		err = errors.New("bytes that don't fit their checksum are taken")
	}
	c.add("checksum", err, "bytes that changed on the way are refused", "bytes that break on the way to the remote are noticed only when they are pulled")
}

// clock compares the remote's with ours. Nothing of tarn's depends on it; signatures do.
func (c *checker) clock(ctx context.Context) {
	info, err := c.b.Stat(ctx, c.key("a"))
	skew := time.Since(info.Now).Round(time.Second)
	switch {
	case err != nil:
	case info.Now.IsZero():
		err = errors.New("it does not say what time it is")
	case skew.Abs() > skewMost:
		err = fmt.Errorf("it differs by %v from the one here", skew.Abs())
	}
	c.add("clock", err, "it goes like the one here", "each push renews its mark; past 15 minutes S3 refuses all requests")
}

func (c *checker) remove(ctx context.Context, list bool) error {
	for _, name := range []string{"a", "race", "wrong"} {
		if err := c.b.Delete(ctx, c.key(name)); err != nil {
			return err
		}
	}
	if _, err := c.b.Stat(ctx, c.key("a")); !errors.Is(err, blob.ErrNotFound) {
		return fmt.Errorf("an object that was deleted is still there (%v)", err)
	}
	if !list {
		return nil
	}
	return c.list(ctx, 0)
}
