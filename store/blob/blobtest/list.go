package blobtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"tarn/store/blob"
)

// trickyKeys, sorted: the order of directories is not the order of keys, since '-' and '.' sort before '/', and digits after.
func trickyKeys() []string {
	return slices.Sorted(slices.Values([]string{
		"a-b", "a.b", "a/b", "a/b-c", "a/c/d", "a/c-d", "a/c.d", "a/c0", "a0", "a_b", "ab", "b/a/x", "b/a-/x", "b/a.b", "b/a0", "b/ab/x", "c", "c--", "c-/x", "c0/x",
		"pin/00/11/22", "pin/00/11-/22", "pin/0/1",
	}))
}

func testList(t *testing.T, b blob.Bucket) {
	tricky := trickyKeys()
	for _, key := range slices.Backward(tricky) {
		put(t, b, key, key)
	}
	prefixes := map[string]bool{"": true, "zz": true, "a/b/": true, "pin/00/1": true, "d/": true}
	afters := map[string]bool{"": true, "~": true, "a": true, "a/": true, "a/c/zz": true, "a/c/": true, "b/a": true, "pin/00/11/": true, "-": true}
	for _, key := range tricky {
		for i := range key {
			prefixes[key[:i]] = true
		}
		prefixes[key], afters[key], afters[key+"0"] = true, true, true
	}
	for prefix := range prefixes {
		if blob.CheckPrefix(prefix) != nil {
			continue
		}
		compareList(t, b, prefix, "")
	}
	for _, prefix := range []string{"", "a", "a/", "a/c", "b/a", "pin/"} {
		for after := range afters {
			compareList(t, b, prefix, after)
		}
	}
}

func compareList(t *testing.T, b blob.Bucket, prefix, after string) {
	t.Helper()
	var want []string
	for _, key := range trickyKeys() {
		if strings.HasPrefix(key, prefix) && key > after {
			want = append(want, key)
		}
	}
	if got := list(t, b, prefix, after); !slices.Equal(got, want) {
		t.Errorf("list %q after %q:\n got %v\nwant %v", prefix, after, got, want)
	}
}

func testListStops(t *testing.T, b blob.Bucket) {
	for i := range 10 {
		put(t, b, fmt.Sprintf("a/%d/x", i), "x")
	}
	var first []string
	for info, err := range b.List(context.Background(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		if first = append(first, info.Key); len(first) == 3 {
			break
		}
	}
	if !slices.Equal(first, []string{"a/0/x", "a/1/x", "a/2/x"}) {
		t.Errorf("first three: %v", first)
	}
	rest := list(t, b, "", first[2])
	isTrue(t, len(rest) == 7 && rest[0] == "a/3/x", "the rest: %v", rest)
}

// Objects that are there all the time are in every listing, whatever is written and deleted beside them.
func testListRaces(t *testing.T, b blob.Bucket) {
	var stable []string
	for i := range 10 {
		key := fmt.Sprintf("a/%d/x", i)
		stable = append(stable, key)
		put(t, b, key, "x")
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 10 {
				key := fmt.Sprintf("a/%d/y%d", i, w)
				_, err := b.Put(context.Background(), key, []byte("y"), blob.Condition{Absent: true})
				if err == nil {
					err = b.Delete(context.Background(), key)
				}
				if err == nil { // alone in its directory, which may come and go
					_, err = b.Put(context.Background(), "b/c/z", []byte("z"), blob.Condition{})
				}
				if err == nil {
					err = b.Delete(context.Background(), "b/c/z")
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 10 {
		got := list(t, b, "a/", "")
		got = slices.DeleteFunc(got, func(key string) bool { return !strings.HasSuffix(key, "/x") })
		isTrue(t, slices.Equal(got, stable), "lists %v of the stable objects", got)
		list(t, b, "", "")
	}
	wg.Wait()
	isTrue(t, slices.Equal(list(t, b, "", ""), stable), "in the end: %v", list(t, b, "", ""))
}
