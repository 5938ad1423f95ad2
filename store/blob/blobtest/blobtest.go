// Package blobtest is the one suite that every bucket passes: what blob.Bucket promises, and no more.
package blobtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"tarn/store/blob"
)

// skew is how far a remote's clock readings may lie apart within one test.
const skew = time.Minute

// Run tests the bucket that open returns: an empty one at each call.
func Run(t *testing.T, open func(t *testing.T) blob.Bucket) {
	for name, test := range map[string]func(*testing.T, blob.Bucket){
		"RoundTrip":       testRoundTrip,
		"NoReference":     testNoReference,
		"Missing":         testMissing,
		"Info":            testInfo,
		"Ranges":          testRanges,
		"Overwrite":       testOverwrite,
		"Absent":          testAbsent,
		"Match":           testMatch,
		"AbsentRace":      testAbsentRace,
		"MatchRace":       testMatchRace,
		"ReadersAndRaces": testReadersSeeWhole,
		"List":            testList,
		"ListStops":       testListStops,
		"ListRaces":       testListRaces,
		"Delete":          testDelete,
		"OddKeys":         testOddKeys,
		"HostileKeys":     testHostileKeys,
		"Cancel":          testCancel,
		"Name":            func(t *testing.T, b blob.Bucket) { isTrue(t, b.String() != "", "String is empty") },
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func isTrue(t *testing.T, ok bool, format string, args ...any) {
	t.Helper()
	if !ok {
		t.Errorf(format, args...)
	}
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

func put(t *testing.T, b blob.Bucket, key, body string) blob.Info {
	t.Helper()
	info, err := b.Put(context.Background(), key, []byte(body), blob.Condition{})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// get reads a range and closes the reader.
func get(b blob.Bucket, key string, off, n int64) (string, blob.Info, error) {
	r, info, err := b.Get(context.Background(), key, off, n)
	if err != nil {
		return "", info, err
	}
	body, err := io.ReadAll(r)
	if closed := r.Close(); err == nil {
		err = closed
	}
	return string(body), info, err
}

func holds(t *testing.T, b blob.Bucket, key, want string) {
	t.Helper()
	got, info, err := get(b, key, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	isTrue(t, got == want, "%s holds %.40q (%d bytes), want %.40q (%d)", key, got, len(got), want, len(want))
	isTrue(t, info.Size == int64(len(want)), "size of %s: %d, want %d", key, info.Size, len(want))
}

// list is the keys of a listing; it checks order, prefix and the rest of each Info.
func list(t *testing.T, b blob.Bucket, prefix, after string) (keys []string) {
	t.Helper()
	for info, err := range b.List(context.Background(), prefix, after) {
		if err != nil {
			t.Fatal(err)
		}
		isTrue(t, strings.HasPrefix(info.Key, prefix), "list %q has %q", prefix, info.Key)
		isTrue(t, info.Key > after, "list after %q has %q", after, info.Key)
		isTrue(t, len(keys) == 0 || keys[len(keys)-1] < info.Key, "list %q: %q out of order", prefix, info.Key)
		isTrue(t, !info.Modified.IsZero(), "list: no time of %s", info.Key)
		keys = append(keys, info.Key)
	}
	return keys
}

func noise(seed uint64, n int) string {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed)})
	_, _ = r.Read(b)
	return string(b)
}

func testRoundTrip(t *testing.T, b blob.Bucket) {
	for i, n := range []int{0, 1, 100, 4096, 1 << 20, 5<<20 + 1} {
		key, body := fmt.Sprintf("pack/%02d/x", i), noise(uint64(i), n)
		info := put(t, b, key, body)
		isTrue(t, info.Key == key && info.Size == int64(n) && info.ETag != "", "put %s: %+v", key, info)
		holds(t, b, key, body)
	}
}

func testNoReference(t *testing.T, b blob.Bucket) {
	body := []byte("before")
	if _, err := b.Put(context.Background(), "a/x", body, blob.Condition{}); err != nil {
		t.Fatal(err)
	}
	copy(body, "after!")
	holds(t, b, "a/x", "before")
	r, _, err := b.Get(context.Background(), "a/x", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, _ := io.ReadAll(r)
	copy(got, "broken")
	holds(t, b, "a/x", "before")
}

func testMissing(t *testing.T, b blob.Bucket) {
	ctx := context.Background()
	check := func() {
		t.Helper()
		for _, key := range []string{"none", "a/none", "a/x/none", "a"} { // below an object, and its directory, are no objects
			_, err := b.Stat(ctx, key)
			is(t, err, blob.ErrNotFound)
			_, _, err = get(b, key, 0, -1)
			is(t, err, blob.ErrNotFound)
			_, _, err = get(b, key, 5, 10)
			is(t, err, blob.ErrNotFound)
			if err := b.Delete(ctx, key); err != nil {
				t.Errorf("delete %s: %v", key, err)
			}
			_, err = b.Put(ctx, key, nil, blob.Condition{Match: "0-0-0"})
			is(t, err, blob.ErrPrecondition)
		}
	}
	isTrue(t, len(list(t, b, "", "")) == 0, "an empty bucket has objects")
	check()
	put(t, b, "a/x", "x")
	check()
	holds(t, b, "a/x", "x")
	isTrue(t, len(list(t, b, "b/", "")) == 0, "a prefix with nothing below it has objects")
}

func testInfo(t *testing.T, b blob.Bucket) {
	ctx := context.Background()
	written := put(t, b, "a/x", "hello")
	info, err := b.Stat(ctx, "a/x")
	if err != nil {
		t.Fatal(err)
	}
	_, got, err := get(b, "a/x", 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	for verb, i := range map[string]blob.Info{"put": written, "stat": info, "get": got} {
		isTrue(t, i.Key == "a/x" && i.Size == 5 && i.ETag == written.ETag && i.ETag != "", "%s: %+v", verb, i)
		if verb == "put" && i.Modified.IsZero() {
			continue // S3 does not say
		}
		age := i.Now.Sub(i.Modified)
		isTrue(t, !i.Modified.IsZero() && age > -skew && age < skew, "%s: modified %v, now %v", verb, i.Modified, i.Now)
	}
	for i, err := range b.List(ctx, "a/", "") {
		if err != nil {
			t.Fatal(err)
		}
		isTrue(t, i.Key == "a/x" && i.Size == 5 && (i.ETag == "" || i.ETag == written.ETag), "list: %+v", i)
		age := info.Now.Sub(i.Modified)
		isTrue(t, age > -skew && age < skew, "list: modified %v, now %v", i.Modified, info.Now)
	}
}

func testRanges(t *testing.T, b blob.Bucket) {
	body := noise(7, 1000)
	put(t, b, "a/x", body)
	put(t, b, "a/empty", "")
	for _, c := range []struct {
		off, n     int64
		start, end int
	}{
		{0, -1, 0, 1000}, {0, 1000, 0, 1000}, {0, 1, 0, 1}, {999, 1, 999, 1000}, {10, 20, 10, 30}, {500, -1, 500, 1000}, {0, 0, 0, 0}, {10, 0, 0, 0},
		{0, 1001, 0, 1000}, {900, 1 << 40, 900, 1000}, {999, 2, 999, 1000}, {1000, -1, 0, 0}, {1000, 5, 0, 0}, {1001, 1, 0, 0}, {1 << 40, -1, 0, 0},
		{1 << 40, 1 << 40, 0, 0}, {1, 1<<63 - 1, 1, 1000},
	} {
		got, info, err := get(b, "a/x", c.off, c.n)
		isTrue(t, err == nil && got == body[c.start:c.end], "get %d+%d: %d bytes, %v", c.off, c.n, len(got), err)
		isTrue(t, info.Size == 1000 && info.ETag != "", "get %d+%d: %+v", c.off, c.n, info)
		got, info, err = get(b, "a/empty", c.off, c.n)
		isTrue(t, err == nil && got == "" && info.Size == 0, "get %d+%d of nothing: %q, %+v, %v", c.off, c.n, got, info, err)
	}
	_, _, err := get(b, "a/x", -1, 1)
	is(t, err, blob.ErrRange)
	// A reader that is closed early, and one that is never read.
	for _, n := range []int64{0, 10} {
		r, _, err := b.Get(context.Background(), "a/x", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.CopyN(io.Discard, r, n)
		isTrue(t, err == nil && r.Close() == nil, "early close: %v", err)
	}
}

func testOverwrite(t *testing.T, b blob.Bucket) {
	seen := map[string]bool{}
	for i := range 20 {
		body := fmt.Sprintf("version %03d", i)
		info := put(t, b, "a/x", body)
		isTrue(t, !seen[info.ETag], "write %d has an ETag that was there before: %s", i, info.ETag)
		seen[info.ETag] = true
		holds(t, b, "a/x", body)
	}
	put(t, b, "a/x", strings.Repeat("long", 1000))
	put(t, b, "a/x", "short")
	holds(t, b, "a/x", "short")
}

func testDelete(t *testing.T, b blob.Bucket) {
	ctx := context.Background()
	for _, key := range []string{"a/b/c/x", "a/b/y", "z"} {
		put(t, b, key, key)
	}
	for range 2 {
		if err := b.Delete(ctx, "a/b/c/x"); err != nil {
			t.Fatal(err)
		}
		_, err := b.Stat(ctx, "a/b/c/x")
		is(t, err, blob.ErrNotFound)
	}
	if got := list(t, b, "", ""); !slices.Equal(got, []string{"a/b/y", "z"}) {
		t.Errorf("left: %v", got)
	}
	put(t, b, "a/b/c/x", "again")
	holds(t, b, "a/b/c/x", "again")
	holds(t, b, "a/b/y", "a/b/y")
}

func testOddKeys(t *testing.T, b blob.Bucket) {
	long := strings.Repeat("n", 250)
	keys := []string{"-", "_", "a..b", "a--", "-a/-b", "0", "a/" + long + "/" + long, strings.Repeat("d/", 20) + "x", "tarn.json", "UP/Per"}
	for _, key := range keys {
		put(t, b, key, key)
	}
	for _, key := range keys {
		holds(t, b, key, key)
	}
	slices.Sort(keys)
	if got := list(t, b, "", ""); !slices.Equal(got, keys) {
		t.Errorf("list %v", got)
	}
}

func testHostileKeys(t *testing.T, b blob.Bucket) {
	ctx := context.Background()
	put(t, b, "a/x", "x")
	for _, key := range []string{
		"", "/", "/etc/passwd", "..", "../x", "a/../x", "a/..", "a/", "a//x", ".", "./a/x", "a/./x", ".hidden", "a/.x", "a\x00", `a\x`, "a b", "ä", "a?x", "a%2fx", "c:x",
		strings.Repeat("k", 513),
	} {
		_, err := b.Put(ctx, key, []byte("x"), blob.Condition{})
		isTrue(t, err != nil, "put %q works", key)
		_, err = b.Stat(ctx, key)
		isTrue(t, err != nil, "stat %q works", key)
		_, _, err = get(b, key, 0, -1)
		isTrue(t, err != nil, "get %q works", key)
		isTrue(t, b.Delete(ctx, key) != nil, "delete %q works", key)
	}
	for _, prefix := range []string{"/", "..", "../", "a/../", "a//", "./", "a/./"} {
		for info, err := range b.List(ctx, prefix, "") {
			isTrue(t, err != nil, "list %q has %q", prefix, info.Key)
		}
	}
	if got := list(t, b, "", ""); !slices.Equal(got, []string{"a/x"}) {
		t.Errorf("there: %v", got)
	}
}

func testCancel(t *testing.T, b blob.Bucket) {
	put(t, b, "a/x", "x")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := b.Put(ctx, "a/y", []byte("y"), blob.Condition{})
	is(t, err, context.Canceled)
	_, err = b.Put(ctx, "a/x", []byte("y"), blob.Condition{Match: "0-0-0"})
	is(t, err, context.Canceled)
	_, err = b.Stat(ctx, "a/x")
	is(t, err, context.Canceled)
	_, _, err = b.Get(ctx, "a/x", 0, -1)
	is(t, err, context.Canceled)
	is(t, b.Delete(ctx, "a/x"), context.Canceled)
	err = nil
	for _, err = range b.List(ctx, "", "") {
	}
	is(t, err, context.Canceled)
	holds(t, b, "a/x", "x")
	isTrue(t, slices.Equal(list(t, b, "", ""), []string{"a/x"}), "a cancelled put was applied")
}
