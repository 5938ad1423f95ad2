package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"tarn/internal/check/report"
	"tarn/store/blob"
	"tarn/store/blob/wrap"
	"tarn/store/chunk"
)

const checkHead = "apiVersion: v3.1.0\nkind: DataContract\nid: x\nversion: 1.0.0\nstatus: active\nschema:\n"

// wideParquet is a file of one row group with two columns that are large and do not shrink, and a small one between them.
func wideParquet(rows int) string {
	type row struct {
		A string `parquet:"a"`
		B int64  `parquet:"b,dict"`
		C string `parquet:"c"`
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b)
	noise := randomBytes(3, rows*100)
	hex := func(n int) string { return fmt.Sprintf("%x", noise[n:n+50]) }
	for i := range rows {
		if _, err := w.Write([]row{{hex(i * 100), int64(i % 7), hex(i*100 + 50)}}); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.String()
}

// numbersCSV is a file with a column of numbers and one of noise.
func numbersCSV(size int) string {
	var b strings.Builder
	b.WriteString("n,noise\n")
	noise := randomBytes(4, size/2+100)
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "%d,%x\n", i, noise[i*20:i*20+20])
	}
	return b.String()
}

// checkPushed is a dataset that was pushed, with a contract of it, and how to clone it without its data.
func checkPushed(s *scratch, tr tree, schema string) (repo string, clone func() string) {
	top := s.path("top")
	repo = filepath.Join(top, "repo")
	s.repo(repo)
	tr.write(s.t, filepath.Join(repo, "data"))
	s.do(repo, add("data"))
	must(s.t, os.WriteFile(filepath.Join(repo, "data.contract.yaml"), []byte(checkHead+schema), 0o666))
	s.commit(repo, "one")
	s.do(repo, pushAll)
	n := 0
	return repo, func() string {
		n++
		return s.freshClone(top, fmt.Sprint("clone", n))
	}
}

// checked is what Check finds in an own opening of the repository.
func (s *scratch) checked(dir string, wrapped func(blob.Bucket) blob.Bucket, targets ...string) (res *CheckResult, err error) {
	err = s.with(dir, Options{wrapBucket: wrapped}, func(r *Repo) error {
		var err error
		res, err = r.Check(bg, CheckOptions{Targets: targets})
		return err
	})
	return res, err
}

func counts(res *CheckResult) report.Counts { return res.Results[0].Count() }

const rangeSchema = `
  - name: p
    physicalName: "*.parquet"
    properties: [{name: b, logicalType: integer, logicalTypeOptions: {minimum: 0, maximum: 6}}]
`

// TestCheckRemoteRequests: from a remote, without a checkout, only what a check needs is asked for.
func TestCheckRemoteRequests(t *testing.T) {
	t.Parallel()
	wide, csv := wideParquet(40_000), numbersCSV(6<<20)
	for _, c := range []struct {
		name, schema string
		tr           tree
		gets, bytes  int64 // tarn.json, root, and of data
	}{
		{"a column of Parquet", rangeSchema, tree{"p.parquet": "f" + wide}, 2 + 3, 3*chunk.Max + 64<<10},
		{"no data", `
  - name: files
    quality:
      - {type: custom, engine: tarn, implementation: {check: fileCount, min: 2}}
      - {type: custom, engine: tarn, implementation: {check: duplicateFiles}}
      - {type: custom, engine: tarn, implementation: {check: leakage, by: file, splits: {a: "a*", b: "b*"}}}
`, tree{"a.csv": "f" + csv, "b.csv": "fb"}, 0, 0},
		{"text in long runs, once", `
  - name: c
    properties: [{name: n, logicalType: integer, unique: true}]
`, tree{"c.csv": "f" + csv}, 2 + 3, int64(len(csv)) + 64<<10},
		{"an archive", `
  - name: c
    quality: [{type: custom, engine: tarn, implementation: {check: decode, as: csv}}]
`, tree{"c.csv": "f" + csv}, 2 + 3, int64(len(csv)) + 64<<10},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newScratch(t)
			_, clone := checkPushed(s, c.tr, c.schema)
			dir := clone()
			var m *wrap.Meter
			res, err := s.checked(dir, counted(&m))
			if err != nil {
				t.Fatal(err)
			}
			if n := counts(res); n.Passed == 0 || n.Passed != len(res.Results[0].Checks) {
				t.Errorf("%+v", res.Results[0].Checks)
			}
			var n wrap.Counts
			if m != nil { // it was connected to
				n = m.Snapshot()
			}
			t.Log(n)
			if n.Requests() > c.gets || n.Down > c.bytes {
				t.Errorf("%d requests, %d bytes; want %d and %d at most", n.Requests(), n.Down, c.gets, c.bytes)
			}
			if n := len(keys(t, filepath.Join(dir, ".git", "tarn", "cache", "b3"))); n > 0 {
				t.Errorf("%d objects in the cache", n)
			}
		})
	}
	if n := int64(len(wide)); n < 2*(3*chunk.Max+64<<10) {
		t.Errorf("the file has only %d bytes", n)
	}
}

