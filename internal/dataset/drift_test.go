package dataset

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tarn/internal/check/report"
	"tarn/internal/drift"
	"tarn/internal/profile/compare"
	"tarn/store/blob"
	"tarn/store/blob/wrap"
)

// normalCSV is a column of numbers around mean.
func normalCSV(seed uint64, rows int, mean float64) []byte {
	r := rand.New(rand.NewPCG(seed, 5))
	var b strings.Builder
	b.WriteString("x,y\n")
	for range rows {
		fmt.Fprintf(&b, "%.5f,a\n", r.NormFloat64()+mean)
	}
	return []byte(b.String())
}

// drift compares and gives what became of the column x.
func (s *scratch) drift(dir string, o DriftOptions, bucket func(blob.Bucket) blob.Bucket) (c *compare.Result, counts report.Counts) {
	s.t.Helper()
	o.Dash = -1
	err := s.with(dir, Options{wrapBucket: bucket}, func(r *Repo) error {
		res, err := r.Drift(bg, o)
		if err != nil {
			return err
		}
		c, counts = res.Tables[0].Columns[0], res.Reports[0].Count()
		return nil
	})
	must(s.t, err)
	return c, counts
}

func ksOf(c *compare.Result) compare.Measured {
	for _, m := range c.Measures {
		if m.Metric == compare.KS {
			return m
		}
	}
	return compare.Measured{}
}

// TestDriftExactAndNot: where the bytes are, the values decide; in a clone without them profiles do, with a band, and a limit inside it stays undecided until
// the values are asked for.
func TestDriftExactAndNot(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	dir, clone := s.path("a"), s.path("b")
	s.repo(dir)
	must(t, os.MkdirAll(filepath.Join(dir, "data"), 0o777))
	file := filepath.Join(dir, "data", "t.csv")
	must(t, os.WriteFile(file, normalCSV(1, 4000, 0), 0o666))
	s.do(dir, add("data"))
	s.commit(dir, "one")
	s.do(dir, pushAll)
	must(t, os.WriteFile(file, normalCSV(2, 4000, .4), 0o666))
	s.do(dir, add("data"))
	exact, _ := s.drift(dir, DriftOptions{}, nil)
	ks := ksOf(exact)
	if !exact.Exact || ks.Lo != ks.Hi {
		t.Fatalf("the bytes are here: %+v", ks)
	}
	contract := fmt.Sprintf("apiVersion: v3.1.0\nkind: DataContract\nid: a\nversion: 1.0.0\nstatus: active\nschema:\n  - name: t\n    properties:\n"+
		"      - {name: x, logicalType: number, customProperties: [{property: tarn.drift, value: {psi: false, ks: %v}}]}\n", ks.Value+.0005)
	must(t, os.WriteFile(filepath.Join(dir, "data"+ContractSuffix), []byte(contract), 0o666))
	s.commit(dir, "two")
	s.do(dir, func(r *Repo) error {
		_, err := r.Profile(bg, ProfileOptions{Targets: []string{"HEAD:data", "HEAD~1:data"}})
		return err
	})
	s.do(dir, pushAll)
	s.do(dir, func(r *Repo) error {
		_, err := r.Push(bg, PushOptions{Selection: Selection{Revs: []string{"HEAD~1"}}})
		return err
	})

	s.git(s.dir, "clone", "-q", dir, clone)
	packs := 0
	counted := func(b blob.Bucket) blob.Bucket {
		return wrap.NewFault(b, func(_ int, verb, key string) wrap.Outcome {
			if verb == "get" && strings.HasPrefix(key, "pack/") {
				packs++
			}
			return wrap.OK
		})
	}
	two := DriftOptions{Args: []string{"HEAD~1", "HEAD"}}
	c, counts := s.drift(clone, two, counted)
	if m := ksOf(c); c.Exact || m.Status != drift.Undecided || m.Lo > ks.Value || m.Hi < ks.Value || counts.Broken != 1 || packs > 0 {
		t.Errorf("from profiles, with %d requests for packs: %+v, %+v", packs, m, counts)
	}
	two.Exact = true
	c, counts = s.drift(clone, two, counted)
	if m := ksOf(c); !c.Exact || m.Value != ks.Value || m.Status != drift.OK || counts.Broken != 0 || packs == 0 {
		t.Errorf("from values: %+v, %+v", m, counts)
	}
}
