package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tarn/store/blob"
	"tarn/store/digest"
)

// Relied is what a push needs on the remote: what it names in its claim, and confirms.
type Relied struct {
	Roots []digest.Digest
	Pages []digest.Digest
	Packs []PackRef
}

// Claim is a push in progress. While it stands, gc deletes nothing that it names.
type Claim struct {
	r   *Remote
	key string
}

type claimBody struct {
	Roots []string  `json:"roots"`
	Pages []string  `json:"pages"`
	Packs []string  `json:"packs"`
	Time  time.Time `json:"time"`
}

// Claim announces a push, before its first page.
func (r *Remote) Claim(ctx context.Context, rel Relied, now time.Time) (*Claim, error) {
	packs := make([]digest.Digest, len(rel.Packs))
	for i, p := range rel.Packs {
		packs[i] = p.Name
	}
	data, err := json.Marshal(claimBody{hexes(rel.Roots), hexes(rel.Pages), hexes(packs), now.UTC().Truncate(time.Second)})
	c := &Claim{r, "claim/" + randomHex()}
	if err == nil {
		_, err = r.b.Put(ctx, c.key, data, blob.Condition{Absent: true})
	}
	if err != nil {
		return nil, fmt.Errorf("put claim to %s: %w", r.b, err)
	}
	return c, nil
}

func hexes(ds []digest.Digest) []string {
	names := make([]string, len(ds))
	for i, d := range ds {
		names[i] = d.String()
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Stands says whether the claim is still there: gc may have taken it for abandoned, and then what was published under it counts for nothing.
func (c *Claim) Stands(ctx context.Context) (bool, error) {
	_, err := c.r.b.Stat(ctx, c.key)
	if errors.Is(err, blob.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Release deletes the claim; the last thing of a push.
func (c *Claim) Release(ctx context.Context) error { return c.r.b.Delete(ctx, c.key) }

// Condemned is what gc runs and purges have marked.
type Condemned struct {
	names    map[string]bool // waiting out the grace period: a claim saves them
	sweeping map[string]bool // being deleted right now: they count as gone
	purged   map[digest.Digest]bool
}

// Condemned reads trash/, sweep and tomb/. It is called after the claim was put: the order is what keeps a push safe.
func (r *Remote) Condemned(ctx context.Context) (*Condemned, error) {
	c := &Condemned{map[string]bool{}, map[string]bool{}, map[digest.Digest]bool{}}
	runs, err := r.names(ctx, "trash/")
	if err != nil {
		return nil, err
	}
	if len(runs) > 0 {
		if err := r.readTrash(ctx, c, runs); err != nil {
			return nil, err
		}
	}
	tombs, err := r.names(ctx, "tomb/")
	for _, t := range tombs {
		if d, err := digest.Parse(strings.TrimPrefix(t, "tomb/")); err == nil {
			c.purged[d] = true
		}
	}
	return c, err
}

func (r *Remote) readTrash(ctx context.Context, c *Condemned, runs []string) error {
	sweep, _, err := r.read(ctx, "sweep", 4<<10)
	if err != nil && !errors.Is(err, blob.ErrNotFound) {
		return fmt.Errorf("read sweep from %s: %w", r.b, err)
	}
	for _, run := range runs {
		data, _, err := r.read(ctx, run, 1<<30)
		if errors.Is(err, blob.ErrNotFound) {
			continue // that run has just ended
		}
		if err != nil {
			return fmt.Errorf("read %s from %s: %w", run, r.b, err)
		}
		lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
		if lines[0] != "tarn 1 trash" {
			return fmt.Errorf("read %s from %s: %w", run, r.b, ErrObject)
		}
		set := c.names
		if string(sweep) == "tarn 1 sweep "+strings.TrimPrefix(run, "trash/")+"\n" {
			set = c.sweeping
		}
		for _, name := range lines[1:] {
			set[name] = true
		}
	}
	return nil
}

func (r *Remote) names(ctx context.Context, prefix string) (names []string, err error) {
	for info, err := range r.b.List(ctx, prefix, "") {
		if err != nil {
			return nil, fmt.Errorf("list %s on %s: %w", prefix, r.b, err)
		}
		names = append(names, info.Key)
	}
	return names, nil
}

// Pack says that a pack may not be relied on: it is condemned, and its bytes go up again under a new name.
func (c *Condemned) Pack(d digest.Digest) bool {
	n := PackName(d)
	return c.names[n] || c.sweeping[n]
}

// Sweeping says that an object of that kind is being deleted: its name, which is that of its content, must wait until the sweep ends.
func (c *Condemned) Sweeping(kind Kind, d digest.Digest) bool { return c.sweeping[Name(kind, d)] }

// Doomed says that an object is condemned, or being deleted: who deletes his own copy may not rely on it.
func (c *Condemned) Doomed(kind Kind, d digest.Digest) bool {
	n := Name(kind, d)
	return c.names[n] || c.sweeping[n]
}

// Purged says that a blob or file was purged on purpose and must not be pushed again.
func (c *Condemned) Purged(d digest.Digest) bool { return c.purged[d] }

// HasPurged says that anything was purged at all.
func (c *Condemned) HasPurged() bool { return len(c.purged) > 0 }