// TestCheckBrokenRemote: wrong or missing bytes of a pack are corrupt, for Parquet and for text, and nothing passes.
func TestCheckBrokenRemote(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	_, clone := checkPushed(s, tree{"p.parquet": "f" + wideParquet(8000), "c.csv": "f" + numbersCSV(2<<20)}, rangeSchema+`
  - name: c
    physicalName: "*.csv"
    properties: [{name: n, logicalType: integer}]
`)
	for key, b := range keys(t, s.path("top", "remote")) {
		if !strings.HasPrefix(key, "pack/") {
			continue
		}
		path := s.path("top", "remote", key)
		for what, broken := range map[string][]byte{"cut": b[:100], "wrong": bytes.Repeat([]byte{7}, len(b))} {
			must(t, os.WriteFile(path, broken, 0o666))
			res, err := s.checked(clone(), nil)
			if !errors.Is(err, ErrCorrupt) || len(res.Problems) == 0 || counts(res).Broken == 0 {
				t.Errorf("%s: %v, %+v", what, err, res)
			}
			for _, p := range res.Problems {
				if !isCorrupt(p.Err) || p.Path == "" || strings.Count(p.Err.Error(), "remote origin") != 1 {
					t.Errorf("%s: %+v", what, p)
				}
			}
		}
		must(t, os.WriteFile(path, b, 0o666))
	}
	if res, err := s.checked(clone(), nil); err != nil || counts(res).Broken > 0 {
		t.Errorf("%v, %+v", err, res)
	}
}

// TestCheckMovedPacks: what this clone saw is gone from the remote, as after a gc, also while it reads; it asks again.
func TestCheckMovedPacks(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	repo, clone := checkPushed(s, tree{"p.parquet": "f" + wideParquet(8000)}, rangeSchema)
	dir := clone()
	if _, err := s.checked(dir, nil); err != nil {
		t.Fatal(err)
	}
	move := func() {
		packs, _ := filepath.Glob(s.path("top", "remote", "pack", "*", "*"))
		for _, p := range packs {
			must(t, os.Remove(p))
		}
		tree{"more": "f" + randomBytes(uint64(len(packs)), 100)}.write(t, filepath.Join(repo, "more"))
		s.do(repo, func(r *Repo) error {
			_, err := r.Push(bg, PushOptions{Verify: true})
			return err
		})
	}
	move()
	if res, err := s.checked(dir, nil); err != nil || counts(res).Passed != len(res.Results[0].Checks) {
		t.Errorf("%v, %+v", err, res)
	}
	packs := 0
	res, err := s.checked(dir, func(b blob.Bucket) blob.Bucket {
		return hearing{b, func(key string) {
			if strings.HasPrefix(key, "pack/") {
				if packs++; packs == 2 {
					move()
				}
			}
		}}
	})
	if err != nil || counts(res).Passed != len(res.Results[0].Checks) || packs < 2 {
		t.Errorf("%v, %+v, %d", err, res, packs)
	}
}

