package dataset

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"tarn/index"
	"tarn/store/digest"
	"tarn/store/remote"
)

// confirming asks a remote whether it still has the bytes of files that were added to it or came from it. It looks at each pack once. The nil *confirming is that of
// a dataset that the cache keeps: it never has them.
type confirming struct {
	r       *Repo
	dataset string
	asked   string        // the remote's name; empty: that of the dataset
	base    digest.Digest // the version that they should belong to

	mu      sync.Mutex
	conn    *conn
	err     error // why it can't be asked
	learned bool
	packs   map[digest.Digest]bool // that were looked at
}

// confirming is for what is in the workspace of a dataset that the cache does not keep, else nil.
func (s *survey) confirming(k Keeping, asked string) *confirming {
	if s.r.keeps(s.t.Dataset, k) {
		return nil
	}
	base, _ := s.base()
	return &confirming{r: s.r, dataset: s.t.Dataset, asked: asked, base: base, packs: map[digest.Digest]bool{}}
}

// has says that the bytes can be had again. What the ledger says is a hint; that its packs are there is seen now.
func (c *confirming) has(ctx context.Context, e *index.Entry) bool {
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil && c.err == nil {
		c.conn, c.err = c.r.connectFor(ctx, c.dataset, c.asked, false)
	}
	if c.err != nil {
		return false
	}
	ps, ok := c.conn.remembered(ctx, e)
	if !ok && !c.learned {
		c.learned = true
		c.err = c.learn(ctx, e)
		ps, ok = c.conn.remembered(ctx, e)
	}
	return ok && c.there(ctx, pieceRefs(ps))
}

// learn looks once where the files of the version are, and where that was not pushed as such, under others.
func (c *confirming) learn(ctx context.Context, e *index.Entry) error {
	enough := func() bool {
		c.conn.ledger.Flush()
		_, ok := c.conn.remembered(ctx, e)
		return ok
	}
	if err := c.conn.learnRoot(ctx, c.base, ""); err == nil && enough() {
		return nil
	}
	err := c.conn.search(ctx, c.dataset, "", enough)
	enough()
	return err
}

func (c *confirming) there(ctx context.Context, packs []remote.PackRef) bool {
	var rel remote.Relied
	for _, p := range packs {
		if _, known := c.packs[p.Name]; !known {
			rel.Packs = append(rel.Packs, p)
		}
	}
	if len(rel.Packs) > 0 {
		missing, err := c.conn.rem.Confirm(ctx, rel, c.r.jobs())
		if err != nil {
			c.err = err
			return false
		}
		for _, p := range rel.Packs {
			c.packs[p.Name] = !missing.Packs[p.Name]
		}
	}
	for _, p := range packs {
		if !c.packs[p.Name] {
			return false
		}
	}
	return true
}

// why says why bytes can't be had again.
func (c *confirming) why() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return fmt.Errorf("the remote can't be asked for them: %w", c.err)
	case c.conn == nil:
		return errors.New("the remote was not asked for them")
	}
	return fmt.Errorf("remote %s does not have them", c.conn.name)
}
