package dataset

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tarn/internal/drift"
	"tarn/internal/profile/compare"
	"tarn/store/blob"
	"tarn/store/blob/wrap"
	"tarn/store/digest"
)

// TestDriftManyFiles: of versions that were profiled drift reads one profile a side, and neither data nor the remote; what is kept of a table is what merging
// makes anew. Only where that leaves something undecided the values are read.
func TestDriftManyFiles(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	dir, clone := s.path("a"), s.path("b")
	s.repo(dir)
	data := filepath.Join(dir, "data")
	must(t, os.MkdirAll(data, 0o777))
	write := func(every int, mean float64) {
		for i := 0; i <= driftFiles; i += every {
			must(t, os.WriteFile(filepath.Join(data, fmt.Sprintf("%04d.csv", i)), append(normalCSV(uint64(i), 4, mean), strings.Repeat("\n", profileSize)...), 0o666))
		}
	}
	write(1, 0)
	s.do(dir, add("data"))
	s.commit(dir, "one")
	write(2, 3)
	s.do(dir, add("data"))
	s.commit(dir, "two")
	versions := []string{"HEAD~1:data", "HEAD:data"}
	s.do(dir, func(r *Repo) error {
		_, err := r.Profile(bg, ProfileOptions{Targets: versions})
		return err
	})
	s.do(dir, pushAll)
	s.do(dir, func(r *Repo) error {
		_, err := r.Push(bg, PushOptions{Selection: Selection{Revs: []string{"HEAD~1"}}})
		return err
	})

	var last *DriftResult
	run := func(dir string, o DriftOptions) (requests int64) {
		var meters []*wrap.Meter
		o.Dash = -1
		must(t, s.with(dir, Options{wrapBucket: func(b blob.Bucket) blob.Bucket {
			meters = append(meters, wrap.NewMeter(b))
			return meters[len(meters)-1]
		}}, func(r *Repo) (err error) {
			last, err = r.Drift(bg, o)
			return err
		}))
		for _, m := range meters {
			requests += m.Snapshot().Requests()
		}
		return requests
	}
	encoded := func() (b []byte) {
		for _, p := range []*TableProfile{last.Tables[0].Ref, last.Tables[0].Cur} {
			b = append(b, p.Encode(digest.Digest{}, digest.Digest{})...)
		}
		return b
	}
	two := DriftOptions{Args: []string{"HEAD~1", "HEAD"}}
	known := func() {
		var requests int64
		kept := filepath.Join(dir, ".git", "tarn", "profile")
		if got := opens(t, data, func() { requests = run(dir, two) }); len(got) > 0 || requests > 0 {
			t.Errorf("drift opens %v, and makes %d requests", got, requests)
		}
		if got := opens(t, kept, func() { run(dir, two) }); len(got) != 2 {
			t.Errorf("drift opens %d profiles: %.200q", len(got), got)
		}
		cache := filepath.Join(dir, ".git", "tarn", "cache")
		if got := opens(t, cache, func() { run(dir, two) }); slices.ContainsFunc(got, func(name string) bool { return strings.HasPrefix(name, "b3/") || strings.HasPrefix(name, "pack/") }) {
			t.Errorf("drift opens %v of the cache", got)
		}
	}
	known()
	tab := last.Tables[0]
	if c := tab.Columns[0]; c.Exact || tab.Ref.Known != driftFiles+1 || tab.Cur.Known != driftFiles+1 || tab.Ref.Files != driftFiles+1 || last.Reports[0].Files != 2*(driftFiles+1) {
		t.Errorf("exact %v, known %d and %d of %d", c.Exact, tab.Ref.Known, tab.Cur.Known, tab.Ref.Files)
	}
	whole := encoded()
	gone := 0
	must(t, filepath.WalkDir(filepath.Join(dir, ".git", "tarn", "profile"), func(p string, _ os.DirEntry, err error) error {
		if tables := digest.Sum([]byte("tarn table")); err == nil && strings.HasSuffix(p, "-"+tables.String()[:16]) {
			gone++
			return os.Remove(p)
		}
		return err
	}))
	if gone != 2 {
		t.Errorf("profiles of %d tables are kept", gone)
	}
	if run(dir, two); !bytes.Equal(encoded(), whole) {
		t.Error("what is kept is not what merging makes")
	}
	known()

	s.git(s.dir, "clone", "-q", dir, clone)
	if first := run(clone, two); first == 0 || !bytes.Equal(encoded(), whole) {
		t.Errorf("a clone has other profiles, by %d requests", first)
	}
	if again := run(clone, two); again > 0 || !bytes.Equal(encoded(), whole) {
		t.Errorf("the second time a clone makes %d requests", again)
	}

	if testing.Short() {
		return
	}
	limit := ksOf(last.Tables[0].Columns[0]).Value + .0005
	contract := fmt.Sprintf("apiVersion: v3.1.0\nkind: DataContract\nid: a\nversion: 1.0.0\nstatus: active\nschema:\n  - name: t\n    properties:\n"+
		"      - {name: x, customProperties: [{property: tarn.drift, value: {psi: false, ks: %v}}]}\n", limit)
	file := s.path("limits.yaml")
	must(t, os.WriteFile(file, []byte(contract), 0o666))
	two.Contract = file
	run(dir, two)
	if c := last.Tables[0].Columns[0]; !c.Exact || slices.ContainsFunc(c.Measures, func(m compare.Measured) bool { return m.Status == drift.Undecided }) {
		t.Errorf("a limit in the band leaves it undecided: %+v", ksOf(c))
	}
}
