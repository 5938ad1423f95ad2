package remote

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"tarn/store/blob"
	"tarn/store/blob/mem"
	"tarn/store/blob/wrap"
	"tarn/store/digest"
)

func open(t *testing.T, b blob.Bucket) *Remote {
	t.Helper()
	r, err := Open(t.Context(), b, true)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestOpen(t *testing.T) {
	b := mem.New()
	if _, err := Open(t.Context(), b, false); !errors.Is(err, ErrNoRemote) {
		t.Errorf("empty bucket: %v", err)
	}
	id := open(t, b).ID()
	if again := open(t, b).ID(); again != id || len(id) != 32 {
		t.Errorf("id %q, then %q", id, again)
	}
	for name, text := range map[string]string{
		"newer format":    `{"tarn":2,"id":"` + id + `","requires":[],"names":"plain"}`,
		"unknown feature": `{"tarn":1,"id":"` + id + `","requires":["teleport"],"names":"plain"}`,
		"hidden names":    `{"tarn":1,"id":"` + id + `","requires":[],"names":"keyed"}`,
	} {
		b := mem.New()
		b.Put(t.Context(), "tarn.json", []byte(text), blob.Condition{})
		if _, err := Open(t.Context(), b, true); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := mem.New()
	broken.Put(t.Context(), "tarn.json", []byte("{"), blob.Condition{})
	if _, err := Open(t.Context(), broken, true); !errors.Is(err, ErrObject) {
		t.Errorf("broken: %v", err)
	}
}

func TestWriteObject(t *testing.T) {
	r := open(t, mem.New())
	o := sample()
	if err := r.WriteObject(t.Context(), o, ""); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteObject(t.Context(), o, ""); err != nil {
		t.Errorf("the same bytes again, as after an answer that was lost: %v", err)
	}
	other := sample()
	other.Records[0].Whole.Offset++
	if err := r.WriteObject(t.Context(), other, ""); !errors.Is(err, blob.ErrPrecondition) {
		t.Errorf("other locations: %v", err)
	}
	_, etag, err := r.ReadObject(t.Context(), o.Kind, o.Digest())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.WriteObject(t.Context(), other, etag); err != nil {
		t.Errorf("in place: %v", err)
	}
	if err := r.WriteObject(t.Context(), o, etag); !errors.Is(err, blob.ErrPrecondition) {
		t.Errorf("with an old etag: %v", err)
	}
}

func TestPinAgeIsByTheRemotesClock(t *testing.T) {
	b := mem.New()
	now := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC) // far from ours
	b.SetClock(func() time.Time { return now })
	r, root := open(t, b), digest.Sum([]byte("root"))
	if err := r.PutPin(t.Context(), "me", root, Pin{Dataset: "data"}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {14 * 24 * time.Hour, true}, {15 * 24 * time.Hour, false}} {
		b.SetClock(func() time.Time { return now.Add(tt.after) })
		got, err := r.Pinned(t.Context(), "me", root, 15*24*time.Hour)
		all, aerr := r.PinnedAll(t.Context(), "me", 15*24*time.Hour)
		if err != nil || aerr != nil || got != tt.want || all[root] != tt.want {
			t.Errorf("after %v: %v, %v; %v, %v", tt.after, got, err, all, aerr)
		}
	}
	if got, _ := r.Pinned(t.Context(), "other", root, time.Hour); got {
		t.Error("another origin's pin counts")
	}
}

func TestPins(t *testing.T) {
	b := mem.New()
	r, one, two := open(t, b), digest.Sum([]byte("one")), digest.Sum([]byte("two"))
	put := func(origin string, root digest.Digest, p Pin) {
		if err := r.PutPin(t.Context(), origin, root, p); err != nil {
			t.Fatal(err)
		}
	}
	want := Pin{"data", "abc", "repo", time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)}
	put("me", one, want)
	put("you", one, Pin{})
	put("you", two, Pin{})
	for _, stranger := range []string{"pin/x", "pin/me/no-digest/1", "pin/me/" + one.String() + "/1/2"} {
		if _, err := b.Put(t.Context(), stranger, []byte("{"), blob.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	pins, err := r.Pins(t.Context())
	if err != nil || len(pins) != 3 || pins[0].Origin != "me" || pins[0].Root != one || !pins[0].Younger(time.Hour) || pins[0].Younger(0) {
		t.Fatalf("%+v, %v", pins, err)
	}
	if got, err := r.ReadPin(t.Context(), pins[0]); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if err := b.Delete(t.Context(), pins[0].Key); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadPin(t.Context(), pins[0]); !errors.Is(err, blob.ErrNotFound) {
		t.Error(err)
	}
	if _, err := b.Put(t.Context(), pins[0].Key, []byte("{"), blob.Condition{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadPin(t.Context(), pins[0]); !errors.Is(err, ErrObject) {
		t.Error(err)
	}
}

func TestRecent(t *testing.T) {
	r := open(t, mem.New())
	var last digest.Digest
	for i := range 70 {
		last = digest.Sum(fmt.Append(nil, i))
		if err := r.AddRecent(t.Context(), "repo", []digest.Digest{last}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := r.Recent(t.Context(), "repo")
	if err != nil || len(got) != maxRecent || got[0] != last {
		t.Errorf("%d roots, %v", len(got), err)
	}
	r.AddRecent(t.Context(), "repo", got[5:6])
	if again, _ := r.Recent(t.Context(), "repo"); len(again) != maxRecent || again[0] != got[5] || again[1] != last {
		t.Error("a root that was there did not move to the front")
	}
}

func TestClaim(t *testing.T) {
	b := mem.New()
	r := open(t, b)
	c, err := r.Claim(t.Context(), Relied{Roots: []digest.Digest{{1}}, Packs: []PackRef{{digest.Digest{2}, 3}}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := c.Stands(t.Context()); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	if err := c.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ok, err := c.Stands(t.Context()); ok || err != nil {
		t.Errorf("released: %v, %v", ok, err)
	}
}

func TestCondemned(t *testing.T) {
	b := mem.New()
	r := open(t, b)
	pack, page, swept, gone := digest.Sum([]byte("1")), digest.Sum([]byte("2")), digest.Sum([]byte("3")), digest.Sum([]byte("4"))
	put := func(key, text string) { b.Put(context.Background(), key, []byte(text), blob.Condition{}) }
	put("trash/one", "tarn 1 trash\n"+PackName(pack)+"\n"+Name(KindPage, page)+"\n")
	put("trash/two", "tarn 1 trash\n"+Name(KindPage, swept)+"\n")
	put("sweep", "tarn 1 sweep two\n")
	put("tomb/"+gone.String(), "")
	c, err := r.Condemned(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !c.Pack(pack) || c.Pack(page) || c.Sweeping(KindPage, page) || !c.Sweeping(KindPage, swept) || !c.Purged(gone) || c.Purged(pack) {
		t.Errorf("%+v", c)
	}
	put("trash/three", "something else\n")
	if _, err := r.Condemned(t.Context()); !errors.Is(err, ErrObject) {
		t.Errorf("a trash list that can't be read: %v", err)
	}
}

func TestConfirm(t *testing.T) {
	for _, n := range []int{3, 200} {
		b := mem.New()
		m := wrap.NewMeter(b)
		r := open(t, m)
		var rel Relied
		for i := range n {
			body := fmt.Append(nil, "pack", i)
			p := PackRef{digest.Sum(body), int64(len(body))}
			r.PutPack(t.Context(), p.Name, body)
			rel.Packs = append(rel.Packs, p)
		}
		before := m.Snapshot()
		if miss, err := r.Confirm(t.Context(), rel, 4); err != nil || miss.Any() {
			t.Fatalf("%d packs: %+v, %v", n, miss, err)
		}
		after := m.Snapshot()
		if got := after.Sub(before).Requests(); got > 4 {
			t.Errorf("%d packs took %d requests", n, got)
		}
		b.Delete(t.Context(), PackName(rel.Packs[0].Name))
		rel.Packs[1].Size++
		rel.Pages = []digest.Digest{{9}}
		miss, err := r.Confirm(t.Context(), rel, 4)
		if err != nil || len(miss.Packs) != 2 || len(miss.Pages) != 1 || len(miss.Roots) != 0 {
			t.Errorf("%d packs: %+v, %v", n, miss, err)
		}
	}
}

// In a bucket with far more than what is wanted, listing stops and the names are asked for one by one.
func TestConfirmInABigBucket(t *testing.T) {
	b := mem.New()
	r := open(t, b)
	for i := range 8000 {
		b.Put(t.Context(), PackName(digest.Sum(fmt.Append(nil, i))), nil, blob.Condition{})
	}
	var rel Relied
	for i := range 20 {
		rel.Packs = append(rel.Packs, PackRef{digest.Sum(fmt.Append(nil, i)), 0})
	}
	rel.Packs = append(rel.Packs, PackRef{digest.Digest{7}, 0})
	miss, err := r.Confirm(t.Context(), rel, 4)
	if err != nil || len(miss.Packs) != 1 || !miss.Packs[digest.Digest{7}] {
		t.Errorf("%+v, %v", miss, err)
	}
}