// TestCheckBrokenCache: what the cache has broken comes from the remote, and where that is gone it is said.
func TestCheckBrokenCache(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	repo, _ := checkPushed(s, tree{"c.csv": "f" + numbersCSV(1<<20)}, `
  - name: c
    properties: [{name: n, logicalType: integer}]
`)
	cache := filepath.Join(repo, ".git", "tarn", "cache", "b3")
	objects := keys(t, cache)
	spoil := func() {
		for name, b := range objects {
			path := filepath.Join(cache, name)
			must(t, os.RemoveAll(path))
			must(t, os.WriteFile(path, flipped(b, len(b)/2), 0o644))
		}
	}
	spoil()
	must(t, os.RemoveAll(filepath.Join(repo, "data")))
	hidden := s.path("top", "hidden")
	must(t, os.Rename(s.path("top", "remote"), hidden))
	if res, err := s.checked(repo, nil); !errors.Is(err, ErrCorrupt) || len(res.Problems) != 1 || counts(res).Broken == 0 {
		t.Errorf("%v, %+v", err, res)
	}
	must(t, os.Rename(hidden, s.path("top", "remote")))
	spoil()
	if res, err := s.checked(repo, nil); err != nil || counts(res).Passed != len(res.Results[0].Checks) {
		t.Errorf("%v, %+v", err, res)
	}
}

// TestCheckForeignKeys: a key refers to another object of the contract, and to another dataset in the version that goes with it.
func TestCheckForeignKeys(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	repo := s.path("top", "repo")
	s.repo(repo)
	contractOf := func(text string) {
		must(t, os.WriteFile(filepath.Join(repo, "shop", "orders.contract.yaml"), []byte(checkHead+text), 0o666))
	}
	tree{"o.csv": "fid,customer\n1,7\n2,08\n3,\n", "c.csv": "fid\n7\n8\n"}.write(t, filepath.Join(repo, "shop", "orders"))
	tree{"all.csv": "fid\n7\n8\n"}.write(t, filepath.Join(repo, "people"))
	object := `
  - name: orders
    physicalName: o.csv
    properties: [{name: id, logicalType: integer}, {name: customer, logicalType: integer`
	contractOf(object + `, relationships: [{to: customers.id}]}]
    quality: [{type: custom, engine: tarn, implementation: {check: foreignKey, columns: [customer], to: "*.csv#id", dataset: ../people}}]
  - name: customers
    physicalName: c.csv
    properties: [{name: id, logicalType: integer}]
`)
	s.do(repo, add("shop/orders"))
	s.do(repo, add("people"))
	s.commit(repo, "one")
	keys := func(targets ...string) (counts []int64) {
		t.Helper()
		res, err := s.checked(repo, nil, targets...)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range res.Results[0].Checks {
			switch {
			case c.Status == report.Errored || c.Status == report.Skipped:
				t.Errorf("%s: %s", c.Key, c.Note)
			case c.Kind == "foreignKey":
				counts = append(counts, c.Count)
			}
		}
		return counts
	}
	if got := keys(); !slices.Equal(got, []int64{0, 0}) {
		t.Errorf("all keys are there: %v", got)
	}
	tree{"all.csv": "fid\n7\n"}.write(t, filepath.Join(repo, "people"))
	s.do(repo, add("people"))
	if got := keys(); !slices.Equal(got, []int64{1, 0}) {
		t.Errorf("one is gone from the other dataset: %v", got)
	}
	tree{"o.csv": "fid,customer\n1,7\n2,08\n3,\n", "c.csv": "fid\n7\n"}.write(t, filepath.Join(repo, "shop", "orders"))
	s.do(repo, add("shop/orders"))
	if got := keys("shop/orders"); !slices.Equal(got, []int64{1, 1}) {
		t.Errorf("and from the other object: %v", got)
	}
	if got := keys("HEAD:shop/orders"); !slices.Equal(got, []int64{0, 0}) {
		t.Errorf("in the old version it is there: %v", got)
	}
}

// TestCheckInterrupted: a run that was interrupted has no result, which would look like one without a fault.
func TestCheckInterrupted(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	repo, clone := checkPushed(s, tree{"p.parquet": "f" + wideParquet(8000)}, rangeSchema)
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	err := s.with(clone(), Options{wrapBucket: func(b blob.Bucket) blob.Bucket {
		return hearing{b, func(key string) {
			if strings.HasPrefix(key, "pack/") {
				cancel()
			}
		}}
	}}, func(r *Repo) error {
		res, err := r.Check(ctx, CheckOptions{})
		if res != nil {
			t.Errorf("%+v", res)
		}
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if res, err := CheckFiles(ctx, repo, []string{"data"}, "data.contract.yaml", CheckSettings{}, nil, Silent{}); res != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %+v", err, res)
	}
}

// hearing hears of gets.
type hearing struct {
	blob.Bucket
	hear func(key string)
}

func (g hearing) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, blob.Info, error) {
	g.hear(key)
	return g.Bucket.Get(ctx, key, off, n)
}
