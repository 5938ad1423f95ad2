package dataset

import (
	"math"

	"tarn/index"
	"tarn/index/scan"
)

// newRecord is what the index keeps of an entry that has stat st, based on base (nil: on nothing).
func newRecord(e index.Entry, st scan.Stat, base *index.Entry, hashedAt int64) scan.Record {
	return withBase(scan.Record{Path: e.Path, Kind: e.Kind, Stat: st, Digest: e.Digest, HashedAt: hashedAt}, base)
}

// baseOf is the manifest entry that a record counts as based on; nil: none.
func baseOf(r *scan.Record) *index.Entry {
	if r == nil || r.BaseKind == 0 {
		return nil
	}
	return &index.Entry{Path: r.Path, Kind: r.BaseKind, Digest: r.BaseDigest, Size: r.BaseSize, Target: r.BaseTarget}
}

// withBase is the record with another base.
func withBase(r scan.Record, base *index.Entry) scan.Record {
	if base == nil {
		base = &index.Entry{}
	}
	r.BaseKind, r.BaseDigest, r.BaseSize, r.BaseTarget = base.Kind, base.Digest, base.Size, base.Target
	return r
}

// doubted is the record with a digest that counts for nothing: the file is read again.
func doubted(r *scan.Record) *scan.Record {
	d := *r
	d.HashedAt = math.MinInt64
	return &d
}
